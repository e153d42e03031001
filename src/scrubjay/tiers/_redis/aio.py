"""The driver for asyncio: one connection for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis.backoff import Backoff
from scrubjay.tiers._redis.exchange import NOBODY, Request
from scrubjay.tiers._redis.operations import Operation
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.settings import STALL_FACTOR, Settings

_T = TypeVar("_T")


class Call(Request):
    """A command that waits for its own reply, and has a function called with it.

    Args:
        wire: by which it is sent.
        payload: the command as bytes.
        deadline: monotonic time at which there is an error instead.
        told: the function.
    """

    def __init__(
        self, wire: Wire, payload: bytes, deadline: float, told: Callable[[Any], object]
    ) -> None:
        self.payload = payload
        self.count = 1
        self.deadline = deadline
        self.waiter = self
        self._wire = wire
        self._told = told
        self._over = False

    def done(self) -> bool:
        """Tell whether the outcome is known."""
        return self._over

    def set_result(self, result: Any, /) -> None:
        """Take the outcome."""
        self._over = True
        self.waiter = None
        self._wire.tell_later(self._told, result)


class Wire(asyncio.Protocol):
    """A transport that carries an exchange.

    What is submitted within one turn of the loop is written together at its end. What is
    called for is written at once.
    """

    def __init__(self, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._session = session
        self._exchange = session.exchange
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._beat_timer: asyncio.TimerHandle | None = None
        session.on_beating = self._beat_later
        self._receiving = False
        self._outcomes: deque[tuple[Callable[[Any], object], Any]] = deque()
        #: done when the transport is
        self.ended = self._loop.create_future()

    def submit(self, request: Request) -> asyncio.Future[Any]:
        """Send a request; return the future of its replies, or of an error."""
        future: asyncio.Future[Any] = self._loop.create_future()
        exchange = self._exchange
        if exchange.lost or request.shared:
            exchange.submit(request, future)
        else:
            request.waiter = future
            exchange.unsent.append(request)  # what submit does, without the call
        if request.deadline > self._session.touch_at:
            exchange.submit(self._session.touch(request.deadline), NOBODY)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        if self._timer is None or request.deadline < self._timer_at:
            self._arm(request.deadline)
        return future

    def call(self, payload: bytes, deadline: float, told: Callable[[Any], object]) -> None:
        """Send a command at once, and have the event loop call a function, which must not wait.

        Args:
            payload: the command as bytes.
            deadline: monotonic time at which there is an error instead of a reply.
            told: called with the list of replies, or an error, when nothing else goes on here.
        """
        exchange, transport = self._exchange, self._transport
        request = Call(self, payload, deadline, told)
        if exchange.lost:
            exchange.submit(request, request)
            return
        if transport is None or self._paused or exchange.unsent:
            exchange.unsent.append(request)
            self._flush()
        else:
            transport.write(exchange.take_one(request, monotonic()))
        if deadline > self._session.touch_at:
            exchange.submit(self._session.touch(deadline), NOBODY)
            self._flush()
        if self._timer is None or deadline < self._timer_at:
            self._arm(deadline)

    def tell_later(self, told: Callable[[Any], object], outcome: Any) -> None:
        """Have a function called when nothing else goes on here."""
        if not self._receiving and not self._outcomes:
            self._loop.call_soon(self._tell)
        self._outcomes.append((told, outcome))

    def _tell(self) -> None:
        try:
            while self._outcomes:
                told, outcome = self._outcomes.popleft()
                told(outcome)
        finally:
            if self._outcomes:  # the loop is interrupted, and may go on
                self._loop.call_soon(self._tell)

    def lose(self, error: TierError) -> None:
        """Give the connection up."""
        self._exchange.lose(lambda: type(error)(str(error)))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._beat_timer is not None:
            self._beat_timer.cancel()
            self._beat_timer = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        own = transport.get_extra_info("socket")
        if own is not None and own.family != getattr(socket, "AF_UNIX", None):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        exchange = self._exchange
        self._receiving = True
        try:
            exchange.receive(data, monotonic())
        except BaseException:
            if self._outcomes:  # as in `_tell`
                self._loop.call_soon(self._tell)
            raise
        finally:
            self._receiving = False
        if exchange.unsent and not self._flushing:  # it was held back until now
            self._flushing = True
            self._loop.call_soon(self._flush)
        if exchange.lost and self._transport is not None:
            self._transport.abort()
        if self._outcomes:
            self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everyone who waits."""
        self.lose(self._settings.gone(str(error) if error else "the server closed it"))
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        """Keep what is to be written."""
        self._paused = True

    def resume_writing(self) -> None:
        """Write it."""
        self._paused = False
        self._flush()

    def _flush(self) -> None:
        self._flushing = False
        if self._paused or self._transport is None:
            return
        payload = self._exchange.take(monotonic())
        if payload:
            self._transport.write(payload)

    def _beat_later(self) -> None:
        if not self._exchange.lost:
            self._beat_timer = self._loop.call_later(self._settings.heartbeat, self._beat)

    def _beat(self) -> None:
        deadline = monotonic() + self._settings.timeout
        self._exchange.submit(self._session.heartbeat(deadline), NOBODY)
        self._flush()
        if self._timer is None or deadline < self._timer_at:
            self._arm(deadline)
        self._beat_later()

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = monotonic()
        soonest = self._exchange.expire(now, self._settings.late)
        if self._exchange.stalled(now, STALL_FACTOR * self._settings.timeout):
            self.lose(self._settings.gone("the server does not answer"))
        elif soonest is not None:
            self._arm(max(soonest, now + 0.001))


