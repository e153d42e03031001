"""The command ``scrubjay train``; needs the extra ``cli``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scrubjay.errors import CacheError
from scrubjay.lab import asking
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.prefetch.training import train
from scrubjay.lab.running import complain, make_messages, with_count
from scrubjay.lab.traces import stream_trace


def train_command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A recorded trace.")],
    output: Annotated[Path, typer.Option(help="The file to write the model to.")],
    entries: Annotated[
        int, typer.Option(min=64, help="Entries of the cache that the model is for.")
    ] = 10_000,
    key_column: asking.KeyColumn = "key",
    time_column: asking.TimeColumn = None,
    client_column: asking.ClientColumn = None,
    format_name: asking.Format = None,
    limit: asking.Limit = None,
    as_json: asking.AsJson = False,
) -> None:
    """Learn from a trace what follows what, and write a model for a cache to load.

    The trace must hold the keys themselves, not hashes of them.
    """
    messages = make_messages()
    options = ReadOptions(limit, key_column, None, time_column, client_column, None, format_name)
    try:
        chunks = stream_trace(trace, options)
        planner = train(chunks if as_json else with_count(chunks, messages), entries)
        output.write_bytes(planner.save())
    except CacheError as error:
        raise complain(error, messages) from error
    except OSError as error:
        messages.print(f"[red]error:[/] {output}: {error.strerror}")
        raise typer.Exit(2) from error
    report = planner.statistics()
    if as_json:
        told = {"model": str(output), "requests": report["accesses"], "keys": report["keys"]}
        typer.echo(json.dumps({**told, "gain": report["gain"]}))
        return
    typer.echo(
        f"{report['accesses']:,} requests, {report['keys']:,} keys: "
        f"{100 * report['gain']:+.1f} points by prefetch while learning"
    )
