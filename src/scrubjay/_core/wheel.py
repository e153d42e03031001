"""Expiry without being asked: a hierarchical timer wheel of slots.

Six wheels of 64 buckets, each turning 64 times slower than the one before; the fastest
moves sixteen times a second and the slowest covers 136 years. Scheduling and cancelling
are O(1); an entry is moved at most once per level before it is due. An entry whose
deadline has moved on meanwhile (it was read, and its idle time began anew) is placed
again when its bucket comes up, so that a hit never touches the wheel.

G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987).
"""

from __future__ import annotations

from array import array

from scrubjay._core.columns import Columns, resized
from scrubjay._core.constants import NEVER, NONE
from scrubjay._core.links import Links

LEVELS = 6
DUE = 384  # the list behind the last bucket
PER_SECOND = 16.0
FURTHEST = 4.0e9  # seconds ahead; what is later is placed there and again in time


class Wheel:
    """The entries that expire, by when.

    Args:
        columns: whose deadlines it goes by.
        now: the monotonic time in seconds.
        grace: seconds for which what has expired is left alone.
    """

    def __init__(self, columns: Columns, now: float, grace: float) -> None:
        self.columns = columns
        self.buckets = Links(DUE + 1)
        self.bucket = array("i")
        self.grace = grace
        self.tick = int((now - grace) * PER_SECOND)
        self.count = 0

    def grow(self, slots: int) -> int:
        """Make room for `slots` slots."""
        if slots > len(self.bucket):
            self.buckets.grow(slots)
            self.bucket = resized("i", self.bucket, slots, NONE)
        return 0

    def place(self, slot: int) -> None:
        """Enter the entry into the bucket of its deadline."""
        ahead = self.columns.deadline[slot] - self.tick / PER_SECOND
        if ahead > FURTHEST:
            ahead = FURTHEST
        delta = int(ahead * PER_SECOND)
        if delta < 0:
            delta = 0
        tick = self.tick + delta
        level = 0
        while delta >= 64 and level < LEVELS - 1:
            delta = delta >> 6
            level += 1
        line = 64 * level + ((tick >> (6 * level)) & 63)
        self.bucket[slot] = line
        self.buckets.append(line, slot)

    def schedule(self, slot: int) -> None:
        """Watch the entry until its deadline; an earlier watch is given up."""
        self.cancel(slot)
        if self.columns.deadline[slot] != NEVER:
            self.count += 1
            self.place(slot)

    def cancel(self, slot: int) -> None:
        """Watch the entry no more, if it was watched."""
        if self.bucket[slot] != NONE:
            self.buckets.unlink(self.bucket[slot], slot)
            self.bucket[slot] = NONE
            self.count -= 1

    def advance(self, now: float, exactly: bool) -> int:
        """Turn to `now` and return an entry whose time and grace are up, or -1.

        It stays on the wheel until it is cancelled.

        Args:
            now: the monotonic time in seconds.
            exactly: also look for what has expired within the tick under way.
        """
        now -= self.grace
        target = int(now * PER_SECOND)
        if target > self.tick:
            start = self.tick
            end = target
            self.tick = target
            for level in range(LEVELS):
                # The fastest wheel gives up the ticks behind it, a slower one hands down
                # the bucket that it has reached.
                first = start if level == 0 else start + 1
                steps = int(end - start)
                if end - start > 64:
                    steps = 64
                if steps == 0:
                    break
                for turn in range(steps):
                    self.empty(64 * level + ((first + turn) & 63), now)
                start = start >> 6
                end = end >> 6
        if exactly:
            self.empty(self.tick & 63, now)
        return self.buckets.head[DUE]

    def empty(self, line: int, now: float) -> None:
        """Move a bucket's entries to where they belong now."""
        slot = self.buckets.head[line]
        self.buckets.head[line] = NONE
        self.buckets.tail[line] = NONE
        self.buckets.length[line] = 0
        while slot != NONE:
            after = self.buckets.link[2 * slot + 1]
            if self.columns.deadline[slot] <= now:
                self.bucket[slot] = DUE
                self.buckets.append(DUE, slot)
            else:
                self.place(slot)
            slot = after

    def next_turn(self) -> float:
        """Return when the next bucket with an entry comes up, in seconds, or infinity."""
        if self.buckets.length[DUE] > 0:
            return self.tick / PER_SECOND + self.grace
        soonest = NEVER
        for level in range(LEVELS):
            base = self.tick >> (6 * level)
            for turn in range(65):
                line = 64 * level + ((base + turn) & 63)
                if self.buckets.length[line] > 0:
                    start = ((base + turn) << (6 * level)) / PER_SECOND
                    if level == 0:
                        start = start + 1.0 / PER_SECOND
                    if start < soonest:
                        soonest = start
                    break
        return soonest + self.grace

    def clear(self) -> None:
        """Watch nothing any more."""
        for slot in range(len(self.bucket)):
            self.bucket[slot] = NONE
        self.buckets.clear()
        self.count = 0
