"""The command ``scrubjay record``; needs the extra ``cli``."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypedDict

import typer
from rich.console import Console
from rich.table import Table

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab import recording
from scrubjay.lab.programs import MOST, Recordings, run_recorded
from scrubjay.lab.running import complain, make_messages
from scrubjay.lab.tables import escape

_LONGEST_SECRET = 64

CONTEXT = {"allow_interspersed_args": False}
"""What stands after the program is the program's."""


def record_command(
    program: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="The file to run; with -m a module.")
    ],
    arguments: Annotated[
        list[str], typer.Argument(metavar="[ARGUMENT]...", help="The program's own arguments.")
    ] = [],  # noqa: B006 - typer copies it
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The recording, .rec or .recording. Each further cache gets a file beside it, "
            "with the cache's name or number before the ending.",
        ),
    ] = Path("traffic.rec"),
    sample: Annotated[
        float,
        typer.Option(help="The share of the keys to record, above 0 and up to 1."),
    ] = 0.1,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the secret, 1 to 64 bytes, under which keys are hashed; "
            "by default one that nobody knows."
        ),
    ] = None,
    module: Annotated[
        bool, typer.Option("--module", "-m", help="PROGRAM is a module, as for python -m.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Tell what was recorded as JSON: in one line, the last one of standard output.",
        ),
    ] = False,
) -> None:
    """Run a Python program and record the requests to its caches.

    The program runs as it is, in this process, and its status is passed on.
    Processes that it starts are not recorded.
    """
    messages = make_messages()
    try:
        _check(output, sample)
        secret = None if secret_file is None else _read_secret(secret_file)
        recordings = Recordings(output, sample, secret)
        run_recorded(
            program,
            arguments,
            recordings,
            lambda: _report(recordings, sample, messages, as_json),
            as_module=module,
        )
    except CacheError as error:
        raise complain(error, messages) from error


def _check(output: Path, sample: float) -> None:
    if not output.name.endswith(recording.FORMAT.suffixes):
        endings = " or ".join(recording.FORMAT.suffixes)
        raise InvalidArgumentError(f"{output}: a recording ends in {endings}")
    if not os.access(output.parent, os.W_OK):
        raise CacheError(f"{output}: its directory is not there, or not to be written to")
    if not 0 < sample <= 1:
        raise InvalidArgumentError(f"sample: {sample!r} is not above 0 and at most 1")


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().rstrip(b"\r\n")  # as editors end a file
    except OSError as error:
        raise CacheError(f"{path}: {error.strerror or error}") from error
    if not 1 <= len(secret) <= _LONGEST_SECRET:
        raise InvalidArgumentError(
            f"{path}: the secret has {len(secret)} bytes, not 1 to {_LONGEST_SECRET}"
        )
    return secret


class Row(TypedDict):
    """What was recorded of one cache."""

    file: str
    cache: str
    requests: int
    hits: int
    rows: int
    dropped: int


def _report(recordings: Recordings, sample: float, messages: Console, as_json: bool) -> None:
    """Tell what was recorded where; what is empty is removed."""
    rows: list[Row] = []
    failures = list(recordings.failures)
    empty = 0
    for recorded in recordings.recorded:
        path, dropped = recorded.recording.path, recorded.recording.dropped
        try:
            counts = recording.count_rows(path)
            if not recorded.recording.rows and not dropped:
                path.unlink()
                empty += 1
                continue
        except (CacheError, OSError) as error:
            failures.append(str(error))
            continue
        rows.append(
            {
                "file": str(recordings.as_asked(path)),
                "cache": recorded.cache,
                "requests": counts.requests,
                "hits": counts.hits,
                "rows": counts.requests + counts.stores,
                "dropped": dropped,
            }
        )
    if as_json:
        told = {
            "sample": sample,
            "recordings": rows,
            "empty": empty,
            "left_out": recordings.left_out,
            "failures": failures,
        }
        with suppress(OSError, ValueError):  # the program has closed it
            sys.stdout.flush()
            print(json.dumps(told), file=sys.__stdout__, flush=True)
        return
    if rows:
        messages.print(_table(rows, sample))
    else:
        messages.print("nothing was recorded: no cache was asked for a key of the sample")
    if empty:
        messages.print(f"{empty} caches without a request left no file")
    if recordings.left_out:
        messages.print(f"{recordings.left_out} caches after the first {MOST} were not recorded")
    for failure in failures:
        messages.print(f"[red]error:[/] {escape(failure)}", soft_wrap=True)


def _table(rows: list[Row], sample: float) -> Table:
    table = Table(title=f"Recorded, {sample:.4g} of the keys", title_justify="left")
    table.add_column("file", no_wrap=True, overflow="fold")
    table.add_column("cache")
    for name in ("requests", "hit ratio", "rows", "dropped"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            escape(row["file"]),
            escape(row["cache"]),
            f"{row['requests']:,}",
            f"{row['hits'] / row['requests']:.2%}" if row["requests"] else "",
            f"{row['rows']:,}",
            f"{row['dropped']:,}",
        )
    return table
