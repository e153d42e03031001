"""The optimization loop: a task that has a cache optimize itself at intervals."""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextlib import suppress
from typing import Protocol

__all__ = ["Optimizer"]

_log = logging.getLogger("scrubjay")


class Optimizable(Protocol):
    """What the loop needs to know of the cache behind a door."""

    @property
    def optimization_interval(self) -> float:
        """Seconds between two rounds."""

    def optimize(self) -> None:
        """Do one round."""


class Door(Protocol):
    """Whatever the loop goes on for: it ends when that is gone, used or not."""

    @property
    def sync(self) -> Optimizable:
        """The cache."""


class Optimizer:
    """The optimization loop of one cache, on one event loop at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self, door: Door) -> None:
        """Begin on the running event loop, for as long as the door is there.

        What runs there already goes on; what runs on another event loop ends.
        """
        loop = asyncio.get_running_loop()
        task = self._task
        if task is None or task.done() or task.get_loop() is not loop:
            await self.stop()
            self._task = loop.create_task(
                _optimize(weakref.ref(door), door.sync.optimization_interval)
            )

    async def stop(self) -> None:
        """End it, wherever it runs."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        loop = task.get_loop()
        if loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])
            return
        with suppress(RuntimeError):  # that loop is closed, and the task with it
            loop.call_soon_threadsafe(task.cancel)


async def _optimize(reference: weakref.ref[Door], interval: float) -> None:
    """Optimize at intervals; do not keep the door alive."""
    while True:
        await asyncio.sleep(interval)
        door = reference()
        if door is None:
            return
        try:
            door.sync.optimize()
        except Exception:
            _log.exception("an optimization round failed")
        del door
