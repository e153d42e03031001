"""Memory and local tiers as copies of what a shared tier has.

The shared tier has the truth: it issues versions, tells of changes, and grants the right to
load. What a node has of its own is served as long as the level that is asked for allows;
see `scrubjay.consistency.replica`. What stands here changes it; `coherent_copies` keeps the
copies, `coherent_reading` shows them, and `coherent_loading` loads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

from scrubjay._core.terms import Terms
from scrubjay._flow.coherent_loading import CoherentLoading
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.records import Found
from scrubjay.codecs import Meta
from scrubjay.consistency import Copy, Session
from scrubjay.errors import EncodeError, TierError
from scrubjay.tiers.protocol import TierRecord
from scrubjay.versions import Count, Lease, Versioned


class _Written(NamedTuple):
    """What came of storing a value in the shared tier.

    Attributes:
        began: when that began; monotonic time.
        asked: the moment then; see `OwnChanges`.
        meta: the conditions of the value.
        labels: its tags and dependencies, with the generations that it was stored under.
        record: what the tier has of it; None if that is not known.
    """

    began: float
    asked: int
    meta: Meta
    labels: Mapping[bytes, int]
    record: Versioned | None

    @property
    def there(self) -> bool:
        """Whether the tier has the value."""
        return self.record is not None and self.record.value is not None


class Coherent(CoherentLoading):
    """One store, and local tiers, over a shared tier. The arguments are those of `CoherentCopies`."""

    # Storing

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
        began, asked = self._clock.monotonic(), self._changes.moment()
        self._store.overtake(key)
        names = self._labels(key, terms)
        meta = self.lower.meta_of(terms)
        record: Versioned | None = None
        counts: list[Count] = []
        failure: TierError | None = None
        labels: Mapping[bytes, int] = {}
        # First without its labels, so that nothing has changed if it cannot be written as bytes.
        sealed = self.lower.sealed(self.shared, name, value, meta)
        try:
            try:
                if names:
                    known = yield from self._consult(self.replica.generations(names))
                    labels = {one: count.value for one, count in zip(names, known, strict=True)}
                    meta = self.lower.labelled(meta, terms.tags, labels)
                    sealed = self.lower.sealed(self.shared, name, value, meta)
                record = yield from self._write(sealed)
                counts = yield from self._advance(changed)
            except TierError as error:
                self._owe((name,), changed)
                failure = error
            self._copies.forget(name)
            if record is not None:
                meta = meta._replace(version=record.version)
            written = _Written(began, asked, meta, labels, record)
            if written.there:
                yield from self.lower.overwrite(name, value, meta)
            elif self.lower.levels:
                yield from self.lower.forget((name,), ())
            stored = self._put_in_memory(key, name, terms, keep, written)
            if written.there:
                self._note(key, name, value, meta, frozenset(), {})
            self._remove_dependents(key)
        except BaseException:
            self.disown(key)
            self._store.remove(key)
            raise
        if record is not None:
            self.replica.wrote(session, name, record)
        if counts:
            self.replica.advanced(session, changed, counts)
        self._answer_for(failure)
        return stored or written.there

    def _write(self, sealed: TierRecord) -> Generator[Effect, Any, Versioned]:
        record: Versioned = yield from self.shared.ask("write", sealed)
        self.shared.counts.writes += 1
        return record

    def _put_in_memory(
        self,
        key: Any,
        name: bytes,
        terms: Terms,
        keep: Callable[[Terms], bool],
        written: _Written,
    ) -> bool:
        record = written.record
        if record is None or record.value is None:
            until = written.began + self._silence
            if until > self._clock.monotonic():
                return keep(self.lower.in_memory(terms, until, written.meta))
            self._store.remove(key)
            return False
        watches = self._watches(record.watch, written.labels)
        if watches is None:  # something else has been written since
            self._store.remove(key)
            return True
        stored = keep(self.lower.in_memory(terms, meta=written.meta))
        copy = Copy(record.version, record.watch, written.labels)
        self._hold(key, name, copy, watches, written.asked)
        return stored

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
        if not isinstance(found, Found) or self.lower.age(found.meta) >= 0.0:
            return
        owner = self._owner + b"%d" % next(self._leases)
        lease: Lease = yield from self.shared.ask(
            "lease", name, owner, self._lease_seconds, void=record.version
        )
        if lease.token is not None:
            meta = self.lower.renewed(found.meta, ttl, idle)
            sealed = self.lower.sealed(self.shared, name, found.value, meta)
            yield from self.shared.ask("fill", sealed, lease.token)

    # Removing

    def _forget(self, key: Any, name: bytes, session: Session | None) -> Flow:
        changed = self.lower.names.of_key(key)
        gone = self._store.remove(key)
        below = 0
        removed: list[Versioned] = []
        counts: list[Count] = []
        failure: TierError | None = None
        try:
            removed = yield from self.shared.ask("delete", (name,))
            counts = yield from self._advance((changed,))
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

    def disown(self, key: Any) -> None:
        """Have every tier forget a key, as soon as it is asked anything again."""
        self.lower.disown(key)
        self._owe((self.lower.name_of(key),), (self.lower.names.of_key(key),))

    def _forget_tags(self, tags: frozenset[str], session: Session | None) -> Flow:
        names = tuple(self.lower.names.of_tag(tag) for tag in tags)
        gone = self._store.remove_by_tags(tags)
        counts: list[Count] = []
        failure: TierError | None = None
        if names:
            try:
                counts = yield from self._advance(names)
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

    def _answer_for(self, failure: TierError | None) -> None:
        """Raise the error of a change that the shared tier was not told of, unless forgiven."""
        if failure is not None and not self._forgiving:
            raise failure
