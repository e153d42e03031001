"""The synchronous door."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, overload

from scrubjay import arguments, decorators, settings
from scrubjay._core.adopt import adopt
from scrubjay._core.constants import MISSING
from scrubjay._flow import blocking
from scrubjay._flow.load import Demand
from scrubjay.consistency.tokens import Signer
from scrubjay.errors import UnpicklableCacheError
from scrubjay.observable import Observable
from scrubjay.reading import REFUSED
from scrubjay.sessions import CacheSession
from scrubjay.types import CacheConsistencyLevel, CacheEvictionStrategy

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from scrubjay.options import CallOptions

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")


class Cache(Observable[K, V]):
    """An adaptive in-process cache for synchronous code; also a mutable mapping.

    Every operation is atomic under concurrent use by threads. Reading a key counts as a
    use of it; looking at an entry, testing for a key and iterating do not.

    Args:
        max_size_mb: bound on the sum of the entries' sizes, in units of 1,048,576 bytes;
            None for no such bound. 1,024 if no bound at all is given.
        eviction_strategy: which entry to give up; a member, its value or the name of a
            strategy registered with `register_strategy`.
        consistency_level: how fresh a read must be; a member or its value.
        enable_prefetching: whether to load ahead, in the background, what will probably be
            asked for: keys that the cache's own loader has loaded before. It costs nothing
            where the cache has no loader.
        optimization_interval: seconds between two rounds of the optimization loop that
            `AdaptiveCache.start` begins.
        objective: what ADAPTIVE makes the most of: a `CacheObjective` or its value. None for
            the time or cost of loading where it is known, and else hits.
        max_entries: bound on the number of entries; None for no such bound. Values are
            sized only where `max_size_mb` bounds them.
        loader: called with a key to load its value; may be given per call instead.
        batch_loader: called with a list of keys, returns a mapping of those that there are
            to their values; loads ahead, and on demand where there is no `loader`.
        loaders: loaders of their own for keys that are strings with some prefix, by prefix;
            the longest prefix counts.
        prefetch_cost_ratio: loads allowed for each one that there would be without
            prefetching; 1.0 for no more.
        prefetch_concurrency: calls of each loader ahead at a time, at most.
        prefetch_rate: calls of each loader ahead in a second, at most; None for any number.
        sizer: returns the size of a value in bytes; None for an estimate of what key and
            value take in memory.
        max_value_fraction: the part of `max_size_mb` that one entry may take.
        ttl_seconds: time to live of entries that are stored without one; None for ever.
        idle_seconds: time to live unread, of entries that are stored without one.
        ttl_jitter: each time to live is shortened by a random part of it up to this
            fraction, so that entries stored together do not expire together.
        negative_ttl_seconds: how long a loader's error is remembered and raised again
            without calling the loader; None to remember none.
        negative_errors: the kinds of errors that are remembered.
        clock: where the time comes from; None for the system's.
        name: for people to tell caches apart.
        tiers: `Memory`, `Disk`, `Redis`, or any tier, the nearest first: what is not in
            memory is looked for there, and what is stored or removed is so there, too.
        namespace: tells this cache's records from those of others in the same tiers.
        tenant: tells one tenant's records from another's in the namespace.
        serializer: turns values into bytes for the tiers; MessagePack by default.
        stale_while_revalidate_seconds: for how long after it has expired `get_or_load` and
            decorated functions return a value at once, and have it loaded meanwhile.
        stale_if_error_seconds: for how long they return it where loading fails.
        soft_timeout_seconds: how long they wait for a load where there is such a value.
        hard_timeout_seconds: how long they wait for a load at all. It goes on, and its value
            is stored.
        early_refresh: how eagerly `get_or_load` has an entry loaded before it expires: by
            chance, the likelier the nearer that is and the longer the load took; 1.0 is the
            usual, 0.0 never.
        consistency_check_share: which part of hits is looked at again in the background, where
            nodes share a tier: a copy that is not the last there is, and was not told of, is
            let go, counted in `consistency_conflicts` and told as `EventKind.CONFLICT`. One in
            1,024 at most, as each is a read of the shared tier; 0.0 for none.
        copy: "deep", or a function that copies a value: what is stored is a copy then, and
            each value that is returned. None to keep and return the very objects.
        warm_file: a file that `close` saves memory to, and from which it is restored, in the
            background, when a cache is made: it is read once, and removed. What is there and is
            no snapshot is never replaced: `SnapshotError`.
        warm_rate: entries restored in a second, at most; None for as many as can be.

    Raises:
        InvalidArgumentError: an argument makes no sense; the message names it.
    """

    # Configuration

    @property
    def max_size_bytes(self) -> int | None:
        """The bound on the sum of sizes in bytes, or None."""
        return self.byte_limit if self.weighted else None

    @property
    def max_entries(self) -> int | None:
        """The bound on the number of entries, or None."""
        return None if self.entry_limit >= settings.UNBOUNDED else self.entry_limit

    @property
    def eviction_strategy(self) -> CacheEvictionStrategy | str:
        """The strategy: a member, or the name of a registered one."""
        try:
            return CacheEvictionStrategy(self._strategy)
        except ValueError:
            return self._strategy

    @property
    def consistency_level(self) -> CacheConsistencyLevel:
        """The level that reads keep."""
        return self.consistency_manager.consistency_level

    @property
    def optimization_interval(self) -> float:
        """Seconds between two rounds of the optimization loop."""
        return self._interval

    def resize(
        self,
        *,
        max_size_mb: float | None = settings.UNCHANGED,
        max_entries: int | None = settings.UNCHANGED,
    ) -> None:
        """Change the bounds; what lies above them is evicted before this returns.

        Args:
            max_size_mb: the new bound in units of 1,048,576 bytes. A cache made without a
                bound on size cannot be given one: its entries have no sizes.
            max_entries: the new bound on the number of entries, or None for none.

        Raises:
            InvalidArgumentError: a bound makes no sense or cannot be changed.
        """
        bound, size = settings.new_bounds(
            self.entry_limit, self.byte_limit, self.weighted, max_size_mb, max_entries
        )
        fraction = int(size * self._fraction) if self.weighted else settings.UNBOUNDED
        self.set_limits(bound, size, fraction)
        self._gather_anew()

    # Storing

    def put_many(
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
        """Store several values under the same conditions; return how many were stored.

        Args:
            items: a mapping, or pairs of key and value. The others are those of `put`.

        Raises:
            InvalidArgumentError: an argument makes no sense; nothing has changed.
        """
        pairs = arguments.pairs("items", items)
        session = arguments.session(context)
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        asker = arguments.asker(context)
        if self.layered:
            return int(blocking.run(self.storing_many(pairs, terms, session, asker)))
        return sum(self._put_checked(key, value, terms, session, asker) for key, value in pairs)

    def touch(
        self, key: K, ttl_seconds: float | None = None, idle_seconds: float | None = None
    ) -> bool:
        """Count a use of an entry and, where a time is given, let it live anew.

        Args:
            key: the key.
            ttl_seconds: how long it lives from now on; None to leave that as it is.
            idle_seconds: how long it lives unread from now on; None to leave that.

        Returns:
            False if the key is not there.
        """
        ttl, idle = self.renewal(ttl_seconds, idle_seconds)
        if self.layered:
            if not self.contains(key):
                blocking.run(self.finding(key))
            return bool(blocking.run(self.touching(key, ttl, idle)))
        return self.renewed(key, ttl, idle)

    # Reading

    def get_many(
        self,
        keys: Iterable[K],
        loader: Callable[[list[K]], Mapping[K, V] | Sequence[V]] | None = None,
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
        """Return those of the keys that are there, with their values.

        What memory does not have is looked for in each tier below at once, and what that
        has not either is loaded at once, if there is a loader. Keys that are being loaded
        are waited for instead; they are loaded again only where that yielded nothing.

        Args:
            keys: the keys; each counts as one request, however often it is named.
            loader: called with a list of keys; returns a mapping, or a sequence with a
                value for each key in their order. What a mapping lacks is not there. None
                to load nothing, whatever loader the cache has. The others are those of
                `put` and apply to values that are loaded.
            context: what is known of the caller.
            consistency_level: how fresh the values must be; None for the cache's level.

        Raises:
            ReentrantLoadError: a loader needs, directly or not, a key that it loads.
            LoadTimeoutError: it takes longer than the cache's `hard_timeout_seconds`.
            Exception: whatever the loader raises.
        """
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        found, rest = self.reading_many(keys, loader, terms, context, consistency_level)
        return found if rest is None else rest.joined(blocking.run(rest.flow))

    def get_or_load(
        self,
        key: K,
        loader: Callable[[K], V] | None = None,
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

        One loader runs per key at a time in the whole process; who comes meanwhile gets
        its value or its error. A load that an invalidation overtook is returned to those
        who waited for it, but not stored.

        Args:
            key: any hashable.
            loader: called with the key; None for the cache's own. The others are those of
                `put` and apply to a value that is loaded; a hit does not look at them.
            consistency_level: how fresh the value must be; None for the cache's level.

        Raises:
            ReentrantLoadError: the loader needs, directly or not, the key that it loads.
            Exception: whatever the loader raises.
        """
        demand: Demand | None = None
        value: Any = self.fetch_at_once(key, context, consistency_level)
        if value is MISSING:
            demand = self.demand(context, consistency_level)
            if demand is None:
                value = self.request_in_context(key, context)
            else:
                value = self.requested(key, context, demand)
        if value is not MISSING and value is not REFUSED:
            if self.eager and self.is_due(key):
                terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
                blocking.run(self.renewing(key, loader, terms))
            found: V = value
            return found
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        loaded: V = blocking.run(self.reading(key, loader, terms, context, demand))
        if context is not None:
            self.ascribe(key, arguments.asker(context))
        return loaded

    def refresh(
        self,
        key: K,
        loader: Callable[[K], V] | None = None,
        *,
        ttl_seconds: float | None = None,
        priority: float = 1.0,
        tags: Iterable[str] | None = None,
        idle_seconds: float | None = None,
        dependencies: Iterable[Hashable] | None = None,
        cost: float | None = None,
    ) -> V:
        """Load a key anew, store and return its value.

        The old value is served to others until the new one is there.

        Args:
            key: any hashable.
            loader: called with the key; None for the cache's own. The others are those of
                `put`.

        Raises:
            ReentrantLoadError: the loader needs, directly or not, the key that it loads.
            Exception: whatever the loader raises.
        """
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        loaded: V = blocking.run(self.refreshing(key, loader, terms))
        return loaded

    # Sessions

    def session(
        self,
        session_id: str,
        token: str | None = None,
        *,
        signer: Signer | None = None,
        consistency_level: CacheConsistencyLevel | str | None = None,
    ) -> CacheSession[K, V]:
        """Return this cache as one session uses it; with a token, as it goes on from elsewhere.

        Args:
            session_id: its name, as in `context`.
            token: of the same session, from another process: what it has written and read
                there counts from now on.
            signer: must have signed the token, and signs those that the session gives; None
                for neither.
            consistency_level: at which it reads; None for the cache's own, or SESSION if that
                is EVENTUAL.

        Raises:
            InvalidTokenError: the token is damaged or forged.
            EpochChangedError: it is of another server than what is known here.
            InvalidArgumentError: there is no such level, or None for a name.
        """
        level = self.level_of_sessions(consistency_level)
        known = self.known_session(session_id, token, signer)
        return CacheSession(self, str(session_id), known, level, signer)

    # Removing

    def invalidate(self, key: K, *, context: Mapping[str, Any] | None = None) -> int:
        """Remove a key and all that depends on it, directly or not.

        Args:
            key: the key.
            context: who does; the session reads no older value afterwards, on any node.

        Returns:
            How many entries are gone: 0 if there was nothing to remove. Of those that are
            in lower tiers alone, only the one of the key itself is counted.
        """
        if self.layered:
            return int(blocking.run(self.forgetting(key, context)))
        arguments.session(context)
        return self.remove(key)

    def invalidate_many(
        self, keys: Iterable[K], *, context: Mapping[str, Any] | None = None
    ) -> int:
        """Remove several keys and all that depends on them.

        Args:
            keys: the keys.
            context: who does, as for `invalidate`.

        Returns:
            How many entries are gone: those of memory, and as many more as the tier that had
            most of the keys had of them.
        """
        checked = arguments.keys("keys", keys)
        if self.layered:
            return int(blocking.run(self.forgetting_many(checked, context)))
        arguments.session(context)
        return sum(self.invalidate(key) for key in checked)

    def invalidate_by_tags(
        self, tags: Iterable[str], *, context: Mapping[str, Any] | None = None
    ) -> int:
        """Remove what carries at least one of the tags, and all that depends on it.

        Args:
            tags: a set of strings.
            context: who does, as for `invalidate`.

        Returns:
            How many entries are gone.
        """
        checked = arguments.tags(tags)
        if self.layered:
            return int(blocking.run(self.forgetting_tags(checked, context)))
        arguments.session(context)
        return self.remove_by_tags(checked)

    def clear(self) -> None:
        """Remove everything, in lower tiers, too. Counts and configuration stay."""
        if self.layered:
            blocking.run(self.forgetting_all())
        else:
            self.empty()

    # Restarting

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Write what waits to be written to layers that are written behind, or demoted to.

        Args:
            timeout_seconds: how long that may take; None for any time.

        Returns:
            Whether nothing that was stored before waits any more. What could not be written,
            as a tier has failed, does not wait: it is lost, and counted.
        """
        return bool(blocking.run(self.flushing(timeout_seconds)))

    def save(self, path: str | os.PathLike[str]) -> int:
        """Save the entries of memory to a file, the hottest first; return how many.

        The file is written whole or not at all, for this user alone. Left out are entries whose
        key is not made of strings, bytes, numbers, None and tuples, or whose value the
        serializer does not take; and over a tier with `Redis` as its last, all values.

        Args:
            path: the file; one that is there is replaced.

        Raises:
            SnapshotError: it cannot be written.
            MissingExtraError: no serializer was given, and the usual one is not installed.
        """
        return int(blocking.run(self.saving(path)))

    def restore(self, path: str | os.PathLike[str], *, rate: float | None = None) -> int:
        """Restore entries that `save` has saved, the hottest first; return how many.

        Left out is what has expired or was invalidated since, what is there already, and what
        there is no room for. Without tiers nobody knows what was invalidated between `save`
        and this call: restore at the start, and each file once.

        A file that is not there, is damaged, or of another cache, raises nothing: what is whole
        is restored, and the rest told (`EventKind.CORRUPTION`).

        Args:
            path: the file.
            rate: entries in a second, at most, which the call waits for; None for as many as
                can be.

        Raises:
            InvalidArgumentError: an argument makes no sense.
            MissingExtraError: no serializer was given, and the usual one is not installed.
        """
        return int(blocking.run(self.restoring(path, rate)))

    @overload
    def cached(self, function: Callable[P, R], /) -> decorators.CachedFunction[P, R]: ...
    @overload
    def cached(self, /, **options: Unpack[CallOptions]) -> decorators.Decorator: ...
    @overload
    def cached(
        self, function: Callable[P, R], /, **options: Unpack[CallOptions]
    ) -> decorators.CachedFunction[P, R]: ...
    def cached(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate a function so that its results are kept in this cache.

        Args:
            function: the function, where the decorator is used bare.
            **options: as for `scrubjay.cached`, but for those of a cache of its own.

        Raises:
            InvalidArgumentError: an option is unknown or makes no sense.
        """
        return decorators.shared(self, function, options)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        return f"<{type(self).__name__}{name} {self._strategy}, {self.count} entries>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise UnpicklableCacheError(
            f"{self!r} cannot be pickled or copied: it holds live state; "
            "pickle dict(cache.items()) if its entries are meant"
        )


adopt(Cache, "get", "put", "contains", "pop", "setdefault")
