"""What must be asked before a copy of what a shared tier has is shown.

What a node has of its own is served as long as the level that is asked for allows; see
`scrubjay.consistency.replica`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.coherent_copies import CoherentCopies
from scrubjay._flow.copies import Holding
from scrubjay._flow.effects import Effect
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Named
from scrubjay._flow.records import Found
from scrubjay._flow.resilience import Stale
from scrubjay.codecs import Meta, Undecodable
from scrubjay.consistency import Barrier, Copy, Session
from scrubjay.errors import TierError
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Versioned

_EVENTUAL = CacheConsistencyLevel.EVENTUAL


class CoherentReading(CoherentCopies):
    """One store, and local tiers, over a shared tier, as far as they are read.

    The arguments are those of `CoherentCopies`.
    """

    # Finding

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
            found = yield from self.lower.look_in(level, flight.key, name, flight)
            if found is None or found.meta.version != held.copy.version:
                continue
            terms = self._registered(flight, found.meta)
            if not self._still_held(name, held):
                flight.terms = terms
                continue
            self.lower.count_hit(level, flight.key, flight)
            if self._store.put_under(flight.key, found.value, _waiting(flight)):
                self._copies.hold(name, held)
                self._note(flight.key, name, found.value, found.meta, frozenset(), {}, level)
            return found.value
        return MISSING

    def _registered(self, flight: Flight, meta: Meta) -> Terms:
        """Have a flight voided by what voids a record that was found; return its former terms.

        To be done before the last look whether the record holds: what changes after that look
        finds the flight.
        """
        before = flight.terms
        named = tuple(map(Named, meta.dependencies))
        flight.terms = self.lower.terms_of(meta, named, flight)
        if named:
            self._loads.pin(flight, named)
        return before

    def _still_held(self, name: bytes, held: Holding) -> bool:
        """Tell whether a copy may still be shown, as far as anything is known here."""
        if self._copies.of(name) is not held or not held.live:
            return False
        return not self._changes.since(held.asked, held.copy.labels)

    def _find_shared(
        self, flight: Flight, name: bytes, level: CacheConsistencyLevel, session: Session | None
    ) -> Generator[Effect, Any, Any]:
        """Return what the shared tier has, kept from now on; or MISSING."""
        flight.asked = self._changes.moment()
        try:
            found, _, record = yield from self._ask(flight.key, name, None, level, session, flight)
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
        now = self._store.now_seconds()  # first: waiting between the two must not make it younger
        age = self.lower.age(found.meta)
        if age >= 0.0:
            flight.stale = Stale(found.value, age, now)
            return MISSING
        flight.unfit = None
        meta = found.meta._replace(version=record.version)
        labels = self.lower.labels_of(meta)
        terms = self._registered(flight, meta)
        if self._changes.since(flight.asked, labels):
            flight.terms = terms
            return MISSING
        flight.record, flight.labels = record, labels
        yield from self._keep(flight, name, found._replace(meta=meta), record)
        return found.value

    def _keep(
        self, flight: Flight, name: bytes, found: Found, record: Versioned
    ) -> Generator[Effect, Any, None]:
        """Keep what the shared tier has as a copy."""
        meta, labels = found.meta, flight.labels
        watches = self._watches(record.watch, labels)
        if watches is None:
            return
        if self._store.put_under(flight.key, found.value, _waiting(flight)):
            copy = Copy(record.version, record.watch, labels)
            self._hold(flight.key, name, copy, watches, flight.asked)
            self._note(flight.key, name, found.value, meta, frozenset(), {})
        if self.lower.levels:
            work = self.lower.fill(
                name, found.value, meta, (), {}, self.lower.levels, (), self._validity(flight)
            )
            yield from self._turns.within(flight.key, work, flight)

    # Asking the shared tier

    def _ask(
        self,
        key: Any,
        name: bytes,
        copy: Copy | None,
        level: CacheConsistencyLevel,
        session: Session | None,
        flight: Flight | None = None,
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
                self.lower.count_miss(self.shared, key, flight)
            else:
                self.lower.count_hit(self.shared, key, flight)
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
                    answer = yield from self.shared.ask("barrier", step.feeds)
                else:
                    answer = yield from self.shared.ask("fetch", step.keys, step.names)
            except TierError as error:
                failure = error

    # Showing

    def glimpse(self, key: Any) -> Generator[Effect, Any, Any]:
        """Return what the shared tier has of a key, or MISSING; keep nothing."""
        name = self.lower.name_of(key)
        try:
            found, _, _ = yield from self._ask(key, name, None, _EVENTUAL, None)
        except TierError:
            return MISSING
        return MISSING if found is None or self.lower.age(found.meta) >= 0.0 else found.value

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
        own.asked = self._changes.moment()
        held = self._copies.of(name)  # first: an entry is stored before its copy is known
        value = MISSING if held is None else self._store.peek(key, MISSING)
        copy = held.copy if held is not None and value is not MISSING and held.live else None
        found, outcome, record = yield from self._ask(key, name, copy, level, session, own)
        if copy is not None and outcome.copied:
            # First: who comes from now on does not join, so what changes later need not find it.
            own.void = True
            if not self._changes.since(own.asked, copy.labels):
                return value
            own.asked = self._changes.moment()
            found, outcome, record = yield from self._ask(key, name, None, level, session, own)
            keep = False
        if keep:
            return (yield from self._taken(own, name, found, record))
        return MISSING if found is None or self.lower.age(found.meta) >= 0.0 else found.value

    def loaded(self, flight: Flight, level: CacheConsistencyLevel, session: Session | None) -> None:
        """Note that a session is shown what a flight has brought.

        Args:
            flight: complete; perhaps not the session's own.
            level: at which it is shown.
            session: who is shown it, or None.

        Raises:
            ConsistencyError: it cannot be noted, so the session might be shown older things later.
        """
        record = flight.record
        if record is not None:
            name = self.lower.name_of(flight.key)
            self.replica.wrote(session, name, record)
            self.replica.seen(name, record.version, flight.labels, record.feed, level, session)

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

    def recheck(self, key: Any, level: CacheConsistencyLevel) -> Generator[Effect, Any, bool]:
        """Tell whether a copy is shown that is not the last there is; let it go then.

        Args:
            key: the key.
            level: at which it was shown.

        Raises:
            TierError: the shared tier cannot be asked.
        """
        name = self.lower.name_of(key)
        held = self._copies.of(name)
        if held is None or not held.live:
            return False
        wrong: bool = yield from self._consult(self.replica.recheck(name, held.copy, level))
        if wrong:
            self._copies.let_go(name, held)
        return wrong


def _waiting(flight: Flight) -> Terms:
    """Return the conditions of what was found: if nobody has asked for it yet, they say so."""
    flight.terms.ahead = flight.unasked
    if not flight.joined:
        flight.terms.uses = flight.uses
    return flight.terms
