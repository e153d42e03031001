"""Entries in a window and a segmented main region, and which of them goes next.

Newcomers enter the window, unless they are ghosts and the rule is to go by those. What was
read there moves on to the main region; what was not meets the rule of the present way (see
`scrubjay._core.ways`). The main region is segmented: what was read again is protected from
what was not. Every share may be changed at any time: entries move over as others go.

Hits are not reported here. An entry's hit counter is read when the entry is looked at, at
the end of a list, and the entry moved then: promotion costs a hit nothing.

The live cache and the simulations beside it are arrangements, of this very code.

The structure is W-TinyLFU's (G. Einziger, R. Friedman and B. Manes, "TinyLFU", ACM ToS
2017) with the lazy promotion of J. Yang et al., "FIFO queues are all you need for cache
eviction" (SOSP 2023).
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import Columns, resized
from scrubjay._core.constants import NONE
from scrubjay._core.ghosts import Ghosts
from scrubjay._core.links import Links
from scrubjay._core.sketch import Sketch
from scrubjay._core.ways import ALWAYS, FREQUENCY, GHOSTS, PROBATION, PROTECTED, WAYS, WINDOW

COSTS = 100.0  # how many costs the usual one is the mean of, about
ALIKE = 2.0  # weights within this factor count as equal: demand is known no better
PATIENCE = 64  # entries looked at before one must go: bounds the time of one eviction


class Arrangement:
    """Slots in the order in which they would go.

    Args:
        sketch: estimates how often keys are asked for.
        reporting: whether the sketch is to be told here of what is asked for.
        way: the number of a way, taken at once.
    """

    def __init__(self, sketch: Sketch, reporting: bool, way: int) -> None:
        self.columns = Columns()
        self.hashes: Any = None
        self.segments = Links(3)
        self.sketch = sketch
        self.reporting = reporting
        self.ghosts = Ghosts()
        self.seen = array("I")  # hits at the last look, times four, plus the segment
        self.count = 0
        self.usual_cost = 0.0  # what an unknown cost is taken for
        self.window_share = 0.0
        self.rule = ALWAYS
        self.protected_share = 0.0
        self.adopt(way)
        self.window_share = self.aim

    def adopt(self, way: int) -> int:
        """Keep entries in another way from now on; the window moves there by and by."""
        aim, rule, protected = WAYS[way]
        self.aim = aim
        self.rule = rule
        self.protected_share = protected
        return 0

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots; `hashes` holds their spread hashes."""
        self.hashes = hashes
        self.segments.grow(slots)
        self.ghosts.grow(slots)
        self.seen = resized("I", self.seen, slots, 0)
        return 0

    def room(self, share: float) -> int:
        """Return how many entries a share of those present is, at least one."""
        entries = int(share * self.count)
        return entries if entries > 1 else 1

    def look(self, slot: int) -> int:
        """Return the hits since the last look and let the sketch know of them."""
        hits = self.columns.hits[slot] & 0x3FFFFFFF
        news = (hits - (self.seen[slot] >> 2)) & 0x3FFFFFFF
        if news > 0:
            if news > 15:
                news = 15
            if self.reporting:
                self.sketch.add(self.hashes[slot], news)
            self.seen[slot] = (hits << 2) | (self.seen[slot] & 3)
        return news

    def move(self, slot: int, segment: int) -> None:
        """Make `slot` the newest of `segment`."""
        self.segments.unlink(self.seen[slot] & 3, slot)
        self.segments.append(segment, slot)
        self.seen[slot] = (self.seen[slot] >> 2 << 2) | segment

    def weight(self, slot: int) -> float:
        """Return what a hit of `slot` is worth: priority times cost, per byte."""
        weight = 1.0
        if self.columns.has_priority:
            weight *= self.columns.priority[slot]
        if self.columns.has_cost and self.columns.cost[slot] > 0.0:
            weight *= self.columns.cost[slot] / self.usual_cost
        if self.columns.has_size:
            weight /= self.columns.size[slot] + 64.0
        return weight

    def prevails(self, newcomer: int, resident: int) -> bool:
        """Tell whether a newcomer is to stay rather than a resident.

        The rule decides between entries of about the same weight; where one weighs more,
        weight times demand does.
        """
        ours = self.weight(newcomer)
        theirs = self.weight(resident)
        if ours == theirs or (
            self.rule != FREQUENCY and ours < theirs * ALIKE and theirs < ours * ALIKE
        ):
            if self.rule != FREQUENCY:
                return self.rule == ALWAYS
            ours = 1.0
            theirs = 1.0
        ours *= self.sketch.estimate(self.hashes[newcomer]) + 1.0
        theirs *= self.sketch.estimate(self.hashes[resident]) + 1.0
        return ours > theirs

    def insert(self, slot: int) -> None:
        """A newcomer enters the window, or the main region if it has been here before."""
        h = self.hashes[slot]
        if self.reporting:
            self.sketch.add(h, 1)
        self.learn_cost(slot)
        self.count += 1
        segment = WINDOW
        if self.rule == GHOSTS and self.ghosts.holds(h):
            segment = PROBATION
        self.seen[slot] = ((self.columns.hits[slot] & 0x3FFFFFFF) << 2) | segment
        self.segments.append(segment, slot)
        if self.segments.length[WINDOW] > self.room(self.window_share) + 1:
            self.move(self.segments.head[WINDOW], PROBATION)  # there is room for all

    def learn_cost(self, slot: int) -> None:
        """Let the usual cost follow the costs that are known."""
        if self.columns.has_cost and self.columns.cost[slot] > 0.0:
            if self.usual_cost == 0.0:
                self.usual_cost = self.columns.cost[slot]
            self.usual_cost += (self.columns.cost[slot] - self.usual_cost) / COSTS

    def remove(self, slot: int) -> None:
        """Forget the entry, not its key's popularity."""
        self.look(slot)
        self.segments.unlink(self.seen[slot] & 3, slot)
        self.count -= 1

    def leaving_window(self) -> int:
        """Return the entry that must leave the window, or -1 while it is small enough.

        What was read in the window stays: where ghosts decide it goes round once more,
        else it moves on to the main region.
        """
        turns = PATIENCE
        while self.segments.length[WINDOW] > self.room(self.window_share):
            slot = self.segments.head[WINDOW]
            turns -= 1
            if self.look(slot) > 0 and turns > 0:
                self.move(slot, WINDOW if self.rule == GHOSTS else PROBATION)
            else:
                return slot
        return NONE

    def shrink_protected(self) -> None:
        """Send what was not used since the last look back on probation."""
        turns = PATIENCE
        most = self.room(self.protected_share * (1.0 - self.window_share))
        while self.segments.length[PROTECTED] > most and turns > 0:
            slot = self.segments.head[PROTECTED]
            turns -= 1
            self.move(slot, PROTECTED if self.look(slot) > 0 and turns > 0 else PROBATION)

    def leaving_main(self) -> int:
        """Return the entry that the main region would give up, or -1 if it is empty."""
        turns = PATIENCE
        self.shrink_protected()
        while self.segments.length[PROBATION] > 0:
            slot = self.segments.head[PROBATION]
            turns -= 1
            if self.look(slot) > 0 and turns > 0:
                self.move(slot, PROTECTED)
            else:
                return slot
        return self.segments.head[PROTECTED]

    def shift(self) -> None:
        """Let the window grow or shrink by one entry towards the size aimed at."""
        step = 1.0 / (self.count + 1)
        if self.window_share < self.aim:
            self.window_share = min(self.aim, self.window_share + step)
        elif self.window_share > self.aim:
            self.window_share = max(self.aim, self.window_share - step)
            if self.segments.length[WINDOW] > self.room(self.window_share) + 1:
                self.move(self.segments.head[WINDOW], PROBATION)

    def victim(self) -> int:
        """Return the entry to give up next, still in place, or -1 if there is none."""
        newcomer = self.leaving_window()
        if newcomer != NONE and self.rule == GHOSTS and not self.weighted():
            self.ghosts.remember(self.hashes[newcomer])
            return newcomer
        resident = self.leaving_main()
        if newcomer == NONE and resident == NONE:
            return self.segments.head[WINDOW]
        if newcomer == NONE:
            leaving = resident
        elif resident != NONE and self.prevails(newcomer, resident):
            self.move(newcomer, PROBATION)
            leaving = resident
        else:
            leaving = newcomer
        self.ghosts.remember(self.hashes[leaving])
        return leaving

    def weighted(self) -> bool:
        """Tell whether some entries may weigh more than others."""
        return self.columns.has_priority or self.columns.has_cost or self.columns.has_size

    def victim_but(self, keep: int) -> int:
        """Return the victim among all entries but `keep`, which stays in its segment."""
        segment = self.seen[keep] & 3
        self.segments.unlink(segment, keep)
        slot = self.victim()
        self.segments.append(segment, keep)
        return slot

    def clear(self) -> None:
        """Forget the entries, not the keys' popularity."""
        self.segments.clear()
        self.count = 0
