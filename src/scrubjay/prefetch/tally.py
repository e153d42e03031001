"""How many loads were begun ahead, and what became of them: in all, and by class of guess."""

from __future__ import annotations

from array import array

LATELY = 64.0  # guesses over which the accuracy is averaged


class Tally:
    """Counts by class.

    Args:
        kinds: how many classes there are.
    """

    def __init__(self, kinds: int) -> None:
        self.issued_of = array("q", bytes(8 * kinds))
        self.used_of = array("q", bytes(8 * kinds))
        self.late_of = array("q", bytes(8 * kinds))
        self.misses = self.plain_misses = 0
        self.issued = self.used = self.late = self.wasted = self.failures = 0
        self.accuracy = 0.0

    def issue(self, kind: int, count: int) -> None:
        """Count loads that begin; or, below nought, that did not take place."""
        self.issued += count
        self.issued_of[kind] += count

    def use(self, kind: int) -> None:
        """Count an entry that was asked for."""
        self.used += 1
        self.used_of[kind] += 1

    def join(self, kind: int) -> None:
        """Count a load that was asked for before it was over."""
        self.late += 1
        self.late_of[kind] += 1

    def judge(self, part: float) -> None:
        """Average how right the loads are."""
        self.accuracy += (part - self.accuracy) / LATELY
