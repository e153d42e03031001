"""Doubly linked lists of slots, kept in two typed arrays.

Every slot is in at most one list of a `Links`; who unlinks it must name the list. All
operations are O(1). An entry costs eight bytes.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE


class Links:
    """Several lists of slots, each from its oldest member to its newest.

    Args:
        lists: how many lists there are at first.
    """

    def __init__(self, lists: int) -> None:
        self.slots = 0
        self.lists = lists
        self.link = array("i")  # before and after, side by side: one cache line
        self.head = array("i", [NONE]) * lists
        self.tail = array("i", [NONE]) * lists
        self.length = array("i", [0]) * lists

    def grow(self, slots: int) -> int:
        """Make room for `slots` slots; never shrinks."""
        if slots > self.slots:
            self.link = resized("i", self.link, 2 * slots, NONE)
            self.slots = slots
        return 0

    def add_list(self) -> int:
        """Add an empty list and return its number."""
        line = self.lists
        self.head = resized("i", self.head, line + 1, NONE)
        self.tail = resized("i", self.tail, line + 1, NONE)
        self.length = resized("i", self.length, line + 1, 0)
        self.lists = line + 1
        return line

    def append(self, line: int, slot: int) -> None:
        """Make `slot` the newest of list `line`."""
        last = self.tail[line]
        self.link[2 * slot] = last
        self.link[2 * slot + 1] = NONE
        if last == NONE:
            self.head[line] = slot
        else:
            self.link[2 * last + 1] = slot
        self.tail[line] = slot
        self.length[line] += 1

    def prepend(self, line: int, slot: int) -> None:
        """Make `slot` the oldest of list `line`."""
        first = self.head[line]
        self.link[2 * slot] = NONE
        self.link[2 * slot + 1] = first
        if first == NONE:
            self.tail[line] = slot
        else:
            self.link[2 * first] = slot
        self.head[line] = slot
        self.length[line] += 1

    def collect(self, line: int, found: Any) -> int:
        """Append the members of list `line` to an array, the oldest first."""
        slot = self.head[line]
        while slot != NONE:
            found.append(slot)
            slot = self.link[2 * slot + 1]
        return 0

    def unlink(self, line: int, slot: int) -> None:
        """Take `slot` out of list `line`, which must hold it."""
        before = self.link[2 * slot]
        after = self.link[2 * slot + 1]
        if before == NONE:
            self.head[line] = after
        else:
            self.link[2 * before + 1] = after
        if after == NONE:
            self.tail[line] = before
        else:
            self.link[2 * after] = before
        self.length[line] -= 1

    def move(self, line: int, other: int, slot: int) -> None:
        """Make `slot`, of list `line`, the newest of list `other`, which may be the same."""
        self.unlink(line, slot)
        self.append(other, slot)

    def clear(self) -> None:
        """Empty every list."""
        for line in range(self.lists):
            self.head[line] = NONE
            self.tail[line] = NONE
            self.length[line] = 0
