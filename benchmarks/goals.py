"""What scrubjay sets out to reach, with its default settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.cases.consistency import (
    EACH_TIME,
    EVENTUAL,
    MINE_MONOTONIC,
    MINE_SESSION,
    MONOTONIC,
    OF_SESSION,
    SESSION,
)
from benchmarks.cases.disk import DISKCACHE
from benchmarks.cases.layered import SHARED
from benchmarks.cases.memoize import PLAIN_AWAIT
from benchmarks.cases.observed import SINKS
from benchmarks.cases.redis import BARE, REDIS_PY_ASYNC
from benchmarks.cases.threads import ALL, ONE
from benchmarks.cases.zipf import HIT_RATIO
from benchmarks.peers import DICT, LRU_CACHE, SCRUBJAY, stores
from benchmarks.results import Measured, Spread
from benchmarks.timing import LOOP_OVERHEAD

Read = Callable[[Measured], "Reading | None"]


@dataclass(frozen=True)
class Reading:
    """A goal's figure.

    Args:
        figure: The median, and its spread over rounds.
        net: The median ratio with the empty loop subtracted, where it applies.
        note: What else to know.
    """

    figure: Spread
    net: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """One figure and its limit.

    Args:
        title: What is measured, against what.
        case: Whose samples it reads.
        limit: The bound that the figure must keep.
        read: Takes the figure from the case, or None if it was not measured.
        unit: Follows the figure.
        at_least: Whether the limit is a lower bound.
        strict: Whether to equal the limit is not enough.
    """

    title: str
    case: str
    limit: float
    read: Read
    unit: str = "x"
    at_least: bool = False
    strict: bool = False

    def met(self, reading: Reading) -> bool:
        """Return whether the median keeps the limit."""
        figure = reading.figure.median
        if figure == self.limit:
            return not self.strict
        return (figure > self.limit) == self.at_least

    def close(self, reading: Reading) -> bool:
        """Return whether the limit lies between the quartiles: a rerun may differ."""
        return reading.figure.lower <= self.limit <= reading.figure.upper


def _ratio(reference: str, subject: str = SCRUBJAY) -> Read:
    def read(measured: Measured) -> Reading | None:
        spread = measured.ratio(subject, reference)
        net = measured.ratio(subject, reference, LOOP_OVERHEAD)
        if spread is None:
            return None
        subtracted = net.median if net and LOOP_OVERHEAD in measured.samples else None
        return Reading(spread, subtracted)

    return read


def _fastest_peer(measured: Measured) -> Reading | None:
    bounded = [peer.name for peer in stores(strategies=False) if peer.evicts]
    readings = {
        name: reading
        for name in bounded
        if name != SCRUBJAY and (reading := _ratio(name)(measured)) is not None
    }
    if not readings:
        return None
    hardest = max(readings, key=lambda name: readings[name].figure.median)
    return Reading(readings[hardest].figure, readings[hardest].net, f"fastest: {hardest}")


def _hit_ratio(measured: Measured) -> Reading | None:
    ratios = measured.facts.get(HIT_RATIO, {})
    if SCRUBJAY not in ratios:
        return None
    theine = f"theine here: {ratios['theine']:.3f}" if "theine" in ratios else ""
    return Reading(Spread.of([ratios[SCRUBJAY]]), note=theine)


def _threads(measured: Measured) -> Reading | None:
    spread = measured.ratio(SCRUBJAY + ALL, SCRUBJAY + ONE)
    alone = measured.ratio(DICT + ALL, DICT + ONE)
    note = f"dict, with no lock of its own: {alone.median:.2f}x" if alone else ""
    return Reading(spread, note=note) if spread else None


def _above_dict(measured: Measured) -> Reading | None:
    spread = measured.difference(SCRUBJAY, DICT)
    return Reading(spread) if spread else None


GOALS = (
    Goal("get, hit, same key objects / dict.get", "hit", 1.2, _ratio(DICT)),
    Goal("get, hit / the fastest peer that evicts", "hit", 1.0, _fastest_peer, strict=True),
    Goal("get, hit, every sink attached / dict.get", "hit-observed", 1.32, _ratio(DICT, SINKS)),
    Goal("get, hit, every sink attached / without", "hit-observed", 1.1, _ratio(SCRUBJAY, SINKS)),
    Goal("get, hit, over two more tiers / one", "hit-tiers", 1.05, _ratio(SCRUBJAY, SHARED)),
    Goal("get, hit, fresh equal keys / dict.get", "hit-fresh", 1.4, _ratio(DICT)),
    Goal("get, miss / dict.get", "miss", 1.0, _ratio(DICT)),
    Goal("get, miss, fresh keys / dict.get", "miss-fresh", 1.0, _ratio(DICT)),
    Goal("get, hit, expiring entry / dict.get", "hit-ttl", 2.0, _ratio(DICT)),
    Goal("memoized hit, 1 argument / lru_cache", "memo-1", 1.2, _ratio(LRU_CACHE)),
    Goal("memoized hit, 2 arguments / lru_cache", "memo-2", 1.2, _ratio(LRU_CACHE)),
    Goal("awaited memoized hit / plain await", "memo-async", 2.5, _ratio(PLAIN_AWAIT)),
    Goal("put with eviction, 10,000 entries / lru_cache", "evict-10k", 1.0, _ratio(LRU_CACHE)),
    Goal("put with eviction, 1,000,000 entries / lru_cache", "evict-1m", 1.0, _ratio(LRU_CACHE)),
    Goal("zipf(0.99) get or put / dict", "zipf", 1.8, _ratio(DICT)),
    Goal("zipf(0.99) get or put / theine", "zipf", 0.5, _ratio("theine")),
    Goal("zipf(0.99) hit ratio", "zipf", 0.806, _hit_ratio, unit="", at_least=True),
    Goal("memory above a dict, 1,000,000 entries", "memory", 24.0, _above_dict, unit=" B/entry"),
    Goal("8 threads, gets, time in sum / 1 thread", "threads-get", 1.0, _threads),
    Goal("8 threads, 9 gets to 1 put, time in sum / 1 thread", "threads-mix", 1.0, _threads),
    Goal("on disk, get, 1 KB / diskcache", "disk-get-1k", 1 / 3, _ratio(DISKCACHE)),
    Goal("on disk, put over, 1 KB / diskcache", "disk-put-1k", 0.1, _ratio(DISKCACHE)),
    Goal("on disk, get, 100 KB / diskcache", "disk-get-100k", 1 / 3, _ratio(DISKCACHE)),
    Goal("on disk, put over, 100 KB / diskcache", "disk-put-100k", 0.1, _ratio(DISKCACHE)),
    Goal("on disk, get, 1 KB, 4 processes / diskcache", "disk-get-4", 1 / 3, _ratio(DISKCACHE)),
    Goal("on disk, put over, 1 KB, 4 processes / diskcache", "disk-put-4", 0.1, _ratio(DISKCACHE)),
    Goal("get, hit, over a server / one tier", "consistency-hit", 1.05, _ratio(SCRUBJAY, EVENTUAL)),
    Goal(
        "get, hit, SESSION / EVENTUAL for a session",
        "consistency-hit",
        1.5,
        _ratio(OF_SESSION, SESSION),
    ),
    Goal(
        "get, hit, MONOTONIC / EVENTUAL for a session",
        "consistency-hit",
        1.5,
        _ratio(OF_SESSION, MONOTONIC),
    ),
    Goal(
        "get, hit, SESSION by cache.session() / one tier",
        "consistency-hit",
        1.5,
        _ratio(SCRUBJAY, MINE_SESSION),
    ),
    Goal(
        "get, hit, MONOTONIC by cache.session() / one tier",
        "consistency-hit",
        1.5,
        _ratio(SCRUBJAY, MINE_MONOTONIC),
    ),
    Goal("at STRONG, hit, 1 KB / GET each time", "strong-1", 1.0, _ratio(EACH_TIME)),
    Goal("at STRONG, hit, 1 KB, 64 tasks / GET each time", "strong-64", 1 / 1.5, _ratio(EACH_TIME)),
    Goal("on a server, get, 64 tasks / bare loop", "redis-get-64", 1 / 0.9, _ratio(BARE)),
    Goal(
        "on a server, get, 64 tasks / redis-py asyncio",
        "redis-get-64",
        0.2,
        _ratio(REDIS_PY_ASYNC),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """A goal with its reading; None if it was not measured."""

    goal: Goal
    reading: Reading | None

    @property
    def word(self) -> str:
        """Pass, fail or not measured, and whether the limit is within the spread."""
        if self.reading is None:
            return "not measured"
        word = "pass" if self.goal.met(self.reading) else "FAIL"
        return f"{word} (close)" if self.goal.close(self.reading) else word


def judge(measured: Mapping[str, Measured]) -> list[Verdict]:
    """Judge every goal whose case was run."""
    return [
        Verdict(goal, goal.read(measured[goal.case])) for goal in GOALS if goal.case in measured
    ]
