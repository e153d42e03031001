"""Loads that nobody waits for, as the flow that carries out every load sees them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking, carrying
from scrubjay._flow.effects import Start
from scrubjay._flow.flight import Flight, Loader
from scrubjay._flow.loading import Loading
from scrubjay._flow.resilience import Resilience, Stale
from scrubjay._flow.sources import Batch, NotAlone, Source
from scrubjay._flow.stack import Stack
from scrubjay.prefetch.guess import Guess

_NO_RULES = Resilience()


class Trip:
    """One load ahead: the owner of its flight, which it keeps in touch with a cache.

    It does not keep the cache alive: a value for which there is none by then is let go.

    Args:
        loading: the loads of the cache.
        guess: why it is loaded.
        source: what loads it.
        batch: the call that it shares with others, or None.
        ended: called once, with this, when the load has ended one way or other.
    """

    def __init__(
        self,
        loading: Loading,
        guess: Guess,
        source: Source,
        batch: Batch | None,
        ended: Callable[[Trip], object],
    ) -> None:
        self.guess = guess
        self.source = source
        self.stored = False
        self.flight: Flight | None = None
        self.call: object = batch or self  # the same for all that one call loads
        self._loading = weakref.ref(loading)
        self._batch = batch
        self._ended = ended

    def claim(self, terms: Any) -> Flight | None:
        """Claim the key; None if somebody loads it already."""
        function: Any = self.source.single
        if self._batch is not None:
            function = self._batch.atake if self.source.asynchronous else self._batch.take
        loader = Loader(function, (self.guess.key,), {})
        self.flight = carrying.begin_ahead(self, self.guess.key, terms, loader)
        if self.flight is not None:
            self.flight.ahead = True
            self.flight.when_done(lambda: self._ended(self))
        return self.flight

    def release(self) -> None:
        """Let anybody wait for the load: another thread has it."""
        if self.flight is not None:
            self.flight.release()

    def start(self) -> Start:
        """Return what carries the load out."""
        assert self.flight is not None
        return carrying.carry_out_ahead(self.flight)

    # What the flow asks for, see `scrubjay._flow.carrying.LoadTarget`

    @property
    def rules(self) -> Resilience:
        """For how long who joins the load waits for it."""
        loading = self._loading()
        return _NO_RULES if loading is None else loading.rules

    @property
    def stack(self) -> Stack | None:
        """The tiers below, if there are any."""
        loading = self._loading()
        return None if loading is None else loading.stack

    def begin(self, flight: Flight) -> Flight:
        """Claim the key; return the flight already under way, or `flight`."""
        loading = self._loading()
        return flight if loading is None else loading.begin(flight)

    def end(self, flight: Flight) -> None:
        """Give the claim up."""
        loading = self._loading()
        if loading is not None:
            loading.end(flight)

    def present(self, key: Any) -> Any:
        """Return the value that is there by now, or MISSING. Not a request."""
        loading = self._loading()
        return MISSING if loading is None else loading.present(key)

    def conditions(self, flight: Flight) -> Terms:
        """Return the conditions of a value that was just loaded."""
        loading = self._loading()
        if self._batch is not None:
            flight.seconds = self._batch.share
        return flight.terms if loading is None else loading.conditions(flight)

    def keep(self, flight: Flight, value: Any, terms: Terms) -> bool:
        """Store a loaded value unless the flight was overtaken; return whether it is kept."""
        loading = self._loading()
        if loading is None:
            return False
        if flight.joined:  # it has been asked for
            self.stored = not flight.void
            return loading.keep(flight, value, terms)
        self.stored = loading.keep_ahead(flight, value, terms)
        return self.stored

    def calling(self, flight: Flight, amount: int = 0) -> None:
        """Tell that a loader is about to be called, unless another load of the batch does."""
        loading = self._loading()
        if loading is not None and (self._batch is None or not self._batch.called):
            loading.calling(flight)
        if self._batch is not None:
            self._batch.called = True

    def count(self, flight: Flight, error: Exception | None, amount: int = 0) -> None:
        """Count a call of a loader. It fails for nobody: no failure is remembered."""
        loading = self._loading()
        batch = self._batch
        if loading is not None and (batch is None or not batch.counted):
            if batch is not None:
                batch.counted = True
                flight.seconds = batch.seconds
            loading.count_ahead(flight, error)
        if batch is not None and error is not None:
            raise NotAlone from error

    def cancelled(self, flight: Flight, error: BaseException, amount: int = 0) -> None:
        """Tell that a loader was stopped, which is no failure of it."""
        loading = self._loading()
        if loading is not None and flight.number:
            loading.cancelled(flight, error)

    def joined(self, flight: Flight, seconds: float) -> None:
        """Tell that somebody waited for this load."""
        loading = self._loading()
        if loading is not None:
            loading.joined(flight, seconds)

    def waited(self, seconds: float) -> None:
        """Nobody who counts has waited."""

    # What is asked only of who loads on demand

    def stale(self, key: Any) -> Stale | None:
        """Nobody is served an old value here."""
        return None

    def now(self) -> float:
        """Nobody is served an old value here."""
        return 0.0

    def tell_stale(self, key: Any, why: str) -> None:
        """Nobody is served an old value here."""

    def replace(self, key: Any) -> None:
        """Nothing is loaded anew here."""

    def failure(self, key: Any) -> Flight | None:
        """Failures are remembered elsewhere."""
        return None


class Errand:
    """Loads that one thread carries out, one after the other: of a batch, or just one.

    Args:
        trips: the loads, claimed.
    """

    def __init__(self, trips: list[Trip]) -> None:
        self._starts = [trip.start() for trip in trips]

    def __call__(self) -> None:
        """Run in a worker thread."""
        while self._starts:
            blocking.run_ahead(self._starts.pop(0))


def give_up(trips: list[Trip]) -> None:
    """Give up loads that nobody carries out; who has joined one begins anew."""
    for trip in trips:
        if trip.flight is not None:
            carrying.give_up_ahead(trip.flight)


def is_stranded(trip: Trip) -> bool:
    """Tell whether a load was left to a thread or loop that is no more."""
    flight = trip.flight
    return flight is not None and not flight.done and flight.stranded
