"""Replaying requests by their own clock, so that entries expire as they would have."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from itertools import repeat
from time import perf_counter

from scrubjay.cache import Cache
from scrubjay.lab.model import Trace
from scrubjay.lab.replay import ReplayResult, split_objective

_MB = 1 << 20
_ABSENT = object()


@dataclass
class Timed:
    """A replay by the trace's clock.

    Attributes:
        result: what it came to.
        gaps: for each hit the seconds since the key was asked for before.
    """

    result: ReplayResult
    gaps: array[float]


class _TraceClock:
    """A clock that shows the time of the request which is replayed."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def with_times(trace: Trace, requests: float, rate: float | None) -> Trace:
    """Give a trace the times of another rate.

    Args:
        trace: the trace.
        requests: how many requests for all keys it stands for.
        rate: requests a second for all keys; None leaves the times as they are.

    Returns:
        The trace with its times stretched, or with evenly spaced ones if it has none.
    """
    if rate is None:
        return trace
    count = len(trace)
    duration = requests / rate
    times = trace.seconds or range(count)
    first, last = min(times), max(times)
    stretch = duration / (last - first) if last > first else 0.0
    return replace(trace, seconds=array("d", ((moment - first) * stretch for moment in times)))


def replay_timed(
    trace: Trace,
    capacity: int,
    strategy: str,
    *,
    in_bytes: bool = False,
    ttl_seconds: float | None = None,
    idle_seconds: float | None = None,
) -> Timed:
    """Replay a trace by its own clock.

    Args:
        trace: the requests; they need times.
        capacity: size of the cache in entries, or in bytes.
        strategy: how the cache chooses what to evict; see `Replayer`.
        in_bytes: whether the capacity is in bytes; needs sizes.
        ttl_seconds: how long entries live.
        idle_seconds: how long they live unread.

    Returns:
        What it came to, and how long the keys that hit were not asked for.
    """
    clock = _TraceClock()
    name, objective = split_objective(strategy)
    cache: Cache[Hashable, int] = Cache(
        max_entries=None if in_bytes else capacity,
        max_size_mb=capacity / _MB if in_bytes else None,
        max_value_fraction=1.0,
        sizer=_own_size if in_bytes else None,
        eviction_strategy=name,
        objective=objective,
        ttl_seconds=ttl_seconds,
        idle_seconds=idle_seconds,
        clock=clock,
    )
    get, put = cache.get, cache.put
    asked: dict[Hashable, float] = {}
    gaps = array("d")
    cost_missed = 0.0
    start = perf_counter()
    seconds = trace.seconds or [0.0]
    first = seconds[0]
    contexts: Iterable[dict[str, int] | None] = repeat(None)
    if trace.clients is not None:
        contexts = ({"session_id": client} for client in trace.clients)
    sizes, costs = trace.sizes or repeat(1), trace.costs or repeat(0.0)
    for key, moment, size, cost, context in zip(
        trace.keys, seconds, sizes, costs, contexts, strict=False
    ):
        now = clock.now = max(clock.now, moment - first)
        if get(key, _ABSENT, context=context) is _ABSENT:
            cost_missed += cost
            put(key, size or 1, cost=cost or None, context=context)
        else:
            gaps.append(now - asked[key])
        asked[key] = now
    result = ReplayResult(
        len(trace),
        len(gaps),
        cache.statistics.evictions,
        perf_counter() - start,
        cost_requested=sum(trace.costs or ()),
        cost_missed=cost_missed,
    )
    return Timed(result, gaps)


def _own_size(value: int) -> int:
    return value
