"""Several keys at once over a tier that nodes share; see `scrubjay._flow.coherent`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._flow.bulk_lower import Item
from scrubjay._flow.bulk_stack import BulkStack, Loaded
from scrubjay._flow.coherent import Coherent
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.flight import Flight, Part
from scrubjay._flow.records import Found
from scrubjay._flow.stack import Ready
from scrubjay.codecs import Undecodable
from scrubjay.consistency import Session
from scrubjay.errors import TierError
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Count, Fetched, Lease, Versioned

_EVENTUAL = CacheConsistencyLevel.EVENTUAL


class BulkCoherent(Coherent, BulkStack):
    """One store, and local tiers, over a shared tier, asked for several keys at once, too.

    The shared tier is asked once for what it has of all keys, and to remove them. The right
    to load is granted key by key, and written is key by key.
    """

    # Reading

    def find_many(
        self, whole: Flight, parts: Sequence[Part]
    ) -> Generator[Effect, Any, tuple[dict[Part, Any], dict[Part, Exception]]]:
        """Return what a local tier or the shared one has of several keys; see `BulkStack`."""
        values: dict[Part, Any] = {}
        failed: dict[Part, Exception] = {}
        rest: list[tuple[Part, bytes]] = []
        for part in parts:
            name = self.lower.name_of(part.key)
            held = None if part.void else self._copies.of(name)
            if held is not None and held.live:
                value = yield from self._find_nearby(part, name, held)
                if value is not MISSING:
                    values[part] = value
                    continue
            rest.append((part, name))
        moment = self._changes.moment()
        for part, _ in rest:
            part.asked = moment
        try:
            asked = yield from self._ask_many(rest)
        except TierError:
            return values, failed  # it was told by the level
        for (part, name), (found, record) in zip(rest, asked, strict=True):
            if found is None or self.lower.age(found.meta) >= 0.0:
                self.lower.count_miss(self.shared, part.key, part)
                value = MISSING
            else:
                self.lower.count_hit(self.shared, part.key, part)
                value = found.value
            if not part.void:
                try:
                    value = yield from self._taken(part, name, found, record)
                except Exception as error:
                    failed[part] = error
            if value is not MISSING:
                values[part] = value
        return values, failed

    def _ask_many(
        self, sought: Sequence[tuple[Part, bytes]]
    ) -> Generator[Effect, Any, list[tuple[Found | None, Versioned | None]]]:
        """Return what the shared tier has of several keys, read at once, and the records."""
        if not sought:
            return []
        fetched = yield from self.shared.ask("fetch", tuple(name for _, name in sought), ())
        known = [
            self._read(part.key, name, record)
            for (part, name), record in zip(sought, fetched.records, strict=True)
        ]
        labels = [{} if one is None else self.lower.labels_of(one.meta) for one in known]
        yield from self._learn(labels, fetched)
        answers: list[tuple[Found | None, Versioned | None]] = []
        for (_, name), found, record, own in zip(
            sought, known, fetched.records, labels, strict=True
        ):
            steps = self.replica.judge(
                name, record, fetched.feed, _EVENTUAL, None, partial(_given, own)
            )
            outcome = yield from self._consult(steps)
            answers.append((None if outcome.why else found, record))
        return answers

    def _read(self, key: Any, name: bytes, record: Versioned | None) -> Found | None:
        if record is None or record.value is None:
            return None
        found = self.lower.decoded(self.shared, key, name, record.value)
        return None if isinstance(found, Undecodable) else found

    def _learn(
        self, labels: Sequence[Mapping[bytes, int]], fetched: Fetched
    ) -> Generator[Effect, Any, None]:
        """Read the generations that are not known, of all labels, at once."""
        names = dict.fromkeys(name for own in labels for name in own)
        unknown = []
        for name in names:
            count = self.replica.count(name)
            watch = None if count is None else count.watch
            if watch is None or not watch.live or not fetched.feed.covers(watch.feed):
                unknown.append(name)
        if unknown:
            yield from self._consult(self.replica.generations(tuple(unknown)))

    # Loading

    def prepare_many(
        self, parts: Sequence[Part]
    ) -> Generator[Effect, Any, dict[Part, Ready | None]]:
        """Be granted the right to load several keys; None for one that is loaded elsewhere.

        Who asks for several waits for nobody: two nodes that have what the other one wants
        would wait for each other.
        """
        if len(parts) == 1:
            return {parts[0]: (yield from self.prepare(parts[0], parts[0].anew))}
        ready: dict[Part, Ready | None] = {}
        for part in parts:
            try:
                ready[part] = yield from self._granted(part)
            except TierError:
                ready[part] = Ready()  # it was told by the level
        return ready

    def _granted(self, part: Part) -> Generator[Effect, Any, Ready | None]:
        name = self.lower.name_of(part.key)
        names = self._labels_of(part)
        unfit = part.unfit
        if part.anew and unfit is None:
            unfit = yield from self._version_of(name)
        part.began, part.asked = self._clock.monotonic(), self._changes.moment()
        owner = self._owner + b"%d" % next(self._leases)
        lease: Lease = yield from self.shared.ask(
            "lease", name, owner, self._lease_seconds, void=unfit, names=names
        )
        self.replica.learn(names, lease.counts)
        if lease.token is None:
            return None
        return Ready(counters=dict(zip(names, lease.counts, strict=True)), token=lease.token)

    def dismiss_many(self, absent: Sequence[tuple[Part, Ready]]) -> Generator[Effect, Any, None]:
        """Give back the right to load what was not loaded."""
        for part, ready in absent:
            if ready.token is not None:
                yield from self._release(self.lower.name_of(part.key), ready)

    def deposit_many(
        self, whole: Flight, loaded: Sequence[Loaded]
    ) -> Generator[Effect, Any, dict[Part, Exception]]:
        """Keep loaded values here and in the shared tier; see `BulkStack`."""
        failed: dict[Part, Exception] = {}
        for part, value, terms, ready in loaded:
            try:
                yield from self.deposit(part, value, terms, ready, part.anew)
            except Exception as error:
                failed[part] = error
        return failed

    # Changing

    def put_many(self, items: Sequence[Item], session: Session | None = None) -> Flow:
        """Store values everywhere, one after the other; see `BulkStack`."""
        for item in items:  # before anything has changed
            name, meta = self.lower.name_of(item.key), self.lower.meta_of(item.terms)
            self.lower.sealed(self.shared, name, item.value, meta)

        def work(batch: list[Item]) -> Flow:
            total = 0
            failure: Exception | None = None
            for key, value, terms, keep in batch:
                try:
                    total += yield from self._put(key, value, terms, keep, session)
                except Exception as error:
                    failure = failure or error
            if failure is not None:
                raise failure
            return total

        return self._turns.take_many(items, work)

    def _forget_below(
        self, names: list[bytes], changed: list[bytes], session: Session | None
    ) -> Generator[Effect, Any, tuple[int, Callable[[], object]]]:
        below = 0
        removed: list[Versioned] = []
        counts: list[Count] = []
        failure: TierError | None = None
        try:
            removed = yield from self.shared.ask("delete", tuple(names))
            counts = yield from self._advance(tuple(changed))
        except TierError as error:
            self._owe(names, changed)
            failure = error
        except BaseException:
            for level in self.lower.levels:
                level.owe(names, changed)
            self._owe(names, changed)
            raise
        finally:
            for name in names:
                self._copies.forget(name)
        if self.lower.levels:
            below = yield from self.lower.forget(names, ())

        def conclude() -> None:
            for name, tombstone in zip(names, removed, strict=False):
                self.replica.wrote(session, name, tombstone)
            if counts:
                self.replica.advanced(session, tuple(changed), counts)
            self._answer_for(failure)

        return below, conclude


def _given(labels: Mapping[bytes, int], record: Versioned) -> Mapping[bytes, int]:
    """Return the labels of a record that are known already."""
    return labels
