"""Entries in a window and a segmented main region, and which of them goes next.

Newcomers enter the window, unless they are ghosts and the rule is to go by those. What was
read there moves on to the main region; what was not meets the rule of the present way (see
`scrubjay._core.ways`). The main region is segmented: what was read again is protected from
what was not. Every share may be changed at any time: entries move over as others go.

Where entries differ in weight, a way may have no segments, but order all by value instead
(see `scrubjay._core.greedy_dual`). A change between the two is made entry by entry, too.

Hits are not reported here. An entry's hit counter is read when the entry is looked at, at
the end of a list, and the entry moved then: promotion costs a hit nothing.

The live cache and the simulations beside it are arrangements, of this very code.

The structure is W-TinyLFU's (G. Einziger, R. Friedman and B. Manes, "TinyLFU", ACM ToS
2017) with the lazy promotion of J. Yang et al., "FIFO queues are all you need for cache
eviction" (SOSP 2023).
"""

from __future__ import annotations

from array import array
from math import sqrt  # `** 0.5` compiles to a power of complex numbers, which is less exact
from typing import Any

from scrubjay._core.columns import Columns, resized
from scrubjay._core.constants import COUNT, INFINITE, LOOKS, NONE, QUEUES
from scrubjay._core.ghosts import Ghosts
from scrubjay._core.greedy_dual import GreedyDual
from scrubjay._core.links import Links
from scrubjay._core.outlook import Outlook
from scrubjay._core.sketch import Sketch
from scrubjay._core.ways import (
    ALWAYS,
    FREQUENCY,
    GHOSTS,
    POPULAR,
    PROBATION,
    PROSPECTS,
    PROTECTED,
    PROVEN,
    VALUED,
    WAYS,
    WINDOW,
)
from scrubjay._core.weights import Weights

PATIENCE = 64  # entries looked at before one must go, the least read: bounds the time of that
SEEN = 0x3FFF  # the bits of a hit counter that are compared: 16,384 hits at once look like none
SWEPT = 4  # protected entries per eviction that are looked at after a change
CONVERTED = 4  # entries per eviction that a change to or from an order by value moves
UNPROVEN = 0.25  # a newcomer's part of the value of what was asked for once
RETURNED = 3.0  # demand for a newcomer that was here lately


