"""The driver of a cluster for threads: a `ThreadLink` to each primary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis.cluster import Course
from scrubjay.tiers._redis.errands import Connect, Links, Pause, Send, Split, Steps
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.threads import ThreadLink
from scrubjay.tiers._redis.topology import Where
from scrubjay.tiers.one_use import OneUse

_T = TypeVar("_T")


class ThreadCluster:
    """The connections of all threads to the members of a cluster.

    Args:
        settings: of the tier.
        settings_of: the same for one member.
        course: makes what decides, for the connections of a face.
    """

    def __init__(
        self,
        settings: Settings,
        settings_of: Callable[[Where], Settings],
        course: Callable[[Links], Course],
    ) -> None:
        self._settings = settings
        self._settings_of = settings_of
        self._links: dict[Where, ThreadLink] = {}
        self._lock = OneUse()
        self._closed = False
        self._course = course(self)

    def run(self, split: Split[_T], /) -> _T:
        """Carry an operation out; return what it returns."""
        deadline = monotonic() + self._settings.timeout
        return self._drive(self._course.run(split, deadline))

    def _drive(self, steps: Steps[_T]) -> _T:
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

    def of(self, where: Where) -> ThreadLink:
        """Return the connection to a member, which may have to be opened yet."""
        link = self._links.get(where)
        if link is None:
            with self._lock:
                if self._closed:
                    raise self._settings.closed()
                link = self._links.get(where)
                if link is None:
                    link = self._links[where] = ThreadLink(self._settings_of(where))
        return link

    def leave(self, those: Iterable[Where]) -> None:
        """Close the connections to some members, and forget them."""
        for where in those:
            link = self._links.pop(where, None)
            if link is not None:
                link.retire("it has no slots of the cluster any more")

    def sessions(self) -> list[NodeSession]:
        """Return the sessions that are ready."""
        found = [link.current() for link in list(self._links.values())]
        return [session for session in found if isinstance(session, NodeSession)]

    def close(self) -> None:
        """Close the connections; whoever waits is told."""
        with self._lock:
            self._closed = True
            links = list(self._links.values())
        for link in links:
            link.close()

    def forget(self) -> None:
        """In a child after a fork: leave the parent's connections alone."""
        self._lock = OneUse()
        for link in self._links.values():
            link.forget()
