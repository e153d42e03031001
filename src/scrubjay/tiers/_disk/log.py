"""The log: records are appended to it, and copied or given up to make room.

When free segments are few, one is emptied, a stretch at a time along with the writes: from it,
records are copied to the end of the log or given up. While what is alive takes little of the
room, all is copied; otherwise only what was read since it was written: the CLOCK algorithm,
with segments for its hand. (Rosenblum and Ousterhout 1992 on the log; Corbato 1968 on CLOCK.)
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Iterator, Sequence

from scrubjay.errors import TierFullError
from scrubjay.tiers._disk import layout
from scrubjay.tiers._disk.appending import Appender, Item
from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import (
    BYTE_ORDER,
    CLEANING,
    CURSOR,
    DEBT,
    HEAD,
    RECORD,
    RECORD_BYTES,
    RECORD_REST,
    S_LIVE,
    S_SERIAL,
    S_USED,
    UNIT,
    UNIT_BITS,
    VICTIM,
)
from scrubjay.tiers._disk.segments import Segments
from scrubjay.tiers._disk.table import Table
from scrubjay.tiers.events import TierEventKind

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STRETCH = 128 * 1024  # bytes of a segment that are emptied at a time; more than any key
# Bytes emptied for each byte stored, copies not counted: a segment is done before the next
# one is needed, as at most three quarters of it are copied.
_PACE = 4
_SPARE = 2  # free segments to have in hand


class DamagedError(Exception):
    """What the header of the index says makes no sense."""


class Log(Segments):
    """The data, for use under the lock.

    Args:
        files: the open files.
        table: over the same files.
        now: returns the wall time.
        tell: announces what happened; called under the lock.
    """

    def __init__(
        self,
        files: Files,
        table: Table,
        now: Callable[[], float],
        tell: Callable[[TierEventKind, str], None],
    ) -> None:
        super().__init__(files)
        self._files = files
        self._table = table
        self._appender = Appender(files, table, now)
        self._now = now
        self._tell = tell
        self.largest = self._appender.largest

    def store(self, items: Sequence[Item]) -> list[bool]:
        """Store items in their order; each is there for everybody when this returns.

        Returns:
            For each item whether it was kept; if not, its key has nothing now.

        Raises:
            TierFullError: not all could be; their keys have nothing now.
            DamagedError: the index is damaged.
            OSError: not all could be, for another reason; the same holds.
        """
        head = self._words[HEAD]
        if head >> 32 >= self._count or head % UNIT:
            raise DamagedError("the end of the log is nowhere")
        kept: list[bool] = []
        try:
            for run in self._runs(items) if len(items) > 1 else (items,):
                try:
                    kept += self._appender.append(run, self._roll)
                except OSError as error:
                    if error.errno not in FULL:
                        raise
                    kept += self._store_one_by_one(run)
                if self._words[CLEANING]:
                    self._keep_pace()
        except OSError:
            for key, *_ in items:
                slot = self._table.find(self._table.hash(key))
                if slot >= 0:
                    self._table.remove(slot)
            raise
        return kept

    def _runs(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Yield items in runs so short that segments are emptied in time."""
        begin = size = 0
        for number, (key, value, *_) in enumerate(items):
            size += UNIT + len(key) + len(value)
            if size > self._bytes // 4:
                yield items[begin : number + 1]
                begin, size = number + 1, 0
        if begin < len(items):
            yield items[begin:]

    def clear(self) -> None:
        """Remove everything, and give the room back to the system."""
        words = self._words
        for at in range(self._files.at_table, self._files.geometry.index_bytes, 1 << 20):
            end = min(at + (1 << 20), self._files.geometry.index_bytes)
            self._files.map[at:end] = bytes(end - at)
        words[VICTIM] = 0
        for number in range(self._count):
            words[self._row(number) + S_SERIAL] = 0
            words[self._row(number) + S_LIVE] = 0
        words[layout.ENTRIES] = words[CLEANING] = words[DEBT] = 0
        self._activate(0)
        os.ftruncate(self._files.data, 0)

    def _store_one_by_one(self, items: Sequence[Item]) -> list[bool]:
        """Store on a full device: in the room of older records."""
        kept: list[bool] = []
        for item in items:
            try:
                kept += self._appender.append([item], self._roll)
                continue
            except OSError as error:
                if error.errno not in FULL:
                    raise
            try:
                self._reuse_oldest()
                kept += self._appender.append([item], self._roll)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise TierFullError(error.errno, "the device is full") from error
        return kept

    def _reuse_oldest(self) -> None:
        active = self._words[HEAD] >> 32
        self._seal()
        oldest = self._choose(oldest=True)
        if oldest is None:
            oldest = active
        self._tell(TierEventKind.FULL, "the device takes no more; older records make room")
        self._empty(oldest)
        self._activate(oldest)

    def _roll(self) -> None:
        """Go on in a free segment."""
        self._seal()
        free = self._free()
        if not free:  # more came at a time than is emptied meanwhile
            oldest = self._choose(oldest=True)
            if oldest is None:
                raise AssertionError("one segment is active, the others are neither free nor not")
            self._empty(oldest)
            free = [oldest]
        self._activate(free[0])
        self._words[CLEANING] = len(free) - 1 <= _SPARE

    # ---- emptying

    def _keep_pace(self) -> None:
        words = self._words
        debt = words[DEBT] * _PACE
        if debt >= _STRETCH:
            words[DEBT] = 0
            self._clean(debt)

    def _clean(self, amount: int) -> None:
        """Go through so many bytes of segments to be emptied."""
        words = self._words
        while amount > 0:
            victim = words[VICTIM] - 1
            if (
                not 0 <= victim < self._count
                or not words[self._row(victim) + S_SERIAL]
                or victim == words[HEAD] >> 32
            ):
                chosen = self._choose()
                if chosen is None:
                    return
                words[CURSOR] = words[layout.CARRIED] = 0
                words[VICTIM] = chosen + 1
                victim = chosen
            used = min(words[self._row(victim) + S_USED], self._bytes)
            cursor = words[CURSOR]
            if cursor < used and words[self._row(victim) + S_LIVE]:
                step = self._walk(victim, cursor, min(used, cursor + _STRETCH), keep=True)
                words[CURSOR] = cursor + step
                amount -= step
                continue
            self._free_up(victim)
            words[CLEANING] = len(self._free()) <= _SPARE
            if not words[CLEANING]:
                return

    def _empty(self, segment: int) -> None:
        """Give up whatever a segment has."""
        row = self._row(segment)
        used = min(self._words[row + S_USED], self._bytes)
        at = 0
        while at < used and self._words[row + S_LIVE]:
            at += self._walk(segment, at, min(used, at + _STRETCH), keep=False)
        self._free_up(segment)

    def _walk(self, segment: int, begin: int, end: int, *, keep: bool) -> int:
        """Go through a stretch of a segment; return the bytes passed, which may be more."""
        crowded = keep and self._crowded()
        base = segment * self._bytes
        serial = self._words[self._row(segment) + S_SERIAL] & 0xFFFFFFFF
        stretch = os.pread(self._files.data, max(end - begin, _STRETCH), base + begin)
        at = 0
        while at < end - begin:
            if at + RECORD_BYTES > len(stretch):
                break
            _, written, check, key_length, value_length, *_ = RECORD.unpack_from(stretch, at)
            after_key = at + RECORD_BYTES + key_length
            units = (RECORD_BYTES + key_length + value_length + UNIT - 1) >> UNIT_BITS
            length = units << UNIT_BITS
            if written != serial or not key_length or begin + at + length > self._bytes:
                at += UNIT  # a writer was killed here, or it is damaged
                continue
            if after_key > len(stretch):
                break
            key = stretch[at + RECORD_BYTES : after_key]
            h = self._table.hash(key)
            slot = self._table.find(h)
            word = ((base + begin + at) >> UNIT_BITS) << 34 | units << 16 | check
            alive = slot >= 0 and self._words[slot] == word
            if alive and not (
                keep and self._carry(slot, h, stretch[at:after_key], word, crowded=crowded)
            ):
                self._table.evict(slot)
            at += length
        return at or end - begin

    def _carry(self, slot: int, h: int, head: bytes, word: int, *, crowded: bool) -> bool:
        """Copy a record to the end of the log, if it is worth it; tell whether it was."""
        words = self._words
        checksum, _, _, key_length, value_length, value_checksum, cost, expires_at = (
            RECORD.unpack_from(head)
        )
        key = head[RECORD_BYTES:]
        if zlib.crc32(head[4:]) != checksum:
            self._tell(TierEventKind.CORRUPTION, "the header of a record")
            return False
        units = word >> 16 & layout.LENGTH_MASK
        length = units << UNIT_BITS
        if (
            expires_at <= self._now()
            or (crowded and not self._table.reads(slot, h))
            or words[layout.CARRIED] + length > self._bytes * (2 if crowded else 3) // 4
        ):
            return False
        if (words[HEAD] & 0xFFFFFFFF) + length > self._bytes:
            if not self._free():
                return False
            self._roll()
        value = os.pread(
            self._files.data,
            value_length,
            ((word >> 34) << UNIT_BITS) + RECORD_BYTES + key_length,
        )
        at, serial, check = self._appender.reserve(length)
        rest = RECORD_REST.pack(
            serial, check, key_length, value_length, value_checksum, cost, expires_at
        )
        fresh = zlib.crc32(key, zlib.crc32(rest)).to_bytes(4, BYTE_ORDER) + rest
        try:
            self._appender.write((fresh, key, value), at)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return False
        words[layout.CARRIED] += length
        if crowded:
            self._table.halve_reads(slot, h)
        self._table.move(slot, (at >> UNIT_BITS) << 34 | units << 16 | check)
        return True
