"""Loading: one loader call per key at a time, and nothing stored that was overtaken."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, Protocol

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Call, Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Loader, enter, leave, next_order, under_way
from scrubjay._flow.resilience import Resilience, Stale
from scrubjay._flow.stack import Stack
from scrubjay.consistency import Session
from scrubjay.errors import LoadTimeoutError, ReentrantLoadError
from scrubjay.types import CacheConsistencyLevel

_PLAIN = Terms()


class Demand(NamedTuple):
    """How fresh a read must be.

    Attributes:
        level: the level.
        session: who reads, or None.
    """

    level: CacheConsistencyLevel
    session: Session | None


class Loading(Protocol):
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


def read_through(cache: Loading, key: Any, terms: Terms, loader: Loader) -> Flow:
    """Return a completed flight with the value of `key`, loaded unless there by now.

    Args:
        cache: where it is loaded into.
        key: the key; it was missed a moment ago.
        terms: under which a loaded value is stored.
        loader: what loads it.
    """
    rules = cache.rules
    until = None if rules.hard is None else monotonic() + rules.hard
    old = cache.stale(key) if rules.grace else None
    if old is not None and old.age < rules.revalidate:
        yield from load_apart(cache, key, terms, loader, anew=False)
        return _served(cache, key, terms, old, "it is being loaded anew")
    while True:
        failed = cache.failure(key)
        if failed is not None:
            shown = _servable(cache, old)
            if shown is not None:
                return _served(cache, key, terms, shown, "loading it failed a moment ago")
            return failed
        own = Flight(cache, key, terms, loader)
        bounded = partial(_await_bounded, cache, old, until) if rules.apart else _await
        flight = yield from _attempt(cache, own, bounded)
        if flight is None:
            continue
        if not flight.done:
            return _given_up(cache, key, terms, _servable(cache, old or flight.stale))
        if rules.if_error and isinstance(flight.error, Exception):
            shown = _servable(cache, old or flight.stale)
            if shown is not None:
                return _served(cache, key, terms, shown, "loading it failed")
        if _is_final(flight, own) and (flight.loads or flight.value is not MISSING):
            return flight
        cache.end(flight)


def load_apart(cache: Loading, key: Any, terms: Terms, loader: Loader, anew: bool) -> Flow:
    """Have `key` loaded unless it is being loaded; do not wait for it.

    Args:
        cache: where it is loaded into.
        key: the key.
        terms: under which the value is stored.
        loader: what loads it.
        anew: whether it is loaded even if it is there by now.
    """
    own = Flight(cache, key, terms, loader)
    if cache.failure(key) is not None:
        return
    try:
        claimed = cache.begin(own) is own
    except BaseException:
        own.dead = True  # as below
        raise
    if claimed:
        try:
            yield Start(_carry_out(cache, own, anew), own, _abandon, apart=True)
        except BaseException:
            if not own.done:
                _abandon(own)
            raise


def renew(cache: Loading, key: Any, terms: Terms, loader: Loader) -> Flow:
    """Have `key` loaded before it expires; return a completed flight without a value."""
    yield from load_apart(cache, key, terms, loader, anew=True)
    flight = Flight(cache, key, terms, None)
    flight.complete()
    return flight


def _attempt(
    cache: Loading, own: Flight, wait: Callable[[Flight, Flight], Flow]
) -> Generator[Effect, Any, Flight | None]:
    """Begin a flight, or join the one that is under way, and wait for it.

    Args:
        cache: where the key is claimed.
        own: the flight to begin.
        wait: waits for the flight that it is given, which may be one's own, given second.

    Returns:
        The flight, which may not be done if waiting has an end; None if it is to be begun anew.
    """
    try:
        flight = cache.begin(own)
        if flight is not own and flight.done:  # just now, or its claim could not be given up
            cache.end(flight)
            return None
        yield from wait(flight, own)
    except BaseException:
        if own.task is None:  # a task goes on by itself
            own.dead = True  # no call: it might fail, where the stack is at its end
        raise
    return flight


def _servable(cache: Loading, old: Stale | None) -> Stale | None:
    """Return an old value if it may be served now in place of a load that fails or takes long."""
    if old is None or old.age_at(cache.now()) >= cache.rules.if_error:
        return None
    return old


def _served(cache: Loading, key: Any, terms: Terms, old: Stale, why: str) -> Flight:
    """Return a completed flight with an old value."""
    cache.tell_stale(key, why)
    flight = Flight(cache, key, terms, None)
    flight.complete(old.value)
    return flight


def _given_up(cache: Loading, key: Any, terms: Terms, old: Stale | None) -> Flight:
    """Return a completed flight with an old value in place of a load that takes too long.

    Raises:
        LoadTimeoutError: there is none.
    """
    if old is None:
        raise LoadTimeoutError(f"loading {key!r} takes longer than {cache.rules.hard} s")
    return _served(cache, key, terms, old, "loading it takes long")


def _await_bounded(
    cache: Loading, old: Stale | None, until: float | None, flight: Flight, own: Flight
) -> Flow:
    """Wait for a flight as `_await` does, but for no longer than the rules say.

    Args:
        cache: who waits.
        old: an old value, or None.
        until: when it is given up at the latest, in seconds of `time.monotonic`; or None.
        flight: the flight.
        own: one's own.
    """
    soft = None if _servable(cache, old or flight.stale) is None else cache.rules.soft
    bounds = [bound for bound in (soft, _left(until)) if bound is not None]
    yield from _await(flight, own, apart=True, seconds=min(bounds, default=None))
    if not flight.done and _servable(cache, old or flight.stale) is None and _left(until) != 0.0:
        yield from _await(flight, None, apart=True, seconds=_left(until))  # it is too old by now


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - monotonic())


def read_at(cache: Loading, key: Any, demand: Demand) -> Flow:
    """Return a completed flight with what a level lets be shown of `key`, or MISSING.

    Nobody's look is joined: it may have begun before something that must be seen.
    """
    own = Flight(cache, key, _PLAIN, None)
    stack = cache.stack
    assert stack is not None
    try:
        claimed = cache.begin(own) is own
        # Others may join it, and must see if it waits for them.
        own.loop = asyncio._get_running_loop()
        token = enter(own)
    except BaseException:
        own.dead = True  # as below
        raise
    try:
        value = yield from stack.read(own, claimed, demand.level, demand.session)
    except BaseException as error:
        if claimed:
            own.dead = True  # as below
            _finish(cache, own, error=error, abandoned=True)
        raise
    finally:
        with suppress(ValueError):  # the collector ends it, in another context
            leave(token)
    if claimed:
        _finish(cache, own, value)
    else:
        own.complete(value)
    return own


def load_at(cache: Loading, key: Any, terms: Terms, loader: Loader, demand: Demand) -> Flow:
    """Return a completed flight with the value of `key` at a level, loaded if there is none."""
    began = next_order()
    until = None if cache.rules.hard is None else monotonic() + cache.rules.hard
    while True:
        found = yield from read_at(cache, key, demand)
        if found.value is not MISSING:
            return found
        failed = cache.failure(key)
        if failed is not None:
            return failed
        own = Flight(cache, key, terms, loader)
        own.demand = demand
        bounded = partial(_await, apart=until is not None, seconds=_left(until))
        flight = yield from _attempt(cache, own, bounded)
        if flight is None:
            continue
        if not flight.done:
            return _given_up(cache, key, terms, None)
        # What was begun before us may be older than what we must see.
        if flight.order > began and flight.loads and _is_final(flight, own):
            assert cache.stack is not None
            cache.stack.loaded(flight, demand.level, demand.session)
            return flight
        cache.end(flight)


def find(cache: Loading, key: Any) -> Flow:
    """Return a completed flight with what lower tiers have of `key`, or MISSING.

    It waits for others who look there, but for no loader.
    """
    while True:
        own = Flight(cache, key, _PLAIN, None)
        flight = yield from _attempt(cache, own, partial(_await_look, cache))
        if flight is not None:
            if flight.loads:
                return own
            if _is_final(flight, own):
                return flight
            cache.end(flight)


def _await_look(cache: Loading, flight: Flight, own: Flight) -> Flow:
    """Wait for a flight that looks for a key; look oneself, and keep nothing, if it loads it."""
    if flight.loads:
        assert cache.stack is not None
        own.complete((yield from cache.stack.glimpse(own.key)))
    else:
        yield from _await(flight, own)


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


def _await(
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
                yield Start(_carry_out(flight.owner, flight, anew), flight, _abandon, apart)
            except BaseException:
                if not flight.done:  # there was no room for a task
                    _abandon(flight)
                raise
        if not flight.done:
            if flight is not own:
                flight.joined = True
                flight.refuse_circle()
            yield Wait(flight, flight is not own, seconds)
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
