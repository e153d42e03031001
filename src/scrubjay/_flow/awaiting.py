"""The driver that does what a flow wants done on an event loop, and awaits it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any

from scrubjay._flow.asynchronous import is_asynchronous, is_awaitable
from scrubjay._flow.effects import Ask, Call, Flow, Start, Wait
from scrubjay._flow.flight import LOOK, Flight, Loader, enter

#: what is under way, by loop, as that keeps only weak references itself
running: dict[asyncio.AbstractEventLoop, set[asyncio.Task[Any]]] = {}


async def arun(flow: Flow) -> Any:
    """Run a flow to its end on this event loop; return its flight's value, or raise."""
    began = perf_counter()
    flight = await _drive(flow)
    flight.owner.waited(perf_counter() - began)
    try:
        return flight.result()
    finally:
        del flow, flight


async def aask(asking: Flow) -> Any:
    """Do what only asks tiers, on this event loop; return what it returns."""
    return await _drive(asking)


def begin_ahead(effect: Start) -> None:
    """Carry a load out as a task of its own on the running loop, for nobody."""
    _begin(effect)


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
        return await value if is_awaitable(value) else value
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


def _begin(effect: Start) -> None:
    """Run a flow as a task of its own."""
    flight = effect.flight
    flight.loop = asyncio.get_running_loop()
    flight.release()
    coroutine = _drive(effect.flow, flight)
    try:
        task = flight.loop.create_task(coroutine)
    except BaseException:
        coroutine.close()
        raise
    flight.task = task
    if flight.loop not in running:
        end_with_loops()
    running.setdefault(flight.loop, set()).add(task)
    task.add_done_callback(_forget)
    task.add_done_callback(lambda task: _conclude(task, effect))


def _forget(task: asyncio.Task[Any]) -> None:
    """Hold a task no more."""
    loop = task.get_loop()
    tasks = running.get(loop)
    if tasks is not None:
        tasks.discard(task)
        if not tasks:
            running.pop(loop, None)


def end_with_loops() -> None:
    """End what was under way on loops that were closed: it holds what others wait for."""
    for loop in list(running):
        if loop.is_closed():
            for task in running.pop(loop, ()):
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
    flight.leave_if_stranded()
    if flight.loop is loop:
        await done
        return
    while not done.done():
        await asyncio.wait((done,), timeout=LOOK)
        flight.leave_if_stranded()
