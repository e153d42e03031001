"""What other nodes tell of their caches, read from the tiers that are shared with them.

It is read in a thread of its own, as long as somebody asks: who asks never waits for a tier
that is away, and is told that it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypedDict

from scrubjay.errors import CacheError
from scrubjay.web import snapshots
from scrubjay.web.board import LIFE, Board
from scrubjay.web.told import Detail, Row

_log = logging.getLogger("scrubjay")
_EVERY = 2.0  # seconds between two looks
_INTEREST = 10.0  # seconds after the last question for which it goes on looking


class Told(TypedDict):
    """What is known of other nodes."""

    rows: list[Row]
    notices: list[str]  # what could not be read, for people


class _Known(NamedTuple):
    """The last snapshot of a cache, and when it came, by our own clock."""

    row: Row
    detail: Detail | None
    since: float


class Nodes:
    """Reads what nodes tell.

    Args:
        boards: returns where they do, each with the name of a cache that is told of there.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        boards: Callable[[], Iterable[tuple[str, Board]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boards = boards
        self._clock = clock
        self._changed = threading.Condition()
        self._known: dict[str, _Known] = {}
        self._read: dict[bytes, snapshots.Snapshot | None] = {}  # of the last look
        self._notices: list[str] = []
        self._looked = False  # whether what is known is of this time
        self._asked = 0.0
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Look once."""
        found: dict[str, snapshots.Snapshot] = {}
        notices: list[str] = []
        read: dict[bytes, snapshots.Snapshot | None] = {}  # several boards may be one
        away = False
        for name, board in self._boards():
            try:
                bodies, unreadable = board.read()
            except Exception as error:  # of a tier that is not ours, say
                away = True
                reason = error if isinstance(error, CacheError) else type(error).__name__
                notices.append(
                    f"Nodes behind {board.tier_name}, as {name} has it, are not seen: {reason}"
                )
                continue
            for body in bodies.values():
                if body not in read:
                    before = body in self._read
                    read[body] = self._read[body] if before else snapshots.unpack(body)
                snapshot = read[body]
                if snapshot is None:
                    unreadable += 1
                else:
                    found[snapshot["row"]["id"]] = snapshot
            if unreadable:
                notices.append(
                    f"Nodes behind {board.tier_name}, as {name} has it: {unreadable} cannot be read, "
                    "as they have another version or another secret"
                )
        self._read = read
        now = self._clock()
        with self._changed:
            for identity, snapshot in found.items():
                known = self._known.get(identity)
                if known is None or known.row["at"] != snapshot["row"]["at"]:
                    self._known[identity] = _Known(snapshot["row"], snapshot["detail"], now)
            for identity, known in list(self._known.items()):
                # What is not there any more is gone; while nobody can tell, it is shown for a time.
                if now - known.since > LIFE or (identity not in found and not away):
                    del self._known[identity]
            self._notices = notices
            self._looked = True
            self._changed.notify_all()

    def told(self, wait: float = 0.0) -> Told:
        """Return what is known by now, and go on looking for a while.

        Args:
            wait: seconds to wait at most, if nobody has looked lately.
        """
        idle = self._thread is None and next(iter(self._boards()), None) is None
        with self._changed:
            self._asked = self._clock()
            if self._thread is None and not idle:
                self._looked = False
                self._thread = threading.Thread(
                    target=self._run, name="scrubjay-nodes", daemon=True
                )
                self._thread.start()
            if wait and not idle:
                self._changed.wait_for(lambda: self._looked, wait)
            now = self._clock()
            rows: list[Row] = [
                {**known.row, "silent": round(now - known.since, 1)}
                for known in self._known.values()
            ]
            return {"rows": rows, "notices": list(self._notices)}

    def detail(self, identity: str) -> Detail | None:
        """Return what a node told of a cache; None if it is gone, or told only of its row."""
        known = self._known.get(identity)
        return None if known is None else known.detail

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                _log.exception("a look at other nodes failed")
            with self._changed:
                if self._clock() - self._asked > _INTEREST:
                    self._thread = None
                    self._known.clear()
                    return
                self._changed.wait(_EVERY)
