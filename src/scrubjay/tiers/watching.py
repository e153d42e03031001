"""Being told of changes, and waiting for one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from scrubjay import arguments
from scrubjay.versions import Changes, OnChanges, Watch


class Listeners:
    """Callbacks that are told of every change, in the order in which they were added."""

    def __init__(self) -> None:
        # Each under an object of its own: entering and leaving are one step each.
        self._all: dict[object, OnChanges] = {}

    def add(self, callback: OnChanges) -> Callable[[], None]:
        """Add a callback; return a function that takes it out again.

        Raises:
            InvalidArgumentError: it cannot be called.
        """
        place = object()
        self._all[place] = arguments.function("callback", callback)

        def unsubscribe() -> None:
            self._all.pop(place, None)

        return unsubscribe

    def tell(self, changes: Changes | None) -> None:
        """Tell of a change; None for all that there is."""
        for callback in list(self._all.values()):
            callback(changes)


def wait_for_end(watch: Watch, seconds: float) -> bool:
    """Wait until a watch ends, in a thread; return whether it has."""
    over = threading.Event()
    watch.on_end(over.set)
    return over.wait(max(0.0, seconds))


async def ended(watch: Watch, seconds: float) -> bool:
    """Wait until a watch ends, on an event loop; return whether it has."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(over.set)

    watch.on_end(wake)
    try:
        await asyncio.wait_for(over.wait(), max(0.0, seconds))
    except asyncio.TimeoutError:
        return not watch.live
    return True
