"""A cache as one session uses it: what it reads, writes and removes, and the token it carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, overload

from scrubjay._core.adopt import adopt
from scrubjay._core.constants import MISSING
from scrubjay._core.session_reads import SessionReads
from scrubjay.consistency import Session
from scrubjay.consistency.tokens import Signer
from scrubjay.types import CacheConsistencyLevel

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from scrubjay.aio import AdaptiveCache
    from scrubjay.cache import Cache
    from scrubjay.options import Conditions

__all__ = ["AsyncCacheSession", "CacheSession"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")


class _Call(TypedDict):
    """What each call of a session hands on to the cache."""

    context: Mapping[str, Any]


class _Read(_Call):
    """What a read hands on as well."""

    consistency_level: CacheConsistencyLevel


class SessionDoor(SessionReads):
    """What both doors of a session have.

    Args:
        cache: which it uses.
        session_id: its name.
        session: what is known of it.
        consistency_level: at which it reads.
        signer: signs its tokens, and has signed those that come; None for neither.

    Attributes:
        session: what is known of it.
        session_id: its name, as in `context`.
        consistency_level: at which it reads.
    """

    def __init__(
        self,
        cache: Cache[Any, Any],
        session_id: str,
        session: Session,
        consistency_level: CacheConsistencyLevel,
        signer: Signer | None,
    ) -> None:
        super().__init__(cache, session, cache.demanded_here(consistency_level))
        self.session = session
        self.session_id = session_id
        self.consistency_level = consistency_level
        self._signer = signer
        self._call = _Call(context={"session_id": session_id})
        self._read = _Read(**self._call, consistency_level=consistency_level)

    def token(self, signer: Signer | None = None) -> str:
        """Return what the session knows, 800 characters at most, for a cookie or a header.

        Args:
            signer: signs it, where others could change it; None for the one that the session
                was asked for with.
        """
        return self.session.token(self._signer if signer is None else signer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.session_id!r} at {self.consistency_level.value}>"


class CacheSession(SessionDoor, Generic[K, V]):
    """A cache for synchronous code, as one session uses it; see `Cache.session`.

    Its methods are those of `Cache`, with the session and its level given. Whoever reads often
    keeps it for as long as a request takes: a hit is one call, with nothing to be looked up but
    the key.
    """

    _cache: Cache[K, V]

    def __init__(self, cache: Cache[K, V], *given: Any) -> None:
        super().__init__(cache, *given)
        self._cache = cache

    if TYPE_CHECKING:  # what the core does for any object, said for these keys and values

        @overload
        def get(self, key: K, default: None = None) -> V | None: ...
        @overload
        def get(self, key: K, default: V | T) -> V | T: ...
        def get(self, key: Any, default: Any = None) -> Any:
            """See `SessionReads.get`."""

    def get_elsewhere(self, key: Any, default: Any) -> Any:
        """Read what is not answered by memory alone; called by `get`."""
        return self._cache.get(key, default, **self._read)

    def get_many(
        self,
        keys: Iterable[K],
        loader: Callable[[list[K]], Mapping[K, V] | Sequence[V]] | None = None,
        **conditions: Unpack[Conditions],
    ) -> dict[K, V]:
        """Return those of the keys that are there, with their values; see `Cache.get_many`."""
        return self._cache.get_many(
            keys,
            loader,
            **self._read,
            **conditions,
        )

    def get_or_load(
        self, key: K, loader: Callable[[K], V] | None = None, **conditions: Unpack[Conditions]
    ) -> V:
        """Return the value of a key, loaded if it is not there; see `Cache.get_or_load`."""
        return self._cache.get_or_load(
            key,
            loader,
            **self._read,
            **conditions,
        )

    def put(self, key: K, value: V, **conditions: Unpack[Conditions]) -> bool:
        """Store a value; see `Cache.put`."""
        return self._cache.put(key, value, **self._call, **conditions)

    def put_many(
        self, items: Mapping[K, V] | Iterable[tuple[K, V]], **conditions: Unpack[Conditions]
    ) -> int:
        """Store several values under the same conditions; see `Cache.put_many`."""
        return self._cache.put_many(items, **self._call, **conditions)

    def invalidate(self, key: K) -> int:
        """Remove a key and all that depends on it; see `Cache.invalidate`."""
        return self._cache.invalidate(key, **self._call)

    def invalidate_many(self, keys: Iterable[K]) -> int:
        """Remove several keys and all that depends on them; see `Cache.invalidate_many`."""
        return self._cache.invalidate_many(keys, **self._call)

    def invalidate_by_tags(self, tags: Iterable[str]) -> int:
        """Remove what carries one of the tags; see `Cache.invalidate_by_tags`."""
        return self._cache.invalidate_by_tags(tags, **self._call)


class AsyncCacheSession(SessionDoor, Generic[K, V]):
    """A cache for asynchronous code, as one session uses it; see `AdaptiveCache.session`.

    Its methods are those of `AdaptiveCache`, with the session and its level given.
    """

    _cache: AdaptiveCache[K, V]

    def __init__(self, cache: AdaptiveCache[K, V], *given: Any) -> None:
        super().__init__(cache.sync, *given)
        self._cache = cache

    @overload
    async def get(self, key: K, default: None = None) -> V | None: ...
    @overload
    async def get(self, key: K, default: V | T) -> V | T: ...
    async def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or `default` if it is not there; see `AdaptiveCache.get`."""
        value = self.get_at_once(key)
        if value is not MISSING:
            return value
        return await self._cache.get(key, default=default, **self._read)

    async def get_many(
        self,
        keys: Iterable[K],
        loader: Callable[
            [list[K]],
            Awaitable[Mapping[K, V]] | Awaitable[Sequence[V]] | Mapping[K, V] | Sequence[V],
        ]
        | None = None,
        **conditions: Unpack[Conditions],
    ) -> dict[K, V]:
        """Return those of the keys that are there, with their values; see `Cache.get_many`."""
        return await self._cache.get_many(
            keys,
            loader,
            **self._read,
            **conditions,
        )

    async def get_or_load(
        self,
        key: K,
        loader: Callable[[K], Awaitable[V] | V] | None = None,
        **conditions: Unpack[Conditions],
    ) -> V:
        """Return the value of a key, loaded if it is not there; see `Cache.get_or_load`."""
        return await self._cache.get_or_load(
            key,
            loader,
            **self._read,
            **conditions,
        )

    async def put(self, key: K, value: V, **conditions: Unpack[Conditions]) -> bool:
        """Store a value; see `Cache.put`."""
        return await self._cache.put(key, value, **self._call, **conditions)

    async def put_many(
        self, items: Mapping[K, V] | Iterable[tuple[K, V]], **conditions: Unpack[Conditions]
    ) -> int:
        """Store several values under the same conditions; see `Cache.put_many`."""
        return await self._cache.put_many(items, **self._call, **conditions)

    async def invalidate(self, key: K) -> int:
        """Remove a key and all that depends on it; see `Cache.invalidate`."""
        return await self._cache.invalidate(key, **self._call)

    async def invalidate_many(self, keys: Iterable[K]) -> int:
        """Remove several keys and all that depends on them; see `Cache.invalidate_many`."""
        return await self._cache.invalidate_many(keys, **self._call)

    async def invalidate_by_tags(self, tags: Iterable[str]) -> int:
        """Remove what carries one of the tags; see `Cache.invalidate_by_tags`."""
        return await self._cache.invalidate_by_tags(tags, **self._call)


adopt(CacheSession, "get")
