# cython: boundscheck=True
"""Appending records to the log: the hot path of a write. Compiled, where there is a compiler."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import BYTE_ORDER, RECORD_REST
from scrubjay.tiers._disk.table import Table

# The compiled form takes these from appending.pxd; see layout.py for what they are.
UNIT = 64
UNIT_BITS = 6
RECORD_BYTES = 32
HEAD = 18
PUTS = 20
CLEANING = 23
DEBT = 24
AT_ROWS = (4096 + 8 * 65536) // 8
SEGMENT_WORDS = 3
CHECK_MASK = 0xFFFF
TAIL_MASK = 0xFFFFFFFF
MOST_PUTS = 0xFFFFFFFFFFFF
MIX = 0x9E3779B1
LARGEST = 0x3FFFF << UNIT_BITS
NEVER = float("inf")

_PADDING = bytes(UNIT)
_pack = RECORD_REST.pack
_crc32 = zlib.crc32

# Something to be stored: the key, the value, its checksum, its cost, its expiry (infinity for
# never). A plain tuple, as there is one for each record.
Item: TypeAlias = tuple[bytes, bytes, int, float, float]


class Appender:
    """Appends to the active segment, for use under the lock.

    Args:
        files: the open files.
        table: over the same files.
        now: returns the wall time.
    """

    def __init__(self, files: Files, table: Table, now: Callable[[], float]) -> None:
        self.files = files  # keeps the descriptor open
        self.data = files.data
        self.words = files.words
        self.segment_bytes = files.geometry.segment_bytes
        self.table = table
        self.now = now
        #: bytes that key and value of a record may have
        self.largest = min(self.segment_bytes, LARGEST) - RECORD_BYTES

    def append(self, items: Sequence[Item], roll: Callable[[], None]) -> list[bool]:
        """Write items that lie side by side by one call, then enter them in the table.

        A key whose value is too large, or has expired, has nothing afterwards.

        Args:
            items: what is to be stored.
            roll: goes on in another segment; called when the active one is full.

        Returns:
            For each item whether it was stored.

        Raises:
            OSError: the device does not take them; some may be stored.
        """
        begin = 0
        parts: list[bytes] = []
        entries: list[tuple[int, int]] = []
        kept: list[bool] = []
        for key, value, checksum, cost, expires_at in items:
            h = self.table.hash(key)
            taken = RECORD_BYTES + len(key) + len(value)
            if taken > self.largest + RECORD_BYTES or not (
                expires_at == NEVER or expires_at > self.now()
            ):
                self.flush(parts, begin, entries)
                parts, entries = [], []
                slot = self.table.find(h)
                if slot >= 0:
                    self.table.remove(slot)
                kept.append(False)
                continue
            units = (taken + UNIT - 1) >> UNIT_BITS
            length = units << UNIT_BITS
            if (self.words[HEAD] & TAIL_MASK) + length > self.segment_bytes:
                self.flush(parts, begin, entries)
                parts, entries = [], []
                roll()
            at, serial, check = self.reserve(length)
            if self.words[CLEANING]:
                self.words[DEBT] += length
            if not parts:
                begin = at
            rest = _pack(serial, check, len(key), len(value), checksum, cost, expires_at)
            head = _crc32(key, _crc32(rest)).to_bytes(4, BYTE_ORDER) + rest
            parts += (head, key, value, _PADDING[: length - taken])
            entries.append((h, (at >> UNIT_BITS) << 34 | units << 16 | check))
            kept.append(True)
        self.flush(parts, begin, entries)
        return kept

    def flush(self, parts: list[bytes], at: int, entries: list[tuple[int, int]]) -> None:
        """Write records, if any, then enter them in the table."""
        if parts:
            self.write(parts if len(parts) == 4 else [b"".join(parts)], at)
            for h, word in entries:
                self.table.enter(h, word)

    def write(self, parts: Sequence[bytes], at: int) -> None:
        """Write bytes at an offset of the data.

        Raises:
            OSError: the device is full, or broken.
        """
        length = 0
        for part in parts:
            length += len(part)
        written = os.pwritev(self.data, parts, at)
        if written != length:  # the device is full, and says so when asked for the rest
            rest = b"".join(parts)[written:]
            if os.pwrite(self.data, rest, at + written) != len(rest):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def reserve(self, length: int) -> tuple[int, int, int]:
        """Take room at the end of the log: its offset, its serial, and a check."""
        head = self.words[HEAD]
        self.words[HEAD] = head + length
        active = head >> 32
        puts = (self.words[PUTS] + 1) & MOST_PUTS
        self.words[PUTS] = puts
        serial = self.words[AT_ROWS + SEGMENT_WORDS * active] & TAIL_MASK
        at = active * self.segment_bytes + (head & TAIL_MASK)
        return at, serial, (puts * MIX >> 16) & CHECK_MASK
