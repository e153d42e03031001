"""The command ``scrubjay dashboard``; needs the extra ``cli``."""

from __future__ import annotations

import json
import secrets
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scrubjay.errors import CacheError
from scrubjay.web import options
from scrubjay.web.access import is_loopback
from scrubjay.web.dashboard import LOOPBACK, PORT, Dashboard
from scrubjay.web.gathering import Gatherer

_TOKEN_BYTES = 24
_USAGE_ERROR = 2


def dashboard_command(
    port: Annotated[int, typer.Option(help="The port; 0 for any that is free.")] = PORT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with what who looks must show. On an address that others can reach, "
            "one is made up and printed unless it is given here."
        ),
    ] = None,
    redis: options.Redis = None,
    cluster: options.Cluster = False,
    namespace: options.Namespace = "default",
    tenant: options.Tenant = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the caches once, as JSON, and serve no page.")
    ] = False,
) -> None:
    """Serve a live page of the caches that programs of yours expose.

    A program does that by `cache.expose()`. Nothing can be changed on the page.
    """
    messages = Console(stderr=True, soft_wrap=True)
    try:
        nodes = options.nodes(redis, namespace, tenant, cluster)
        if as_json:
            gatherer = Gatherer(None, nodes=nodes)
            gatherer.look(wait=True)
            typer.echo(json.dumps(gatherer.rows(), indent=2))
            for notice in gatherer.notices():
                messages.print(f"scrubjay: {notice}", markup=False, highlight=False)
            return
        token = None if token_file is None else token_file.read_text("utf-8").strip()
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(_TOKEN_BYTES)
        page = Dashboard(port, host, token, local=False, nodes=nodes)
    except (CacheError, OSError) as error:
        messages.print(f"scrubjay: {error}", markup=False, highlight=False)
        raise typer.Exit(_USAGE_ERROR) from error
    with page:
        made_up = token is not None and token_file is None
        try:
            typer.echo(f"{page.url}?token={token}" if made_up else page.url)
            threading.Event().wait()
        except KeyboardInterrupt:
            messages.print("scrubjay: the page is served no more", highlight=False)
