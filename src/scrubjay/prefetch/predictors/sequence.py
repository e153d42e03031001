"""What follows within a session: after one key, and after several in a row."""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.prefetch.constants import BANDS
from scrubjay.prefetch.contexts import Contexts
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene
from scrubjay.prefetch.successors import Successors

WINDOW = 8  # accesses back that an access is taken to follow
AHEAD = 8  # steps that a chain is followed, beyond those that pass while a key is fetched
DEEPEST = 64  # and at most
DISTANCES = 7  # classes of steps
STRENGTHS = 4  # classes of confidence
ORDERS = 3


class Sequence(Predictor):
    """Followers of a key within its stream, and chains of what came after two in a row."""

    name = "sequence"
    bands = BANDS + ORDERS * STRENGTHS * DISTANCES

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
        self.contexts.forget(slot)
        return 0

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled."""
        return {**self.successors.parts("followers"), **self.contexts.parts("contexts")}

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
        self.learn_chain(scene)
        self.successors.ask(scene.slot)
        return 0

    def learn_chain(self, scene: Scene) -> None:
        """Learn what came next in the longest context known, and a longer one if it was wrong.

        Shorter ones stay as they are: they speak for what no longer one knows better (as in
        A. Seznec and P. Michaud, "A case for (partially) TAgged GEometric history length
        branch prediction", 2006).
        """
        streams = scene.streams
        place = streams.before(scene.row, 1)
        if place == NONE:
            return
        last = streams.marks[place]
        pair = self.contexts.blend(17, last)
        triple = 0
        place = streams.before(scene.row, 2)
        if place != NONE:
            pair = self.contexts.blend(pair, streams.marks[place])
            place = streams.before(scene.row, 3)
            if place != NONE:
                triple = self.contexts.blend(pair, streams.marks[place])
                if self.contexts.find(triple):
                    self.contexts.learn(triple, scene.mark)
                    return
            if self.contexts.find(pair):
                if self.contexts.learn(pair, scene.mark) and triple:
                    self.contexts.learn(triple, scene.mark)
                return
        else:
            pair = 0
        slot = scene.keys.valid(last)
        if slot != NONE and self.contexts.learn_next(slot, scene.mark) and pair:
            self.contexts.learn(pair, scene.mark)

    def propose(self, scene: Scene) -> int:
        """Guess the followers of the key, and the chain that begins with its context."""
        self.successors.propose(scene, scene.slot, self.base)
        streams = scene.streams
        contexts = self.contexts
        first = scene.mark
        second = third = 0
        place = streams.before(scene.row, 2)
        if place != NONE:
            second = streams.marks[place]
            place = streams.before(scene.row, 3)
            if place != NONE:
                third = streams.marks[place]
        slot = scene.slot
        weakest = 15
        depth = 1
        deepest = AHEAD + 2 * scene.lag
        deepest = min(deepest, DEEPEST)
        while depth <= deepest:
            order = 0
            entry = 0
            if second:
                context = contexts.blend(contexts.blend(17, first), second)
                entry = contexts.find(context)
                if entry:
                    order = 1
                    if third:
                        longer = contexts.find(contexts.blend(context, third))
                        if longer:
                            order = 2
                            entry = longer
            if entry == 0:
                entry = contexts.next[slot]
                if entry == 0:
                    return 0
            slot = scene.keys.valid(entry >> 4)
            if slot == NONE:
                return 0
            strength = entry & 15
            weakest = min(weakest, strength)
            if slot != scene.slot:
                band = 3 if weakest >= 5 else 2 if weakest >= 3 else 1 if weakest == 2 else 0
                far = depth - 1
                if depth > 2:
                    far = 2 if depth <= 4 else 3 if depth <= 8 else 4
                    if depth > 16:
                        far = 5 if depth <= 32 else 6
                kind = (order * STRENGTHS + band) * DISTANCES + far
                scene.guess(slot, self.base + BANDS + kind)
            third = second
            second = first
            first = entry >> 4
            depth += 1
        return 0
