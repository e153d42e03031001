"""A warm restart: memory is saved to a file, and what still holds of it is restored.

The hottest entries come first, in both directions. What is restored takes no room from anybody, and
no other's place. Over tiers with counters it comes back only if none of its labels, and not its own
key, has changed since; over a tier that nodes share it is read from there, as what nobody watches
is older than any level allows. See `docs/decisions/0024-warm-restart.md`.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Generator, Sequence
from time import monotonic
from typing import Any

from scrubjay._core.terms import Terms
from scrubjay._flow import warm_reading
from scrubjay._flow.effects import Ask, Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight
from scrubjay._flow.overtaken import Overtaken
from scrubjay._flow.warm_entries import WarmEntries
from scrubjay._flow.warm_reading import WarmReading
from scrubjay.events import EventKind
from scrubjay.tiers.snapshot import Line, SnapshotReader, SnapshotWriter

_log = logging.getLogger("scrubjay")
_NONE = Terms()
_PATIENCE = 30.0  # seconds that closing waits for a restoration to stop


class Warm(WarmReading):
    """Saves the memory of one cache, and restores it. The arguments are those of `WarmReading`."""

    # Flows, for either driver

    def save(self, path: str | os.PathLike[str]) -> Flow:
        """Save all entries that can be; the flight has how many.

        Raises:
            SnapshotError: the file cannot be written.
        """
        return (yield from self._flight(self._save(SnapshotWriter(path))))

    def restore(self, path: str | os.PathLike[str], rate: float | None) -> Flow:
        """Restore what still holds; the flight has how many entries that were."""
        reader = SnapshotReader(path)
        return (yield from self._flight(self._restore(reader, None, Overtaken(self._names), rate)))

    def begin(self, path: str | os.PathLike[str], rate: float | None) -> Flow:
        """Take a file, which nobody reads again, and begin to restore it, in a thread apart."""
        own = Flight(self, "restoring", _NONE, None)
        flight = Flight(self, "restoring", _NONE, None)
        reader = SnapshotReader(path)
        head = self._opened(reader)
        if head is not None:
            self._restoring = flight
            overtaken = Overtaken(self._names)
            self._loads.begin_restoring(overtaken)  # here: nobody uses the cache before
            work = self._apart(flight, self._restore(reader, head, overtaken, rate))
            try:
                yield Start(work, flight, self._abandon, apart=True)
            except RuntimeError:  # there is no room for a thread
                self._loads.end_restoring(overtaken)
                flight.complete(0)
                _log.warning("no thread to restore %s", os.fspath(path))
        own.complete(None)
        return own

    def end(self, path: str | os.PathLike[str] | None) -> Flow:
        """Restore no more, and save what is there; whatever goes wrong is told, not raised."""
        own = Flight(self, "the end", _NONE, None)
        self._stop.complete(None)
        if self._restoring is not None and not self._restoring.done:
            yield Wait(self._restoring, False, _PATIENCE)
        if path is not None:
            try:
                yield from self._save(SnapshotWriter(path, sparing=True))
            except Exception as error:  # the tiers are to be closed, whatever it is
                self._tell(EventKind.DEGRADED, f"memory is not saved: {error}", error=error)
        own.complete(None)
        return own

    def _flight(self, work: Flow) -> Flow:
        own = Flight(self, "a snapshot", _NONE, None)
        try:
            own.complete((yield from work))
        except Exception as error:
            own.complete(error=error)
        return own

    def _apart(self, flight: Flight, work: Flow) -> Flow:
        try:
            flight.complete((yield from work))
        except BaseException as error:
            flight.complete(error=error)
            _log.exception("restoring failed")

    def _abandon(self, flight: Flight) -> None:
        flight.complete(0)

    # Saving

    def _save(self, writer: SnapshotWriter) -> Generator[Effect, Any, int]:
        began = monotonic()
        saved = lost = 0
        entries = self._entries()
        try:
            head = {
                "prefix": self._prefix.decode("latin-1"),
                "levels": [level.name for level in self._levels()],
                "values": not self._shared,
                "cleared": (yield from self._cleared()),
                "nonce": secrets.token_hex(16),
            }
            written = json.dumps(head).encode()
            entries.begin(written)
            yield Ask(writer, "begin", (written,))
            slots = self._slots()
            for start in range(0, len(slots), warm_reading.BATCH):
                lines, missed = yield from self._lines(
                    entries, slots[start : start + warm_reading.BATCH]
                )
                yield Ask(writer, "write", (lines,))
                saved += len(lines)
                lost += missed
            yield Ask(writer, "commit", ())
        except BaseException:
            writer.abandon()
            raise
        why = f"{lost} could not be written" if lost else ""
        self._tell(EventKind.SAVE, why, amount=saved, seconds=monotonic() - began)
        return saved

    def _slots(self) -> Sequence[int]:
        """Return where entries are, the hottest first."""
        ranked = self._store.ranked()
        if ranked is not None:
            hottest: Sequence[int] = ranked[::-1]
            return hottest
        now = self._store.now_seconds()
        uses = []
        for slot in range(self._store.used):
            row = self._store.row(slot, now)
            if row is not None:
                uses.append((row["hits"], row["accessed"], slot))
        return [slot for _, _, slot in sorted(uses, reverse=True)]

    def _lines(
        self, entries: WarmEntries, slots: Sequence[int]
    ) -> Generator[Effect, Any, tuple[list[Line], int]]:
        """Return the records of some entries, and how many could not be written."""
        now = self._store.now_seconds()
        found = [row for row in (self._store.row(slot, now) for slot in slots) if row is not None]
        labels = [entries.labels_of(row) for row in found]
        names = {name for one in labels if one is not None for name in one.names}
        known: dict[bytes, Sequence[int]] = dict.fromkeys(names, ())
        if self._levels() and not self._shared:
            # Before the look that counts: what is bumped from here on is void when it is read.
            known = {**(yield from self._counters(sorted(names)))}
            again = [self._store.facts(row["key"]) for row in found]
            found = [facts for facts in again if facts is not None]
        lines = [line for line in (entries.written(one, known) for one in found) if line]
        return lines, len(found) - len(lines)
