"""The driver for threads: one connection that all of them share.

Whoever waits and finds nobody reading reads for all, until his own replies have come, and
then passes that on to another who waits. So a thread alone sends and receives by itself,
with no change of threads in between. While nobody waits nobody reads, until somebody wants
to be told of changes: then a thread of its own listens in between.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError
from scrubjay.tiers._redis import sockets
from scrubjay.tiers._redis.backoff import Backoff
from scrubjay.tiers._redis.exchange import NOBODY, Request
from scrubjay.tiers._redis.listening import listen
from scrubjay.tiers._redis.operations import Operation
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.settings import STALL_FACTOR, Settings
from scrubjay.tiers._redis.tickets import Ticket
from scrubjay.tiers.one_use import OneUse

_T = TypeVar("_T")

_PAUSE = 0.002  # seconds that a listener leaves the reading to those who wait


class ThreadLink:
    """The connection of all threads, made anew whenever it is lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = OneUse()  # over everything below; nobody waits while holding it
        self._changed = threading.Condition(self._lock)  # type: ignore[arg-type]
        self._backoff = Backoff()
        self._session: Session | None = None
        self._socket: Any = None
        self._unwritten: bytes | memoryview = b""
        self._waiting: dict[Ticket, None] = {}
        self._reading = False
        self._opening = False
        self._closed: Callable[[], TierError] | None = None  # makes the error for who comes then

    def run(self, operation: Operation[_T], /) -> _T:
        """Carry an operation out; return what it returns."""
        deadline = monotonic() + self._settings.timeout
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
                    answer = session = self.connected(deadline)
                else:
                    step.deadline = deadline
                    answer = self._ask(session, step)
            except TierError as error:
                failure = error

    def close(self) -> None:
        """Close the connection; whoever waits is told."""
        self._end(self._settings.closed)

    def retire(self, reason: str) -> None:
        """Close the connection for good, as its server is of no more use."""
        self._end(lambda: self._settings.gone(reason))

    def _end(self, why: Callable[[], TierError]) -> None:
        with self._lock:
            self._closed = why
            self._lose(why())
            self._changed.notify_all()

    def forget(self) -> None:
        """In a child after a fork: leave the parent's connection alone."""
        own, closed = self._socket, self._closed
        if self._session is not None:
            self._session.feed.forget()
        self.__init__(self._settings)  # type: ignore[misc]
        self._closed = closed
        if own is not None:
            os.close(own.detach())  # as it is: the server must not be told that it ends

    # ---- listening

    def overhear(self, session: Session, seconds: float) -> bool:
        """Read what comes within some time, unless somebody else reads; see `listening`.

        Returns:
            Whether the session goes on.
        """
        with self._lock:
            if session is not self._session or session.exchange.lost:
                return False
            busy, descriptor = self._reading, self._socket.fileno()
        if busy:
            time.sleep(_PAUSE)
            return True
        sockets.wait(descriptor, seconds, reads=True, writes=False)
        with self._lock:
            if session is self._session and not session.exchange.lost:
                busy = self._reading
                if not busy:
                    self._receive(session)
                    self._write(session)
                stall = STALL_FACTOR * self._settings.timeout
                if session.exchange.stalled(monotonic(), stall):
                    self._lose(self._settings.gone("the server does not answer"))
        if busy:
            time.sleep(_PAUSE)
        return True

    def beat(self, session: Session) -> None:
        """Ask whether the server is there."""
        with self._lock:
            if session is self._session and not session.exchange.lost:
                heartbeat = session.heartbeat(monotonic() + self._settings.timeout)
                session.exchange.submit(heartbeat, NOBODY)
                self._write(session)

    # ---- requests

    def current(self) -> Session | None:
        """Return the session if it is ready."""
        session = self._session
        if session is None or session.exchange.lost or session.outdated:
            return None
        return session

    def begin(self, session: Session, request: Request) -> Ticket:
        """Send a request; `finish` has to be called for it."""
        ticket = Ticket()
        with self._lock:
            self._submit(session, request, ticket)
        return ticket

    def finish(self, session: Session, request: Request, ticket: Ticket) -> Any:
        """Wait for what was begun; return the replies, or an error."""
        try:
            return self._outcome(session, request, ticket, submitted=True)
        except TierError as error:
            return error

    def give_up(self, session: Session, ticket: Ticket) -> None:
        """Wait no more for what was begun."""
        self._leave(session, ticket)

    def _ask(self, session: Session, request: Request) -> list[Any]:
        return self._outcome(session, request, Ticket())

    def _submit(self, session: Session, request: Request, ticket: Ticket) -> None:
        exchange = session.exchange
        if session is self._session and exchange.idle and not self._reading:
            self._receive(session)  # a server that hung up is noticed before writing
        exchange.submit(request, ticket)
        if request.deadline > session.touch_at:
            exchange.submit(session.touch(request.deadline), NOBODY)
        self._write(session)

    def _outcome(
        self, session: Session, request: Request, ticket: Ticket, *, submitted: bool = False
    ) -> list[Any]:
        try:
            with self._lock:
                if not submitted:
                    self._submit(session, request, ticket)
                if self._reading:
                    self._waiting[ticket] = None
                elif ticket.result is None:
                    self._reading = ticket.reads = True
                stuck = not ticket.reads and bool(self._unwritten)
            if stuck:
                self._write_all(session, ticket, request.deadline)
            if not ticket.reads:
                ticket.wait(request.deadline - monotonic())
            if ticket.reads:
                self._read_for_all(session, ticket, request.deadline)
        finally:
            self._leave(session, ticket)
        result = ticket.result
        if result is None:
            raise self._settings.late()
        if type(result) is not list:
            raise result
        return result

    def _write_all(self, session: Session, ticket: Ticket, deadline: float) -> None:
        """Write what the socket does not take at once, as who reads does not look for that."""
        while ticket.result is None and not ticket.reads and (left := deadline - monotonic()) > 0:
            with self._lock:
                if session is not self._session or session.exchange.lost or not self._unwritten:
                    return
                descriptor = self._socket.fileno()
            sockets.wait(descriptor, left, reads=False, writes=True)
            with self._lock:
                self._write(session)

    def _read_for_all(self, session: Session, ticket: Ticket, deadline: float) -> None:
        while ticket.result is None:
            left = deadline - monotonic()
            if left <= 0:
                return
            with self._lock:
                own, writes = self._socket, bool(self._unwritten)
                if session is not self._session or session.exchange.lost:
                    return
                descriptor = own.fileno()
                buffered = isinstance(own, ssl.SSLSocket) and own.pending() > 0
            if not buffered:
                sockets.wait(descriptor, left, reads=True, writes=writes)
            with self._lock:
                if session is self._session:
                    self._receive(session)
                    self._write(session)

    def _leave(self, session: Session, ticket: Ticket) -> None:
        """Wait no more; have another read if this thread did."""
        with self._lock:
            ticket.gone = True
            self._waiting.pop(ticket, None)
            if ticket.result is None:
                session.exchange.abandoned = True
                now = monotonic()
                stall = STALL_FACTOR * self._settings.timeout
                if session is self._session and session.exchange.stalled(now, stall):
                    self._lose(self._settings.gone("the server does not answer"))
            if ticket.reads:
                self._reading = False
                for other in self._waiting:
                    if other.result is None:
                        self._reading = True
                        del self._waiting[other]
                        other.appoint()
                        break

    # ---- the socket; all of it under the lock, none of it waits

    def _write(self, session: Session) -> None:
        if session is not self._session:
            return
        payload = self._unwritten
        if not payload:
            payload = session.exchange.take(monotonic())
        while payload:
            try:
                written = self._socket.send(payload)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                self._lose(self._settings.gone(str(error)))
                return
            payload = memoryview(payload)[written:] or session.exchange.take(monotonic())
        self._unwritten = payload

    def _receive(self, session: Session) -> None:
        while not session.exchange.lost:
            try:
                data = self._socket.recv(sockets.CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._lose(self._settings.gone(str(error)))
                return
            if not data:
                self._lose(self._settings.gone("the server closed it"))
                return
            session.exchange.receive(data, monotonic())
            if len(data) < sockets.CHUNK and not isinstance(self._socket, ssl.SSLSocket):
                return

    def _lose(self, error: TierError) -> None:
        if self._session is not None:
            self._session.exchange.lose(lambda: type(error)(str(error)))
        self._hang_up()

    def _hang_up(self) -> None:
        own = self._socket
        self._unwritten, self._socket = b"", None
        if own is not None:
            with contextlib.suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)  # wakes who reads for all
            own.close()

    # ---- connecting

    def connected(self, deadline: float) -> Session:
        """Return a session that is ready."""
        settings = self._settings
        session = self._session
        if session is not None and not (session.exchange.lost or session.outdated):
            return session
        with self._lock:
            if self._session is not None and self._session.outdated:
                self._lose(settings.gone("the server is not what it was"))
            while True:
                if self._closed is not None:
                    raise self._closed()
                session = self._session
                if session is not None and not session.exchange.lost:
                    return session
                now = monotonic()
                if now >= deadline:
                    raise settings.late()
                if not self._opening:
                    break
                self._changed.wait(deadline - now)
            left = self._backoff.left(now)
            if left > 0:
                raise settings.waiting(left, self._backoff.reason)
            self._opening = True
        opened, reason = None, ""
        try:
            opened = self._open(min(deadline, now + settings.connect_timeout))
            return opened[0]
        except TierError as error:
            reason = str(error)
            raise
        finally:
            with self._lock:
                self._opening = False
                if opened is None:
                    self._backoff.failed(monotonic(), reason)
                else:
                    self._backoff.succeeded()
                    self._hang_up()
                    self._session, self._socket = opened
                    if self._closed is not None:
                        self._lose(self._closed())
                self._changed.notify_all()

    def _open(self, deadline: float) -> tuple[Session, Any]:
        settings = self._settings
        session = settings.session()
        session.on_beating = lambda: listen(self, session, settings.heartbeat)
        own = None
        try:
            own = sockets.connect(settings.address, deadline)
            handshake = session.begin(settings.address, settings.client_name, self._session)
            replies: Any = None
            while True:
                try:
                    request = handshake.send(replies)
                except StopIteration:
                    break
                replies = sockets.introduce(session, own, request, deadline)
            own.setblocking(False)
        except OSError as error:
            if own is not None:
                own.close()
            if isinstance(error, TierError):
                raise
            raise settings.unreachable(error) from error
        except BaseException:
            if own is not None:
                own.close()
            raise
        return session, own
