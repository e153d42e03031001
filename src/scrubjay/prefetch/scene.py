"""An access as the predictors see it, and the guesses that they make at it."""

from __future__ import annotations

from array import array

from scrubjay.prefetch.keys import Keys
from scrubjay.prefetch.streams import Streams

MOST_GUESSES = 256


class Scene:
    """The present access and all that led to it.

    Args:
        keys: the keys that are followed.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.streams = Streams()  # each session, user or thread on its own
        self.all = Streams()  # everybody's accesses in one row
        self.slot = 0
        self.mark = 0
        self.row = 0
        self.stream = 0
        self.moment = 0.0  # seconds of the wall clock
        self.outcome = 0
        self.lag = 0  # accesses that pass until a key is fetched
        self.count = 0
        self.slots = array("i", bytes(4 * MOST_GUESSES))
        self.classes = array("i", bytes(4 * MOST_GUESSES))

    def guess(self, slot: int, kind: int) -> None:
        """Note a guess of a key, and the class of guesses that it belongs to."""
        if self.count < MOST_GUESSES:
            self.slots[self.count] = slot
            self.classes[self.count] = kind
            self.count += 1
