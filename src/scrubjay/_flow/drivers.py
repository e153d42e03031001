"""The two drivers: they do what a flow wants done, blocking or awaiting."""

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

from scrubjay._flow.effects import Ask, Call, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Loader, blocked, enter, leave, under_way
from scrubjay._flow.workers import Workers
from scrubjay.errors import InvalidArgumentTypeError

_LOOK = 1.0  # seconds between two looks whether the loop waited for still runs
_PLAIN = frozenset({str, int, float, bool, type(None), bytes, list, tuple, dict, set})

_workers = Workers(32)  # threads for what blocking callers do not wait for

# By loop, as that keeps only weak references itself.
_running: dict[asyncio.AbstractEventLoop, set[asyncio.Task[Any]]] = {}


def run(flow: Flow) -> Any:
    """Run a flow to its end in this thread; return the value of its flight, or raise.

    A flow that is started within is run first, on a stack of our own: a call of a cached
    function that calls another takes up one of Python's frames here.
    """
    if _running:
        _end_with_loops()
    began = perf_counter()
    flight = _execute(flow, None)
    try:
        flight.owner.waited(perf_counter() - began)
        return flight.result()
    finally:
        del flow, flight


def _execute(flow: Flow, flight: Flight | None) -> Any:
    """Run a flow to its end in this thread; return what it returns.

    Args:
        flow: the flow.
        flight: the load that it carries out, if another started it.
    """
    before = under_way.get()
    flows: list[tuple[Flow, Any]] = [(flow, None if flight is None else enter(flight))]
    del flight
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
                if failure is None and _is_awaitable(answer):
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
        _workers.submit(partial(copy_context().run, _conclude_apart, effect))
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
            _execute(effect.flow, flight)
    finally:
        flight.task = None
        if not flight.done:
            effect.abandon(flight)


def _leave(flow: tuple[Flow, Any]) -> None:
    """Forget that a flow's load is under way here."""
    token = flow[1]
    if token is not None:
        leave(token)


def _is_awaitable(value: Any) -> bool:
    """Tell whether a value is to be awaited; of the usual kinds that is known at once."""
    return type(value) not in _PLAIN and inspect.isawaitable(value)


def _refusal(value: Any) -> InvalidArgumentTypeError:
    """Return the error for an awaitable that nobody here can await."""
    if inspect.iscoroutine(value):
        value.close()
    return InvalidArgumentTypeError("loader: it is asynchronous; await it through AdaptiveCache")


def is_asynchronous(function: Any) -> bool:
    """Tell whether a function is a coroutine function, or marked as one; objects are called."""
    if inspect.iscoroutinefunction(function):
        return True
    marker = getattr(asyncio.coroutines, "_is_coroutine", None)
    if marker is not None and getattr(function, "_is_coroutine", None) is marker:
        return True
    return inspect.iscoroutinefunction(method_called(function))


def method_called(function: Any) -> Any:
    """Return the method that a call of an object runs; of a function, what Python runs it by."""
    while isinstance(function, partial):
        function = function.func
    return getattr(type(function), "__call__", None)  # noqa: B004 - it is looked at, not tested for


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
        _leave_if_stranded(flight)
        end = inf if seconds is None else monotonic() + seconds
        while not done.wait(max(0.0, min(_LOOK, end - monotonic()))) and monotonic() < end:
            _leave_if_stranded(flight)
    finally:
        if loop is not None:
            waiting.remove(flight)
            if not waiting:
                blocked.pop(loop, None)


async def arun(flow: Flow) -> Any:
    """Run a flow to its end on this event loop; return its flight's value, or raise."""
    began = perf_counter()
    flight = await _drive(flow)
    flight.owner.waited(perf_counter() - began)
    try:
        return flight.result()
    finally:
        del flow, flight


def ask(asking: Flow) -> Any:
    """Do what only asks tiers, in this thread; return what it returns."""
    return _execute(asking, None)


async def aask(asking: Flow) -> Any:
    """Do what only asks tiers, on this event loop; return what it returns."""
    return await _drive(asking)


async def _drive(flow: Flow, flight: Flight | None = None) -> Any:
    """Run a flow to its end and return what it returns.

    Args:
        flow: the flow.
        flight: the load that it carries out, in a task whose context ends with it.
    """
    if flight is not None:
        enter(flight)
        del flight
    effect: Any = None
    answer: Any = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                effect = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                return end.value
            answer = failure = None
            try:
                if isinstance(effect, Start):
                    _begin(effect)
                elif isinstance(effect, Ask):
                    answer = await (_ask(effect) if effect.took is None else _time(effect))
                elif isinstance(effect, Call):
                    answer = await _call(effect.flight)
                else:
                    answer = await _wait(effect)
            except BaseException as error:
                failure = error
    finally:
        del flow, effect, answer, failure


async def _time(effect: Ask) -> Any:
    """Call a method of a tier, and tell how long it took."""
    assert effect.took is not None
    failure: BaseException | None = None
    start = perf_counter()
    try:
        return await _ask(effect)
    except BaseException as error:
        failure = error
        raise
    finally:
        effect.took(perf_counter() - start, failure)
        del failure  # its traceback leads here


