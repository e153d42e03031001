"""What came last after several accesses in a row: one key for each such context.

A table without chains: a context has one place, found by its hash, and 16 bits there that
tell it from others. A confidence counter goes up when the same key comes again and down when
another comes, which takes the place at nought (S. McFarling, "Combining Branch Predictors",
1993). 16 bytes a key followed.
"""

from __future__ import annotations

from array import array

from scrubjay.prefetch.keys import Keys

MOST_CONFIDENCE = 7


class Contexts:
    """The next key, by context."""

    def __init__(self) -> None:
        self.mask = 0
        self.entries = array("Q", bytes(8))

    def grow(self, slots: int) -> int:
        """Make room for about as many contexts as keys; begins anew when that is more."""
        length = 8
        while length < 2 * slots:
            length *= 2
        if length > self.mask + 1:
            old, self.entries = self.entries, array("Q", bytes(8 * length))
            for place in range(length):  # doubling repeats the table: all is found again
                self.entries[place] = old[place & self.mask]
            self.mask = length - 1
        return 0

    def blend(self, context: int, part: int) -> int:
        """Return 62 bits that stand for a context and one more thing that is part of it."""
        wide = ((context ^ part) & 0x7FFFFFFF) * 0x2C1B3C6D
        wide = wide ^ ((((context >> 31) + (part >> 31)) & 0x7FFFFFFF) * 0x297A2D39)
        return wide ^ (wide >> 29)

    def learn(self, context: int, mark: int) -> None:
        """Count that a key came after a context."""
        place = (context >> 20) & self.mask
        entry = self.entries[place]
        tag = context & 0xFFFF
        if entry >> 20 == mark and (entry >> 4) & 0xFFFF == tag:
            if entry & 15 < MOST_CONFIDENCE:
                self.entries[place] = entry + 1
        elif entry & 15 > 1:
            self.entries[place] = entry - 1
        else:
            self.entries[place] = mark << 20 | tag << 4 | 1

    def find(self, context: int) -> int:
        """Return the entry for a context: mark, then four bits of confidence; 0 for none."""
        entry = self.entries[(context >> 20) & self.mask]
        if (entry >> 4) & 0xFFFF != context & 0xFFFF:
            return 0
        return (entry >> 20) << 4 | (entry & 15)
