"""Opening the files of a disk tier: whose they are, whether they are sound, and new ones.

Everything happens under a lock of the directory, and relative to its descriptor: what
stands under its path may be exchanged meanwhile. No symbolic link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import struct
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scrubjay.errors import TierUnavailableError
from scrubjay.tiers._disk import boot, layout
from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.generations import first_generation
from scrubjay.tiers._disk.layout import Geometry
from scrubjay.tiers._disk.locking import lock_file, try_lock_file, unlock_file
from scrubjay.tiers.events import TierEventKind

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NEW = layout.INDEX + ".new"
_BROKEN = ".broken"

Tell = Callable[[TierEventKind, str], None]


class Wanted(NamedTuple):
    """What is to be opened.

    Args:
        path: the directory, absolute.
        max_bytes: what the files may take.
        max_entries: what the table is made for.
        timeout: seconds to wait for other processes at most.
        boot: the number of this boot.
    """

    path: str
    max_bytes: int
    max_entries: int
    timeout: float
    boot: int


def open_files(wanted: Wanted, tell: Tell) -> Files:
    """Open the files, or make new ones where there are none or none that can be used.

    Raises:
        TierUnavailableError: the directory is not ours alone, or locked for too long.
        OSError: the system refuses.
    """
    deadline = time.monotonic() + wanted.timeout
    directory = _open_directory(wanted.path)
    try:
        lock_file(directory, deadline)
        _remove_other_versions(directory)
        files = _open_existing(directory, wanted, deadline, tell) or _make(directory, wanted)
        lock_file(files.data, deadline, shared=True)
        files.begin(wanted.boot)
        return files
    finally:
        os.close(directory)


def _open_directory(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        directory = os.open(path, flags)
    except FileNotFoundError:
        Path(path).mkdir(0o700, parents=True, exist_ok=True)
        directory = os.open(path, flags)
    status = os.fstat(directory)
    if status.st_uid != os.geteuid():
        os.close(directory)
        raise TierUnavailableError(f"{path} belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(directory)
        raise TierUnavailableError(f"{path} can be written to by other users")
    return directory


def _open_existing(directory: int, wanted: Wanted, deadline: float, tell: Tell) -> Files | None:
    index = _open_ours(directory, layout.INDEX, tell)
    data = _open_ours(directory, layout.DATA, tell)
    keep = False
    try:
        if index is None:
            return None
        geometry = _sound(index)
        reason: str | None = None
        if geometry is None:
            _retire(index, deadline)
            _put_aside(directory, layout.INDEX, "its header or its length is wrong", tell)
            return None
        if data is None:
            reason = "the data is gone"
        elif _retired(index):
            reason = "it was retired"
        elif try_lock_file(data):  # nobody else uses it
            if not boot.trusted(_word(index, layout.EPOCH), wanted.boot):
                reason = "the machine stopped before it was closed"
            elif geometry != layout.plan(wanted.max_bytes, wanted.max_entries, geometry.salt):
                reason = "its bounds have changed"
            unlock_file(data)
        if reason is None:
            keep = True
            assert data is not None
            files = Files(index, data, geometry, wanted.timeout)
            if not files.damaged:
                return files
            files.words[layout.RETIRED] = 1
            _put_aside(directory, layout.INDEX, "the words of its header are wrong", tell)
            return None
        _retire(index, deadline)
        tell(TierEventKind.DISCARD, f"{layout.INDEX}: {reason}")
        return None
    finally:
        if not keep:
            for descriptor in (index, data):
                if descriptor is not None:
                    os.close(descriptor)


def _make(directory: int, wanted: Wanted) -> Files:
    for name in (layout.INDEX, layout.DATA, _NEW):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
    geometry = layout.plan(wanted.max_bytes, wanted.max_entries, secrets.token_bytes(16))
    flags = _FLAGS | os.O_CREAT | os.O_EXCL
    index = os.open(_NEW, flags, 0o600, dir_fd=directory)
    data = -1
    try:
        _allocate(index, geometry.index_bytes)
        generations = array("Q", [first_generation()]) * layout.GENERATIONS
        os.pwrite(index, generations.tobytes(), layout.AT_GENERATIONS)
        first_segment = struct.pack("=QQQ", 1, 0, geometry.segment_bytes)
        os.pwrite(index, first_segment, layout.AT_SEGMENTS)
        os.pwrite(index, (1).to_bytes(8, layout.BYTE_ORDER), 8 * layout.SERIAL)
        os.pwrite(index, geometry.pack(), 0)
        data = os.open(layout.DATA, flags, 0o600, dir_fd=directory)
        os.rename(_NEW, layout.INDEX, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.close(index)
        if data >= 0:
            os.close(data)
        with contextlib.suppress(OSError):
            os.unlink(_NEW, dir_fd=directory)
        raise
    return Files(index, data, geometry, wanted.timeout)


def _allocate(descriptor: int, length: int) -> None:
    # Room for all of it: a mapped page that finds none when it is first written kills
    # the process.
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, length)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    for at in range(0, length, 1 << 20):
        os.pwrite(descriptor, bytes(min(1 << 20, length - at)), at)


def _open_ours(directory: int, name: str, tell: Tell) -> int | None:
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError:  # a link, a directory, a socket, or a file that we must not open
        _put_aside(directory, name, "it cannot be opened", tell)
        return None
    status = os.fstat(descriptor)
    if (
        not stat.S_ISREG(status.st_mode)
        or status.st_uid != os.geteuid()
        or status.st_nlink != 1  # it has a second name, perhaps where others reach it
    ):
        os.close(descriptor)
        _put_aside(directory, name, "it is no file of ours alone", tell)
        return None
    if status.st_mode & 0o177:
        os.fchmod(descriptor, 0o600)
    return descriptor


def _sound(index: int) -> Geometry | None:
    geometry = Geometry.unpack(os.pread(index, layout.PAGE, 0))
    if geometry is None or os.fstat(index).st_size != geometry.index_bytes:
        return None
    return geometry


def _word(index: int, number: int) -> int:
    return int.from_bytes(os.pread(index, 8, 8 * number), layout.BYTE_ORDER)


def _retired(index: int) -> bool:
    return _word(index, layout.RETIRED) != 0


def _retire(index: int, deadline: float) -> None:
    """Send processes that use an index to the one which will take its place."""
    if os.fstat(index).st_size >= layout.PAGE:
        lock_file(index, deadline)  # whoever changes something now comes first
        os.pwrite(index, (1).to_bytes(8, layout.BYTE_ORDER), 8 * layout.RETIRED)
        unlock_file(index)


def _put_aside(directory: int, name: str, reason: str, tell: Tell) -> None:
    os.rename(name, name + _BROKEN, src_dir_fd=directory, dst_dir_fd=directory)
    tell(TierEventKind.QUARANTINE, f"{name}: {reason}; renamed to {name}{_BROKEN}")


def _remove_other_versions(directory: int) -> None:
    """Remove the files of other versions which nobody uses: they take room."""
    ours = {layout.INDEX, layout.DATA}
    for name in os.listdir(directory):
        version, _, kind = name.partition(".")
        if name in ours or kind != "data" or not (version[:1] == "v" and version[1:].isdigit()):
            continue
        with contextlib.suppress(OSError):
            data = os.open(name, _FLAGS, dir_fd=directory)
            try:
                if try_lock_file(data):
                    os.unlink(name, dir_fd=directory)
                    os.unlink(f"{version}.index", dir_fd=directory)
            finally:
                os.close(data)
