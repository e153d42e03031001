"""Replaying requests through the shipped cache, to see what it would have hit.

Each request is a `get`, and a `put` when that misses.  Nothing is warmed up,
so first requests for a key count as the misses that they are.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

from scrubjay.cache import Cache
from scrubjay.lab.model import Trace, TraceError
from scrubjay.types import CacheEvictionStrategy

_ABSENT = object()
_MB = 1 << 20


@dataclass(frozen=True)
class ReplayResult:
    """What a replay came to.

    Attributes:
        requests: number of requests replayed.
        hits: how many of them the cache answered.
        evictions: how many entries were evicted to make room; None if not known.
        seconds: wall time of the replay.
        bytes_requested: sum of the sizes of all requests; 0 without sizes.
        bytes_missed: likewise of those that missed.
        cost_requested: sum of the costs of all requests; 0 without costs.
        cost_missed: likewise of those that missed, which is what loading cost.
    """

    requests: int
    hits: int
    evictions: int | None
    seconds: float
    bytes_requested: int = 0
    bytes_missed: int = 0
    cost_requested: float = 0.0
    cost_missed: float = 0.0

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

    @property
    def bytes_hit(self) -> int:
        """Sum of the sizes of the requests that hit."""
        return self.bytes_requested - self.bytes_missed

    @property
    def byte_miss_ratio(self) -> float | None:
        """Share of the bytes that missed, from 0 to 1; None without sizes."""
        return self.bytes_missed / self.bytes_requested if self.bytes_requested else None

    @property
    def cost_miss_ratio(self) -> float | None:
        """Share of the costs that had to be paid, from 0 to 1; None without costs."""
        known = 0 < self.cost_requested < math.inf  # a sum of huge ones has no end
        return self.cost_missed / self.cost_requested if known else None


class Replayer:
    """A cache that starts empty, and the count of what it hits.

    Args:
        capacity: size of the cache in entries, or in bytes.
        strategy: how the cache chooses what to evict; an objective of ADAPTIVE may
            follow its name, as in ``adaptive:bytes``.
        in_bytes: whether the capacity is in bytes; each request then needs a
            size, and an object may take up to the whole cache.
        sessions: whether the cache is told the client of each request, where the
            trace has them, as the session.

    Raises:
        InvalidArgumentError: the capacity is not above zero, or there is no
            such strategy.
    """

    def __init__(
        self,
        capacity: int,
        strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
        *,
        in_bytes: bool = False,
        sessions: bool = True,
    ) -> None:
        self._in_bytes = in_bytes
        name, objective = split_objective(strategy)
        self._sessions = sessions
        self._cache: Cache[Hashable, int] = Cache(
            max_entries=None if in_bytes else capacity,
            max_size_mb=capacity / _MB if in_bytes else None,
            max_value_fraction=1.0,
            sizer=_own_size if in_bytes else None,
            eviction_strategy=name,
            objective=objective,
            enable_prefetching=False,
        )
        self._requests = self._misses = 0
        self._bytes = self._bytes_missed = 0
        self._cost = self._cost_missed = 0.0
        self._seconds = 0.0

    def feed(self, trace: Trace) -> None:
        """Replay a trace, or the next chunk of one.

        Args:
            trace: the requests.

        Raises:
            TraceError: the capacity is in bytes, and the trace has no sizes.
        """
        if self._in_bytes and trace.sizes is None:
            raise TraceError(f"{trace.name}: a capacity in bytes needs a trace with sizes")
        start = perf_counter()
        if trace.sizes is None and trace.costs is None:
            self._feed_keys(trace.keys, trace.clients if self._sessions else None)
        else:
            self._feed_weighted(trace)
        self._seconds += perf_counter() - start
        self._requests += len(trace)

    def result(self) -> ReplayResult:
        """What the replay has come to so far."""
        return ReplayResult(
            self._requests,
            self._requests - self._misses,
            self._cache.statistics.evictions,
            self._seconds,
            self._bytes,
            self._bytes_missed,
            self._cost,
            self._cost_missed,
        )

    def _feed_keys(self, keys: Sequence[Hashable], clients: Sequence[int] | None) -> None:
        get, put = self._cache.get, self._cache.put
        misses = 0
        if clients is not None:
            for key, client in zip(keys, clients, strict=True):
                context = {"session_id": client}
                if get(key, _ABSENT, context=context) is _ABSENT:
                    misses += 1
                    put(key, 1, context=context)
            self._misses += misses
            return
        for key in keys:
            if get(key, _ABSENT) is _ABSENT:
                misses += 1
                put(key, 1)
        self._misses += misses

    def _feed_weighted(self, trace: Trace) -> None:
        get, put = self._cache.get, self._cache.put
        sizes = trace.sizes if trace.sizes is not None else [0] * len(trace)
        costs = trace.costs if trace.costs is not None else [0.0] * len(trace)
        contexts: Iterable[dict[str, int] | None] = [None] * len(trace)
        if self._sessions and trace.clients is not None:
            contexts = ({"session_id": client} for client in trace.clients)
        for key, size, cost, context in zip(trace.keys, sizes, costs, contexts, strict=True):
            if get(key, _ABSENT, context=context) is _ABSENT:
                self._misses += 1
                self._bytes_missed += size
                self._cost_missed += cost
                # The value is its own size; an empty object still takes a byte.
                put(key, size or 1, cost=cost or None, context=context)
        self._bytes += sum(sizes)
        self._cost += sum(costs)


def split_objective(
    strategy: CacheEvictionStrategy | str,
) -> tuple[CacheEvictionStrategy | str, str | None]:
    """Tell a strategy from the objective that follows it after a colon.

    Args:
        strategy: a strategy, or its name with or without an objective.

    Returns:
        The strategy, and the objective or None.
    """
    if not isinstance(strategy, str) or ":" not in strategy:
        return strategy, None
    name, _, objective = strategy.partition(":")
    return name, objective


def replay(
    keys: Sequence[Hashable],
    capacity: int,
    strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
    *,
    sizes: Sequence[int] | None = None,
    costs: Sequence[float] | None = None,
    in_bytes: bool = False,
    clients: Sequence[int] | None = None,
) -> ReplayResult:
    """Replay requests through a cache that starts empty.

    Args:
        keys: the key of each request, in order.
        capacity: size of the cache in entries, or in bytes.
        strategy: how the cache chooses what to evict.
        sizes: the size of each requested object in bytes.
        costs: what loading each requested object costs.
        in_bytes: whether the capacity is in bytes; needs `sizes`.
        clients: the number of the client or session behind each request.

    Returns:
        The hits and misses.

    Raises:
        InvalidArgumentError: the capacity is not above zero, or there is no
            such strategy.
        TraceError: the capacity is in bytes, and there are no sizes.
    """
    return replay_chunks(
        [Trace("the requests", keys, sizes=sizes, clients=clients, costs=costs)],
        capacity,
        strategy,
        in_bytes=in_bytes,
    )


def replay_chunks(
    chunks: Iterable[Trace],
    capacity: int,
    strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
    *,
    in_bytes: bool = False,
    sessions: bool = True,
) -> ReplayResult:
    """Replay a trace that is read in chunks, as by `stream_trace`.

    Args:
        chunks: the trace, in order.
        capacity: size of the cache in entries, or in bytes.
        strategy: how the cache chooses what to evict.
        in_bytes: whether the capacity is in bytes; needs sizes.
        sessions: whether the cache is told the client of each request as the session.

    Returns:
        The hits and misses.

    Raises:
        InvalidArgumentError: as for `replay`.
        TraceError: as for `replay`, or the trace cannot be read.
    """
    replayer = Replayer(capacity, strategy, in_bytes=in_bytes, sessions=sessions)
    for chunk in chunks:
        replayer.feed(chunk)
    return replayer.result()


def _own_size(value: int) -> int:
    return value
