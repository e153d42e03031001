"""What each session, user or thread asked last: a short ring of keys for each.

The rings stand in sets of four; within a set the one used longest ago gives way. Several
streams at a time are told apart, and a stream that went silent is forgotten.
"""

from __future__ import annotations

from array import array

from scrubjay._core.constants import NONE

LENGTH = 64  # accesses remembered of each stream; a power of two
WAYS = 4
SETS = 256


class Streams:
    """The last accesses of up to 1,024 streams, 576 bytes each."""

    def __init__(self) -> None:
        self.names = array("q", [0]) * (WAYS * SETS)
        self.used = array("q", [0]) * (WAYS * SETS)  # when; 0 for never
        self.count = array("q", [0]) * (WAYS * SETS)  # accesses of it so far
        self.marks = array("Q", bytes(8 * LENGTH))
        self.times = array("I", bytes(4 * LENGTH))
        self.rows = 1
        self.fresh = False  # whether the stream that asked last was a new one
        self.several = False  # whether there has been more than one

    def row(self, stream: int, now: int) -> int:
        """Return the row of a stream, a new one if it is not known."""
        if stream == 0 and not self.several:
            self.fresh = self.used[0] == 0
            self.used[0] = now
            return 0
        if not self.several:
            self.spread_out()
        mixed = (stream ^ (stream >> 31)) & 0x7FFFFFFF
        base = WAYS * (((mixed * 0x2C1B3C6D) >> 20) & (SETS - 1))
        oldest = base
        for row in range(base, base + WAYS):
            if self.names[row] == stream and self.used[row]:
                self.fresh = False
                self.used[row] = now
                return row
            if self.used[row] < self.used[oldest]:
                oldest = row
        self.names[oldest] = stream
        self.used[oldest] = now
        self.count[oldest] = 0
        self.fresh = True
        return oldest

    def spread_out(self) -> int:
        """Make room for many streams; the one there was begins anew."""
        self.several = True
        self.rows = WAYS * SETS
        self.marks = array("Q", bytes(8 * LENGTH * self.rows))
        self.times = array("I", bytes(4 * LENGTH * self.rows))
        self.used[0] = 0
        self.count[0] = 0
        return 0

    def push(self, row: int, mark: int, now: int) -> None:
        """Add an access to a stream."""
        place = row * LENGTH + (self.count[row] & (LENGTH - 1))
        self.marks[place] = mark
        self.times[place] = now & 0xFFFFFFF
        self.count[row] += 1

    def before(self, row: int, steps: int) -> int:
        """Return the place of the access so many steps back, 1 for the last; or NONE."""
        if steps > self.count[row] or steps > LENGTH:
            return NONE
        return row * LENGTH + ((self.count[row] - steps) & (LENGTH - 1))
