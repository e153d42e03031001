"""The command ``scrubjay verify``; needs the extras ``cli``, ``redis`` and ``testing``."""
# ruff: noqa: PLC0415 - the command line must come up without what only this needs

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from scrubjay.errors import CacheError, MissingExtraError, TierError

_USAGE_ERROR = 2


def verify_command(
    url: Annotated[
        str,
        typer.Argument(
            help="The server, redis://user:password@host:port/database. What is written there "
            "begins with sj:verify- and expires. Left out, a server is started."
        ),
    ] = "",
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to work on it.")] = 60.0,
    processes: Annotated[int, typer.Option(min=1, help="How many processes at a time.")] = 3,
    bug: Annotated[
        str, typer.Option(help="Build a known bug in, to see that it is found; 'list' lists them.")
    ] = "",
    no_faults: Annotated[
        bool, typer.Option("--no-faults", help="Leave connections and processes alone.")
    ] = False,
    protocol: Annotated[
        bool,
        typer.Option(
            "--protocol", help="Without caches: only the protocol that they are built on."
        ),
    ] = False,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="The URL is that of a member of a cluster; left out, three primaries are started.",
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of operations and faults.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON to standard output and nothing else.")
    ] = False,
) -> None:
    """Try to break the promises of each consistency level on a Redis or Valkey server.

    Several processes with copies of their own write, read, load, remove and invalidate by tags,
    through proxies that fail; processes are killed and stopped. What they saw is checked.
    Ends with status 1 if a promise was broken.
    """
    messages = Console(stderr=True, highlight=False, emoji=False)
    try:
        try:
            from scrubjay.verify.bugs import BUGS
            from scrubjay.verify.report import print_result, to_json
            from scrubjay.verify.run import verify
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"scrubjay verify needs {error.name}: pip install 'scrubjay[cli,redis,testing]'"
            ) from error
        if bug == "list":
            described = {name: (plant.__doc__ or "").strip() for name, plant in BUGS.items()}
            lines = (f"{name:16} {text}" for name, text in described.items())
            typer.echo(json.dumps(described) if as_json else "\n".join(lines))
            return
        with nullcontext() if as_json else _elapsed(seconds, messages):
            result = verify(
                url,
                seconds=seconds,
                processes=processes,
                bug=bug,
                faults=not no_faults,
                caches=not protocol,
                cluster=cluster,
                seed=seed,
            )
    except (CacheError, FileNotFoundError) as error:
        messages.print(f"error: {error}", soft_wrap=True, markup=False)
        raise typer.Exit(1 if isinstance(error, TierError) else _USAGE_ERROR) from error
    if as_json:
        typer.echo(json.dumps(to_json(result), indent=2))
    else:
        print_result(result, Console(highlight=False, emoji=False))
    if not result.findings.by_kind["put"]:
        messages.print("error: nothing could be written, so nothing was verified")
        raise typer.Exit(1)
    if result.violations:
        raise typer.Exit(1)


@contextmanager
def _elapsed(seconds: float, messages: Console) -> Iterator[None]:
    """Show for how long it has been going on."""
    text = TextColumn(f"trying to break it for {seconds:g} s, then checking what was seen")
    with Progress(
        SpinnerColumn(), text, TimeElapsedColumn(), console=messages, transient=True
    ) as progress:
        progress.add_task("")
        yield
