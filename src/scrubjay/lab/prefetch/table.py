"""Replaying traces with prefetch at several capacities, and the table of it; needs ``cli``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from scrubjay.lab.capacity import Capacity
from scrubjay.lab.grid import load_trace
from scrubjay.lab.model import ReadOptions, Trace, TraceError
from scrubjay.lab.prefetch.contestants import make_prefetcher
from scrubjay.lab.prefetch.replaying import replay_prefetch
from scrubjay.lab.prefetch.result import PrefetchResult
from scrubjay.lab.replay import replay
from scrubjay.lab.tables import escape
from scrubjay.prefetch.constants import SMALLEST

_WIDTH = 160  # columns of a table in a file or a pipe


@dataclass(frozen=True)
class PrefetchRow:
    """One replay with prefetch.

    Attributes:
        trace: name of the trace.
        capacity: size of the cache in entries.
        strategy: how the cache chose what to evict.
        prefetcher: who guessed.
        result: what came of it.
    """

    trace: str
    capacity: int
    strategy: str
    prefetcher: str
    result: PrefetchResult

    def figures(self) -> dict[str, float | int | str]:
        """Return all that is known of it, by name."""
        result = self.result
        return {
            "trace": self.trace,
            "capacity": self.capacity,
            "strategy": self.strategy,
            "prefetcher": self.prefetcher,
            "hit_ratio_without": result.plain_hit_ratio,
            "hit_ratio": result.hit_ratio,
            "gain": result.gain,
            "gain_with_waiting": result.gain_of_waiting,
            "precision": result.precision,
            "coverage": result.coverage,
            "loads_ratio": result.loads_ratio,
            "lateness": result.lateness,
            "loaded_ahead": result.issued,
        }


def replay_all(
    files: Iterable[Path],
    capacities: Sequence[Capacity],
    strategies: Sequence[str],
    prefetchers: Sequence[str],
    options: ReadOptions,
    *,
    lag: int,
    load_seconds: float | None,
    budget: float | None,
    cost_ratio: float,
    tell: Callable[[str], object],
    warn: Callable[[Trace], object],
    fail: Callable[[TraceError], object],
) -> Iterator[PrefetchRow]:
    """Replay all traces with all prefetchers.

    Args:
        files: the traces.
        capacities: sizes of the cache, in entries or in percent.
        strategies: how the cache chooses what to evict.
        prefetchers: who guesses.
        options: how to read the traces.
        lag: requests that pass until a key that is loaded ahead is there.
        load_seconds: how long a load takes by the times of a trace, in place of `lag`; traces
            without times are left out.
        budget: keys loaded ahead at most for each miss without prefetch; None for no bound.
        cost_ratio: loads allowed for each without prefetch.
        tell: called with what is left out.
        warn: called with each trace, which may hold bad lines.
        fail: called with why a trace cannot be read; the others are replayed.

    Yields:
        A row for each replay.

    Raises:
        TraceError: a capacity is in bytes.
    """
    if any(capacity.in_bytes for capacity in capacities):
        raise TraceError("capacity: with prefetch, it is in entries or percent of keys")
    for file in files:
        try:
            trace = load_trace(file, options)
        except TraceError as error:
            fail(error)
            continue
        warn(trace)
        if load_seconds is not None and trace.seconds is None:
            tell(f"{trace.name}: left out, its requests have no times")
            continue
        for capacity in capacities:
            amount = capacity.of(trace.unique_keys)
            if amount < SMALLEST:
                tell(f"{trace.name} at {capacity.text}: left out, fewer than {SMALLEST} entries")
                continue
            for strategy in strategies:
                plain = replay(trace.keys, amount, strategy, clients=trace.clients).hits
                for name in prefetchers:
                    prefetcher = make_prefetcher(
                        name, trace, amount, budget=budget, cost_ratio=cost_ratio
                    )
                    result = replay_prefetch(
                        trace,
                        amount,
                        prefetcher,
                        strategy,
                        lag=lag,
                        load_seconds=load_seconds,
                        budget=budget,
                        plain_hits=plain,
                    )
                    yield PrefetchRow(trace.name, amount, strategy, name, result)


def print_rows(rows: Sequence[PrefetchRow], *, as_json: bool, as_csv: bool) -> None:
    """Print replays, and the means of each prefetcher.

    Args:
        rows: the replays.
        as_json: whether to print JSON.
        as_csv: whether to print CSV.
    """
    if as_json:
        typer.echo(json.dumps([row.figures() for row in rows], indent=2))
        return
    if as_csv:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0].figures()) if rows else ["trace"])
        writer.writeheader()
        writer.writerows(row.figures() for row in rows)
        typer.echo(text.getvalue(), nl=False)
        return
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    if rows:
        console.print(_table(rows))
        console.print(_means(rows))


def _table(rows: Sequence[PrefetchRow]) -> Table:
    table = Table(title="Hit ratio with prefetch")
    for name in ("trace", "entries", "strategy", "prefetcher"):
        table.add_column(name)
    for name in ("without", "with", "gain", "precision", "coverage", "loads", "late"):
        table.add_column(name, justify="right")
    for row in rows:
        result = row.result
        table.add_row(
            escape(row.trace),
            f"{row.capacity:,}",
            row.strategy,
            row.prefetcher,
            f"{result.plain_hit_ratio:.1%}",
            f"{result.hit_ratio:.1%}",
            f"{result.gain:+.2f}",
            f"{result.precision:.2f}",
            f"{result.coverage:.2f}",
            f"{result.loads_ratio:.2f}",
            f"{result.lateness:.0%}",
        )
    return table


def _means(rows: Sequence[PrefetchRow]) -> Table:
    table = Table(title="Means")
    table.add_column("strategy")
    table.add_column("prefetcher")
    for name in ("replays", "gain", "with waiting", "worst", "loads", "precision"):
        table.add_column(name, justify="right")
    groups: dict[tuple[str, str], list[PrefetchResult]] = {}
    for row in rows:
        groups.setdefault((row.strategy, row.prefetcher), []).append(row.result)
    for (strategy, prefetcher), results in groups.items():
        count = len(results)
        table.add_row(
            strategy,
            prefetcher,
            str(count),
            f"{sum(result.gain for result in results) / count:+.2f}",
            f"{sum(result.gain_of_waiting for result in results) / count:+.2f}",
            f"{min(result.gain for result in results):+.2f}",
            f"{sum(result.loads_ratio for result in results) / count:.2f}",
            f"{sum(result.precision for result in results) / count:.2f}",
        )
    return table
