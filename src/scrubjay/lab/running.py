"""Running a grid from the command line: messages, progress, problems; needs the extra ``cli``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scrubjay.errors import CacheError
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.grid import Cell, Failure, Job, plan_jobs, run_jobs
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.summary import Row
from scrubjay.lab.tables import escape
from scrubjay.lab.traces import find_traces


def make_messages() -> Console:
    """The console for all that is not the result: standard error."""
    return Console(stderr=True, highlight=False, emoji=False)


def complain(error: CacheError, messages: Console) -> typer.Exit:
    """Report that the command was called wrongly; returns how to leave."""
    messages.print(f"[red]error:[/] {escape(error)}", soft_wrap=True)
    return typer.Exit(2)


def run_grid(
    traces: Sequence[Path],
    capacities: Sequence[Capacity],
    policies: Sequence[str],
    options: ReadOptions,
    messages: Console,
    *,
    processes: int | None,
    timeout: float,
    quiet: bool,
    stream: bool = False,
) -> tuple[list[Cell], list[Failure]]:
    """Replay all traces at all capacities under all policies.

    Args:
        traces: Files, and directories of them.
        capacities: Sizes of the cache.
        policies: Who takes part.
        options: How to read the traces.
        messages: Where to report.
        processes: How many at a time; None for one a CPU.
        timeout: Seconds that a replay under a policy of others may take.
        quiet: Whether to show no progress.
        stream: Whether to read the traces in chunks.

    Returns:
        What could be replayed and what could not.

    Raises:
        TraceError: A trace is not there.
    """
    found = find_traces(traces, key_column=options.key_column, format_name=options.format_name)
    for path in found.left_out:
        messages.print(f"left out, not a trace: {escape(path)}", soft_wrap=True)
    jobs = plan_jobs(found.files, capacities, policies, options, stream=stream)
    outcomes = run_jobs(jobs, processes or os.cpu_count() or 1, timeout)
    if messages.is_terminal and not quiet:
        outcomes = _with_progress_bar(outcomes, jobs, messages)
    cells: list[Cell] = []
    failures: list[Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Cell):
            cells.append(outcome)
        else:
            failures.append(outcome)
    return cells, failures


def report_problems(rows: Sequence[Row], failures: Sequence[Failure], messages: Console) -> None:
    """Tell what was left out of the traces, and what could not be replayed.

    Args:
        rows: What could be replayed.
        failures: What could not.
        messages: Where to report.
    """
    bad_lines = {row.trace: row.bad_lines for row in rows if row.bad_lines.count}
    for trace, bad in sorted(bad_lines.items()):
        messages.print(
            f"[yellow]warning:[/] {escape(trace)}: {bad.count} bad lines left out; "
            f"{escape('; '.join(bad.examples))}",
            soft_wrap=True,
        )
    for reason in dict.fromkeys(failure.reason for failure in failures):
        messages.print(f"[red]error:[/] {escape(reason)}", soft_wrap=True)


def _with_progress_bar(
    outcomes: Iterator[Cell | Failure], jobs: Sequence[Job], messages: Console
) -> Iterator[Cell | Failure]:
    with Progress(
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=messages,
        transient=True,
    ) as progress:
        yield from progress.track(outcomes, total=len(jobs))
