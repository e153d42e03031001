"""Entries that were stored ahead of any request, until the first one comes.

They wait in a queue of their own, of which the policy knows nothing: whatever is prefetched,
the queue's bound is all that it can take from the entries which have proved themselves. The
first request hands an entry over to the policy as the newcomer that it would have been
without prefetching. The others leave in the order in which they came, when the queue is
full or when they have waited for too many requests.
"""

from __future__ import annotations

from array import array

from scrubjay._core.columns import resized
from scrubjay._core.constants import MOST, NONE
from scrubjay._core.links import Links


class Prefetched:
    """The queue of slots that nobody has asked for yet."""

    def __init__(self) -> None:
        self.queue = Links(1)
        self.since = array("q")  # requests when it was stored, plus one; 0 for the others
        self.count = 0
        self.bytes = 0
        self.room = 0
        self.byte_room = 0
        self.lifetime = MOST
        self.proven = 0
        self.unused = 0

    def grow(self, slots: int) -> int:
        """Make room for `slots` slots; never shrinks."""
        self.queue.grow(slots)
        if slots > len(self.since):
            self.since = resized("q", self.since, slots, 0)
        return 0

    def holds(self, slot: int) -> bool:
        """Tell whether an entry waits for its first request."""
        return self.count > 0 and self.since[slot] != 0

    def enter(self, slot: int, requests: int, size: int) -> None:
        """Let an entry of `size` bytes wait, stored after so many requests."""
        self.queue.append(0, slot)
        self.since[slot] = requests + 1
        self.count += 1
        self.bytes += size

    def leave(self, slot: int, size: int) -> None:
        """Take an entry of `size` bytes out of the queue."""
        self.queue.unlink(0, slot)
        self.since[slot] = 0
        self.count -= 1
        self.bytes -= size

    def full(self, size: int) -> bool:
        """Tell whether an entry of `size` bytes must wait for another to leave."""
        return self.count >= self.room or self.bytes > self.byte_room - size

    def overdue(self, requests: int) -> int:
        """Return the entry that has waited too long, or for which the queue is too long, or -1."""
        if self.count == 0:
            return NONE
        slot = self.queue.head[0]
        if (
            self.count > self.room
            or self.bytes > self.byte_room
            or requests + 1 - self.since[slot] >= self.lifetime
        ):
            return slot
        return NONE

    def oldest_but(self, keep: int) -> int:
        """Return the entry that has waited longest and is not `keep`, or -1."""
        slot = self.queue.head[0]
        if slot != NONE and slot == keep:
            slot = self.queue.link[2 * slot + 1]
        return slot

    def clear(self) -> None:
        """All entries are gone: those of the queue unused."""
        slot = self.queue.head[0]
        while slot != NONE:
            self.since[slot] = 0
            slot = self.queue.link[2 * slot + 1]
        self.queue.clear()
        self.unused += self.count
        self.count = 0
        self.bytes = 0
