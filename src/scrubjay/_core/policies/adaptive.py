"""ADAPTIVE: a newcomer must be worth more than what it would displace.

Newcomers enter a small window. Leaving it, they are weighed against the entry that the
main region would give up: by how often each was asked for lately (a sketch that remembers
keys no longer there), times priority and cost, per byte. The main region is segmented:
what was used again is protected from what was not. A scan therefore passes through the
window and leaves the rest alone.

Hits are not reported here. An entry's hit counter is read when the entry is looked at, at
the end of a list, and the entry moved then: promotion costs a hit nothing.

The structure is W-TinyLFU's (G. Einziger, R. Friedman and B. Manes, "TinyLFU", ACM ToS
2017) with the lazy promotion of J. Yang et al., "FIFO queues are all you need for cache
eviction" (SOSP 2023).
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay._core.ghosts import Ghosts
from scrubjay._core.links import Links
from scrubjay._core.policy import Policy
from scrubjay._core.sketch import Sketch

WINDOW = 0
PROBATION = 1
PROTECTED = 2
COSTS = 100.0  # how many costs the usual one is the mean of, about
STEP = 2.0  # entries by which one ghost moves the border
LEAST = 0.01  # bounds of the window's share
MOST = 0.99
PATIENCE = 64  # entries looked at before one must go: bounds the time of one eviction


class Adaptive(Policy):
    """Scan-resistant, frequency-aware, and mindful of size, priority and cost."""

    def __init__(self) -> None:
        Policy.__init__(self)
        self.segments = Links(3)
        self.sketch = Sketch()
        self.ghosts = Ghosts()
        self.seen = array("I")  # hits at the last look, times four, plus the segment
        self.usual_cost = 0.0  # what an unknown cost is taken for
        self.window_share = 0.10
        self.protected_share = 0.80

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.hashes = hashes
        self.segments.grow(slots)
        self.sketch.grow(slots)
        self.ghosts.grow(slots)
        self.seen = resized("I", self.seen, slots, 0)
        return 0

    def room(self, share: float) -> int:
        """Return how many entries a share of those present is, at least one."""
        entries = (
            self.segments.length[WINDOW]
            + self.segments.length[PROBATION]
            + self.segments.length[PROTECTED]
        )
        entries = int(share * entries)
        return entries if entries > 1 else 1

    def segment(self, slot: int) -> int:
        """Return the segment that holds `slot`."""
        return self.seen[slot] & 3

    def look(self, slot: int) -> int:
        """Return the hits since the last look and let the sketch know of them."""
        hits = self.columns.hits[slot] & 0x3FFFFFFF
        news = (hits - (self.seen[slot] >> 2)) & 0x3FFFFFFF
        if news > 0:
            if news > 15:
                news = 15
            self.sketch.add(self.hashes[slot], news)
            self.seen[slot] = (hits << 2) | (self.seen[slot] & 3)
        return news

    def move(self, slot: int, segment: int) -> None:
        """Make `slot` the newest of `segment`."""
        old = self.seen[slot] & 3
        self.segments.unlink(old, slot)
        self.segments.append(segment, slot)
        self.seen[slot] = (self.seen[slot] >> 2 << 2) | segment

    def worth(self, slot: int) -> float:
        """Return what keeping `slot` is worth: demand times priority and cost, per byte."""
        worth = self.sketch.estimate(self.hashes[slot]) + 1.0
        if self.columns.has_priority:
            worth *= self.columns.priority[slot]
        if self.columns.has_cost and self.columns.cost[slot] > 0.0:
            worth *= self.columns.cost[slot] / self.usual_cost
        if self.columns.has_size:
            worth /= self.columns.size[slot] + 64.0
        return worth

    def insert(self, slot: int) -> None:
        """A newcomer enters the window."""
        self.sketch.add(self.hashes[slot], 1)
        self.learn(self.ghosts.recall(self.hashes[slot]))
        self.learn_cost(slot)
        self.seen[slot] = ((self.columns.hits[slot] & 0x3FFFFFFF) << 2) | WINDOW
        self.segments.append(WINDOW, slot)
        if self.segments.length[WINDOW] > self.room(self.window_share) + 1:
            self.move(self.segments.head[WINDOW], PROBATION)  # there is room for all

    def learn_cost(self, slot: int) -> None:
        """Let the usual cost follow the costs that are known."""
        if self.columns.has_cost and self.columns.cost[slot] > 0.0:
            if self.usual_cost == 0.0:
                self.usual_cost = self.columns.cost[slot]
            self.usual_cost += (self.columns.cost[slot] - self.usual_cost) / COSTS

    def learn(self, region: int) -> None:
        """Give room to the region that gave the newcomer up when it was here before."""
        if region == NONE:
            return
        step = STEP * (self.ghosts.skip + 1.0) / self.columns.slots
        if region == 0:
            self.window_share = min(MOST, self.window_share + step)
        else:
            self.window_share = max(LEAST, self.window_share - step)

    def replaced(self, slot: int) -> None:
        """A new value is no sign of demand, but it may have another cost."""
        self.learn_cost(slot)

    def remove(self, slot: int) -> None:
        """Forget the entry, not its key's popularity."""
        self.look(slot)
        self.segments.unlink(self.seen[slot] & 3, slot)

    def leaving_window(self) -> int:
        """Return the entry that must leave the window, or -1 while it is small enough.

        What was hit in the window moves on to the main region at once.
        """
        turns = PATIENCE
        while self.segments.length[WINDOW] > self.room(self.window_share):
            slot = self.segments.head[WINDOW]
            turns -= 1
            if self.look(slot) > 0 and turns > 0:
                self.move(slot, PROBATION)
            else:
                return slot
        return NONE

    def shrink_protected(self) -> None:
        """Send what was not used since the last look back on probation."""
        turns = PATIENCE
        while self.segments.length[PROTECTED] > self.room(
            self.protected_share * (1.0 - self.window_share)
        ):
            slot = self.segments.head[PROTECTED]
            turns -= 1
            if self.look(slot) > 0 and turns > 0:
                self.move(slot, PROTECTED)
            else:
                self.move(slot, PROBATION)

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

    def victim(self) -> int:
        """Return the newcomer or the resident, whichever is worth less."""
        newcomer = self.leaving_window()
        resident = self.leaving_main()
        if newcomer == NONE and resident == NONE:
            return self.segments.head[WINDOW]
        if newcomer == NONE or (resident != NONE and self.worth(newcomer) > self.worth(resident)):
            if newcomer != NONE:
                self.move(newcomer, PROBATION)
            self.ghosts.remember(self.hashes[resident], 1)
            return resident
        self.ghosts.remember(self.hashes[newcomer], 0)
        return newcomer

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

    def describe(self) -> dict[str, Any]:
        """Return the segments' sizes in entries and the shares aimed at."""
        return {
            "window": self.segments.length[WINDOW],
            "probation": self.segments.length[PROBATION],
            "protected": self.segments.length[PROTECTED],
            "window_share": self.window_share,
            "protected_share": self.protected_share,
        }
