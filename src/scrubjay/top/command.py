"""The command ``scrubjay top``; needs the extra ``top``, but for its ``--json``."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from scrubjay.errors import CacheError
from scrubjay.web import options
from scrubjay.web.gathering import Gatherer

_USAGE_ERROR = 2


def top_command(
    redis: options.Redis = None,
    cluster: options.Cluster = False,
    namespace: options.Namespace = "default",
    tenant: options.Tenant = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all about each cache once, as JSON.")
    ] = False,
) -> None:
    """Show the caches that programs of yours expose, in the terminal.

    A program does that by `cache.expose()`.
    """
    messages = Console(stderr=True, soft_wrap=True)
    try:
        gatherer = Gatherer(None, nodes=options.nodes(redis, namespace, tenant, cluster))
    except CacheError as error:
        messages.print(f"scrubjay: {error}", markup=False, highlight=False)
        raise typer.Exit(_USAGE_ERROR) from error
    if as_json:
        gatherer.look(wait=True)
        rows = gatherer.rows()
        told = [{**row, "detail": gatherer.detail(row["id"])} for row in rows]
        typer.echo(
            json.dumps(
                {"time": time.time(), "caches": told, "notices": gatherer.notices()}, indent=2
            )
        )
        return
    try:
        from scrubjay.top.screen import TopApp  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        message = "scrubjay: top needs the extra 'top': pip install 'scrubjay[top]'"
        messages.print(message, markup=False, highlight=False)
        raise typer.Exit(_USAGE_ERROR) from error
    TopApp(gatherer).run()
