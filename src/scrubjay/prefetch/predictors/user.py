"""What the same user, or whoever else a stream stands for, did after this key before."""

from __future__ import annotations

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
        self.contexts = Contexts()

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        return self.contexts.grow(slots // 2)

    def learn(self, scene: Scene) -> int:
        """Learn what came after the last key of the stream."""
        if scene.stream == 0:
            return 0
        place = scene.streams.before(scene.row, 1)
        if place != NONE:
            whose = self.contexts.blend(scene.stream & 0x3FFFFFFFFFF, 29)
            self.contexts.learn(
                self.contexts.blend(whose, scene.streams.marks[place]), scene.mark
            )
        return 0

    def propose(self, scene: Scene) -> int:
        """Guess what came after the key when the stream was there before."""
        if scene.stream == 0:
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
