"""Loading: one loader call per key at a time, and nothing stored that was overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.carrying import LoadTarget, abandon, carry_out, finish, is_final, wait_for
from scrubjay._flow.effects import Effect, Flow, Start
from scrubjay._flow.flight import Flight, Loader, enter, leave, next_order, under_way
from scrubjay._flow.resilience import Stale
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


def read_through(cache: LoadTarget, key: Any, terms: Terms, loader: Loader) -> Flow:
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
        bounded = partial(_await_bounded, cache, old, until) if rules.apart else wait_for
        flight = yield from _attempt(cache, own, bounded)
        if flight is None:
            continue
        if not flight.done:
            return _given_up(cache, key, terms, _servable(cache, old or flight.stale))
        if rules.if_error and isinstance(flight.error, Exception):
            shown = _servable(cache, old or flight.stale)
            if shown is not None:
                return _served(cache, key, terms, shown, "loading it failed")
        if is_final(flight, own) and (flight.loads or flight.value is not MISSING):
            return flight
        cache.end(flight)


def load_apart(cache: LoadTarget, key: Any, terms: Terms, loader: Loader, anew: bool) -> Flow:
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
    own.hold()
    try:
        claimed = cache.begin(own) is own
    except BaseException:
        own.dead = True  # as below
        raise
    if claimed:
        try:
            yield Start(carry_out(cache, own, anew), own, abandon, apart=True)
        except BaseException:
            if not own.done:
                abandon(own)
            raise


def renew(cache: LoadTarget, key: Any, terms: Terms, loader: Loader) -> Flow:
    """Have `key` loaded before it expires; return a completed flight without a value."""
    yield from load_apart(cache, key, terms, loader, anew=True)
    flight = Flight(cache, key, terms, None)
    flight.complete()
    return flight


def _attempt(
    cache: LoadTarget, own: Flight, wait: Callable[[Flight, Flight], Flow]
) -> Generator[Effect, Any, Flight | None]:
    """Begin a flight, or join the one that is under way, and wait for it.

    Args:
        cache: where the key is claimed.
        own: the flight to begin.
        wait: waits for the flight that it is given, which may be one's own, given second.

    Returns:
        The flight, which may not be done if waiting has an end; None if it is to be begun anew.
    """
    own.hold()
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


def _servable(cache: LoadTarget, old: Stale | None) -> Stale | None:
    """Return an old value if it may be served now in place of a load that fails or takes long."""
    if old is None or old.age_at(cache.now()) >= cache.rules.if_error:
        return None
    return old


def _served(cache: LoadTarget, key: Any, terms: Terms, old: Stale, why: str) -> Flight:
    """Return a completed flight with an old value."""
    cache.tell_stale(key, why)
    flight = Flight(cache, key, terms, None)
    flight.complete(old.value)
    return flight


def _given_up(cache: LoadTarget, key: Any, terms: Terms, old: Stale | None) -> Flight:
    """Return a completed flight with an old value in place of a load that takes too long.

    Raises:
        LoadTimeoutError: there is none.
    """
    if old is None:
        raise LoadTimeoutError(f"loading {key!r} takes longer than {cache.rules.hard} s")
    return _served(cache, key, terms, old, "loading it takes long")


def _await_bounded(
    cache: LoadTarget, old: Stale | None, until: float | None, flight: Flight, own: Flight
) -> Flow:
    """Wait for a flight as `wait_for` does, but for no longer than the rules say.

    Args:
        cache: who waits.
        old: an old value, or None.
        until: when it is given up at the latest, in seconds of `time.monotonic`; or None.
        flight: the flight.
        own: one's own.
    """
    soft = None if _servable(cache, old or flight.stale) is None else cache.rules.soft
    bounds = [bound for bound in (soft, _left(until)) if bound is not None]
    yield from wait_for(flight, own, apart=True, seconds=min(bounds, default=None))
    if not flight.done and _servable(cache, old or flight.stale) is None and _left(until) != 0.0:
        yield from wait_for(flight, None, apart=True, seconds=_left(until))  # it is too old by now


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - monotonic())


def read_at(cache: LoadTarget, key: Any, demand: Demand) -> Flow:
    """Return a completed flight with what a level lets be shown of `key`, or MISSING.

    Nobody's look is joined: it may have begun before something that must be seen.
    """
    own = Flight(cache, key, _PLAIN, None)
    stack = cache.stack
    assert stack is not None
    own.hold()
    try:
        claimed = cache.begin(own) is own
        # Others may join it, and must see if it waits for them.
        own.loop = asyncio._get_running_loop()
        token = enter(own)
        own.release()
    except BaseException:
        own.dead = True  # as below
        raise
    try:
        value = yield from stack.read(own, claimed, demand.level, demand.session)
    except BaseException as error:
        if claimed:
            own.dead = True  # as above
            finish(cache, own, error=error, abandoned=True)
        raise
    finally:
        with suppress(ValueError):  # the collector ends it, in another context
            leave(token)
    if claimed:
        finish(cache, own, value)
    else:
        own.complete(value)
    return own


def load_at(cache: LoadTarget, key: Any, terms: Terms, loader: Loader, demand: Demand) -> Flow:
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
        bounded = partial(wait_for, apart=until is not None, seconds=_left(until))
        flight = yield from _attempt(cache, own, bounded)
        if flight is None:
            continue
        if not flight.done:
            return _given_up(cache, key, terms, None)
        # What was begun before us may be older than what we must see.
        if flight.order > began and flight.loads and is_final(flight, own):
            assert cache.stack is not None
            cache.stack.loaded(flight, demand.level, demand.session)
            return flight
        cache.end(flight)


def find(cache: LoadTarget, key: Any) -> Flow:
    """Return a completed flight with what lower tiers have of `key`, or MISSING.

    It waits for others who look there, but for no loader.
    """
    while True:
        own = Flight(cache, key, _PLAIN, None)
        flight = yield from _attempt(cache, own, partial(_await_look, cache))
        if flight is not None:
            if flight.loads:
                return own
            if is_final(flight, own):
                return flight
            cache.end(flight)


def _await_look(cache: LoadTarget, flight: Flight, own: Flight) -> Flow:
    """Wait for a flight that looks for a key; look oneself, and keep nothing, if it loads it."""
    if flight.loads:
        assert cache.stack is not None
        own.complete((yield from cache.stack.glimpse(own.key)))
    else:
        yield from wait_for(flight, own)


def refresh(cache: LoadTarget, key: Any, terms: Terms, loader: Loader) -> Flow:
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
        own.hold()
        try:
            if cache.begin(own) is not own:
                continue
            yield from wait_for(own, own, anew=True)
        except BaseException:
            if own.task is None:
                own.dead = True  # as above
            raise
        if is_final(own, own):
            return own
