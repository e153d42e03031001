"""One barrier for all who read at STRONG at the same time, on one event loop and of one connection.

A barrier serves everyone who has called for it before it is sent (group commit). The tier
shares one among its callers as well; but here those who wait cost next to nothing each, and
what asks, counts and may fail is done once. Who is alone asks at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from scrubjay._flow import awaiting
from scrubjay._flow.level import Level
from scrubjay._flow.turn import Turn
from scrubjay.errors import CacheError
from scrubjay.versions import Feed

Told = Callable[["Feed | CacheError"], object]


class Gathered:
    """The barriers of one event loop about what one connection watches.

    While one is under way, those who come wait for the next: if the tier does not answer, for
    no more than twice the time that an operation may take.

    Args:
        level: the shared tier.
        wanted: of the connection. On a cluster that is one primary: others may be away.
        loop: the running event loop.
        waited: told the seconds that a number of readers have waited, at most.
    """

    def __init__(
        self,
        level: Level,
        wanted: Feed,
        loop: asyncio.AbstractEventLoop,
        waited: Callable[[float, int], object],
    ) -> None:
        self.loop = loop
        self._level = level
        self._wanted = (wanted,)
        # The short way, where there is one: without a task, and sent at once.
        self._send: Callable[[Told], bool] | None = getattr(level.tier, "begin_barrier", None)
        self._waited = waited
        self._since = 0.0  # when the first of those who wait came
        self._waiting: list[Turn] = []
        self._under_way: list[Turn] = []  # those whom the present one is for
        self._began = 0.0  # when the first of them came
        self._busy = False
        self._alone = True  # whether whoever came last was the only one
        self._task: asyncio.Task[None] | None = None  # what carries one out: loops hold none

    def feed(self) -> Awaitable[Feed]:
        """Return what is to be awaited, now, for a barrier that is sent after this call."""
        turn = Turn(self.loop)
        waiting = self._waiting
        waiting.append(turn)
        if len(waiting) == 1:
            self._since = perf_counter()
            if not self._busy:
                if self._alone:
                    self._begin()
                else:
                    self.loop.call_soon(self._begin)
        return turn

    def _begin(self) -> None:
        """Send one for all who wait; who comes later waits for the next."""
        waiting = self._waiting
        if self._busy or not waiting:
            return
        self._busy = True
        self._waiting = []
        self._under_way = waiting
        self._began = self._since
        self._alone = len(waiting) == 1
        try:
            sent = self._send is not None and self._level.quiet and self._send(self._told)
        except Exception as error:  # those who wait must be told, and the next one be sent
            self.loop.call_soon(self._end, None, self._level.failed("barrier", error))
            return
        if not sent:
            self._task = self.loop.create_task(self._carry_out())

    async def _carry_out(self) -> None:
        """Do it the long way, with all that a level does besides."""
        try:
            feed: Feed = await awaiting.aask(self._level.ask("barrier", self._wanted))
        except CacheError as error:
            self.loop.call_soon(self._end, None, error)  # no task wakes another from within
        except BaseException:
            if not self.loop.is_closed():  # it ends
                for turn in self._under_way:
                    turn.cancel()
                self._end(None, None)
            raise
        else:
            self.loop.call_soon(self._end, feed, None)

    def _told(self, outcome: Feed | CacheError) -> None:
        """Take the outcome of what was sent the short way."""
        if isinstance(outcome, Feed):
            self._end(outcome, None)
        else:
            self._end(None, self._level.failed("barrier", outcome))

    def _end(self, feed: Feed | None, error: Exception | None) -> None:
        """Wake those whom the present one was for; called by the event loop."""
        turns, self._under_way = self._under_way, []
        self._waited(perf_counter() - self._began, len(turns))
        self._wake(turns, feed, error)

    def _wake(self, turns: list[Turn], feed: Feed | None, error: Exception | None) -> None:
        place = 0
        try:
            for turn in turns:
                place += 1
                turn.come(feed, None if error is None else _again(error))
        except BaseException:  # the loop is interrupted, and may go on
            self.loop.call_soon(self._wake, turns[place:], feed, error)
            raise
        # Not before: those who were woken are back, perhaps, so that one serves them all.
        self._busy = False
        self._begin()


def _again(error: Exception) -> Exception:
    """Return the same error for one more to raise, who adds a traceback of his own."""
    try:
        same = type(error)(str(error))
    except Exception:  # of a tier of somebody's own: it is made of other things
        return error
    same.__cause__ = error
    return same
