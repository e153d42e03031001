"""The driver that does what a flow wants done in the thread of who calls."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from math import inf
from time import monotonic, perf_counter
from typing import Any

from scrubjay._flow.asynchronous import is_awaitable
from scrubjay._flow.awaiting import end_with_loops, running
from scrubjay._flow.effects import Ask, Call, Flow, Start
from scrubjay._flow.flight import LOOK, Flight, blocked, enter, leave, under_way
from scrubjay._flow.workers import Workers
from scrubjay.errors import InvalidArgumentTypeError

_workers = Workers(32)  # threads for what blocking callers do not wait for


def run(flow: Flow) -> Any:
    """Run a flow to its end in this thread; return the value of its flight, or raise.

    A flow that is started within is run first, on a stack of our own: a call of a cached
    function that calls another takes up one of Python's frames here.
    """
    if running:
        end_with_loops()
    began = perf_counter()
    flight = _execute(flow)
    try:
        flight.owner.waited(perf_counter() - began)
        return flight.result()
    finally:
        del flow, flight


def ask(asking: Flow) -> Any:
    """Do what only asks tiers, in this thread; return what it returns."""
    return _execute(asking)


def run_ahead(effect: Start) -> None:
    """Carry a load out in this thread, for nobody: what it raises has reached who waits."""
    with suppress(BaseException):
        run(_alone(effect))


def _alone(effect: Start) -> Flow:
    yield effect
    return effect.flight


def _execute(flow: Flow) -> Any:
    """Run a flow to its end in this thread; return what it returns."""
    before = under_way.get()
    flows: list[tuple[Flow, Any]] = [(flow, None)]
    started: list[Flight] = []
    top: Any = None
    effect: Any = None
    answer: Any = None
    failure: BaseException | None = None
    try:
        while flows:
            try:
                top = flows[-1][0]
                effect = top.send(answer) if failure is None else top.throw(failure)
            except StopIteration as end:
                _leave(flows.pop())
                answer = end.value if not flows else None
                failure = None
                continue
            except BaseException as error:
                _leave(flows.pop())
                if not flows:
                    raise
                failure = error
                continue
            answer = failure = None
            if type(effect) is Start:
                if effect.apart:
                    try:
                        _begin_apart(effect)
                    except BaseException as error:
                        failure = error
                    continue
                started += (effect.flight,)
                flows.append((effect.flow, enter(effect.flight)))
                effect.flight.release()
            elif type(effect) is Ask:
                start = perf_counter()
                try:
                    call = getattr(effect.tier, effect.method)
                    answer = call(*effect.arguments, **effect.named)
                except BaseException as error:
                    failure = error
                if effect.took is not None:
                    effect.took(perf_counter() - start, failure)
            elif type(effect) is Call:
                flight = effect.flight
                loader: Any = flight.loader
                start = perf_counter()
                try:
                    answer = loader.function(*loader.args, **loader.named)
                except BaseException as error:
                    failure = error
                finally:
                    flight.seconds = perf_counter() - start
                    del flight, loader
                if failure is None and is_awaitable(answer):
                    answer, failure = None, _refusal(answer)
            else:
                start = perf_counter()
                try:
                    _block(effect.flight, effect.seconds)
                    answer = effect.flight.done
                except BaseException as error:
                    failure = error
                if effect.joined:
                    effect.flight.owner.joined(effect.flight, perf_counter() - start)
        return answer
    finally:
        while started:
            if not started[-1].done:
                started[-1].dead = True  # no call: the stack may be at its end
            del started[-1]
        if under_way.get() is not before:
            under_way.set(before)
        # An error's traceback must not lead back to it.
        del flow, flows, started, top, effect, answer, failure


def _begin_apart(effect: Start) -> None:
    """Run a flow in a thread of its own, in a copy of the context here."""
    flight = effect.flight
    flight.task = effect.flow  # it goes on by itself
    try:
        context = copy_context()
        context.run(enter, flight)
        _workers.submit(partial(context.run, _conclude_apart, effect))
        flight.release()
    except BaseException:
        flight.task = None
        raise


def _conclude_apart(effect: Start) -> None:
    """Run a flow in a worker's thread; what it raises has reached those who wait."""
    flight = effect.flight
    try:
        if flight.stranded:
            return
        with suppress(Exception):
            _execute(effect.flow)
    finally:
        flight.task = None
        if not flight.done:
            effect.abandon(flight)


def _leave(flow: tuple[Flow, Any]) -> None:
    """Forget that a flow's load is under way here."""
    token = flow[1]
    if token is not None:
        leave(token)


def _refusal(value: Any) -> InvalidArgumentTypeError:
    """Return the error for an awaitable that nobody here can await."""
    if inspect.iscoroutine(value):
        value.close()
    return InvalidArgumentTypeError(
        "loader: it is asynchronous; await it through AdaptiveCache, or decorate an `async def`"
    )


def _block(flight: Flight, seconds: float | None) -> None:
    """Wait for a flight in this thread, for a number of seconds at most if there is one."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        waiting = blocked.setdefault(loop, [])
        waiting.append(flight)
    try:
        if loop is not None:
            flight.refuse_loop(loop)
        done = threading.Event()
        flight.when_done(done.set)
        flight.leave_if_stranded()
        end = inf if seconds is None else monotonic() + seconds
        while not done.wait(max(0.0, min(LOOK, end - monotonic()))) and monotonic() < end:
            flight.leave_if_stranded()
    finally:
        if loop is not None:
            waiting.remove(flight)
            if not waiting:
                blocked.pop(loop, None)
