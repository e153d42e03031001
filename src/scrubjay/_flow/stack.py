"""Memory and the tiers below it as one cache: what is done to all of them, and in which order.

What changes a key voids first what is being loaded or promoted for it, then tells the tiers,
the farthest first, and memory last: until then everyone here reads what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Any, NamedTuple, Protocol

from scrubjay._core.constants import DEPENDENCY, MISSING
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.demotion import Demotion, Origin
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Named
from scrubjay._flow.level import Level
from scrubjay._flow.lower import Lower
from scrubjay._flow.records import Counters
from scrubjay._flow.resilience import Stale
from scrubjay._flow.turns import ALL_KEYS, Turns
from scrubjay.codecs import Meta
from scrubjay.consistency import Session
from scrubjay.events import Event, EventKind
from scrubjay.tiers.protocol import Tier
from scrubjay.types import CacheConsistencyLevel


class Loads(Protocol):
    """What is being loaded; see `scrubjay._flow.loading.Loading`."""

    def pin(self, flight: Flight, keys: tuple[Any, ...]) -> None:
        """Void a load, from now on, by what changes one of several further keys."""

    def keep(self, flight: Flight, value: Any, terms: Terms) -> bool:
        """Store a loaded value unless the flight was overtaken; return whether it is kept."""


class Ready(NamedTuple):
    """What is known before a loader is called.

    Attributes:
        value: what somebody else has loaded meanwhile, or MISSING.
        counters: of the labels, in each tier.
        token: the right to fill a shared tier; None where there is none.
    """

    value: Any = MISSING
    counters: Any = ()
    token: Any = None


class Stack:
    """One store over lower tiers.

    Args:
        store: the memory.
        lower: the tiers below.
        loads: what is being loaded into the store.
    """

    def __init__(self, store: Store, lower: Lower, loads: Loads) -> None:
        self.lower = lower
        self._store = store
        self._loads = loads
        self._turns = Turns()
        self._clearing = 0
        #: what memory evicts goes there; None if nothing does
        self.demotion: Demotion | None = None
        if any(level.demotes for level in lower.levels):
            self.demotion = Demotion(store, lower, self._turns)

    # Reading

    def find(self, flight: Flight) -> Generator[Effect, Any, Any]:
        """Return what the tiers have of a key, kept in memory from now on; or MISSING."""
        lower, terms, key = self.lower, flight.terms, flight.key
        asked = lower.moment()
        named: tuple[Any, ...] = ()

        def prepare(meta: Meta) -> None:
            nonlocal named
            named = lower.needs_of(meta, lower.name_of(key))
            flight.terms = lower.terms_of(meta, named, flight)
            if named:
                self._loads.pin(flight, named)

        def expired(old: Stale) -> None:
            if flight.stale is None or old.age < flight.stale.age:
                flight.stale = old

        found = yield from lower.look(key, prepare, expired, flight)
        if found is None:
            flight.terms = terms
            return MISSING
        (value, meta, level, name), counters = found
        own = lower.terms_of(meta, named, flight, asked)
        own.ahead = flight.unasked
        self._store.put_under(key, value, own)
        if not flight.void:
            self._note(key, name, value, meta, frozenset(meta.tags), counters, level)
        nearer = lower.levels[: lower.levels.index(level)]
        if EventKind.PROMOTE in lower.events.wanted:
            lower.events.publish(Event(EventKind.PROMOTE, key, tier=level.name))
        if nearer:
            work = lower.fill(
                name, value, meta, meta.tags, counters, nearer, (), self._validity(flight)
            )
            yield from self._turns.within(key, work, flight)
        return value

    def left(self, key: Any, facts: Mapping[str, Any]) -> float:
        """Return for how many seconds memory may still show an entry, however long it lives."""
        return self.lower.memory_left(facts["created"])

    def present(self, key: Any) -> Any:
        """Return what memory has of a key and may show to who loads it, or MISSING."""
        return self._store.peek(key, MISSING)

    def read(
        self, own: Flight, keep: bool, level: CacheConsistencyLevel, session: Session | None
    ) -> Generator[Effect, Any, Any]:
        """Return what may be shown of a key at a level that a shared tier keeps."""
        raise NotImplementedError

    def loaded(self, flight: Flight, level: CacheConsistencyLevel, session: Session | None) -> None:
        """Note that a session is shown what a flight has brought, if a shared tier keeps levels."""

    def given_up(self, key: Any) -> None:
        """Note that memory has given an entry up."""

    def glimpse(self, key: Any) -> Generator[Effect, Any, Any]:
        """Return what the tiers have of a key, or MISSING; keep nothing."""
        found = yield from self.lower.look(key, bool)
        return MISSING if found is None else found[0].value

    def prepare(self, flight: Flight, anew: bool) -> Generator[Effect, Any, Ready]:
        """Return what must be known before the loader of a flight is called."""
        return Ready(counters=(yield from self.lower.counters(flight.terms, flight.key, True)))

    def release(self, key: Any, ready: Ready) -> Generator[Effect, Any, None]:
        """Let others load a key for which a loader has failed."""
        yield from ()

    def deposit(
        self, flight: Flight, value: Any, terms: Terms, ready: Ready, anew: bool
    ) -> Generator[Effect, Any, None]:
        """Keep a loaded value in memory and in the tiers unless the load was overtaken.

        Args:
            flight: the load.
            value: what it returned.
            terms: the conditions.
            ready: from before it began.
            anew: whether it replaces a value: what was made from that is void then.
        """
        changed = (self.lower.names.of_key(flight.key),) if anew else ()
        with self.lower.changing(changed):
            yield from self._deposit(flight, value, terms, ready, changed)

    def _deposit(
        self, flight: Flight, value: Any, terms: Terms, ready: Ready, changed: Sequence[bytes]
    ) -> Generator[Effect, Any, None]:
        lower = self.lower
        flight.owner.keep(flight, value, lower.in_memory(terms))
        if flight.void:
            return
        name, meta = lower.name_of(flight.key), lower.meta_of(terms)
        work = lower.fill(
            name,
            value,
            meta,
            terms.tags,
            ready.counters,
            lower.levels,
            changed,
            self._validity(flight),
            flight.unread,
        )
        try:
            yield from self._turns.within(flight.key, work, flight)
        except BaseException:  # memory has the value, whatever the tiers were told
            lower.disown_former(name, changed, flight.unread)
            raise
        finally:
            if changed:
                self._remove_dependents(flight.key)
        if not flight.void:
            self._note(flight.key, name, value, meta, terms.tags, ready.counters)

    def _note(
        self,
        key: Any,
        name: bytes,
        value: Any,
        meta: Meta,
        tags: frozenset[str],
        counters: Counters,
        level: Level | None = None,
    ) -> None:
        """Remember what was stored in memory, where it may go down when it is evicted."""
        if self.demotion is not None:
            self.demotion.note(Origin(key, name, value, meta, tags, counters, level))

    def gone(self, key: Any, value: Any, evicted: int | None) -> None:
        """Note that an entry has left memory: for want of room, if there is a cause."""
        if self.demotion is not None:
            self.demotion.gone(self.lower.name_of(key), value, evicted)

    def _validity(self, flight: Flight) -> Callable[[], bool]:
        return lambda: not flight.void and not self._clearing

    # Changing

    def put(
        self,
        key: Any,
        value: Any,
        terms: Terms,
        keep: Callable[[Terms], bool],
        session: Session | None = None,
    ) -> Flow:
        """Store a value everywhere; its flight has whether anything has kept it.

        Args:
            key: the key.
            value: the value.
            terms: the conditions.
            keep: stores it in memory, under the conditions that it is given.
            session: who writes, or None.

        Raises:
            InvalidKeyError, EncodeError: key or value have no bytes; nothing has changed.
        """
        self.lower.name_of(key)
        return self._turns.take(key, self._put(key, value, terms, keep, session))

    def _put(
        self,
        key: Any,
        value: Any,
        terms: Terms,
        keep: Callable[[Terms], bool],
        session: Session | None,
    ) -> Flow:
        self._store.overtake(key)
        began = self.lower.moment()
        with self.lower.changing((self.lower.names.of_key(key),)):
            wrote = yield from self.lower.write(key, value, terms)
            try:
                stored = keep(self.lower.in_memory(terms, meta=wrote.meta, since=began))
                name = self.lower.name_of(key)
                self._note(key, name, value, wrote.meta, terms.tags, wrote.counters)
                self._remove_dependents(key)
            except BaseException:
                self.lower.disown(key)
                self._store.remove(key)
                raise
        return stored or wrote.kept

    def forget(self, key: Any, session: Session | None = None) -> Flow:
        """Remove a key everywhere; its flight has how many entries are gone."""
        name = self.lower.name_of(key)
        return self._turns.take(key, self._forget(key, name, session))

    def _forget(self, key: Any, name: bytes, session: Session | None) -> Flow:
        changed = self.lower.names.of_key(key)
        gone = self._store.remove(key)
        with self.lower.changing((changed,)):
            try:
                below = yield from self.lower.forget((name,), (changed,))
            finally:  # if this ends before its time, the tiers are told later
                gone += self._store.remove(key) + self._remove_named(changed)
        return max(gone, below)

    def forget_tags(self, tags: frozenset[str], session: Session | None = None) -> Flow:
        """Remove what carries one of the tags; its flight has how many entries are gone."""
        return self._turns.take(Named(b"tags"), self._forget_tags(tags, session))

    def _forget_tags(self, tags: frozenset[str], session: Session | None) -> Flow:
        names = [self.lower.names.of_tag(tag) for tag in tags]
        gone = self._store.remove_by_tags(tags)
        with self.lower.changing(names):
            try:
                if names:
                    yield from self.lower.forget((), names)
            finally:  # as above
                gone += self._store.remove_by_tags(tags) + sum(map(self._remove_named, names))
        return gone

    def forget_all(self) -> Flow:
        """Remove everything everywhere."""
        return self._turns.take(ALL_KEYS, self._forget_all())

    def _forget_all(self) -> Flow:
        self._clearing += 1
        try:
            self._store.overtake_all()
            yield from self._turns.others()
            if self.demotion is not None:
                self.demotion.forget()
            try:
                yield from self.lower.forget_all()
            finally:  # as above
                gone = self._store.empty()
            return gone
        finally:
            self._clearing -= 1

    def touch(self, key: Any, ttl: float, idle: float) -> Flow:
        """Renew an entry of memory in the tiers, too; its flight has whether it was there."""
        return self._turns.take(key, self._touch(key, ttl, idle))

    def _touch(self, key: Any, ttl: float, idle: float) -> Flow:
        facts = self._store.facts(key)
        ttl_here, until = ttl, inf
        if facts is not None and ttl >= 0.0:
            now = self._store.now_seconds()  # first, as in `Records.in_memory`
            left = self.left(key, facts)
            ttl_here, until = max(0.0, min(ttl, left)), now + left
        there = self._store.renewed(key, ttl_here, idle, until)
        if there:
            if self.demotion is not None:
                self.demotion.renew(self.lower.name_of(key), ttl, idle)
            yield from self.lower.renew(key, ttl, idle)
        return there

    def _remove_named(self, name: bytes) -> int:
        """Remove what came from below and depends on a counter that has moved on."""
        return 0 if self._store.dependency_graph() is None else self._store.remove(Named(name))

    def _remove_dependents(self, key: Any) -> None:
        """Remove what was made from a key's former value, wherever that was.

        The store does so by itself for a value that it has had, not for one that was below.
        """
        graph = self._store.dependency_graph()
        if graph is None:
            return
        self._remove_named(self.lower.names.of_key(key))
        node = graph.find(key)
        for dependent in () if node is None else tuple(node.dependents):
            self._store.remove(dependent.key, DEPENDENCY)

    def flush(self, seconds: float | None, last: bool) -> Generator[Effect, Any, bool]:
        """Write what waits to be; return whether all was.

        Args:
            seconds: how long that may take; None for any time.
            last: whether what is left then is given up.
        """
        until = None if seconds is None else monotonic() + seconds
        done = True
        if self.demotion is not None:
            done = yield from self.demotion.flush(until)
        for level in self.levels:
            done = (yield from level.flush(until, last)) and done
        return done

    @property
    def levels(self) -> tuple[Level, ...]:
        """All tiers below memory, the nearest first."""
        return self.lower.levels

    def own_tiers(self) -> list[Tier]:
        """Return the tiers that are to be closed with the cache."""
        return [level.tier for level in self.lower.levels if level.owned]
