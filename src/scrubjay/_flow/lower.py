"""The tiers below memory: what is looked for there, and what is told to them.

Everything here is a flow: it says what is to be done and never waits. Writes and
promotions of one key follow one another; see `in_turn`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Effect
from scrubjay._flow.labels import Names
from scrubjay._flow.level import Level
from scrubjay._flow.resilience import Stale
from scrubjay.clock import Clock
from scrubjay.codecs import KeyEncoder, Meta, Reason, Serializer, Undecodable
from scrubjay.errors import EncodeError, TierError
from scrubjay.events import Event, EventKind, Events
from scrubjay.tiers.protocol import TierRecord

_log = logging.getLogger("scrubjay")

# What nobody can ever read. Other blobs are another version's or another secret's.
BROKEN = frozenset({Reason.DAMAGED, Reason.FORGED, Reason.COMPRESSION, Reason.SIZE})

#: for each level the counters of an entry's names, or None where they are not known
Counters = dict[Level, Mapping[bytes, int] | None]


class Found(NamedTuple):
    """What a lower tier had.

    Attributes:
        value: the value.
        meta: its conditions.
        level: where it was.
        name: its key as bytes.
    """

    value: Any
    meta: Meta
    level: Level
    name: bytes


class Lower:
    """The lower tiers of one cache, the nearest first.

    Args:
        levels: the tiers.
        encode: turns keys into names.
        serializer: turns values into bytes and back.
        wall: tells the wall time.
        store: the memory above them.
        events: where it is told what happens.
        memory_ttl: how long an entry lives in memory at most, in seconds.
        grace: how long a record is kept after it has expired, in seconds.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        encode: KeyEncoder,
        serializer: Serializer,
        wall: Clock,
        store: Store,
        events: Events,
        memory_ttl: float | None = None,
        grace: float = 0.0,
    ) -> None:
        self.levels = tuple(levels)
        self._grace = grace
        self._memory_ttl = math.inf if memory_ttl is None else memory_ttl
        self.names = Names(encode, encode.prefix)
        self.events = events
        self._encode = encode
        self._serializer = serializer
        self._wall = wall
        self._store = store
        self._refusals = 0

    def name_of(self, key: Any) -> bytes:
        """Return a key as bytes.

        Raises:
            InvalidKeyError: it is made of something that has no bytes of its own.
        """
        return self._encode(key)

    # Looking

    def look(
        self,
        key: Any,
        prepare: Callable[[Meta], object],
        expired: Callable[[Stale], object] = bool,
    ) -> Generator[Effect, Any, tuple[Found, Counters] | None]:
        """Return the nearest valid record of a key, with the counters of nearer tiers; or None.

        Args:
            key: the key.
            prepare: called with the conditions of a record before it is asked whether its
                tags and dependencies still hold.
            expired: called with an old value that was found on the way, and still holds.
        """
        name = self._encode(key)
        for level in self.levels:
            found = yield from self.look_in(level, key, name)
            if found is not None:
                prepare(found.meta)
                counters = yield from self._confirm(key, found)
                if counters is None:
                    continue
                age = self.age(found.meta)
                if age < 0.0:
                    return found, counters
                expired(Stale(found.value, age, self._store.now_seconds()))
        return None

    def look_in(self, level: Level, key: Any, name: bytes) -> Generator[Effect, Any, Found | None]:
        try:
            (blob,) = yield from level.get((name,))
        except TierError:
            return None  # it was told by the level
        found = None if blob is None else self.decoded(level, key, name, blob)
        if isinstance(found, Undecodable):
            if found.reason in BROKEN:
                level.owe((name,), ())
            found = None
        if found is None:
            self.count_miss(level, key)
        return found

    def decoded(
        self, level: Level, key: Any, name: bytes, blob: bytes
    ) -> Found | Undecodable | None:
        """Return what is in a blob, or why that is not known; None if its time is up."""
        loaded = self._serializer.load(name, blob)
        if isinstance(loaded, Undecodable):
            level.counts.undecodable += 1
            self._tell(EventKind.UNDECODABLE, key, level, f"{loaded.reason.value}: {loaded.detail}")
            return loaded
        found = Found(loaded.value, loaded.meta, level, name)
        age = self.age(found.meta)
        return found if age < 0.0 or age < self._grace else None

    def age(self, meta: Meta) -> float:
        """Return for how long something has expired, in seconds; negative if it has not."""
        return -math.inf if meta.expires is None else self._wall.time() - meta.expires

    def _confirm(self, key: Any, found: Found) -> Generator[Effect, Any, Counters | None]:
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
            if known is None or known != stored:
                self.count_miss(found.level, key)
                return None
        if self.age(found.meta) < 0.0:
            self.count_hit(found.level, key)
        else:
            self.count_miss(found.level, key)
        return counters

    def count_hit(self, level: Level, key: Any) -> None:
        """Count that a tier had what was asked for."""
        level.counts.hits += 1
        self._tell(EventKind.TIER_HIT, key, level)

    def count_miss(self, level: Level, key: Any) -> None:
        """Count that a tier did not have what was asked for."""
        level.counts.misses += 1
        self._tell(EventKind.TIER_MISS, key, level)

    def memory_left(self, created: float) -> float:
        """Return for how many seconds memory may still show what was stored at a time."""
        return created + self._memory_ttl - self._store.now_seconds()

    def labels_of(self, meta: Meta) -> dict[bytes, int]:
        """Return the counters that a record carries."""
        tags = {self.names.of_tag(tag): count for tag, count in meta.tags.items()}
        return {**tags, **meta.dependencies}

    def labelled(self, meta: Meta, tags: Iterable[str], known: Mapping[bytes, int]) -> Meta:
        """Return conditions with counters: of the tags, and of all else as dependencies."""
        own = {self.names.of_tag(tag): tag for tag in tags}
        return meta._replace(
            tags={tag: known[counter] for counter, tag in own.items()},
            dependencies={name: count for name, count in known.items() if name not in own},
        )

    def counters(self, terms: Terms) -> Generator[Effect, Any, Counters]:
        """Return the counters for an entry whose value is about to be made."""
        counters: Counters = {}
        if terms.tags or terms.dependencies:
            inherited = self.names.inherited(terms, self._store)
            names = list({*map(self.names.of_tag, terms.tags), *inherited})
            for level in self.levels:
                counters[level] = yield from self._counters(level, names)
        return counters

    def _counters(
        self, level: Level, names: list[bytes]
    ) -> Generator[Effect, Any, Mapping[bytes, int] | None]:
        try:
            numbers = yield from level.ask("counters", names)
        except TierError:
            return None
        return dict(zip(names, numbers, strict=True))

    # Telling

    def terms_of(self, meta: Meta, dependencies: tuple[Any, ...], fence: Any) -> Terms:
        """Return the conditions for keeping in memory what was found below."""
        left = -1.0 if meta.expires is None else max(0.0, meta.expires - self._wall.time())
        return self.in_memory(
            Terms(
                left,
                -1.0 if meta.idle_seconds is None else meta.idle_seconds,
                meta.priority,
                meta.cost,
                frozenset(meta.tags),
                dependencies,
                fence,
            )
        )

    def in_memory(self, terms: Terms, longest: float = math.inf) -> Terms:
        """Return conditions with the time to live that memory has, if that is shorter.

        Args:
            terms: the conditions.
            longest: another bound, in seconds.
        """
        most = min(self._memory_ttl, longest)
        if most == math.inf or 0.0 <= terms.ttl <= most:
            return terms
        return Terms(
            most,
            terms.idle,
            terms.priority,
            terms.cost,
            terms.tags,
            terms.dependencies,
            terms.fence,
        )

    def meta_of(self, terms: Terms) -> Meta:
        """Return the conditions of a value that is made now."""
        now = self._wall.time()
        return Meta(
            created=now,
            expires=None if terms.ttl < 0.0 else now + terms.ttl,
            idle_seconds=None if terms.idle < 0.0 else terms.idle,
            version=int(now * 1e6),
            priority=terms.priority,
            cost=terms.cost,
        )

    def record(
        self,
        level: Level,
        name: bytes,
        value: Any,
        meta: Meta,
        tags: Iterable[str],
        counters: Counters,
    ) -> TierRecord | None:
        """Return a record for a level, or None if it cannot carry its labels there.

        Raises:
            EncodeError: the value cannot be written as bytes.
        """
        if level in counters:
            known = counters[level]
            if known is None:
                return None
            itself = self.names.of_name(name)  # nothing goes with what it is itself
            known = {label: count for label, count in known.items() if label != itself}
            meta = self.labelled(meta, tags, known)
        return self.sealed(level, name, value, meta)

    def sealed(self, level: Level, name: bytes, value: Any, meta: Meta) -> TierRecord:
        now = self._wall.time()
        until = now + level.ttl
        if meta.expires is not None:
            until = min(until, meta.expires + self._grace)
        if meta.idle_seconds is not None:
            until = min(until, now + meta.idle_seconds)  # nobody there sees it being read
        blob = self._serializer.dump(name, value, meta)
        return TierRecord(name, blob, None if until == math.inf else until, meta.cost)

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
    ) -> Generator[Effect, Any, None]:
        """Keep a value that was loaded or found, as long as it is valid. In turn.

        Args:
            name: its key as bytes.
            value: the value.
            meta: its conditions.
            tags: its tags.
            counters: of its labels, from before it was made.
            levels: where to.
            changed: counters of what depends on it and is of the past now.
            valid: tells whether nothing has overtaken it.
        """
        for level in reversed(levels):
            if not valid():
                return
            try:
                record = self.record(level, name, value, meta, tags, counters)
                if record is not None:
                    yield from level.put([record])
                if changed:
                    yield from level.ask("bump", changed)
            except EncodeError as error:
                self._refused(level, error)
                return
            except TierError:
                level.owe((name,), changed)  # it may be there, and nobody would know
            except BaseException:
                level.owe((name,), changed)
                raise

    def record_or_none(
        self, level: Level, name: bytes, value: Any, meta: Meta
    ) -> TierRecord | None:
        """Return a record for a level; None, and tell, if the value has no bytes."""
        try:
            return self.sealed(level, name, value, meta)
        except EncodeError as error:
            self._refused(level, error)
            return None

    def overwrite(self, name: bytes, value: Any, meta: Meta) -> Generator[Effect, Any, None]:
        """Store a value in every tier, in turn."""
        yield from self.fill(name, value, meta, (), {}, self.levels, (), lambda: True)

    def write(self, key: Any, value: Any, terms: Terms) -> Generator[Effect, Any, bool]:
        """Store a value in every tier, the farthest first; tell whether one has kept it.

        Raises:
            EncodeError: the value cannot be written as bytes; nothing has changed.
        """
        name = self._encode(key)
        counters = yield from self.counters(terms)
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
                    yield from level.ask("bump", changed)
                except TierError:
                    level.owe((name,), changed)
        except BaseException:
            self.disown(key)
            raise
        return kept

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

    def renewed(self, meta: Meta, ttl: float, idle: float) -> Meta:
        """Return conditions with other times to live; negative ones leave what is there."""
        if ttl >= 0.0:
            meta = meta._replace(expires=self._wall.time() + ttl)
        if idle >= 0.0:
            meta = meta._replace(idle_seconds=idle)
        return meta

    def disown(self, key: Any) -> None:
        """Have every tier forget a key, as soon as it is asked anything again."""
        for level in self.levels:
            level.owe((self._encode(key),), (self.names.of_key(key),))

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
                level.debts.add_all()
            except BaseException:
                for untold in self.levels[: position + 1]:
                    untold.debts.add_all()
                raise

    def _refused(self, level: Level, error: EncodeError) -> None:
        if EventKind.REJECT in self.events.wanted:
            self.events.publish(Event(EventKind.REJECT, tier=level.name, detail=str(error)))
        elif not self._refusals:
            _log.warning("a loaded value is kept in memory alone: %s", error)
        self._refusals += 1

    def _tell(self, kind: EventKind, key: Any, level: Level, detail: str = "") -> None:
        if kind in self.events.wanted:
            self.events.publish(Event(kind, key, tier=level.name, detail=detail))
