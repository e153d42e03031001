"""What the tests of the doors share: both doors behind one face, and threads that must end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from scrubjay import AdaptiveCache, Cache

PATIENCE = 60.0  # seconds after which something that waits is taken to wait for ever

#: the methods of AdaptiveCache that are coroutine functions
ASYNCHRONOUS = frozenset(
    {
        "get",
        "put",
        "get_or_load",
        "refresh",
        "get_many",
        "put_many",
        "touch",
        "invalidate",
        "invalidate_many",
        "invalidate_by_tags",
        "explain_key",
        "clear",
        "save",
        "restore",
        "flush",
    }
)


class Patient:
    """A thread whose outcome is asked for; one that does not end fails the test."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._value: Any = None
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._value = function(*args, **kwargs)
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it waits for ever"
        if self._error is not None:
            raise self._error
        return self._value


def in_time(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that may hang, in a thread."""
    return Patient(function, *args, **kwargs).result()


def arun(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of its own; one that hangs fails the test."""

    async def bounded() -> Any:
        return await asyncio.wait_for(coroutine, PATIENCE)

    return asyncio.run(bounded())


def wait(event: threading.Event) -> None:
    assert event.wait(PATIENCE), "the event never came"


async def until(condition: Callable[[], Any]) -> None:
    """Let other tasks and threads run until something is true."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never became true"
        await asyncio.sleep(0)


def spin(condition: Callable[[], Any]) -> None:
    """Let other threads run until something is true."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never became true")


class AsyncDoor:
    """An `AdaptiveCache` with the face of a `Cache`, for tests that hold for both doors."""

    def __init__(self, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self._loop = loop
        self.cache: AdaptiveCache[Any, Any] = AdaptiveCache(**options)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.cache, name)
        if name not in ASYNCHRONOUS:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "get" and len(args) > 1:  # the default is a keyword there
                kwargs["default"] = args[1]
                args = args[:1]
            return self._loop.run_until_complete(method(*args, **kwargs))

        return call

    def __len__(self) -> int:
        return len(self.cache)

    def __contains__(self, key: object) -> bool:
        return key in self.cache


@contextmanager
def opened(kind: str) -> Iterator[Callable[..., Any]]:
    """Return a maker of caches behind the door of that kind."""
    if kind == "sync":
        yield Cache
        return
    loop = asyncio.new_event_loop()
    try:
        yield lambda **options: AsyncDoor(loop, **options)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def ends_among_finalizers(
    work: Callable[[int], object], finalizer: Callable[[int], object]
) -> bool:
    """Tell whether work ends although finalizers run wherever it allocates something.

    Args:
        work: called 2,000 times, with the number of the call.
        finalizer: called at some time after each of these, with that number, in their midst.
    """

    class Cycle:
        def __init__(self, number: int) -> None:
            self.number, self.own = number, self

        def __del__(self) -> None:
            finalizer(self.number)

    def run() -> None:
        for number in range(2000):
            gc.set_threshold(1 + number % 23, 1, 1)
            Cycle(number)
            work(number)

    before = gc.get_threshold()
    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()
        thread.join(30.0)
    finally:
        gc.set_threshold(*before)
    return not thread.is_alive()
