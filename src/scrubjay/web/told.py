"""The shapes of what is told of caches, between processes and to the page, ready for JSON."""

from __future__ import annotations

from typing import TypedDict

from scrubjay.observe.statistics import DetailedStatistics
from scrubjay.observe.watch import Happening, SlowLoad


class Row(TypedDict):
    """One cache, as often as once a second: counts since it was made."""

    id: str
    name: str
    process: str
    requests: int
    hits: int
    tiers: dict[str, int]  # hits by tier
    entries: int
    bytes: int
    limit_bytes: int | None
    limit_entries: int | None
    removals: dict[str, int]
    loads: int
    load_errors: int
    load_seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    prefetch_used: int
    prefetch_wasted: int
    conflicts: int
    ok: bool
    node: str  # tells processes apart, of all machines
    at: float  # wall time there, in seconds since the epoch
    silent: float  # seconds since the node was last heard of


class ExplanationReport(TypedDict):
    """What the strategy does, as `Explanation`."""

    reason: str
    way: str | None
    alternatives: dict[str, float]
    changes: int


class Round(TypedDict):
    """One round of optimization."""

    timestamp: str
    hit_rate: float
    way: str | None
    changed: dict[str, list[str | None]]


class AdviceStep(TypedDict):
    """One size of the cache, as `MemoryStep`."""

    factor: float
    memory: int
    miss_ratio: float
    bound: float
    hits: int


class AdviceReport(TypedDict):
    """What other amounts of memory would gain, as `Advice`."""

    reason: str
    in_bytes: bool
    steps: list[AdviceStep]


class Detail(TypedDict):
    """All that is shown of one cache."""

    id: str
    statistics: DetailedStatistics
    explanation: ExplanationReport
    rounds: list[Round]
    advice: AdviceReport | None
    slowest: list[SlowLoad]
    recent: list[Happening]
