"""How often a cache half, twice and four times as large would hit: it itself, in small.

For each size there is a small ADAPTIVE (`scrubjay._core.trials`), which sees the requests
for a sample of the keys, chooses its own way of keeping entries, and counts what that way
misses. What it misses less, on the same keys, than the simulation of the present size is
what the other size would gain. The difference is far more exact than either count: what is
in the sample by chance, and what a simulation gets wrong, is in both of them (a control
variate). A key that would hit at every size, be it the hottest, makes no difference.

The keys are parted into `GROUPS` by their hashes: how much the difference varies from
group to group tells how far it can be trusted.

C. Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations" (ATC
2017), for simulations in small; "Efficient MRC Construction with SHARDS" (FAST 2015), for
dividing by the requests that a sample should have seen, not by those that it saw.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.constants import MOST, NONE
from scrubjay._core.trials import Trials

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.mixing import scrubjay_mix

HALVES = array("i", (1, 4, 8))  # the sizes simulated, in halves of the present one
SIZES = 3
GROUPS = 16
LARGEST = 1024  # entries in a simulation: where it would have more, fewer keys are sampled
WARM = 8  # requests per entry before a simulation that began with other entries counts
PATIENCE = 16  # the same where it does not even become full
MANY = 0x08000000  # entries told apart: their multiples fit into 32 bits


class Curve:
    """Small caches of other sizes beside the live one.

    While the cache has not been full, every size hits alike and nothing is simulated.

    Args:
        whole: whether nothing was given up yet for want of room: a larger cache would have
            what this one has. Otherwise counting begins when the simulations are warm.
    """

    def __init__(self, whole: bool) -> None:
        self.trials = [Trials() for _ in range(SIZES)]
        self.whole = whole
        self.counting = whole
        self.simulating = False
        self.begun = 0  # entries when the simulations began
        self.entries = 0
        self.shift = 0  # of the simulation of the present size
        self.requests = 0  # in all, as the sample lets expect
        self.misses = 0  # among them
        self.counted = 0  # requests since counting began, likewise
        self.missed = 0  # among them, misses
        self.simulated = 0  # requests for keys of the sample that the simulations saw since then
        self.off = 0  # misses of the simulation of the present size, less those of the cache
        self.seen = array("q", bytes(8 * SIZES))  # requests since the simulations began
        self.gained = array("q", bytes(8 * SIZES * GROUPS))  # misses spared, by size and group

    def grow(self, slots: int, weighted: bool, sized: bool) -> int:
        """Make room for the sample of a cache of so many slots; see `Trials.grow`."""
        for size in range(SIZES):
            trials = self.trials[size]
            rows = max(1, min(LARGEST, self.scaled(slots, size)))
            trials.allocate(rows, weighted, sized)
            trials.histories.heed_sessions()  # they may be told at any time
        return 0

    def scaled(self, entries: int, size: int) -> int:
        """Return how many entries a cache of another size has, where this one has so many."""
        return min(entries, MANY) * HALVES[size] // 2

    def scaled_bound(self, bound: int, size: int) -> int:
        """Return the bound of a cache of another size, where this one has such a bound."""
        return min(bound, MOST // 8) * HALVES[size] // 2

    def redraw(self) -> None:
        """Begin anew as soon as the cache is full: its size or its sample has changed."""
        if self.simulating:
            self.simulating = False
            self.whole = False
            self.counting = False

    def clear(self) -> None:
        """The cache is empty, as every size would be. What was counted holds."""
        self.simulating = False
        self.whole = True
        self.counting = True

    def fit(self, entries: int, live: Arrangement, present: Trials) -> None:
        """The cache is full with so many entries: simulate, anew if they were clearly others."""
        if entries != self.entries:
            self.entries = entries
            if not self.suits(entries):
                self.redraw()
        if not self.simulating:
            self.begin(live, present)

    def suits(self, entries: int) -> bool:
        """Tell whether what is simulated will do for a cache of so many entries."""
        if 5 * self.begun > 6 * entries or 6 * self.begun < 5 * entries:
            return False
        for size in range(SIZES):
            trials = self.trials[size]
            if self.scaled(entries, size) >> trials.shift > LARGEST:
                return False
        return True

    def begin(self, live: Arrangement, present: Trials) -> None:
        """Fill the simulations with a sample of what is there."""
        self.begun = self.entries
        self.shift = present.shift
        self.simulating = True
        if not self.whole:
            self.recount()
        self.whole = False
        for size in range(SIZES):
            trials = self.trials[size]
            shift = present.shift
            while self.scaled(self.entries, size) >> shift > LARGEST:
                shift += 1
            trials.clear(
                shift,
                self.scaled(self.entries, size),
                self.scaled_bound(present.entry_limit, size),
                self.scaled_bound(present.byte_limit, size),
            )
            trials.inherit(present)
            self.seen[size] = 0
        for line in range(live.segments.lists):
            slot = live.segments.head[line]
            while slot != NONE:
                h = live.hashes[slot]
                if present.samples(h):
                    for size in range(SIZES):
                        trials = self.trials[size]
                        if trials.samples(h):
                            trials.sketch.add(h, present.sketch.estimate(h))
                            trials.seed(live, slot)
                slot = live.segments.link[2 * slot + 1]

    def recount(self) -> None:
        """Forget what was counted: the simulations must be warm before it counts again."""
        self.counting = False
        self.counted = 0
        self.missed = 0
        self.simulated = 0
        self.off = 0
        for cell in range(SIZES * GROUPS):
            self.gained[cell] = 0

    def request(
        self, h: int, worth: float, bulk: int, missed: int, expected: int, shift: int
    ) -> None:
        """Let the simulations see a request for a key of the sample.

        Args:
            h: the key's hash.
            worth: of a hit.
            bulk: the size in bytes; 0 where sizes are not kept.
            missed: 1 if the live cache missed it, else 0.
            expected: 1 if the simulation of the present size missed it, else 0.
            shift: one key in 2 ** `shift` is in the sample at present.
        """
        weight = 1 << shift
        self.requests += weight
        self.misses += weight * missed
        if self.counting:
            self.counted += weight
            self.missed += weight * missed
        if not self.simulating:
            return
        if self.counting:
            self.simulated += 1
            self.off += expected - missed
        trials = self.trials[0]
        group = (scrubjay_mix(h) >> 40) & (GROUPS - 1)  # bits that `Trials.samples` does not use
        for size in range(SIZES):
            trials = self.trials[size]
            if trials.samples(h):
                lost = trials.request(h, worth, bulk)
                if lost:
                    trials.miss(worth)
                gain = expected - lost
                self.seen[size] += 1
                if self.counting:
                    self.gained[size * GROUPS + group] += gain
        if not self.counting and self.is_warm():
            self.counting = True

    def ascribe(self, h: int, session: int) -> None:
        """Note which session has just asked for a key of the sample."""
        for size in range(SIZES):
            trials = self.trials[size]
            if trials.samples(h):
                trials.histories.ascribe(h, session)

    def follow(self, h: int) -> None:
        """Note that the session which asked for a key of the sample has gone on."""
        for size in range(SIZES):
            trials = self.trials[size]
            if trials.samples(h):
                trials.histories.follow(h)

    def is_warm(self) -> bool:
        """Tell whether the simulations have forgotten that they began with what was there."""
        for size in range(SIZES):
            trials = self.trials[size]
            room = trials.full()
            full = 10 * trials.count() >= 9 * room  # of bytes there may be too few for the last one
            if self.seen[size] < (WARM if full else PATIENCE) * room:
                return False
        return True

    def report(self) -> dict[str, Any]:
        """Return what was counted."""
        sizes = []
        for size in range(SIZES):
            trials = self.trials[size]
            sizes.append(
                {
                    "factor": HALVES[size] / 2.0,
                    "sampled": 1.0 / (trials.skip + 1),
                    "gained": [self.gained[size * GROUPS + group] for group in range(GROUPS)],
                }
            )
        return {
            "full": self.simulating,
            "counting": self.counting,
            "sampled": 1.0 / (1 << self.shift),
            "room": max(1, self.entries >> self.shift),
            "requests": self.requests,
            "misses": self.misses,
            "counted": self.counted,
            "missed": self.missed,
            "simulated": self.simulated,
            "off": self.off,
            "sizes": sizes,
        }
