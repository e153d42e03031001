"""What a run of the demonstration came to, and whether it is good enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from scrubjay.demo.compare import StrategyOutcome

MIN_HIT_RATE = 0.95
MAX_MEAN_LATENCY_MS = 5.0


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        stage: what is being done, for a person to read.
        done: how much of it is done.
        total: how much there is to do.
        hit_rate: share of the reads answered from the cache so far.
        mean_latency_ms: mean latency of the reads so far.
        source_calls: how often the source was asked so far.
        seconds: time since the start of the stage.
    """

    stage: str
    done: int
    total: int
    hit_rate: float = 0.0
    mean_latency_ms: float = 0.0
    source_calls: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Latencies:
    """How long reads took, in milliseconds, loads included."""

    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> Latencies:
        """Summarise how long each read took, in seconds."""
        if not seconds:
            return cls(0.0, 0.0, 0.0, 0.0)
        ordered = sorted(seconds)
        last = len(ordered) - 1
        return cls(
            1e3 * sum(ordered) / len(ordered),
            1e3 * ordered[last // 2],
            1e3 * ordered[round(last * 0.99)],
            1e3 * ordered[last],
        )


@dataclass(frozen=True)
class DemoResult:
    """What a run came to.

    Attributes:
        seed: the seed of its traffic and data.
        operations: how many operations were made.
        writes: how many of them were writes to the source.
        sync_reads: how many went through the synchronous door.
        users: how many users made them.
        sessions: in how many sessions.
        source_rows: how many rows the source was created with.
        requests: reads, as the cache counted them.
        hits: reads answered from memory, as the cache counted them.
        latency: how long reads took.
        source_calls: how often the source was asked.
        mean_load_ms: what asking it took on average during the traffic.
        quiet_load_ms: the same, measured before while nothing else ran.
        removals: entries that left the cache, by cause.
        memory_bytes: what the entries take.
        budget_bytes: what they may take.
        entries: how many there are.
        checked_reads: reads checked for staleness.
        compared: answers compared with the database.
        faults: checks that failed.
        fault_examples: the first few of these, for a person to read.
        tiers: reads answered by each tier below memory, the nearest first.
        comparison_bytes: size of the cache of the comparison.
        comparison: the eviction strategies side by side.
        prefetching: ADAPTIVE with prefetching, in a cache of the same size.
        traffic_seconds: wall time of the traffic.
        total_seconds: wall time of the whole run.
    """

    seed: int
    operations: int
    writes: int
    sync_reads: int
    users: int
    sessions: int
    source_rows: int
    requests: int
    hits: int
    latency: Latencies
    source_calls: int
    mean_load_ms: float
    quiet_load_ms: float
    removals: dict[str, int]
    memory_bytes: int
    budget_bytes: int
    entries: int
    checked_reads: int
    compared: int
    faults: int
    comparison_bytes: int
    traffic_seconds: float
    total_seconds: float
    comparison: tuple[StrategyOutcome, ...]
    prefetching: StrategyOutcome
    fault_examples: tuple[str, ...] = field(default=())
    tiers: dict[str, int] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float:
        """Share of the reads answered from memory, from 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Share of the reads that memory, each tier and the source answered."""
        below = sum(self.tiers.values())
        counts = {"memory": self.hits - below, **self.tiers, "source": self.requests - self.hits}
        return {name: count / max(1, self.requests) for name, count in counts.items()}

    @property
    def saved_calls(self) -> int:
        """How many reads did not ask the source."""
        return self.checked_reads - self.source_calls

    @property
    def saved_seconds(self) -> float:
        """What those would have taken, at the mean cost of a call.

        The lower of the two means counts: a busy source is slow partly
        because of the traffic that the cache itself makes possible.
        """
        return self.saved_calls * min(self.mean_load_ms, self.quiet_load_ms) / 1e3

    @property
    def targets(self) -> dict[str, bool]:
        """What the run has to reach, and whether it did."""
        return {
            f"hit rate above {MIN_HIT_RATE:.0%}": self.hit_rate > MIN_HIT_RATE,
            f"average latency below {MAX_MEAN_LATENCY_MS:g} ms": (
                self.latency.mean_ms < MAX_MEAN_LATENCY_MS
            ),
            "nothing stale served": self.faults == 0 and self.checked_reads > 0,
        }

    @property
    def reached(self) -> bool:
        """Whether the run reached all of its targets."""
        return all(self.targets.values())

    def to_json(self) -> dict[str, Any]:
        """The result as plain data, for `json.dumps`."""
        return {
            **asdict(self),
            "hit_rate": self.hit_rate,
            "saved_calls": self.saved_calls,
            "saved_seconds": self.saved_seconds,
            "comparison": [
                {**asdict(outcome), "hit_rate": outcome.hit_rate} for outcome in self.comparison
            ],
            "prefetching": {**asdict(self.prefetching), "hit_rate": self.prefetching.hit_rate},
            "targets": self.targets,
            "reached": self.reached,
        }
