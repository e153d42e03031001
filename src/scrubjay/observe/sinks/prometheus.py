"""Metrics for Prometheus; needs the extra ``prometheus``.

Everything is read from the caches when Prometheus asks, so that nothing is added to what a
request costs. Only events that are rare are counted as they happen. Labels are names of
caches, tiers, causes and kinds: keys, tags and namespaces, of which there may be any
number, are never labels.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scrubjay.errors import MissingExtraError
from scrubjay.events import Event, EventKind
from scrubjay.observe.histogram import Histogram
from scrubjay.observe.sinks.sink import Sink
from scrubjay.observe.statistics import TierGroup

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtraError(
        "the Prometheus sink needs the extra 'prometheus': "
        f"pip install 'scrubjay[prometheus]' ({error})"
    ) from error

__all__ = ["PrometheusSink"]

_BOUNDS = tuple(base * 10.0**power for power in range(-7, 2) for base in (1.0, 2.5, 5.0))
_COUNTED = frozenset(  # what no statistics tell, and what does not happen all the time
    {
        EventKind.LOAD_CANCEL,
        EventKind.REFRESH,
        EventKind.BREAKER,
        EventKind.DEGRADED,
        EventKind.RECOVERED,
        EventKind.OVERFLOW,
        EventKind.CORRUPTION,
        EventKind.QUARANTINE,
        EventKind.DISCARD,
        EventKind.FULL,
        EventKind.SAVE,
        EventKind.RESTORE,
        EventKind.TUNE,
    }
)


class PrometheusSink(Sink, Collector):
    """Collects the figures of caches, in the registry of prometheus-client.

    Args:
        registry: where it registers itself; None for prometheus-client's own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__()
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._registry = REGISTRY if registry is None else registry
        self._registry.register(self)

    def close(self) -> None:
        """Collect nothing any more, and leave the registry."""
        super().close()
        self._registry.unregister(self)

    def _begin(self, store: Any, label: str) -> Callable[[], None]:
        def count(event: Event) -> None:
            with self._lock:
                self._events[label, event.kind.value, event.tier] += event.amount

        end: Callable[[], None] = store.on_event(count, _COUNTED, queued=False)

        def leave() -> None:
            end()
            with self._lock:  # else caches that come and go would leave series behind
                for place in [one for one in self._events if one[0] == label]:
                    del self._events[place]

        return leave

    def describe(self) -> Iterable[Metric]:
        """Tell the registry nothing before the first collection: caches come and go."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return the figures as they are now; called by prometheus-client."""
        families = _Families()
        for label, store in self._roster.items():
            families.add(label, store)
        events = CounterMetricFamily(
            "scrubjay_events", "Events by kind", labels=["cache", "kind", "tier"]
        )
        with self._lock:
            counted = sorted(self._events.items())
        for labels, amount in counted:
            events.add_metric(labels, amount)
        yield from (*families.all(), events)


_TEXTS = {
    "requests": "Requests by result",
    "removals": "Entries gone, by cause",
    "entries": "Entries in memory",
    "entries_limit": "Bound on entries",
    "loads": "Calls of loaders by outcome",
    "load_seconds": "Time spent in loaders",
    "loads_under_way": "Loads under way",
    "prefetched": "Prefetched entries by fate",
    "prefetch_waiting": "Prefetched entries that are there, and not used yet",
    "consistency_conflicts": "Reads refused as too old for who asked, and copies found not to be the last",
    "events_dropped": "Events dropped because a subscriber did not keep up",
    "way": "Always 1; the labels tell how entries are kept",
    "read_seconds": "Reads of memory, one in 1,024 timed",
    "wait_seconds": "Waits for loads, each timed",
    "tier_requests": "Requests by tier and result",
    "tier_ok": "1 if all is well with a tier, else 0",
    "tier_entries": "Entries in a tier",
    "tier_bytes": "Bytes in a tier",
    "tier_limit_bytes": "Bound on the bytes of a tier",
    "tier_owed": "Removals that a tier has not been told of yet",
    "tier_queued": "Writes that wait",
    "tier_oldest_seconds": "For how long the oldest write that waits has",
    "tier_demoted": "Records that a tier has kept as memory had evicted them",
    "tier_lost": "Writes that waited, and were given up",
    "tier_writes": "Records that a tier has kept",
    "tier_errors": "Calls of a tier that failed",
    "tier_skipped": "Calls of a tier that were not made, as it had failed before",
    "tier_undecodable": "Records of a tier that could not be read",
    "stale_served": "Old values served in place of a load",
}


