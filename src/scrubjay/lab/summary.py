"""What a grid of replays says: miss ratios side by side, and a summary against LRU.

The summary leaves out cells with room for fewer than eight objects: there the
rounding of queue lengths decides, and not the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from scrubjay.lab.capacity import Capacity
from scrubjay.lab.contest import BASELINE, OPTIMUM
from scrubjay.lab.grid import Cell
from scrubjay.lab.model import BadLines, printable
from scrubjay.lab.replay import ReplayResult

LEAST_OBJECTS = 8
"""The smallest cache that counts in a summary, in objects."""

LEAST_GAP = 0.01
"""Where the optimum is no more than this better than LRU there is no gap to close: a share of
next to nothing would outweigh all other cells."""

MEASURES = ("objects", "bytes", "cost")
"""What a miss ratio may be a share of."""

PER_TRACE = "best per trace, in hindsight"
PER_CELL = "best per cell, in hindsight"


@dataclass(frozen=True)
class Row:
    """The replays of one trace at one capacity.

    Attributes:
        trace: name of the trace.
        capacity: the capacity as it was asked for.
        amount: the capacity in entries, or in bytes.
        in_bytes: whether the capacity is in bytes.
        objects: about how many objects find room.
        requests: number of requests replayed.
        unique_keys: how many different keys they ask for.
        bad_lines: what the trace's file held besides requests.
        results: what came of each policy.
        measure: what the miss ratio is a share of.
    """

    trace: str
    capacity: str
    amount: int
    in_bytes: bool
    objects: float
    requests: int
    unique_keys: int
    bad_lines: BadLines
    results: dict[str, ReplayResult]
    measure: str = MEASURES[0]

    @property
    def counts(self) -> bool:
        """Whether the row is large enough for the summary."""
        return self.objects >= LEAST_OBJECTS

    def miss_ratio(self, policy: str) -> float | None:
        """The share that missed, of objects, bytes or cost; None when not known."""
        result = self.results.get(policy)
        if result is None:
            return None
        if self.measure == "bytes":
            return result.byte_miss_ratio
        return result.cost_miss_ratio if self.measure == "cost" else result.miss_ratio

    def online(self) -> dict[str, float]:
        """The miss ratio of each policy that does not know the future."""
        return {
            policy: ratio
            for policy in self.results
            if policy != OPTIMUM and (ratio := self.miss_ratio(policy)) is not None
        }

    def best(self) -> frozenset[str]:
        """The policies with the lowest miss ratio, several when they tie."""
        ratios = self.online()
        least = min(ratios.values(), default=0.0)
        return frozenset(policy for policy, ratio in ratios.items() if ratio == least)

    def reduction(self, policy: str) -> float | None:
        """By how much a policy reduces the miss ratio of LRU.

        Args:
            policy: the policy.

        Returns:
            (LRU - policy) / LRU of the miss ratios, so 0.1 for ten percent
            fewer misses; None when one of the two was not replayed.
        """
        baseline, ratio = self.miss_ratio(BASELINE), self.miss_ratio(policy)
        if not baseline or ratio is None:
            return None
        return (baseline - ratio) / baseline

    def gap_closed(self, policy: str) -> float | None:
        """What share of the way from LRU to the optimum a policy goes.

        Args:
            policy: the policy.

        Returns:
            1 at the optimum, negative when worse than LRU; None when not
            known, or where even the optimum is hardly better than LRU.
        """
        # For bytes or costs a capacity in entries has no known optimum.
        if self.measure != "objects" and not (self.measure == "bytes" and self.in_bytes):
            return None
        most, reduction = self.reduction(OPTIMUM), self.reduction(policy)
        if most is None or most < LEAST_GAP or reduction is None:
            return None
        return reduction / most

    def rank(self, policy: str) -> float | None:
        """The place of a policy among those of the row, 1 for the best; ties share."""
        ratios = self.online()
        own = ratios.get(policy)
        if own is None:
            return None
        better = sum(ratio < own for ratio in ratios.values())
        equal = sum(ratio == own for ratio in ratios.values())
        return better + (equal + 1) / 2


@dataclass(frozen=True)
class PolicySummary:
    """How a policy does over all rows that count.

    Attributes:
        policy: the policy.
        cells: how many rows it was compared in.
        mean: mean reduction of the miss ratio against LRU.
        median: median of the same.
        worst: the least of the same.
        worst_at: where that was, as ``trace@capacity``.
        mean_rank: mean place among the policies; None for what is none.
        gap_closed: mean share of the way to the optimum, where that is known.
    """

    policy: str
    cells: int
    mean: float
    median: float
    worst: float
    worst_at: str
    mean_rank: float | None
    gap_closed: float | None


def collect_rows(cells: Iterable[Cell], measure: str = MEASURES[0]) -> list[Row]:
    """Bring the cells of a grid, in any order, to rows.

    Args:
        cells: the replays.
        measure: what miss ratios are a share of.

    Returns:
        One row for each trace and capacity, by name and size. Traces of the same name
        go by their paths.
    """
    cells = list(cells)
    paths: dict[str, set[Path]] = {}
    for cell in cells:
        paths.setdefault(cell.trace, set()).add(cell.job.path)
    rows: dict[tuple[Path, Capacity], Row] = {}
    for cell in cells:
        job = cell.job
        new_row = Row(
            cell.trace if len(paths[cell.trace]) == 1 else printable(job.path),
            job.capacity.text,
            cell.amount,
            job.capacity.in_bytes,
            cell.objects,
            cell.result.requests,
            cell.unique_keys,
            cell.bad_lines,
            {},
            measure,
        )
        row = rows.setdefault((job.path, job.capacity), new_row)
        row.results[job.strategy] = cell.result
    return sorted(rows.values(), key=lambda row: (row.trace, row.in_bytes, row.amount))


def summarize(rows: Sequence[Row], policies: Iterable[str]) -> list[PolicySummary]:
    """Sum up how policies do against LRU.

    Args:
        rows: the rows; those with room for fewer than eight objects are left out.
        policies: the policies.

    Returns:
        One summary a policy, the best mean first, then what the best choice
        in hindsight and the optimum come to; empty without LRU.
    """
    counted = [row for row in rows if row.counts]
    online: list[PolicySummary] = []
    known: list[PolicySummary] = []
    for policy in dict.fromkeys(policies):
        summary = _summarize(policy, [(row, policy) for row in counted])
        if summary is not None:
            (known if policy == OPTIMUM else online).append(summary)
    online.sort(key=lambda summary: -summary.mean)
    if len(online) > 1:
        hindsight = (
            _summarize(PER_TRACE, _best_per_trace(counted)),
            _summarize(PER_CELL, [(row, min(row.best())) for row in counted if row.online()]),
        )
        known[:0] = [summary for summary in hindsight if summary is not None]
    return online + known


def _summarize(name: str, choices: Sequence[tuple[Row, str]]) -> PolicySummary | None:
    """Sum up what choosing a policy for each row comes to."""
    reductions = [
        (reduction, row)
        for row, policy in choices
        if (reduction := row.reduction(policy)) is not None
    ]
    if not reductions:
        return None
    values = [reduction for reduction, _ in reductions]
    ranks = list(_known(row.rank(policy) for row, policy in choices if policy == name))
    gaps = list(_known(row.gap_closed(policy) for row, policy in choices))
    worst, at = min(reductions, key=lambda pair: pair[0])
    return PolicySummary(
        name,
        len(values),
        fmean(values),
        median(values),
        worst,
        f"{at.trace}@{at.capacity}",
        fmean(ranks) if ranks else None,
        fmean(gaps) if gaps else None,
    )


def _known(values: Iterable[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None)


def _best_per_trace(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """For each row the policy that does best over all rows of its trace."""
    choices: list[tuple[Row, str]] = []
    for trace in dict.fromkeys(row.trace for row in rows):
        own = [row for row in rows if row.trace == trace]
        # A policy that fails somewhere is no choice for the whole trace.
        everywhere = frozenset[str].intersection(*(frozenset(row.online()) for row in own))
        means = {
            policy: fmean(reductions)
            for policy in sorted(everywhere)
            if (reductions := list(_known(row.reduction(policy) for row in own)))
        }
        if means:
            best = max(means, key=means.__getitem__)
            choices.extend((row, best) for row in own)
    return choices
