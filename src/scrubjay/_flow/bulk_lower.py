"""Several keys at once in the tiers below memory: one call per tier, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Effect
from scrubjay._flow.flight import Flight
from scrubjay._flow.level import Level
from scrubjay._flow.lower import Lower
from scrubjay._flow.records import BROKEN, Counters, Found
from scrubjay.codecs import Meta, Undecodable
from scrubjay.errors import EncodeError, TierError
from scrubjay.tiers.protocol import TierRecord


class Item(NamedTuple):
    """A value that is to be stored.

    Attributes:
        key: its key.
        value: the value.
        terms: the conditions.
        keep: stores it in memory, under the conditions that it is given.
    """

    key: Any
    value: Any
    terms: Terms
    keep: Callable[[Terms], bool]


class Written(NamedTuple):
    """A value as bytes.

    Attributes:
        key: its key.
        name: its key as bytes.
        item: what is to be stored.
        records: one for each level; None where it cannot carry its labels, or is not to.
        meta: its conditions.
        counters: of its labels and of its key, where they are to be remembered.
    """

    key: Any
    name: bytes
    item: Item
    records: list[TierRecord | None]
    meta: Meta
    counters: Counters


class Fill(NamedTuple):
    """A value that was loaded or found, to be kept as long as it is valid.

    Attributes:
        key: its key.
        name: its key as bytes.
        value: the value.
        meta: its conditions.
        tags: its tags.
        counters: of its labels, from before it was made.
        valid: tells whether nothing has overtaken it.
        changed: counters of what depends on it and is of the past now.
        unread: tiers that may have a former value.
    """

    key: Any
    name: bytes
    value: Any
    meta: Meta
    tags: frozenset[str]
    counters: Counters
    valid: Callable[[], bool]
    changed: tuple[bytes, ...] = ()
    unread: tuple[Level, ...] = ()


class BulkLower(Lower):
    """The lower tiers of one cache, asked for several keys at once, too."""

    # Looking

    def look_many(
        self, sought: Sequence[Flight], prepare: Callable[[Flight, Meta], object]
    ) -> Generator[Effect, Any, dict[Flight, tuple[Found, Counters]]]:
        """Return the nearest valid records of several keys; see `look`.

        Args:
            sought: a flight for each key.
            prepare: called with the conditions of a record before it is asked whether its
                tags and dependencies still hold.
        """
        names = [self._encode(flight.key) for flight in sought]
        rest = list(zip(sought, names, strict=True))
        found: dict[Flight, tuple[Found, Counters]] = {}
        before: dict[Level, dict[bytes, int]] = {}
        for level in self.levels:
            if not rest:
                break
            if level.demotes:
                owns = {one for _, name in rest for one in self._own(name)}
                before[level] = dict((yield from self._counters(level, sorted(owns))) or {})
            here = yield from self._look_in_many(level, rest)
            for flight, one in here.items():
                prepare(flight, one.meta)
            confirmed = yield from self._confirm_many(level, here)
            for flight, counters in confirmed.items():
                if before:
                    own = self._own(here[flight].name)
                    known: Counters = {
                        near: _only(numbers, own) for near, numbers in before.items()
                    }
                    self.join(counters, known, here[flight])
                found[flight] = here[flight], counters
            rest = [pair for pair in rest if pair[0] not in found]
        return found

    def _look_in_many(
        self, level: Level, sought: Sequence[tuple[Flight, bytes]]
    ) -> Generator[Effect, Any, dict[Flight, Found]]:
        here: dict[Flight, Found] = {}
        try:
            blobs = yield from level.get([name for _, name in sought])
        except TierError:
            for flight, _ in sought:
                self.miss_out(level, flight)
            return here  # it was told by the level
        broken: list[bytes] = []
        for (flight, name), blob in zip(sought, blobs, strict=True):
            found = None if blob is None else self.decoded(level, flight.key, name, blob)
            if isinstance(found, Undecodable):
                if found.reason in BROKEN:
                    broken.append(name)
                found = None
            if found is None:
                self.count_miss(level, flight.key, flight)
            else:
                here[flight] = found
        if broken:
            level.owe(broken, ())
        return here

    def _confirm_many(
        self, level: Level, here: Mapping[Flight, Found]
    ) -> Generator[Effect, Any, dict[Flight, Counters]]:
        """Tell which of the records of a level hold, with the counters for nearer tiers.

        Those are read first: see `_confirm`.
        """
        stored = {flight: self.labels_of(found.meta) for flight, found in here.items()}
        names = list(dict.fromkeys(name for labels in stored.values() for name in labels))
        nearer: Counters = {}
        known: Mapping[bytes, int] | None = {}
        if names:
            for near in self.levels[: self.levels.index(level)]:
                nearer[near] = yield from self._counters(near, names)
            known = yield from self._counters(level, names)
        if known is None:
            for flight in here:
                self.miss_out(level, flight)
        confirmed: dict[Flight, Counters] = {}
        for flight, found in here.items():
            labels = stored[flight]
            holds = not labels or (known is not None and {n: known[n] for n in labels} == labels)
            if holds and self.age(found.meta) < 0.0:
                self.count_hit(level, flight.key, flight)
                confirmed[flight] = _part_of(nearer, labels)
            else:
                self.count_miss(level, flight.key, flight)
        return confirmed

    # Telling

    def fill_many(
        self, fills: Sequence[Fill], levels: Sequence[Level]
    ) -> Generator[Effect, Any, int]:
        """Keep values that were loaded or found, as long as they are valid; see `fill`. In turn.

        Args:
            fills: the values.
            levels: where to.

        Returns:
            How many were still to be kept in the end.
        """
        rest = list(fills)
        refused: set[bytes] = set()
        for level in reversed(levels):
            rest = [fill for fill in rest if fill.valid()]
            records: list[TierRecord] = []
            gone: list[bytes] = []
            for fill in rest:
                _, name, value, meta, tags, counters, *_ = fill
                record = None
                try:
                    if name not in refused:
                        record = self.record(level, name, value, meta, tags, counters)
                except EncodeError as error:
                    self.refused(level, error)
                    refused.add(name)
                if record is not None:
                    records.append(record)
                elif fill.changed or level in fill.unread:
                    gone.append(name)
            names = [fill.name for fill in rest]
            changed = [name for fill in rest for name in fill.changed]
            try:
                if records:
                    yield from level.put(records)
                if gone:
                    yield from level.ask("delete_many", gone)
                if changed:
                    numbers = yield from level.bump(changed)
                    moved = dict(zip(changed, numbers, strict=bool(numbers)))
                    for fill in rest if numbers else ():
                        own = [moved[name] for name in fill.changed]
                        self.moved_on(fill.counters, level, fill.changed, own)
            except TierError:
                level.owe(names, changed)  # they may be there, and nobody would know
            except BaseException:
                level.owe(names, changed)
                raise
        return len([fill for fill in rest if fill.name not in refused])

    def written(self, items: Sequence[Item]) -> Generator[Effect, Any, list[Written]]:
        """Return values as bytes, under conditions that have the same labels.

        Raises:
            InvalidKeyError, EncodeError: one has no bytes; nothing has changed.
        """
        names = [self._encode(item.key) for item in items]
        counters = yield from self.counters(items[0].terms)
        written = []
        for item, name in zip(items, names, strict=True):
            meta = self.meta_of(item.terms)
            records = [
                self.record(level, name, item.value, meta, item.terms.tags, counters)
                for level in self.levels
            ]
            written.append(Written(item.key, name, item, records, meta, dict(counters)))
        return written

    def counters_of_each(
        self, terms: Terms, keys: Sequence[Any]
    ) -> Generator[Effect, Any, list[Counters]]:
        """Return the counters for entries whose values are about to be made, for each key."""
        shared = yield from self.counters(terms)
        each: list[Counters] = [dict(shared) for _ in keys]
        for level in self.levels:
            if level.demotes:
                names = [self.names.of_key(key) for key in keys]
                own = yield from self._counters(level, names)
                known = shared[level]
                for counters, name in zip(each, names, strict=True):
                    lost = own is None or known is None
                    counters[level] = None if lost else {**(known or {}), name: (own or {})[name]}
        return each

    def write_many(self, batch: Sequence[Written]) -> Generator[Effect, Any, list[bool]]:
        """Store values in every tier, the farthest first; tell of each whether one kept it."""
        names = [one.name for one in batch]
        changed = [self.names.of_key(one.key) for one in batch]
        kept = [False] * len(batch)
        try:
            for position, level in reversed(list(enumerate(self.levels))):
                given = [one.records[position] for one in batch]
                records = [record for record in given if record is not None]
                bare = [one for one, record in zip(names, given, strict=True) if record is None]
                try:
                    if bare:
                        yield from level.ask("delete_many", bare)
                    if records:
                        stored = iter((yield from level.put(records)))
                        kept = [
                            before or (record is not None and next(stored))
                            for before, record in zip(kept, given, strict=True)
                        ]
                    numbers = yield from level.bump(changed)
                    for one, own, number in zip(batch, changed, numbers, strict=bool(numbers)):
                        self.moved_on(one.counters, level, (own,), (number,))
                except TierError:
                    level.owe(names, changed)
                    for one in batch:
                        one.counters[level] = None
        except BaseException:
            for one in batch:
                self.disown(one.key)
            raise
        return kept


def _part_of(counters: Counters, names: Mapping[bytes, int]) -> Counters:
    """Return those of the counters that have one of the names."""
    if not names:
        return {}
    return {
        level: None if known is None else {name: known[name] for name in names}
        for level, known in counters.items()
    }


def _only(numbers: Mapping[bytes, int], names: Sequence[bytes]) -> dict[bytes, int] | None:
    """Return the numbers of some names; None if one is not known."""
    if not all(name in numbers for name in names):
        return None
    return {name: numbers[name] for name in names}
