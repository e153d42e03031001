"""The engine of predictive prefetch: takes what was asked for, learns, loads ahead.

Requests append to the store's list of accesses. On a miss, on the first hit of an entry that
was loaded ahead, and when the list is full, the store calls `wake`; soon after a *turn* takes
the list, tells the planner, and begins the loads that it finds worth their price: in worker
threads, or as tasks of the running event loop where a loader is asynchronous. One turn is
under way at a time. A load under way is an ordinary flight: a demand for its key joins it.

The engine does not keep its cache alive, and its threads do not keep the engine alive.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from time import perf_counter
from typing import Any

from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow import awaiting
from scrubjay._flow.ahead import Errand, Trip, give_up
from scrubjay._flow.flight import Flight
from scrubjay._flow.learning import Learning
from scrubjay._flow.loading import Loading
from scrubjay._flow.sources import Batch, Source, Sources
from scrubjay._flow.workers import Workers
from scrubjay.events import EventKind, Events
from scrubjay.prefetch.constants import SMALLEST
from scrubjay.prefetch.guess import Guess
from scrubjay.prefetch.planner import Planner

_log = logging.getLogger("scrubjay")

ROWS = 512  # accesses noted until they are taken: 6 kB
TOGETHER = 32  # keys that one call of a batch loader is asked for
_REST = 19.0  # times what a turn took: learning from mere hits takes a twentieth of the time


class Prefetching(Learning):
    """Loads into one store what will be asked for.

    Args:
        store: the store; it is not kept alive.
        loading: its loads; they are not kept alive either.
        sources: where values come from.
        cost_ratio: loads allowed for each one that there would be without prefetching.
        wall: the wall clock, with ``time()`` and ``monotonic()`` in seconds.
        events: the hub that is told.
    """

    def __init__(
        self,
        store: Store,
        loading: Loading,
        sources: Sources,
        cost_ratio: float,
        wall: Any,
        events: Events,
    ) -> None:
        super().__init__(store, sources, cost_ratio, wall, events)
        # One thread learns, the others load.
        self.workers = Workers(1 + sources.most * len(sources.all))
        self.closed = False
        self._loading = weakref.ref(loading)
        self._recording = False
        self._scheduled: Any = None  # the loop or the workers that will take the next turn
        self._rest_until = 0.0
        self._again = False
        self._busy = False
        self._lock = threading.RLock()  # over the planner; never waited for on a request's way
        loading.watch = self._learn
        _all.add(self)
        finalizer = weakref.finalize(self, self.workers.close)
        finalizer.atexit = False

    # What requests do

    def demanded(self, key: Any, terms: Terms) -> None:
        """Note that the cache's own loader loads a key on demand, and under which terms.

        Only such keys are loaded ahead, as they were on demand: a key that is put, or loaded
        by a function of the call, may have another meaning to the loader, or other tags.
        """
        if self.closed:
            return
        self.known.note(key, terms)
        if not self._recording:
            store = self._store()
            if store is not None and store.entry_limit >= SMALLEST:
                self._recording = True
                store.teach(self, ROWS)

    def wake(self, urgent: bool) -> None:
        """Have a turn taken soon. Called by the store; takes no time and raises nothing.

        Args:
            urgent: whether it is worth predicting, not just learning.
        """
        try:
            scheduled = self._scheduled
            if scheduled is not None and (scheduled is self.workers or scheduled.is_running()):
                return
            if self.closed or (not urgent and perf_counter() < self._rest_until):
                return
            loop = asyncio._get_running_loop() if self.sources.awaited else None
            if loop is None:
                self._scheduled = self.workers
                self.workers.submit(self.turn)
            else:
                self._scheduled = loop
                # In an empty context: whoever asks may be loading something at present.
                loop.call_soon(self.turn, context=Context())
        except Exception:
            self._scheduled = None
            _log.exception("prefetching failed")

    # Turns

    def turn(self) -> None:
        """Learn what was asked for, and begin to load what will be.

        Who comes while another turn is under way leaves it the work.
        """
        self._scheduled = None
        self._again = True
        while self._again and self._lock.acquire(blocking=False):
            held: list[Any] = []  # references are dropped when the lock is not held
            begun: list[Trip] = []
            store = self._store()
            start = perf_counter()
            try:
                if self._busy or store is None or self.closed:
                    return
                self._busy = True
                try:
                    self._again = False
                    self._study(store, held)
                    begun = self._issue(store)
                except Exception:  # of comparing keys, say
                    _log.exception("prefetching failed")
                finally:
                    self._busy = False
                    self._rest_until = perf_counter() + _REST * (perf_counter() - start)
            finally:
                self._lock.release()
            if store is not None:
                store.drop_overdue()
            if self.closed:  # meanwhile
                give_up(begun)
            else:
                self._begin(begun)
            news, self._news = self._news, []
            for event in news:
                self._events.publish(event)
            del held, store, news

    # Loads

    def _issue(self, store: Store) -> list[Trip]:
        """Claim what is to be loaded now."""
        loop = asyncio._get_running_loop()
        now = self._wall.monotonic()
        room: dict[Source, int] = {}
        for source in self.sources.all:
            if loop is not None or not source.asynchronous:
                calls = source.pace.room(now)
                room[source] = calls * TOGETHER if source.many else calls
        most = sum(room.values())
        if most <= 0:
            return []
        loading = self._loading()
        if loading is None:
            return []
        chosen: dict[Source, list[tuple[Guess, Terms]]] = {}
        for guess in self.planner.plan(most):
            key = guess.key
            source_of = self.sources.ahead(key)
            terms = self.known.of(key)
            if (
                source_of is None
                or terms is None
                or key in self._flying
                or len(chosen.get(source_of, ())) >= room.get(source_of, 0)
                or self._refusals.holds(key, now)
                or loading.failure(key) is not None
                or store.contains(key)
            ):
                self.planner.fetched(guess, 0.0, stored=False)
            else:
                chosen.setdefault(source_of, []).append((guess, terms))
        begun: list[Trip] = []
        for source, guesses in chosen.items():
            step = TOGETHER if source.many else 1
            for at in range(0, len(guesses), step):
                begun += self._claim(loading, source, guesses[at : at + step], now)
        return begun

    def _claim(
        self, loading: Loading, source: Source, guesses: list[tuple[Guess, Terms]], now: float
    ) -> list[Trip]:
        """Claim keys that one call will load."""
        batch = Batch(source, [guess.key for guess, _ in guesses]) if source.many else None
        begun: list[Trip] = []
        for guess, terms in guesses:
            trip = Trip(loading, guess, source, batch, self._end)
            try:
                claimed = trip.claim(terms)
            except Exception:
                _log.exception("prefetching failed")
                claimed = None
            if claimed is None:  # somebody who waits for it loads it by now
                self.planner.fetched(guess, 0.0, stored=False)
            else:
                self._flying[guess.key] = trip
                self._counts["issued"] += 1
                self._note(EventKind.PREFETCH, guess.key)
                source.pace.begin(trip.call, now)
                begun.append(trip)
        return begun

    def _begin(self, trips: list[Trip]) -> None:
        """Have loads carried out whose keys are claimed."""
        shared: dict[Any, list[Trip]] = {}
        for trip in trips:
            shared.setdefault(trip.call, []).append(trip)
        for several in shared.values():
            try:
                if several[0].source.asynchronous:
                    for trip in several:
                        awaiting.begin_ahead(trip.start())
                else:
                    self.workers.submit(Errand(several))
                    for trip in several:
                        trip.release()
            except Exception:  # there is no room for a thread or a task
                _log.exception("prefetching failed")
                give_up(several)

    def _end(self, trip: Trip) -> None:
        """Note, in whatever thread, that a load has ended."""
        self._ended.append(trip)
        self.wake(urgent=True)

    def _learn(self, flight: Flight, error: Exception | None) -> None:
        """Learn from a load how its source does."""
        owner = flight.owner
        source = owner.source if type(owner) is Trip else self.sources.of(flight.loader)
        if source is not None:
            source.pace.learn(flight.seconds, error is not None, self._wall.monotonic())

    # From without

    def use(self, work: Callable[[Planner], Any]) -> Any:
        """Return what `work` does with the planner, while no turn is under way."""
        with self._lock:
            answer = work(self.planner)
        if self._again:  # a turn came meanwhile, and could not wait
            self.wake(urgent=True)
        return answer

    def unfinished(self) -> list[Flight] | None:
        """Take a turn if one is due, and return the loads under way; None if all is done."""
        with self._lock:
            due = self._scheduled is not None or self._again or self._ended
            if self.closed or self._store() is None or not (due or self._flying):
                return None
        self.turn()
        flights = [trip.flight for trip in list(self._flying.values())]
        return [flight for flight in flights if flight is not None and not flight.done]

    def close(self) -> list[asyncio.Task[Any]]:
        """End prefetching; return the tasks that are cancelled by it.

        A plain loader cannot be stopped: what it returns is let go.
        """
        self.closed = True
        store = self._store()
        if store is not None:
            store.teach(None, 0)
        tasks: list[asyncio.Task[Any]] = []
        for trip in list(self._flying.values()):
            flight = trip.flight
            if flight is None or flight.done:
                continue
            task, loop = flight.task, flight.loop
            if task is None:
                if not flight.joined:
                    flight.void = True
            elif not flight.joined:
                tasks.append(task)
                if loop is asyncio._get_running_loop():
                    task.cancel()
                else:
                    with suppress(RuntimeError):  # that loop is closed, and the task with it
                        loop.call_soon_threadsafe(task.cancel)
        self.workers.close()
        return tasks

    def open(self) -> None:
        """Go on after `close`."""
        if not self.closed:
            return
        self.closed = False
        self._scheduled = None
        store = self._store()
        if store is not None and self._recording:
            self._blind = True
            store.teach(self, ROWS)

    def after_fork(self) -> None:
        """Begin anew in a child process, where neither threads nor loops are."""
        self._lock = threading.RLock()
        self._busy = False
        self._scheduled = None
        for source in self.sources.all:
            source.pace.forget()


_all: weakref.WeakSet[Prefetching] = weakref.WeakSet()


def _after_fork() -> None:
    for prefetching in list(_all):
        prefetching.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
