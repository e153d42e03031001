"""The driver of a cluster for asyncio: a `LoopLink` to each primary, for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis.aio import LoopLink
from scrubjay.tiers._redis.cluster_links import ClusterLinks
from scrubjay.tiers._redis.errands import Connect, Pause, Send, Split
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.session import Session

_T = TypeVar("_T")


class LoopCluster(ClusterLinks[LoopLink]):
    """The connections of one event loop to the members of a cluster; see `ClusterLinks`."""

    kind = LoopLink
    #: there is no one session
    session: Session | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._loop = asyncio.get_running_loop()

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

    async def closed(self) -> None:
        """Wait until the connections are closed."""
        for link in list(self._links.values()):
            await link.closed()

    def close_soon(self) -> None:
        """Have their loop close them; called from anywhere."""
        self._closed = True
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.close)


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
