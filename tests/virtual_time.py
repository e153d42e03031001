"""An event loop whose time passes only where everybody waits, and then at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from scrubjay._flow import awaiting, blocking, prefetching, sources


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer whenever nothing is ready to run."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()


class LoopClock:
    """The clock of a cache that lives on a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._epoch = time.time()

    def monotonic(self) -> float:
        return self._loop.time()

    def time(self) -> float:
        return self._epoch + self._loop.time()


def run_virtually(make: Any, monkeypatch: Any) -> Any:
    """Run ``make(clock)`` to its end in virtual time; loads are measured in it, too."""
    loop = VirtualLoop()
    for module in (awaiting, blocking, sources, prefetching):
        monkeypatch.setattr(module, "perf_counter", loop.time)
    try:
        coroutine: Coroutine[Any, Any, Any] = make(LoopClock(loop))
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
