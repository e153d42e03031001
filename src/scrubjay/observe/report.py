"""Statistics of a cache, counted by its parts and put together here."""

from __future__ import annotations

from typing import Any

from scrubjay.observe.latency import Latency
from scrubjay.observe.loads import Loads
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
    requests, misses = cache.requests, cache.misses
    proven, unused, _ = cache.prefetch_counts()
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
        consistency_conflicts=manager.consistency_conflicts,
        removals_by_cause=removals,
        rejected=cache.rejected,
        loads=loads.count,
        load_errors=loads.errors,
        load_seconds=loads.seconds,
        p50_latency_ms=latency.percentile_ms(0.50, requests),
        p99_latency_ms=latency.percentile_ms(0.99, requests),
        p999_latency_ms=latency.percentile_ms(0.999, requests),
    )


def prefetching(cache: Any) -> dict[str, Any]:
    """Return what was loaded ahead, and what became of it."""
    proven, unused, waiting = cache.prefetch_counts()
    report = {"used": proven, "unused": unused, "waiting": waiting}
    prefetcher = cache.prefetcher
    return report if prefetcher is None else {**report, **prefetcher.statistics()}


def detailed(cache: Any) -> dict[str, Any]:
    """Return a cache's statistics in groups, ready for JSON."""
    numbers: CacheStatistics = cache.statistics
    strategy = cache.eviction_strategy
    limit = cache.max_size_bytes
    used = numbers.memory_usage_bytes
    if limit is not None:
        utilization = 100.0 * used / limit
    else:
        utilization = 100.0 * cache.count / cache.max_entries
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
            "removals_by_cause": numbers.removals_by_cause,
            "rejected": numbers.rejected,
            "loads": numbers.loads,
            "load_errors": numbers.load_errors,
            "load_seconds": numbers.load_seconds,
            "consistency_conflicts": numbers.consistency_conflicts,
        },
        "memory": {
            "current_size_mb": used / _MB,
            "max_size_mb": None if limit is None else limit / _MB,
            "max_entries": cache.max_entries,
            "utilization_percentage": utilization,
            "entry_count": len(cache),
        },
        "configuration": {
            "eviction_strategy": strategy.value
            if isinstance(strategy, CacheEvictionStrategy)
            else strategy,
            "consistency_level": cache.consistency_level.value,
            "prefetching_enabled": cache.enable_prefetching,
        },
        "prefetching": prefetching(cache),
        "optimization": {
            "optimization_cycles": len(cache.optimization_history),
            "current_strategy_performance": cache.describe_policy(),
        },
    }
