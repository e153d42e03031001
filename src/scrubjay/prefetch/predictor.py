"""The interface of predictors, and their registry: one predictor, one file, one line."""

from __future__ import annotations

from scrubjay.prefetch.scene import Scene


class Predictor:
    """Learns from accesses and guesses what comes next.

    A guess belongs to a class, which tells how strong its evidence was. What guesses of a
    class are worth is found out elsewhere, from what becomes of them.
    """

    name = "none"
    bands = 1

    def __init__(self) -> None:
        self.base = 0  # the first of its classes

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        return 0

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        return 0

    def learn(self, scene: Scene) -> int:
        """Learn from the present access; the streams do not hold it yet."""
        return 0

    def propose(self, scene: Scene) -> int:
        """Guess what comes next; the streams hold the present access."""
        return 0
