# cython: boundscheck=True
"""The table in the index: from the hash of a key to the word that says where its record is.

Readers take no lock. So a slot is never moved, and each change of one is a single store of
its word: a key is found before it and after it.

Compiled, where there is a compiler. What a damaged index says may point anywhere, so indices
are checked there, too.
"""

from __future__ import annotations

from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import (
    AT_SEGMENTS,
    BYTE_ORDER,
    S_LIVE,
)

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

# The compiled form takes these from table.pxd; see layout.py for what they are.
WAYS = 16
HASHES = 8 * WAYS
COUNTS = 2 * HASHES
STRIDE = COUNTS + WAYS
SEGMENT_WORDS = 3
ENTRIES = 21
EVICTED = 22
LENGTH_SHIFT = 10  # from a word to the length that it says, in bytes
LENGTH_BYTES = 0x3FFFF << 6

_number = int.from_bytes


class Table:
    """The slots, and what the records that they know take; for use under the lock.

    Args:
        files: the open files.
    """

    def __init__(self, files: Files) -> None:
        self.search = files.map.find
        self.hasher = files.hasher.copy
        self.buckets = files.buckets
        self.at_table = files.at_table
        self.words = files.words
        self.octets = files.octets
        self.live = AT_SEGMENTS // 8 + S_LIVE  # of the first segment
        self.segments = files.geometry.segments
        self.segment_units = files.geometry.segment_bytes // 64

    def hash(self, key: bytes) -> int:
        """Return the hash of a key."""
        hasher = self.hasher()
        hasher.update(key)
        return _number(hasher.digest(), BYTE_ORDER)

    def bucket(self, h: int) -> int:
        """Return the offset of the bucket of a hash."""
        return self.at_table + h % self.buckets * STRIDE

    def find(self, h: int) -> int:
        """Return the number of the word of a hash, or -1."""
        bucket = self.bucket(h)
        if cython.compiled:
            first = bucket >> 3
            for at in range(first, first + WAYS):
                if self.words[at] == h:
                    return at + WAYS
            return -1
        digest = h.to_bytes(8, BYTE_ORDER)
        at = self.search(digest, bucket, bucket + HASHES)
        while at >= 0 and at & 7:  # the halves of two neighbours
            at = self.search(digest, at + 1, bucket + HASHES)
        return -1 if at < 0 else (at >> 3) + WAYS

    def enter(self, h: int, word: int) -> None:
        """Let a hash stand for a record; whatever it stood for is gone."""
        slot = self.find(h)
        if slot < 0:
            slot = self.free_slot(h)
            self.words[slot - WAYS] = h
        old = self.words[slot]
        self.octets[self.reads_at(slot, h)] = 0
        self.take(word)
        self.words[slot] = word
        if old:
            self.give(old)
        else:
            self.words[ENTRIES] += 1

    def move(self, slot: int, word: int) -> None:
        """Let a slot stand for a copy of its record."""
        old = self.words[slot]
        self.take(word)
        self.words[slot] = word
        self.give(old)

    def remove(self, slot: int) -> bool:
        """Empty a slot; tell whether there was anything."""
        old = self.words[slot]
        if not old:
            return False
        self.words[slot] = 0
        self.give(old)
        if self.words[ENTRIES]:
            self.words[ENTRIES] -= 1
        return True

    def evict(self, slot: int) -> None:
        """Empty a slot for want of room."""
        if self.remove(slot):
            self.words[EVICTED] += 1

    def reads(self, slot: int, h: int) -> int:
        """Return how often a slot was read, up to 255, lately."""
        count: int = self.octets[self.reads_at(slot, h)]
        return count

    def halve_reads(self, slot: int, h: int) -> None:
        """Let reads of the past count less."""
        at = self.reads_at(slot, h)
        self.octets[at] = self.octets[at] >> 1

    def reads_at(self, slot: int, h: int) -> int:
        """Return the offset of the count of a slot in the bucket of a hash."""
        bucket = self.bucket(h)
        return bucket + COUNTS + slot - (bucket >> 3) - WAYS

    def free_slot(self, h: int) -> int:
        """Return an empty slot of a bucket, emptied if need be."""
        first = (self.bucket(h) >> 3) + WAYS
        least = first
        for slot in range(first, first + WAYS):
            if not self.words[slot]:
                return slot
            if self.reads(slot, h) < self.reads(least, h):
                least = slot
        self.evict(least)
        return least

    # Bytes are taken before a word is stored and given back after it was removed. A kill
    # between the two leaves too many: never a segment that seems empty and is not.

    def take(self, word: int) -> None:
        """Count what the record of a word takes in its segment."""
        live = self.live + (word >> 34) // self.segment_units * SEGMENT_WORDS
        self.words[live] += word >> LENGTH_SHIFT & LENGTH_BYTES

    def give(self, word: int) -> None:
        """Count it no more."""
        segment = (word >> 34) // self.segment_units
        if segment < self.segments:  # not so in a damaged word
            live = self.live + segment * SEGMENT_WORDS
            freed = word >> LENGTH_SHIFT & LENGTH_BYTES
            held = self.words[live]
            self.words[live] = held - freed if held > freed else 0
