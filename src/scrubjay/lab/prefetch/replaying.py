"""Replaying requests through the shipped store, with a prefetcher at its side.

Entries that were loaded ahead wait where the live ones do. What is loaded ahead is there `lag`
requests later, or `load_seconds` later by the times of the trace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from time import perf_counter
from typing import Any

from scrubjay._core.constants import DROPPED, FIRST_HIT, GIVEN_UP, HIT, MISS, MOST, STORED
from scrubjay._core.terms import Terms
from scrubjay.cache import Cache
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.prefetch.protocol import Prefetcher
from scrubjay.lab.prefetch.result import PrefetchResult
from scrubjay.lab.replay import replay, split_objective
from scrubjay.prefetch.constants import JOINED
from scrubjay.prefetch.guess import Guess
from scrubjay.types import CacheEvictionStrategy

_ABSENT: Any = object()
_AHEAD = Terms(ahead=True)
_AT_ONCE = 16  # keys loaded ahead at most after one request
_ROWS = 256
_MOST_STREAMS = (1 << 62) - 1  # recordings number clients by 64 bits; the planner takes 63
_FIRST_LOADS = 16.0  # that a budget begins with


class PrefetchReplay:
    """A cache that starts empty, a prefetcher, and the count of what both do.

    Args:
        capacity: size of the cache in entries.
        prefetcher: what learns and guesses.
        strategy: how the cache chooses what to evict.
        lag: how many requests pass until a key that is loaded ahead is there.
        load_seconds: how long a load takes by the times of the trace, in place of `lag`.
        budget: keys loaded ahead at most for each miss without prefetch, counted by a cache
            beside it that has none; None to leave it to the prefetcher.
    """

    def __init__(
        self,
        capacity: int,
        prefetcher: Prefetcher,
        strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.LRU,
        *,
        lag: int = 0,
        load_seconds: float | None = None,
        budget: float | None = None,
    ) -> None:
        self._cache = _make_cache(capacity, strategy)
        self._plain = None if budget is None else _make_cache(capacity, strategy)
        self._budget = 0.0 if budget is None else budget
        self._purse = _FIRST_LOADS
        self._prefetcher = prefetcher
        self._load_time = float(lag + 1) if load_seconds is None else load_seconds
        self._timed = load_seconds is not None
        self._delayed = self._timed or lag > 0
        self._clock = 0.0  # in seconds or in requests
        self._now = 0
        self._flying: dict[Hashable, tuple[Guess, float]] = {}
        self._landing: deque[tuple[float, Guess]] = deque()
        self._bounds = (-1, -1)
        self._cache.teach(self, _ROWS)
        self._hits = self._issued = self._used = self._late = 0
        self._waited = 0.0
        self._seconds = 0.0

    def wake(self, urgent: bool) -> None:
        """Do nothing: requests are taken one by one."""

    def feed(self, trace: Trace) -> None:
        """Replay a trace, or the next chunk of one.

        Args:
            trace: the requests. Clients count as sessions.

        Raises:
            TraceError: loads take seconds, and the trace has no times.
        """
        if self._timed and trace.seconds is None:
            raise TraceError(f"{trace.name}: loads that take seconds need a trace with times")
        start = perf_counter()
        get, put = self._cache.get, self._cache.put
        clients, seconds = trace.clients, trace.seconds
        for position, key in enumerate(trace.keys):
            if self._timed and seconds is not None:
                self._clock = max(self._clock, float(seconds[position]))
            else:
                self._clock = float(self._now)
            if self._landing:
                self._land()
            context = None if clients is None else {"session_id": clients[position]}
            joined = False
            if get(key, _ABSENT, context=context) is _ABSENT:
                flight = self._flying.pop(key, None)
                if flight is not None:
                    joined = True
                    self._late += 1
                    self._waited += 1.0 - (self._clock - flight[1]) / self._load_time
                put(key, 1, context=context)
            else:
                self._hits += 1
            stream = 0 if clients is None else (clients[position] & _MOST_STREAMS) + 1
            self._tell(stream, 0.0 if seconds is None else float(seconds[position]), joined)
            most = _AT_ONCE
            if self._plain is not None:
                if self._plain.get(key, _ABSENT, context=context) is _ABSENT:
                    self._plain.put(key, 1, context=context)
                    self._purse += self._budget
                most = min(most, int(self._purse))
            for guess in self._prefetcher.plan(most):
                self._fetch(guess)
            self._now += 1
        self._seconds += perf_counter() - start

    def result(self, plain_hits: int) -> PrefetchResult:
        """Return what the replay has come to so far.

        Args:
            plain_hits: how many requests hit without prefetch.
        """
        return PrefetchResult(
            self._now,
            self._hits,
            plain_hits,
            self._issued,
            self._used,
            self._late,
            self._waited,
            self._seconds,
        )

    def _tell(self, stream: int, moment: float, joined: bool) -> None:
        """Let the prefetcher know what has just happened."""
        prefetcher = self._prefetcher
        bounds = (prefetcher.room(), int(min(prefetcher.lifetime(), MOST)))
        if bounds != self._bounds:
            self._bounds = bounds
            self._cache.bound_prefetched(bounds[0], MOST, bounds[1])
        self._cache.drop_overdue()
        rows, _ = self._cache.take_accesses()
        for key, outcome, _ in rows:
            if outcome == HIT:
                prefetcher.accessed(key, stream, moment, HIT)
            elif outcome == MISS:
                prefetcher.accessed(key, stream, moment, JOINED if joined else MISS)
            elif outcome == FIRST_HIT:
                self._used += 1
                prefetcher.accessed(key, stream, moment, FIRST_HIT)
            elif outcome == DROPPED:
                prefetcher.dropped(key)
            elif outcome == GIVEN_UP:
                prefetcher.evicted(key)

    def _fetch(self, guess: Guess) -> None:
        """Begin to load a key."""
        if guess.key in self._flying or guess.key in self._cache:
            self._prefetcher.fetched(guess, 0.0, stored=False)
            return
        self._issued += 1
        self._purse -= 1.0
        if not self._delayed:
            self._store(guess)
            return
        self._flying[guess.key] = (guess, self._clock)
        self._landing.append((self._clock + self._load_time, guess))

    def _land(self) -> None:
        """Store what is loaded by now, unless it was asked for meanwhile."""
        while self._landing and self._landing[0][0] <= self._clock:
            guess = self._landing.popleft()[1]
            flight = self._flying.get(guess.key)
            if flight is None or flight[0] is not guess:
                self._prefetcher.fetched(guess, self._seconds_of_a_load(), stored=False)
            else:
                del self._flying[guess.key]
                self._store(guess)

    def _store(self, guess: Guess) -> None:
        status = self._cache.put_ahead(guess.key, 1, _AHEAD)
        self._prefetcher.fetched(guess, self._seconds_of_a_load(), stored=status == STORED)

    def _seconds_of_a_load(self) -> float:
        return self._load_time if self._delayed else 0.0


def _make_cache(capacity: int, strategy: CacheEvictionStrategy | str) -> Cache[Hashable, int]:
    name, objective = split_objective(strategy)
    return Cache(
        max_entries=capacity,
        eviction_strategy=name,
        objective=objective,
        enable_prefetching=False,
    )


def replay_prefetch(
    trace: Trace,
    capacity: int,
    prefetcher: Prefetcher,
    strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.LRU,
    *,
    lag: int = 0,
    load_seconds: float | None = None,
    budget: float | None = None,
    plain_hits: int | None = None,
) -> PrefetchResult:
    """Replay a trace with prefetch through a cache that starts empty.

    Args:
        trace: the requests. Clients count as sessions.
        capacity: size of the cache in entries.
        prefetcher: what learns and guesses.
        strategy: how the cache chooses what to evict.
        lag: how many requests pass until a key that is loaded ahead is there.
        load_seconds: how long a load takes by the times of the trace, in place of `lag`.
        budget: keys loaded ahead at most for each miss without prefetch; None to leave it to
            the prefetcher.
        plain_hits: how many requests hit without prefetch, where that is known already.

    Returns:
        What came of it.

    Raises:
        TraceError: loads take seconds, and the trace has no times.
    """
    if plain_hits is None:
        plain_hits = replay(trace.keys, capacity, strategy, clients=trace.clients).hits
    run = PrefetchReplay(
        capacity, prefetcher, strategy, lag=lag, load_seconds=load_seconds, budget=budget
    )
    run.feed(trace)
    return run.result(plain_hits)
