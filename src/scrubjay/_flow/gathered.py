"""One barrier for all who read at STRONG at the same time, on one event loop and of one connection.

A barrier serves everyone who has called for it before it is sent (group commit). The tier
shares one among its callers as well; but here those who wait cost a future each, and what
asks, counts and may fail is done once. Who is alone asks at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

from scrubjay._flow import drivers
from scrubjay._flow.level import Level
from scrubjay.errors import CacheError
from scrubjay.versions import Feed


class Gathered:
    """The barriers of one event loop about what one connection watches.

    While one is under way, those who come wait for the next: if the tier does not answer, for
    no more than twice the time that an operation may take.

    Args:
        level: the shared tier.
        wanted: of the connection. On a cluster that is one primary: others may be away.
        waited: told the seconds that a number of readers have waited, at most.
    """

    def __init__(self, level: Level, wanted: Feed, waited: Callable[[float, int], object]) -> None:
        self._level = level
        self._wanted = (wanted,)
        self._abarrier: Callable[[Sequence[Feed]], Awaitable[Feed]] | None = getattr(
            level.tier, "abarrier", None
        )
        self._waited = waited
        self._since = 0.0  # when the first of those who wait came
        self._waiting: list[asyncio.Future[Feed]] = []
        self._busy = False
        self._alone = True  # whether whoever came last was the only one
        self._task: asyncio.Task[None] | None = None  # what carries one out: loops hold none

    def feed(self) -> Awaitable[Feed]:
        """Return what is to be awaited, now, for a barrier that is sent after this call."""
        if self._alone and not self._busy:
            return self._ask_alone()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Feed] = loop.create_future()
        if not self._waiting:
            self._since = perf_counter()
            if not self._busy:
                loop.call_soon(self._begin)
        self._waiting.append(future)
        return future

    async def _ask_alone(self) -> Feed:
        if self._busy:  # since it was called for
            return await self.feed()
        self._busy = True
        began = perf_counter()
        try:
            if self._abarrier is None or not self._level.quiet:
                return await self._barrier()
            try:
                return await self._abarrier(self._wanted)
            except Exception as error:
                raise self._level.failed("barrier", error) from error
        finally:
            self._waited(perf_counter() - began, 1)
            self._busy = False
            if self._waiting:
                self._begin()

    async def _barrier(self) -> Feed:
        feed: Feed = await drivers.aask(self._level.ask("barrier", self._wanted))
        return feed

    def _begin(self) -> None:
        """Send one for all who wait; who comes later waits for the next."""
        loop = asyncio._get_running_loop()
        if self._busy or not self._waiting or loop is None:  # which is closed then
            return
        waiting, self._waiting = self._waiting, []
        self._busy = True
        self._alone = len(waiting) == 1
        carrying = self._carry_out(waiting, self._since)
        self._task = loop.create_task(carrying)

    async def _carry_out(self, waiting: list[asyncio.Future[Feed]], since: float) -> None:
        try:
            feed = await self._barrier()
        except CacheError as error:
            for future in waiting:
                if not future.done():
                    future.set_exception(_again(error))
        except BaseException:  # the loop ends
            for future in waiting:
                future.cancel()
            raise
        else:
            for future in waiting:
                if not future.done():
                    future.set_result(feed)
        finally:
            self._waited(perf_counter() - since, len(waiting))
            self._end()

    def _end(self) -> None:
        self._busy = False
        self._begin()


def _again(error: CacheError) -> CacheError:
    """Return the same error for one more to raise, who adds a traceback of his own."""
    same = type(error)(str(error))
    same.__cause__ = error
    return same
