"""What is asked for in the same stretch of time, whoever asks and in whatever order.

Only where several streams are told apart: in a single one, all that comes soon after a key
is known to `Sequence`.
"""

from __future__ import annotations

from typing import Any

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
        self.slots = 0
        self.open = False  # once several streams are told apart
        self.successors = Successors()

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.slots = slots
        if self.open:
            self.successors.grow(slots)
        return 0

    def begin(self) -> int:
        """Make room, now that there are several streams."""
        self.open = True
        return self.successors.grow(self.slots)

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        if self.open:
            self.successors.forget(slot)
        return 0

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled."""
        return self.successors.parts("followers")

    def learn(self, scene: Scene) -> int:
        """Count the access as a follower of others before it."""
        if scene.streams.several:
            if not self.open:
                self.begin()
            for step in range(1 + scene.lag, WINDOW + 1 + scene.lag):
                self.count(scene, scene.all.before(0, step), step - scene.lag)
            self.successors.ask(scene.slot)
        return 0

    def count(self, scene: Scene, place: int, distance: int) -> None:
        """Count the access as a follower of one of those before it."""
        if place == NONE:
            return
        before = scene.keys.valid(scene.all.marks[place])
        if before != NONE and before != scene.slot:
            self.successors.follow(before, scene.mark, distance)

    def propose(self, scene: Scene) -> int:
        """Guess the followers of the key."""
        if self.open:
            self.successors.propose(scene, scene.slot, self.base)
        return 0

    def wake(self, size: int) -> None:
        """Make room for tables of so many bytes in all, if that was put off."""
        if size > 0 and not self.open:
            self.begin()
