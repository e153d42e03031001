"""The tiers below memory: what is looked for there, and what is told to them.

Everything here is a flow: it says what is to be done and never waits. Writes and
promotions of one key follow one another; see `in_turn`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from scrubjay._core.constants import MISSING
from scrubjay._core.section import undisturbed
from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Effect
from scrubjay._flow.flight import Flight
from scrubjay._flow.level import Level
from scrubjay._flow.records import BROKEN, Counters, Found, Records
from scrubjay._flow.resilience import Stale
from scrubjay.codecs import Meta, Undecodable
from scrubjay.errors import EncodeError, TierError


class Wrote(NamedTuple):
    """What came of storing a value.

    Attributes:
        kept: whether a tier has kept it.
        meta: its conditions.
        counters: of its labels and of its key, where they are to be remembered.
    """

    kept: bool
    meta: Meta
    counters: Counters


class Lower(Records):
    """The lower tiers of one cache, the nearest first. The arguments are those of `Records`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._changing: Counter[bytes] = Counter()

    @contextmanager
    def changing(self, names: Sequence[bytes]) -> Iterator[None]:
        """Note what counters move on, until memory and all tiers are told.

        A tier that is told late, or memory, still shows what was before. What is made of that
        after a counter has moved must not be kept where it would count as new.
        """
        undisturbed(self._changing.update, names)
        try:
            yield
        finally:
            undisturbed(self._changed, names)

    def _changed(self, names: Sequence[bytes]) -> None:
        self._changing.subtract(names)
        for name in names:
            if self._changing[name] <= 0:
                del self._changing[name]

    # Looking

    def look(
        self,
        key: Any,
        prepare: Callable[[Meta], object],
        expired: Callable[[Stale], object] = bool,
        flight: Flight | None = None,
    ) -> Generator[Effect, Any, tuple[Found, Counters] | None]:
        """Return the nearest valid record of a key, with the counters of nearer tiers; or None.

        Args:
            key: the key.
            prepare: called with the conditions of a record before it is asked whether its
                tags and dependencies still hold.
            expired: called with an old value that was found on the way, and still holds.
            flight: on whose behalf it is looked for.
        """
        name = self._encode(key)
        before: Counters = {}
        for level in self.levels:
            if level.demotes:
                before[level] = yield from self._counters(level, self._own(name))
            found = yield from self.look_in(level, key, name, flight)
            if found is not None:
                prepare(found.meta)
                counters = yield from self._confirm(key, found, flight)
                if counters is None:
                    continue
                self.join(counters, before, found)
                now = self._store.now_seconds()  # first: waiting must not make it younger
                age = self.age(found.meta)
                if age < 0.0:
                    return found, counters
                expired(Stale(found.value, age, now))
        return None

    def look_in(
        self, level: Level, key: Any, name: bytes, flight: Flight | None = None
    ) -> Generator[Effect, Any, Found | None]:
        try:
            (blob,) = yield from level.get((name,))
        except TierError:
            self.miss_out(level, flight)
            return None  # it was told by the level
        found = None if blob is None else self.decoded(level, key, name, blob)
        if isinstance(found, Undecodable):
            if found.reason in BROKEN:
                level.owe((name,), ())
            found = None
        if found is None:
            self.count_miss(level, key, flight)
        return found

    def _confirm(
        self, key: Any, found: Found, flight: Flight | None
    ) -> Generator[Effect, Any, Counters | None]:
        """Tell whether what was found holds; return the counters for tiers nearer than it.

        Those are read first: if the record still holds after that, nothing was
        invalidated before, as what is invalidated is so in the farthest tier first.
        """
        counters: Counters = {}
        meta = found.meta
        if meta.tags or meta.dependencies:
            stored = self.labels_of(meta)
            names = list(stored)
            for level in self.levels[: self.levels.index(found.level)]:
                counters[level] = yield from self._counters(level, names)
            known = yield from self._counters(found.level, names)
            if known is None:
                self.miss_out(found.level, flight)
            if known is None or known != stored:
                self.count_miss(found.level, key, flight)
                return None
        if self.age(found.meta) < 0.0:
            self.count_hit(found.level, key, flight)
        else:
            self.count_miss(found.level, key, flight)
        return counters

    @staticmethod
    def miss_out(level: Level, flight: Flight | None) -> None:
        """Note that a tier may have what was looked for, and failed to tell."""
        if flight is not None:
            flight.unread = (*flight.unread, level)

    def join(self, counters: Counters, before: Counters, found: Found) -> None:
        """Add to the counters of nearer tiers those of a key itself, where entries are demoted."""
        for level, own in before.items():
            known = counters.get(level, {})
            if level is found.level:
                known = self.labels_of(found.meta)
            counters[level] = None if own is None or known is None else {**known, **own}

    def counters(
        self, terms: Terms, key: Any = MISSING, own: bool = False
    ) -> Generator[Effect, Any, Counters]:
        """Return the counters for an entry whose value is about to be made.

        Args:
            terms: its conditions.
            key: its key; MISSING for that of several.
            own: whether the counter of the key is of interest, where entries are demoted.
        """
        counters: Counters = {}
        names = []
        if terms.tags or terms.dependencies:
            names = list(self.names.of_entry(terms, self._store))
        for level in self.levels:
            further = []
            if level.demotes:
                further = [self.names.of_key(key)] if own else []
                further.append(self.names.everything)
            if names or further:
                asked = list(dict.fromkeys((*names, *further)))
                counters[level] = yield from self._counters(level, asked)
        if self._changing and names:  # looked at after they were read
            itself = () if key is MISSING else (self.names.of_key(key),)
            if not self._changing.keys().isdisjoint(set(names).difference(itself)):
                return dict.fromkeys(counters)
        return counters

    def unchanged(self, level: Level, origins: Sequence[Any]) -> Generator[Effect, Any, list[Any]]:
        """Return those of some `Origin`s of which no counter has moved on."""
        known = [(one, one.counters.get(level)) for one in origins]
        names = {name for _, counters in known for name in counters or ()}
        if not names:
            return []
        numbers = yield from level.ask("counters", sorted(names))
        now = dict(zip(sorted(names), numbers, strict=True))
        return [
            one
            for one, counters in known
            if counters and all(now[name] == count for name, count in counters.items())
        ]

    def _counters(
        self, level: Level, names: Sequence[bytes]
    ) -> Generator[Effect, Any, Mapping[bytes, int] | None]:
        try:
            numbers = yield from level.ask("counters", names)
        except TierError:
            return None
        return dict(zip(names, numbers, strict=True))

    # Telling

    def fill(
        self,
        name: bytes,
        value: Any,
        meta: Meta,
        tags: Iterable[str],
        counters: Counters,
        levels: Sequence[Level],
        changed: Sequence[bytes],
        valid: Callable[[], bool],
        unread: Sequence[Level] = (),
    ) -> Generator[Effect, Any, None]:
        """Keep a value that was loaded or found, as long as it is valid. In turn.

        Where it cannot stand, a former value must not either: it would come back as soon as
        memory gives this one up.

        Args:
            name: its key as bytes.
            value: the value.
            meta: its conditions.
            tags: its tags.
            counters: of its labels, from before it was made.
            levels: where to.
            changed: counters of what depends on it and is of the past now.
            valid: tells whether nothing has overtaken it.
            unread: which of the levels may have a former value.
        """
        refused = False
        for level in reversed(levels):
            if not valid():
                return
            record = None
            try:
                if not refused:
                    try:
                        record = self.record(level, name, value, meta, tags, counters)
                    except EncodeError as error:
                        self.refused(level, error)
                        refused = True
                if record is not None:
                    yield from level.put([record])
                elif changed or level in unread:
                    yield from level.ask("delete_many", (name,))
                if changed:
                    numbers = yield from level.bump(changed)
                    self.moved_on(counters, level, changed, numbers)
            except TierError:
                level.owe((name,), changed)  # it may be there, and nobody would know
            except BaseException:
                level.owe((name,), changed)
                raise

    @staticmethod
    def moved_on(
        counters: Counters, level: Level, names: Sequence[bytes], numbers: Sequence[int]
    ) -> None:
        """Note that the counters of keys have moved on with what is stored under them."""
        known = counters.get(level)
        if level.demotes and known is not None:
            counters[level] = {**known, **dict(zip(names, numbers, strict=True))}

    def overwrite(self, name: bytes, value: Any, meta: Meta) -> Generator[Effect, Any, None]:
        """Store a value in every tier, in turn."""
        yield from self.fill(name, value, meta, (), {}, self.levels, (), lambda: True)

    def write(self, key: Any, value: Any, terms: Terms) -> Generator[Effect, Any, Wrote]:
        """Store a value in every tier, the farthest first.

        Raises:
            EncodeError: the value cannot be written as bytes; nothing has changed.
        """
        name = self._encode(key)
        counters = yield from self.counters(terms, key)
        meta = self.meta_of(terms)
        records = [
            self.record(level, name, value, meta, terms.tags, counters) for level in self.levels
        ]
        changed = [self.names.of_key(key)]
        kept = False
        try:
            for level, record in zip(reversed(self.levels), reversed(records), strict=True):
                try:
                    if record is None:
                        yield from level.ask("delete_many", (name,))
                    else:
                        (stored,) = yield from level.put([record])
                        kept = kept or stored
                    numbers = yield from level.bump(changed)
                    self.moved_on(counters, level, changed, numbers)
                except TierError:
                    level.owe((name,), changed)
                    counters[level] = None
        except BaseException:
            self.disown(key)
            raise
        return Wrote(kept, meta, counters)

    def renew(self, key: Any, ttl: float, idle: float) -> Generator[Effect, Any, None]:
        """Give the records of a key another time to live, and leave what they are void by.

        Args:
            key: the key.
            ttl: how long it lives from now on, negative for as long as before.
            idle: how long it lives unread, negative for as long as before.
        """
        name = self._encode(key)
        for level in reversed(self.levels):
            try:
                (blob,) = yield from level.get((name,))
                found = None if blob is None else self.decoded(level, key, name, blob)
                if not isinstance(found, Found) or self.age(found.meta) >= 0.0:
                    continue
                meta = self.renewed(found.meta, ttl, idle)
                yield from level.put([self.sealed(level, name, found.value, meta)])
            except (EncodeError, TierError):
                level.owe((name,), ())  # it may live longer there than it is to

    def disown(self, key: Any) -> None:
        """Have every tier forget a key, as soon as it is asked anything again."""
        for level in self.levels:
            level.owe((self._encode(key),), (self.names.of_key(key),))

    def disown_former(self, name: bytes, changed: Sequence[bytes], unread: Sequence[Level]) -> None:
        """Have the tiers forget what a loaded value takes the place of, which they did not keep.

        The arguments are those of `fill`.
        """
        for level in self.levels if changed else unread:
            level.owe((name,), changed)

    def forget(
        self, names: Sequence[bytes], changed: Sequence[bytes]
    ) -> Generator[Effect, Any, int]:
        """Remove records and void what carries counters; the farthest tier first.

        Args:
            names: of the records.
            changed: the counters.

        Returns:
            How many records were in the tier that had most of them.
        """
        most = 0
        for position, level in reversed(list(enumerate(self.levels))):
            try:
                if names:
                    gone = yield from level.ask("delete_many", names)
                    most = max(most, gone)
                if changed:
                    yield from level.ask("bump", changed)
            except TierError:
                level.owe(names, changed)
            except BaseException:
                for untold in self.levels[: position + 1]:
                    untold.owe(names, changed)
                raise
        return most

    def forget_all(self) -> Generator[Effect, Any, None]:
        """Remove every record of the namespace, in the farthest tier first."""
        for position, level in reversed(list(enumerate(self.levels))):
            try:
                yield from level.ask("clear")
            except TierError:
                self.owe_all(level)
                continue
            except BaseException:
                for untold in self.levels[: position + 1]:
                    self.owe_all(untold)
                raise
            try:
                yield from level.ask("bump", (self.names.everything,))
            except TierError:
                level.owe((), (self.names.everything,))
            except BaseException:
                for untold in self.levels[: position + 1]:
                    self.owe_all(untold)
                raise

    def owe_all(self, level: Level) -> None:
        """Note that all records of a level must go."""
        level.debts.add_all()
        level.owe((), (self.names.everything,))
