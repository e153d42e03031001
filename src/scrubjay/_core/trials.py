"""Which way of keeping entries suits the present traffic: simulations beside the cache.

Every way is tried on a sample of the keys. What each misses is summed by its worth, and
counts less the longer ago it was; a way that missed clearly less than the present one
replaces it.

A key is in the sample, or not, by its hash: all its requests are seen or none. One key in
2 ** `shift` is taken, so that the simulations are as large as the cache where it is small,
and cost next to nothing where it is large: the sample grows with the root of the entries.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.constants import MOST, NONE
from scrubjay._core.simulation import Simulation
from scrubjay._core.sketch import Sketch
from scrubjay._core.ways import ALIKE, ALWAYS, FIRST, FIRST_VALUED, WAYS, name_of

NUMBER = len(WAYS)
FULL = 256  # entries up to which all keys are taken
SQUARE = 15  # a sample has at least the root of so many times the entries: 1 in 8 of 1,000
EPOCH = 0.1  # cache-fuls of misses between two comparisons
HORIZON = 16.0  # cache-fuls of misses after which a miss counts 1/e
SHORT = 2.0  # the same, of a second count, which tells an abrupt change
ABRUPT = 0.3  # of the misses so counted: what a change must save to be made at once
RISK = 0.02  # of the misses: what leaving the rule ALWAYS must save
MARGIN = 0.01  # of the misses: what any other change must save


class Trials:
    """The simulations, what came of them, and the way found best."""

    def __init__(self) -> None:
        self.sketch = Sketch()
        self.number = ALIKE  # of ways that are tried
        self.simulations = [Simulation(self.sketch, way) for way in range(ALIKE)]
        self.misses = array("d", bytes(8 * NUMBER))
        self.recent = array("d", bytes(8 * NUMBER))  # the misses, with the short horizon
        self.burdens = array(
            "d",
            [
                1.0 if rule == ALWAYS or way == FIRST_VALUED else 1.0 + RISK
                for way, (_, rule, _) in enumerate(WAYS)
            ],
        )
        self.requests = 0.0  # by worth
        self.asked = 0.0  # the same, with the short horizon
        self.seen = 0.0  # requests
        self.fresh = 0  # misses of all since the last comparison
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
        if sized:
            rows *= 2  # of small entries there is room for more
        if rows > self.rows or weighted != self.weighted or sized != self.sized:
            self.rows = max(rows, self.rows)
            self.sketch.grow(self.rows)
            if weighted and self.number == ALIKE:
                self.simulations += [Simulation(self.sketch, way) for way in range(ALIKE, NUMBER)]
                self.number = NUMBER
                self.way = FIRST_VALUED
                self.forget()
            for simulation in self.simulations:
                simulation.grow(self.rows, weighted, sized)
            self.weighted = weighted
            self.sized = sized
        return 0

    def forget(self) -> None:
        """Let what was measured so far count no more."""
        for way in range(NUMBER):
            self.misses[way] = 0.0
            self.recent[way] = 0.0
        self.requests = 0.0
        self.asked = 0.0
        self.seen = 0.0
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

    def begin(self, entries: int, limit: int, size: int, live: Arrangement) -> None:
        """Fill the simulations with a sample of what is there.

        Args:
            entries: that there is room for, as far as is known.
            limit: entries that the cache may have.
            size: bytes that it may have.
            live: what is there.
        """
        self.shift = self.suited(entries)
        self.skip = (1 << self.shift) - 1
        self.limit = max(1, limit >> self.shift)
        self.most = size >> self.shift
        room = self.room(entries)
        self.sketch.slots = room
        for way in range(self.number):
            simulation = self.simulations[way]
            simulation.clear(room)
            for line in range(live.segments.lists):
                slot = live.segments.head[line]
                while slot != NONE:
                    if self.samples(live.hashes[slot]):
                        simulation.request(
                            live.hashes[slot], room, self.most, live.worth(slot), live.size(slot)
                        )
                    slot = live.segments.link[2 * slot + 1]

    def room(self, entries: int) -> int:
        """Return how many entries a simulation of so many may have."""
        room = self.limit if self.sized else entries >> self.shift
        if room > self.rows:
            return self.rows
        return room if room > 1 else 1

    def samples(self, h: int) -> bool:
        """Tell whether the key with hash `h` is in the sample."""
        wide = h
        wide = (wide ^ (wide >> 15)) * 0x2C1B3C6D
        wide = ((wide ^ (wide >> 29)) & 0x7FFFFFFF) * 0x297A2D39
        return (wide >> 8) & self.skip == 0

    def request(self, h: int, entries: int, worth: float, size: int) -> None:
        """Let every simulation see a request for a key of the sample.

        Args:
            h: the key's hash.
            entries: that the cache has room for.
            worth: of a hit.
            size: of the entry in bytes; 0 where sizes are not kept.
        """
        room = self.room(entries)
        self.sketch.add(h, 1)
        self.requests += worth
        self.asked += worth
        self.seen += 1.0
        for way in range(self.number):
            simulation = self.simulations[way]
            if not simulation.request(h, room, self.most, worth, size):
                self.misses[way] += worth
                self.recent[way] += worth
                self.fresh += 1
        if self.fresh >= EPOCH * self.number * self.measure(entries):
            self.compare()

    def measure(self, entries: int) -> int:
        """Return how many sampled misses are a cache-ful."""
        full = entries >> self.shift
        return full if full > 1 else 1

    def compare(self) -> None:
        """Choose the best way, and let what has been count a little less."""
        self.choose()
        for way in range(self.number):
            self.misses[way] *= 1.0 - EPOCH / HORIZON
            self.recent[way] *= 1.0 - EPOCH / SHORT
        self.requests *= 1.0 - EPOCH / HORIZON
        self.asked *= 1.0 - EPOCH / SHORT
        self.seen *= 1.0 - EPOCH / HORIZON
        self.fresh = 0

    def choose(self) -> None:
        """Choose the best way.

        ALWAYS is close to LRU, which is never far behind: the others must prove themselves.
        """
        best = self.way
        for way in range(self.number):
            if self.misses[way] * self.burdens[way] < self.misses[best] * self.burdens[best]:
                best = way
        margin = MARGIN if self.burdens[best] > 1.0 else 0.0
        if self.misses[best] < self.misses[self.way] * (1.0 - margin):
            self.way = best
            self.changes += 1
        best = self.way
        for way in range(self.number):
            if self.recent[way] < self.recent[best]:
                best = way
        if self.recent[best] < self.recent[self.way] * (1.0 - ABRUPT):
            self.way = best
            self.changes += 1
            for way in range(self.number):  # what was before says nothing about now
                self.misses[way] = self.recent[way]
            self.requests = self.asked

    def describe(self) -> dict[str, Any]:
        """Return the present way and the hit ratio that each would have had lately."""
        seen = self.requests if self.requests > 0.0 else 1.0
        return {
            "way": name_of(self.way),
            "changes": self.changes,
            "sampled": 1.0 / (self.skip + 1),
            "requests": self.seen,
            "hit_ratios": {
                name_of(way): round(max(0.0, 1.0 - self.misses[way] / seen), 4)
                for way in range(self.number)
            },
        }
