"""Which way has missed less than the present one, half a cache-ful after half a cache-ful.

Sums of misses over a time tell a lasting change of the traffic late: what was before is in
them, and a short sum is as large by chance, or by a turn of a scan. That another way was
better in each of many stretches of time on end is seldom chance (a sign test), however
little it was in each, as long as it was not next to nothing in all.

W. Dixon and A. Mood, "The Statistical Sign Test" (1946).
"""

from __future__ import annotations

from array import array

from scrubjay._core.ways import WAYS

NUMBER = len(WAYS)
EPOCHS = 5  # in a block: half a cache-ful of misses
BLOCKS = 8  # on end
LEAD = 0.05  # of the misses in them, what must have been saved


class Runs:
    """What each way missed in each of the latest blocks."""

    def __init__(self) -> None:
        self.misses = array("d", bytes(8 * BLOCKS * NUMBER))  # by block and way
        self.block = 0  # the present one
        self.epochs = 0  # in it
        self.filled = 0  # blocks that have ended

    def add(self, way: int, misses: float) -> None:
        """Count what a way has missed."""
        self.misses[self.block * NUMBER + way] += misses

    def next_epoch(self, way: int, number: int, doubt: float) -> int:
        """End an epoch; return the way that a run speaks for, or the present one.

        Args:
            way: the present one.
            number: of ways.
            doubt: how many times as much as usual must have been saved.
        """
        self.epochs += 1
        if self.epochs < EPOCHS:
            return way
        self.epochs = 0
        self.filled = min(BLOCKS, self.filled + 1)
        best = way
        if self.filled == BLOCKS:
            least = self.sum(way) * (1.0 - LEAD * doubt * doubt)
            for other in range(number):
                if self.leads(other, way):
                    misses = self.sum(other)
                    if misses < least:
                        best = other
                        least = misses
        self.block = (self.block + 1) % BLOCKS
        for other in range(NUMBER):
            self.misses[self.block * NUMBER + other] = 0.0
        return best

    def leads(self, way: int, other: int) -> bool:
        """Tell whether a way has missed less than another in every block."""
        for block in range(BLOCKS):
            if self.misses[block * NUMBER + way] >= self.misses[block * NUMBER + other]:
                return False
        return True

    def sum(self, way: int) -> float:
        """Return what a way has missed in all blocks."""
        misses = 0.0
        for block in range(BLOCKS):
            misses += self.misses[block * NUMBER + way]
        return misses

    def clear(self) -> None:
        """Forget all blocks."""
        self.filled = 0
        self.epochs = 0
        for way in range(NUMBER):
            self.misses[self.block * NUMBER + way] = 0.0
