"""What sessions begin with, and what the session asked for that went as far as this one.

A session's first keys follow one another as in `Sequence`, but nothing comes before the very
first. Here what a new session asks is a follower of the beginning itself, and of the first key
of the session, which tells what kind of session it is.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.prefetch.constants import BANDS, STREAMS
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene
from scrubjay.prefetch.successors import Successors

OPENING = 16  # accesses that follow the first one of a session


class Session(Predictor):
    """Followers of the beginning of a session and of its first key."""

    name = "session"
    bands = 2 * BANDS

    def __init__(self) -> None:
        Predictor.__init__(self)
        self.slots = 0
        self.open = False  # once several streams are told apart
        self.beginning = Successors()
        self.beginning.grow(1)
        self.followers = Successors()
        self.first = array("Q", bytes(8 * STREAMS))  # the first key of each stream

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.slots = slots
        if self.open:
            self.followers.grow(slots)
        return 0

    def begin(self) -> int:
        """Make room, now that there are several streams."""
        self.open = True
        return self.followers.grow(self.slots)

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        if self.open:
            self.followers.forget(slot)
        return 0

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled."""
        return {**self.beginning.parts("beginning"), **self.followers.parts("followers")}

    def learn(self, scene: Scene) -> int:
        """Count the access as part of what its session began."""
        streams = scene.streams
        if not streams.several:
            return 0
        if not self.open:
            self.begin()
        count = streams.count[scene.row]
        if count == 0:
            self.first[scene.row] = scene.mark
            self.beginning.ask(0)
            self.beginning.follow(0, scene.mark, 1)
            self.followers.ask(scene.slot)
        elif count <= OPENING:
            first = scene.keys.valid(self.first[scene.row])
            if first != NONE and first != scene.slot:
                self.followers.follow(first, scene.mark, 1 if count == 1 else 2)
        return 0

    def propose(self, scene: Scene) -> int:
        """Guess, when a session begins, what follows; and how the next session will begin."""
        streams = scene.streams
        if self.open and streams.count[scene.row] == 1:
            self.beginning.propose(scene, 0, self.base)
            self.followers.propose(scene, scene.slot, self.base + BANDS)
        return 0

    def wake(self, size: int) -> None:
        """Make room for tables of so many bytes in all, if that was put off."""
        if size > 4096 and not self.open:
            self.begin()
