"""What never waits at the asynchronous door: looking, telling and resizing."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from scrubjay import settings
from scrubjay.cache import Cache
from scrubjay.consistency.manager import ConsistencyManager
from scrubjay.events import EventCallback, EventKind, Events
from scrubjay.observe.advice import Advice
from scrubjay.observe.explanation import Explanation
from scrubjay.observe.listeners import RemovalListener
from scrubjay.observe.recorder import Recording
from scrubjay.observe.statistics import DetailedStatistics
from scrubjay.prefetcher import PredictivePrefetcher
from scrubjay.types import (
    CacheConsistencyLevel,
    CacheEntry,
    CacheEvictionStrategy,
    CacheObjective,
    CacheStatistics,
    RemovalCause,
)

if TYPE_CHECKING:
    from scrubjay.web.dashboard import Dashboard

__all__ = ["NeverWaiting"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class NeverWaiting(Generic[K, V]):
    """The methods of an `AdaptiveCache` that are those of the `Cache` behind it."""

    _sync: Cache[K, V]

    @property
    def sync(self) -> Cache[K, V]:
        """The same cache for synchronous code."""
        return self._sync

    def contains(self, key: K) -> bool:
        """Tell whether `key` is there, without counting as a use of it."""
        return self._sync.contains(key)

    def entry(self, key: K) -> CacheEntry | None:
        """Return what is known of an entry, or None. Looking is no use of it."""
        return self._sync.entry(key)

    def resize(
        self,
        *,
        max_size_mb: float | None = settings.UNCHANGED,
        max_entries: int | None = settings.UNCHANGED,
    ) -> None:
        """Change the bounds; see `Cache.resize`."""
        self._sync.resize(max_size_mb=max_size_mb, max_entries=max_entries)

    def purge_expired(self) -> int:
        """Remove what has expired, now; return how many entries that were."""
        return self._sync.purge_expired()

    def on_removal(
        self,
        callback: RemovalListener,
        causes: Iterable[RemovalCause | str] | RemovalCause | str | None = None,
    ) -> Callable[[], None]:
        """Have ``callback(key, value, cause)`` called after each removal."""
        return self._sync.on_removal(callback, causes)

    def on_event(
        self,
        callback: EventCallback,
        kinds: Iterable[EventKind | str] | EventKind | str | None = None,
        *,
        queued: bool = True,
    ) -> Callable[[], None]:
        """Have ``callback(event)`` called after whatever happens; see `Cache.on_event`."""
        return self._sync.on_event(callback, kinds, queued=queued)

    def expose(self, *, nodes: bool = False) -> Callable[[], None]:
        """Let ``scrubjay dashboard`` and ``scrubjay top`` show this; see `Cache.expose`."""
        return self._sync.expose(nodes=nodes)

    def dashboard(
        self, port: int = 8710, *, host: str = "127.0.0.1", token: str | None = None
    ) -> Dashboard:
        """Serve a live page; see `Cache.dashboard`."""
        return self._sync.dashboard(port, host=host, token=token)

    def explain(self) -> Explanation:
        """Return what the cache does at present, why, and what else it might do."""
        return self._sync.explain()

    def explain_prefetch(self, key: K) -> str:
        """Tell how a key stands with prefetching; see `Cache.explain_prefetch`."""
        return self._sync.explain_prefetch(key)

    def advise(self, *, gather: bool = True) -> Advice:
        """Return what other amounts of memory would have made of the hit ratio; see `Cache.advise`."""
        return self._sync.advise(gather=gather)

    def record(
        self, path: str | os.PathLike[str], *, sample: float = 0.1, secret: bytes | None = None
    ) -> Recording:
        """Record requests to a file; see `Cache.record`."""
        return self._sync.record(path, sample=sample, secret=secret)

    @property
    def statistics(self) -> CacheStatistics:
        """The counts so far."""
        return self._sync.statistics

    def get_detailed_statistics(self) -> DetailedStatistics:
        """Return everything that is counted, in groups, ready for JSON."""
        return self._sync.get_detailed_statistics()

    # As given

    @property
    def max_size_bytes(self) -> int | None:
        """The bound on the sum of sizes in bytes, or None."""
        return self._sync.max_size_bytes

    @property
    def max_entries(self) -> int | None:
        """The bound on the number of entries, or None."""
        return self._sync.max_entries

    @property
    def eviction_strategy(self) -> CacheEvictionStrategy | str:
        """The strategy: a member, or the name of a registered one."""
        return self._sync.eviction_strategy

    @property
    def objective(self) -> CacheObjective | None:
        """What ADAPTIVE makes the most of, as given."""
        return self._sync.objective

    @property
    def consistency_level(self) -> CacheConsistencyLevel:
        """The level that reads keep."""
        return self._sync.consistency_level

    @property
    def consistency_manager(self) -> ConsistencyManager:
        """Who keeps the level."""
        return self._sync.consistency_manager

    @property
    def enable_prefetching(self) -> bool:
        """As given."""
        return self._sync.enable_prefetching

    @property
    def prefetcher(self) -> PredictivePrefetcher | None:
        """What loads ahead; None without `enable_prefetching`, or without a loader."""
        return self._sync.prefetcher

    @property
    def optimization_history(self) -> list[dict[str, Any]]:
        """What each round of the optimization loop noted, oldest first, 100 at most."""
        return self._sync.optimization_history

    @property
    def events(self) -> Events:
        """The hub, to which every part of the cache tells what happens."""
        return self._sync.events

    @property
    def name(self) -> str | None:
        """As given."""
        return self._sync.name

    def __len__(self) -> int:
        return len(self._sync)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return key in self._sync
