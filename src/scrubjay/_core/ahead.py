"""What a store does for who learns from its requests, and stores ahead of them.

See `scrubjay._core.accesses` for how requests are noted, and `scrubjay._core.prefetched`
for where entries wait that nobody has asked for.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.constants import MOST, NONE, OUTCOMES
from scrubjay._core.operations import Operations
from scrubjay._core.policy import Policy
from scrubjay._core.terms import Terms


class Ahead(Operations):
    """Noting requests, and entries that nobody has asked for yet.

    The arguments are those of `Operations`.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Any,
        entry_limit: int,
        byte_limit: int | None,
        value_limit: int,
        sizer: Any,
    ) -> None:
        self.learner: Any = None
        self.watched = False
        Operations.__init__(self, policy, clock, entry_limit, byte_limit, value_limit, sizer)

    def heed(self) -> int:
        """Find out whether a request needs more than to be answered and counted."""
        self.watched = self.sampled != 0 or self.accesses.size > 0
        return 0

    def teach(self, learner: Any, rows: int) -> None:
        """Note requests from now on; or no longer, for None.

        Args:
            learner: has ``wake(urgent)``, which takes no time and raises nothing: it is
                called on misses and on first hits of prefetched entries (urgent), and when
                there is no room for more rows.
            rows: requests noted at most until they are taken.
        """
        self.learner = learner
        self.exchange(0 if learner is None else rows)
        self.heed()

    def wake_learner(self, urgent: bool) -> int:
        """Tell who learns that it is time to come."""
        learner = self.learner
        if learner is not None:
            learner.wake(urgent)
        return 0

    def exchange(self, rows: int) -> Any:
        """Begin a new list of accesses; return the old one."""
        return self.exchange_accesses([None] * rows, array("I", bytes(4 * rows)), rows)

    def take_accesses(self) -> tuple[list[tuple[Any, int, int]], int]:
        """Return what was noted since the last time, and for how many there was no room.

        Returns:
            Key, outcome and stream of each request, oldest first. An outcome is HIT, MISS,
            FIRST_HIT; or no request, but an entry that went for want of room or of demand:
            DROPPED if nobody had asked for it, else GIVEN_UP.
        """
        keys, marks, filled, lost = self.exchange(self.accesses.size)
        mask = (1 << OUTCOMES) - 1
        rows = [(keys[row], marks[row] & mask, marks[row] >> OUTCOMES) for row in range(filled)]
        return rows, lost

    def bound_prefetched(self, room: int, byte_room: int, lifetime: int) -> None:
        """Bound the entries that nobody has asked for yet; see `provide_prefetched`.

        What lies above the bounds leaves by and by, or at once with `drop_overdue`.
        """
        most = 2_000_000_000
        self.provide_prefetched(min(room, most), min(byte_room, MOST), min(lifetime, MOST))

    def drop_overdue(self) -> int:
        """Take out what nobody has asked for in time; return how many entries went."""
        garbage: list[Any] = []
        try:
            while True:
                stamp = self.stamp
                slot = self.overdue(stamp)
                if slot == NONE:
                    break
                gone = self.cell(2 * slot)
                gone_value = self.cell(2 * slot + 1)
                cause = self.take_out(slot, self.now(), stamp)
                if cause != NONE:
                    self.hoard(garbage, gone, gone_value, cause)
        finally:
            self.dispose(garbage)
        return len(garbage) // 3

    def put_ahead(self, key: Any, value: Any, terms: Terms) -> int:
        """Store a value that nobody has asked for yet, under terms that say so.

        Returns:
            STORED; or PRESENT, FENCED or REFUSED: then nothing has changed.
        """
        return self.write(key, value, terms)

    def waits(self, key: Any) -> bool:
        """Tell whether a key is there that was stored ahead and not asked for yet."""
        while True:
            stamp = self.stamp
            slot = self.locate(key)
            if slot == NONE:
                return False
            held = self.prefetched.holds(slot)
            if self.stamp == stamp:
                return held

    def prefetch_counts(self) -> tuple[int, int, int]:
        """Return how many prefetched entries were asked for, went unused, and still wait."""
        prefetched = self.prefetched
        return prefetched.proven, prefetched.unused, prefetched.count
