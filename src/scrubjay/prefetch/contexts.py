"""What came last after several accesses in a row: one key for each such context.

A table without chains: a context has four places, found by its hash, and 16 bits there that
tell it from others. A confidence counter goes up when the same key comes again and down when
another comes, which takes the place at nought (S. McFarling, "Combining Branch Predictors",
1993). 40 bytes a key followed.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay.prefetch.constants import MOST_CONFIDENCE

WAYS = 4


class Contexts:
    """The next key, by context."""

    def __init__(self) -> None:
        self.mask = 0
        self.entries = array("Q", bytes(8 * WAYS))
        self.turn = 0
        self.next = array("Q")  # after one access, by slot: mark and four bits of confidence

    def grow(self, slots: int) -> int:
        """Make room for four contexts a key; begins anew when that is more."""
        self.next = resized("Q", self.next, slots, 0)
        length = 1
        while length * WAYS < 4 * slots:
            length *= 2
        if length > self.mask + 1:
            old, self.entries = self.entries, array("Q", bytes(8 * WAYS * length))
            for place in range(WAYS * length):  # doubling repeats the table: all is found again
                self.entries[place] = old[place & (WAYS * (self.mask + 1) - 1)]
            self.mask = length - 1
        return 0

    def parts(self, name: str) -> dict[str, Any]:
        """Return the tables, by name."""
        return {name + ".entries": self.entries, name + ".next": self.next}

    def forget(self, slot: int) -> None:
        """Begin anew with a slot that another key has taken."""
        self.next[slot] = 0

    def learn_next(self, slot: int, mark: int) -> bool:
        """Count that a key came right after another; tell whether another was expected."""
        entry = self.next[slot]
        if entry >> 4 == mark:
            if entry & 15 < MOST_CONFIDENCE:
                self.next[slot] = entry + 1
            return False
        if entry & 15 > 1:
            self.next[slot] = entry - 1
        else:
            self.next[slot] = mark << 4 | 1
        return entry != 0

    def blend(self, context: int, part: int) -> int:
        """Return 62 bits that stand for a context and one more thing that is part of it."""
        wide = ((context ^ part) & 0x7FFFFFFF) * 0x2C1B3C6D
        wide = wide ^ ((((context >> 31) + (part >> 31)) & 0x7FFFFFFF) * 0x297A2D39)
        return wide ^ (wide >> 29)

    def learn(self, context: int, mark: int) -> bool:
        """Count that a key came after a context; tell whether another was expected."""
        base = ((context >> 20) & self.mask) * WAYS
        tag = context & 0xFFFF
        least = base
        for place in range(base, base + WAYS):
            entry = self.entries[place]
            if (entry >> 4) & 0xFFFF == tag and entry:
                if entry >> 20 == mark:
                    if entry & 15 < MOST_CONFIDENCE:
                        self.entries[place] = entry + 1
                    return False
                if entry & 15 > 1:
                    self.entries[place] = entry - 1
                else:
                    self.entries[place] = mark << 20 | tag << 4 | 1
                return True
            if entry & 15 < self.entries[least] & 15 or entry == 0:
                least = place
        entry = self.entries[least]
        if entry & 15 > 1:
            self.entries[least] = entry - 1
        else:
            if entry:
                self.turn = (self.turn + 1) & (WAYS - 1)  # of those not confirmed, any
                if self.entries[base + self.turn] & 15 <= 1:
                    least = base + self.turn
            self.entries[least] = mark << 20 | tag << 4 | 1
        return False

    def find(self, context: int) -> int:
        """Return the entry for a context: mark, then four bits of confidence; 0 for none."""
        base = ((context >> 20) & self.mask) * WAYS
        tag = context & 0xFFFF
        for place in range(base, base + WAYS):
            entry = self.entries[place]
            if (entry >> 4) & 0xFFFF == tag and entry:
                return (entry >> 20) << 4 | (entry & 15)
        return 0
