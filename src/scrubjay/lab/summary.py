"""What a grid of replays says: hit ratios side by side, reduction against LRU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from scrubjay.lab.grid import Capacity, Cell, Failure
from scrubjay.lab.model import BadLines
from scrubjay.lab.replay import ReplayResult

BASELINE = "lru"


@dataclass(frozen=True)
class Row:
    """The replays of one trace at one capacity.

    Attributes:
        trace: Name of the trace.
        capacity: The capacity as it was asked for.
        entries: The capacity in entries.
        requests: Number of requests replayed.
        unique_keys: How many different keys they ask for.
        bad_lines: What the trace's file held besides requests.
        results: What came of each strategy.
    """

    trace: str
    capacity: str
    entries: int
    requests: int
    unique_keys: int
    bad_lines: BadLines
    results: dict[str, ReplayResult]

    def best(self) -> frozenset[str]:
        """The strategies with the most hits, several when they tie."""
        most = max(result.hits for result in self.results.values())
        return frozenset(name for name, result in self.results.items() if result.hits == most)

    def reduction(self, strategy: str) -> float | None:
        """By how much a strategy reduces the miss ratio of LRU.

        Args:
            strategy: The strategy.

        Returns:
            (LRU - strategy) / LRU of the miss ratios, so 0.1 for ten percent
            fewer misses; None when one of the two was not replayed.
        """
        baseline, result = self.results.get(BASELINE), self.results.get(strategy)
        if baseline is None or result is None or not baseline.misses:
            return None
        return (baseline.miss_ratio - result.miss_ratio) / baseline.miss_ratio


def collect_rows(cells: Iterable[Cell]) -> list[Row]:
    """Bring the cells of a grid, in any order, to rows.

    Args:
        cells: The replays.

    Returns:
        One row for each trace and capacity, by name and size.
    """
    rows: dict[tuple[Path, Capacity], Row] = {}
    for cell in cells:
        job = cell.job
        new_row = Row(
            cell.trace,
            job.capacity.text,
            cell.entries,
            cell.result.requests,
            cell.unique_keys,
            cell.bad_lines,
            {},
        )
        row = rows.setdefault((job.path, job.capacity), new_row)
        row.results[job.strategy] = cell.result
    return sorted(rows.values(), key=lambda row: (row.trace, row.entries))


def mean_reductions(rows: Sequence[Row], strategies: Iterable[str]) -> dict[str, float]:
    """The mean over all rows of the miss-ratio reduction against LRU.

    Args:
        rows: The rows.
        strategies: The strategies to compare.

    Returns:
        The mean for each strategy that some row compares; empty without LRU.
    """
    means: dict[str, float] = {}
    for strategy in strategies:
        if strategy == BASELINE:
            continue
        reductions = [
            reduction for row in rows if (reduction := row.reduction(strategy)) is not None
        ]
        if reductions:
            means[strategy] = fmean(reductions)
    return means


def to_json(
    rows: Sequence[Row], strategies: Sequence[str], failures: Sequence[Failure] = ()
) -> dict[str, Any]:
    """The rows as plain data.

    Args:
        rows: The rows.
        strategies: The strategies, in the order asked for.
        failures: The replays that could not be done.

    Returns:
        What `json.dumps` takes.
    """
    return {
        "strategies": list(strategies),
        "rows": [
            {
                "trace": row.trace,
                "capacity": row.capacity,
                "entries": row.entries,
                "requests": row.requests,
                "unique_keys": row.unique_keys,
                "bad_lines": row.bad_lines.count,
                "results": {
                    name: {
                        "hits": result.hits,
                        "hit_ratio": result.hit_ratio,
                        "evictions": result.evictions,
                        "seconds": round(result.seconds, 6),
                    }
                    for name in strategies
                    if (result := row.results.get(name)) is not None
                },
            }
            for row in rows
        ],
        "errors": list(dict.fromkeys(failure.reason for failure in failures)),
        "mean_miss_ratio_reduction_against_lru": mean_reductions(rows, strategies),
    }
