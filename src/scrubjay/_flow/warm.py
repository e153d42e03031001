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
from collections import Counter
from collections.abc import Generator, Sequence
from time import monotonic
from typing import Any

from scrubjay._core.constants import PRESENT, REFUSED, STORED
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow import bulk
from scrubjay._flow.bulk_stack import BulkStack
from scrubjay._flow.effects import Ask, Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Names
from scrubjay._flow.level import Level
from scrubjay._flow.loading import Loading
from scrubjay._flow.overtaken import Overtaken
from scrubjay._flow.warm_entries import Entry, Known, WarmEntries
from scrubjay.clock import Clock
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.codecs.results import Reason
from scrubjay.errors import SnapshotError, TierError
from scrubjay.events import Event, EventKind, Events
from scrubjay.tiers.snapshot import Batch, Line, SnapshotReader, SnapshotWriter

_log = logging.getLogger("scrubjay")
_BATCH = 256  # entries that are written or restored in one go
_NONE = Terms()
_PATIENCE = 30.0  # seconds that closing waits for a restoration to stop


class Warm:
    """Saves the memory of one cache, and restores it.

    Args:
        store: the memory.
        loads: what is being loaded into it.
        stack: the tiers below, if there are any.
        shared: whether nodes share the last one.
        encode: makes names of keys.
        serializer: turns values into bytes.
        wall: tells the wall time.
        events: where it is told what happens.
    """

    def __init__(
        self,
        store: Store,
        loads: Loading,
        stack: BulkStack | None,
        shared: bool,
        encode: KeyEncoder,
        serializer: Serializer,
        wall: Clock,
        events: Events,
    ) -> None:
        self._store = store
        self._loads = loads
        self._stack = stack
        self._shared = shared
        self._names = Names(encode, encode.prefix)
        self._prefix = encode.prefix
        self._serializer = serializer
        self._wall = wall
        self._events = events
        self._stop = Flight(self, "the end of restoring", _NONE, None)
        self._restoring: Flight | None = None

    def waited(self, seconds: float) -> None:
        """Forget how long somebody waited."""

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
                yield from self._save(SnapshotWriter(path))
            except SnapshotError as error:
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
            for start in range(0, len(slots), _BATCH):
                lines, missed = yield from self._lines(entries, slots[start : start + _BATCH])
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

    def _entries(self) -> WarmEntries:
        serializer = None if self._shared else self._serializer
        return WarmEntries(self._store, self._names, serializer, self._wall)

    def _levels(self) -> Sequence[Level]:
        return () if self._stack is None else self._stack.lower.levels

    def _counters(self, names: Sequence[bytes]) -> Generator[Effect, Any, dict[bytes, list[int]]]:
        """Return the counters of names in each tier; nothing if one cannot be asked."""
        known: dict[bytes, list[int]] = {name: [] for name in names}
        for level in self._levels():
            try:
                numbers = yield from level.ask("counters", list(names))
            except TierError:
                return {}  # it was told by the level
            for name, number in zip(names, numbers, strict=True):
                known[name].append(number)
        return known

    def _cleared(self) -> Generator[Effect, Any, list[int] | None]:
        """Return the counters that move on when a tier is cleared; None if one is not known."""
        if self._shared or not self._levels():
            return []
        return (yield from self._counters((self._names.everything,))).get(self._names.everything)

    # Restoring

    def _opened(self, reader: SnapshotReader) -> bytes | None:
        """Return the head of a file that is taken; None, and tell, if there is none."""
        try:
            return reader.open(take=True)
        except SnapshotError as error:
            reader.close()
            self._tell(EventKind.CORRUPTION, f"nothing is restored: {error}")
            return None

    def _restore(
        self,
        reader: SnapshotReader,
        head: bytes | None,
        overtaken: Overtaken,
        rate: float | None,
    ) -> Generator[Effect, Any, int]:
        began = monotonic()
        outcome: Counter[str] = Counter()
        self._loads.begin_restoring(overtaken)
        try:
            if head is None:
                head = yield Ask(reader, "open", ())
            if head is not None and (yield from self._fits(head)):
                yield from self._read(reader, head, overtaken, rate, outcome)
        except SnapshotError as error:
            self._tell(EventKind.CORRUPTION, str(error))
        finally:
            self._loads.end_restoring(overtaken)
            reader.close()
        restored = outcome.pop("restored", 0)
        if head is not None:
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(outcome.items()))
            self._tell(EventKind.RESTORE, why, amount=restored, seconds=monotonic() - began)
        return restored

    def _fits(self, head: bytes) -> Generator[Effect, Any, bool]:
        """Tell whether a file is of such a cache, and nothing was cleared since."""
        try:
            described = json.loads(head)
            prefix, levels = described["prefix"], described["levels"]
            values, cleared = described["values"], described["cleared"]
        except (TypeError, ValueError, KeyError):
            self._tell(EventKind.CORRUPTION, "the head of the file is damaged")
            return False
        why = ""
        if prefix != self._prefix.decode("latin-1"):
            why = "it is of another namespace or tenant"
        elif values is self._shared or levels != [level.name for level in self._levels()]:
            why = "it is of a cache with other tiers"
        elif cleared is None or cleared != (yield from self._cleared()):
            why = "a tier was cleared since, or cannot be asked"
        if why:
            self._tell(EventKind.DISCARD, f"nothing is restored: {why}")
        return not why

    def _read(
        self,
        reader: SnapshotReader,
        head: bytes,
        overtaken: Overtaken,
        rate: float | None,
        outcome: Counter[str],
    ) -> Generator[Effect, Any, None]:
        entries = self._entries()
        entries.begin(head)
        most = _BATCH if rate is None else max(1, min(_BATCH, int(rate / 4.0)))
        batch = Batch([], False)
        while not (batch.ended or self._stop.done or overtaken.everything):
            batch = yield Ask(reader, "read", (most,))
            before = outcome["refused"]
            if self._shared:
                yield from self._fetch(entries, batch.lines, outcome)
            else:
                yield from self._store_all(entries, batch.lines, overtaken, outcome)
            if batch.lines and outcome["refused"] - before == len(batch.lines):
                break  # there is no room, and the rest is colder
            if rate is not None and not batch.ended:
                yield Wait(self._stop, False, len(batch.lines) / rate)
        if outcome["unreadable"]:
            why = "of another serializer, secret or schema"
            self._tell(EventKind.UNDECODABLE, why, amount=outcome["unreadable"])
        if batch.trouble or outcome["damaged"]:
            damaged = f"{outcome['damaged']} records are damaged" if outcome["damaged"] else ""
            parts = [part for part in (batch.trouble, damaged) if part]
            self._tell(EventKind.CORRUPTION, "; ".join(parts), amount=outcome["damaged"])

    def _decoded(
        self, entries: WarmEntries, lines: Sequence[Line], outcome: Counter[str]
    ) -> list[Entry]:
        """Return those of the records whose time is not up and that can be read."""
        found = []
        now = self._wall.time()
        for line in lines:
            entry = entries.read(line)
            if isinstance(entry, Reason):
                broken = entry in {Reason.DAMAGED, Reason.FORGED}
                outcome["damaged" if broken else "unreadable"] += 1
            elif entry.meta.expires is not None and entry.meta.expires <= now:
                outcome["expired"] += 1
            else:
                found.append(entry)
        return found

    def _store_all(
        self,
        entries: WarmEntries,
        lines: Sequence[Line],
        overtaken: Overtaken,
        outcome: Counter[str],
    ) -> Generator[Effect, Any, None]:
        """Store entries whose labels still have the counters that they had."""
        found = self._decoded(entries, lines, outcome)
        known: Known = {}
        if self._levels() and found:
            names = {name for entry in found for name in entry.labels}
            known = yield from self._counters(sorted(names))
        for entry in found:
            if self._levels() and any(
                known.get(name) != numbers for name, numbers in entry.labels.items()
            ):
                outcome["invalidated"] += 1
                continue
            try:
                outcome[self._store_one(entry, overtaken)] += 1
            except Exception:  # of a sizer, or of comparing keys
                outcome["failed"] += 1

    def _store_one(self, entry: Entry, overtaken: Overtaken) -> str:
        """Store an entry if there is room, and nothing newer; return what became of it."""
        meta = entry.meta
        ttl = -1.0 if meta.expires is None else meta.expires - self._wall.time()
        if self._stack is not None:
            longest = meta.created + self._stack.lower.longest - self._wall.time()
            if longest <= 0.0:
                return "expired"
            ttl = longest if ttl < 0.0 else min(ttl, longest)
            ttl = -1.0 if ttl == float("inf") else ttl
        graph = self._store.prepared_graph(Terms(dependencies=entry.needs))
        needs = graph.pin(entry.needs) if entry.needs else []
        for need in needs:  # it may have been: whoever stores it next changes it
            need.stored = True
        try:
            return self._put(entry, ttl, overtaken)
        finally:
            if needs:
                graph.unpin(needs)

    def _put(self, entry: Entry, ttl: float, overtaken: Overtaken) -> str:
        meta = entry.meta
        while True:
            fence = overtaken.fence()
            if overtaken.concerns((self._names.of_key(entry.key), *entry.labels)):
                return "overtaken"
            terms = Terms(
                ttl,
                -1.0 if meta.idle_seconds is None else meta.idle_seconds,
                meta.priority,
                meta.cost,
                frozenset(meta.tags),
                entry.needs,
                fence,
                False,
                entry.uses,
            )
            status = self._store.put_ahead(entry.key, entry.value, terms)
            if status == STORED:
                return "restored"
            if status == PRESENT:
                return "present"
            if status == REFUSED:
                return "refused"

    def _fetch(
        self, entries: WarmEntries, lines: Sequence[Line], outcome: Counter[str]
    ) -> Generator[Effect, Any, None]:
        """Read from the tiers what a file only has the keys of."""
        uses = {entry.key: entry.uses for entry in self._decoded(entries, lines, outcome)}
        missing = [key for key in uses if not self._store.contains(key)]
        outcome["present"] += len(uses) - len(missing)
        if not missing:
            return
        flight = yield from bulk.read_many(
            self._loads, self._stack, missing, (), _NONE, None, uses=uses
        )
        for key in missing:
            if self._store.contains(key):
                outcome["restored"] += 1
            else:
                outcome["refused" if key in flight.value else "gone"] += 1

    def _tell(
        self,
        kind: EventKind,
        detail: str,
        amount: int = 1,
        seconds: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        if kind in self._events.wanted:
            self._events.publish(
                Event(
                    kind, tier="memory", detail=detail, amount=amount, seconds=seconds, error=error
                )
            )
        elif kind not in {EventKind.SAVE, EventKind.RESTORE}:
            _log.warning("memory: %s: %s", kind.value, detail)
