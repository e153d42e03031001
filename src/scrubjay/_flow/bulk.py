"""Several keys at once: one look into each tier and one call of a loader for all of them.

Each key has a flight of its own, which others may join and which a change of that key
voids, and no other; what is done for all of them is the flight that they are parts of.
Who also waits for loads of others does so when his own are done: nobody waits for
somebody who waits for him.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow import carrying, load
from scrubjay._flow.asynchronous import refuse_generator
from scrubjay._flow.bulk_stack import BulkStack, Loaded
from scrubjay._flow.carrying import LoadTarget
from scrubjay._flow.effects import Call, Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Loader, Part, under_way
from scrubjay._flow.load import Demand
from scrubjay._flow.stack import Ready
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError, LoadTimeoutError


class Several:
    """Stands for the key of a flight of several keys, in messages."""

    def __repr__(self) -> str:
        return "<several keys>"


_SEVERAL = Several()


def read_many(
    cache: LoadTarget,
    stack: BulkStack | None,
    missing: Sequence[Any],
    refused: Sequence[Any],
    terms: Terms,
    function: Callable[..., Any] | None,
    demand: Demand | None = None,
    uses: Mapping[Any, int] | None = None,
) -> Flow:
    """Return a completed flight with a dict of the keys that are there by now.

    Args:
        cache: where they are loaded into.
        stack: the tiers below, if there are any.
        missing: keys that were missed a moment ago.
        refused: keys that are to be loaded whether they are there or not.
        terms: under which loaded values are stored.
        function: called with a list of keys to load; None to load none.
        demand: how fresh the missing ones must be, where memory alone cannot tell.
        uses: how often each key was read, if they are restored: see `Terms`.
    """
    began = monotonic()
    found: dict[Any, Any] = {}
    if demand is not None:
        found = yield from _read_at(cache, missing, demand)
        # What is being loaded already may be older than what must be seen.
        refused, missing = [key for key in missing if key not in found], ()
    rest: list[tuple[Any, bool]] = [(key, False) for key in missing]
    rest += [(key, True) for key in refused if function is not None]
    alone: list[tuple[Any, bool]] = []  # each by itself, as somebody elsewhere may load it
    loader = None if function is None else Loader(function, (), {})
    hard = None if function is None else cache.rules.hard
    while rest or alone:
        rest = rest or [alone.pop()]
        whole = Flight(cache, _SEVERAL, terms, loader)
        whole.hold()
        try:
            flights = _claim(cache, whole, rest)
            parts = _parts(whole, flights)
            if uses is not None:
                for part in parts:
                    part.uses = uses.get(part.key, -1)
            others = [flight for flight in flights if not _is_part(whole, flight)]
            for flight in [whole, *others] if parts else others:
                left = None if hard is None else max(0.0, began + hard - monotonic())
                if flight is whole:
                    yield from _await_own(stack, whole, parts, left)
                else:
                    yield from carrying.wait_for(flight, whole, anew=False, seconds=left)
                _check_done(flight, hard)
        except BaseException:
            if whole.task is None:  # a task goes on by itself
                whole.dead = True  # no call: it might fail, where the stack is at its end
            raise
        again = []
        for wanted, flight in zip(rest, flights, strict=True):
            if flight.error is not None and not flight.abandoned:
                return flight
            if flight.value is not MISSING:
                if demand is not None and stack is not None:
                    stack.loaded(flight, demand.level, demand.session)
                found[wanted[0]] = flight.value
            elif not _is_part(whole, flight):
                if flight.abandoned or loader is not None:
                    again.append(wanted)
            elif whole.error is not None:
                return whole
            elif whole.abandoned:  # nobody has seen it to its end
                again.append(wanted)
            elif isinstance(flight, Part) and flight.elsewhere:
                alone.append(wanted)
        rest = again
    own = Flight(cache, _SEVERAL, terms, None)
    own.complete(found)
    return own


def _read_at(
    cache: LoadTarget, keys: Sequence[Any], demand: Demand
) -> Generator[Effect, Any, dict[Any, Any]]:
    found: dict[Any, Any] = {}
    for key in keys:
        flight: Flight = yield from load.read_at(cache, key, demand)
        if flight.value is not MISSING:
            found[key] = flight.value
    return found


def _is_part(whole: Flight, flight: Flight) -> bool:
    return isinstance(flight, Part) and flight.whole is whole


def _parts(whole: Flight, flights: Sequence[Flight]) -> list[Part]:
    return [one for one in flights if isinstance(one, Part) and one.whole is whole]


def _check_done(flight: Flight, hard: float | None) -> None:
    if not flight.done:
        raise LoadTimeoutError(f"loading {flight.key!r} takes longer than {hard} s")


def _claim(cache: LoadTarget, whole: Flight, wanted: Sequence[tuple[Any, bool]]) -> list[Flight]:
    """Claim keys; return a flight for each: a part of the whole, or one under way.

    Who looks for a key and does not load it waits for no loader: he has a part that is void.
    """
    flights: list[Flight] = []
    try:
        for key, anew in wanted:
            part = Part(whole, key, whole.terms, whole.loader)
            part.anew = anew
            flight = _begin(cache, part)
            if flight is not part and flight.loads and not part.loads:
                part.void = True
                flight = part
            flights.append(flight)
    except BaseException:
        _abandon(_parts(whole, flights), whole)
        raise
    return flights


def _begin(cache: LoadTarget, part: Part) -> Flight:
    while True:
        if part.anew:
            cache.replace(part.key)
        flight = cache.begin(part)
        if flight is part or not (flight.done or part.anew):
            return flight
        if flight.done:
            cache.end(flight)


def _await_own(
    stack: BulkStack | None, whole: Flight, parts: list[Part], seconds: float | None
) -> Flow:
    """Start what is to be done and wait for it."""
    waiting = under_way.get()[-1:]
    for one in waiting:  # before looking: of two who meet, at least one sees the circle
        one.waits_for.append(whole)
    try:
        apart = seconds is not None
        try:
            flow = _carry_out(whole.owner, stack, whole, parts)
            yield Start(flow, whole, partial(_abandon, parts), apart)
        except BaseException:
            if not whole.done:  # there was no room for a task
                _abandon(parts, whole)
            raise
        if not whole.done:
            yield Wait(whole, False, seconds)
    finally:
        for one in waiting:
            one.waits_for.remove(whole)


def _carry_out(
    cache: LoadTarget, stack: BulkStack | None, whole: Flight, parts: list[Part]
) -> Flow:
    """Look for the keys in the tiers, load and store what is not there, and tell everyone."""
    try:
        for part in parts:
            value = MISSING if part.anew else cache.present(part.key)
            if value is not MISSING:
                carrying.finish(cache, part, value)
        rest = [part for part in parts if not part.done]
        looked = [part for part in rest if not part.anew]
        if stack is not None and looked:
            values, failed = yield from stack.find_many(whole, looked)
            for part, value in values.items():
                carrying.finish(cache, part, value, failed.get(part))
            rest = [part for part in rest if not part.done]
        if whole.loader is not None and rest:
            yield from _load(cache, stack, whole, rest)
        for part in parts:
            if not part.done:
                carrying.finish(cache, part, abandoned=part.loads)  # who needs it loads it himself
    except Exception as error:
        _finish(cache, whole, parts, error, abandoned=False)
    except BaseException as error:
        _finish(cache, whole, parts, error, abandoned=True)
        raise
    else:
        whole.complete(None)


def _load(cache: LoadTarget, stack: BulkStack | None, whole: Flight, parts: Sequence[Part]) -> Flow:
    """Call the loader for some keys, and store what it returns."""
    assert whole.loader is not None
    asked = [part.key for part in parts]
    whole.loader = Loader(whole.loader.function, (asked,), {})
    ready: dict[Part, Ready | None] = dict.fromkeys(parts, Ready())
    if stack is not None:
        ready = yield from stack.prepare_many(parts)
        parts = [part for part in parts if _is_to_be_loaded(cache, part, ready[part])]
        if not parts:
            return
        asked[:] = [part.key for part in parts]
    try:
        values = yield from _call(cache, whole, parts)
    except BaseException as error:
        if stack is not None and type(error) is not GeneratorExit:  # which ends it here
            yield from stack.dismiss_many([(part, ready[part] or Ready()) for part in parts])
        raise
    loaded: list[Loaded] = []
    absent: list[tuple[Part, Ready]] = []
    for part, value in zip(parts, values, strict=True):
        before = ready[part] or Ready()
        if value is MISSING:
            absent.append((part, before))
            continue
        part.seconds = whole.seconds / len(parts)
        loaded.append(Loaded(part, value, cache.conditions(part), before))
    if stack is None:
        failed = _keep(cache, loaded)
    else:
        yield from stack.dismiss_many(absent)
        failed = yield from stack.deposit_many(whole, loaded)
    for part, value, _, _ in loaded:
        carrying.finish(cache, part, value, failed.get(part))


def _call(
    cache: LoadTarget, whole: Flight, parts: Sequence[Part]
) -> Generator[Effect, Any, list[Any]]:
    """Call the loader; return the values in the order of the keys, MISSING for none."""
    cache.calling(whole, len(parts))
    try:
        answer = yield Call(whole)
    except Exception as error:
        cache.count(whole, error, len(parts))
        raise
    except BaseException as error:
        cache.cancelled(whole, error, len(parts))
        raise
    cache.count(whole, None, len(parts))
    values = _values(answer, [part.key for part in parts])
    for value in values:
        refuse_generator(value)
    return values


def _is_to_be_loaded(cache: LoadTarget, part: Part, ready: Ready | None) -> bool:
    """Tell whether a loader must be called for a key; if not, tell who waits."""
    if ready is None:
        part.elsewhere = True
        carrying.finish(cache, part, abandoned=True)
    elif ready.value is not MISSING:
        carrying.finish(cache, part, ready.value)
    return not part.done


def _keep(cache: LoadTarget, loaded: Sequence[Loaded]) -> dict[Part, Exception]:
    """Store loaded values in memory; return what kept some of them from that."""
    failed: dict[Part, Exception] = {}
    for part, value, terms, _ in loaded:
        try:
            cache.keep(part, value, terms)
        except Exception as error:
            failed[part] = error
    return failed


def _values(answer: Any, keys: list[Any]) -> list[Any]:
    """Return the values that a loader returned, in the order of the keys; MISSING for none."""
    if isinstance(answer, Mapping):
        return [answer.get(key, MISSING) for key in keys]
    if isinstance(answer, (str, bytes, bytearray)) or not isinstance(answer, Sequence):
        raise InvalidArgumentTypeError(
            f"loader: it returned {type(answer).__name__}, no mapping and no sequence of values"
        )
    if len(answer) != len(keys):
        raise InvalidArgumentError(f"loader: {len(answer)} values for {len(keys)} keys")
    return list(answer)


def _abandon(parts: Sequence[Part], whole: Flight) -> None:
    _finish(whole.owner, whole, parts, CancelledError(), abandoned=True)


def _finish(
    cache: LoadTarget, whole: Flight, parts: Sequence[Part], error: BaseException, abandoned: bool
) -> None:
    """Give up all claims that are left and tell everyone, whatever comparing keys may raise."""
    failure: BaseException | None = None
    for part in parts:
        if not part.done:
            try:
                carrying.finish(cache, part, error=error, abandoned=abandoned)
            except BaseException as raised:
                failure = failure or raised
    whole.complete(error=error, abandoned=abandoned)
    if failure is not None:
        raise failure
