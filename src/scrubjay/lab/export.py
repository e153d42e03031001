"""Tables of replays as plain data: JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scrubjay.lab.contest import OPTIMUM
from scrubjay.lab.grid import Failure
from scrubjay.lab.replay import ReplayResult
from scrubjay.lab.summary import Row, summarize

_CSV_HEADER = (
    "trace",
    "capacity",
    "amount",
    "unit",
    "in_summary",
    "requests",
    "unique_keys",
    "policy",
    "hits",
    "miss_ratio",
    "byte_miss_ratio",
    "cost_miss_ratio",
    "reduction_against_lru",
    "rank",
    "gap_closed",
    "evictions",
    "seconds",
)


def to_json(
    rows: Sequence[Row], strategies: Sequence[str], failures: Sequence[Failure] = ()
) -> dict[str, Any]:
    """The rows and their summary as plain data.

    Args:
        rows: the rows.
        strategies: the policies, in the order asked for.
        failures: the replays that could not be done.

    Returns:
        What `json.dumps` takes.
    """
    summaries = summarize(rows, strategies)
    return {
        "strategies": list(strategies),
        "rows": [
            {
                "trace": row.trace,
                "capacity": row.capacity,
                "bytes" if row.in_bytes else "entries": row.amount,
                "requests": row.requests,
                "unique_keys": row.unique_keys,
                "bad_lines": row.bad_lines.count,
                "in_summary": row.counts,
                "results": {
                    name: _plain(row, name, result)
                    for name in strategies
                    if (result := row.results.get(name)) is not None
                },
            }
            for row in rows
        ],
        "errors": list(dict.fromkeys(failure.reason for failure in failures)),
        "summary": [asdict(summary) for summary in summaries],
        "mean_miss_ratio_reduction_against_lru": {
            summary.policy: summary.mean
            for summary in summaries
            if summary.mean_rank is not None or summary.policy == OPTIMUM
        },
    }


def _plain(row: Row, policy: str, result: ReplayResult) -> dict[str, Any]:
    plain = {
        "hits": result.hits,
        "hit_ratio": result.hit_ratio,
        "byte_miss_ratio": result.byte_miss_ratio,
        "cost_miss_ratio": result.cost_miss_ratio,
        "gap_closed": row.gap_closed(policy),
        "evictions": result.evictions,
        "seconds": round(result.seconds, 6),
    }
    return {name: value for name, value in plain.items() if value is not None}


def to_csv(rows: Sequence[Row], strategies: Sequence[str]) -> str:
    """The rows as comma-separated text, one line a trace, capacity and policy.

    Args:
        rows: the rows.
        strategies: the policies, in the order asked for.

    Returns:
        The text, with a header; what is not known is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for row in rows:
        for name in strategies:
            result = row.results.get(name)
            if result is None:
                continue
            writer.writerow(
                (
                    row.trace,
                    row.capacity,
                    row.amount,
                    "bytes" if row.in_bytes else "entries",
                    int(row.counts),
                    row.requests,
                    row.unique_keys,
                    name,
                    result.hits,
                    result.miss_ratio,
                    result.byte_miss_ratio,
                    result.cost_miss_ratio,
                    row.reduction(name),
                    row.rank(name),
                    row.gap_closed(name),
                    result.evictions,
                    round(result.seconds, 6),
                )
            )
    return text.getvalue()
