"""The command ``scrubjay train``; needs the extra ``cli``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from scrubjay.errors import CacheError
from scrubjay.lab import asking
from scrubjay.lab.model import BadLines, ReadOptions, Trace, TraceError
from scrubjay.lab.prefetch.training import train
from scrubjay.lab.running import complain, make_messages, report_bad_lines, with_count
from scrubjay.lab.tables import escape
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
        bad = BadLines()

        def read() -> Iterator[Trace]:
            nonlocal bad
            for chunk in stream_trace(trace, options):
                bad = bad.merged(chunk.bad_lines)
                yield chunk

        planner = train(read() if as_json else with_count(read(), messages), entries)
        report_bad_lines(trace.name, bad, messages)
        report = planner.statistics()
        if not report["accesses"]:
            raise TraceError(f"{trace}: there is no request in it")
        output.write_bytes(planner.save())
    except CacheError as error:
        raise complain(error, messages) from error
    except OSError as error:
        messages.print(f"[red]error:[/] {escape(output)}: {error.strerror}", soft_wrap=True)
        raise typer.Exit(2) from error
    if as_json:
        told = {"model": str(output), "requests": report["accesses"], "keys": report["keys"]}
        typer.echo(json.dumps({**told, "gain": report["gain"]}))
        return
    typer.echo(
        f"{report['accesses']:,} requests, {report['keys']:,} keys: "
        f"{100 * report['gain']:+.1f} points by prefetch while learning"
    )
