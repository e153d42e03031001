"""Which way of keeping entries suits the present traffic: simulations beside the cache.

Every way is tried on a sample of the keys. What each misses is summed by its worth, and
counts less the longer ago it was; a way that missed clearly less than the present one
replaces it. There are three such sums: over a short time a change must promise much, over
a long one little. A way also replaces the present one that was a little better for long enough
without a break (`scrubjay._core.runs`). Where changes have not paid, the next must promise
more (`scrubjay._core.regret`).

A key is in the sample, or not, by its hash: all its requests are seen or none. One key in
2 ** `shift` is taken, so that the simulations are as large as the cache where it is small,
and cost next to nothing where it is large: the sample grows with the root of the entries.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.constants import COLD, MOST, NONE
from scrubjay._core.histories import Histories
from scrubjay._core.prospects import Prospects
from scrubjay._core.regret import Regret
from scrubjay._core.runs import Runs
from scrubjay._core.simulation import Simulation
from scrubjay._core.sketch import Sketch
from scrubjay._core.ways import (
    ALIKE,
    ALWAYS,
    BY_PROSPECTS,
    FIRST,
    FIRST_VALUED,
    WAYS,
    name_of,
)

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.mixing import scrubjay_mix

NUMBER = len(WAYS)
FULL = 256  # entries up to which all keys are taken
SQUARE = 15  # a sample has at least the root of so many times the entries: 1 in 8 of 1,000
EPOCH = 0.1  # cache-fuls of misses between two comparisons
HORIZONS = array("d", (16.0, 6.0, 2.0))  # cache-fuls of misses after which a miss counts 1/e
CLEAR = array("d", (0.0, 0.15, 0.3))  # of the misses so counted: what a change must save
LONG, _, SHORT = range(3)
RISK = 0.015  # of the misses, by the long horizon: what leaving the rule ALWAYS must save
MARGIN = 0.005  # likewise: what any other change must save
CAUTION = 0.03  # likewise: what it must save more where changes have not paid
BURDENS = tuple(
    1.0 if rule == ALWAYS or way == FIRST_VALUED else 1.0 + RISK
    for way, (_, rule, _) in enumerate(WAYS)
)


class Trials:
    """The simulations, what came of them, and the way found best."""

    def __init__(self) -> None:
        self.sketch = Sketch()
        self.number = ALIKE  # of ways that are tried
        self.simulations = [
            None if way == BY_PROSPECTS else Simulation(self.sketch, way) for way in range(ALIKE)
        ]
        self.prospects = Prospects()
        self.histories = Histories(self.prospects)
        self.horizons = len(HORIZONS)
        self.misses = array("d", bytes(8 * len(HORIZONS) * NUMBER))  # by horizon and way
        self.requests = array("d", bytes(8 * len(HORIZONS)))
        self.common = array("d", bytes(8 * len(HORIZONS)))  # misses before anything was given up
        self.alike = True  # whether all ways have missed the same so far
        self.lately = array("d", bytes(8 * NUMBER))  # misses since the last comparison
        self.lived = 0.0  # those of the cache itself, as far as they are in the sample
        self.whole = array("d", bytes(8 * NUMBER))  # with the long horizon, whatever was changed
        self.whole_requests = 0.0  # likewise
        self.whole_common = 0.0  # likewise
        self.runs = Runs()
        self.regret = Regret()
        self.asked = 0.0  # requests since then, by worth
        self.fresh = 0  # misses since then, of all ways
        self.seen = 0.0  # requests, with the long horizon
        self.burdens = array("d", BURDENS)
        self.entries = 0  # of the cache
        self.entry_limit = MOST  # of the cache
        self.byte_limit = MOST
        self.limit = MOST  # entries at most in a simulation
        self.most = MOST  # bytes at most
        self.weighted = False
        self.sized = False
        self.way = FIRST
        self.changes = 0
        self.shift = 0
        self.skip = 0  # bits that must be zero for a key to be in the sample
        self.rows = 0

    def grow(self, slots: int, weighted: bool, sized: bool) -> int:
        """Make room for the sample of a cache of so many slots; begins anew.

        Args:
            slots: the number of slots.
            weighted: whether entries may differ in weight.
            sized: whether they have sizes.
        """
        rows = max(min(slots, FULL), (slots >> self.suited(slots)) * 5 // 4)
        return self.allocate(rows, weighted, sized)

    def allocate(self, rows: int, weighted: bool, sized: bool) -> int:
        """Make room for so many entries in each simulation; begins anew. Never shrinks."""
        if sized:
            rows *= 2  # of small entries there is room for more
        if rows > self.rows or weighted != self.weighted or sized != self.sized:
            rows = max(rows, self.rows)
            number = NUMBER if weighted else self.number
            self.sketch.grow(rows)
            simulations: list[Any] = []
            for way in range(number):
                simulation: Any = None
                if way != BY_PROSPECTS:
                    simulation = Simulation(self.sketch, way)
                    simulation.grow(rows, weighted, sized)
                simulations.append(simulation)
            self.histories.grow(rows, weighted or sized)
            # Only now, when nothing can fail any more: what is there always fits together.
            self.simulations = simulations
            self.rows = rows
            if number != self.number:
                self.number = number
                self.way = FIRST_VALUED
                self.forget()
            self.weighted = weighted
            self.sized = sized
        return 0

    def forget(self) -> None:
        """Let what was measured so far count no more."""
        for cell in range(self.horizons * NUMBER):
            self.misses[cell] = 0.0
        for horizon in range(self.horizons):
            self.requests[horizon] = 0.0
            self.common[horizon] = 0.0
        self.alike = True
        for way in range(NUMBER):
            self.whole[way] = 0.0
        self.whole_requests = 0.0
        self.whole_common = 0.0
        self.runs.clear()
        self.regret.clear()
        self.forget_lately()
        self.seen = 0.0

    def forget_lately(self) -> None:
        """Begin to count anew what is missed until the next comparison."""
        for way in range(NUMBER):
            self.lately[way] = 0.0
        self.lived = 0.0
        self.asked = 0.0
        self.fresh = 0

    def suited(self, entries: int) -> int:
        """Return the shift that suits a cache of so many entries."""
        shift = 0
        if entries > FULL:
            most = entries
            while (most >> 1) * (most >> 1) >= SQUARE * entries:
                most >>= 1
                shift += 1
        return shift

    def clear(self, shift: int, entries: int, entry_limit: int, byte_limit: int) -> None:
        """Empty the simulations, and sample one key in 2 ** `shift` from now on.

        Args:
            shift: see there.
            entries: that there is room for in the cache, as far as is known.
            entry_limit: entries that it may have.
            byte_limit: bytes that it may have.
        """
        self.shift = shift
        self.skip = (1 << shift) - 1
        self.hold(entries)
        self.entry_limit = entry_limit
        self.byte_limit = byte_limit
        self.limit = max(1, entry_limit >> shift)
        self.most = byte_limit >> shift
        room = self.room()
        self.sketch.slots = room
        self.histories.clear()
        for simulation in self.simulations:
            if simulation is not None:
                simulation.clear(room)

    def begin(self, live: Arrangement) -> None:
        """Fill the simulations with a sample of what is there."""
        for line in range(live.segments.lists):
            slot = live.segments.head[line]
            while slot != NONE:
                if self.samples(live.hashes[slot]):
                    self.seed(live, slot)
                slot = live.segments.link[2 * slot + 1]

    def seed(self, live: Arrangement, slot: int) -> None:
        """Put an entry of the cache, whose key is in the sample, into every simulation."""
        room = self.room()
        h = live.hashes[slot]
        worth = live.weights.worth(slot)
        size = live.weights.size(slot)
        for simulation in self.simulations:
            if simulation is not None:
                simulation.request(h, room, self.most, worth, size)
        known = live.columns.session[slot] if live.columns.has_session else 0
        since = live.outlook.since[slot]
        count = live.outlook.counts[slot]
        marks = live.columns.marks(slot) | live.outlook.gaps[slot]
        self.histories.adopt(h, since, count, marks, known >> 2, room, self.most, worth, size)
        if self.histories.tags is not None:
            self.histories.tag(h, NONE, marks & COLD)

    def hold(self, entries: int) -> None:
        """Take note of how many entries there is room for in the cache."""
        self.entries = entries
        self.prospects.entries = entries

    def count(self) -> int:
        """Return how many entries a simulation has."""
        simulation: Any = self.simulations[FIRST]
        counted: int = simulation.arrangement.count
        return counted

    def inherit(self, other: Trials) -> None:
        """Begin with what simulations of another size have measured so far."""
        share = (other.skip + 1.0) / (self.skip + 1.0)
        for cell in range(self.horizons * NUMBER):
            self.misses[cell] = other.misses[cell] * share
        for way in range(NUMBER):
            self.whole[way] = other.whole[way] * share
        self.whole_requests = other.whole_requests * share
        self.whole_common = other.whole_common * share
        for horizon in range(self.horizons):
            self.requests[horizon] = other.requests[horizon] * share
            self.common[horizon] = other.common[horizon] * share
        self.alike = other.alike
        self.forget_lately()
        self.seen = other.seen * share
        self.way = other.way
        self.burdens[BY_PROSPECTS] = other.burdens[BY_PROSPECTS]
        self.prospects.clock = other.prospects.clock

    def heed_sessions(self) -> int:
        """Let prospects prove no more than ALWAYS must: sessions tell what they rest on."""
        self.histories.heed_sessions()
        self.burdens[BY_PROSPECTS] = 1.0
        return 0

    def room(self) -> int:
        """Return how many entries a simulation may have."""
        room = self.limit if self.sized else self.entries >> self.shift
        if room > self.rows:
            return self.rows
        return room if room > 1 else 1

    def full(self) -> int:
        """Return how many sampled misses are a cache-ful."""
        entries = self.entries >> self.shift
        return entries if entries > 1 else 1

    def samples(self, h: int) -> bool:
        """Tell whether the key with hash `h` is in the sample."""
        return (scrubjay_mix(h) >> 8) & self.skip == 0

    def request(self, h: int, worth: float, size: int) -> int:
        """Let every simulation see a request for a key of the sample.

        Args:
            h: the key's hash.
            worth: of a hit.
            size: of the entry in bytes; 0 where sizes are not kept.

        Returns:
            1 if the simulation of the present way missed, else 0.
        """
        missed = 0
        room = self.room()
        count = self.sketch.add(h, 1)
        self.asked += worth
        self.seen += 1.0
        self.prospects.clock = (self.prospects.clock + self.skip + 1) & 0x7FFFFFFF
        for way in range(self.number):
            simulation = self.simulations[way]
            if simulation is not None:
                hit = simulation.request(h, room, self.most, worth, size)
            else:
                hit = self.histories.request(h, count, room, self.most, worth, size)
            if not hit:
                self.lately[way] += worth
                self.fresh += 1
                if way == self.way:
                    missed = 1
        if self.fresh >= EPOCH * self.number * self.full():
            self.compare()
        return missed

    def miss(self, worth: float) -> None:
        """Note that the cache itself has missed a key of the sample, a hit of so much worth."""
        self.lived += worth

    def compare(self) -> None:
        """Choose the best way, and let what has been count a little less."""
        self.choose()
        best = self.runs.next_epoch(self.way, self.number, self.regret.doubt)
        if best != self.way:
            self.change(best)
            for horizon in range(SHORT):
                self.begin_with(horizon, SHORT)
        if self.regret.next_epoch():  # what was before says something about now, after all
            for way in range(self.number):
                self.misses[way] = self.whole[way]
            self.requests[LONG] = self.whole_requests
            self.common[LONG] = self.whole_common
        for horizon in range(self.horizons):
            share = 1.0 - EPOCH / HORIZONS[horizon]
            for way in range(self.number):
                self.misses[horizon * NUMBER + way] *= share
            self.requests[horizon] *= share
            self.common[horizon] *= share
        share = 1.0 - EPOCH / HORIZONS[LONG]
        for way in range(self.number):
            self.whole[way] *= share
        self.whole_requests *= share
        self.whole_common *= share
        self.seen *= share

    def choose(self) -> None:
        """Choose the best way.

        ALWAYS is close to LRU, which is never far behind: the others must prove themselves.
        """
        self.sum_up()
        best = self.way
        common = self.common[LONG]
        least = (self.misses[best] - common) * self.burdens[best]
        for way in range(self.number):
            burdened = (self.misses[way] - common) * self.burdens[way]
            if burdened < least:
                best = way
                least = burdened
        margin = 0.0
        if self.burdens[best] > 1.0:
            margin = MARGIN + CAUTION * (self.regret.doubt - 1.0)
        if self.misses[best] - common < (self.misses[self.way] - common) * (1.0 - margin):
            self.change(best)
        for horizon in range(1, self.horizons):
            first = horizon * NUMBER
            best = self.way
            for way in range(self.number):
                if self.misses[first + way] < self.misses[first + best]:
                    best = way
            misses = self.misses[first + self.way]
            saved = CLEAR[horizon] * self.regret.doubt * (misses - self.common[horizon])
            if self.misses[first + best] < misses - saved:
                self.change(best)
                self.begin_with(LONG, horizon)

    def sum_up(self) -> None:
        """Add what was missed lately to all sums."""
        if self.regret.left != NONE:
            self.regret.gain += self.lately[self.regret.left] - self.lived
        for way in range(self.number):
            missed = self.lately[way]
            if missed != self.lately[FIRST]:
                self.alike = False
            self.runs.add(way, missed)
            self.whole[way] += missed
            for horizon in range(self.horizons):
                self.misses[horizon * NUMBER + way] += missed
        for horizon in range(self.horizons):
            self.requests[horizon] += self.asked
            if self.alike:
                self.common[horizon] += self.lately[FIRST]
        self.whole_requests += self.asked
        if self.alike:
            self.whole_common += self.lately[FIRST]
        self.forget_lately()

    def change(self, way: int) -> None:
        """Go another way."""
        self.regret.change(self.way)
        self.way = way
        self.changes += 1

    def begin_with(self, horizon: int, other: int) -> None:
        """Let the sums of a horizon be those of another: what was before says nothing now."""
        for way in range(self.number):
            self.misses[horizon * NUMBER + way] = self.misses[other * NUMBER + way]
        self.requests[horizon] = self.requests[other]
        self.common[horizon] = self.common[other]

    def describe(self) -> dict[str, Any]:
        """Return the present way and the hit ratio that each would have had lately."""
        asked = self.requests[LONG] + self.asked
        return {
            "way": name_of(self.way),
            "changes": self.changes,
            "sampled": 1.0 / (self.skip + 1),
            "requests": self.seen,
            "hit_ratios": {
                name_of(way): round(
                    max(0.0, 1.0 - (self.misses[way] + self.lately[way]) / (asked or 1.0)), 4
                )
                for way in range(self.number)
            },
        }
