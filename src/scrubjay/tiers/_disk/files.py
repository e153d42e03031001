"""The files of a disk tier, open: what a process holds."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from pathlib import Path

from scrubjay.tiers._disk import boot, layout
from scrubjay.tiers._disk.layout import Geometry
from scrubjay.tiers._disk.locking import Exclusive, try_lock_file


class Files:
    """An index, mapped, and its data.

    They are given back when nobody refers to this any more: a thread that still reads
    must not find another file under its number.

    Args:
        index: descriptor of the index; processes lock it to change anything.
        data: descriptor of the data, locked shared for as long as it is open.
        geometry: their measures.
        timeout: seconds to wait for other processes at most.
    """

    def __init__(self, index: int, data: int, geometry: Geometry, timeout: float) -> None:
        self.index = index
        self.data = data
        self.geometry = geometry
        self.exclusive = Exclusive(index, timeout)
        self.map = mmap.mmap(index, geometry.index_bytes)
        self.octets = memoryview(self.map)
        self.words = self.octets.cast("Q")
        #: a hash of the salt, to be copied and fed with a key; as a prefix the salt costs less
        #: than as a key of the hash, which takes a block of its own
        self.hasher = hashlib.blake2s(geometry.salt, digest_size=8)
        self.at_table = geometry.at_table
        self.buckets = geometry.buckets
        status = os.fstat(index)
        self._identity = (status.st_dev, status.st_ino)

    @property
    def damaged(self) -> bool:
        """Whether the words of the header contradict each other."""
        words, geometry = self.words, self.geometry
        active, tail = divmod(words[layout.HEAD], 1 << 32)
        return (
            active >= geometry.segments
            or tail > geometry.segment_bytes
            or tail % layout.UNIT != 0
            or words[layout.VICTIM] > geometry.segments
        )

    def in_place(self, directory: str) -> bool:
        """Tell whether these are still the files of that directory."""
        try:
            status = Path(directory, layout.INDEX).lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def begin(self, number: int) -> None:
        """Note, lastingly, that the files are in use in this boot."""
        if self.words[layout.EPOCH] != boot.opened(number):
            self.words[layout.EPOCH] = boot.opened(number)
            self.map.flush(0, layout.PAGE)

    def end(self, number: int) -> None:
        """Write everything to the device, if no other process uses it."""
        with self.exclusive:
            if self.words[layout.RETIRED] or not try_lock_file(self.data):
                return
            os.fsync(self.data)
            self.map.flush()
            self.words[layout.EPOCH] = boot.closed(number)
            self.map.flush(0, layout.PAGE)

    def abandon(self) -> None:
        """Close the descriptors in a forked child: they share the locks of the parent."""
        for descriptor in (self.index, self.data):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.index = self.data = -1

    def __del__(self) -> None:
        # The map goes with those who hold views of it.
        if self.index >= 0:
            os.close(self.index)
            os.close(self.data)
