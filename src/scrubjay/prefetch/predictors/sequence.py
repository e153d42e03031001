"""What follows within a session: after one key, and after several in a row."""

from __future__ import annotations

from scrubjay._core.constants import NONE
from scrubjay.prefetch.constants import BANDS
from scrubjay.prefetch.contexts import Contexts
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene
from scrubjay.prefetch.successors import Successors

WINDOW = 6  # accesses back that an access is taken to follow
DEEPEST = 8  # steps that a chain of contexts is followed
CHAIN_BANDS = 16


class Sequence(Predictor):
    """Followers of a key within its stream, and chains of what came after two in a row."""

    name = "sequence"
    bands = BANDS + 2 * CHAIN_BANDS

    def __init__(self) -> None:
        Predictor.__init__(self)
        self.successors = Successors()
        self.contexts = Contexts()

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.successors.grow(slots)
        return self.contexts.grow(slots)

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        self.successors.forget(slot)
        return 0

    def learn(self, scene: Scene) -> int:
        """Count the access as a follower of those before it in its stream."""
        streams = scene.streams
        skipped = 0
        for step in range(1, 65):
            place = streams.before(scene.row, step)
            if place == NONE or step - skipped > WINDOW:
                break
            if scene.lag > 0 and (scene.keys.now - streams.times[place]) & 0xFFFFFFF <= scene.lag:
                skipped += 1  # too late to fetch anything
                continue
            before = scene.keys.valid(streams.marks[place])
            if before != NONE and before != scene.slot:
                self.successors.follow(before, scene.mark, step - skipped)
        last = streams.before(scene.row, 1)
        if last != NONE:
            context = self.contexts.blend(17, streams.marks[last])
            before = streams.before(scene.row, 2)
            if before != NONE:
                context = self.contexts.blend(context, streams.marks[before])
                self.contexts.learn(context, scene.mark)
                before = streams.before(scene.row, 3)
                if before != NONE:
                    context = self.contexts.blend(context, streams.marks[before])
                    self.contexts.learn(context, scene.mark)
        self.successors.ask(scene.slot)
        return 0

    def propose(self, scene: Scene) -> int:
        """Guess the followers of the key, and the chain that begins with its context."""
        self.successors.propose(scene, scene.slot, self.base)
        streams = scene.streams
        first = streams.before(scene.row, 2)
        if first == NONE:
            return 0
        second = scene.mark
        before = streams.marks[first]
        first = streams.before(scene.row, 3)
        third = 0
        if first != NONE:
            third = streams.marks[first]
        weakest = 15
        depth = 1
        while depth <= DEEPEST:
            context = self.contexts.blend(self.contexts.blend(17, second), before)
            entry = 0
            order = 1
            if third:
                entry = self.contexts.find(self.contexts.blend(context, third))
            if entry == 0:
                order = 0
                entry = self.contexts.find(context)
            if entry == 0:
                break
            slot = scene.keys.valid(entry >> 4)
            if slot == NONE:
                break
            strength = entry & 15
            if strength < weakest:
                weakest = strength
            band = 3 if weakest >= 5 else 2 if weakest >= 3 else weakest - 1
            far = 0 if depth == 1 else 1 if depth == 2 else 2 if depth <= 4 else 3
            if slot != scene.slot:
                scene.guess(slot, self.base + BANDS + CHAIN_BANDS * order + 4 * band + far)
            third = before
            before = second
            second = entry >> 4
            depth += 1
        return 0
