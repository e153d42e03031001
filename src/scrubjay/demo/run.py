"""One run of the demonstration: create the source, make the traffic, compare.

It is an exercise in full: more than a hundred thousand operations of many
users on one adaptive cache, most of them answered from memory, and none of
them with anything stale.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from scrubjay import AdaptiveCache
from scrubjay.demo.compare import (
    StrategyOutcome,
    compare_strategies,
    prefetch_outcome,
    small_capacity,
)
from scrubjay.demo.queries import Answer
from scrubjay.demo.recording import Recording
from scrubjay.demo.result import DemoResult, Latencies, Progress
from scrubjay.demo.source import Source
from scrubjay.demo.traffic import Traffic
from scrubjay.demo.workload import PHASES, Workload, users_for
from scrubjay.errors import InvalidArgumentError
from scrubjay.layers import LowerLayer
from scrubjay.types import CacheEvictionStrategy, CacheStatistics

ProgressCallback = Callable[[Progress], None]

_BUDGET_MB = 32.0
_SMALL_BUDGET_MB = 0.25  # over other tiers, so that there is something to find there
_PROGRESS_SECONDS = 0.2
_MEASURED_LOADS = 150


def run_demo(
    operations: int = 200_000,
    seed: int = 1,
    on_progress: ProgressCallback | None = None,
    tiers: Sequence[LowerLayer] = (),
) -> DemoResult:
    """Run the demonstration.

    Args:
        operations: how many operations to make on the cache.
        seed: seed of the data and the traffic.
        on_progress: called now and then with where the run is.
        tiers: where answers are kept below memory, which is small then.

    Returns:
        What it came to.

    Raises:
        InvalidArgumentError: there is no operation to make.
    """
    if operations < 1:
        raise InvalidArgumentError(f"operations must be at least 1, not {operations}")
    report = on_progress or _ignore
    start = perf_counter()
    # Removing the directory must not fail where an open file forbids it.
    with tempfile.TemporaryDirectory(prefix="scrubjay-demo-", ignore_cleanup_errors=True) as name:
        report(Progress("creating the database", 0, 1))
        with closing(Source(Path(name), users_for(operations), seed)) as source:
            workload = Workload(source.catalogue, operations, seed)
            source.measure_quietly(islice(workload.reads(0), _MEASURED_LOADS))
            run = asyncio.run(_make_traffic(source, workload, seed, report, tiers))
    run.traffic.recording.finish(source.costs.by_key)
    capacity = small_capacity(run.traffic.recording)
    outcomes = _compare(run.traffic.recording, capacity, report)
    report(Progress("prefetching", 0, 1))
    prefetched = prefetch_outcome(run.traffic.recording, capacity)
    return _summarise(run, source, seed, capacity, outcomes, prefetched, perf_counter() - start)


@dataclass(frozen=True)
class _Run:
    """The traffic that was made, and the cache's own view of it."""

    traffic: Traffic
    statistics: CacheStatistics
    entries: int
    budget_bytes: int
    seconds: float
    tiers: dict[str, int]


async def _make_traffic(
    source: Source,
    workload: Workload,
    seed: int,
    report: ProgressCallback,
    tiers: Sequence[LowerLayer],
) -> _Run:
    async with AdaptiveCache[Any, Answer](
        _SMALL_BUDGET_MB if tiers else _BUDGET_MB,
        name="demo",
        tiers=tiers,
        namespace="scrubjay-demo",
    ) as cache:
        if tiers:
            await cache.clear()  # the source is a new one in each run
        traffic = Traffic(cache, source, workload, seed)
        start = perf_counter()
        watching = asyncio.create_task(_watch(traffic, cache, source, workload.operations, report))
        try:
            await traffic.run()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        report(_progress(traffic, cache, source, workload.operations, perf_counter() - start))
        return _Run(
            traffic,
            cache.statistics,
            len(cache),
            cache.max_size_bytes or 0,
            perf_counter() - start,
            {name: tier["hits"] for name, tier in cache.sync.lower_tiers().items()},
        )


async def _watch(
    traffic: Traffic,
    cache: AdaptiveCache[Any, Answer],
    source: Source,
    operations: int,
    report: ProgressCallback,
) -> None:
    start = perf_counter()
    while True:
        report(_progress(traffic, cache, source, operations, perf_counter() - start))
        await asyncio.sleep(_PROGRESS_SECONDS)


def _progress(
    traffic: Traffic,
    cache: AdaptiveCache[Any, Answer],
    source: Source,
    operations: int,
    seconds: float,
) -> Progress:
    reads = len(traffic.recording.read_seconds)
    return Progress(
        f"traffic, phase {traffic.phase + 1} of {PHASES}",
        traffic.operations,
        operations,
        cache.statistics.hit_rate,
        1e3 * traffic.seconds_reading / reads if reads else 0.0,
        source.costs.loads,
        seconds,
    )


def _compare(
    recording: Recording, capacity: int, report: ProgressCallback
) -> tuple[StrategyOutcome, ...]:
    outcomes: list[StrategyOutcome] = []
    total = len(CacheEvictionStrategy)
    report(Progress("comparing strategies", 0, total))
    for outcome in compare_strategies(recording, capacity):
        outcomes.append(outcome)
        report(Progress("comparing strategies", len(outcomes), total))
    return tuple(outcomes)


def _summarise(
    run: _Run,
    source: Source,
    seed: int,
    capacity: int,
    outcomes: tuple[StrategyOutcome, ...],
    prefetched: StrategyOutcome,
    seconds: float,
) -> DemoResult:
    traffic, ledger, statistics = run.traffic, run.traffic.ledger, run.statistics
    return DemoResult(
        seed=seed,
        operations=traffic.operations,
        writes=traffic.writes,
        sync_reads=traffic.sync_reads,
        users=len(traffic.users),
        sessions=traffic.sessions,
        source_rows=source.rows,
        requests=statistics.total_requests,
        hits=statistics.cache_hits,
        latency=Latencies.of(traffic.recording.read_seconds),
        source_calls=source.costs.loads,
        mean_load_ms=1e3 * source.costs.mean_seconds,
        quiet_load_ms=1e3 * source.costs.quiet_seconds,
        removals={str(cause): count for cause, count in statistics.removals_by_cause.items()},
        memory_bytes=statistics.memory_usage_bytes,
        budget_bytes=run.budget_bytes,
        entries=run.entries,
        checked_reads=ledger.checked_reads,
        compared=ledger.compared,
        faults=ledger.faults,
        fault_examples=tuple(ledger.examples),
        comparison_bytes=capacity,
        comparison=outcomes,
        prefetching=prefetched,
        traffic_seconds=run.seconds,
        total_seconds=seconds,
        tiers=run.tiers,
    )


def _ignore(progress: Progress) -> None:
    """Report to nobody."""
