"""What times to live would cost, for the traffic in a trace.

Replays whose clock is the trace's tell what a time to live loses.  The shortest
is suggested that loses at most a hundredth of the hits.

A time to live unread is suggested where memory has a price: keeping an entry
from one request to the next takes its bytes for that long, and saves a load.
Giving up after a time T costs the hits that would have come later, and spares
what the others would have taken after T; the suggested T leaves most.  This is
exact for the requests in the trace and a cache that evicts nothing; in one of
the best capacity, entries are evicted at about that time anyway (H. Che, Y. Tung
and Z. Wang, Hierarchical Web Caching Systems, IEEE JSAC 20 (7), 2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scrubjay.lab.advice import OVERHEAD_BYTES, Weighing
from scrubjay.lab.model import Trace
from scrubjay.lab.optimum import next_uses
from scrubjay.lab.replay import ReplayResult
from scrubjay.lab.timed import Timed, replay_timed

LOST_HITS = 0.01
"""The share of the hits that a suggested time to live may lose."""

USUAL_SECONDS = (60.0, 600.0, 3600.0, 86400.0)
"""Times to live which are tried in any case, where the trace is longer."""

_RANGE = 1e6  # from the shortest time to live that is looked at to the longest
_TRIES = 7  # replays to find one in: to within a tenth


@dataclass(frozen=True)
class Lifetime:
    """What a time to live, or one to live unread, would lose.

    Attributes:
        seconds: the time.
        ttl_hit_ratio: the share of the requests that hit if entries live that long.
        idle_hit_ratio: likewise if they live that long unread.
        ttl_load_cost: what loads would cost more in the first case.
        idle_load_cost: likewise in the second.
    """

    seconds: float
    ttl_hit_ratio: float
    idle_hit_ratio: float
    ttl_load_cost: float
    idle_load_cost: float


@dataclass(frozen=True)
class Lifetimes:
    """What is to be said of times to live.

    Attributes:
        hit_ratio: the share of the requests that hit if entries live for ever.
        ttl_seconds: the shortest time to live that loses few hits; None where even one
            of half the trace loses more.
        idle_seconds: the time unread after which an entry is not worth its memory; where
            memory has no price the shortest that loses few hits. None where no time is.
        tried: what times to live would lose, the shortest first.
    """

    hit_ratio: float
    ttl_seconds: float | None
    idle_seconds: float | None
    tried: tuple[Lifetime, ...]


def try_lifetimes(
    trace: Trace, capacity: int, strategy: str, weighing: Weighing, *, in_bytes: bool
) -> Lifetimes | None:
    """Suggest times to live, and replay with these and the usual ones.

    Args:
        trace: the requests, with times.
        capacity: size of the cache for the keys of the trace, in entries or bytes.
        strategy: how the cache chooses what to evict.
        weighing: how costs are counted.
        in_bytes: whether the capacity is in bytes.

    Returns:
        What came of it; None where the trace takes no time.
    """
    span = max(trace.seconds) - min(trace.seconds) if trace.seconds else 0.0
    if span <= 0:
        return None

    def run(ttl: float | None = None, idle: float | None = None) -> Timed:
        return replay_timed(
            trace, capacity, strategy, in_bytes=in_bytes, ttl_seconds=ttl, idle_seconds=idle
        )

    def lost(result: ReplayResult) -> float:
        return weighing.of_loads(result) - weighing.of_loads(kept.result)

    kept = run()
    ttl = _shortest(lambda time: run(ttl=time).result.hits, kept.result.hits, span / 2)
    memory = weighing.prices.memory
    if memory is None or not weighing.weighed:
        idle = shortest_idle(kept.gaps, span / 2)
    else:
        sizes = None if in_bytes else weighing.traffic.entry_bytes
        worth = worthwhile_idle(
            trace, weighing.prices.of_each(trace), memory.per_byte_second, sizes
        )
        idle = round_up(worth) if worth else None
    times = {time for time in (*USUAL_SECONDS, ttl, idle) if time is not None and time < span}
    tried = []
    for time in sorted(times):
        by_age, by_gap = run(ttl=time).result, run(idle=time).result
        tried.append(
            Lifetime(
                time,
                weighing.hit_ratio(by_age),
                weighing.hit_ratio(by_gap),
                lost(by_age),
                lost(by_gap),
            )
        )
    return Lifetimes(weighing.hit_ratio(kept.result), ttl, idle, tuple(tried))


def _shortest(hits: Callable[[float], int], most: int, longest: float) -> float | None:
    """The shortest time that leaves enough hits, nearly, by trying some."""
    enough = (1 - LOST_HITS) * most
    if not most or hits(longest) < enough:
        return None
    short, long = longest / _RANGE, longest
    for _ in range(_TRIES):
        middle = math.sqrt(short * long)
        short, long = (short, middle) if hits(middle) >= enough else (middle, long)
    return min(round_up(long), longest)


def shortest_idle(gaps: Sequence[float], longest: float) -> float | None:
    """The shortest time to live unread that loses few hits.

    Args:
        gaps: for each hit the seconds since its key was asked for before.
        longest: the longest time that the trace can tell of, in seconds.

    Returns:
        The time, rounded up to two digits; None where there are no hits, or
        so many after long gaps that a longer trace would have longer ones.
    """
    if not gaps:
        return None
    gap = sorted(gaps)[math.ceil((1 - LOST_HITS) * len(gaps)) - 1]
    return round_up(gap) if gap <= longest else None


def round_up(seconds: float) -> float:
    """Round up to two digits, so that nothing is lost by it."""
    if seconds <= 0:
        return 0.001
    step = 10.0 ** (math.floor(math.log10(seconds)) - 1)
    return float(f"{math.ceil(seconds / step - 1e-9) * step:.3g}")


def worthwhile_idle(
    trace: Trace, load_costs: Sequence[float], byte_second: float, entry_bytes: float | None
) -> float | None:
    """How long an entry that is not asked for is worth its memory.

    Args:
        trace: the requests; they need times.
        load_costs: what a load at each request costs.
        byte_second: what a byte costs for a second.
        entry_bytes: bytes of each entry; None for the trace's own sizes.

    Returns:
        The time in seconds after which keeping costs more than it saves; None
        where keeping all entries pays as far as the trace tells, and 0 where
        keeping none does.
    """
    seconds = trace.seconds or ()
    end = max(seconds, default=0.0)
    count = len(trace)
    spans: list[tuple[float, float, float]] = []  # until when, what is saved then, bytes
    for now, then in enumerate(next_uses(trace.keys)):
        returns = then < count
        until = (seconds[then] if returns else end) - seconds[now]
        size = (trace.sizes or ())[now] if entry_bytes is None else entry_bytes
        saving = load_costs[then] if returns else 0.0
        spans.append((max(0.0, until), saving, size + OVERHEAD_BYTES))
    spans.sort()
    open_bytes = math.fsum(size for _, _, size in spans)
    saved = taken = best_gain = best = last = 0.0
    for position, (until, saving, size) in enumerate(spans):
        saved += saving
        taken += until * size
        open_bytes -= size
        if saving:
            last = until
        if position + 1 < count and spans[position + 1][0] == until:
            continue  # those of the same length are kept or given up together
        gain = saved - byte_second * (taken + until * open_bytes)
        if gain > best_gain:
            best_gain, best = gain, until
    return None if best_gain > 0 and best >= last else best
