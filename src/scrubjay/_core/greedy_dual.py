"""Entries ordered by what keeping them is worth: the least goes first, and all age alike.

An entry's rank is its value plus the rank of what was given up last, so that what was
valuable long ago gives way at last (P. Cao and S. Irani, "Cost-Aware WWW Proxy Caching
Algorithms", USITS 1997). Values are rounded to powers of the root of two; entries of one
rounded value stand in one queue, whose head has the lowest rank of it. The least of all is
found among the heads, without a heap (S. Ghandeharizadeh et al., "CAMP: A Cost Adaptive
Multi-Queue Eviction Policy for Key-Value Stores", Middleware 2014). Nine bytes a slot.
"""

from __future__ import annotations

from array import array

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE, QUEUES
from scrubjay._core.links import Links

ONE = 72  # the queue of the value one: from 2 ** -36 to 2 ** 11.5 values are told apart


class GreedyDual:
    """Slots in queues of about equal value.

    Args:
        lists: what the queues are part of.
        first: the number of the first queue there.
    """

    def __init__(self, lists: Links, first: int) -> None:
        self.lists = lists
        self.first = first
        self.worth = array("d", [2.0 ** ((queue - ONE) / 2.0) for queue in range(QUEUES)])
        self.rank = array("d")
        self.queue = array("B")
        self.cursors = array("i", [NONE]) * QUEUES
        self.inflation = 0.0  # the rank of what was given up last
        self.lowest = QUEUES  # no queue below and none above holds anybody
        self.highest = -1
        self.count = 0

    def grow(self, slots: int) -> int:
        """Make room for `slots` slots."""
        self.rank = resized("d", self.rank, slots, 0.0)
        self.queue = resized("B", self.queue, slots, 0)
        return 0

    def suited(self, value: float) -> int:
        """Return the queue for a value."""
        low = 0
        high = QUEUES - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.worth[middle] <= value:
                low = middle
            else:
                high = middle - 1
        return low

    def place(self, slot: int, value: float) -> None:
        """Make `slot` the newest of its queue."""
        queue = self.suited(value)
        self.queue[slot] = queue
        self.rank[slot] = self.inflation + self.worth[queue]
        self.lists.append(self.first + queue, slot)
        if queue < self.lowest:
            self.lowest = queue
        if queue > self.highest:
            self.highest = queue
        self.count += 1

    def take(self, slot: int) -> None:
        """Take `slot` out of its queue."""
        self.lists.unlink(self.first + self.queue[slot], slot)
        self.count -= 1

    def least(self) -> int:
        """Return the slot of the lowest rank, or -1 if there is none."""
        while self.lowest <= self.highest and self.lists.head[self.first + self.lowest] == NONE:
            self.lowest += 1
        while self.highest >= self.lowest and self.lists.head[self.first + self.highest] == NONE:
            self.highest -= 1
        found = NONE
        for queue in range(self.lowest, self.highest + 1):
            slot = self.lists.head[self.first + queue]
            if slot != NONE and (found == NONE or self.rank[slot] < self.rank[found]):
                found = slot
        return found

    def begin_walk(self) -> None:
        """Begin a walk over all slots by rank; what was walked over may be placed anew."""
        for queue in range(QUEUES):
            self.cursors[queue] = self.lists.head[self.first + queue]

    def walk(self) -> int:
        """Return the slot of the next rank, or -1 at the end."""
        found = NONE
        line = 0
        for queue in range(self.lowest, self.highest + 1):
            slot = self.cursors[queue]
            if slot != NONE and (found == NONE or self.rank[slot] < self.rank[found]):
                found = slot
                line = queue
        if found != NONE:
            self.cursors[line] = self.lists.link[2 * found + 1]
        return found

    def clear(self) -> None:
        """Forget the entries; who empties the lists calls this, too."""
        self.inflation = 0.0
        self.lowest = QUEUES
        self.highest = -1
        self.count = 0
