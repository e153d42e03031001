"""Memory and the tiers below it, for several keys at once; see `scrubjay._flow.stack`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple

from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.bulk_lower import BulkLower, Fill, Item, Written
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.flight import Flight, Part
from scrubjay._flow.level import Level
from scrubjay._flow.stack import Loads, Ready, Stack
from scrubjay.codecs import Meta
from scrubjay.consistency import Session
from scrubjay.events import Event, EventKind


class Loaded(NamedTuple):
    """What was loaded for a key.

    Attributes:
        part: the load of it.
        value: what was returned.
        terms: the conditions.
        ready: from before the loader was called.
    """

    part: Part
    value: Any
    terms: Terms
    ready: Ready


class Forgotten(NamedTuple):
    """A key that is to be removed.

    Attributes:
        key: the key.
        name: the key as bytes.
    """

    key: Any
    name: bytes


class BulkStack(Stack):
    """One store over lower tiers, asked for several keys at once, too."""

    def __init__(self, store: Store, lower: BulkLower, loads: Loads) -> None:
        super().__init__(store, lower, loads)
        self.bulk = lower

    # Reading

    def find_many(
        self, whole: Flight, parts: Sequence[Part]
    ) -> Generator[Effect, Any, tuple[dict[Part, Any], dict[Part, Exception]]]:
        """Return what the tiers have of several keys, kept in memory from now on.

        Of a part that is void from the beginning nothing is kept.

        Args:
            whole: the flight of all.
            parts: a flight for each key.

        Returns:
            The values, and what kept some of them from being stored in memory.
        """
        lower = self.bulk
        terms = [part.terms for part in parts]
        asked = lower.moment()
        named: dict[Flight, tuple[Any, ...]] = {}

        def prepare(part: Flight, meta: Meta) -> None:
            if part.void:
                return
            named[part] = names = lower.needs_of(meta, lower.name_of(part.key))
            part.terms = lower.terms_of(meta, names, part)
            if names:
                self._loads.pin(part, names)

        found = yield from lower.look_many(parts, prepare)
        values: dict[Part, Any] = {}
        failed: dict[Part, Exception] = {}
        fills: dict[Level, list[Fill]] = {}
        for part, before in zip(parts, terms, strict=True):
            if part not in found:
                part.terms = before
                continue
            (value, meta, level, name), counters = found[part]
            values[part] = value
            if part not in named or part.void:
                continue
            try:
                own = lower.terms_of(meta, named[part], part, asked)
                self._store.put_under(part.key, value, own)
            except Exception as error:
                failed[part] = error
                continue
            self._note(part.key, name, value, meta, frozenset(meta.tags), counters, level)
            if EventKind.PROMOTE in lower.events.wanted:
                lower.events.publish(Event(EventKind.PROMOTE, part.key, tier=level.name))
            fill = Fill(
                part.key,
                name,
                value,
                meta,
                frozenset(meta.tags),
                counters,
                self._validity(part),
            )
            fills.setdefault(level, []).append(fill)
        for level, several in fills.items():
            nearer = lower.levels[: lower.levels.index(level)]
            if nearer:
                work = partial(lower.fill_many, levels=nearer)
                yield from self._turns.within_many(several, work, whole)
        return values, failed

    def prepare_many(
        self, parts: Sequence[Part]
    ) -> Generator[Effect, Any, dict[Part, Ready | None]]:
        """Return what must be known before a loader is called for several keys.

        Args:
            parts: a flight for each key, under conditions that have the same labels.

        Returns:
            None for a key that somebody else is loading, elsewhere.
        """
        keys = [part.key for part in parts]
        counters = yield from self.bulk.counters_of_each(parts[0].terms, keys)
        return {part: Ready(counters=own) for part, own in zip(parts, counters, strict=True)}

    def dismiss_many(self, absent: Sequence[tuple[Part, Ready]]) -> Generator[Effect, Any, None]:
        """Note that nothing was loaded for some keys."""
        yield from ()

    def deposit_many(
        self, whole: Flight, loaded: Sequence[Loaded]
    ) -> Generator[Effect, Any, dict[Part, Exception]]:
        """Keep loaded values in memory and in the tiers if their loads were not overtaken.

        Args:
            whole: the load.
            loaded: what it returned.

        Returns:
            What kept some of them from being stored in memory.
        """
        lower = self.bulk
        failed: dict[Part, Exception] = {}
        fills: list[Fill] = []
        for part, value, terms, ready in loaded:
            try:
                part.owner.keep(part, value, lower.in_memory(terms))
            except Exception as error:
                failed[part] = error
                continue
            if not part.void:
                fills.append(
                    Fill(
                        part.key,
                        lower.name_of(part.key),
                        value,
                        lower.meta_of(terms),
                        terms.tags,
                        ready.counters,
                        self._validity(part),
                        (lower.names.of_key(part.key),) if part.anew else (),
                        part.unread,
                    )
                )
        work = partial(lower.fill_many, levels=lower.levels)
        with lower.changing([name for fill in fills for name in fill.changed]):
            try:
                yield from self._turns.within_many(fills, work, whole)
            except BaseException:  # memory has the values, whatever the tiers were told
                for fill in fills:
                    lower.disown_former(fill.name, fill.changed, fill.unread)
                raise
            finally:
                for fill in fills:
                    if fill.changed:
                        self._remove_dependents(fill.key)
        for fill in fills:
            if self.demotion is not None and fill.valid():
                key, name, value, meta, tags, counters, *_ = fill
                self._note(key, name, value, meta, tags, counters)
        return failed

    # Changing

    def put_many(self, items: Sequence[Item], session: Session | None = None) -> Flow:
        """Store values everywhere; the flight has of how many anything has been kept.

        Args:
            items: the values, each key once, under conditions that have the same labels.
            session: who writes, or None.

        Raises:
            InvalidKeyError, EncodeError: one has no bytes; nothing has changed.
        """
        batch = (yield from self.bulk.written(items)) if items else []
        flight: Flight = yield from self._turns.take_many(batch, self._put_many)
        return flight

    def _put_many(self, batch: list[Written]) -> Flow:
        for one in batch:
            self._store.overtake(one.key)
        with self.lower.changing([self.lower.names.of_key(one.key) for one in batch]):
            total = yield from self._write_batch(batch)
        return total

    def _write_batch(self, batch: list[Written]) -> Generator[Effect, Any, int]:
        failure: BaseException | None = None
        began = self.lower.moment()
        kept = yield from self.bulk.write_many(batch)
        total = 0
        for one, below in zip(batch, kept, strict=True):
            key, name, item = one.key, one.name, one.item
            try:
                stored = item.keep(self.lower.in_memory(item.terms, meta=one.meta, since=began))
                self._note(key, name, item.value, one.meta, item.terms.tags, one.counters)
                self._remove_dependents(key)
                total += stored or below
            except BaseException as error:  # the others must not be left as they were, too
                self.lower.disown(key)
                self._store.remove(key)
                failure = failure or error
        if failure is not None:
            raise failure
        return total

    def forget_many(self, keys: Sequence[Any], session: Session | None = None) -> Flow:
        """Remove keys everywhere; the flight has how many entries are gone, as far as known."""
        entries = [Forgotten(key, self.lower.name_of(key)) for key in keys]
        return self._turns.take_many(entries, partial(self._forget_many, session=session))

    def _forget_many(self, batch: list[Forgotten], session: Session | None) -> Flow:
        changed = [self.lower.names.of_key(one.key) for one in batch]
        gone = here = 0
        for one in batch:
            removed = self._store.remove(one.key)
            gone += removed
            here += removed > 0
        names = [one.name for one in batch]
        with self.lower.changing(changed):
            try:
                below, conclude = yield from self._forget_below(names, changed, session)
            finally:  # if this ends before its time, the tiers are told later
                for one, name in zip(batch, changed, strict=True):
                    gone += self._store.remove(one.key) + self._remove_named(name)
        conclude()
        return gone + max(0, below - here)

    def _forget_below(
        self, names: list[bytes], changed: list[bytes], session: Session | None
    ) -> Generator[Effect, Any, tuple[int, Callable[[], object]]]:
        """Have the tiers forget names.

        Returns:
            How many the one that had most of them had, and what to call when memory has
            forgotten them, too; it may raise.
        """
        below = yield from self.lower.forget(names, changed)
        return below, _no_more


def _no_more() -> None:
    """Do nothing: all is done."""
