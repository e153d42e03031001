"""PRIORITY: give up the lowest priority first, within it the least recently used.

One recency list per priority in use and a heap of those priorities: O(1) while the number
of different priorities is bounded, O(log n) in the number of priorities where it is not.
"""

from __future__ import annotations

import gc
from array import array
from heapq import heappop, heappush
from typing import Any

from scrubjay._core.columns import Columns, resized
from scrubjay._core.constants import NONE
from scrubjay._core.links import Links
from scrubjay._core.policy import Policy


class Priority(Policy):
    """Lowest business priority first."""

    def __init__(self) -> None:
        Policy.__init__(self)
        self.levels = Links(0)
        self.level = array("i")
        self.numbers: dict[float, int] = {}  # of every priority in the heap
        self.queue: list[float] = []  # a heap; a level may be empty by now
        self.spare: list[int] = []
        self.eager = True

    def attach(self, columns: Columns) -> int:
        """Take the columns, and have them hold priorities."""
        columns.want_priority()
        self.columns = columns
        return 0

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.levels.grow(slots)
        self.level = resized("i", self.level, slots, NONE)
        return 0

    def number_of(self, priority: float) -> int:
        """Return the list of `priority`, made if need be."""
        number = self.numbers.get(priority, NONE)
        if number == NONE:
            collecting = gc.isenabled()  # this allocates within a step
            gc.disable()
            number = self.spare.pop() if self.spare else self.levels.add_list()
            self.numbers[priority] = number
            heappush(self.queue, priority)
            if collecting:
                gc.enable()
        return number

    def insert(self, slot: int) -> None:
        """Enter the entry at the recent end of its priority."""
        number = self.number_of(self.columns.priority[slot])
        self.level[slot] = number
        self.levels.append(number, slot)

    def restore(self, slot: int, uses: int) -> None:
        """Enter the entry as the oldest of its priority."""
        number = self.number_of(self.columns.priority[slot])
        self.level[slot] = number
        self.levels.prepend(number, slot)

    def hit(self, slot: int) -> None:
        """Move the entry to the recent end of its priority."""
        number = self.level[slot]
        if self.levels.tail[number] != slot:
            self.levels.unlink(number, slot)
            self.levels.append(number, slot)

    def replaced(self, slot: int) -> None:
        """The priority may be another one."""
        self.remove(slot)
        self.insert(slot)

    def remove(self, slot: int) -> None:
        """Forget the entry."""
        self.levels.unlink(self.level[slot], slot)

    def victim(self) -> int:
        """Return the least recently used entry of the lowest priority."""
        while self.queue:
            number = self.numbers[self.queue[0]]
            if self.levels.head[number] != NONE:
                return self.levels.head[number]
            del self.numbers[heappop(self.queue)]
            self.spare.append(number)
        return NONE

    def rank(self, found: Any) -> bool:
        """The lowest priority first, within it the least recently used."""
        for priority in sorted(self.numbers):
            self.levels.collect(self.numbers[priority], found)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.levels.clear()
        self.spare.extend(self.numbers.values())
        self.numbers.clear()
        self.queue.clear()
