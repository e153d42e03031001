"""The five eviction strategies side by side, on the traffic of one run; and prefetching.

The recording is replayed against the recorded sizes, costs and times on a
manual clock; the database is not asked again.  The cache is given a small
share of the memory that all answers together take, so that it must choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scrubjay import Cache, CacheEvictionStrategy, ManualClock
from scrubjay.demo.pages import Page
from scrubjay.demo.recording import Recording
from scrubjay.demo.source import Write

CAPACITY_SHARE = 0.2
_MEGABYTE = 1024 * 1024
_MIN_CAPACITY_BYTES = _MEGABYTE
_ABSENT = object()


@dataclass(frozen=True)
class StrategyOutcome:
    """What one strategy made of the traffic.

    Attributes:
        strategy: its name.
        requests: number of reads.
        hits: how many of them the cache answered.
        evictions: how many entries were evicted to make room.
        source_seconds: what the misses would have taken to load.
        loads: how often the source would have been asked, ahead or not.
    """

    strategy: str
    requests: int
    hits: int
    evictions: int
    source_seconds: float
    loads: int

    @property
    def hit_rate(self) -> float:
        """Share of the reads that hit, from 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0


def compare_strategies(recording: Recording, capacity_bytes: int) -> Iterator[StrategyOutcome]:
    """Replay a recording under every strategy.

    Args:
        recording: what to replay.
        capacity_bytes: size of the cache.

    Yields:
        The outcome of each strategy as soon as it is there.
    """
    for strategy in CacheEvictionStrategy:
        yield _replay(recording, capacity_bytes, strategy)


def small_capacity(recording: Recording) -> int:
    """A size in bytes at which evicting well matters."""
    return max(_MIN_CAPACITY_BYTES, round(recording.footprint_bytes * CAPACITY_SHARE))


def _replay(
    recording: Recording, capacity_bytes: int, strategy: CacheEvictionStrategy
) -> StrategyOutcome:
    clock = ManualClock()
    # The value stored is the size that it stands for.
    cache: Cache[str, int] = Cache(
        capacity_bytes / _MEGABYTE,
        strategy,
        enable_prefetching=False,
        sizer=_size,
        clock=clock,
    )
    requests = misses = 0
    source_seconds = 0.0
    for event, _ in _reads(recording, cache, clock):
        key = event.key
        requests += 1
        if cache.get(key, _ABSENT) is _ABSENT:
            misses += 1
            cost = recording.costs.get(key, 0.0)
            source_seconds += cost
            cache.put(
                key,
                recording.sizes.get(key, 1),
                event.ttl_seconds,
                event.priority,
                event.tags,
                dependencies=event.dependencies,
                cost=cost,
            )
    return StrategyOutcome(
        strategy.value,
        requests,
        requests - misses,
        cache.statistics.evictions,
        source_seconds,
        misses,
    )


def _reads(
    recording: Recording, cache: Cache[str, int], clock: ManualClock
) -> Iterator[tuple[Page, str]]:
    """Return the reads of a recording and who does them; advance the clock, and carry out writes.

    Args:
        recording: what to replay.
        cache: what its writes remove from.
        clock: the cache's.
    """
    now = 0.0
    for at, event, session in recording.events:
        if at > now:
            clock.advance(at - now)
            now = at
        if isinstance(event, Write):
            cache.invalidate_many(event.keys)
            cache.invalidate_by_tags(event.tags)
        else:
            yield event, session


def prefetch_outcome(recording: Recording, capacity_bytes: int) -> StrategyOutcome:
    """Replay a recording under ADAPTIVE with prefetching, where loads take no time.

    Args:
        recording: what to replay.
        capacity_bytes: size of the cache.
    """
    clock = ManualClock()
    cache: Cache[str, int] = Cache(
        capacity_bytes / _MEGABYTE,
        CacheEvictionStrategy.ADAPTIVE,
        loader=lambda key: recording.sizes.get(key, 1),
        sizer=_size,
        clock=clock,
    )
    prefetcher = cache.prefetcher
    assert prefetcher is not None
    source_seconds = 0.0
    for event, session in _reads(recording, cache, clock):
        misses = cache.misses
        cost = recording.costs.get(event.key, 0.0)
        cache.get_or_load(
            event.key,
            ttl_seconds=event.ttl_seconds,
            priority=event.priority,
            tags=event.tags,
            dependencies=event.dependencies,
            cost=cost,
            context={"session_id": session},
        )
        source_seconds += cost * (cache.misses - misses)
        prefetcher.join()
    prefetcher.close()
    statistics = cache.statistics
    return StrategyOutcome(
        "adaptive, prefetching",
        statistics.total_requests,
        statistics.cache_hits,
        statistics.evictions,
        source_seconds,
        statistics.loads,
    )


def _size(value: int) -> int:
    return value