class Arrangement:
    """Slots in the order in which they would go.

    Args:
        sketch: estimates how often keys are asked for.
        reporting: whether the sketch is to be told here of what is asked for.
        way: the number of a way, taken at once.
        outlook: tells what entries are worth, where the way may be to go by that.
        by_cost: whether what loading an entry costs is part of what a hit is worth.
        by_size: whether its size is.
    """

    def __init__(
        self,
        sketch: Sketch,
        reporting: bool,
        way: int,
        outlook: Outlook | None = None,
        by_cost: bool = False,
        by_size: bool = False,
    ) -> None:
        self.columns = Columns()
        self.weights = Weights(by_cost, by_size)
        self.hashes: Any = None
        self.segments = Links(VALUED + QUEUES)
        self.values = GreedyDual(self.segments, VALUED)
        self.roots = array("d", [sqrt(max(1, count)) for count in range(16)])
        self.newest = NONE
        self.sketch = sketch
        self.reporting = reporting
        self.outlook: Any = outlook
        self.ghosts = Ghosts()
        # What never takes another way needs ghosts only if that is a way which asks for them.
        self.remembers = reporting or WAYS[way][1] in {GHOSTS, PROVEN}
        self.seen = array("H")  # hits at the last look, times four, plus the segment
        self.count = 0
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
        self.unswept = self.segments.length[PROTECTED]
        return 0

    def attach(self, columns: Columns) -> int:
        """Take the columns of the entries."""
        self.columns = columns
        self.weights.columns = columns
        return 0

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots; `hashes` holds their spread hashes."""
        self.hashes = hashes
        self.segments.grow(slots)
        if self.remembers:
            self.ghosts.grow(slots)
        self.seen = resized("H", self.seen, slots, 0)
        if self.reporting:
            self.outlook.grow(slots)
        return self.want_values()

    def want_values(self) -> int:
        """Be able to order entries by value if they may differ in weight."""
        if self.weights.differ():
            self.values.grow(len(self.seen))
        return 0

    def room(self, share: float) -> int:
        """Return how many entries a share of those present is, at least one."""
        entries = int(share * self.count)
        return entries if entries > 1 else 1

    def remember(self, slot: int) -> None:
        """Make a ghost of an entry that is about to go."""
        if self.remembers:
            self.ghosts.remember(self.hashes[slot])

    def look(self, slot: int) -> int:
        """Return the hits since the last look and let the sketch know of them."""
        hits = self.columns.hits[slot] & SEEN
        news = (hits - (self.seen[slot] >> 2)) & SEEN
        if news > 0:
            if self.reporting:
                self.sketch.add(self.hashes[slot], news)
                self.outlook.read(slot, news)
            self.seen[slot] = (hits << 2) | (self.seen[slot] & 3)
        return news

    def was_read(self, slot: int) -> bool:
        """Tell whether an entry was read since it was looked at last."""
        read: bool = (self.columns.hits[slot] & SEEN) != (self.seen[slot] >> 2)
        return read

    def enter(self, slot: int, segment: int) -> None:
        """Make `slot` the newest of `segment`."""
        self.seen[slot] = (self.seen[slot] >> 2 << 2) | segment
        if segment == VALUED:
            self.values.place(slot, self.value(slot))
        else:
            self.segments.append(segment, slot)

    def leave(self, slot: int) -> None:
        """Take `slot` out of its segment."""
        segment = self.seen[slot] & 3
        if segment == VALUED:
            self.values.take(slot)
        else:
            self.segments.unlink(segment, slot)

    def move(self, slot: int, segment: int) -> None:
        """Make `slot` the newest of `segment`, wherever it was."""
        before = self.seen[slot] & 3
        if before == VALUED or segment == VALUED:
            self.leave(slot)
            self.enter(slot, segment)
        else:
            self.seen[slot] = (self.seen[slot] >> 2 << 2) | segment
            self.segments.move(before, segment, slot)

    def value(self, slot: int) -> float:
        """Return what keeping `slot` is worth, for each byte if sizes are known."""
        value = self.weights.density(slot)
        if self.rule == POPULAR:
            root: float = self.roots[self.sketch.estimate(self.hashes[slot])]
            return value * root
        hits = self.columns.hits[slot] & COUNT
        if hits > 0:
            return value * (hits + 1.0)
        return value * self.prospects(self.hashes[slot])

    def prospects(self, h: int) -> float:
        """Return the demand that is reckoned with for a newcomer with hash `h`."""
        return RETURNED if self.ghosts.holds(h) else UNPROVEN

    def declines(self, h: int, worth: float, size: int, lacking: int) -> bool:
        """Tell whether a newcomer is worth less than what it would displace.

        Args:
            h: the hash of its key.
            worth: of a hit.
            size: in bytes, of which it lacks room for `lacking`.
        """
        if self.rule != PROVEN:
            return False
        values = self.values
        value = values.worth[values.suited(worth / size * self.prospects(h))]
        least = INFINITE  # of those valued anew: what would go next
        values.begin_walk()
        for _ in range(PATIENCE):
            slot = values.walk()
            if slot == NONE:
                return False
            if not self.was_read(slot):
                if values.rank[slot] - values.inflation > value:
                    return True
                lacking -= self.columns.size[slot]
                if lacking <= 0:
                    return False
            else:  # valued anew, or it would stand in the way of every newcomer for ever
                self.look(slot)
                self.move(slot, VALUED)
                least = min(least, values.rank[slot] - values.inflation)
        worth_less: bool = least > value
        return worth_less

    def prevails(self, newcomer: int, resident: int) -> bool:
        """Tell whether a newcomer is to stay rather than a resident."""
        if self.rule != FREQUENCY:
            return self.rule == ALWAYS
        return self.sketch.estimate(self.hashes[newcomer]) > self.sketch.estimate(
            self.hashes[resident]
        )

    def insert(self, slot: int) -> None:
        """A newcomer enters the window, or the main region if it has been here before."""
        h = self.hashes[slot]
        if self.reporting:
            count = self.sketch.add(h, 1)
            self.outlook.enter(slot, count)
        self.weights.learn_cost(slot)
        self.count += 1
        segment = WINDOW
        if self.rule >= POPULAR:
            segment = VALUED
            self.newest = slot
        elif self.rule == GHOSTS and self.ghosts.holds(h):
            segment = PROBATION
        self.seen[slot] = (self.columns.hits[slot] & SEEN) << 2
        self.enter(slot, segment)
        if self.segments.length[WINDOW] > self.room(self.window_share) + 1:
            self.move(self.segments.head[WINDOW], PROBATION)  # there is room for all

    def remove(self, slot: int) -> None:
        """Forget the entry, not its key's popularity."""
        self.look(slot)
        if self.reporting:
            self.outlook.leave(slot)
        self.leave(slot)
        self.count -= 1
        if slot == self.newest:
            self.newest = NONE

    def leaving_window(self) -> int:
        """Return the entry that must leave the window, or -1 while it is small enough.

        What was read in the window stays: where ghosts decide it goes round once more,
        else it moves on to the main region.
        """
        turns = PATIENCE
        while turns > 0 and self.segments.length[WINDOW] > self.room(self.window_share):
            slot = self.segments.head[WINDOW]
            if self.look(slot) == 0:
                return slot
            turns -= 1
            stays = self.rule == GHOSTS and turns > 0
            self.move(slot, WINDOW if stays else PROBATION)
        return NONE

    def shrink_protected(self) -> None:
        """Send what was not used since the last look back on probation.

        So is, by and by, all that another way has protected: traffic has changed.
        """
        turns = PATIENCE
        most = self.room(self.protected_share * (1.0 - self.window_share))
        while self.segments.length[PROTECTED] > most and turns > 0:
            slot = self.segments.head[PROTECTED]
            turns -= 1
            self.move(slot, PROTECTED if self.look(slot) > 0 and turns > 0 else PROBATION)
        turns = SWEPT
        while self.unswept > 0 and turns > 0:
            slot = self.segments.head[PROTECTED]
            turns -= 1
            self.unswept -= 1
            if slot == NONE:
                self.unswept = 0
            else:
                self.move(slot, PROTECTED if self.look(slot) > 0 else PROBATION)

    def leaving_main(self) -> int:
        """Return the entry that the main region would give up, or -1 if it is empty."""
        if self.segments.length[PROTECTED] > 0 or self.unswept > 0:
            self.shrink_protected()
        least = NONE
        fewest = 0
        turns = PATIENCE
        while self.segments.length[PROBATION] > 0:
            slot = self.segments.head[PROBATION]
            news = self.look(slot)
            if news == 0:
                return slot
            if least == NONE or news <= fewest:
                least = slot
                fewest = news
            self.move(slot, PROTECTED)
            turns -= 1
            if turns == 0:
                self.put_first(least)  # if it wins against a newcomer, it is asked first again
                return least
        return self.segments.head[PROTECTED]

    def put_first(self, slot: int) -> None:
        """Make a protected entry the next to leave probation."""
        self.segments.unlink(PROTECTED, slot)
        self.seen[slot] = (self.seen[slot] >> 2 << 2) | PROBATION
        self.segments.prepend(PROBATION, slot)

    def shift(self) -> None:
        """Let the window grow or shrink by one entry towards the size aimed at."""
        if self.window_share < self.aim:
            self.window_share = min(self.aim, self.window_share + 1.0 / (self.count + 1))
        elif self.window_share > self.aim:
            self.window_share = max(self.aim, self.window_share - 1.0 / (self.count + 1))
            if self.segments.length[WINDOW] > self.room(self.window_share) + 1:
                self.move(self.segments.head[WINDOW], PROBATION)

    def convert(self) -> None:
        """Bring a few entries over to the order that the present way asks for."""
        for _ in range(CONVERTED):
            slot = NONE
            if self.rule < POPULAR:
                slot = self.values.least()
                if slot != NONE:
                    self.move(slot, PROBATION)
            else:
                segment = WINDOW
                while segment < VALUED and slot == NONE:
                    slot = self.segments.head[segment]
                    segment += 1
                if slot != NONE:
                    self.look(slot)
                    self.move(slot, VALUED)
            if slot == NONE:
                return

    def leaving_values(self) -> int:
        """Return the entry of the least value that was not read since it was valued."""
        least = NONE
        for _ in range(PATIENCE):
            slot = self.values.least()
            if slot == NONE:
                return NONE
            if self.rule != PROVEN or slot != self.newest:
                self.values.inflation = self.values.rank[slot]
            if self.look(slot) == 0:
                return slot
            self.move(slot, VALUED)
            if least == NONE or self.values.rank[slot] < self.values.rank[least]:
                least = slot
        return least

    def victim(self) -> int:
        """Return the entry to give up next, still in place, or -1 if there is none."""
        valued = self.rule >= POPULAR
        if self.values.count != (self.count if valued else 0):
            self.convert()
        if valued:
            leaving = self.leaving_values()
            if leaving != NONE:
                self.remember(leaving)
            return leaving
        if self.rule == PROSPECTS:
            leaving = self.least_worth()
            if leaving != NONE:
                self.remember(leaving)
                return leaving
        newcomer = self.leaving_window()
        if newcomer != NONE and self.rule == GHOSTS:
            self.remember(newcomer)
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
        self.remember(leaving)
        return leaving

    def least_worth(self) -> int:
        """Return the entry worth least among some, or -1 if there are few; ties go by age."""
        worst = NONE
        least = 0.0
        oldest = 0
        left = LOOKS
        weighted = self.weights.differ()
        top = self.outlook.top
        for draw in range(2 * LOOKS if top > LOOKS else top):
            slot = self.outlook.draw() if top > LOOKS else draw
            if self.outlook.counts[slot] == 0 or left == 0:
                continue
            left -= 1
            self.look(slot)
            worth = self.outlook.worth(slot, self.columns.marks(slot))
            if weighted:
                worth *= self.weights.density(slot)
            age = self.outlook.age(slot)
            if worst == NONE or worth < least or (worth == least and age > oldest):
                worst = slot
                least = worth
                oldest = age
        return worst

    def victim_but(self, keep: int) -> int:
        """Return the victim among all entries but `keep`, which stays in its segment."""
        segment = self.seen[keep] & 3
        count = self.outlook.counts[keep]
        self.leave(keep)
        self.outlook.leave(keep)
        self.count -= 1
        slot = self.victim()
        self.count += 1
        self.enter(keep, segment)
        self.outlook.counts[keep] = count
        return slot

    def clear(self) -> None:
        """Forget the entries, not the keys' popularity."""
        self.segments.clear()
        self.values.clear()
        self.count = 0
        self.newest = NONE
        if self.reporting:
            self.outlook.clear()
