"""What the doors take and give: strategies, levels, causes, entries and statistics."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, NamedTuple

__all__ = [
    "CacheConsistencyLevel",
    "CacheEntry",
    "CacheEvictionStrategy",
    "CacheInfo",
    "CacheObjective",
    "CacheStatistics",
    "Ignore",
    "RemovalCause",
]


class CacheEvictionStrategy(Enum):
    """Which entry to give up when there is no room."""

    LRU = "lru"  # least recently used
    LFU = "lfu"  # least frequently used, with ageing
    TTL = "ttl"  # soonest to expire
    ADAPTIVE = "adaptive"  # by demand, recency, size, priority and cost
    PRIORITY_BASED = "priority"  # lowest priority, then least recently used


class CacheObjective(Enum):
    """What ADAPTIVE makes the most of. Priorities count with each."""

    HITS = "hits"  # requests that hit
    BYTES = "bytes"  # bytes that need not be loaded
    LATENCY = "latency"  # time that loading would take, as measured or as given by `cost`
    COST = "cost"  # what loading would cost, as given by `cost`


class CacheConsistencyLevel(Enum):
    """How fresh a read must be. Within one process every level holds."""

    EVENTUAL = "eventual"  # the cheapest: an old value may be seen for a bounded time
    STRONG = "strong"  # a read returns the last completed write
    SESSION = "session"  # a session reads its own writes
    MONOTONIC = "monotonic"  # a session never reads an older value than before


class RemovalCause(Enum):
    """Why an entry is gone. The order is the core's numbering."""

    EVICTED = "evicted"  # there was no room
    EXPIRED = "expired"  # its time was up
    INVALIDATED = "invalidated"  # somebody removed it by its key
    TAG = "tag"  # a tag that it carried was invalidated
    DEPENDENCY = "dependency"  # something that it was made from changed
    REPLACED = "replaced"  # a new value took its place
    CLEARED = "cleared"  # the cache was cleared
    REJECTED = "rejected"  # a new value came that is too large, or not worth its room


class Ignore:
    """Marks a parameter that is no part of a key: ``session: Annotated[Session, Ignore]``."""


class CacheInfo(NamedTuple):
    """What `functools.lru_cache` reports, and in its order."""

    hits: int
    misses: int
    maxsize: int | None
    currsize: int


@dataclass(frozen=True)
class CacheEntry:
    """One entry as it was when it was looked at. Looking does not count as a use.

    Attributes:
        key: the key.
        value: the value itself; a copy where the cache copies.
        created_at: when the value was stored, to a sixteenth of a second.
        last_accessed: when it was last read; while nothing is written and hardly anything
            read this may lag, as a hit does not read the clock.
        access_count: uses, the storing included.
        size_bytes: what the entry counts for, or would if the cache had a byte bound.
        ttl_seconds: its time to live from when it was stored, None for ever.
        idle_seconds: how long it lives without being read, None for ever.
        priority: as given.
        cost: as given or, of a loaded value, the seconds that loading took; 0.0 if unknown.
        tags: as given.
        dependencies: keys as given.
        prefetch_score: how likely it was thought to be asked for when it was prefetched.
        consistency_version: the number of the write that stored it; counted from the first
            time that anyone looks at one.
        expires_in: seconds left when it was looked at, infinity if it does not expire.
    """

    key: Hashable
    value: Any
    created_at: datetime
    last_accessed: datetime
    access_count: int
    size_bytes: int
    ttl_seconds: float | None = None
    priority: float = 1.0
    tags: frozenset[str] = frozenset()
    dependencies: frozenset[Hashable] = frozenset()
    prefetch_score: float = 0.0
    consistency_version: int = 0
    cost: float = 0.0
    idle_seconds: float | None = None
    expires_in: float = float("inf")
    looked_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def is_expired(self) -> bool:
        """Whether its time was up when it was looked at."""
        return self.expires_in <= 0.0

    @property
    def age_seconds(self) -> float:
        """Seconds from its storing to the look."""
        return (self.looked_at - self.created_at).total_seconds()

    @property
    def idle_time_seconds(self) -> float:
        """Seconds from its last use to the look."""
        return (self.looked_at - self.last_accessed).total_seconds()


@dataclass(frozen=True)
class CacheStatistics:
    """Counts since the cache was made; times in milliseconds where the name says so."""

    total_requests: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    evictions: int = 0
    prefetch_hits: int = 0
    prefetch_misses: int = 0
    total_latency_ms: float = 0.0
    memory_usage_bytes: int = 0
    consistency_conflicts: int = 0
    removals_by_cause: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    loads: int = 0
    load_errors: int = 0
    load_seconds: float = 0.0
    p50_latency_ms: float = 0.0
    p99_latency_ms: float = 0.0
    p999_latency_ms: float = 0.0

    @property
    def hit_rate(self) -> float:
        """Hits among requests, from 0 to 1."""
        return self.cache_hits / self.total_requests if self.total_requests else 0.0

    @property
    def prefetch_accuracy(self) -> float:
        """Prefetched entries that were used, among all prefetched, from 0 to 1."""
        total = self.prefetch_hits + self.prefetch_misses
        return self.prefetch_hits / total if total else 0.0

    @property
    def average_latency_ms(self) -> float:
        """Mean time of a request, loads included."""
        return self.total_latency_ms / self.total_requests if self.total_requests else 0.0
