"""The command ``scrubjay demo``.

Needs the extra ``cli``; nothing else in this package imports it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scrubjay.demo.report import live_figures, print_result
from scrubjay.demo.run import run_demo
from scrubjay.layers import Disk, Redis

_FILE_WIDTH = 160  # columns; in a file or a pipe no table has to be folded


def demo_command(
    operations: Annotated[
        int, typer.Option("--ops", min=1, help="How many operations to make on the cache.")
    ] = 200_000,
    seed: Annotated[int, typer.Option(help="Seed of the data and the traffic.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON to standard output and nothing else.")
    ] = False,
    redis: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Keep answers in a Redis or Valkey server, too."),
    ] = None,
    disk: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Keep answers in this directory, too.")
    ] = None,
) -> None:
    """Watch the cache at work between many users and an SQLite database.

    Ends with status 1 when the run misses its targets: a hit rate above 95 %,
    an average latency below 5 ms, and nothing stale served.  Few operations
    cannot reach the first, for the first read of anything is a miss.

    With `--disk` or `--redis` memory is made too small for all answers, and each tier's
    share of them is shown. What they have in the namespace `scrubjay-demo` is removed.
    """
    tiers: list[Disk | Redis] = [] if disk is None else [Disk(disk, max_size_mb=64)]
    if redis is not None:
        tiers.append(Redis(redis))
    if as_json:
        result = run_demo(operations, seed, tiers=tiers)
        typer.echo(json.dumps(result.to_json(), indent=2))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _FILE_WIDTH
        with live_figures(console) as show:
            result = run_demo(operations, seed, show, tiers=tiers)
        print_result(result, console)
    if not result.reached:
        raise typer.Exit(1)
