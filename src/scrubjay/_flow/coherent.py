"""Memory and local tiers as copies of what a shared tier has.

The shared tier has the truth: it issues versions, tells of changes, and grants the right to
load. What a node has of its own is served as long as the level that is asked for allows;
see `scrubjay.consistency.replica`. What cannot be watched, as the tier cannot be reached,
is kept for no longer than silence is borne.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.copies import Copies, Holding
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Named
from scrubjay._flow.level import Level
from scrubjay._flow.lower import Found, Lower
from scrubjay._flow.resilience import Stale
from scrubjay._flow.stack import Loads, Ready, Stack
from scrubjay.clock import Clock
from scrubjay.codecs import Meta, Undecodable
from scrubjay.consistency import Barrier, Copy, Replica, Session
from scrubjay.errors import EncodeError, TierError
from scrubjay.tiers import forks
from scrubjay.tiers.protocol import TierRecord
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Count, Lease, Versioned, Watch

_ATTEMPTS = 4  # to be granted a lease, before it is loaded without
_EVENTUAL = CacheConsistencyLevel.EVENTUAL


class Coherent(Stack):
    """One store, and local tiers, over a shared tier.

    Args:
        store: the memory.
        lower: the local tiers.
        shared: the tier that all nodes share.
        loads: what is being loaded into the store.
        clock: tells the time.
        silence_seconds: how long copies may be served after the shared tier was last heard of.
        lease_seconds: how long others wait for who loads a key, before they do themselves.
        forgiving: whether a change which the shared tier was not told of is no error: it is
            told later then.
    """

    def __init__(
        self,
        store: Store,
        lower: Lower,
        shared: Level,
        loads: Loads,
        clock: Clock,
        silence_seconds: float,
        lease_seconds: float,
        forgiving: bool,
    ) -> None:
        super().__init__(store, lower, loads)
        self.shared = shared
        self.replica = Replica(silence_seconds)
        self._copies = Copies(store, bool(lower.levels))
        self._clock = clock
        self._silence = silence_seconds
        self._lease_seconds = lease_seconds
        self._forgiving = forgiving
        self._owner = os.urandom(8)
        self._leases = itertools.count()
        self._copies.listen(shared.tier)
        forks.watch(self)

    def given_up(self, key: Any) -> None:
        """Note that memory has given an entry up."""
        self._copies.given_up(self.lower.name_of(key), key)

    def look_after(self, now: float) -> None:
        """Give up the copies of which nobody would have told for too long.

        Args:
            now: monotonic time.
        """
        self._copies.silent(now, self._silence)

    def after_fork(self) -> None:
        """Begin anew: nobody tells a child of changes to what its parent has read."""
        self._copies.after_fork()
        self._owner = os.urandom(8)

    # Reading

    def find(self, flight: Flight) -> Generator[Effect, Any, Any]:
        """Return what a local tier or the shared one has, kept from now on; or MISSING."""
        name = self.lower.name_of(flight.key)
        held = self._copies.of(name)
        if held is not None and held.live:
            value = yield from self._find_nearby(flight, name, held)
            if value is not MISSING:
                return value
        return (yield from self._find_shared(flight, name, _EVENTUAL, None))

    def _find_nearby(
        self, flight: Flight, name: bytes, held: Holding
    ) -> Generator[Effect, Any, Any]:
        """Return what a local tier has, if it is the version that is watched."""
        for level in self.lower.levels:
            found = yield from self.lower.look_in(level, flight.key, name)
            if found is None or found.meta.version != held.copy.version or not held.live:
                continue
            self.lower.count_hit(level, flight.key)
            named = tuple(map(Named, found.meta.dependencies))
            flight.terms = self.lower.terms_of(found.meta, named, flight)
            if named:
                self._loads.pin(flight, named)
            self._store.put_under(flight.key, found.value, _waiting(flight))
            self._copies.hold(name, held)
            return found.value
        return MISSING

    def _find_shared(
        self, flight: Flight, name: bytes, level: CacheConsistencyLevel, session: Session | None
    ) -> Generator[Effect, Any, Any]:
        """Return what the shared tier has, kept from now on; or MISSING."""
        try:
            found, _, record = yield from self._ask(flight.key, name, None, level, session)
        except TierError:
            return MISSING  # it was told by the level
        return (yield from self._taken(flight, name, found, record))

    def _taken(
        self, flight: Flight, name: bytes, found: Found | None, record: Versioned | None
    ) -> Generator[Effect, Any, Any]:
        """Keep what was found and return it; or MISSING, and note what it is of no use."""
        flight.unfit = None
        if record is not None and record.value is not None:
            flight.unfit = record.version
        if found is None or record is None:
            return MISSING
        age = self.lower.age(found.meta)
        if age >= 0.0:
            flight.stale = Stale(found.value, age, self._store.now_seconds())
            return MISSING
        flight.unfit = None
        yield from self._keep(flight, name, found, record)
        return found.value

    def _ask(
        self,
        key: Any,
        name: bytes,
        copy: Copy | None,
        level: CacheConsistencyLevel,
        session: Session | None,
    ) -> Generator[Effect, Any, tuple[Found | None, Any, Versioned | None]]:
        """Return what the shared tier has, what was found out, and the record itself."""
        decoded: dict[int, Found | None] = {}

        def read(record: Versioned) -> Found | None:
            assert record.value is not None
            if record.version not in decoded:
                found = self.lower.decoded(self.shared, key, name, record.value)
                decoded[record.version] = None if isinstance(found, Undecodable) else found
            return decoded[record.version]

        def labels_of(record: Versioned) -> Mapping[bytes, int]:
            found = read(record)
            return {} if found is None else self.lower.labels_of(found.meta)

        steps = self.replica.read(name, copy, level, session, self._clock.monotonic(), labels_of)
        outcome = yield from self._consult(steps)
        record = outcome.record
        found = None
        if (
            not outcome.copied
            and outcome.why is None
            and record is not None
            and record.value is not None
        ):
            found = read(record)
        if not outcome.copied:
            if found is None or self.lower.age(found.meta) >= 0.0:
                self.lower.count_miss(self.shared, key)
            else:
                self.lower.count_hit(self.shared, key)
        return found, outcome, record

    def _consult(self, steps: Any) -> Generator[Effect, Any, Any]:
        """Do what a replica wants done."""
        answer: Any = None
        failure: Exception | None = None
        while True:
            try:
                step = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                return end.value
            answer = failure = None
            try:
                if isinstance(step, Barrier):
                    answer = yield from self.shared.ask("barrier")
                else:
                    answer = yield from self.shared.ask("fetch", step.keys, step.names)
            except TierError as error:
                failure = error

    def _keep(
        self, flight: Flight, name: bytes, found: Found, record: Versioned
    ) -> Generator[Effect, Any, None]:
        """Keep what the shared tier has as a copy."""
        meta = found.meta._replace(version=record.version)
        named = tuple(map(Named, meta.dependencies))
        flight.terms = self.lower.terms_of(meta, named, flight)
        if named:
            self._loads.pin(flight, named)
        labels = self.lower.labels_of(meta)
        watches = self._watches(record.watch, labels)
        if watches is None:
            return
        if self._store.put_under(flight.key, found.value, _waiting(flight)):
            copy = Copy(record.version, record.watch, labels)
            self._copies.hold(name, Holding(flight.key, copy, watches))
        if self.lower.levels:
            work = self.lower.fill(
                name, found.value, meta, (), {}, self.lower.levels, (), self._validity(flight)
            )
            yield from self._turns.within(flight.key, work, flight)

    def _watches(
        self, watch: Watch | None, labels: Mapping[bytes, int]
    ) -> tuple[Watch, ...] | None:
        """Return the watches over a record and its labels; None if one has ended."""
        counts = [self.replica.count(name) for name in labels]
        watches = [watch, *(None if count is None else count.watch for count in counts)]
        values = [None if count is None else count.value for count in counts]
        if values != list(labels.values()):
            return None
        live = tuple(one for one in watches if one is not None and one.live)
        return live if len(live) == len(watches) else None

    def glimpse(self, key: Any) -> Generator[Effect, Any, Any]:
        """Return what the shared tier has of a key, or MISSING; keep nothing."""
        name = self.lower.name_of(key)
        try:
            found, _, _ = yield from self._ask(key, name, None, _EVENTUAL, None)
        except TierError:
            return MISSING
        return MISSING if found is None or self.lower.age(found.meta) >= 0.0 else found.value

    def present(self, key: Any) -> Any:
        """Return what is in memory and has not changed, as far as was told; else MISSING."""
        held = self._copies.of(self.lower.name_of(key))
        # What nobody watches was kept while the tier could not be asked. Who loads asks again.
        return self._store.peek(key, MISSING) if held is not None and held.live else MISSING

    def left(self, key: Any, facts: Mapping[str, Any]) -> float:
        """Return for how many seconds memory may still show an entry, however long it lives.

        What nobody watches lives no longer than silence is borne.
        """
        left = super().left(key, facts)
        held = self._copies.of(self.lower.name_of(key))
        if held is not None and held.live:
            return left
        deadline: float = facts["deadline"]
        return min(left, deadline - self._store.now_seconds())

    def read(
        self, own: Flight, keep: bool, level: CacheConsistencyLevel, session: Session | None
    ) -> Generator[Effect, Any, Any]:
        """Return what may be shown of a key at a level, or MISSING.

        Args:
            own: of the key.
            keep: whether what is found is kept, as it has claimed the key.
            level: how fresh it must be.
            session: who reads, or None.

        Raises:
            ConsistencyError: the level cannot be kept.
            TierError: the shared tier cannot be asked.
        """
        key, name = own.key, self.lower.name_of(own.key)
        held = self._copies.of(name)  # first: an entry is stored before its copy is known
        value = MISSING if held is None else self._store.peek(key, MISSING)
        copy = held.copy if held is not None and value is not MISSING and held.live else None
        found, outcome, record = yield from self._ask(key, name, copy, level, session)
        if outcome.copied:
            return value
        if keep:
            return (yield from self._taken(own, name, found, record))
        return MISSING if found is None or self.lower.age(found.meta) >= 0.0 else found.value

    def at_once(self, key: Any, level: CacheConsistencyLevel, session: Session) -> Any:
        """Return a copy that a session may be shown without asking anybody; else MISSING."""
        name = self.lower.name_of(key)
        held = self._copies.of(name)
        if held is None or not held.live:
            return MISSING
        steps = self.replica.holds(
            name,
            held.copy,
            level,
            session,
            self._clock.monotonic(),
        )
        value = self._store.peek(key, MISSING)
        try:
            next(steps)
        except StopIteration as end:
            return value if end.value else MISSING
        steps.close()
        return MISSING

    # Loading

    def prepare(self, flight: Flight, anew: bool) -> Generator[Effect, Any, Ready]:
        """Be granted the right to load, or return what another node has loaded meanwhile."""
        name = self.lower.name_of(flight.key)
        own, inherited = self._labels(flight.key, flight.terms)
        names = tuple({*own, *inherited})
        level, session = flight.demand or (_EVENTUAL, None)
        flight.began = self._clock.monotonic()
        try:
            for _ in range(_ATTEMPTS):
                unfit = flight.unfit
                if anew and unfit is None:
                    unfit = yield from self._version_of(name)
                owner = self._owner + b"%d" % next(self._leases)
                lease: Lease = yield from self.shared.ask(
                    "lease", name, owner, self._lease_seconds, void=unfit, names=names
                )
                self.replica.learn(names, lease.counts)
                if lease.token is not None:
                    return Ready(
                        counters=dict(zip(names, lease.counts, strict=True)), token=lease.token
                    )
                found = lease.found
                if found is not None and found.value is None and found.watch is not None:
                    yield from self.shared.ask("until_changed", found.watch, lease.seconds)
                flight.unfit = None
                if not anew:
                    value = yield from self._find_shared(flight, name, level, session)
                    if value is not MISSING:
                        return Ready(value)
        except TierError:
            return Ready()  # it was told by the level
        return Ready()

    def _version_of(self, name: bytes) -> Generator[Effect, Any, int | None]:
        fetched = yield from self.shared.ask("fetch", (name,), ())
        record: Versioned | None = fetched.records[0]
        return None if record is None or record.value is None else record.version

    def _labels(self, key: Any, terms: Terms) -> tuple[dict[bytes, str], frozenset[bytes]]:
        own = {self.lower.names.of_tag(tag): tag for tag in terms.tags}
        if not terms.dependencies:
            return own, frozenset()
        inherited = self.lower.names.inherited(terms, self._store)
        return own, inherited - {self.lower.names.of_key(key)}  # nothing goes with itself

    def deposit(
        self, flight: Flight, value: Any, terms: Terms, ready: Ready, anew: bool
    ) -> Generator[Effect, Any, None]:
        """Keep a loaded value here and in the shared tier unless the load was overtaken."""
        name = self.lower.name_of(flight.key)
        changed = (self.lower.names.of_key(flight.key),) if anew else ()
        if ready.token is None:
            if anew:  # what it has is of the past
                self._owe((name,), changed)
            self._keep_unwatched(flight, value, terms)
            return
        # Whatever has voided the flight: the token holds only if nothing has changed there, and
        # the lease itself may have, as it is told to who has a copy of what it replaces.
        labels = {name: count.value for name, count in ready.counters.items()}
        meta = self.lower.labelled(self.lower.meta_of(terms), terms.tags, labels)
        record = self.lower.record_or_none(self.shared, name, value, meta)
        if record is None:
            if anew:
                self._owe((name,), changed)
            self._keep_unwatched(flight, value, terms)
            yield from self._release(name, ready)
            return
        try:
            filled: Versioned | None = yield from self.shared.ask("fill", record, ready.token)
            if anew:
                yield from self.shared.ask("advance", changed)
        except TierError:
            self._owe((name,), changed)
            self._keep_unwatched(flight, value, terms)
            return
        except BaseException:
            if anew:
                self._owe((name,), changed)
            raise
        if filled is not None and not flight.void:
            yield from self._keep_filled(flight, name, value, meta, terms, filled)
        if anew:
            self._remove_dependents(flight.key)

    def release(self, key: Any, ready: Ready) -> Generator[Effect, Any, None]:
        """Let others load a key for which a loader has failed."""
        if ready.token is not None:
            yield from self._release(self.lower.name_of(key), ready)

    def _release(self, name: bytes, ready: Ready) -> Generator[Effect, Any, None]:
        with suppress(TierError):  # others wait until its time is up
            yield from self.shared.ask("release", name, ready.token)

    def _keep_filled(
        self,
        flight: Flight,
        name: bytes,
        value: Any,
        meta: Meta,
        terms: Terms,
        filled: Versioned,
    ) -> Generator[Effect, Any, None]:
        meta = meta._replace(version=filled.version)
        labels = self.lower.labels_of(meta)
        watches = self._watches(filled.watch, labels)
        if watches is None:
            return
        if flight.owner.keep(flight, value, self.lower.in_memory(terms)):
            copy = Copy(filled.version, filled.watch, labels)
            self._copies.hold(name, Holding(flight.key, copy, watches))
        if self.lower.levels:
            work = self.lower.fill(
                name, value, meta, (), {}, self.lower.levels, (), self._validity(flight)
            )
            yield from self._turns.within(flight.key, work, flight)

    def _keep_unwatched(self, flight: Flight, value: Any, terms: Terms) -> None:
        """Keep a loaded value of which nobody would be told that it has changed."""
        left = self._silence
        if flight.began is not None:  # it may be as old as its loading
            left -= self._clock.monotonic() - flight.began
        if left > 0.0:
            flight.owner.keep(flight, value, self.lower.in_memory(terms, left))

    # Changing

    def _put(
        self,
        key: Any,
        value: Any,
        terms: Terms,
        keep: Callable[[Terms], bool],
        session: Session | None,
    ) -> Flow:
        name = self.lower.name_of(key)
        changed = (self.lower.names.of_key(key),)
        began = self._clock.monotonic()
        self._store.overtake(key)
        own, inherited = self._labels(key, terms)
        names = tuple({*own, *inherited})
        meta = self.lower.meta_of(terms)
        written: Versioned | None = None
        counts: list[Count] = []
        failure: TierError | None = None
        labels: Mapping[bytes, int] = {}
        # First without its labels, so that nothing has changed if it cannot be written as bytes.
        record = self.lower.sealed(self.shared, name, value, meta)
        try:
            try:
                if names:
                    known = yield from self._consult(self.replica.generations(names))
                    labels = {one: count.value for one, count in zip(names, known, strict=True)}
                    meta = self.lower.labelled(meta, terms.tags, labels)
                    record = self.lower.sealed(self.shared, name, value, meta)
                written = yield from self._written(name, record)
                counts = yield from self.shared.ask("advance", changed)
            except TierError as error:
                self._owe((name,), changed)
                failure = error
            self._copies.forget(name)
            if written is not None and written.value is not None:
                meta = meta._replace(version=written.version)
                yield from self.lower.overwrite(name, value, meta)
            elif self.lower.levels:
                yield from self.lower.forget((name,), ())
            stored = self._put_in_memory(key, name, terms, keep, written, labels, began)
            self._remove_dependents(key)
        except BaseException:
            self.disown(key)
            self._store.remove(key)
            raise
        if written is not None:
            self.replica.wrote(session, name, written)
        if counts:
            self.replica.advanced(session, changed, counts)
        self._answer_for(failure)
        return stored or (written is not None and written.value is not None)

    def _written(self, name: bytes, record: TierRecord) -> Generator[Effect, Any, Versioned]:
        written: Versioned = yield from self.shared.ask("write", record)
        self.shared.counts.writes += 1
        return written

    def _put_in_memory(
        self,
        key: Any,
        name: bytes,
        terms: Terms,
        keep: Callable[[Terms], bool],
        written: Versioned | None,
        labels: Mapping[bytes, int],
        began: float,
    ) -> bool:
        if written is None or written.value is None:
            left = self._silence - (self._clock.monotonic() - began)
            if left > 0.0:
                return keep(self.lower.in_memory(terms, left))
            self._store.remove(key)
            return False
        watches = self._watches(written.watch, labels)
        if watches is None:  # something else has been written since
            self._store.remove(key)
            return True
        stored = keep(self.lower.in_memory(terms))
        copy = Copy(written.version, written.watch, labels)
        self._copies.hold(name, Holding(key, copy, watches))
        return stored

    def disown(self, key: Any) -> None:
        """Have every tier forget a key, as soon as it is asked anything again."""
        self.lower.disown(key)
        self._owe((self.lower.name_of(key),), (self.lower.names.of_key(key),))

    def _owe(self, names: Sequence[bytes], changed: Sequence[bytes]) -> None:
        """Note what the shared tier must be told, and serve no copy that goes with it."""
        self.shared.owe(names, changed)
        self._copies.forget_labelled(changed)

    def _forget(self, key: Any, name: bytes, session: Session | None) -> Flow:
        changed = self.lower.names.of_key(key)
        gone = self._store.remove(key)
        below = 0
        removed: list[Versioned] = []
        counts: list[Count] = []
        failure: TierError | None = None
        try:
            removed = yield from self.shared.ask("delete", (name,))
            counts = yield from self.shared.ask("advance", (changed,))
        except TierError as error:
            self._owe((name,), (changed,))
            failure = error
        except BaseException:
            self.disown(key)
            self._copies.forget(name)
            self._store.remove(key)
            raise
        self._copies.forget(name)
        try:
            if self.lower.levels:
                below = yield from self.lower.forget((name,), ())
        finally:
            gone += self._store.remove(key) + self._remove_named(changed)
        for tombstone in removed:
            self.replica.wrote(session, name, tombstone)
        if counts:
            self.replica.advanced(session, (changed,), counts)
        self._answer_for(failure)
        return max(gone, below)

    def _answer_for(self, failure: TierError | None) -> None:
        """Raise the error of a change that the shared tier was not told of, unless forgiven."""
        if failure is not None and not self._forgiving:
            raise failure

    def _touch(self, key: Any, ttl: float, idle: float) -> Flow:
        there = yield from super()._touch(key, ttl, idle)
        if there and (ttl >= 0.0 or idle >= 0.0):
            name = self.lower.name_of(key)
            try:
                yield from self._renew_shared(key, name, ttl, idle)
            except (EncodeError, TierError):
                self.shared.owe((name,), ())  # it may live longer there than it is to
        return there

    def _renew_shared(
        self, key: Any, name: bytes, ttl: float, idle: float
    ) -> Generator[Effect, Any, None]:
        """Give the shared record another time to live, unless it is replaced meanwhile."""
        fetched = yield from self.shared.ask("fetch", (name,), ())
        record: Versioned | None = fetched.records[0]
        if record is None or record.value is None:
            return
        found = self.lower.decoded(self.shared, key, name, record.value)
        if not isinstance(found, Found):
            return
        owner = self._owner + b"%d" % next(self._leases)
        lease: Lease = yield from self.shared.ask(
            "lease", name, owner, self._lease_seconds, void=record.version
        )
        if lease.token is not None:
            meta = self.lower.renewed(found.meta, ttl, idle)
            sealed = self.lower.sealed(self.shared, name, found.value, meta)
            yield from self.shared.ask("fill", sealed, lease.token)

    def _forget_tags(self, tags: frozenset[str], session: Session | None) -> Flow:
        names = tuple(self.lower.names.of_tag(tag) for tag in tags)
        gone = self._store.remove_by_tags(tags)
        counts: list[Count] = []
        failure: TierError | None = None
        if names:
            try:
                counts = yield from self.shared.ask("advance", names)
            except TierError as error:
                self._owe((), names)
                failure = error
            except BaseException:
                self._owe((), names)
                raise
            finally:
                gone += self._store.remove_by_tags(tags) + sum(map(self._remove_named, names))
        if counts:
            self.replica.advanced(session, names, counts)
        self._answer_for(failure)
        return gone

    def _forget_all(self) -> Flow:
        self._clearing += 1
        try:
            self._store.overtake_all()
            yield from self._turns.others()
            failure: TierError | None = None
            try:
                try:
                    yield from self.shared.ask("clear")
                except TierError as error:
                    self.shared.debts.add_all()
                    failure = error
                yield from self.lower.forget_all()
            except BaseException:
                for level in self.levels:
                    level.debts.add_all()
                raise
            finally:
                gone = self._store.empty()
            self._answer_for(failure)
            return gone
        finally:
            self._clearing -= 1

    def own_tiers(self) -> list[Any]:
        """Return the tiers that are to be closed with the cache."""
        own = super().own_tiers()
        return [*own, self.shared.tier] if self.shared.owned else own

    @property
    def levels(self) -> tuple[Level, ...]:
        """All tiers below memory, the nearest first."""
        return (*self.lower.levels, self.shared)


def _waiting(flight: Flight) -> Terms:
    """Return the conditions of what was found: if nobody has asked for it yet, they say so."""
    flight.terms.ahead = flight.ahead and not flight.joined
    return flight.terms
