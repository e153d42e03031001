"""Loading: one loader call per key at a time, and nothing stored that was overtaken."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any, Protocol

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Call, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Loader, under_way
from scrubjay.errors import ReentrantLoadError


class Loading(Protocol):
    """What a flow needs to know of the cache that it loads into."""

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

    def keep(self, flight: Flight, value: Any) -> None:
        """Store a loaded value unless the flight was overtaken."""

    def count(self, flight: Flight, error: Exception | None) -> None:
        """Count a call of a loader; remember its failure if failures are remembered."""


def read_through(cache: Loading, key: Any, terms: Terms, loader: Loader) -> Flow:
    """Return a completed flight with the value of `key`, loaded unless there by now.

    Args:
        cache: where it is loaded into.
        key: the key; it was missed a moment ago.
        terms: under which a loaded value is stored.
        loader: what loads it.
    """
    while True:
        failed = cache.failure(key)
        if failed is not None:
            return failed
        own = Flight(cache, key, terms, loader)
        try:
            flight = cache.begin(own)
            if flight is not own and flight.done:  # just now, or its claim could not be given up
                cache.end(flight)
                continue
            yield from _await(flight, own, anew=False)
        except BaseException:
            if own.task is None:  # a task goes on by itself
                own.dead = True  # no call: it might fail, where the stack is at its end
            raise
        if _is_final(flight, own):
            return flight
        cache.end(flight)


def refresh(cache: Loading, key: Any, terms: Terms, loader: Loader) -> Flow:
    """Load `key` anew and return the completed flight; an earlier load is overtaken.

    Raises:
        ReentrantLoadError: a loader of this very key, under way here, asks for it.
    """
    for outer in under_way.get():
        if outer.owner is cache and not outer.done and (outer.key is key or outer.key == key):
            raise ReentrantLoadError(f"loading {key!r} refreshes {key!r}: it would never end")
    while True:
        cache.replace(key)
        own = Flight(cache, key, terms, loader)
        try:
            if cache.begin(own) is not own:
                continue
            yield from _await(own, own, anew=True)
        except BaseException:
            if own.task is None:
                own.dead = True  # as above
            raise
        if _is_final(own, own):
            return own


def begin_ahead(cache: Loading, key: Any, terms: Terms, loader: Loader) -> Flight | None:
    """Claim a key that nobody waits for; return its flight, or None if it is being loaded.

    Args:
        cache: where it is loaded into.
        key: the key.
        terms: under which a loaded value is stored.
        loader: what loads it.
    """
    own = Flight(cache, key, terms, loader)
    flight = cache.begin(own)
    if flight is own:
        return own
    if flight.done:  # its claim could not be given up
        cache.end(flight)
    return None


def carry_out_ahead(flight: Flight) -> Start:
    """Return what carries out a load that `begin_ahead` has claimed the key for."""
    return Start(_carry_out(flight.owner, flight, anew=False), flight, _abandon)


def give_up_ahead(flight: Flight) -> None:
    """Give up a load whose thread or loop is not there any more; who waits begins anew."""
    if not flight.done:
        flight.void = True
        _abandon(flight)


def _is_final(flight: Flight, own: Flight) -> bool:
    """Tell whether this is what the caller gets: its own cancellation, not another's."""
    return not flight.abandoned or (flight is own and flight.error is not None)


def _await(flight: Flight, own: Flight, anew: bool) -> Flow:
    """Wait for a flight, started here if it is one's own, unless that would never end."""
    waiting = under_way.get()[-1:]
    for one in waiting:  # before looking: of two who meet, at least one sees the circle
        one.waits_for.append(flight)
    try:
        if flight is own:
            try:
                yield Start(_carry_out(flight.owner, flight, anew), flight, _abandon)
            except BaseException:
                if not flight.done:  # there was no room for a task
                    _abandon(flight)
                raise
        if not flight.done:
            if flight is not own:
                flight.joined = True
                flight.refuse_circle()
            yield Wait(flight)
    finally:
        for one in waiting:
            one.waits_for.remove(flight)


def _carry_out(cache: Loading, flight: Flight, anew: bool) -> Flow:
    """Call the loader, store what it returns, and tell everyone.

    Args:
        cache: where it is loaded into.
        flight: the load.
        anew: whether it is loaded even if it is there by now.
    """
    try:
        value = MISSING if anew else cache.present(flight.key)
        if value is MISSING:
            try:
                value = yield Call(flight)
            except Exception as error:
                cache.count(flight, error)
                raise
            cache.count(flight, None)
            cache.keep(flight, value)
    except Exception as error:
        _finish(cache, flight, error=error)
    except BaseException as error:
        _finish(cache, flight, error=error, abandoned=True)
        raise
    else:
        _finish(cache, flight, value)


def _finish(
    cache: Loading,
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


def _abandon(flight: Flight) -> None:
    _finish(flight.owner, flight, error=CancelledError(), abandoned=True)
