"""Running a grid from the command line: messages, progress, problems; needs the extra ``cli``."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scrubjay.errors import CacheError
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.contest import is_foreign
from scrubjay.lab.export import to_csv, to_json
from scrubjay.lab.grid import Cell, Failure, Job, plan_jobs, run_jobs
from scrubjay.lab.model import BadLines, ReadOptions, Trace, TraceError
from scrubjay.lab.summary import PolicySummary, Row
from scrubjay.lab.tables import escape, print_tables
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
    sessions: bool = True,
) -> tuple[list[Cell], list[Failure]]:
    """Replay all traces at all capacities under all policies.

    Args:
        traces: files, and directories of them.
        capacities: sizes of the cache.
        policies: who takes part.
        options: how to read the traces.
        messages: where to report.
        processes: how many at a time; None for one a CPU.
        timeout: seconds that a replay under a policy of others may take.
        quiet: whether to show no progress.
        stream: whether to read the traces in chunks.
        sessions: whether the cache is told the clients as the sessions that ask.

    Returns:
        What could be replayed and what could not.

    Raises:
        TraceError: a trace is not there.
    """
    files = list_traces(traces, options, messages)
    jobs = plan_jobs(files, capacities, policies, options, stream=stream, sessions=sessions)
    return run_all(jobs, messages, processes=processes, timeout=timeout, quiet=quiet)


def list_traces(
    traces: Sequence[Path], options: ReadOptions, messages: Console
) -> tuple[Path, ...]:
    """Expand directories to the traces in them, and tell what else lies there.

    Args:
        traces: files, and directories of them.
        options: how to read the traces.
        messages: where to report.

    Returns:
        The files.

    Raises:
        TraceError: a trace is not there, or there is no room to keep what comes from a pipe.
    """
    found = find_traces(traces, key_column=options.key_column, format_name=options.format_name)
    for path in found.left_out:
        messages.print(f"left out, not a trace: {escape(path)}", soft_wrap=True)
    return tuple(_kept(path) if _is_pipe(path) else path for path in found.files)


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except OSError:  # a workload's long description is no name of a file
        return False


def _kept(pipe: Path) -> Path:
    """Copy what comes through a pipe to a file, until the process ends.

    Each replay and each process reads a trace anew, which a pipe does not bear.
    """
    try:
        directory = tempfile.mkdtemp(prefix="scrubjay-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        copy = Path(directory, pipe.name)
        with pipe.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise TraceError(f"{pipe}: {error.strerror or error}") from error
    return copy


def run_all(
    jobs: Sequence[Job], messages: Console, *, processes: int | None, timeout: float, quiet: bool
) -> tuple[list[Cell], list[Failure]]:
    """Do replays and show how far they are.

    Args:
        jobs: what to replay.
        messages: where to report.
        processes: how many at a time; None for one a CPU.
        timeout: seconds that a replay under a policy of others may take.
        quiet: whether to show no progress.

    Returns:
        What could be replayed and what could not.
    """
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


def finish(
    rows: Sequence[Row],
    policies: Sequence[str],
    failures: Sequence[Failure],
    messages: Console,
    *,
    as_json: bool,
    as_csv: bool,
    summaries: Sequence[PolicySummary] = (),
    misses: bool = False,
    drawn: bool = True,
) -> None:
    """Print the replays as asked for, and then what went wrong.

    Args:
        rows: what could be replayed.
        policies: who took part.
        failures: what could not be replayed.
        messages: where to report.
        as_json: whether to print JSON.
        as_csv: whether to print CSV.
        summaries: what tables are followed by.
        misses: whether tables show what missed, not what hit.
        drawn: whether all pictures could be drawn.

    Raises:
        typer.Exit: One of our own replays failed, or a picture.
    """
    if as_json:
        typer.echo(json.dumps(to_json(rows, policies, failures), indent=2))
    elif as_csv:
        typer.echo(to_csv(rows, policies), nl=False)
    elif rows:
        print_tables(rows, policies, summaries, misses=misses)
    report_problems(rows, failures, messages)
    # That a policy of others fails at some size is a finding, and marked in the table.
    if not drawn or any(not is_foreign(failure.job.strategy) for failure in failures):
        raise typer.Exit(1)


def report_problems(
    rows: Sequence[Row],
    failures: Sequence[Failure],
    messages: Console,
    others: Sequence[str] = (),
) -> None:
    """Tell what was left out of the traces, and what could not be replayed.

    Args:
        rows: what could be replayed.
        failures: what could not.
        messages: where to report.
        others: what else went wrong.
    """
    bad_lines = {row.trace: row.bad_lines for row in rows if row.bad_lines.count}
    for trace, bad in sorted(bad_lines.items()):
        report_bad_lines(trace, bad, messages)
    for reason in dict.fromkeys((*others, *(failure.reason for failure in failures))):
        messages.print(f"[red]error:[/] {escape(reason)}", soft_wrap=True)


def draw_all(paths: Sequence[Path], draw: Callable[[Path], None], messages: Console) -> bool:
    """Draw a picture into each file, and tell so.

    Args:
        paths: the files.
        draw: draws one.
        messages: where to report.

    Returns:
        Whether all could be drawn; a failure is no reason to lose the replays.
    """
    drawn = True
    for path in paths:
        try:
            draw(path)
        except CacheError as error:
            drawn = False
            messages.print(f"[red]error:[/] {escape(error)}", soft_wrap=True)
        else:
            messages.print(f"drawn: {escape(path)}", soft_wrap=True)
    return drawn


def report_bad_lines(trace: str, bad: BadLines, messages: Console) -> None:
    """Tell what was left out of a trace, if anything was.

    Args:
        trace: its name.
        bad: what its file held besides requests.
        messages: where to report.
    """
    if bad.count:
        messages.print(
            f"[yellow]warning:[/] {escape(trace)}: {bad.count} bad lines left out; "
            f"{escape('; '.join(bad.examples))}",
            soft_wrap=True,
        )


def with_count(chunks: Iterable[Trace], messages: Console) -> Iterator[Trace]:
    """Show how many requests of a trace have been read, while they are."""
    with Progress(
        TextColumn("{task.completed:,.0f} requests"),
        TimeElapsedColumn(),
        console=messages,
        transient=True,
    ) as progress:
        task = progress.add_task("reading", total=None)
        for chunk in chunks:
            yield chunk
            progress.advance(task, len(chunk))


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