class _Families:
    """The metrics of one collection."""

    def __init__(self) -> None:
        self._families: dict[str, Any] = {}

    def all(self) -> list[Metric]:
        """Return them."""
        return list(self._families.values())

    def add(self, cache: str, store: Any) -> None:
        """Add the figures of one cache."""
        report = store.get_detailed_statistics()
        performance, memory, loads = report["performance"], report["memory"], report["loads"]
        self._count("requests", cache, performance["cache_hits"], result="hit")
        self._count("requests", cache, performance["cache_misses"], result="miss")
        for cause, number in performance["removals_by_cause"].items():
            self._count("removals", cache, number, cause=cause)
        self._gauge("entries", cache, memory["entry_count"])
        self._gauge("entries_limit", cache, memory["max_entries"])
        for tier, group in report["tiers"].items():
            self._tier(cache, tier, group)
        self._count("loads", cache, loads["count"] - loads["errors"], outcome="ok")
        self._count("loads", cache, loads["errors"], outcome="error")
        self._count("load_seconds", cache, loads["seconds"])
        self._gauge("loads_under_way", cache, loads["under_way"])
        self._count("stale_served", cache, loads["stale_served"])
        self._count("prefetched", cache, report["prefetch"]["used"], fate="used")
        self._count("prefetched", cache, report["prefetch"]["wasted"], fate="wasted")
        self._gauge("prefetch_waiting", cache, report["prefetch"]["waiting"])
        self._count("consistency_conflicts", cache, report["consistency"]["conflicts"])
        self._count("events_dropped", cache, report["events"]["dropped"])
        strategy = report["configuration"]["eviction_strategy"]
        way = report["optimization"]["current_strategy_performance"].get("way") or strategy
        self._gauge("way", cache, 1, strategy=strategy, way=way)
        reads, waits = store.latency.histograms()
        self._histogram("read_seconds", cache, reads)
        self._histogram("wait_seconds", cache, waits)

    def _tier(self, cache: str, tier: str, group: TierGroup) -> None:
        self._count("tier_requests", cache, group["hits"], tier=tier, result="hit")
        self._count("tier_requests", cache, group["misses"], tier=tier, result="miss")
        self._gauge("tier_ok", cache, int(group["state"] == "ok"), tier=tier)
        self._gauge("tier_entries", cache, group["entries"], tier=tier)
        self._gauge("tier_bytes", cache, group["bytes"], tier=tier)
        self._gauge("tier_limit_bytes", cache, group["capacity_bytes"], tier=tier)
        self._gauge("tier_owed", cache, group["owed"], tier=tier)
        self._gauge("tier_queued", cache, group["queued"], tier=tier)
        self._gauge("tier_oldest_seconds", cache, group["oldest_seconds"], tier=tier)
        self._count("tier_demoted", cache, group["demoted"], tier=tier)
        self._count("tier_lost", cache, group["lost"], tier=tier)
        self._count("tier_writes", cache, group["writes"], tier=tier)
        self._count("tier_errors", cache, group["errors"], tier=tier)
        self._count("tier_skipped", cache, group["skipped"], tier=tier)
        self._count("tier_undecodable", cache, group["undecodable"], tier=tier)

    def _count(self, name: str, cache: str, value: float, **labels: str) -> None:
        family = self._family(CounterMetricFamily, name, labels)
        family.add_metric([cache, *labels.values()], value)

    def _gauge(self, name: str, cache: str, value: float | None, **labels: str) -> None:
        if value is not None:  # unknown, or no bound
            family = self._family(GaugeMetricFamily, name, labels)
            family.add_metric([cache, *labels.values()], value)

    def _histogram(self, name: str, cache: str, durations: Histogram) -> None:
        counts = durations.cumulative(_BOUNDS)
        buckets = [(f"{bound:g}", count) for bound, count in zip(_BOUNDS, counts, strict=True)]
        buckets.append(("+Inf", durations.count))
        family = self._family(HistogramMetricFamily, name, ())
        family.add_metric([cache], buckets=buckets, sum_value=durations.seconds)

    def _family(self, kind: Any, name: str, labels: Iterable[str]) -> Any:
        family = self._families.get(name)
        if family is None:
            family = kind(f"scrubjay_{name}", _TEXTS[name], labels=["cache", *labels])
            self._families[name] = family
        return family
