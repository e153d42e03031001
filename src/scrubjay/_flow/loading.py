"""The loads of one cache: which are under way, what they cost, which failed lately."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from scrubjay._core.claims import Claims
from scrubjay._core.constants import MISSING, STORED
from scrubjay._core.section import undisturbed
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.failures import Failures
from scrubjay._flow.flight import Flight
from scrubjay._flow.overtaken import Overtaken
from scrubjay._flow.resilience import Resilience, Stale
from scrubjay._flow.stack import Stack
from scrubjay.events import Event, EventKind, Events
from scrubjay.observe.loads import Loads

_MEASURABLE = 1e-3  # seconds: what loads faster than this is noise, not cost

_NO_RULES = Resilience()
_numbers = count(1)  # of the loads of this process


class Loading:
    """Loads into one store: the `LoadTarget` of its flows.

    Args:
        store: where values are kept.
        failures: what failed lately, or None if that is not remembered.
        of_one: returns the terms of one entry, given those asked for, its cost and fence.
        stored: called with a key whose loaded value was stored.
        waited: called with the seconds for which somebody waited for a load, and for how many
            it is true if for several.
        measured: whether the time that a load took is its cost, unless one was given.
        events: the hub that loads are told to.
        rules: when old values are served, and for how long loads are waited for.
    """

    def __init__(
        self,
        store: Store,
        failures: Failures | None,
        of_one: Callable[[Terms, float, Any], Terms],
        stored: Callable[[Any], object],
        waited: Callable[..., object],
        measured: bool,
        events: Events,
        rules: Resilience = _NO_RULES,
    ) -> None:
        self.rules = rules
        self.loads = Loads()
        self.waited = waited
        self.watch: Callable[[Flight, Exception | None], object] | None = None
        self._store = store
        self._failures = failures
        self._of_one = of_one
        self._stored = stored
        self._measured = measured
        self._events = events
        self.stack: Stack | None = None
        self._flights: Claims = store.flights
        self._restorations: tuple[Overtaken, ...] = ()
        store.attentive = failures is not None

    # What a flow asks for

    def stale(self, key: Any) -> Stale | None:
        """Return an old value of `key`, if memory still has one."""
        facts = self._store.stale(key)
        if facts is None:
            return None
        now = self._store.now_seconds()
        age = now - facts["deadline"]
        if age < 0.0 or (self.stack is not None and self.stack.left(key, facts) <= 0.0):
            return None
        return Stale(facts["value"], age, now)

    def now(self) -> float:
        """Return the monotonic time in seconds, by the clock of the store."""
        return self._store.now_seconds()

    def tell_stale(self, key: Any, why: str) -> None:
        """Tell that an old value is served."""
        self.loads.stale += 1
        if EventKind.STALE_SERVED in self._events.wanted:
            self._events.publish(Event(EventKind.STALE_SERVED, key, detail=why))

    def begin(self, flight: Flight) -> Flight:
        """Claim the key; return the flight already under way, or `flight`."""
        if flight.terms.dependencies and not flight.pinned:
            graph = self._store.prepared_graph(flight.terms)
            flight.pinned = graph.pin((flight.key, *flight.terms.dependencies))
            self._store.declare(flight.pinned[0], flight.pinned[1:])
        claimed: Any = None
        try:
            claimed = self._flights.claim(flight.key, flight)
            while claimed is not flight and claimed.void:  # nobody joins what was overtaken
                self._flights.release(flight.key, claimed)
                claimed = self._flights.claim(flight.key, flight)
        finally:
            if claimed is not flight:
                self._unpin(flight)
            elif flight.pinned:
                flight.pinned[0].flight = flight  # found by what changes a dependency
        claim: Flight = claimed
        return claim

    def end(self, flight: Flight) -> None:
        """Give the claim up."""
        try:
            # First: while it can be joined, what changes a dependency must find it.
            self._flights.release(flight.key, flight)
        finally:
            self._unpin(flight)

    def replace(self, key: Any) -> None:
        """Void the flight of `key` that is under way, if any."""
        flight = self._flights.get(key)
        if flight is not None:
            self._void(flight)

    def present(self, key: Any) -> Any:
        """Return the value that is there by now, or MISSING. Not a request."""
        return self._store.peek(key, MISSING) if self.stack is None else self.stack.present(key)

    def failure(self, key: Any) -> Flight | None:
        """Return the remembered failure of loading `key`, if there is one."""
        return None if self._failures is None else self._failures.of(key)

    def conditions(self, flight: Flight) -> Terms:
        """Return the conditions of a value that was just loaded."""
        cost = flight.seconds if self._measured and flight.seconds >= _MEASURABLE else 0.0
        return self._of_one(flight.terms, cost, flight)

    def keep(self, flight: Flight, value: Any, terms: Terms) -> bool:
        """Store a loaded value unless the flight was overtaken; return whether it is kept."""
        if not self._store.put_under(flight.key, value, terms):
            return False
        if self._failures is not None:
            self._failures.forget(flight.key)
        self._kept(flight.key)
        return True

    def _kept(self, key: Any) -> None:
        for one in self._restorations:
            one.note_key(key)  # what was saved of it is older
        self._stored(key)

    def pin(self, flight: Flight, keys: tuple[Any, ...]) -> None:
        """Void a load, from now on, by what changes one of several further keys."""
        graph = self._store.prepared_graph(Terms(dependencies=keys))
        before = flight.pinned
        pinned = graph.pin((flight.key, *(node.key for node in before[1:]), *keys))
        self._store.declare(pinned[0], pinned[1:])
        flight.pinned = pinned
        pinned[0].flight = flight
        if before:
            graph.unpin(before)

    def count(self, flight: Flight, error: Exception | None, amount: int = 0) -> None:
        """Count a call of a loader; remember its failure if failures are remembered.

        That of several keys is not: it says little of each.
        """
        self.count_ahead(flight, error, amount)
        if error is not None and self._failures is not None and not amount:
            self._failures.remember(flight, error)

    # Loads that nobody waits for

    def keep_ahead(self, flight: Flight, value: Any, terms: Terms) -> bool:
        """Store a loaded value that nobody has asked for; return whether it is kept."""
        terms.ahead = True
        stored = self._store.put_ahead(flight.key, value, terms) == STORED
        if stored:
            self._kept(flight.key)
        return stored

    def count_ahead(self, flight: Flight, error: Exception | None, amount: int = 0) -> None:
        """Count a call of a loader."""
        self.loads.record(flight.seconds, error is not None)
        if self.watch is not None:
            self.watch(flight, error)
        if self._events.wanted:
            kind = EventKind.LOAD if error is None else EventKind.LOAD_ERROR
            self._tell(kind, flight, error, amount)

    # What loads tell of

    def calling(self, flight: Flight, amount: int = 0) -> None:
        """Tell that a loader is about to be called, for an amount of keys if for several."""
        if self._events.wanted:
            flight.number = next(_numbers)
            self._tell(EventKind.LOAD_START, flight, amount=amount)

    def cancelled(self, flight: Flight, error: BaseException, amount: int = 0) -> None:
        """Tell that a loader was stopped, which is no failure of it."""
        if self._events.wanted:
            self._tell(EventKind.LOAD_CANCEL, flight, error, amount)

    def joined(self, flight: Flight, seconds: float) -> None:
        """Tell that somebody waited for a load of somebody else."""
        if EventKind.WAIT in self._events.wanted:
            self._events.publish(
                Event(EventKind.WAIT, flight.key, seconds=seconds, load=flight.number)
            )

    def _tell(
        self, kind: EventKind, flight: Flight, error: BaseException | None = None, amount: int = 0
    ) -> None:
        self._events.publish(
            Event(
                kind,
                None if amount else flight.key,
                seconds=flight.seconds,
                error=error,
                load=flight.number,
                amount=amount or 1,
            )
        )

    # What overtakes loads

    def begin_restoring(self, one: Overtaken) -> None:
        """Have it noted, from now on, what changes."""
        undisturbed(self._set_restorations, (one, True))

    def end_restoring(self, one: Overtaken) -> None:
        """Note no more there."""
        undisturbed(self._set_restorations, (one, False))

    def _set_restorations(self, change: tuple[Overtaken, bool]) -> None:
        own, begins = change
        others = tuple(one for one in self._restorations if one is not own)
        self._restorations = (*others, own) if begins else others
        self._store.attentive = self._failures is not None or bool(self._restorations)

    def overtake(self, key: Any) -> None:
        """Void what is being loaded for `key` and for what depends on it."""
        for one in self._restorations:
            one.note_key(key)
        if self._flights.count:
            self.replace(key)
        self.overtake_dependents(key)

    def overtake_dependents(self, key: Any) -> None:
        """Void what is being loaded for what depends on `key`."""
        graph = self._store.dependency_graph()
        node = None if graph is None else graph.find(key)
        if node is not None:
            self._overtake_nodes(self._store.nodes_depending_on(node))
        if self._failures is not None:
            self._failures.forget(key)

    def overtake_tags(self, tags: frozenset[str]) -> None:
        """Void what is being loaded with one of the tags, or from what carries one."""
        for one in self._restorations:
            one.note_tags(tags)
        for flight in self._flights.values() if self._flights.count else ():
            if flight.terms.tags & tags:
                self._void(flight)
                self.overtake(flight.key)
        self._overtake_nodes(self._store.nodes_depending_on_tags(tags))
        if self._failures is not None:
            self._failures.forget_tags(tags, self._store)

    def overtake_all(self) -> None:
        """Void every load under way and forget every failure."""
        for one in self._restorations:
            one.note_all()
        for flight in self._flights.values():
            self._void(flight)
        if self._failures is not None:
            self._failures.clear()

    def keys(self) -> list[Any]:
        """Return the keys that are being loaded or whose failure is remembered."""
        failed = [] if self._failures is None else self._failures.keys()
        return [flight.key for flight in self._flights.values()] + failed

    def _overtake_nodes(self, nodes: list[Any]) -> None:
        if not nodes:
            return
        for one in self._restorations:
            for node in nodes:
                one.note_key(node.key)
        if self._failures is not None:
            for node in nodes:
                self._failures.forget(node.key)
        known = set(nodes)  # nodes are compared by identity
        for flight in self._flights.values():
            pinned = flight.pinned
            if pinned and pinned[0] in known:
                self._void(flight)

    def _void(self, flight: Flight) -> None:
        flight.void = True
        self._flights.release(flight.key, flight)

    def _unpin(self, flight: Flight) -> None:
        pinned, flight.pinned = flight.pinned, ()
        if pinned and pinned[0].flight is flight:
            pinned[0].flight = None
        graph = self._store.dependency_graph()
        if pinned and graph is not None:
            graph.unpin(pinned)