async def _ask(effect: Ask) -> Any:
    """Call a method of a tier, awaiting it or in a worker thread where it may wait."""
    tier, method, given, named, _ = effect
    awaitable = getattr(tier, "a" + method, None)
    if awaitable is not None:
        return await awaitable(*given, **named)
    call = getattr(tier, method)
    if not tier.blocking:
        return call(*given, **named)
    return await asyncio.get_running_loop().run_in_executor(None, partial(call, *given, **named))


async def _call(flight: Flight) -> Any:
    """Call a loader, in this task or in a worker thread."""
    loader: Any = flight.loader
    start = perf_counter()
    try:
        if is_asynchronous(loader.function):
            return await loader.function(*loader.args, **loader.named)
        errand = _Errand(loader)
        await asyncio.get_running_loop().run_in_executor(None, errand)
        value, error = errand.outcome()
        if error is not None:
            raise error
        return await value if _is_awaitable(value) else value
    finally:
        flight.seconds = perf_counter() - start
        value = error = None
        del flight, loader


class _Errand:
    """A call of a plain loader in a worker thread, in the context of who sends it there.

    A future would never end with a `StopIteration`, and the executor's frames, which the
    traceback of an error leads back to, must not hold the error: so it is left here, and
    whatever is held is let go of as soon as it is used.
    """

    def __init__(self, loader: Loader) -> None:
        self._held: list[Any] = [loader, copy_context()]
        self._outcome: list[tuple[Any, BaseException | None]] = []

    def __call__(self) -> None:
        """Run in the worker thread."""
        self._held.pop().run(self._call, self._held.pop())

    def _call(self, loader: Loader) -> None:
        try:
            self._outcome.append((loader.function(*loader.args, **loader.named), None))
        except BaseException as error:
            self._outcome.append((None, error))
        finally:
            del loader

    def outcome(self) -> tuple[Any, BaseException | None]:
        """Return the value and the error, once."""
        return self._outcome.pop()


def run_ahead(effect: Start) -> None:
    """Carry a load out in this thread, for nobody: what it raises has reached who waits."""
    with suppress(BaseException):
        run(_alone(effect))


def _alone(effect: Start) -> Flow:
    yield effect
    return effect.flight


def begin_ahead(effect: Start) -> None:
    """Carry a load out as a task of its own on the running loop, for nobody."""
    _begin(effect)


def _begin(effect: Start) -> None:
    """Run a flow as a task of its own."""
    flight = effect.flight
    flight.loop = asyncio.get_running_loop()
    coroutine = _drive(effect.flow, flight)
    try:
        task = flight.loop.create_task(coroutine)
    except BaseException:
        coroutine.close()
        raise
    flight.task = task
    if flight.loop not in _running:
        _end_with_loops()
    _running.setdefault(flight.loop, set()).add(task)
    task.add_done_callback(_forget)
    task.add_done_callback(lambda task: _conclude(task, effect))


def _forget(task: asyncio.Task[Any]) -> None:
    """Hold a task no more."""
    loop = task.get_loop()
    tasks = _running.get(loop)
    if tasks is not None:
        tasks.discard(task)
        if not tasks:
            _running.pop(loop, None)


def _end_with_loops() -> None:
    """End what was under way on loops that were closed: it holds what others wait for."""
    for loop in list(_running):
        if loop.is_closed():
            for task in _running.pop(loop, ()):
                coroutine: Any = task.get_coro()
                with suppress(Exception):  # of what it awaits
                    coroutine.close()


def _conclude(task: asyncio.Task[Any], start: Start) -> None:
    """See to waiters whose load was cancelled before it began."""
    if not start.flight.done:
        start.flow.close()
        start.abandon(start.flight)
    if not task.cancelled():
        task.exception()  # it has reached those who wait: it is not lost
    start.flight.task = None


async def _wait(effect: Wait) -> bool:
    """Wait for a flight on this event loop, and tell for how long if another began it."""
    start = perf_counter()
    try:
        if effect.seconds is None:
            await _await(effect.flight)
        else:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_await(effect.flight), effect.seconds)
        return effect.flight.done
    finally:
        if effect.joined:
            effect.flight.owner.joined(effect.flight, perf_counter() - start)


async def _await(flight: Flight) -> None:
    """Wait for a flight on this event loop."""
    if flight.done:
        return
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def call_back() -> None:
        with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(wake)

    flight.when_done(call_back)
    _leave_if_stranded(flight)
    if flight.loop is loop:
        await done
        return
    while not done.done():
        await asyncio.wait((done,), timeout=_LOOK)
        _leave_if_stranded(flight)


def _leave_if_stranded(flight: Flight) -> None:
    """Have the load begun anew if what carries it out does not run any more."""
    if not flight.done and flight.stranded:
        flight.void = True
        flight.complete(abandoned=True)
