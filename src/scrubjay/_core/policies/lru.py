"""LRU: give up what was not used for the longest time."""

from __future__ import annotations

from typing import Any

from scrubjay._core.links import Links
from scrubjay._core.policy import Policy


class LRU(Policy):
    """Exact recency order in one linked list; every operation is O(1)."""

    def __init__(self) -> None:
        Policy.__init__(self)
        self.order = Links(1)
        self.eager = True

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.order.grow(slots)
        return 0

    def insert(self, slot: int) -> None:
        """The newest entry is the most recent one."""
        self.order.append(0, slot)

    def restore(self, slot: int, uses: int) -> None:
        """The entry is older than all that are there."""
        self.order.prepend(0, slot)

    def hit(self, slot: int) -> None:
        """Move the entry to the recent end."""
        if self.order.tail[0] != slot:
            self.order.unlink(0, slot)
            self.order.append(0, slot)

    def remove(self, slot: int) -> None:
        """Forget the entry."""
        self.order.unlink(0, slot)

    def victim(self) -> int:
        """Return the least recently used entry."""
        return self.order.head[0]

    def rank(self, found: Any) -> bool:
        """The least recently used first."""
        self.order.collect(0, found)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.order.clear()
