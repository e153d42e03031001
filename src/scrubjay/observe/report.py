"""Statistics of a cache, counted by its parts and put together here."""

from __future__ import annotations

from typing import Any

from scrubjay.observe.hottest import hottest
from scrubjay.observe.latency import Latency
from scrubjay.observe.loads import Loads
from scrubjay.observe.statistics import DetailedStatistics, TierGroup
from scrubjay.types import CacheEvictionStrategy, CacheStatistics, RemovalCause

_MB = 1024 * 1024


def snapshot(cache: Any, latency: Latency, loads: Loads, manager: Any) -> CacheStatistics:
    """Return the counts of a cache as they are now.

    Args:
        cache: the store.
        latency: of its requests.
        loads: what loading has cost.
        manager: of its consistency.
    """
    proven, unused, _ = cache.prefetch_counts()
    requests = cache.requests
    misses = max(0, cache.misses - cache.lower_hits())
    removals = dict(zip((cause.value for cause in RemovalCause), cache.removals(), strict=True))
    return CacheStatistics(
        total_requests=requests,
        cache_hits=requests - misses,
        cache_misses=misses,
        prefetch_hits=proven,
        prefetch_misses=unused,
        evictions=removals[RemovalCause.EVICTED.value],
        total_latency_ms=1e3 * latency.total_seconds(requests),
        memory_usage_bytes=cache.memory_in_use(),
        consistency_conflicts=manager.consistency_conflicts + sum(cache.checks()[1].values()),
        removals_by_cause=removals,
        rejected=cache.rejected,
        loads=loads.count,
        load_errors=loads.errors,
        load_seconds=loads.seconds,
        p50_latency_ms=latency.percentile_ms(0.50, requests),
        p99_latency_ms=latency.percentile_ms(0.99, requests),
        p999_latency_ms=latency.percentile_ms(0.999, requests),
    )


def detailed(cache: Any) -> DetailedStatistics:
    """Return a cache's statistics in groups, ready for JSON.

    It takes a fraction of a millisecond, and some milliseconds where entries have to be
    looked at anew.
    """
    numbers: CacheStatistics = cache.statistics
    latency: Latency = cache.latency
    strategy = cache.eviction_strategy
    limit = cache.max_size_bytes
    used = numbers.memory_usage_bytes
    most = cache.max_entries  # None, too, for a bound that nothing can reach
    if limit is not None:
        utilization = 100.0 * used / limit
    else:
        utilization = 0.0 if most is None else 100.0 * cache.count / most
    removals = numbers.removals_by_cause
    invalidated = (RemovalCause.INVALIDATED, RemovalCause.TAG, RemovalCause.DEPENDENCY)
    level = cache.consistency_level.value
    return {
        "performance": {
            "hit_rate": numbers.hit_rate,
            "prefetch_accuracy": numbers.prefetch_accuracy,
            "average_latency_ms": numbers.average_latency_ms,
            "p50_latency_ms": numbers.p50_latency_ms,
            "p99_latency_ms": numbers.p99_latency_ms,
            "p999_latency_ms": numbers.p999_latency_ms,
            "total_requests": numbers.total_requests,
            "cache_hits": numbers.cache_hits,
            "cache_misses": numbers.cache_misses,
            "evictions": numbers.evictions,
            "removals_by_cause": removals,
            "rejected": numbers.rejected,
            "loads": numbers.loads,
            "load_errors": numbers.load_errors,
            "load_seconds": numbers.load_seconds,
            "consistency_conflicts": numbers.consistency_conflicts,
        },
        "memory": {
            "current_size_mb": used / _MB,
            "max_size_mb": None if limit is None else limit / _MB,
            "max_entries": most,
            "utilization_percentage": utilization,
            "entry_count": len(cache),
        },
        "configuration": {
            "eviction_strategy": strategy.value
            if isinstance(strategy, CacheEvictionStrategy)
            else strategy,
            "consistency_level": level,
            "prefetching_enabled": cache.enable_prefetching,
        },
        "optimization": {
            "optimization_cycles": len(cache.optimization_history),
            "current_strategy_performance": cache.describe_policy(),
        },
        "identity": {
            "name": cache.name,
            "objective": None if cache.objective is None else cache.objective.value,
            "optimization_interval": cache.optimization_interval,
        },
        "tiers": {"memory": _memory(cache, numbers), **cache.lower_tiers("memory")},
        "loads": {
            "count": numbers.loads,
            "errors": numbers.load_errors,
            "seconds": numbers.load_seconds,
            "under_way": cache.flights.count,
            "stale_served": cache.stale_served(),
        },
        "latency": latency.described(),
        "prefetch": {
            "enabled": cache.enable_prefetching,
            "used": numbers.prefetch_hits,
            "wasted": numbers.prefetch_misses,
            "waiting": cache.prefetch_counts()[2],
            "accuracy": numbers.prefetch_accuracy,
            "details": {} if cache.prefetcher is None else cache.prefetcher.statistics(),
        },
        "consistency": {
            "level": level,
            "conflicts": numbers.consistency_conflicts,
            "conflicts_by_level": cache.checks()[1],
            "checked": cache.checks()[0],
            "invalidated": sum(removals[cause.value] for cause in invalidated),
        },
        "hot": hottest(cache),
        "events": {
            "listened_for": sorted(kind.value for kind in cache.events.wanted),
            "dropped": cache.events.dropped,
        },
    }


def _memory(cache: Any, numbers: CacheStatistics) -> TierGroup:
    return {
        "hits": cache.requests - cache.misses,
        "misses": cache.misses,
        "entries": cache.count,
        "bytes": numbers.memory_usage_bytes,
        "capacity_bytes": cache.max_size_bytes,
        "state": "ok",
        "writes": cache.writes,
        "errors": 0,
        "skipped": 0,
        "undecodable": 0,
        "owed": 0,
        "demoted": 0,
        "queued": 0,
        "oldest_seconds": 0.0,
        "lost": 0,
    }
