"""What each process writes down: one line of 72 bytes for each operation that ended.

Of what changes something, a line is written before it is sent too, unbuffered, so that a
process that is killed leaves what it may have done. Reads are collected and may be lost.
Times are those of one monotonic clock that all processes of a machine share.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from scrubjay.types import CacheConsistencyLevel

_LINE = struct.Struct("<BBHiHHIdddQQdQ")
#: packs the fields of an `Event`
pack = _LINE.pack
_COLLECTED = 64 << 10  # bytes of reads before they are written
#: the levels in the order by which histories number them
LEVELS = tuple(CacheConsistencyLevel)
EVENTUAL = LEVELS.index(CacheConsistencyLevel.EVENTUAL)
SESSION = LEVELS.index(CacheConsistencyLevel.SESSION)
MONOTONIC = LEVELS.index(CacheConsistencyLevel.MONOTONIC)
STRONG = LEVELS.index(CacheConsistencyLevel.STRONG)
BUCKETS = 16  # files of a process, each with its part of the keys
NO_TAG = 0xFFFF
DEPENDS = 0x8000  # a tag from here on is a key on which a value depends: every change of it counts
TAG_BUCKET = BUCKETS  # one more file, with the tags


class Kind(IntEnum):
    """What was done."""

    BEGUN = 0  # something that changes, whose end is not known
    PUT = 1
    DELETE = 2
    FILL = 3
    BUMP = 4
    READ = 5  # a value was returned
    MISS = 6  # there was none


class Event(NamedTuple):
    """One operation.

    Args:
        kind: what.
        level: of a read, by its number.
        process: which.
        session: who, the same in all processes.
        key: which, or of `BUMP` which tag.
        tag: on which the value depends, `NO_TAG` for none. Of a miss: which made it void.
        copied: whether a copy was served.
        start: when it was called.
        end: when it returned; infinity if it never did.
        made: when the value was begun to be made.
        version: that the tier issued, 0 for none.
        value: which, 0 for none.
        expires: when the value expires, on the same clock; infinity for never.
        generation: of the tag.
    """

    kind: int
    level: int
    process: int
    session: int
    key: int
    tag: int
    copied: int
    start: float
    end: float
    made: float
    version: int
    value: int
    expires: float
    generation: int


class Recorder:
    """Writes one process's events, those of a key always into the same file.

    Args:
        directory: of all of them.
        name: of the process; unique, also among those that came after a killed one.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._files = [
            os.open(directory / f"{name}.{bucket:02d}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for bucket in range(BUCKETS + 1)
        ]
        self._reads = [bytearray() for _ in range(BUCKETS + 1)]
        #: how many operations have ended
        self.count = 0

    def note(self, *event: float) -> None:
        """Write an event down at once."""
        if event[0] != Kind.BEGUN:
            self.count += 1
        os.write(self._files[_bucket(event)], _LINE.pack(*event))

    def read(self, *event: float) -> None:
        """Note a read, to be written with others."""
        self.read_packed(int(event[4]), _LINE.pack(*event))

    def read_packed(self, key: int, line: bytes) -> None:
        """Note a read of a key that `pack` has packed."""
        self.count += 1
        bucket = key % BUCKETS
        reads = self._reads[bucket]
        reads += line
        if len(reads) >= _COLLECTED:
            self._reads[bucket] = bytearray()
            os.write(self._files[bucket], reads)

    def close(self) -> None:
        """Write what was collected."""
        for file, reads in zip(self._files, self._reads, strict=True):
            os.write(file, reads)
            os.close(file)


def _bucket(event: tuple[float, ...]) -> int:
    kind, value = event[0], int(event[11])
    if kind == Kind.BUMP or (kind == Kind.BEGUN and value == 0 and event[5] != NO_TAG):
        return TAG_BUCKET
    return int(event[4]) % BUCKETS


def events(directory: Path, bucket: int, first: Kind, last: Kind) -> Iterator[Event]:
    """Yield the events of a bucket of some kinds, in no order.

    What was cut off by a kill is left out.
    """
    for path in sorted(directory.glob(f"*.{bucket:02d}")):
        data = path.read_bytes()
        for line in _LINE.iter_unpack(data[: len(data) // _LINE.size * _LINE.size]):
            if first <= line[0] <= last:
                yield Event._make(line)
