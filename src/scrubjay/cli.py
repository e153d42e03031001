"""The command line, ``scrubjay``; it needs the extra ``cli``.

The commands stand beside what they run.  This module only gathers them, and
says what to install when the extra is missing.
"""
# ruff: noqa: PLC0415 - the bare install has no typer, so nothing here imports it at the top

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, TextIO

if TYPE_CHECKING:
    from typer import Typer

_EXTRA_MODULES = frozenset({"typer", "rich"})
_USAGE_ERROR = 2
_FAILED = 1
# What a full disk, a quota, a limit or a broken device says to who writes.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> None:
    """Run the command line with the arguments of the process.

    Raises:
        SystemExit: always, with the status of the command; 1 when its output
            cannot be written, 2 when it was called wrongly or the extra is not
            installed.
    """
    try:
        app = _build_app()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA_MODULES:
            raise
        sys.stderr.write(
            f"scrubjay: the command line needs {error.name}, which is not installed; "
            "install the extra 'cli': pip install 'scrubjay[cli]'\n"
        )
        raise SystemExit(_USAGE_ERROR) from None
    try:
        app()
    except OSError as error:
        # What was to be read, or is not there, has a name.
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        _discard(sys.stdout)
        try:
            sys.stderr.write(f"scrubjay: the output cannot be written: {error.strerror}\n")
        except (OSError, AttributeError):
            _discard(sys.stderr)
        raise SystemExit(_FAILED) from None


def _discard(stream: TextIO) -> None:
    """Let what waits to be written go nowhere, or Python would complain when it ends."""
    with suppress(OSError, ValueError, AttributeError):  # it is no file, or closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _build_app() -> "Typer":
    import typer

    from scrubjay.demo.command import demo_command
    from scrubjay.lab.advise_command import advise_command
    from scrubjay.lab.asking import SeveralValues
    from scrubjay.lab.command import replay_command
    from scrubjay.lab.curve_command import curve_command
    from scrubjay.lab.record_command import CONTEXT, record_command
    from scrubjay.lab.train_command import train_command
    from scrubjay.top.command import top_command
    from scrubjay.verify.command import verify_command
    from scrubjay.web.command import dashboard_command

    app = typer.Typer(
        name="scrubjay",
        help="An adaptive in-process cache: replay traces, draw curves, watch it work.",
        no_args_is_help=True,
        add_completion=False,
        # A bug deserves an ordinary traceback that fits into a report.
        pretty_exceptions_enable=False,
    )

    def print_version(wanted: bool) -> None:
        if wanted:
            typer.echo(_describe_version())
            raise typer.Exit

    @app.callback()
    def take_common_options(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                help="Print the version and exit.",
                callback=print_version,
                is_eager=True,
            ),
        ] = False,
    ) -> None:
        pass

    app.command("replay", cls=SeveralValues)(replay_command)
    app.command("curve", cls=SeveralValues)(curve_command)
    app.command("advise", cls=SeveralValues)(advise_command)
    app.command("train")(train_command)
    app.command("record", context_settings=CONTEXT)(record_command)
    app.command("dashboard")(dashboard_command)
    app.command("top")(top_command)
    app.command("demo")(demo_command)
    app.command("verify")(verify_command)
    return app


def _describe_version() -> str:
    from scrubjay import __version__, compiled

    return f"scrubjay {__version__} ({'compiled' if compiled else 'pure Python'})"
