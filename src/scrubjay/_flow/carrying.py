"""A load from its claim to its end: how it is carried out, waited for, and told to those who wait.

Who gets what of it is in `scrubjay._flow.load`.
"""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any, Protocol

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.asynchronous import refuse_generator
from scrubjay._flow.effects import Call, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Loader, under_way
from scrubjay._flow.resilience import Resilience, Stale
from scrubjay._flow.stack import Stack

_PLAIN = Terms()


class LoadTarget(Protocol):
    """What a flow needs to know of the cache that it loads into."""

    @property
    def stack(self) -> Stack | None:
        """The tiers below, if there are any."""

    @property
    def rules(self) -> Resilience:
        """When old values are served, and for how long loads are waited for."""

    def stale(self, key: Any) -> Stale | None:
        """Return an old value of `key`, if memory still has one."""

    def now(self) -> float:
        """Return the monotonic time in seconds, by the clock that old values are measured by."""

    def tell_stale(self, key: Any, why: str) -> None:
        """Tell that an old value is served."""

    def begin(self, flight: Flight) -> Flight:
        """Claim the key; return the flight already under way, or `flight`."""

    def end(self, flight: Flight) -> None:
        """Give the claim up."""

    def replace(self, key: Any) -> None:
        """Void the flight of `key` that is under way, if any."""

    def present(self, key: Any) -> Any:
        """Return the value that is there by now, or MISSING. Not a request."""

    def failure(self, key: Any) -> Flight | None:
        """Return the remembered failure of loading `key`, if there is one."""

    def conditions(self, flight: Flight) -> Terms:
        """Return the conditions of a value that was just loaded."""

    def keep(self, flight: Flight, value: Any, terms: Terms) -> bool:
        """Store a loaded value unless the flight was overtaken; return whether it is kept."""

    def calling(self, flight: Flight, amount: int = 0) -> None:
        """Tell that a loader is about to be called, for an amount of keys if for several."""

    def count(self, flight: Flight, error: Exception | None, amount: int = 0) -> None:
        """Count a call of a loader; remember its failure if failures are remembered.

        That of several keys is not: it says little of each.
        """

    def cancelled(self, flight: Flight, error: BaseException, amount: int = 0) -> None:
        """Tell that a loader was stopped, which is no failure of it."""

    def joined(self, flight: Flight, seconds: float) -> None:
        """Tell that somebody waited for a load of somebody else."""


def wait_for(
    flight: Flight,
    own: Flight | None,
    anew: bool = False,
    apart: bool = False,
    seconds: float | None = None,
) -> Flow:
    """Wait for a flight, started here if it is one's own, unless that would never end."""
    waiting = under_way.get()[-1:]
    for one in waiting:  # before looking: of two who meet, at least one sees the circle
        one.waits_for.append(flight)
    try:
        if flight is own:
            try:
                yield Start(carry_out(flight.owner, flight, anew), flight, abandon, apart)
            except BaseException:
                if not flight.done:  # there was no room for a task
                    abandon(flight)
                raise
        if not flight.done:
            if flight is not own:
                flight.joined = True
                flight.refuse_circle()
            yield Wait(flight, flight is not own, seconds)
    finally:
        for one in waiting:
            one.waits_for.remove(flight)


def carry_out(cache: LoadTarget, flight: Flight, anew: bool) -> Flow:
    """Call the loader, store what it returns, and tell everyone.

    Args:
        cache: where it is loaded into.
        flight: the load.
        anew: whether it is loaded even if it is there by now.
    """
    stack = cache.stack
    try:
        looks = not anew and flight.demand is None
        value = cache.present(flight.key) if looks else MISSING
        if value is MISSING and stack is not None and looks:
            value = yield from stack.find(flight)
        if value is MISSING and flight.loads:
            ready: Any = None
            if stack is not None:
                ready = yield from stack.prepare(flight, anew)
                value = ready.value
        if value is MISSING and flight.loads:
            cache.calling(flight)
            try:
                value = yield Call(flight)
                refuse_generator(value)
            except Exception as error:
                cache.count(flight, error)
                if stack is not None:
                    yield from stack.release(flight.key, ready)
                raise
            except BaseException as error:
                cache.cancelled(flight, error)
                if stack is not None and type(error) is not GeneratorExit:  # which ends it here
                    yield from stack.release(flight.key, ready)
                raise
            cache.count(flight, None)
            if stack is None:
                cache.keep(flight, value, cache.conditions(flight))
            else:
                yield from stack.deposit(flight, value, cache.conditions(flight), ready, anew)
    except Exception as error:
        finish(cache, flight, error=error)
    except BaseException as error:
        finish(cache, flight, error=error, abandoned=True)
        raise
    else:
        finish(cache, flight, value)


def finish(
    cache: LoadTarget,
    flight: Flight,
    value: Any = MISSING,
    error: BaseException | None = None,
    abandoned: bool = False,
) -> None:
    """Give the claim up and tell everyone, whatever comparing keys may raise."""
    try:
        cache.end(flight)
    except BaseException as failure:
        flight.complete(error=error or failure, abandoned=abandoned)
        raise
    flight.complete(value, error, abandoned=abandoned)


def abandon(flight: Flight) -> None:
    finish(flight.owner, flight, error=CancelledError(), abandoned=True)


def is_final(flight: Flight, own: Flight) -> bool:
    """Tell whether this is what the caller gets: its own cancellation, not another's."""
    return not flight.abandoned or (flight is own and flight.error is not None)


def begin_ahead(cache: LoadTarget, key: Any, terms: Terms, loader: Loader) -> Flight | None:
    """Claim a key that nobody waits for; return its flight, or None if it is being loaded.

    Args:
        cache: where it is loaded into.
        key: the key.
        terms: under which a loaded value is stored.
        loader: what loads it.
    """
    own = Flight(cache, key, terms, loader)
    own.hold()  # until whoever called lets another thread or a loop carry it out
    flight = cache.begin(own)
    if flight is own:
        return own
    if flight.done:  # its claim could not be given up
        cache.end(flight)
    return None


def carry_out_ahead(flight: Flight) -> Start:
    """Return what carries out a load that `begin_ahead` has claimed the key for."""
    return Start(carry_out(flight.owner, flight, anew=False), flight, abandon)


def give_up_ahead(flight: Flight) -> None:
    """Give up a load whose thread or loop is not there any more; who waits begins anew."""
    if not flight.done:
        flight.void = True
        abandon(flight)
