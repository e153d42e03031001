"""The most that any cache can hit: Belady's optimum, and a bound with sizes.

For objects of equal size the optimum is exact: keep what is asked for again
soonest.  The cache may decline to keep an object, as admission policies do,
so this is a bound for them as well.  It takes O(n log n): all next uses are
different numbers, and those that lie in the past are smaller than any in the
future, so a heap by next use never has a stale entry on top.

With sizes the exact optimum is NP-hard.  The bound is PFOO-L: keeping an
object from one request to the next takes its size times the requests between;
the cheapest such intervals are taken until the capacity over the whole trace
is used up, as if it could be lent from one moment to another.  A cache keeps an
object as large as it was when it was stored.  Where sizes change, the least that
an object has had so far is therefore what keeping it takes.

References:
    Belady, A study of replacement algorithms, IBM Systems Journal 5 (2), 1966.
    Berger, Beckmann and Harchol-Balter, Practical bounds on optimal caching
    with variable object sizes, POMACS 2 (2), 2018.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from heapq import heapify, heappush, heappushpop
from time import perf_counter

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.replay import ReplayResult


def belady(trace: Trace, capacity: int, *, in_bytes: bool = False) -> ReplayResult:
    """The most hits that a cache could have, knowing the future.

    Args:
        trace: the requests.
        capacity: size of the cache in entries, or in bytes.
        in_bytes: whether the capacity is in bytes; needs sizes.

    Returns:
        In entries the optimum, with the bytes and costs that it happens to
        miss.  In bytes an upper bound on the hits, and another, under a
        schedule of its own, on the bytes hit; evictions are not known there.

    Raises:
        InvalidArgumentError: the capacity is not above zero.
        TraceError: the capacity is in bytes, and the trace has no sizes.
    """
    if capacity < 1:
        raise InvalidArgumentError(f"capacity must be above zero, not {capacity!r}")
    start = perf_counter()
    if not in_bytes:
        hit, evictions = _optimal_hits(next_uses(trace.keys), capacity)
        missed = [not flag for flag in hit] if trace.sizes or trace.costs else []
        return ReplayResult(
            len(trace),
            hit.count(1),
            evictions,
            perf_counter() - start,
            sum(trace.sizes or ()),
            sum(size for size, miss in zip(trace.sizes or (), missed, strict=False) if miss),
            sum(trace.costs or ()),
            sum(cost for cost, miss in zip(trace.costs or (), missed, strict=False) if miss),
        )
    if trace.sizes is None:
        raise TraceError(f"{trace.name}: a capacity in bytes needs a trace with sizes")
    total = sum(trace.sizes)
    hits, bytes_hit = _bound_with_sizes(trace.keys, trace.sizes, capacity)
    return ReplayResult(len(trace), hits, None, perf_counter() - start, total, total - bytes_hit)


def next_uses(keys: Sequence[Hashable]) -> array[int]:
    """When each request's key is asked for again.

    Args:
        keys: the key of each request, in order.

    Returns:
        For each request the position of the next one for its key; the number
        of requests when there is none.
    """
    count = len(keys)
    following: array[int] = array("q", bytes(8 * count))
    seen: dict[Hashable, int] = {}
    for position in range(count - 1, -1, -1):
        key = keys[position]
        following[position] = seen.get(key, count)
        seen[key] = position
    return following


def _optimal_hits(following: array[int], capacity: int) -> tuple[bytearray, int]:
    """Which requests hit, as flags, and how many entries are evicted."""
    count = len(following)
    kept = bytearray(count)  # by next use: is what will be asked for there kept until then?
    heap: list[int] = []  # next uses, negated: the farthest first
    live = evictions = 0
    bound = max(1 << 12, 2 * capacity)
    for now, then in enumerate(following):
        live -= kept[now]
        if then == count:
            continue
        if live < capacity:
            heappush(heap, -then)
            kept[then] = 1
            live += 1
            if len(heap) > bound:
                # Hits leave their past behind at the bottom of the heap.
                heap = [use for use in heap if -use > now]
                heapify(heap)
        else:
            farthest = -heappushpop(heap, -then)
            if farthest != then:
                kept[farthest] = 0
                kept[then] = 1
                evictions += 1
    return kept, evictions


def _bound_with_sizes(
    keys: Sequence[Hashable], sizes: Sequence[int], capacity: int
) -> tuple[int, int]:
    """At most how many requests hit, and under another schedule how many bytes."""
    least: dict[Hashable, int] = {}
    spans = []  # what keeping takes for each byte hit, what it takes in all, the bytes hit
    areas = []
    count = len(keys)
    for now, then in enumerate(next_uses(keys)):
        size = min(sizes[now] or 1, least.get(keys[now], sizes[now] or 1))
        least[keys[now]] = size
        if then < count and size <= capacity:
            area = (then - now) * size
            areas.append(area)
            if sizes[then]:
                spans.append((area / sizes[then], area, sizes[then]))
    hits = _fill(sorted(areas), capacity * count)
    spans.sort()
    budget = capacity * count
    bytes_hit = 0
    for _, area, gain in spans:
        if area > budget:
            bytes_hit += gain * budget // area
            break
        bytes_hit += gain
        budget -= area
    return hits, bytes_hit


def _fill(areas: list[int], budget: int) -> int:
    """How many of the areas, smallest first, find room, the last one perhaps in part."""
    for number, area in enumerate(areas):
        budget -= area
        if budget < 0:
            return number
    return len(areas)
