"""The operations that store.

Each first runs what may be user code (hashing, sizing, comparing keys), then makes its
change in one step, and begins again if the table has changed in between. References to
keys and values taken out are dropped last.
"""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import (
    AGAIN,
    EMPTY,
    EVICTED,
    MOST,
    NEVER,
    NEW_NODES,
    NONE,
    PRESENT,
    REFUSED,
    REJECTED,
    REPLACED,
    STORED,
)
from scrubjay._core.policy import Policy
from scrubjay._core.removal import Removal
from scrubjay._core.sizing import Sizing
from scrubjay._core.terms import Terms
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError

PLAIN = Terms()
IF_ABSENT = Terms(absent=True)


class Operations(Removal):
    """Storing, whatever keys and values do meanwhile.

    Args:
        policy: chooses what to give up.
        clock: an object with ``monotonic()`` in seconds, or None for the system's.
        entry_limit: entries at most.
        byte_limit: bytes at most, or None: then values are not sized.
        value_limit: bytes that one entry may have at most.
        sizer: returns the bytes of a value; None for an estimate of key and value.
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
        Removal.__init__(self, policy, clock, byte_limit is not None)
        self.limit(
            min(entry_limit, MOST),
            0 if byte_limit is None else min(byte_limit, MOST),
            min(value_limit, MOST),
        )
        self.sizer = sizer
        self.sizing = Sizing()
        self.rejected = 0
        self.guarded = False  # whether a door must see each value before it is stored
        self.usual = PLAIN  # the conditions of entries that are stored without any
        self.observer: Any = None
        self.sampled = 0  # of each 2**31 keys, how many the observer is told of
        self.watch()

    # Storing

    def measure(self, key: Any, value: Any) -> int:
        """Return the bytes that an entry counts for."""
        if self.sizer is None:
            return self.sizing.size(key) + self.sizing.size(value)
        size = self.sizer(value)
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise InvalidArgumentTypeError(f"sizer: returned {size!r}, not a number of bytes")
        size = size.__index__()
        if size < 0:
            raise InvalidArgumentError(f"sizer: returned {size} bytes, fewer than none")
        return size if size < MOST else MOST

    def measure_entry(self, key: Any, value: Any) -> int:
        """Return the bytes that an entry counts for, or would if they were counted."""
        return self.measure(key, value)

    def write(self, key: Any, value: Any, terms: Terms) -> int:
        """Size a value, void the loads that it overtakes, and enter it."""
        h = self.spread(key)
        self.policy.expect(h)
        size = 0
        if terms.fence is None and (self.attentive or self.flights.count > 0):
            self.overtake(key)
        if self.weighted:
            size = self.measure(key, value)
        if not terms.plain:
            self.provide(terms, False)
        if self.wheel is not None and self.wheel.count > 0:
            self.collect(self.now(), False, 4)
        status = NEW_NODES
        while status == NEW_NODES:
            if self.graph is None:
                status = self.enter(key, h, value, size, terms, None, (), -1)
            else:
                status = self.enter_dependent(key, h, value, size, terms)
        if status == REFUSED and not terms.ahead and terms.uses < 0:
            self.rejected += 1
            self.remove(key, REJECTED)
        if self.flights.count > 0 and terms.fence is None:
            self.overtake(key)  # who comes from now on joins no load that is void
        if not self.swept and self.wheel is not None and self.wheel.count > 0:
            self.begin_sweeping()
        if self.sampled != 0 and status == STORED and self.is_sampled(h):
            self.observe_store(key, value, size, terms.cost)
        return status

    def is_sampled(self, h: int) -> bool:
        """Tell whether the observer hears of the key with spread hash `h`.

        The upper bits of a spread hash are small for small integers: they are mixed again.
        """
        return ((h * 0x1E3779B1) & 0x7FFFFFFF) < self.sampled

    def observe_store(self, key: Any, value: Any, size: int, cost: float) -> None:
        """Tell the observer of a stored value, with its size whether that is kept or not."""
        observer = self.observer
        if observer is not None:
            observer.stored(key, size if self.weighted else self.measure(key, value), cost)

    def enter_dependent(self, key: Any, h: int, value: Any, size: int, terms: Terms) -> int:
        """Enter a value in a store where some entries depend on others."""
        graph: Any = self.graph
        pinned: list[Any] = []
        nodes = graph.nodes.stamp
        if terms.dependencies or graph.find(key) is not None:
            pinned = graph.pin((key, *terms.dependencies))
            for need in pinned[1:]:
                self.tie(need)
            nodes = graph.nodes.stamp
        try:
            if pinned:
                needs = pinned[1:]
                return self.enter(key, h, value, size, terms, pinned[0], needs, nodes)
            return self.enter(key, h, value, size, terms, None, (), nodes)
        finally:
            graph.unpin(pinned)

    def tie(self, node: Any) -> None:
        """Tie a node that somebody comes to depend on to its entry, if it has one."""
        h = self.spread(node.key)
        while node.slot == NONE:
            stamp = self.stamp
            slot = self.find(node.key, h)
            if slot == NONE or self.bind(slot, node, stamp):
                return

    def declare(self, node: Any, needs: Any) -> None:
        """Let what will be loaded for `node` depend on these nodes already."""
        self.link(node, needs)
        for need in needs:
            self.tie(need)

    def enter(
        self,
        key: Any,
        h: int,
        value: Any,
        size: int,
        terms: Terms,
        node: Any,
        needs: Any,
        nodes: int,
    ) -> int:
        """Make room for the value, commit it, and only then tell of what had to go.

        Whoever is told may use the cache, and would otherwise fill the room just made.
        """
        now = self.cheap_now()
        # What had to go, in order: in a list, but for the last one, usually the only one.
        garbage: list[Any] | None = None if self.graph is None else []
        gone = gone_value = EMPTY
        cause = EVICTED
        status = AGAIN
        slot = NONE
        asking = True
        old: Any = None
        try:
            while status == AGAIN:
                old = flight = None  # whose finalizers, if they run, run before we look
                stamp = self.stamp
                slot = self.find(key, h)
                if self.stamp != stamp:
                    continue
                if size > self.value_limit:
                    return REFUSED
                if terms.uses >= 0 and self.crowded(slot, size):
                    return REFUSED
                if (
                    self.weighted
                    and slot == NONE
                    and not terms.ahead
                    and self.declined(h, size, terms, now)
                ):
                    return REFUSED
                if slot != NONE and (terms.absent or terms.ahead or terms.uses >= 0):
                    if self.contains(key):
                        return PRESENT
                    if self.stamp != stamp:
                        continue
                while self.crowded(slot, size) or (terms.ahead and self.prefetched.full(size)):
                    if gone is not EMPTY:
                        garbage = self.hoard(garbage, gone, gone_value, cause)
                        gone = gone_value = EMPTY
                    if asking:
                        self.policy.prepare()
                        # One that has used the cache would do so again: it is asked no more.
                        asking = self.stamp == stamp
                    at = self.stamp
                    if terms.ahead:
                        leaving = self.choose_for_prefetched(size, now, at)
                    else:
                        leaving = self.choose(slot if at == stamp else NONE, now, at)
                    if leaving == NONE:
                        break
                    gone = self.cell(2 * leaving)
                    gone_value = self.cell(2 * leaving + 1)
                    cause = self.take_out(leaving, now, at)
                    if cause == NONE:
                        gone = gone_value = EMPTY
                        break
                    if self.stamp != stamp + 2:
                        break
                    stamp += 2
                if self.stamp != stamp:
                    continue
                if self.crowded(slot, size) or (terms.ahead and self.prefetched.full(size)):
                    return REFUSED
                if slot == NONE and self.free == NONE and self.used >= self.slots:
                    self.reserve()
                    continue
                claims = self.flights.stamp
                if self.flights.count > 0 and terms.fence is None:
                    flight = self.flights.get(key)
                if gone is not EMPTY and garbage is not None:
                    garbage = self.hoard(garbage, gone, gone_value, cause)
                    gone = gone_value = EMPTY
                if self.stamp != stamp:
                    continue
                old = EMPTY if slot == NONE else self.cells[2 * slot + 1]
                status = self.commit(
                    slot,
                    key,
                    h,
                    value,
                    size,
                    terms,
                    node,
                    needs,
                    nodes,
                    now,
                    garbage,
                    flight,
                    claims,
                    stamp,
                )
            if status == STORED and slot != NONE:
                self.removed[REPLACED] += 1
                if terms.fence is not None and self.flights.count > 0:
                    self.overtake_dependents(key)
            return status
        finally:
            if self.listening:
                if gone is not EMPTY:
                    garbage = self.hoard(garbage, gone, gone_value, cause)
                if status == STORED and slot != NONE:
                    garbage = self.hoard(garbage, key, old, REPLACED)
            if garbage:
                self.dispose(garbage)
            else:
                self.policy.settle()

    def renewed(self, key: Any, ttl: float, idle: float, until: float = NEVER) -> bool:
        """Count a use of `key`, begin its time to live anew where given; False if absent.

        Args:
            key: the key.
            ttl: seconds to live from now on, negative for as long as before.
            idle: likewise unread.
            until: the monotonic time at which a time to live that is given ends at the latest.
        """
        h = self.spread(key)
        if ttl >= 0.0 or idle >= 0.0:
            self.provide(Terms(ttl, idle), False)
        now = self.now()
        while True:
            stamp = self.stamp
            slot = self.find(key, h)
            if slot == NONE:
                return False
            status = self.renew(slot, ttl, idle, until, now, stamp)
            if status != AGAIN:
                self.policy.settle()
                return status == STORED

    def set_limits(self, entries: int, size: int, value_limit: int) -> None:
        """Change the bounds, evicting first what would lie above them."""
        entries, size, value_limit = min(entries, MOST), min(size, MOST), min(value_limit, MOST)
        garbage: list[Any] = []
        try:
            while not self.limit(entries, size, value_limit):
                gone_before, garbage = garbage, []
                if gone_before:
                    self.dispose(gone_before)
                self.policy.prepare()
                now = self.now()
                stamp = self.stamp
                leaving = self.choose(NONE, now, stamp)
                if leaving != NONE:
                    gone = self.cell(2 * leaving)
                    gone_value = self.cell(2 * leaving + 1)
                    cause = self.take_out(leaving, now, stamp)
                    if cause != NONE:
                        self.hoard(garbage, gone, gone_value, cause)
        finally:
            self.dispose(garbage)
