"""What the same user, or whoever else a stream stands for, did after this key before."""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.prefetch.contexts import Contexts
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene


class User(Predictor):
    """The next key by stream and key: habits of one that others do not share."""

    name = "user"
    bands = 4

    def __init__(self) -> None:
        Predictor.__init__(self)
        self.slots = 0
        self.open = False  # once anybody has a number
        self.contexts = Contexts()

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.slots = slots
        if self.open:
            self.contexts.grow(slots // 2)
        return 0

    def begin(self) -> int:
        """Make room, now that somebody has a number."""
        self.open = True
        return self.contexts.grow(self.slots // 2)

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled."""
        return self.contexts.parts("contexts")

    def learn(self, scene: Scene) -> int:
        """Learn what came after the last key of the stream."""
        if scene.stream == 0:
            return 0
        if not self.open:
            self.begin()
        place = scene.streams.before(scene.row, 1)
        if place != NONE:
            whose = self.contexts.blend(scene.stream & 0x3FFFFFFFFFF, 29)
            self.contexts.learn(self.contexts.blend(whose, scene.streams.marks[place]), scene.mark)
        return 0

    def propose(self, scene: Scene) -> int:
        """Guess what came after the key when the stream was there before."""
        if scene.stream == 0 or not self.open:
            return 0
        whose = self.contexts.blend(scene.stream & 0x3FFFFFFFFFF, 29)
        entry = self.contexts.find(self.contexts.blend(whose, scene.mark))
        if entry:
            slot = scene.keys.valid(entry >> 4)
            if slot != NONE and slot != scene.slot:
                strength = entry & 15
                band = 3 if strength >= 5 else 2 if strength >= 3 else 1 if strength == 2 else 0
                scene.guess(slot, self.base + band)
        return 0

    def wake(self, size: int) -> None:
        """Make room for tables of so many bytes in all, if that was put off."""
        if size > 4096 and not self.open:
            self.begin()
