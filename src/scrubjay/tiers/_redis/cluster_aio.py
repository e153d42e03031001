"""The driver of a cluster for asyncio: a `LoopLink` to each primary, for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis.aio import LoopLink
from scrubjay.tiers._redis.cluster import Course
from scrubjay.tiers._redis.errands import Connect, Links, Pause, Send, Split
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.topology import Where

_T = TypeVar("_T")


class LoopCluster:
    """The connections of one event loop to the members of a cluster.

    Args:
        settings: of the tier.
        settings_of: the same for one member.
        course: makes what decides, for the connections of a face.
    """

    #: there is no one session
    session: Session | None = None

    def __init__(
        self,
        settings: Settings,
        settings_of: Callable[[Where], Settings],
        course: Callable[[Links], Course],
    ) -> None:
        self._settings = settings
        self._settings_of = settings_of
        self._loop = asyncio.get_running_loop()
        self._links: dict[Where, LoopLink] = {}
        self._closed = False
        self._course = course(self)

    @property
    def over(self) -> bool:
        """Whether its loop runs no more."""
        return self._loop.is_closed()

    async def run(self, split: Split[_T], /, deadline: float | None = None) -> _T:
        """Carry an operation out, until a monotonic time; return what it returns."""
        if deadline is None:
            deadline = monotonic() + self._settings.timeout
        steps = self._course.run(split, deadline)
        answer: Any = None
        failure: BaseException | None = None
        while True:
            try:
                step = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                result: _T = end.value
                return result
            answer = failure = None
            try:
                if type(step) is Connect:
                    answer = await step.link.connected(step.deadline)
                elif type(step) is Send:
                    answer = await _send(step.requests)
                else:
                    assert type(step) is Pause
                    await asyncio.sleep(step.seconds)
            except TierError as error:
                failure = error

    def of(self, where: Where) -> LoopLink:
        """Return the connection to a member, which may have to be opened yet."""
        link = self._links.get(where)
        if link is None:
            if self._closed:
                raise self._settings.closed()
            link = self._links[where] = LoopLink(self._settings_of(where))
        return link

    def leave(self, those: Iterable[Where]) -> None:
        """Close the connections to some members, and forget them."""
        for where in those:
            link = self._links.pop(where, None)
            if link is not None:
                link.retire("it has no slots of the cluster any more")

    def sessions(self) -> list[NodeSession]:
        """Return the sessions that are open, or were last."""
        found = [link.session for link in self._links.values()]
        return [session for session in found if isinstance(session, NodeSession)]

    def close(self) -> None:
        """Close the connections, on their own loop."""
        self._closed = True
        for link in self._links.values():
            link.close()

    async def closed(self) -> None:
        """Wait until the connections are closed."""
        for link in list(self._links.values()):
            await link.closed()

    def close_soon(self) -> None:
        """Have its loop close them; called from anywhere."""
        self._closed = True
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.close)

    def forget(self) -> None:
        """In a child after a fork: nothing is watched."""
        for session in self.sessions():
            session.feed.forget()


async def _send(requests: list[tuple[NodeSession, Request]]) -> list[Any]:
    """Send requests; wait for the outcome of each."""
    futures = [session.carrier.submit(request) for session, request in requests]
    try:
        return [await future for future in futures]
    except asyncio.CancelledError:
        for (session, _), future in zip(requests, futures, strict=True):
            future.cancel()
            session.exchange.abandoned = True
        raise
