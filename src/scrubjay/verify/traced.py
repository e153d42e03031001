"""A shared tier that tells what it was asked: the versions that caches keep to themselves."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scrubjay._flow.labels import Names
from scrubjay.codecs import KeyEncoder, Meta, Serializer, Undecodable
from scrubjay.tiers import RedisTier, TierRecord
from scrubjay.verify.history import DEPENDS, NO_TAG
from scrubjay.versions import Count, Fetched, Lease, Token, Versioned

__all__ = ["Known", "TracedTier", "Visit", "key_name", "tag_name", "visits"]


class Visit(NamedTuple):
    """A call of the tier that has succeeded.

    Args:
        method: its name, without an `a`.
        name: of what it was about, if it was about one thing.
        version: that was issued; 0 if none was.
    """

    method: str
    name: bytes
    version: int


class Known(NamedTuple):
    """What is known of a value.

    Args:
        version: of the record.
        generation: of its tag; 0 without one.
        expires_at: wall time.
    """

    version: int
    generation: int
    expires_at: float | None


#: what the operation under way has asked of the tier
visits: contextvars.ContextVar[list[Visit]] = contextvars.ContextVar("visits")

OnFill = Callable[[bytes, Any, int, Known, float], object]


def tag_name(tag: int) -> str:
    """Return the name of a tag."""
    return f"tag-{tag}"


def key_name(key: int) -> str:
    """Return a key by its number."""
    return f"key-{key}"


class TracedTier(RedisTier):
    """The Redis tier, with a memory of the versions of all values that it has seen.

    The values are `(number, tag, made, padding)`.

    Args:
        url: see `RedisTier`.
        options: see there.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.known: dict[int, Known] = {}
        #: called when a loaded value has been stored
        self.on_fill: OnFill | None = None
        self._load = Serializer().load
        self._encode = KeyEncoder("verify")
        self._tag = b"t%b=tag-" % KeyEncoder("verify").prefix

    def tag_of(self, name: bytes) -> int | None:
        """Return the tag whose generations have this name."""
        return int(name[len(self._tag) :]) if name.startswith(self._tag) else None

    def depended_on(self, name: bytes) -> bytes:
        """Return the name of the generations that begin when a key changes."""
        return Names.of_name(name)

    def _generation(self, tag: int, meta: Meta) -> int:
        if DEPENDS <= tag < NO_TAG:
            return meta.dependencies.get(Names.of_name(self._encode(key_name(tag - DEPENDS))), 0)
        return meta.tags.get(tag_name(tag), 0)

    # ---- noting

    def _visited(self, method: str, name: bytes = b"", version: int = 0) -> None:
        noted = visits.get(None)
        if noted is not None:
            noted.append(Visit(method, name, version))

    def _learn(self, name: bytes, blob: bytes, version: int) -> tuple[Any, Known] | None:
        loaded = self._load(name, blob)
        if isinstance(loaded, Undecodable):
            return None
        number, tag, _, _ = loaded.value
        generation = self._generation(tag, loaded.meta)
        known = self.known[number] = Known(version, generation, loaded.meta.expires)
        return loaded.value, known

    def _fetched(self, keys: Sequence[bytes], fetched: Fetched) -> Fetched:
        for key, record in zip(keys, fetched.records, strict=True):
            if record is not None and record.value is not None:
                self._learn(key, record.value, record.version)
        self._visited("fetch")
        return fetched

    def _leased(self, key: bytes, lease: Lease) -> Lease:
        if lease.found is not None and lease.found.value is not None:
            self._learn(key, lease.found.value, lease.found.version)
        self._visited("lease", key)
        return lease

    def _written(self, record: TierRecord, written: Versioned) -> Versioned:
        self._learn(record.key, record.value, written.version)
        self._visited("write", record.key, written.version)
        return written

    def _filled(
        self, record: TierRecord, start: float, filled: Versioned | None
    ) -> Versioned | None:
        if filled is not None:
            learnt = self._learn(record.key, record.value, filled.version)
            self._visited("fill", record.key, filled.version)
            if learnt is not None and self.on_fill is not None:
                value, known = learnt
                self.on_fill(record.key, value, filled.version, known, start)
        return filled

    def _deleted(self, keys: Sequence[bytes], removed: list[Versioned]) -> list[Versioned]:
        for key, record in zip(keys, removed, strict=True):
            self._visited("delete", key, record.version)
        return removed

    def _advanced(self, names: Sequence[bytes], counts: list[Count]) -> list[Count]:
        for name, count in zip(names, counts, strict=True):
            self._visited("advance", name, count.value)
        return counts

    # ---- blocking

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """See `RedisTier`."""
        return self._fetched(keys, super().fetch(keys, names))

    def lease(self, key: bytes, owner: bytes, seconds: float, **options: Any) -> Lease:
        """See `RedisTier`."""
        return self._leased(key, super().lease(key, owner, seconds, **options))

    def write(self, record: TierRecord) -> Versioned:
        """See `RedisTier`."""
        return self._written(record, super().write(record))

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """See `RedisTier`."""
        start = time.monotonic()
        return self._filled(record, start, super().fill(record, token))

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """See `RedisTier`."""
        return self._deleted(keys, super().delete(keys))

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """See `RedisTier`."""
        return self._advanced(names, super().advance(names))

    # ---- awaited

    async def afetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """See `RedisTier`."""
        return self._fetched(keys, await super().afetch(keys, names))

    async def alease(self, key: bytes, owner: bytes, seconds: float, **options: Any) -> Lease:
        """See `RedisTier`."""
        return self._leased(key, await super().alease(key, owner, seconds, **options))

    async def awrite(self, record: TierRecord) -> Versioned:
        """See `RedisTier`."""
        return self._written(record, await super().awrite(record))

    async def afill(self, record: TierRecord, token: Token) -> Versioned | None:
        """See `RedisTier`."""
        start = time.monotonic()
        return self._filled(record, start, await super().afill(record, token))

    async def adelete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """See `RedisTier`."""
        return self._deleted(keys, await super().adelete(keys))

    async def aadvance(self, names: Sequence[bytes]) -> list[Count]:
        """See `RedisTier`."""
        return self._advanced(names, await super().aadvance(names))
