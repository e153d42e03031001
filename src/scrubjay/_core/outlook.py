"""What entries of the live cache are worth by their prospects, and which is worth least.

Hits are not reported: an entry that was read since the last look at it counts as read now.
Looks are frequent enough for that. Each eviction looks at some entries, wherever they are, so
that an entry is looked at many times while as many come in as there are.

Giving up the worst of a random few is that of K. Psounis and B. Prabhakar, "A randomized web-
cache replacement scheme" (INFOCOM 2001).
"""

from __future__ import annotations

from array import array

from scrubjay._core.columns import resized
from scrubjay._core.prospects import Prospects


class Outlook:
    """When entries were last asked for, and how often, as far as is known.

    Args:
        prospects: tells what follows from that.
    """

    def __init__(self, prospects: Prospects) -> None:
        self.prospects = prospects
        self.since = array("I")
        self.counts = array("B")  # 0 if there is no entry
        self.gaps = array("B")  # how soon they came back last, as a mark
        self.top = 0  # slots above were never used
        self.draws = 1

    def grow(self, slots: int) -> int:
        """Make room for `slots` slots."""
        self.since = resized("I", self.since, slots, 0)
        self.counts = resized("B", self.counts, slots, 0)
        self.gaps = resized("B", self.gaps, slots, 0)
        return 0

    def enter(self, slot: int, count: int) -> None:
        """A newcomer is there, for which was asked so often."""
        self.counts[slot] = count if count > 1 else 1
        self.gaps[slot] = 0
        self.since[slot] = self.prospects.clock
        if slot >= self.top:
            self.top = slot + 1

    def read(self, slot: int, hits: int) -> None:
        """An entry was read so many times since the last look."""
        count = self.counts[slot] + hits
        self.counts[slot] = count if count < 255 else 255
        self.gaps[slot] = self.prospects.gap(self.age(slot) // hits)
        self.since[slot] = self.prospects.clock

    def leave(self, slot: int) -> None:
        """An entry goes."""
        self.counts[slot] = 0

    def clear(self) -> None:
        """All entries are gone."""
        for slot in range(self.top):
            self.counts[slot] = 0
        self.top = 0

    def draw(self) -> int:
        """Return some slot."""
        self.draws = (self.draws * 1103515245 + 12345) & 0x7FFFFFFF
        wide = self.draws
        return (wide * self.top) >> 31

    def age(self, slot: int) -> int:
        """Return for how many requests an entry was left alone."""
        return (self.prospects.clock - self.since[slot]) & 0x7FFFFFFF

    def worth(self, slot: int, marks: int) -> float:
        """Return how many hits a request keeping an entry is expected to yield."""
        marks |= self.gaps[slot]
        cell = self.prospects.cell(self.counts[slot], marks, self.since[slot])
        return self.prospects.worth[cell]
