"""The table in the index: from the hash of a key to the word that says where its record is.

Readers take no lock. So a slot is never moved, and each change of one is a single store of
its word: a key is found before it and after it.
"""

from __future__ import annotations

from scrubjay.tiers._disk import layout
from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import (
    BYTE_ORDER,
    COUNTS,
    ENTRIES,
    HASHES,
    S_LIVE,
    SEGMENT_WORDS,
    STRIDE,
    WAYS,
)

_LENGTH_SHIFT = 16 - layout.UNIT_BITS
_LENGTH_BYTES = layout.LENGTH_MASK << layout.UNIT_BITS


class Table:
    """The slots, and what the records that they know take; for use under the lock.

    Args:
        files: the open files.
    """

    def __init__(self, files: Files) -> None:
        self._map = files.map
        self._hasher = files.hasher.copy
        self._buckets = files.buckets
        self._at_table = files.at_table
        self._words = files.words
        self._live = layout.AT_SEGMENTS // 8 + S_LIVE  # of the first segment
        self._count = files.geometry.segments
        self._segment_units = files.geometry.segment_bytes >> layout.UNIT_BITS

    def bucket(self, key: bytes) -> tuple[bytes, int]:
        """Return the hash of a key, and the offset of its bucket."""
        hasher = self._hasher()
        hasher.update(key)
        digest = hasher.digest()
        number = int.from_bytes(digest, BYTE_ORDER) % self._buckets
        return digest, self._at_table + number * STRIDE

    def find(self, digest: bytes, bucket: int) -> int:
        """Return the number of the word of a hash, or -1."""
        end = bucket + HASHES
        at = self._map.find(digest, bucket, end)
        while at >= 0 and at & 7:  # the halves of two neighbours
            at = self._map.find(digest, at + 1, end)
        return -1 if at < 0 else (at >> 3) + WAYS

    def enter(self, digest: bytes, bucket: int, word: int) -> None:
        """Let a hash stand for a record; whatever it stood for is gone."""
        words = self._words
        slot = self.find(digest, bucket)
        if slot < 0:
            slot = self._free_slot(bucket)
            at = (slot - WAYS) << 3
            self._map[at : at + 8] = digest
        old = words[slot]
        self._map[bucket + COUNTS + slot - (bucket >> 3) - WAYS] = 0
        self._take(word)
        words[slot] = word
        if old:
            self._give(old)
        else:
            words[ENTRIES] += 1

    def move(self, slot: int, word: int) -> None:
        """Let a slot stand for a copy of its record."""
        old = self._words[slot]
        self._take(word)
        self._words[slot] = word
        self._give(old)

    def remove(self, slot: int) -> bool:
        """Empty a slot; tell whether there was anything."""
        old = self._words[slot]
        if not old:
            return False
        self._words[slot] = 0
        self._give(old)
        self._words[ENTRIES] = max(0, self._words[ENTRIES] - 1)
        return True

    def evict(self, slot: int) -> None:
        """Empty a slot for want of room."""
        if self.remove(slot):
            self._words[layout.EVICTED] += 1

    def reads(self, slot: int, bucket: int) -> int:
        """Return how often a slot was read, up to 255, lately."""
        return self._map[self._reads_at(slot, bucket)]

    def halve_reads(self, slot: int, bucket: int) -> None:
        """Let reads of the past count less."""
        at = self._reads_at(slot, bucket)
        self._map[at] = self._map[at] >> 1

    def _reads_at(self, slot: int, bucket: int) -> int:
        return bucket + COUNTS + slot - (bucket >> 3) - WAYS

    def _free_slot(self, bucket: int) -> int:
        first = (bucket >> 3) + WAYS
        for slot in range(first, first + WAYS):
            if not self._words[slot]:
                return slot
        least = min(range(first, first + WAYS), key=lambda slot: self.reads(slot, bucket))
        self.evict(least)
        return least

    # Bytes are taken before a word is stored and given back after it was removed. A kill
    # between the two leaves too many: never a segment that seems empty and is not.

    def _take(self, word: int) -> None:
        live = self._live + (word >> 34) // self._segment_units * SEGMENT_WORDS
        self._words[live] += word >> _LENGTH_SHIFT & _LENGTH_BYTES

    def _give(self, word: int) -> None:
        segment = (word >> 34) // self._segment_units
        if segment < self._count:  # not so in a damaged word
            live = self._live + segment * SEGMENT_WORDS
            rest = self._words[live] - (word >> _LENGTH_SHIFT & _LENGTH_BYTES)
            self._words[live] = max(0, rest)
