"""One connection's requests and replies, without its socket.

Requests go out in the order in which they are made and are answered in that order. Each
holds its place until all of its replies have come, whether or not anybody still waits:
an answer can never reach another request than its own. Everything here is called by one
thread at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from scrubjay.errors import TierError, TierUnavailableError
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.failures import CutOffError, UnsentError

Failure = Callable[[], TierError]


class Waiter(Protocol):
    """Who waits for a request: an `asyncio.Future` is one."""

    def done(self) -> bool:
        """Tell whether the outcome is known, or not wanted any more."""

    def set_result(self, result: Any, /) -> None:
        """Take the outcome: the list of replies, or an error."""


class Nobody:
    """Waits for a request whose replies are taken as they come."""

    def done(self) -> bool:
        """Tell that the request is wanted."""
        return False

    def set_result(self, result: Any, /) -> None:
        """Do nothing."""


NOBODY = Nobody()


class Waiters:
    """All who wait for the same request."""

    def __init__(self) -> None:
        self._all: list[Waiter] = []

    def add(self, waiter: Waiter) -> None:
        """Have one more wait."""
        self._all.append(waiter)

    def done(self) -> bool:
        """Tell whether nobody wants the outcome any more."""
        return all(waiter.done() for waiter in self._all)

    def set_result(self, result: Any, /) -> None:
        """Hand the outcome to everyone."""
        for waiter in self._all:
            if not waiter.done():
                waiter.set_result(result)


class Request:
    """Commands that are sent together, and their replies.

    Args:
        payload: the commands as bytes.
        count: how many they are, and so how many replies come.
        deadline: monotonic time at which the waiter is told that none came.
    """

    # Of the class, as most requests leave them as they are: it makes one quicker to make.
    replies: list[Any] = []  # noqa: RUF012 - that of one command stays empty
    waiter: Waiter | None = None
    #: called with the replies as they come, in wire order, even if nobody waits any more
    on_replies: Callable[[list[Any]], object] | None = None
    #: how many replies had come when `Exchange.cross` was first called; None if never
    crossed: int | None = None
    #: whether all who submit one before it is written get the replies of the same
    shared = False
    #: the generation that it goes by, in a cluster, where a connection has several
    scope: Any = None
    #: the number of the generation that what it writes has
    generation: int | None = None
    #: whether commands were sent on to other members of a cluster, so nothing is watched
    followed = False
    #: whether commands must not be sent on
    stays = False

    def __init__(self, payload: bytes, count: int, deadline: float = 0.0) -> None:
        self.payload = payload
        self.count = count
        self.deadline = deadline
        if count > 1:
            self.replies = []


class Shared(Request):
    """A request that is as good for all who want one before it is written.

    While one is under way the next is held back, and gathers those who come meanwhile.
    """

    shared = True


class Exchange:
    """The state of one connection between its opening and its loss.

    Args:
        on_push: called with each push message, in wire order with the replies.
        now: monotonic time.
    """

    def __init__(self, on_push: Callable[[list[Any]], object], now: float) -> None:
        self._reader = wire.reader()
        self._push = wire.hiredis().PushNotification
        self._on_push = on_push
        #: what has to be written yet
        self.unsent: list[Request] = []
        self._sent: deque[Request] = deque()
        self._failure: Failure | None = None
        self._joining: Request | None = None  # a shared one, not written yet
        self._joined: Request | None = None  # a shared one, written and not answered yet
        #: whether the connection is of no more use
        self.lost = False
        #: called when it is lost, before anybody else is told
        self.on_lost: Callable[[], object] | None = None
        #: whether somebody may have stopped to wait for what is not written yet
        self.abandoned = False
        #: when something last came, or was first awaited
        self.heard = now

    @property
    def idle(self) -> bool:
        """Whether no reply is awaited."""
        return not self._sent and not self.unsent

    def submit(self, request: Request, waiter: Waiter) -> None:
        """Put a request in line; its waiter is told at once if the connection is lost."""
        if self._failure is not None:
            waiter.set_result(_unsent(self._failure))
        elif request.shared:
            self._join(request, waiter)
        else:
            request.waiter = waiter
            self.unsent.append(request)

    def _join(self, request: Request, waiter: Waiter) -> None:
        joining = self._joining
        if joining is None or not isinstance(joining.waiter, Waiters):
            joining = self._joining = request
            request.waiter = Waiters()
            if self._joined is None:
                self.unsent.append(request)
        assert isinstance(joining.waiter, Waiters)
        joining.waiter.add(waiter)
        joining.deadline = max(joining.deadline, request.deadline)

    def take(self, now: float) -> bytes:
        """Return what is to be written next; it counts as written from now on.

        What nobody waits for any more is left out: it never happens.
        """
        unsent = self.unsent
        if not unsent:
            return b""
        if not self._sent:
            self.heard = now  # nothing could be heard before
        self.unsent = []
        if self.abandoned:
            self.abandoned = False
            unsent = [one for one in unsent if one.waiter is not None and not one.waiter.done()]
        if self._joining is not None and self._joined is None:
            joining, self._joining = self._joining, None
            if any(one is joining for one in unsent):
                self._joined = joining
        self._sent.extend(unsent)
        return b"".join([request.payload for request in unsent])

    def take_one(self, request: Request, now: float) -> bytes:
        """Return what a request is, to be written now, as nothing else waits to be written."""
        if not self._sent:
            self.heard = now
        self._sent.append(request)
        return request.payload

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes that came; hand complete replies to their waiters."""
        self.heard = now
        reader, sent, push = self._reader, self._sent, self._push
        try:
            reader.feed(data)
            gets, more = reader.gets, wire.MORE
            while (reply := gets()) is not more:
                if type(reply) is push:
                    self._on_push(reply)
                    continue
                request = sent[0]
                if request.count == 1:
                    replies = [reply]
                else:
                    replies = request.replies
                    replies.append(reply)
                    if len(replies) < request.count:
                        continue
                sent.popleft()
                if request.on_replies is not None:
                    request.on_replies(replies)
                if request is self._joined:
                    self._joined = None
                    if self._joining is not None:
                        self.unsent.append(self._joining)
                waiter = request.waiter
                if waiter is not None and not waiter.done():
                    waiter.set_result(replies)
        except Exception as error:  # hiredis.ProtocolError, or a reply that nobody asked for
            reason = f"{type(error).__name__}: {error}"
            self.lose(lambda: TierUnavailableError(f"the server does not speak RESP3: {reason}"))

    def cross(self, scope: Any = None) -> None:
        """Mark requests under way: something happened between them and their replies.

        Args:
            scope: of the requests; None for all.
        """
        for waiting in (self._sent, self.unsent):
            for request in waiting:
                if request.crossed is None and (scope is None or request.scope is scope):
                    request.crossed = len(request.replies)

    def expire(self, now: float, late: Failure) -> float | None:
        """Tell the waiters whose deadline has come; their requests stay in line.

        Args:
            now: monotonic time.
            late: makes the error.

        Returns:
            The next deadline; None if nobody waits.
        """
        soonest: float | None = None
        held = [] if self._joining is None or self._joined is None else [self._joining]
        for waiting in (list(self._sent), self.unsent, held):
            for request in waiting:
                waiter = request.waiter
                if waiter is None or waiter.done():
                    continue
                if request.deadline <= now:
                    request.waiter = None
                    self.abandoned = True
                    waiter.set_result(late())
                elif soonest is None or request.deadline < soonest:
                    soonest = request.deadline
        return soonest

    def stalled(self, now: float, seconds: float) -> bool:
        """Tell whether something is awaited and nothing at all has come for some time."""
        return bool(self._sent) and now - self.heard >= seconds

    def lose(self, failure: Failure) -> None:
        """Give the connection up: everyone who waits is told; nothing is sent any more.

        Args:
            failure: makes the error that says why.
        """
        if self._failure is not None:
            return
        self._failure = failure
        self.lost = True
        if self.on_lost is not None:
            self.on_lost()
        sent, unsent = self._sent, self.unsent
        self._sent, self.unsent = deque(), []
        if self._joining is not None and self._joined is not None:
            unsent.append(self._joining)
        self._joining = self._joined = None
        for request in sent:
            _tell(request, _cut_off(failure))
        for request in unsent:
            _tell(request, _unsent(failure))


def _tell(request: Request, error: TierError) -> None:
    waiter = request.waiter
    request.waiter = None
    if waiter is not None and not waiter.done():
        waiter.set_result(error)


def _cut_off(failure: Failure) -> TierError:
    error = failure()
    return CutOffError(str(error)) if type(error) is TierUnavailableError else error


def _unsent(failure: Failure) -> TierError:
    error = failure()
    return UnsentError(str(error)) if type(error) is TierUnavailableError else error
