"""The interface of predictors; see `scrubjay.prefetch.registry` for which there are."""

from __future__ import annotations

from typing import Any

from scrubjay.prefetch.scene import Scene


class Predictor:
    """Learns from accesses and guesses what comes next.

    A guess belongs to a class, which tells how strong its evidence was. What guesses of a
    class are worth is found out elsewhere, from what becomes of them. The numbers that
    methods return mean nothing: compiled, they tell that nothing was raised.

    Attributes:
        name: for people, and for what is saved.
        bands: how many classes of guesses it has.
        base: the first of them among those of all predictors; set by who asks it.
    """

    name = "none"
    bands = 1

    def __init__(self) -> None:
        self.base = 0

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

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled.

        Those of all predictors that are registered besides ours have room for 512 bytes a key:
        a model with more is saved, and refused when it is loaded.
        """
        return {}

    def wake(self, size: int) -> None:
        """Make room for tables of so many bytes in all, if that was put off."""
