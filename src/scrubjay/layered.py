"""A store with tiers below it, as the doors use them together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, TypeVar

from scrubjay import layers
from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow import drivers, load
from scrubjay._flow.breaker import BreakerState
from scrubjay._flow.effects import Flow
from scrubjay._flow.level import LevelCounts
from scrubjay._flow.loading import Loading
from scrubjay._flow.lower import Lower
from scrubjay._flow.stack import Stack
from scrubjay.clock import Clock, SystemClock
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.errors import InvalidArgumentTypeError, TierError
from scrubjay.events import Event, EventKind, Events
from scrubjay.mapping import StoreMapping
from scrubjay.observe.statistics import TierGroup
from scrubjay.tiers.protocol import Tier

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Layered(StoreMapping[K, V]):
    """A store that may have tiers below it; without any it is as it was.

    Attributes:
        namespace: tells this cache's records from those of others in the same tiers.
        tenant: tells one tenant's records from another's in the namespace.
    """

    namespace: str
    tenant: str | None
    events: Events
    _loads: Loading
    _stack: Stack | None = None

    def lay(
        self,
        lower: list[layers.LowerLayer],
        memory: layers.Memory,
        scope: str,
        serializer: Any,
        clock: Clock | None,
    ) -> None:
        """Put the store upon tiers."""
        if serializer is None:
            serializer = Serializer()
        elif not isinstance(serializer, Serializer):
            raise InvalidArgumentTypeError(f"serializer: {serializer!r} is not a Serializer")
        below = Lower(
            [layer.level(scope, clock, self.events) for layer in lower],
            KeyEncoder(self.namespace, self.tenant),
            serializer,
            SystemClock() if clock is None else clock,
            self,
            self.events,
            memory.ttl_seconds,
            self.grace,
        )
        self._stack = self._loads.stack = Stack(self, below, self._loads.pin)
        self.layered = True
        self.defaults = True  # no put goes past the tiers

    # Flows, for either driver

    def finding(self, key: Any) -> Flow:
        """Return the flow that looks for a key below; its flight has the value or MISSING."""
        if EventKind.MISS in self.events.wanted:
            self.events.publish(Event(EventKind.MISS, key))
        return load.find(self._loads, key)

    def putting(self, key: Any, value: Any, terms: Terms, keep: Callable[[Terms], bool]) -> Flow:
        """Return the flow that stores a value everywhere."""
        return self._below.put(key, value, terms, keep)

    def forgetting(self, key: Any) -> Flow:
        """Return the flow that removes a key everywhere."""
        return self._below.forget(key)

    def forgetting_tags(self, tags: frozenset[str]) -> Flow:
        """Return the flow that removes what carries one of the tags, everywhere."""
        return self._below.forget_tags(tags)

    def forgetting_all(self) -> Flow:
        """Return the flow that removes everything everywhere."""
        return self._below.forget_all()

    def touching(self, key: Any, ttl: float, idle: float) -> Flow:
        """Return the flow that renews an entry that is in memory, everywhere."""
        return self._below.touch(key, ttl, idle)

    @property
    def _below(self) -> Stack:
        assert self._stack is not None
        return self._stack

    # What the store asks of its door, blocking

    def fetch_below(self, key: Any, default: Any) -> Any:
        """Look for what memory missed in the tiers."""
        value = drivers.run(self.finding(key))
        return default if value is MISSING else value

    def take_layered(self, key: Any) -> Any:
        """Remove a key everywhere; return its value, or MISSING."""
        value = self.peek(key, MISSING)
        if value is MISSING:
            value = drivers.run(self.finding(key))
        drivers.run(self.forgetting(key))
        return value

    def default_layered(self, key: Any, default: Any) -> Any:
        """Return what the tiers have of a key; if nothing, store a value everywhere."""
        value = self.fetch_below(key, MISSING)
        if value is MISSING:
            self.put(key, default)
            value = default
        return value

    # Telling and closing

    def lower_tiers(self) -> dict[str, TierGroup]:
        """Return what is counted of the tiers below memory, by their names, top to bottom."""
        groups: dict[str, TierGroup] = {}
        for level in () if self._stack is None else self._stack.lower.levels:
            size: Any = None
            if hasattr(level.tier, "size"):
                with suppress(TierError):
                    size = level.tier.size()
            counts = level.counts
            groups[level.name] = TierGroup(
                hits=counts.hits,
                misses=counts.misses,
                entries=None if size is None else size.entries,
                bytes=None if size is None else size.bytes,
                capacity_bytes=None if size is None else size.capacity,
                state="ok" if level.state is BreakerState.CLOSED else level.state.value,
                writes=counts.writes,
                errors=counts.errors,
                skipped=counts.skipped,
                undecodable=counts.undecodable,
                owed=len(level.debts),
            )
        return groups

    def lower_hits(self) -> int:
        """Return how many requests the tiers have answered that memory missed."""
        if self._stack is None:
            return 0
        return sum(level.counts.hits for level in self._stack.lower.levels)

    def forget_lower_counts(self) -> None:
        """Begin to count anew what the tiers are asked."""
        for level in () if self._stack is None else self._stack.lower.levels:
            level.counts = LevelCounts()

    def close(self) -> None:
        """Close the tiers that the cache has opened. Entries in memory stay.

        Who goes on using the cache finds what is in memory, and nothing below.
        """
        for tier in self.own_tiers():
            tier.close()

    def own_tiers(self) -> list[Tier]:
        """Return the tiers that the cache has opened."""
        return [] if self._stack is None else self._stack.own_tiers()