class LoopLink:
    """The connection of one event loop, made anew whenever it is lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._timeout = settings.timeout
        self._backoff = Backoff()
        #: the connection that is open, or was open last
        self.session: Session | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closed: Callable[[], TierError] | None = None  # makes the error for who comes then

    @property
    def over(self) -> bool:
        """Whether its loop runs no more."""
        return self._loop.is_closed()

    def current(self) -> Session | None:
        """Return the session if it is ready."""
        session = self.session
        if session is None or session.exchange.lost or session.outdated:
            return None
        return session

    async def run(self, operation: Operation[_T], /, deadline: float | None = None) -> _T:
        """Carry an operation out, until a monotonic time; return what it returns."""
        if deadline is None:
            deadline = monotonic() + self._timeout
        answer: Any = None
        failure: BaseException | None = None
        session: Any = None
        while True:
            try:
                step = operation.send(answer) if failure is None else operation.throw(failure)
            except StopIteration as end:
                result: _T = end.value
                return result
            answer = failure = None
            try:
                if step is None:
                    session = self.session
                    if session is None or session.exchange.lost or session.outdated:
                        session = await self.connected(deadline)
                    answer = session
                    continue
                step.deadline = deadline
                answer = await session.carrier.submit(step)
                if type(answer) is not list:
                    answer, failure = None, answer
            except TierError as error:
                failure = error
            except asyncio.CancelledError:
                if session is not None:
                    session.exchange.abandoned = True
                raise

    def close(self) -> None:
        """Close the connection, on its own loop."""
        self._end(self._settings.closed)

    def retire(self, reason: str) -> None:
        """Close the connection for good, as its server is of no more use."""
        self._end(lambda: self._settings.gone(reason))

    def _end(self, why: Callable[[], TierError]) -> None:
        self._closed = why
        if self._opening is not None:
            self._opening.cancel()
        if self.session is not None:
            self.session.carrier.lose(why())

    async def closed(self) -> None:
        """Wait until the connection is closed."""
        if self._opening is not None:
            await asyncio.wait((self._opening,))
        if self.session is not None:
            await self.session.carrier.ended

    def forget(self) -> None:
        """In a child after a fork: nothing is watched."""
        if self.session is not None:
            self.session.feed.forget()

    def close_soon(self) -> None:
        """Have its loop close it; called from anywhere."""
        self._closed = self._settings.closed
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.close)

    async def connected(self, deadline: float) -> Session:
        """Return a session that is ready."""
        settings = self._settings
        if self.session is not None and self.session.outdated:
            self.session.carrier.lose(settings.gone("the server is not what it was"))
        while self.session is None or self.session.exchange.lost:
            if self._closed is not None:
                raise self._closed()
            now = monotonic()
            if now >= deadline:
                raise settings.late()
            if self._opening is None:
                left = self._backoff.left(now)
                if left > 0:
                    raise settings.waiting(left, self._backoff.reason)
                self._opening = self._loop.create_task(self._open())
                self._opening.add_done_callback(_look_at)
            opening = self._opening
            await asyncio.wait((opening,), timeout=deadline - now)
            if opening.done() and not opening.cancelled():
                opening.result()
        return self.session

    async def _open(self) -> None:
        try:
            await asyncio.wait_for(self._connect(), self._settings.connect_timeout)
            self._backoff.succeeded()
        except TierError as error:
            self._backoff.failed(monotonic(), str(error))
            raise
        except (OSError, asyncio.TimeoutError) as error:
            failure = self._settings.unreachable(error)
            self._backoff.failed(monotonic(), str(failure))
            raise failure from error
        finally:
            self._opening = None

    async def _connect(self) -> None:
        settings, address = self._settings, self._settings.address
        session = settings.session()
        wired = session.carrier = Wire(settings, session)
        try:
            if address.path:
                await self._loop.create_unix_connection(lambda: wired, address.path)
            else:
                await self._loop.create_connection(
                    lambda: wired, address.host, address.port, ssl=address.tls
                )
            handshake = session.begin(address, settings.client_name, self.session)
            replies: Any = None
            while True:
                try:
                    request = handshake.send(replies)
                except StopIteration:
                    break
                request.deadline = monotonic() + settings.connect_timeout
                replies = await wired.submit(request)
                if isinstance(replies, TierError):
                    raise replies  # noqa: TRY301 - what has been opened is closed below
        except BaseException:
            wired.lose(settings.gone("it was never complete"))
            raise
        self.session = session
        if self._closed is not None:
            self._end(self._closed)


def _look_at(task: asyncio.Task[None]) -> None:
    """See an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
