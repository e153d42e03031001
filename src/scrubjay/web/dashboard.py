"""Opens the live page for a cache, or for all caches that announced themselves."""

from __future__ import annotations

import operator
import os
import threading
import weakref
from typing import Any

from scrubjay.closing import Closing
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.observe.roster import store_of
from scrubjay.web.access import Access, checked
from scrubjay.web.gathering import Gatherer
from scrubjay.web.local import process
from scrubjay.web.nodes import Nodes
from scrubjay.web.server import PageServer

PORT = 8710
LOOPBACK = "127.0.0.1"
_open: dict[tuple[str, int], Dashboard] = {}  # by host and port


class Dashboard(Closing):
    """The live page, served until it is closed; also a context manager.

    Args:
        port: the port; 0 for any that is free.
        host: the address to listen on.
        token: what who looks must show; needed on an address that others can reach.
        local: whether caches of this process are shown.
        machine: whether caches are shown that other processes announced.
        nodes: further nodes that are shown.

    Attributes:
        url: where the page is, without the token.

    Raises:
        InvalidArgumentError: an argument makes no sense, or a token is missing.
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        port: int = PORT,
        host: str = LOOPBACK,
        token: str | None = None,
        *,
        local: bool = True,
        machine: bool = True,
        nodes: Nodes | None = None,
    ) -> None:
        checked(host, token)
        self._shown: list[weakref.ref[Any]] = []
        self.token = token
        self._gatherer = Gatherer(process.local if local else None, machine, nodes)
        self._server = PageServer(host, _port(port), self._gatherer, Access(token))
        self.host = host
        self.port: int = self._server.server_address[1]
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.port}/"
        self._gatherer.look(afar=False)  # it would not do to wait for others here
        self._gatherer.start()
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="scrubjay-dashboard",
            daemon=True,
        ).start()

    def show(self, cache: Any) -> Dashboard:
        """Show a cache of this process, too; return itself."""
        with process.lock:
            process.local.add(cache)
        self._shown.append(weakref.ref(store_of(cache)))
        self._gatherer.look(afar=False)
        return self

    def close(self) -> None:
        """Serve it no more."""
        if self._gatherer.closed:
            return
        self._gatherer.close()
        _open.pop((self.host, self.port), None)
        self._server.shutdown()
        self._server.server_close()
        for reference in self._shown:
            cache = reference()
            if cache is not None:
                with process.lock:
                    process.local.remove(cache)

    @property
    def closed(self) -> bool:
        """Whether it is served no more."""
        return self._gatherer.closed

    def __repr__(self) -> str:
        return f"<Dashboard {self.url}{' (closed)' if self.closed else ''}>"


def _port(value: Any) -> int:
    try:
        port = operator.index(value)
    except TypeError:
        raise InvalidArgumentTypeError(f"port: {value!r} is not a whole number") from None
    if isinstance(value, bool) or not 0 <= port <= 65_535:
        raise InvalidArgumentError(f"port: {value!r} is not from 0 to 65,535")
    return port


def _forked() -> None:
    """Leave the pages of the parent to the parent."""
    for dashboard in _open.values():
        dashboard._server.socket.close()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def open_dashboard(cache: Any, port: int, host: str, token: str | None) -> Dashboard:
    """Show a cache on the page of this process at an address, which is opened if need be."""
    with process.lock:
        dashboard = _open.get((host, _port(port)))
        if dashboard is None:
            dashboard = Dashboard(port, host, token)
            _open[host, dashboard.port] = dashboard
        elif dashboard.token != token:
            raise InvalidArgumentError("token: the page at this address has another one")
        return dashboard.show(cache)
