"""The state of one store, what it is allocated, and its clock.

Every method that changes something is one step, or part of one: it runs no user code, and
references to keys and values that it takes out are held by its caller, who lets them go
when the step is done. What must be looked up first (and may run user code) is looked up by
the caller; `stamp` tells a step whether that is still true.
"""

from __future__ import annotations

import gc
from array import array
from typing import Any

from scrubjay._core.accesses import Accesses
from scrubjay._core.claims import Claims
from scrubjay._core.columns import Columns
from scrubjay._core.constants import (
    CLEARED,
    DROPPED,
    LAST_MOMENT,
    NONE,
    PER_SECOND,
)
from scrubjay._core.graph import Graph
from scrubjay._core.labels import Labels
from scrubjay._core.policy import Policy
from scrubjay._core.prefetched import Prefetched
from scrubjay._core.section import indivisible, is_uncompiled
from scrubjay._core.table import Table
from scrubjay._core.terms import Terms
from scrubjay._core.ticks import Ticks
from scrubjay._core.wheel import Wheel


class Ledger(Table):
    """Entries with their metadata, order of eviction, deadlines, tags and dependencies.

    Args:
        policy: chooses the victims; serves this ledger alone.
        clock: an object with ``monotonic()`` in seconds, or None for the system's.
        weighted: whether entries have sizes and their sum is bounded.
    """

    def __init__(self, policy: Policy, clock: Any, weighted: bool) -> None:
        Table.__init__(self, 8)
        self.clock = clock
        self.ticks = Ticks()
        self.weighted = weighted
        self.policy = policy
        self.bytes = 0
        self.requests = 0
        self.accesses = Accesses()
        self.prefetched = Prefetched()
        self.writes = 0
        self.entry_limit = 0
        self.byte_limit = 0
        self.value_limit = 0
        self.removed = array("q", bytes(8 * 8))
        self.labels: Labels | None = None
        self.graph: Graph | None = None
        self.flights = Claims()  # the loads under way, by key
        self.wheel: Wheel | None = None
        self.demoting = False  # whether it is told apart what was read before it was evicted
        self.grace = 0.0  # seconds for which expired entries stay; set before there is one
        self.origin = self.now()
        self.last = self.origin  # when something was stored last
        self.tick = 0
        self.uncompiled = is_uncompiled(Ledger)
        self.watchful = True
        self.columns = Columns()
        self.lay_out()

    def lay_out(self) -> int:
        """Empty the table and give it its columns: those that it had before."""
        wheel = self.wheel
        labels = self.labels
        columns = Columns()  # all that may fail comes first
        columns.grow(8)
        if self.weighted:
            columns.want_size()
        if self.columns.has_priority:
            columns.want_priority()
        if self.columns.has_cost:
            columns.want_cost()
        if self.columns.has_deadline:
            columns.want_deadline()
            wheel = Wheel(columns, self.last, self.grace)
            wheel.grow(8)
        if self.columns.has_idle:
            columns.want_idle()
        if self.columns.has_version:
            columns.want_version(self.writes)
        if self.columns.has_session:
            columns.want_session()
        if self.columns.has_tagged:
            columns.want_tagged()
        if labels is not None:
            labels = Labels()
        slot = self.prefetched.queue.head[0]
        while slot != NONE:
            self.accesses.append(self.cells[2 * slot], DROPPED, 0)
            slot = self.prefetched.queue.link[2 * slot + 1]
        self.reset_table(8)
        self.prefetched.clear()
        self.policy.clear()
        self.bytes = 0
        self.wheel = wheel
        self.labels = labels
        self.columns = columns
        self.policy.attach(columns)
        self.policy.grow(self.slots, self.hashes)
        return 0

    def reset(self) -> None:
        """Empty everything after a torn step."""
        self.lay_out()
        if self.graph is not None:
            self.graph = Graph()

    def watch(self) -> int:
        """Find out whether a hit needs more than its counter raised."""
        self.watchful = (
            self.policy.eager
            or self.clock is not None
            or self.columns.has_deadline
            or self.prefetched.queue.slots > 0
            or self.uncompiled
        )
        return 0

    def pause(self) -> bool:
        """Let no garbage collector run: a step that allocates must not run finalizers."""
        if gc.isenabled():
            gc.disable()
            return True
        return False

    def resume(self, paused: bool) -> int:
        """Let the garbage collector run again if `pause` has stopped it."""
        if paused:
            gc.enable()
        return 0

    def moment(self, now: float) -> int:
        """Return a time in the resolution of the columns, counted from the origin."""
        elapsed = (now - self.origin) * PER_SECOND
        if elapsed <= 0.0:
            return 0
        if elapsed >= LAST_MOMENT:
            elapsed = LAST_MOMENT
        return int(elapsed)

    def now(self) -> float:
        """Return the exact monotonic time in seconds."""
        if self.clock is None:
            return self.ticks.exact()
        return float(self.clock.monotonic())

    def cheap_now(self) -> float:
        """Return the monotonic time in seconds, at most one timer tick old."""
        if self.clock is None:
            return self.ticks.coarse()
        return float(self.clock.monotonic())

    def reserve(self) -> int:
        """Make sure that a free row exists."""
        if self.free != NONE or self.used < self.slots:
            return 0
        slots = self.slots * 2 if self.slots < 4096 else self.slots * 3 // 2
        if slots > self.entry_limit and self.slots < self.entry_limit:
            slots = self.entry_limit
        before = self.slots
        paused = self.pause()
        try:
            self.enlarge(slots)
            self.columns.grow(slots)
            self.policy.grow(slots, self.hashes)
            if self.prefetched.queue.slots > 0:
                self.prefetched.grow(slots)
            if self.wheel is not None:
                self.wheel.grow(slots)
        except BaseException:
            self.slots = before  # no row is used that not everyone has
            raise
        finally:
            self.resume(paused)
        return 0

    def provide(self, terms: Terms, versions: bool) -> int:
        """Allocate what an entry under these terms needs and others do not."""
        paused = self.pause()
        try:
            if terms.priority != 1.0:
                self.columns.want_priority()
            if terms.cost != 0.0:
                self.columns.want_cost()
            if terms.ttl >= 0.0 or terms.idle >= 0.0:
                wheel = self.wheel
                if wheel is None:
                    wheel = Wheel(self.columns, self.last, self.grace)
                    wheel.grow(self.slots)
                self.columns.want_deadline()
                self.wheel = wheel  # where there are deadlines, there is always a wheel
            if terms.idle >= 0.0:
                self.columns.want_idle()
            if versions:
                self.columns.want_version(self.writes)
            if terms.tags and self.labels is None:
                self.policy.heed_tags()
                self.labels = Labels()
            if terms.dependencies and self.graph is None:
                self.graph = Graph()
            self.policy.heed()
        finally:
            self.resume(paused)
        self.watch()
        return 0

    def heed_sessions(self) -> int:
        """Allocate what is known of the sessions that ask."""
        paused = self.pause()
        try:
            self.policy.heed_sessions()
            self.columns.want_session()
        finally:
            self.resume(paused)
        return 0

    def forget_all(self, stamp: int) -> int:
        """Empty the table unless it has changed; the caller holds the list of cells.

        Loads under way have read what was there: they are void from this moment on.
        """
        if self.stamp != stamp:
            return False
        paused = self.pause()
        try:
            for flight in self.flights.values():
                flight.void = True
            count = self.count
            self.lay_out()
            self.removed[CLEARED] += count
            if self.graph is not None:
                self.graph.clear()
        finally:
            self.resume(paused)
        return True

    def note_access(self, key: Any, outcome: int, stream: int) -> bool:
        """Note an access for who learns from them; tell whether it is time to come."""
        return self.accesses.append(key, outcome, stream)

    def exchange_accesses(self, keys: list[Any], marks: Any, size: int) -> Any:
        """Begin a new list of accesses; see `Accesses.exchange`."""
        return self.accesses.exchange(keys, marks, size)

    def provide_prefetched(self, room: int, byte_room: int, lifetime: int) -> int:
        """Bound the entries that nobody has asked for yet.

        Args:
            room: how many there may be.
            byte_room: the bytes that they may have.
            lifetime: requests for which each of them may wait.
        """
        paused = self.pause()
        try:
            self.prefetched.grow(self.slots)
        finally:
            self.resume(paused)
        self.prefetched.room = room
        self.prefetched.byte_room = byte_room
        self.prefetched.lifetime = lifetime
        self.watch()
        return 0

    def ranked(self) -> Any:
        """Return the slots as the policy would give them up, the first first; or None."""
        paused = self.pause()
        try:
            found = array("i")
            return found if self.policy.rank(found) else None
        finally:
            self.resume(paused)

    def reconsider(self) -> int:
        """Let the policy change what the traffic so far asks to be changed."""
        return self.policy.reconsider()

    def gather(self, go_on: bool) -> dict[str, Any] | None:
        """Return what the policy counted of caches of other sizes; begin, go on or end that."""
        paused = self.pause()
        try:
            return self.policy.gather(go_on)
        finally:
            self.resume(paused)


indivisible(
    Ledger,
    "exchange_accesses",
    "forget_all",
    "gather",
    "heed_sessions",
    "note_access",
    "provide",
    "provide_prefetched",
    "ranked",
    "reconsider",
    "reserve",
)
