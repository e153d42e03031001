"""The driver of a cluster for threads: a `ThreadLink` to each primary."""

from __future__ import annotations

import time
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis.cluster_links import ClusterLinks
from scrubjay.tiers._redis.errands import Connect, Pause, Send, Split
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.threads import ThreadLink

_T = TypeVar("_T")


class ThreadCluster(ClusterLinks[ThreadLink]):
    """The connections of all threads to the members of a cluster; see `ClusterLinks`."""

    kind = ThreadLink

    def run(self, split: Split[_T], /) -> _T:
        """Carry an operation out; return what it returns."""
        steps = self._course.run(split, monotonic() + self._settings.timeout)
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
                    answer = step.link.connected(step.deadline)
                elif type(step) is Send:
                    answer = self._send(step.requests)
                else:
                    assert type(step) is Pause
                    time.sleep(step.seconds)
            except TierError as error:
                failure = error

    def _send(self, requests: list[tuple[NodeSession, Request]]) -> list[Any]:
        """Send requests; wait for the outcome of each."""
        begun: list[tuple[ThreadLink, NodeSession, Request, Any]] = []
        outcomes: list[Any] = []
        try:
            for session, request in requests:
                link = self.of(session.where)
                begun.append((link, session, request, link.begin(session, request)))
            for link, session, request, ticket in begun:
                outcomes.append(link.finish(session, request, ticket))
        except BaseException:
            for link, session, _, ticket in begun[len(outcomes) :]:
                link.give_up(session, ticket)
            raise
        return outcomes
