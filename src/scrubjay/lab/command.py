"""The command ``scrubjay replay``.

Needs the extra ``cli``; nothing else in this package imports it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperCommand

from scrubjay.cache import Cache
from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab.grid import Capacity, Cell, Failure, Job, plan_jobs, run_jobs
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.summary import BASELINE, Row, collect_rows, mean_reductions, to_json
from scrubjay.lab.traces import find_traces
from scrubjay.types import CacheEvictionStrategy

_ALL = "all"
_FILE_WIDTH = 160  # columns; in a file or a pipe no table has to be folded
_BUILT_IN = tuple(strategy.value for strategy in CacheEvictionStrategy)


class ReplayCommand(TyperCommand):
    """Lets one ``--capacity`` or ``--strategy`` be followed by several values.

    The usual parser takes one value an option, and the rest would be traces.
    Only what reads as a capacity or strategy is gathered, so that traces may
    still follow.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value, then parse as usual."""
        return super().parse_args(ctx, _repeat_options(args))


def replay_command(
    traces: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRACE...",
            help="Trace files, or directories of them: one key per line (.txt, .keys, "
            ".trace), columns under a header (.csv, .tsv), libCacheSim (.oracleGeneral, "
            ".oracleGeneral.zst), blocks (.lis, .trc), or compact (.ctr.zst).",
        ),
    ],
    capacity: Annotated[
        list[str],
        typer.Option(
            help="Cache sizes: entries, or percent of a trace's unique keys. "
            "Several may follow: --capacity 1% 10% 500."
        ),
    ] = ["1%", "10%"],  # noqa: B006 - typer copies it
    strategy: Annotated[
        list[str],
        typer.Option(help=f"Eviction strategies, several or 'all': {', '.join(_BUILT_IN)}."),
    ] = ["lru", "adaptive"],  # noqa: B006 - typer copies it
    key_column: Annotated[
        str, typer.Option(help="The column that holds the keys, in traces with a header.")
    ] = "key",
    size_column: Annotated[
        str | None, typer.Option(help="Likewise sizes in bytes.", show_default="size")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Likewise times.", show_default="time")
    ] = None,
    client_column: Annotated[
        str | None, typer.Option(help="Likewise clients or sessions.", show_default="client")
    ] = None,
    cost_column: Annotated[
        str | None, typer.Option(help="Likewise what a load costs.", show_default="cost")
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", help="Format of all traces, whatever their names end in."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Replay at most this many requests of each trace.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Replays at a time; by default one a CPU.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON to standard output and nothing else.")
    ] = False,
) -> None:
    """Replay recorded requests through the cache and compare eviction strategies.

    Nothing is warmed up: the first request for a key is a miss.
    """
    messages = Console(stderr=True, highlight=False)
    options = ReadOptions(
        limit, key_column, size_column, time_column, client_column, cost_column, format_name
    )
    try:
        strategies = _choose_strategies(strategy)
        capacities = [Capacity.parse(text) for text in dict.fromkeys(capacity)]
        found = find_traces(traces, key_column=key_column, format_name=format_name)
    except CacheError as error:
        messages.print(f"[red]error:[/] {_escape(error)}", soft_wrap=True)
        raise typer.Exit(2) from error
    for path in found.left_out:
        messages.print(f"left out, not a trace: {_escape(path)}", soft_wrap=True)

    jobs = plan_jobs(found.files, capacities, strategies, options)
    cells, failures = _run(jobs, processes or os.cpu_count() or 1, messages, quiet=as_json)
    rows = collect_rows(cells)
    if as_json:
        typer.echo(json.dumps(to_json(rows, strategies, failures), indent=2))
    elif rows:
        _print_table(rows, strategies)
    _report_problems(rows, failures, messages)
    if failures:
        raise typer.Exit(1)


def _repeat_options(args: list[str]) -> list[str]:
    expanded: list[str] = []
    option = ""
    awaits_value = False
    for position, argument in enumerate(args):
        if argument == "--":
            return expanded + args[position:]
        if argument.startswith("-"):
            option = argument if argument in ("--capacity", "--strategy") else ""
            awaits_value = bool(option)
        elif awaits_value:
            awaits_value = False
        elif _is_value_of(option, argument):
            expanded.append(option)
        else:
            option = ""
        expanded.append(argument)
    return expanded


def _is_value_of(option: str, argument: str) -> bool:
    if option == "--strategy":
        return argument == _ALL or argument in _BUILT_IN
    if option == "--capacity":
        try:
            Capacity.parse(argument)
        except InvalidArgumentError:
            return False
        return True
    return False


def _choose_strategies(asked: list[str]) -> list[str]:
    names = [name.lower() for name in asked]
    chosen = dict.fromkeys(_BUILT_IN if _ALL in names else names)
    for name in chosen:
        # The cache knows best which strategies there are, and how to say so.
        Cache[str, bool](max_entries=1, eviction_strategy=name)
    return list(chosen)


def _run(
    jobs: list[Job], processes: int, messages: Console, *, quiet: bool
) -> tuple[list[Cell], list[Failure]]:
    cells: list[Cell] = []
    failures: list[Failure] = []
    outcomes = run_jobs(jobs, processes)
    if messages.is_terminal and not quiet:
        outcomes = _with_progress_bar(outcomes, len(jobs), messages)
    for outcome in outcomes:
        if isinstance(outcome, Cell):
            cells.append(outcome)
        else:
            failures.append(outcome)
    return cells, failures


def _with_progress_bar(
    outcomes: Iterator[Cell | Failure], total: int, messages: Console
) -> Iterator[Cell | Failure]:
    with Progress(
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=messages,
        transient=True,
    ) as progress:
        yield from progress.track(outcomes, total=total)


def _print_table(rows: list[Row], strategies: list[str]) -> None:
    table = Table(title="Hit ratio, best in bold", title_justify="left")
    table.add_column("trace", no_wrap=True)
    table.add_column("requests", justify="right")
    table.add_column("capacity", justify="right")
    table.add_column("entries", justify="right")
    for name in strategies:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        best = row.best()
        table.add_row(
            _escape(row.trace),
            f"{row.requests:,}",
            row.capacity,
            f"{row.entries:,}",
            *(_ratio(row, name, bold=name in best) for name in strategies),
        )
    means = mean_reductions(rows, strategies)
    if means:
        table.caption = "Reduction: by what share the miss ratio is below that of LRU."
        table.caption_justify = "left"
        table.add_section()
        table.add_row(
            f"mean reduction vs {BASELINE}",
            "",
            "",
            "",
            *(f"{means[name]:+.2%}" if name in means else "" for name in strategies),
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(table)


def _ratio(row: Row, strategy: str, *, bold: bool) -> str:
    result = row.results.get(strategy)
    if result is None:
        return "-"
    return f"[bold]{result.hit_ratio:.2%}[/]" if bold else f"{result.hit_ratio:.2%}"


def _report_problems(rows: list[Row], failures: list[Failure], messages: Console) -> None:
    bad_lines = {row.trace: row.bad_lines for row in rows if row.bad_lines.count}
    for trace, bad in sorted(bad_lines.items()):
        messages.print(
            f"[yellow]warning:[/] {_escape(trace)}: {bad.count} bad lines left out; "
            f"{_escape('; '.join(bad.examples))}",
            soft_wrap=True,
        )
    for reason in dict.fromkeys(failure.reason for failure in failures):
        messages.print(f"[red]error:[/] {_escape(reason)}", soft_wrap=True)


def _escape(text: object) -> str:
    """Keep brackets in file names from being read as markup."""
    return str(text).replace("[", r"\[")
