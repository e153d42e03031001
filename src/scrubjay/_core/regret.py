"""Whether changes of way pay: what the cache missed since, and what it would have missed.

Simulations say what each way misses, not what it costs to change: what the cache has kept in
one way is not what another would have kept. So each change is judged by what the cache itself
missed in the eight cache-fuls after it. If the way that it left missed less, the change was
wrong, and the next must promise twice as much; if not, half as much again.
"""

from __future__ import annotations

from scrubjay._core.constants import NONE

JUDGED = 80  # epochs after which a change is judged: eight cache-fuls of misses
MOST_DOUBT = 8.0  # times as much as usual that a change must promise at most
CALM = 320.0  # epochs after which doubt is 1/e of what it was


class Regret:
    """The last change of way, and what is thought of changes."""

    def __init__(self) -> None:
        self.doubt = 1.0  # so many times as much must be promised
        self.left = NONE  # the way that was left, until that is judged
        self.epochs = 0  # since then
        self.gain = 0.0  # misses that the cache has been spared since then

    def change(self, left: int) -> None:
        """Note that a way was left, unless an earlier change is not judged yet."""
        if self.left == NONE:
            self.left = left
            self.epochs = 0
            self.gain = 0.0

    def next_epoch(self) -> bool:
        """End an epoch; tell whether a change has turned out wrong."""
        self.doubt = 1.0 + (self.doubt - 1.0) * (1.0 - 1.0 / CALM)
        self.epochs += 1
        if self.left == NONE or self.epochs < JUDGED:
            return False
        self.left = NONE
        if self.gain < 0.0:
            self.doubt = min(MOST_DOUBT, 2.0 * self.doubt)
            return True
        self.doubt = 1.0 + 0.5 * (self.doubt - 1.0)
        return False

    def clear(self) -> None:
        """Judge nothing, and doubt nothing."""
        self.doubt = 1.0
        self.left = NONE
