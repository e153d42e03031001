"""What stands in lower tiers: values with their conditions as bytes, and back.

Nothing here asks a tier; `scrubjay._flow.lower` does.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.flight import Flight
from scrubjay._flow.labels import Named, Names
from scrubjay._flow.level import Level
from scrubjay.clock import Clock
from scrubjay.codecs import KeyEncoder, Meta, Reason, Serializer, Undecodable
from scrubjay.errors import EncodeError
from scrubjay.events import Event, EventKind, Events
from scrubjay.tiers.protocol import Tier, TierRecord

T = TypeVar("T")

_STRING = re.compile(rb"s\d+:(.*)", re.DOTALL)  # a key that is a string, see `codecs.key_parts`

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


class Records:
    """Makes records of entries, and entries of records.

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

    @property
    def longest(self) -> float:
        """For how many seconds an entry is in memory at most; infinity for any number."""
        return self._memory_ttl

    def name_of(self, key: Any) -> bytes:
        """Return a key as bytes.

        Raises:
            InvalidKeyError: it is made of something that has no bytes of its own.
        """
        return self._encode(key)

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

    def on_board(self, make: Callable[[Tier, bytes, Serializer, Clock], T], tier: Tier) -> T:
        """Return what is made of a tier and of how records there are named and written."""
        return make(tier, self._encode.prefix, self._serializer, self._wall)

    def conditions(self, name: bytes, blob: bytes) -> Meta | Undecodable:
        """Return the conditions in a blob, or why they are not known. No value is made."""
        return self._serializer.read_meta(name, blob)

    def since(self, meta: Meta) -> float:
        """Return how many seconds ago a value was made."""
        return max(0.0, self._wall.time() - meta.created)

    def readable(self, name: bytes) -> str:
        """Return the name of a counter as people read it: what stands behind the namespace."""
        text = name[1:].removeprefix(self._encode.prefix).removeprefix(b"=")
        string = _STRING.fullmatch(text)
        return (string[1] if string else text).decode("utf-8", "replace")

    def age(self, meta: Meta) -> float:
        """Return for how long something has expired, in seconds; negative if it has not."""
        return -math.inf if meta.expires is None else self._wall.time() - meta.expires

    def memory_left(self, created: float) -> float:
        """Return for how many seconds memory may still show what was stored at a time."""
        return created + self._memory_ttl - self._store.now_seconds()

    def _own(self, name: bytes) -> tuple[bytes, bytes]:
        """Return the counters of a key itself, and of all keys."""
        return self.names.of_name(name), self.names.everything

    def needs_of(self, meta: Meta, name: bytes) -> tuple[Any, ...]:
        """Return what a record depends on, as keys in memory, but for itself."""
        own = self._own(name)
        return tuple(Named(need) for need in meta.dependencies if need not in own)

    def demoted(self, level: Level, origin: Any) -> TierRecord:
        """Return a record for what memory has evicted: it goes with its own key, too.

        Args:
            level: where it goes.
            origin: an `Origin`.

        Raises:
            EncodeError: the value cannot be written as bytes.
        """
        known = origin.counters.get(level)
        meta = origin.meta
        if known is not None:
            meta = self.labelled(meta, origin.tags, known)
        unread = self.moment() - origin.since
        return self.sealed(level, origin.name, origin.value, meta, unread)

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

    def terms_of(
        self,
        meta: Meta,
        dependencies: tuple[Any, ...],
        fence: Any,
        since: float | None = None,
    ) -> Terms:
        """Return the conditions for keeping in memory what was found below; see `in_memory`."""
        return self.in_memory(
            Terms(
                -1.0,
                -1.0 if meta.idle_seconds is None else meta.idle_seconds,
                meta.priority,
                meta.cost,
                frozenset(meta.tags),
                dependencies,
                fence,
            ),
            meta=meta,
            since=since,
        )

    def moment(self) -> float:
        """Return the monotonic time in seconds."""
        return self._wall.monotonic()

    def in_memory(
        self,
        terms: Terms,
        until: float = math.inf,
        meta: Meta | None = None,
        since: float | None = None,
    ) -> Terms:
        """Return conditions with the time that memory has, if that is shorter.

        It ends at a moment. What was counted from the moment of storing would last longer if
        the process had to wait before it.

        Args:
            terms: the conditions.
            until: another end, by the monotonic clock in seconds.
            meta: the conditions of the record, if there was one first: its time runs already.
            since: when the tier that has it was asked, from which on others may have changed it
                there; now if that does not matter.
        """
        now = self._wall.monotonic()  # first: waiting between the two clocks must not add to it
        until = min(until, (now if since is None else since) + self._memory_ttl)
        if meta is not None and meta.expires is not None:
            until = min(until, now + meta.expires - self._wall.time())
        if until == math.inf:
            return terms
        left = max(0.0, until - now)
        return Terms(
            min(terms.ttl, left) if terms.ttl >= 0.0 else left,
            terms.idle,
            terms.priority,
            terms.cost,
            terms.tags,
            terms.dependencies,
            terms.fence,
            until=until,
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
        """Return a record for a level; None if it cannot carry its labels there, or is not to.

        Raises:
            EncodeError: the value cannot be written as bytes.
        """
        if level.demoted:
            return None
        if level in counters:
            known = counters[level]
            if known is None:
                return None
            own = self._own(name)  # nothing goes with what it is itself
            known = {label: count for label, count in known.items() if label not in own}
            meta = self.labelled(meta, tags, known)
        return self.sealed(level, name, value, meta)

    def sealed(
        self, level: Level, name: bytes, value: Any, meta: Meta, unread: float = 0.0
    ) -> TierRecord:
        """Return a record for a level.

        Args:
            level: where it goes.
            name: its key as bytes.
            value: the value.
            meta: its conditions.
            unread: for how many seconds it may not have been read by now.

        Raises:
            EncodeError: the value cannot be written as bytes.
        """
        now = self._wall.time()
        until = now + level.ttl
        if meta.expires is not None:
            until = min(until, meta.expires + self._grace)
        if meta.idle_seconds is not None:
            # Nobody there sees it being read.
            until = min(until, now + meta.idle_seconds - unread)
        blob = self._serializer.dump(name, value, meta)
        return TierRecord(name, blob, None if until == math.inf else until, meta.cost)

    def record_or_none(
        self, level: Level, name: bytes, value: Any, meta: Meta
    ) -> TierRecord | None:
        """Return a record for a level; None, and tell, if the value has no bytes."""
        try:
            return self.sealed(level, name, value, meta)
        except EncodeError as error:
            self.refused(level, error)
            return None

    def renewed(self, meta: Meta, ttl: float, idle: float) -> Meta:
        """Return conditions with other times to live; negative ones leave what is there."""
        if ttl >= 0.0:
            meta = meta._replace(expires=self._wall.time() + ttl)
        if idle >= 0.0:
            meta = meta._replace(idle_seconds=idle)
        return meta

    def count_hit(self, level: Level, key: Any, flight: Flight | None = None) -> None:
        """Count that a tier had what was asked for.

        Args:
            level: the tier.
            key: the key.
            flight: on whose behalf; what nobody has asked for is told, and answers no request.
        """
        if flight is None or not flight.unasked:
            level.counts.hits += 1
        self._tell(EventKind.TIER_HIT, key, level)

    def count_miss(self, level: Level, key: Any, flight: Flight | None = None) -> None:
        """Count that a tier did not have what was asked for; see `count_hit`."""
        if flight is None or not flight.unasked:
            level.counts.misses += 1
        self._tell(EventKind.TIER_MISS, key, level)

    def refused(self, level: Level, error: EncodeError) -> None:
        """Tell that a value has no bytes."""
        if EventKind.REJECT in self.events.wanted:
            self.events.publish(Event(EventKind.REJECT, tier=level.name, detail=str(error)))
        elif not self._refusals:
            _log.warning("a loaded value is kept in memory alone: %s", error)
        self._refusals += 1

    def _tell(self, kind: EventKind, key: Any, level: Level, detail: str = "") -> None:
        if kind in self.events.wanted:
            self.events.publish(Event(kind, key, tier=level.name, detail=detail))
