"""What memory evicts goes down to the tiers that take it, if it is worth a write.

Whoever evicts only puts the entry into a queue; a thread of the background writes it, in the turn of
its key. An entry is worth a write that was read while it was in memory, or that has been evicted
once before lately: what is asked for once costs the device nothing ("reject first", B. Berg et al.,
"The CacheLib Caching Engine", OSDI 2020).

A value must not come back that was invalidated since it was made, by whomever. So it is remembered
of each entry, for as long as it is in memory, which counters its labels and its key had before;
a demoted record carries them, and is void as soon as one of them has moved on.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scrubjay._core.constants import EVICTED_USED
from scrubjay._core.section import undisturbed
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking
from scrubjay._flow.effects import Effect, Flow, Wait
from scrubjay._flow.flight import Flight
from scrubjay._flow.level import Level
from scrubjay._flow.records import Counters
from scrubjay._flow.turns import Turns
from scrubjay._flow.workers import Workers
from scrubjay.codecs import Meta
from scrubjay.errors import EncodeError, TierError
from scrubjay.events import Event, EventKind
from scrubjay.tiers import forks
from scrubjay.tiers.protocol import TierRecord

if TYPE_CHECKING:
    from scrubjay._flow.lower import Lower

_MOST = 1000  # entries that wait for the thread; those beyond are not demoted
_BATCH = 64  # entries that are written in one go
_SEEN = 1000  # keys that are remembered after one eviction, besides as many as memory has

_NONE = Terms()
_workers = Workers(1)


class Origin(NamedTuple):
    """An entry of memory, as it would stand below.

    Attributes:
        key: its key.
        name: its key as bytes.
        value: its value.
        meta: its conditions.
        tags: its tags.
        counters: of its labels and of its key, in each tier, from before it was made.
        level: the tier that it came from, if one has it.
        since: the monotonic time from which on it may not have been read: memory does not tell.
    """

    key: Any
    name: bytes
    value: Any
    meta: Meta
    tags: frozenset[str]
    counters: Counters
    level: Level | None = None
    since: float = 0.0


class Demotion:
    """What memory has, as far as it may go down, and what is on its way.

    Args:
        store: the memory.
        lower: the tiers below.
        turns: whose turn it is, by key.
    """

    def __init__(self, store: Store, lower: Lower, turns: Turns) -> None:
        self._store = store
        self._lower = lower
        self._turns = turns
        self._levels = [level for level in lower.levels if level.demotes]
        self._origins: dict[bytes, Origin] = {}
        self._leaving: deque[Origin] = deque()
        self._called = False  # whether the thread is to come
        self._busy: Flight | None = None  # what the thread is doing
        self._young: set[int] = set()  # of keys that were evicted once
        self._old: set[int] = set()
        #: tells which of some entries still hold; a stack whose records have versions asks these
        self.still = lower.unchanged
        #: entries that there was no room for in the queue
        self.lost = 0
        forks.watch(self)

    # What memory has

    def note(self, origin: Origin) -> None:
        """Remember what was just stored in memory."""
        self._origins[origin.name] = origin._replace(since=self._lower.moment())
        if not self._store.contains(origin.key):  # it has gone already
            self._origins.pop(origin.name, None)
        if len(self._origins) > 2 * self._store.count + _SEEN:
            self._trim()

    def _trim(self) -> None:
        """Forget what memory does not have, of which nobody told."""
        for name, origin in undisturbed(list, self._origins.items()):
            if not self._store.contains(origin.key):
                self._origins.pop(name, None)

    def renew(self, name: bytes, ttl: float, idle: float) -> None:
        """Note that an entry lives longer; it is not as the tier has it any more."""
        origin = self._origins.get(name)
        if origin is not None:
            meta = self._lower.renewed(origin.meta, ttl, idle)
            self._origins[name] = origin._replace(meta=meta, since=self._lower.moment())

    def gone(self, name: bytes, value: Any, evicted: int | None) -> None:
        """Note that memory has given an entry up.

        Args:
            name: of its key.
            value: its value.
            evicted: the cause, if there was no room for it; else None.
        """
        origin = self._origins.get(name)
        if origin is None or origin.value is not value:
            return
        self._origins.pop(name, None)
        if evicted is None or not (evicted == EVICTED_USED or self._returns(name)):
            return
        if len(self._leaving) >= _MOST:
            self.lost += 1
        elif not undisturbed(self._enter, origin):
            try:
                _workers.submit(_Draining(self))
            except RuntimeError:  # there is no room for a thread
                self._called = False
                self._leaving.clear()

    def _returns(self, name: bytes) -> bool:
        """Tell whether a key was evicted before, and remember that it was."""
        number = hash(name)
        if number in self._young or number in self._old:
            return True
        self._young.add(number)
        if len(self._young) > self._store.count + _SEEN:
            self._old, self._young = self._young, set()
        return False

    def _enter(self, origin: Origin) -> bool:
        """Let an entry wait; tell whether the thread is called already."""
        self._leaving.append(origin)
        called, self._called = self._called, True
        return called

    def _take(self, most: int) -> list[Origin]:
        """Take entries from the queue, the last one of each key; nothing ends the thread's work."""
        taken: dict[bytes, Origin] = {}
        while self._leaving and len(taken) < most:
            origin = self._leaving.popleft()
            taken[origin.name] = origin
        if not taken:
            self._called = False
        return list(taken.values())

    def forget(self) -> None:
        """Let nothing that waits go down: all is cleared."""
        self._leaving.clear()

    def after_fork(self) -> None:
        """Begin anew in a child, where the thread is not."""
        self._called = False
        self._busy = None
        self._leaving = deque()

    def begin_anew(self) -> None:
        """Forget what memory had: it is empty."""
        self.after_fork()
        self._origins = {}

    # Going down

    def drain(self) -> None:
        """Write what waits, in this thread."""
        while True:
            flight = self._busy = Flight(self, "what goes down", _NONE, None)
            try:
                batch = undisturbed(self._take, _BATCH)
                if not batch:
                    return
                blocking.run(self.demote(batch))
            finally:
                flight.complete(None)

    def flush(self, until: float | None) -> Generator[Effect, Any, bool]:
        """Write what waits, and wait for what the thread is writing; tell whether all is written.

        Args:
            until: the monotonic time of the system at which to end; None for none.
        """
        while until is None or time.monotonic() < until:
            batch = undisturbed(self._take, _BATCH)
            if batch:
                yield from self.demote(batch)
                continue
            flight = self._busy
            if flight is None or flight.done:
                return True
            flight.refuse_circle()
            yield Wait(flight, False, None if until is None else until - time.monotonic())
        return False

    def demote(self, batch: Sequence[Origin]) -> Flow:
        """Write entries to the tiers that take them; the flight has how many."""
        return self._turns.take_many(batch, self._demote)

    def _demote(self, batch: list[Origin]) -> Generator[Effect, Any, int]:
        total = 0
        for level in reversed(self._levels):
            wanted = [one for one in batch if self._is_wanted(one)]
            try:
                wanted = yield from self._holding(level, wanted)
                records = self._records(level, wanted)
                if not records:
                    continue
                kept = yield from level.put(records)
            except TierError:
                level.owe([one.name for one in wanted], ())  # as for any fill
                continue
            except BaseException:
                level.owe([one.name for one in wanted], ())
                raise
            level.counts.demoted += sum(kept)
            total += sum(kept)
            self._tell(level, wanted)
        return total

    def _is_wanted(self, one: Origin) -> bool:
        """Tell whether memory has it no more, and it has surely been read in time."""
        idle = one.meta.idle_seconds
        late = idle is not None and self._lower.moment() - one.since >= idle
        return not late and not self._store.contains(one.key)

    def _holding(
        self, level: Level, wanted: Sequence[Origin]
    ) -> Generator[Effect, Any, list[Origin]]:
        """Return those that still hold, and that the tier has not."""
        holding = yield from self.still(level, wanted)
        came = [one for one in holding if one.level is level]
        if not came:
            return holding
        blobs = yield from level.get([one.name for one in came])
        there = {one.name for one, blob in zip(came, blobs, strict=True) if blob is not None}
        return [one for one in holding if one.name not in there]

    def _records(self, level: Level, origins: Sequence[Origin]) -> list[TierRecord]:
        records = []
        for one in origins:
            try:
                records.append(self._lower.demoted(level, one))
            except EncodeError as error:
                self._lower.refused(level, error)
        return records

    def _tell(self, level: Level, origins: Sequence[Origin]) -> None:
        events = self._lower.events
        if EventKind.DEMOTE in events.wanted:
            for one in origins:
                events.publish(Event(EventKind.DEMOTE, one.key, tier=level.name))


class _Draining:
    """Writes what waits, unless there is no cache any more."""

    def __init__(self, demotion: Demotion) -> None:
        self._demotion = weakref.ref(demotion)

    def __call__(self) -> None:
        demotion = self._demotion()
        if demotion is not None:
            try:
                demotion.drain()
            except BaseException:
                demotion.after_fork()  # the next one that leaves calls again
                raise
