"""The account of what prefetch gains and what it costs, and the room that it is given.

What was evicted while prefetched entries took up room is a *ghost*: without prefetch it
would be there still, as long as there are no more ghosts than such entries. A miss of a ghost
is one that prefetch has caused; the first hit of a prefetched key is one it saved, unless
that key is a ghost. Exact for LRU, whose contents only grow with the capacity.
"""

from __future__ import annotations

from math import sqrt

from scrubjay.prefetch.constants import SMALLEST

BEGINNING = 10  # the part of the capacity that prefetched entries have at first
MOST = 2  # and the largest part that they are ever given
NOISE = 2.0  # standard deviations that a loss must exceed to be one
LEAST_PERIOD = 1024  # accesses after which the account is looked at
LONGEST_PAUSE = 64  # periods


class Guard:
    """Opens and closes the area of prefetched entries.

    Args:
        capacity: entries that the cache holds.
    """

    def __init__(self, capacity: int) -> None:
        self.gains = 0.0  # since the last look, the ones before fading
        self.harms = 0.0
        self.all_gains = 0
        self.all_harms = 0
        self.pressed = False  # whether the area has been full
        self.pause = 1
        self.closed = 0  # periods until it opens again
        self.elapsed = 0
        self.resize(capacity)

    def resize(self, capacity: int) -> int:
        """Go on with another capacity."""
        self.capacity = capacity
        self.room = capacity // BEGINNING if capacity >= SMALLEST else 0
        self.period = max(LEAST_PERIOD, capacity)
        return 0

    def gain(self) -> None:
        """Count a miss that prefetch has saved."""
        self.gains += 1.0
        self.all_gains += 1

    def harm(self) -> None:
        """Count a miss that prefetch has caused."""
        self.harms += 1.0
        self.all_harms += 1

    def look(self) -> None:
        """Count an access; from time to time judge by the account."""
        self.elapsed += 1
        if self.elapsed < self.period:
            return
        self.elapsed = 0
        if self.capacity < SMALLEST:
            return
        if self.closed > 0:
            self.closed -= 1
            if self.closed == 0:
                self.room = self.capacity // (2 * BEGINNING)
                self.gains = self.harms = 0.0
            return
        net = self.gains - self.harms
        noise = NOISE * sqrt(self.gains + self.harms)
        if net < -noise:
            self.room //= 2
            if self.room < self.capacity // (8 * BEGINNING) or self.room < 4:
                self.room = 0
                self.closed = self.pause
                if self.pause < LONGEST_PAUSE:
                    self.pause *= 2
            self.gains = self.harms = 0.0
        elif net > noise and self.pressed:
            self.room = min(self.room + self.room // 2 + 1, self.capacity // MOST)
            if self.pause > 1:
                self.pause //= 2
        self.pressed = False
        self.gains *= 0.75  # four periods
        self.harms *= 0.75
