"""Replaying requests through the shipped cache, to see what it would have hit.

Each request is a `get`, and a `put` when that misses.  Nothing is warmed up,
so first requests for a key count as the misses that they are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from time import perf_counter

from scrubjay.cache import Cache
from scrubjay.types import CacheEvictionStrategy

_ABSENT = object()


@dataclass(frozen=True)
class ReplayResult:
    """What a replay came to.

    Attributes:
        requests: Number of requests replayed.
        hits: How many of them the cache answered.
        evictions: How many entries were evicted to make room.
        seconds: Wall time of the replay.
    """

    requests: int
    hits: int
    evictions: int
    seconds: float

    @property
    def misses(self) -> int:
        """How many requests the cache could not answer."""
        return self.requests - self.hits

    @property
    def hit_ratio(self) -> float:
        """Share of the requests that hit, from 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def miss_ratio(self) -> float:
        """Share of the requests that missed, from 0 to 1."""
        return self.misses / self.requests if self.requests else 0.0


def replay(
    keys: Sequence[Hashable],
    capacity: int,
    strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
) -> ReplayResult:
    """Replay requests through a cache that starts empty.

    Args:
        keys: The key of each request, in order.
        capacity: Size of the cache in entries.
        strategy: How the cache chooses what to evict.

    Returns:
        The hits and misses.

    Raises:
        InvalidArgumentError: The capacity is below one entry, or there is no
            such strategy.
    """
    cache: Cache[Hashable, bool] = Cache(
        max_entries=capacity, eviction_strategy=strategy, enable_prefetching=False
    )
    get, put = cache.get, cache.put
    misses = 0
    start = perf_counter()
    for key in keys:
        if get(key, _ABSENT) is _ABSENT:
            misses += 1
            put(key, True)
    seconds = perf_counter() - start
    return ReplayResult(len(keys), len(keys) - misses, cache.statistics.evictions, seconds)
