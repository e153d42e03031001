"""What is asked for in the same stretch of time, whoever asks and in whatever order.

Only where several streams are told apart: in a single one, all that comes soon after a key
is known to `Sequence`.
"""

from __future__ import annotations

from scrubjay._core.constants import NONE
from scrubjay.prefetch.constants import BANDS
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene
from scrubjay.prefetch.successors import Successors

WINDOW = 6  # accesses back, of all streams, that an access is taken to follow


class CoOccurrence(Predictor):
    """Followers of a key among all accesses."""

    name = "cooccurrence"
    bands = BANDS

    def __init__(self) -> None:
        Predictor.__init__(self)
        self.successors = Successors()

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        return self.successors.grow(slots)

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        self.successors.forget(slot)
        return 0

    def learn(self, scene: Scene) -> int:
        """Count the access as a follower of others before it."""
        if scene.streams.several:
            for step in range(1 + scene.lag, WINDOW + 1 + scene.lag):
                self.count(scene, scene.all.before(0, step), step - scene.lag)
            self.successors.ask(scene.slot)
        return 0

    def count(self, scene: Scene, place: int, distance: int) -> None:
        """Count the access as a follower of one of those before it."""
        if place == NONE:
            return
        before = scene.keys.valid(scene.all.marks[place])
        if before != NONE and before != scene.slot:  # noqa: PLR1714 - C values
            self.successors.follow(before, scene.mark, distance)

    def propose(self, scene: Scene) -> int:
        """Guess the followers of the key."""
        if scene.streams.several:
            self.successors.propose(scene, scene.slot, self.base)
        return 0
