"""What the requests to one cache teach its planner, and what became of loads ahead.

All but what is told from without is done in a turn of `scrubjay._flow.prefetching`, under its lock.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

from scrubjay._core.constants import DROPPED, GIVEN_UP, JOINED, MISS, MOST
from scrubjay._core.store import Store
from scrubjay._flow.ahead import Trip, give_up, is_stranded
from scrubjay._flow.known import Known
from scrubjay._flow.refusals import Refusals
from scrubjay._flow.sources import Sources
from scrubjay.events import Event, EventKind, Events
from scrubjay.prefetch.guess import Guess
from scrubjay.prefetch.planner import Planner

_MEASURABLE = 0.005  # seconds: what varies of a quicker load is noise, for the planner too
_MARGIN = 0.8  # of the extra loads allowed: how many there would be without is an estimate
_RESIZED = 0.2  # a change of capacity by less than that share is none
_UNKNOWN = 1024  # entries that a cache bounded by bytes is taken to hold, while it is empty


class Learning:
    """A planner that learns what one store is asked for, and an account of loads ahead.

    Args:
        store: the store; it is not kept alive.
        sources: where values come from.
        cost_ratio: loads allowed for each one that there would be without prefetching.
        wall: the wall clock, with ``time()`` and ``monotonic()`` in seconds.
        events: the hub that is told.
    """

    def __init__(
        self, store: Store, sources: Sources, cost_ratio: float, wall: Any, events: Events
    ) -> None:
        self.sources = sources
        self.known = Known()
        self.planner = Planner(
            self._capacity_of(store), cost_ratio=1.0 + _MARGIN * (cost_ratio - 1.0)
        )
        self._store = weakref.ref(store)
        self._wall = wall
        self._events = events
        self._news: list[Event] = []  # told when the lock is not held
        self._blind = False  # whether something has happened that was not noted
        self._planned_for = self._capacity_of(store)
        self._bounds = (-1, -1, -1)
        self._refusals = Refusals()
        self._flying: dict[Any, Trip] = {}
        self._waiting: dict[Any, Guess] = {}  # entries that nobody has asked for yet
        self._ended: deque[Trip] = deque()
        self._counts = dict.fromkeys(
            ("issued", "stored", "used", "joined", "unused", "failed", "overtaken", "lost"), 0
        )

    def _study(self, store: Store, held: list[Any]) -> None:
        """Tell the planner what has happened."""
        rows, lost = store.take_accesses()
        held.append(rows)
        self._counts["lost"] += lost
        planner, flying, waiting = self.planner, self._flying, self._waiting
        now = self._wall.time()
        for key, outcome, stream in rows:
            if outcome < DROPPED:
                if outcome == MISS and key in flying:
                    planner.accessed(key, stream, now, JOINED)
                    self._counts["joined"] += 1
                    self._note(EventKind.PREFETCH_USED, key)
                    continue
                planner.accessed(key, stream, now, outcome)
                if outcome > MISS and waiting.pop(key, None) is not None:
                    self._counts["used"] += 1
                    self._note(EventKind.PREFETCH_USED, key)
            elif outcome == DROPPED:
                self._wasted(key)
            elif outcome == GIVEN_UP:
                planner.evicted(key)
        self._settle(store)
        if lost or self._blind:
            self._blind = False
            for key in [key for key in waiting if not store.waits(key)]:
                self._wasted(key)
        self._fit(store)

    def _wasted(self, key: Any) -> None:
        """Note that an entry has gone without having been asked for."""
        if self._waiting.pop(key, None) is not None:
            self._counts["unused"] += 1
        self.planner.dropped(key)
        self._note(EventKind.PREFETCH_WASTED, key)

    def _note(self, kind: EventKind, key: Any) -> None:
        """Have something told once the lock is not held."""
        if kind in self._events.wanted:
            self._news.append(Event(kind, key))

    def _settle(self, store: Store) -> None:
        """Note what became of loads that have ended."""
        give_up([trip for trip in self._flying.values() if is_stranded(trip)])
        while self._ended:
            trip = self._ended.popleft()
            guess, flight = trip.guess, trip.flight
            trip.source.pace.end(trip.call)
            if self._flying.get(guess.key) is not trip or flight is None:
                continue
            del self._flying[guess.key]
            if flight.error is not None or flight.abandoned:
                self._counts["failed"] += 1
                self.planner.failed(guess)
                if not flight.void:
                    self._refusals.add(guess.key, self._wall.monotonic())
                continue
            self._refusals.remove(guess.key)
            # What a lower tier had is stored by who found it there.
            stored = trip.stored or store.waits(guess.key)
            seconds = flight.seconds if flight.seconds >= _MEASURABLE else 0.0
            self.planner.fetched(guess, seconds, stored)
            if not stored:
                self._counts["overtaken"] += 1
            else:
                self._counts["stored"] += 1
                if not flight.joined:
                    self._waiting[guess.key] = guess

    def _fit(self, store: Store) -> None:
        """Let the planner know the capacity, and the store how many entries may wait."""
        capacity = self._capacity_of(store)
        if abs(capacity - self._planned_for) > _RESIZED * self._planned_for:
            self._planned_for = capacity
            self.planner.resize(capacity)
        room = self.planner.room()
        size = MOST
        if store.weighted:
            size = int(store.byte_limit * min(1.0, room / max(1, self._planned_for)))
        bounds = (room, size, int(min(self.planner.lifetime(), MOST)))
        if bounds != self._bounds:
            self._bounds = bounds
            store.bound_prefetched(*bounds)

    @staticmethod
    def _capacity_of(store: Store) -> int:
        """Return how many entries a store holds, or will when it is full."""
        capacity = store.entry_limit
        if store.weighted:
            usual = store.bytes / store.count if store.bytes and store.count else 0.0
            most = int(store.byte_limit / usual) if usual else _UNKNOWN
            capacity = min(capacity, max(1, most))
        return min(capacity, 1 << 31)

    # From without

    def score(self, key: Any) -> float:
        """Return how likely a key that waits for its first request was thought to be, or 0."""
        guess = self._waiting.get(key)
        return 0.0 if guess is None else guess.probability

    def state(self, key: Any) -> str:
        """Return where a key stands, in a few words."""
        if key in self._flying:
            return "it is being loaded ahead"
        if key in self._waiting:
            return "it was loaded ahead, and nobody has asked for it yet"
        if self._refusals.holds(key, self._wall.monotonic()):
            return "it could not be loaded ahead, and is not tried for a while"
        if self.known.of(key) is None:
            return "the cache's own loader has not loaded it: it is not loaded ahead"
        return "it may be loaded ahead"

    def counts(self) -> dict[str, int]:
        """Return how many loads were begun ahead, and what became of them."""
        return {**self._counts, "under_way": len(self._flying), "waiting": len(self._waiting)}

    def paces(self) -> list[dict[str, object]]:
        """Return how each source does."""
        now = self._wall.monotonic()
        return [source.pace.describe(now) for source in self.sources.all]
