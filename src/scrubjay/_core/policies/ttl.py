"""TTL: give up what expires soonest; entries that never expire go last, by recency.

The order is exact: a heap of the slots that expire. With time-to-lives alike, each new
deadline is the latest and enters in O(1); giving one up is O(log n).
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NEVER, NONE
from scrubjay._core.links import Links
from scrubjay._core.policy import Policy


class TTL(Policy):
    """Soonest to expire first, ties to the one that was stored first."""

    def __init__(self) -> None:
        Policy.__init__(self)
        self.lasting = Links(1)
        self.heap = array("i")
        self.place = array("i")  # of a slot in the heap, or -1: it is among the lasting
        self.order = array("q")
        self.expiring = 0
        self.turn = 0
        self.eager = True

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.lasting.grow(slots)
        self.heap = resized("i", self.heap, slots, NONE)
        self.place = resized("i", self.place, slots, NONE)
        self.order = resized("q", self.order, slots, 0)
        return 0

    def sooner(self, one: int, other: int) -> bool:
        """Tell whether slot `one` is to go before slot `other`."""
        if self.columns.deadline[one] != self.columns.deadline[other]:
            return self.columns.deadline[one] < self.columns.deadline[other]
        return self.order[one] < self.order[other]

    def rise(self, slot: int, at: int) -> None:
        """Put `slot` at position `at` of the heap or above it."""
        while at > 0:
            above = self.heap[(at - 1) // 2]
            if not self.sooner(slot, above):
                break
            self.heap[at] = above
            self.place[above] = at
            at = (at - 1) // 2
        self.heap[at] = slot
        self.place[slot] = at

    def sink(self, slot: int, at: int) -> None:
        """Put `slot` at position `at` of the heap or below it."""
        while True:
            below = 2 * at + 1
            if below >= self.expiring:
                break
            if below + 1 < self.expiring and self.sooner(self.heap[below + 1], self.heap[below]):
                below += 1
            least = self.heap[below]
            if not self.sooner(least, slot):
                break
            self.heap[at] = least
            self.place[least] = at
            at = below
        self.heap[at] = slot
        self.place[slot] = at

    def insert(self, slot: int) -> None:
        """A new entry is the youngest of its equals."""
        self.turn += 1
        self.enter(slot, self.turn)

    def enter(self, slot: int, order: int) -> None:
        """Enter the entry by its deadline, among equals by its order."""
        self.order[slot] = order
        if not self.columns.has_deadline or self.columns.deadline[slot] == NEVER:
            self.place[slot] = NONE
            self.lasting.append(0, slot)
        else:
            self.expiring += 1
            self.rise(slot, self.expiring - 1)

    def restore(self, slot: int, uses: int) -> None:
        """Enter the entry by its deadline, as the oldest of its equals."""
        self.turn += 1
        self.enter(slot, -self.turn)
        if self.place[slot] == NONE:
            self.lasting.unlink(0, slot)
            self.lasting.prepend(0, slot)

    def hit(self, slot: int) -> None:
        """Renew a lasting entry; one with an idle time has a later deadline by now."""
        if self.place[slot] == NONE:
            self.lasting.unlink(0, slot)
            self.lasting.append(0, slot)
        elif self.columns.has_idle:
            self.sink(slot, self.place[slot])

    def replaced(self, slot: int) -> None:
        """The deadline may be another one, or none."""
        self.remove(slot)
        self.insert(slot)

    def remove(self, slot: int) -> None:
        """Forget the entry."""
        at = self.place[slot]
        if at == NONE:
            self.lasting.unlink(0, slot)
            return
        self.expiring -= 1
        last = self.heap[self.expiring]
        if last != slot:
            self.rise(last, at)
            self.sink(last, self.place[last])
        self.place[slot] = NONE

    def victim(self) -> int:
        """Return the entry that expires soonest, else the least recently used one."""
        if self.expiring > 0:
            return self.heap[0]
        return self.lasting.head[0]

    def rank(self, found: Any) -> bool:
        """What expires soonest first, then the lasting."""
        rows = [
            (self.columns.deadline[slot], self.order[slot], slot)
            for slot in self.heap[: self.expiring]
        ]
        rows.sort()
        for _, _, slot in rows:
            found.append(slot)
        self.lasting.collect(0, found)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.lasting.clear()
        self.expiring = 0
