"""The asynchronous door, over the same store as the synchronous one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, ParamSpec, TypeVar, overload

from scrubjay import arguments
from scrubjay._core.constants import MISSING
from scrubjay._flow import awaiting
from scrubjay.cache import Cache
from scrubjay.clock import Clock
from scrubjay.codecs import Serializer
from scrubjay.consistency.tokens import Signer
from scrubjay.copying import awaited_copying
from scrubjay.decorators import CachedFunction, Decorator, shared
from scrubjay.errors import InvalidKeyError, UnpicklableCacheError
from scrubjay.layered import CLOSING
from scrubjay.layers import LowerLayer, Memory
from scrubjay.never_waiting import NeverWaiting
from scrubjay.observe.inspecting import describe_key
from scrubjay.observe.key_report import KeyReport
from scrubjay.optimizer import Optimizer
from scrubjay.reading import REFUSED
from scrubjay.sessions import AsyncCacheSession
from scrubjay.tiers.protocol import Tier
from scrubjay.types import (
    CacheConsistencyLevel,
    CacheEvictionStrategy,
    CacheObjective,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from scrubjay.options import CallOptions

__all__ = ["AdaptiveCache"]

_STRONG = CacheConsistencyLevel.STRONG

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class AdaptiveCache(NeverWaiting[K, V]):
    """An adaptive in-process cache for asynchronous code.

    It may be used from any number of event loops and threads at once. `sync` is the same
    cache for synchronous code. What never waits is not asynchronous: looking at entries
    and statistics, and resizing.

    Args:
        max_size_mb: bound on the sum of the entries' sizes, in units of 1,048,576 bytes.
        eviction_strategy: which entry to give up; a member, its value or the name of a
            strategy registered with `register_strategy`.
        consistency_level: how fresh a read must be; a member or its value.
        enable_prefetching: see `Cache`.
        optimization_interval: seconds between two rounds of the optimization loop.
        loader: called with a key to load its value. A coroutine function runs on the
            event loop, a plain one in a worker thread. The others are those of `Cache`.

    Raises:
        InvalidArgumentError: an argument makes no sense; the message names it.
    """

    def __init__(
        self,
        max_size_mb: float | None = None,
        eviction_strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
        consistency_level: CacheConsistencyLevel | str = CacheConsistencyLevel.EVENTUAL,
        enable_prefetching: bool = True,
        optimization_interval: float = 300,
        *,
        objective: CacheObjective | str | None = None,
        max_entries: int | None = None,
        loader: Callable[[Any], Any] | None = None,
        batch_loader: Callable[[list[Any]], Any] | None = None,
        loaders: Mapping[str, Callable[[Any], Any]] | None = None,
        prefetch_cost_ratio: float = 1.3,
        prefetch_concurrency: int = 8,
        prefetch_rate: float | None = None,
        sizer: Callable[[Any], int] | None = None,
        max_value_fraction: float = 0.1,
        ttl_seconds: float | None = None,
        idle_seconds: float | None = None,
        ttl_jitter: float = 0.0,
        negative_ttl_seconds: float | None = None,
        negative_errors: tuple[type[BaseException], ...] | type[BaseException] = (Exception,),
        clock: Clock | None = None,
        name: str | None = None,
        tiers: Iterable[Memory | LowerLayer | Tier] | None = None,
        namespace: str = "default",
        tenant: str | None = None,
        serializer: Serializer | None = None,
        stale_while_revalidate_seconds: float | None = None,
        stale_if_error_seconds: float | None = None,
        soft_timeout_seconds: float | None = None,
        hard_timeout_seconds: float | None = None,
        early_refresh: float = 0.0,
        consistency_check_share: float = 0.0,
        copy: Literal["deep"] | Callable[[Any], Any] | None = None,
        warm_file: str | os.PathLike[str] | None = None,
        warm_rate: float | None = None,
    ) -> None:
        self._sync = Cache(
            max_size_mb,
            eviction_strategy,
            consistency_level,
            enable_prefetching,
            optimization_interval,
            objective=objective,
            max_entries=max_entries,
            loader=loader,
            batch_loader=batch_loader,
            loaders=loaders,
            prefetch_cost_ratio=prefetch_cost_ratio,
            prefetch_concurrency=prefetch_concurrency,
            prefetch_rate=prefetch_rate,
            sizer=sizer,
            max_value_fraction=max_value_fraction,
            ttl_seconds=ttl_seconds,
            idle_seconds=idle_seconds,
            ttl_jitter=ttl_jitter,
            negative_ttl_seconds=negative_ttl_seconds,
            negative_errors=negative_errors,
            clock=clock,
            name=name,
            tiers=tiers,
            namespace=namespace,
            tenant=tenant,
            serializer=serializer,
            stale_while_revalidate_seconds=stale_while_revalidate_seconds,
            stale_if_error_seconds=stale_if_error_seconds,
            soft_timeout_seconds=soft_timeout_seconds,
            hard_timeout_seconds=hard_timeout_seconds,
            early_refresh=early_refresh,
            consistency_check_share=consistency_check_share,
            copy=copy,
            warm_file=warm_file,
            warm_rate=warm_rate,
        )
        if copy is not None:
            kind: Any = type(self)
            self.__class__ = awaited_copying(kind)
        self._optimizer = Optimizer()

    # Background work

    async def start(self) -> None:
        """Begin the optimization loop on this event loop. The cache works without it, too.

        One that runs on another event loop ends. Prefetching goes on if `stop` ended it.
        """
        if self.prefetcher is not None:
            self.prefetcher.open()
        await self._optimizer.start(self)

    async def stop(self) -> None:
        """End the optimization loop and prefetching. Entries stay."""
        await self._optimizer.stop()
        if self.prefetcher is not None:
            await self.prefetcher.aclose()

    async def __aenter__(self) -> AdaptiveCache[K, V]:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End what runs in the background, and close the tiers that the cache has opened.

        Entries stay: who goes on using the cache finds what is in memory. With a `warm_file`
        they are saved to it, the first time.
        """
        await self.stop()
        ending = self._sync.ending()
        if ending is not None:
            await awaiting.arun(ending)
        await awaiting.arun(self._sync.flushing(CLOSING, last=True))
        for tier in self._sync.own_tiers():
            closing = getattr(tier, "aclose", None)
            if closing is None:
                tier.close()
            else:
                await closing()

    # Reading and writing

    @overload
    async def get(
        self,
        key: K,
        context: Mapping[str, Any] | None = None,
        consistency_check: bool = True,
        *,
        default: None = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> V | None: ...
    @overload
    async def get(
        self,
        key: K,
        context: Mapping[str, Any] | None = None,
        consistency_check: bool = True,
        *,
        default: V | T,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> V | T: ...
    async def get(
        self,
        key: K,
        context: Mapping[str, Any] | None = None,
        consistency_check: bool = True,
        *,
        default: Any = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> Any:
        """Return the value of `key`, or `default` if it is not there.

        Args:
            key: any hashable.
            context: what is known of the caller, such as ``{"session_id": ...}``.
            consistency_check: whether the consistency level is to be kept.
            default: returned on a miss.
            consistency_level: how fresh the value must be, across nodes; None for the level
                of the cache.

        Raises:
            ConsistencyError: the level cannot be kept, which is never passed over in silence.
            TierError: the level needs the shared tier, and that cannot be asked.
        """
        own = self._sync
        if not own.layered:
            if context is None and consistency_level is None:
                return own.get(key, default)
            return own.get(
                key,
                default,
                context=context,
                consistency_check=consistency_check,
                consistency_level=consistency_level,
            )
        if consistency_check:
            if context is not None:
                value = own.fetch_at_once(key, context, consistency_level)
            elif own.strict if consistency_level is None else consistency_level is _STRONG:
                value = MISSING
                feed = own.confirmer(key, None)
                if feed is not None:
                    value = own.fetch_confirmed(key, None, await own.calling(feed))
            else:
                value = MISSING
            if value is not MISSING:
                return value
        demand = own.demand(context, consistency_level) if consistency_check else None
        if demand is not None:
            value = await own.arequested(key, context, demand)
            if value is MISSING:
                value = await awaiting.arun(own.reading_at(key, demand))
            return default if value is MISSING else value
        value = own.request_in_context(key, context, consistency_check)
        if value is MISSING:
            value = await awaiting.arun(own.finding(key))
            if context is not None:
                own.ascribe(key, arguments.asker(context))
        return default if value is MISSING or value is REFUSED else value

    async def put(
        self,
        key: K,
        value: V,
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
    ) -> bool:
        """Store a value; see `Cache.put`."""
        if self._sync.layered:
            session = arguments.session(context)
            terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
            flow = self._sync.storing(key, value, terms, session, arguments.asker(context))
            return bool(await awaiting.arun(flow))
        return self._sync.put(
            key,
            value,
            ttl_seconds,
            priority,
            tags,
            context,
            idle_seconds=idle_seconds,
            dependencies=dependencies,
            cost=cost,
        )

    async def get_or_load(
        self,
        key: K,
        loader: Callable[[K], Awaitable[V] | V] | None = None,
        *,
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
        context: Mapping[str, Any] | None = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> V:
        """Return the value of a key, loading and storing it if it is not there.

        A load runs as a task of its own: who is cancelled while waiting for it disturbs
        neither it nor others. See `Cache.get_or_load`.
        """
        demand = None
        value = self._sync.fetch_at_once(key, context, consistency_level)
        if value is MISSING:
            demand = self._sync.demand(context, consistency_level)
            if demand is None:
                value = self._sync.request_in_context(key, context)
            else:
                value = await self._sync.arequested(key, context, demand)
        if value is MISSING or value is REFUSED:
            terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
            flow = self._sync.reading(key, loader, terms, context, demand)
            value = await awaiting.arun(flow)
            if context is not None:
                self._sync.ascribe(key, arguments.asker(context))
        elif self._sync.eager and self._sync.is_due(key):
            terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
            await awaiting.arun(self._sync.renewing(key, loader, terms))
        loaded: V = value
        return loaded

    async def refresh(
        self,
        key: K,
        loader: Callable[[K], Awaitable[V] | V] | None = None,
        *,
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
    ) -> V:
        """Load a key anew, store and return its value; see `Cache.refresh`."""
        terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        loaded: V = await awaiting.arun(self._sync.refreshing(key, loader, terms))
        return loaded

    async def get_many(
        self,
        keys: Iterable[K],
        loader: Callable[
            [list[K]],
            Awaitable[Mapping[K, V]] | Awaitable[Sequence[V]] | Mapping[K, V] | Sequence[V],
        ]
        | None = None,
        *,
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
        context: Mapping[str, Any] | None = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> dict[K, V]:
        """Return those of the keys that are there, with their values; see `Cache.get_many`."""
        terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        found, rest = self._sync.reading_many(keys, loader, terms, context, consistency_level)
        return found if rest is None else rest.joined(await awaiting.arun(rest.flow))

    async def put_many(
        self,
        items: Mapping[K, V] | Iterable[tuple[K, V]],
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
    ) -> int:
        """Store several values under the same conditions; see `Cache.put_many`."""
        if self._sync.layered:
            pairs = arguments.pairs("items", items)
            session = arguments.session(context)
            terms = self._sync.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
            flow = self._sync.storing_many(pairs, terms, session, arguments.asker(context))
            return int(await awaiting.arun(flow))
        return self._sync.put_many(
            items,
            ttl_seconds,
            priority,
            tags,
            context,
            idle_seconds=idle_seconds,
            dependencies=dependencies,
            cost=cost,
        )

    async def touch(
        self, key: K, ttl_seconds: float | None = None, idle_seconds: float | None = None
    ) -> bool:
        """Count a use of an entry and let it live anew; see `Cache.touch`."""
        if not self._sync.layered:
            return self._sync.touch(key, ttl_seconds, idle_seconds)
        ttl, idle = self._sync.renewal(ttl_seconds, idle_seconds)
        if not self._sync.contains(key):
            await awaiting.arun(self._sync.finding(key))
        return bool(await awaiting.arun(self._sync.touching(key, ttl, idle)))

    async def invalidate(self, key: K, *, context: Mapping[str, Any] | None = None) -> int:
        """Remove a key and all that depends on it; see `Cache.invalidate`."""
        if self._sync.layered:
            return int(await awaiting.arun(self._sync.forgetting(key, context)))
        return self._sync.invalidate(key, context=context)

    async def invalidate_many(
        self, keys: Iterable[K], *, context: Mapping[str, Any] | None = None
    ) -> int:
        """Remove several keys and all that depends on them; see `Cache.invalidate_many`."""
        if self._sync.layered:
            flow = self._sync.forgetting_many(arguments.keys("keys", keys), context)
            return int(await awaiting.arun(flow))
        return self._sync.invalidate_many(keys, context=context)

    async def invalidate_by_tags(
        self, tags: Iterable[str], *, context: Mapping[str, Any] | None = None
    ) -> int:
        """Remove what carries one of the tags; see `Cache.invalidate_by_tags`."""
        if self._sync.layered:
            flow = self._sync.forgetting_tags(arguments.tags(tags), context)
            return int(await awaiting.arun(flow))
        return self._sync.invalidate_by_tags(tags, context=context)

    async def clear(self) -> None:
        """Remove everything, in lower tiers, too. Counts and configuration stay."""
        if self._sync.layered:
            await awaiting.arun(self._sync.forgetting_all())
        else:
            self._sync.clear()

    async def explain_key(self, key: K) -> KeyReport:
        """Return what is known of a key, in every tier; see `Cache.explain_key`."""
        store = self._sync
        try:
            tiers = await awaiting.arun(store.probing(key)) if store.layered else []
        except InvalidKeyError:  # what has no bytes of its own is in memory alone
            tiers = []
        return describe_key(store, key, tiers)

    async def flush(self, timeout_seconds: float | None = None) -> bool:
        """Write what waits to be written below; see `Cache.flush`."""
        return bool(await awaiting.arun(self._sync.flushing(timeout_seconds)))

    async def save(self, path: str | os.PathLike[str]) -> int:
        """Save the entries of memory to a file; see `Cache.save`."""
        return int(await awaiting.arun(self._sync.saving(path)))

    async def restore(self, path: str | os.PathLike[str], *, rate: float | None = None) -> int:
        """Restore entries that `save` has saved; see `Cache.restore`."""
        return int(await awaiting.arun(self._sync.restoring(path, rate)))

    # Sessions

    def session(
        self,
        session_id: str,
        token: str | None = None,
        *,
        signer: Signer | None = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> AsyncCacheSession[K, V]:
        """Return this cache as one session uses it; see `Cache.session`."""
        level = self._sync.level_of_sessions(consistency_level)
        known = self._sync.known_session(session_id, token, signer)
        return AsyncCacheSession(self, str(session_id), known, level, signer)

    @overload
    def cached(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...
    @overload
    def cached(self, /, **options: Unpack[CallOptions]) -> Decorator: ...
    @overload
    def cached(
        self, function: Callable[P, R], /, **options: Unpack[CallOptions]
    ) -> CachedFunction[P, R]: ...
    def cached(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate a function, ``def`` or ``async def``, to keep its results; see `Cache.cached`."""
        return shared(self._sync, function, options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._sync!r}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise UnpicklableCacheError(f"{self!r} cannot be pickled or copied: it holds live state")
