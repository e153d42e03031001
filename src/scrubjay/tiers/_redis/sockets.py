"""Blocking sockets: dialing a server, waiting for one, and the introduction on it."""

from __future__ import annotations

import select
import socket
from time import monotonic
from typing import Any

from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.tickets import Ticket

CHUNK = 64 * 1024  # bytes read at a time


def wait(descriptor: int, seconds: float, *, reads: bool, writes: bool) -> None:
    """Wait until a socket can be read or written to, whichever is wanted."""
    if hasattr(select, "poll"):
        waits = select.poll()
        waits.register(
            descriptor, (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0)
        )
        waits.poll(seconds * 1000.0 + 1.0)
    else:  # Windows
        select.select([descriptor] if reads else [], [descriptor] if writes else [], [], seconds)


def connect(address: Address, deadline: float) -> Any:
    """Return a socket that is connected to a server, encrypted if it has to be.

    Args:
        address: the server.
        deadline: monotonic time by which it is.

    Raises:
        OSError: it cannot be reached.
    """
    left = max(0.001, deadline - monotonic())
    if address.path:
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.settimeout(left)
            own.connect(address.path)
        except BaseException:
            own.close()
            raise
        return own
    own = _dial(address, deadline)
    try:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if address.tls is not None:
            own.settimeout(max(0.001, deadline - monotonic()))
            return address.tls.wrap_socket(own, server_hostname=address.host)
    except BaseException:
        own.close()
        raise
    return own


def _dial(address: Address, deadline: float) -> Any:
    """Connect to the first address of a host that answers, within the time for all of them."""
    failure = OSError("it has no address")
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, where in found:
        own = socket.socket(family, kind, protocol)
        try:
            own.settimeout(max(0.001, deadline - monotonic()))
            own.connect(where)
        except OSError as error:
            own.close()
            failure = error
        else:
            return own
    raise failure


def introduce(session: Session, own: Any, request: Request, deadline: float) -> list[Any]:
    """Send a request of the handshake and wait for its replies."""
    ticket = Ticket()
    session.exchange.submit(request, ticket)
    own.settimeout(max(0.001, deadline - monotonic()))
    own.sendall(session.exchange.take(monotonic()))
    while ticket.result is None:
        own.settimeout(max(0.001, deadline - monotonic()))
        data = own.recv(CHUNK)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        session.exchange.receive(data, monotonic())
    if type(ticket.result) is not list:
        raise ticket.result
    return ticket.result
