"""Loading what a tier that nodes share is to have: by a lease, which any change voids.

The tier grants the right to load. What cannot be watched, as it cannot be reached, is kept for no
longer than silence is borne.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.coherent_reading import CoherentReading
from scrubjay._flow.effects import Effect
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Named
from scrubjay._flow.stack import Ready
from scrubjay.codecs import Meta
from scrubjay.consistency import Copy
from scrubjay.errors import TierError
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Count, Lease, Versioned

_ATTEMPTS = 4  # to be granted a lease, before it is loaded without
_EVENTUAL = CacheConsistencyLevel.EVENTUAL


class CoherentLoading(CoherentReading):
    """One store, and local tiers, over a shared tier, as far as values are loaded into them.

    The arguments are those of `CoherentCopies`.
    """

    # Preparing

    def prepare(self, flight: Flight, anew: bool) -> Generator[Effect, Any, Ready]:
        """Be granted the right to load, or return what another node has loaded meanwhile."""
        name = self.lower.name_of(flight.key)
        names = self._labels_of(flight)
        level, session = flight.demand or (_EVENTUAL, None)
        flight.began = self._clock.monotonic()
        try:
            for _ in range(_ATTEMPTS):
                flight.asked = self._changes.moment()
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

    def _labels_of(self, flight: Flight) -> tuple[bytes, ...]:
        """Return the names of all labels of what is loaded; what voids one voids the flight.

        Memory may give up what it depends on meanwhile, and with that forget what is inherited.
        """
        names, terms = self._labels(flight.key, flight.terms), flight.terms
        inherited = set(names).difference(
            map(self.lower.names.of_tag, terms.tags),
            map(self.lower.names.of_key, terms.dependencies),
        )
        if inherited:
            self._loads.pin(flight, tuple(map(Named, inherited)))
        return names

    def _labels(self, key: Any, terms: Terms) -> tuple[bytes, ...]:
        """Return the names of all labels of an entry but its own: nothing goes with itself."""
        names = self.lower.names
        return tuple(names.of_entry(terms, self._store) - {names.of_key(key)})

    def release(self, key: Any, ready: Ready) -> Generator[Effect, Any, None]:
        """Let others load a key for which a loader has failed."""
        if ready.token is not None:
            yield from self._release(self.lower.name_of(key), ready)

    def _release(self, name: bytes, ready: Ready) -> Generator[Effect, Any, None]:
        with suppress(TierError):  # others wait until its time is up
            yield from self.shared.ask("release", name, ready.token)

    # Keeping

    def deposit(
        self, flight: Flight, value: Any, terms: Terms, ready: Ready, anew: bool
    ) -> Generator[Effect, Any, None]:
        """Keep a loaded value here and in the shared tier unless the load was overtaken."""
        name = self.lower.name_of(flight.key)
        if not anew:
            yield from self._deposit_named(flight, name, value, terms, ready, ())
            return
        former, kept = self._copies.of(name), False
        try:
            changed = (self.lower.names.of_key(flight.key),)
            kept = yield from self._deposit_named(flight, name, value, terms, ready, changed)
        finally:
            dropped = former is not None and self._copies.disown(name, former)
            if not kept and (dropped or not flight.void):
                self._store.remove(flight.key)
            self._remove_dependents(flight.key)

    def _deposit_named(
        self,
        flight: Flight,
        name: bytes,
        value: Any,
        terms: Terms,
        ready: Ready,
        changed: tuple[bytes, ...],
    ) -> Generator[Effect, Any, bool]:
        """Keep a loaded value, of which what depends on it changes; return whether memory does."""
        replaced = (name,) if changed else ()  # else nothing that it has is of the past
        if ready.token is None:
            self._owe(replaced, changed)
            return self._keep_unwatched(flight, value, terms)
        # Whatever has voided the flight: the token holds only if nothing has changed there, and
        # the lease itself may have, as it is told to who has a copy of what it replaces.
        labels = {name: count.value for name, count in ready.counters.items()}
        meta = self.lower.labelled(self.lower.meta_of(terms), terms.tags, labels)
        record = self.lower.record_or_none(self.shared, name, value, meta)
        if record is None:
            self._owe(replaced, changed)
            kept = self._keep_unwatched(flight, value, terms)
            yield from self._release(name, ready)
            return kept
        try:
            filled: Versioned | None = yield from self.shared.ask("fill", record, ready.token)
            if changed:
                yield from self._advance(changed)
        except TierError:
            self._owe((name,), changed)
            return self._keep_unwatched(flight, value, terms, meta)
        except BaseException:
            self._owe(replaced, changed)
            raise
        flight.record, flight.labels = filled, labels
        if filled is None or flight.void:
            return False
        return (yield from self._keep_filled(flight, name, value, meta, terms, filled))

    def _keep_filled(
        self,
        flight: Flight,
        name: bytes,
        value: Any,
        meta: Meta,
        terms: Terms,
        filled: Versioned,
    ) -> Generator[Effect, Any, bool]:
        meta = meta._replace(version=filled.version)
        labels = self.lower.labels_of(meta)
        watches = self._watches(filled.watch, labels)
        if watches is None or self._changes.since(flight.asked, labels):
            return False
        kept: bool = flight.owner.keep(flight, value, self.lower.in_memory(terms, meta=meta))
        if kept:
            copy = Copy(filled.version, filled.watch, labels)
            self._hold(flight.key, name, copy, watches, flight.asked)
            self._note(flight.key, name, value, meta, frozenset(), {})
        if self.lower.levels:
            work = self.lower.fill(
                name, value, meta, (), {}, self.lower.levels, (), self._validity(flight)
            )
            yield from self._turns.within(flight.key, work, flight)
        return kept

    def _keep_unwatched(
        self, flight: Flight, value: Any, terms: Terms, meta: Meta | None = None
    ) -> bool:
        """Keep a loaded value of which nobody would be told that it has changed."""
        now = self._clock.monotonic()
        # It may be as old as its loading.
        until = self._silence + (now if flight.began is None else flight.began)
        return until > now and bool(
            flight.owner.keep(flight, value, self.lower.in_memory(terms, until, meta))
        )

    # Telling of changes

    def _advance(self, names: tuple[bytes, ...]) -> Generator[Effect, Any, list[Count]]:
        """Begin new generations of names, and note it before anybody is told.

        Only then may what goes with the former ones be removed here: who finds such a record
        after that on a local tier, or has it from the shared one already, must see that it is
        of the past.
        """
        counts: list[Count] = yield from self.shared.ask("advance", names)
        self._changes.note(names)
        self.replica.learn(names, counts)
        return counts

    def _owe(self, names: Sequence[bytes], changed: Sequence[bytes]) -> None:
        """Note what the shared tier must be told, and serve no copy that goes with it.

        Nothing comes of it where that is nothing.
        """
        self.shared.owe(names, changed)
        self._changes.note(changed)
        self._copies.forget_labelled(changed)
