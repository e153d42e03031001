"""The steps by which entries leave a store: which must go for room, and taking them out.

See `scrubjay._core.ledger` for what a step is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrubjay._core.constants import (
    COUNT,
    DROPPED,
    EMPTY,
    EVICTED,
    EVICTED_USED,
    EXPIRED,
    GIVEN_UP,
    NONE,
)
from scrubjay._core.ledger import Ledger
from scrubjay._core.section import indivisible
from scrubjay._core.terms import Terms


class Eviction(Ledger):
    """The bounds, what must leave to keep within them, and how entries are taken out.

    The arguments are those of `Ledger`.
    """

    def limit(self, entries: int, size: int, value: int) -> int:
        """Set the bounds if what is there keeps within them already, else come closer.

        Until it does, the bounds are what is there: what others store meanwhile displaces
        an entry, and who makes room gets on.

        Args:
            entries: the bound on entries.
            size: the bound on their bytes.
            value: the bound on the bytes of one of them.
        """
        if self.count > entries or (self.weighted and self.bytes > size):
            if entries < self.entry_limit:
                self.entry_limit = min(self.entry_limit, max(entries, self.count))
            if size < self.byte_limit:
                self.byte_limit = min(self.byte_limit, max(size, self.bytes))
            return False
        self.entry_limit = entries
        self.byte_limit = size
        self.value_limit = value
        self.policy.bound(entries, size)
        return True

    def crowded(self, slot: int, size: int) -> bool:
        """Tell whether an entry of `size` does not fit, replacing `slot` or new.

        Two sizes are never added before it is known that they fit: the sum may overflow.
        """
        if slot == NONE:
            return self.count >= self.entry_limit or (
                self.weighted and self.bytes > self.byte_limit - size
            )
        return self.count > self.entry_limit or (
            self.weighted and self.bytes - self.columns.size[slot] > self.byte_limit - size
        )

    def declined(self, h: int, size: int, terms: Terms, now: float) -> bool:
        """Tell whether a newcomer is worth less than what would have to go for it.

        Nothing is worth more than room that an expired entry will leave.
        """
        lacking = self.bytes - (self.byte_limit - size)
        if lacking <= 0:
            return False
        if (
            self.wheel is not None
            and self.wheel.count > 0
            and self.wheel.advance(now, False) != NONE
        ):
            return False
        return self.policy.declines(h, size, terms.priority, terms.cost, lacking)

    def choose(self, keep: int, now: float, stamp: int) -> int:
        """Return what must go next and is not `keep`.

        -1 if there is none, or if the table has changed since `stamp`: `keep` may be gone.
        """
        return self.leaving(keep, now) if self.stamp == stamp else NONE

    def choose_for_prefetched(self, size: int, now: float, stamp: int) -> int:
        """Return what must go next for `size` bytes that nobody has asked for yet; else -1."""
        if self.stamp != stamp:
            return NONE
        if self.prefetched.full(size):
            return self.prefetched.oldest_but(NONE)
        return self.leaving(NONE, now)

    def leaving(self, keep: int, now: float) -> int:
        """Return what must go next and is not `keep`, or -1. Part of a step.

        That is an expired entry, one that was prefetched and waits for too long, or else the
        policy's victim.
        """
        if self.wheel is not None and self.wheel.count > 0:
            slot = self.wheel.advance(now, False)
            if slot != NONE and slot != keep:
                return slot
        slot = self.prefetched.overdue(self.requests)
        if slot != NONE and slot != keep:
            return slot
        if keep == NONE or self.prefetched.holds(keep):
            slot = self.policy.victim()
        else:
            slot = self.policy.victim_but(keep)
        if slot == NONE:
            return self.prefetched.oldest_but(keep)
        if self.graph is not None and self.graph.is_needed(slot):
            paused = self.pause()
            slot = self.policy.end_of_chain(slot, keep, self.graph)
            self.resume(paused)
        return slot

    def due(self, now: float, exactly: bool) -> int:
        """Return an entry that has expired and is still there, or -1."""
        if self.wheel is None or self.wheel.count == 0:
            return NONE
        return self.wheel.advance(now, exactly)

    def overdue(self, stamp: int) -> int:
        """Return an entry that nobody has asked for in time, or -1."""
        return self.prefetched.overdue(self.requests) if self.stamp == stamp else NONE

    def desert(self, slot: int) -> None:
        """Take an entry that nobody has asked for out of the queue. Part of a step."""
        self.prefetched.leave(slot, self.columns.size[slot] if self.weighted else 0)
        self.prefetched.unused += 1
        self.accesses.append(self.cells[2 * slot], DROPPED, 0)

    def take(self, slot: int) -> None:
        """Take an entry out of everything. Part of a step."""
        if self.weighted:
            self.bytes -= self.columns.size[slot]
        if self.prefetched.holds(slot):
            self.desert(slot)
        else:
            self.policy.remove(slot)
        if self.wheel is not None:
            self.wheel.cancel(slot)
        if self.labels is not None or self.graph is not None:
            paused = self.pause()
            if self.labels is not None:
                self.labels.detach(slot)
            if self.graph is not None:
                self.graph.leave(slot)
            self.resume(paused)
        self.drop(slot)

    def take_if(self, slot: int, cause: int, stamp: int) -> int:
        """Take an entry out unless the table has changed since `stamp`."""
        if self.stamp != stamp:
            return False
        self.take(slot)
        self.removed[cause] += 1
        return True

    def take_out(self, slot: int, now: float, stamp: int) -> int:
        """Take an entry out for want of room and return the cause that is told; else -1."""
        if self.stamp != stamp:
            return NONE
        cause = EVICTED
        if self.columns.has_deadline and self.columns.deadline[slot] <= now:
            cause = EXPIRED
        elif self.accesses.size > 0 and not self.prefetched.holds(slot):
            self.accesses.append(self.cells[2 * slot], GIVEN_UP, 0)
        used = self.demoting and cause == EVICTED and self.columns.hits[slot] & COUNT > 0
        self.take(slot)
        self.removed[cause] += 1
        return EVICTED_USED if used else cause

    def collect_garbage(self, slots: Iterable[int], cause: int, garbage: list[Any]) -> int:
        """Take several entries out; append key, value and cause of each to `garbage`."""
        for slot in slots:
            if self.cells[2 * slot] is not EMPTY:
                garbage.append(self.cells[2 * slot])
                garbage.append(self.cells[2 * slot + 1])
                garbage.append(cause)
                self.take(slot)
                self.removed[cause] += 1
        return 0


indivisible(
    Eviction,
    "choose",
    "choose_for_prefetched",
    "declined",
    "due",
    "limit",
    "overdue",
    "take_if",
    "take_out",
)
