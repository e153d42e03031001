"""The shape of detailed statistics, ready for JSON.

Every figure is a count since the cache was made, or a state as it is now, unless something
else is said.
"""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "ConfigurationGroup",
    "ConsistencyGroup",
    "DetailedStatistics",
    "EventsGroup",
    "HotGroup",
    "HotLabel",
    "IdentityGroup",
    "LatencyGroup",
    "LoadsGroup",
    "MemoryGroup",
    "OptimizationGroup",
    "PerformanceGroup",
    "PrefetchGroup",
    "Quantiles",
    "TierGroup",
]


class PerformanceGroup(TypedDict):
    """How requests fared; as the fields of `CacheStatistics`."""

    hit_rate: float
    prefetch_accuracy: float
    average_latency_ms: float
    p50_latency_ms: float
    p99_latency_ms: float
    p999_latency_ms: float
    total_requests: int
    cache_hits: int
    cache_misses: int
    evictions: int
    removals_by_cause: dict[str, int]
    rejected: int
    loads: int
    load_errors: int
    load_seconds: float
    consistency_conflicts: int


class MemoryGroup(TypedDict):
    """How full the cache is."""

    current_size_mb: float
    max_size_mb: float | None
    max_entries: int | None
    utilization_percentage: float  # of the bound on size, else of the other
    entry_count: int


class ConfigurationGroup(TypedDict):
    """What the cache was asked to do."""

    eviction_strategy: str
    consistency_level: str
    prefetching_enabled: bool


class IdentityGroup(TypedDict):
    """Which cache it is, and the rest of how it was made."""

    name: str | None
    objective: str | None
    optimization_interval: float


class OptimizationGroup(TypedDict):
    """What the optimization loop does."""

    optimization_cycles: int
    current_strategy_performance: dict[str, Any]  # what the strategy says of itself


class TierGroup(TypedDict):
    """One tier."""

    hits: int  # requests that it answered; what is fetched ahead is none
    misses: int
    entries: int | None  # None: it cannot tell
    bytes: int | None
    capacity_bytes: int | None  # None: no bound
    state: str  # "ok", or what is wrong with it
    writes: int  # records that it has kept
    demoted: int  # of these, what memory had evicted
    errors: int  # calls that failed
    skipped: int  # calls that were not made, as it had failed before
    undecodable: int  # records that could not be read
    queued: int  # writes that wait
    oldest_seconds: float  # for how long the oldest of them has
    lost: int  # writes that waited, and were given up
    owed: int  # removals that it has not been told of yet


class LoadsGroup(TypedDict):
    """Calls of loaders."""

    count: int
    errors: int
    seconds: float
    under_way: int
    stale_served: int  # old values in place of a load that failed or was not waited for


class Quantiles(TypedDict):
    """Latencies of one kind, to within a tenth."""

    count: int  # that were timed
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float


class LatencyGroup(TypedDict):
    """How long requests take."""

    reads: Quantiles  # of memory, timed one in 1,024
    waits: Quantiles  # for a load, each


class PrefetchGroup(TypedDict):
    """What was fetched before anybody asked."""

    enabled: bool
    used: int
    wasted: int  # gone without having been used
    waiting: int  # there, and not used yet
    accuracy: float
    details: dict[str, Any]  # of `PredictivePrefetcher.statistics`; empty where there is none


class ConsistencyGroup(TypedDict):
    """Whether promises are kept."""

    level: str
    conflicts: int  # reads refused as too old for who asked, and copies found not to be the last
    conflicts_by_level: dict[str, int]  # the latter; empty where nodes share no tier
    checked: int  # hits that were looked at again
    invalidated: int  # removals by key, tag and dependency


class HotLabel(TypedDict):
    """A tag or a namespace, of the entries looked at."""

    name: str
    entries: int
    uses: int


class HotGroup(TypedDict):
    """What is used most, of a sample of the entries that are there."""

    sampled: int
    tags: list[HotLabel]
    namespaces: list[HotLabel]


class EventsGroup(TypedDict):
    """Who listens."""

    listened_for: list[str]
    dropped: int  # a queued subscriber did not keep up


class DetailedStatistics(TypedDict):
    """What `Cache.get_detailed_statistics` returns."""

    performance: PerformanceGroup
    memory: MemoryGroup
    configuration: ConfigurationGroup
    optimization: OptimizationGroup
    identity: IdentityGroup
    tiers: dict[str, TierGroup]
    loads: LoadsGroup
    latency: LatencyGroup
    prefetch: PrefetchGroup
    consistency: ConsistencyGroup
    hot: HotGroup
    events: EventsGroup
