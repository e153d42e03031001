"""What a cache tells of itself: events, counts, reports and reasons."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from scrubjay import arguments
from scrubjay._flow import blocking
from scrubjay.errors import (
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    UnsupportedStrategyError,
)
from scrubjay.events import REMOVALS, Event, EventCallback, EventKind
from scrubjay.foundation import Foundation
from scrubjay.observe import entries
from scrubjay.observe.advice import Advice, advise
from scrubjay.observe.explanation import Explanation, explain
from scrubjay.observe.inspecting import describe_key
from scrubjay.observe.key_report import KeyReport
from scrubjay.observe.listeners import RemovalListener
from scrubjay.observe.recorder import Recording, start_recording
from scrubjay.observe.report import detailed, snapshot
from scrubjay.observe.statistics import DetailedStatistics
from scrubjay.types import CacheEntry, CacheEvictionStrategy, CacheStatistics, RemovalCause

if TYPE_CHECKING:
    from scrubjay.web.dashboard import Dashboard

__all__ = ["Observable"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_HISTORY = 100  # optimization cycles remembered
_REMOVALS = frozenset({*REMOVALS.values(), EventKind.DEMOTE})


class Observable(Foundation[K, V]):
    """The part of a cache that can be looked at; nothing here changes entries."""

    # Whoever wants to be told

    def on_removal(
        self,
        callback: RemovalListener,
        causes: Iterable[RemovalCause | str] | RemovalCause | str | None = None,
    ) -> Callable[[], None]:
        """Have ``callback(key, value, cause)`` called after each removal.

        It runs in the thread that caused the removal, and may use the cache. What it
        raises is logged.

        Args:
            callback: the function.
            causes: the cause, or causes, that it wants to hear of; None for all.

        Returns:
            A function that ends it.
        """
        arguments.function("callback", callback)
        wanted = None
        if causes is not None:
            single = isinstance(causes, (RemovalCause, str))
            several = (causes,) if single else arguments.several("causes", causes, "causes")
            wanted = [arguments.member("causes", RemovalCause, cause) for cause in several]
        self.listening = True
        return self._listeners.add(callback, wanted)

    def on_event(
        self,
        callback: EventCallback,
        kinds: Iterable[EventKind | str] | EventKind | str | None = None,
        *,
        queued: bool = True,
    ) -> Callable[[], None]:
        """Have ``callback(event)`` called after whatever happens, hits in memory excepted.

        It may use the cache; it is not told of what it causes itself. What it raises is
        logged. It runs in a thread of its own, so that nobody waits for it: if it does not
        keep up, events are dropped, and counted by `events.dropped`.

        Args:
            callback: a plain function.
            kinds: the kind, or kinds, that it wants to hear of: members of `EventKind` or
                their values; None for all.
            queued: False has it called where the event happens, in the thread and the
                context of that, which waits for it.

        Returns:
            A function that ends it.

        Raises:
            InvalidArgumentError: there is no such kind.
        """
        arguments.function("callback", callback)
        wanted: Iterable[EventKind] = EventKind
        if kinds is not None:
            single = isinstance(kinds, (EventKind, str))
            several = (kinds,) if single else arguments.several("kinds", kinds, "kinds")
            wanted = [arguments.member("kinds", EventKind, kind) for kind in several]
        if not _REMOVALS.isdisjoint(wanted):
            self.listening = True
        return self.events.subscribe(callback, wanted, queued=queued)

    def expose(self, *, nodes: bool = False) -> Callable[[], None]:
        """Let ``scrubjay dashboard`` and ``scrubjay top`` of this user show this cache.

        The process answers them on a socket that only this user can open. They are told
        counts, and names of keys and tags; no values.

        Args:
            nodes: whether pages of other nodes show it, too: every two seconds the same is
                left in the tier that they share, 8 KB at most, for 15 seconds, signed or
                encrypted as values are.

        Returns:
            A function that ends it.

        Raises:
            CacheError: this system has no Unix sockets, or no safe place for one.
            InvalidArgumentError: `nodes` of a cache without a tier that nodes share.
        """
        from scrubjay.web.exposing import expose  # noqa: PLC0415 - few want it

        return expose(self, nodes)

    def dashboard(
        self, port: int = 8710, *, host: str = "127.0.0.1", token: str | None = None
    ) -> Dashboard:
        """Serve a live page on which this cache can be looked at, and nothing changed.

        Caches of one process that name the same port are on one page, and so is what
        other processes of this user announced.

        Args:
            port: the port; 0 for any that is free.
            host: the address to listen on. By default only this machine can look.
            token: what who looks must show, 16 ASCII characters or more; needed on an
                address that others can reach.

        Returns:
            The page, with its `url` and `close`; also a context manager.

        Raises:
            InvalidArgumentError: an argument makes no sense, or a token is missing.
            OSError: the address cannot be listened on.
        """
        from scrubjay.web.dashboard import open_dashboard  # noqa: PLC0415 - few want it

        return open_dashboard(self, port, host, token)

    def record(
        self, path: str | os.PathLike[str], *, sample: float = 0.1, secret: bytes | None = None
    ) -> Recording:
        """Record requests to a file that ``scrubjay replay`` and the laboratory read.

        Of a sample of the keys each request and each store is recorded: time, hit or miss,
        size, cost, and the key and the session as keyed hashes. A thread writes the file.

        Args:
            path: the file; one that is there is replaced.
            sample: share of the keys that are recorded, above 0 and at most 1.
            secret: key of the hashes, 1 to 64 bytes: the same one lets recordings be
                joined. None for one that nobody knows.

        Returns:
            The recording: a context manager, whose `stop` ends it. It ends with the process,
            too, and when the cache is gone; one that was closed can still be asked.

        Raises:
            InvalidArgumentError: an argument makes no sense, or a recording is under way.
            OSError: the file cannot be written, or another recording is written to it.
        """
        share = arguments.fraction("sample", sample)
        if secret is None:
            secret = secrets.token_bytes(16)
        elif not isinstance(secret, bytes):
            raise InvalidArgumentTypeError(f"secret: {type(secret).__name__} is not bytes")
        elif not 1 <= len(secret) <= 64:
            raise InvalidArgumentError(f"secret: {len(secret)} bytes, not 1 to 64")
        return start_recording(self, Path(path), share, secret)

    # Counts, reports and reasons

    @property
    def statistics(self) -> CacheStatistics:
        """The counts so far."""
        return snapshot(self, self._latency, self._loads.loads, self.consistency_manager)

    def get_detailed_statistics(self) -> DetailedStatistics:
        """Return everything that is counted, in groups, ready for JSON."""
        return detailed(self)

    def entry(self, key: K) -> CacheEntry | None:
        """Return what is known of an entry, or None. Looking is no use of it."""
        score = 0.0 if self.prefetcher is None else self.prefetcher.score(key)
        return entries.describe(self, key, self._wall, score)

    def explain(self) -> Explanation:
        """Return what the cache does at present, why, and what else it might do.

        ``print(cache.explain())`` shows it to people.
        """
        return explain(self)

    def explain_key(self, key: K) -> KeyReport:
        """Return what is known of a key: where it is, in every tier; how old; why it is kept.

        Looking is no use of the key, and no value is returned. The tiers below memory are
        asked, and so are waited for.

        Args:
            key: the key.

        Returns:
            The report, ready for JSON.
        """
        try:
            tiers = blocking.run(self.probing(key)) if self.layered else []
        except InvalidKeyError:  # what has no bytes of its own is in memory alone
            tiers = []
        return describe_key(self, key, tiers)

    def explain_prefetch(self, key: K) -> str:
        """Tell why a key was loaded ahead, or how it stands with that, in a few words.

        Args:
            key: the key.
        """
        if self.prefetcher is None:
            return "nothing is loaded ahead: prefetching is off, or the cache has no loader"
        return self.prefetcher.explain(key)

    def advise(self, *, gather: bool = True) -> Advice:
        """Return what half, twice and four times the memory would have made of the hit ratio.

        The first call begins to gather evidence, which takes simulations on a sample of
        the keys; later calls tell what came of it. ``print(cache.advise())`` shows it to
        people. Before the first call it costs nothing, and none after ``gather=False``.

        Args:
            gather: whether to go on. If not, this is the last advice, and what was
                gathered is forgotten.

        Raises:
            UnsupportedStrategyError: the strategy is not ADAPTIVE.
        """
        if self._strategy != CacheEvictionStrategy.ADAPTIVE.value:
            raise UnsupportedStrategyError(
                f"advise: only ADAPTIVE simulates, not {self._strategy!r}; record the requests "
                "with `cache.record`, and draw the curve with `scrubjay curve`"
            )
        requests, misses = self.requests, self.misses
        report = self.gather(gather)
        before = (requests, misses) if self._asked is None else self._asked
        self._asked = before if gather else None
        return advise(self, report or {}, requests - before[0], misses - before[1])

    @property
    def gathers_advice(self) -> bool:
        """Whether evidence for `advise` is being gathered."""
        return self._asked is not None

    def optimize(self) -> None:
        """Do one round of the optimization loop.

        ADAPTIVE takes the way of keeping entries that is best by the evidence so far. What
        was measured, and what has changed since the last round, goes to
        `optimization_history`.
        """
        self.reconsider()
        statistics = self.statistics
        policy = self.describe_policy()
        way = policy.get("way")
        changed = {} if way == self._way else {"way": [self._way, way]}
        self._way = way
        self.optimization_history.append(
            {
                "timestamp": datetime.fromtimestamp(self._wall.time(), timezone.utc).isoformat(),
                "strategy": self._strategy,
                "performance": {
                    "hit_rate": statistics.hit_rate,
                    "average_latency": statistics.average_latency_ms,
                    "eviction_rate": statistics.evictions / max(1, statistics.total_requests),
                },
                "policy": policy,
                "changed": changed,
            }
        )
        del self.optimization_history[:-_HISTORY]
        if EventKind.TUNE in self.events.wanted:
            self.events.publish(Event(EventKind.TUNE, detail=self.explain().reason))
