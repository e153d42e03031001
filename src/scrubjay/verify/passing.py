"""Sessions on their way between processes: files, as a process may be killed at any moment."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import NamedTuple

__all__ = ["Pass", "Passes"]


class Pass(NamedTuple):
    """A session.

    Args:
        number: of the session; with it its level.
        token: what it has seen; "" for nothing yet.
    """

    number: int
    token: str


class Passes:
    """Where sessions wait for a process.

    Args:
        directory: of their files.
    """

    def __init__(self, directory: Path) -> None:
        self._waiting = directory / "waiting"
        self._written = directory / "written"
        for one in (self._waiting, self._written):
            one.mkdir(parents=True, exist_ok=True)

    def give(self, session: Pass) -> None:
        """Have a session wait."""
        written = self._written / f"{session.number}"
        written.write_text(session.token)
        written.rename(self._waiting / f"{session.number}")

    def take(self, draw: random.Random) -> Pass | None:
        """Take a session that waits; None if none does."""
        names = os.listdir(self._waiting)  # noqa: PTH208 - names are what is wanted
        draw.shuffle(names)
        for name in names:
            taken = self._written / f"taken-{name}"
            try:
                (self._waiting / name).rename(taken)
            except FileNotFoundError:  # another was quicker
                continue
            return Pass(int(name), taken.read_text())
        return None
