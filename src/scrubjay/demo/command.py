"""The command ``scrubjay demo``.

Needs the extra ``cli``; nothing else in this package imports it.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from scrubjay.demo.report import live_figures, print_result
from scrubjay.demo.run import run_demo

_FILE_WIDTH = 160  # columns; in a file or a pipe no table has to be folded


def demo_command(
    operations: Annotated[
        int, typer.Option("--ops", min=1, help="How many operations to make on the cache.")
    ] = 200_000,
    seed: Annotated[int, typer.Option(help="Seed of the data and the traffic.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON to standard output and nothing else.")
    ] = False,
) -> None:
    """Watch the cache at work between many users and an SQLite database.

    Ends with status 1 when the run misses its targets: a hit rate above 95 %,
    an average latency below 5 ms, and nothing stale served.  Few operations
    cannot reach the first, for the first read of anything is a miss.
    """
    if as_json:
        result = run_demo(operations, seed)
        typer.echo(json.dumps(result.to_json(), indent=2))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _FILE_WIDTH
        with live_figures(console) as show:
            result = run_demo(operations, seed, show)
        print_result(result, console)
    if not result.reached:
        raise typer.Exit(1)
