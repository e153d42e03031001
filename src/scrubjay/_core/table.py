"""The hash table under everything: keys to slots, open addressing, linear probing.

A slot is a row number that an entry keeps for life, so that whoever knows the slot needs
neither the key nor its ``__eq__``. Keys and values lie side by side in one list; the index
holds, in 32 bits, the slot and as many bits of the hash as are left, so that a probe that
does not match is told by the index alone. Deletion shifts the run back: no tombstones.

Looking up may run user code (``__eq__``). Nothing is changed before it has returned:
`find` first, then check that `stamp` is still the one seen before, then change.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import EMPTY, NONE
from scrubjay._core.section import indivisible
from scrubjay.errors import InvalidKeyError


class Table:
    """Slots found by key.

    Args:
        slots: rows to allocate at first.
    """

    def __init__(self, slots: int = 8) -> None:
        self.stamp = 0
        self.reset_table(slots)

    def reset_table(self, slots: int) -> None:
        """Forget everything and keep `slots` rows."""
        length = 8
        while length < 2 * slots:
            length *= 2
        cells = [EMPTY] * (2 * slots)  # all that may fail comes first
        hashes = array("I", bytes(4 * slots))
        index = array("I", bytes(4 * length))
        self.cells = cells
        self.hashes = hashes
        self.index = index
        self.mask = length - 1
        self.low = length - 1
        self.high = 0x7FFFFFFF ^ self.low
        self.free = NONE
        self.slots = slots
        self.used = 0
        self.count = 0
        self.stamp += 2

    def reset(self) -> None:
        """Empty the table after a torn step."""
        self.reset_table(8)

    def spread(self, key: Any) -> int:
        """Return the hash of `key` spread over 31 bits, or say that it has none.

        Linear probing needs the low bits mixed; Python's hashes of integers are not.
        """
        if type(key) is str or type(key) is int:
            code = hash(key)
        else:
            try:
                code = hash(key)
            except TypeError as error:
                raise InvalidKeyError(f"key: {error}") from error
        return ((((code ^ (code >> 32)) & 0x7FFFFFFF) * 0x5BD1E995) >> 16) & 0x7FFFFFFF

    def probe(self, key: Any, h: int, after: int) -> int:
        """Return the slot of `key`, -1, or -2 - slot where only ``==`` can tell.

        Args:
            key: the key sought.
            h: its spread hash.
            after: a slot on the key's run to go on behind, or -1.
        """
        position = h & self.mask
        while True:
            entry = self.index[position]
            if entry == 0:
                return NONE
            if entry ^ (h & self.high) <= self.low:
                slot = (entry & self.low) - 1
                if after == NONE:
                    if self.cells[2 * slot] is key:
                        return slot
                    if self.hashes[slot] == h:
                        found = self.cells[2 * slot]
                        if type(found) is str and type(key) is str:
                            a = found
                            b = key
                            if a == b:
                                return slot
                        else:
                            return -2 - slot
                elif slot == after:
                    after = NONE
            position = (position + 1) & self.mask

    def find(self, key: Any, h: int) -> int:
        """Return the slot of `key` or -1; may run the keys' ``__eq__``."""
        slot = self.probe(key, h, NONE)
        if slot >= NONE:
            return slot
        return self.compare(key, h)

    def compare(self, key: Any, h: int) -> int:
        """Find `key` among candidates that only ``==`` can tell; begin again if that changes us.

        Args:
            key: the key sought.
            h: its spread hash.
        """
        while True:
            found = None  # a candidate whose last reference this was is finalized before we look
            stamp = self.stamp
            slot = self.probe(key, h, NONE)
            while slot < NONE:
                candidate = -2 - slot
                cells = self.cells
                if 2 * candidate >= len(cells):
                    break  # the list was replaced meanwhile: the stamp has moved on
                found = cells[2 * candidate]
                if self.stamp != stamp:
                    break  # it was no candidate any more
                equal = bool(found == key)
                if self.stamp != stamp:
                    break
                if equal:
                    return candidate
                slot = self.probe(key, h, candidate)
            if self.stamp == stamp and slot >= NONE:
                return slot

    def locate(self, key: Any) -> int:
        """Return the slot of `key` or -1: `find` for who does not need the hash."""
        return self.find(key, self.spread(key))

    def cell(self, line: int) -> Any:
        """Return the key (even lines) or value of a slot; EMPTY if it is not there any more."""
        cells = self.cells
        return cells[line] if line < len(cells) else EMPTY

    def enlarge(self, slots: int) -> int:
        """Make room for `slots` rows in all; never shrinks."""
        items = [EMPTY] * (2 * slots)
        hashes = resized("I", self.hashes, slots, 0)
        length = 8
        while length < 2 * slots:
            length *= 2
        index = array("I", bytes(4 * length))
        if slots <= self.slots:
            return 0  # the allocations let somebody else in, who was quicker
        for line in range(2 * self.slots):
            items[line] = self.cells[line]
        self.cells = items
        self.hashes = hashes
        self.index = index
        self.mask = length - 1
        self.low = length - 1
        self.high = 0x7FFFFFFF ^ self.low
        self.slots = slots
        self.build_index()
        self.stamp += 2
        return 0

    def build_index(self) -> None:
        """Enter every slot in use into the empty index."""
        for slot in range(self.used):
            if self.cells[2 * slot] is not EMPTY:
                position = self.hashes[slot] & self.mask
                while self.index[position] != 0:
                    position = (position + 1) & self.mask
                self.index[position] = (self.hashes[slot] & self.high) | (slot + 1)

    def add(self, key: Any, h: int, value: Any) -> int:
        """Enter a key known to be absent into a free row and return its slot, or -1."""
        slot = self.free
        if slot != NONE:
            self.free = self.hashes[slot] - 1
        elif self.used < self.slots:
            slot = self.used
            self.used += 1
        else:
            return NONE
        self.cells[2 * slot] = key
        self.cells[2 * slot + 1] = value
        self.hashes[slot] = h
        position = h & self.mask
        while self.index[position] != 0:
            position = (position + 1) & self.mask
        self.index[position] = (h & self.high) | (slot + 1)
        self.count += 1
        self.stamp += 2
        return slot

    def drop(self, slot: int) -> None:
        """Take `slot` out; the caller holds references to its key and value."""
        own = slot + 1
        hole = self.hashes[slot] & self.mask
        while (self.index[hole] & self.low) != own:
            hole = (hole + 1) & self.mask
        position = hole
        while True:
            position = (position + 1) & self.mask
            entry = self.index[position]
            if entry == 0:
                break
            home = self.hashes[(entry & self.low) - 1] & self.mask
            # Move it back unless its home lies cyclically behind the hole.
            if ((position - home) & self.mask) >= ((position - hole) & self.mask):
                self.index[hole] = entry
                hole = position
        self.index[hole] = 0
        self.cells[2 * slot] = EMPTY
        self.cells[2 * slot + 1] = EMPTY
        self.hashes[slot] = self.free + 1
        self.free = slot
        self.count -= 1
        self.stamp += 2


indivisible(Table, "probe")
