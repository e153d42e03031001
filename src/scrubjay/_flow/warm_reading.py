"""Restoring what `scrubjay._flow.warm` has saved, as far as it still holds."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Generator, Sequence
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from scrubjay._core.constants import PRESENT, REFUSED, STORED
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow import bulk
from scrubjay._flow.bulk_stack import BulkStack
from scrubjay._flow.demotion import Origin
from scrubjay._flow.effects import Ask, Effect, Wait
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Names
from scrubjay._flow.level import Level
from scrubjay._flow.loading import Loading
from scrubjay._flow.overtaken import Overtaken
from scrubjay._flow.records import Counters
from scrubjay._flow.warm_entries import Entry, Known, WarmEntries
from scrubjay.clock import Clock
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.codecs.results import Reason
from scrubjay.errors import SnapshotError, TierError
from scrubjay.events import Event, EventKind, Events
from scrubjay.tiers.snapshot import Batch, Line, SnapshotReader

_log = logging.getLogger("scrubjay")
BATCH = 256  # entries that are written or restored in one go
_NONE = Terms()


class Restoration(NamedTuple):
    """One file that is being restored.

    Attributes:
        entries: makes entries of its records.
        overtaken: what has changed meanwhile.
        outcome: what became of the records.
        cleared: what its head tells of when tiers were cleared.
    """

    entries: WarmEntries
    overtaken: Overtaken
    outcome: Counter[str]
    cleared: Sequence[int]


class WarmReading:
    """Restores the memory of one cache.

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

    # What both directions need

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
            cleared = None if head is None else (yield from self._fits(head))
            if head is not None and cleared is not None:
                entries = self._entries()
                entries.begin(head)
                job = Restoration(entries, overtaken, outcome, cleared)
                yield from self._read(reader, job, rate)
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

    def _fits(self, head: bytes) -> Generator[Effect, Any, Sequence[int] | None]:
        """Return what `_cleared` does, if a file is of such a cache, and nothing was cleared since."""
        try:
            described = json.loads(head)
            prefix, levels = described["prefix"], described["levels"]
            values, cleared = described["values"], described["cleared"]
        except (TypeError, ValueError, KeyError, RecursionError):
            self._tell(EventKind.CORRUPTION, "the head of the file is damaged")
            return None
        why = ""
        if prefix != self._prefix.decode("latin-1"):
            why = "it is of another namespace or tenant"
        elif values is self._shared or levels != [level.name for level in self._levels()]:
            why = "it is of a cache with other tiers"
        elif cleared is None or cleared != (yield from self._cleared()):
            why = "a tier was cleared since, or cannot be asked"
        if why:
            self._tell(EventKind.DISCARD, f"nothing is restored: {why}")
            return None
        numbers: Sequence[int] = cleared
        return numbers

    def _read(
        self,
        reader: SnapshotReader,
        job: Restoration,
        rate: float | None,
    ) -> Generator[Effect, Any, None]:
        outcome = job.outcome
        most = BATCH if rate is None else max(1, min(BATCH, int(rate / 4.0)))
        batch = Batch([], False)
        while not (batch.ended or self._stop.done or job.overtaken.everything):
            batch = yield Ask(reader, "read", (most,))
            before = outcome["refused"]
            if self._shared:
                yield from self._fetch(job, batch.lines)
            else:
                yield from self._store_all(job, batch.lines)
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

    def _decoded(self, job: Restoration, lines: Sequence[Line]) -> list[Entry]:
        """Return those of the records whose time is not up and that can be read."""
        found = []
        now = self._wall.time()
        for line in lines:
            entry = job.entries.read(line)
            if isinstance(entry, Reason):
                broken = entry in {Reason.DAMAGED, Reason.FORGED}
                job.outcome["damaged" if broken else "unreadable"] += 1
            elif entry.meta.expires is not None and entry.meta.expires <= now:
                job.outcome["expired"] += 1
            else:
                found.append(entry)
        return found

    def _store_all(self, job: Restoration, lines: Sequence[Line]) -> Generator[Effect, Any, None]:
        """Store entries whose labels still have the counters that they had."""
        found = self._decoded(job, lines)
        known: Known = {}
        if self._levels() and found:
            names = {name for entry in found for name in entry.labels}
            known = yield from self._counters(sorted(names))
        for entry in found:
            if self._levels() and any(
                known.get(name) != numbers for name, numbers in entry.labels.items()
            ):
                job.outcome["invalidated"] += 1
                continue
            try:
                job.outcome[self._store_one(job, entry)] += 1
            except Exception:  # of a sizer, or of comparing keys
                job.outcome["failed"] += 1

    def _store_one(self, job: Restoration, entry: Entry) -> str:
        """Store an entry if there is room, and nothing newer; return what became of it."""
        meta = entry.meta
        now = self._store.now_seconds()  # first, as in `Records.in_memory`
        left = inf if meta.expires is None else max(0.0, meta.expires - self._wall.time())
        if self._stack is not None:
            longest = meta.created + self._stack.lower.longest - self._wall.time()
            left = min(left, longest)
        if left <= 0.0:
            return "expired"
        graph = self._store.prepared_graph(Terms(dependencies=entry.needs))
        needs = graph.pin(entry.needs) if entry.needs else []
        for need in needs:  # it may have been: whoever stores it next changes it
            need.stored = True
        try:
            return self._put(job, entry, left, now + left)
        finally:
            if needs:
                graph.unpin(needs)

    def _put(self, job: Restoration, entry: Entry, left: float, until: float) -> str:
        meta = entry.meta
        while True:
            fence = job.overtaken.fence()
            if job.overtaken.concerns((self._names.of_key(entry.key), *entry.labels)):
                return "overtaken"
            terms = Terms(
                -1.0 if left == inf else left,
                -1.0 if meta.idle_seconds is None else meta.idle_seconds,
                meta.priority,
                meta.cost,
                frozenset(meta.tags),
                entry.needs,
                fence,
                False,
                entry.uses,
                until,
            )
            status = self._store.put_ahead(entry.key, entry.value, terms)
            if status == STORED:
                self._note(job, entry)
                return "restored"
            if status == PRESENT:
                return "present"
            if status == REFUSED:
                return "refused"

    def _note(self, job: Restoration, entry: Entry) -> None:
        """Remember what came back, where it may go down when it is evicted."""
        if self._stack is None or self._stack.demotion is None:
            return
        counters: Counters = {}
        for position, level in enumerate(self._levels()):
            known = {name: numbers[position] for name, numbers in entry.labels.items()}
            known[self._names.everything] = job.cleared[position]
            counters[level] = known
        name = self._names.encode(entry.key)
        tags = frozenset(entry.meta.tags)
        self._stack.demotion.note(Origin(entry.key, name, entry.value, entry.meta, tags, counters))

    def _fetch(self, job: Restoration, lines: Sequence[Line]) -> Generator[Effect, Any, None]:
        """Read from the tiers what a file only has the keys of."""
        uses = {entry.key: entry.uses for entry in self._decoded(job, lines)}
        missing = [key for key in uses if not self._store.contains(key)]
        job.outcome["present"] += len(uses) - len(missing)
        if not missing:
            return
        flight = yield from bulk.read_many(
            self._loads, self._stack, missing, (), _NONE, None, uses=uses
        )
        for key in missing:
            if self._store.contains(key):
                job.outcome["restored"] += 1
            else:
                job.outcome["refused" if key in flight.value else "gone"] += 1
