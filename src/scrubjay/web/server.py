"""The server of the live page: a few paths, all of them only to be read.

| path | what it is |
|---|---|
| ``/`` | the page |
| ``/feed?cache=ID`` | server-sent events: ``overview``, ``notices`` and ``detail`` once a second |
| ``/overview`` | the same rows once, as JSON |
| ``/notices`` | what could not be seen, for people, as JSON |
| ``/detail?cache=ID`` | all about one cache, as JSON |
| ``/key?cache=ID&key=TEXT`` | what is known of a key, as JSON |
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrubjay.web.access import COOKIE, Access
from scrubjay.web.gathering import Gatherer
from scrubjay.web.page import page

_log = logging.getLogger("scrubjay")
_PATIENCE = 30.0  # seconds without a word of a client
_QUIET = 15.0  # seconds after which a feed says that it lives
_MOST_FEEDS = 32
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page to those who may look.

    Args:
        host: the address to listen on.
        port: the port; 0 for any that is free.
        gatherer: who knows the caches.
        access: who may look.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, host: str, port: int, gatherer: Gatherer, access: Access) -> None:
        self.gatherer = gatherer
        self.access = access
        self.feeds = threading.Semaphore(_MOST_FEEDS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Listen, without asking a name server what the address is called."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what a request failed with; a client that has gone is no failure."""
        _log.debug("a request to the live page failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    server: PageServer
    server_version = "scrubjay"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Answer a request."""
        address = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(address.query).items()}
        if "token" in asked and address.path == "/":
            self._take_token(asked["token"])
        elif not self._allowed():
            self._refuse()
        elif address.path == "/":
            self._send(
                page().body, "text/html; charset=utf-8", {"Content-Security-Policy": page().policy}
            )
        elif address.path == "/feed":
            self._feed(asked.get("cache", ""))
        else:
            self._send_json(self._answer(address.path, asked))

    def _answer(self, path: str, asked: dict[str, str]) -> Any:
        gatherer = self.server.gatherer
        cache = asked.get("cache", "")
        match path:
            case "/overview":
                return gatherer.rows()
            case "/notices":
                return gatherer.notices()
            case "/detail":
                return gatherer.detail(cache)
            case "/key":
                return gatherer.inspect(cache, asked.get("key", ""))
        return None

    def _allowed(self) -> bool:
        return self.server.access.allows(
            self.client_address[0],
            self.headers.get("Host"),
            self.headers.get("Authorization", ""),
            self.headers.get("Cookie", ""),
        )

    def _take_token(self, token: str) -> None:
        """Put a token that fits into a cookie, and take it out of the address."""
        if not self.server.access.matches(token):
            self._refuse()
            return
        cookie: SimpleCookie = SimpleCookie()
        cookie[COOKIE] = token
        cookie[COOKIE]["httponly"] = True
        cookie[COOKIE]["samesite"] = "Strict"
        cookie[COOKIE]["path"] = "/"
        headers = {"Location": "/", "Set-Cookie": cookie[COOKIE].OutputString()}
        self._send(b"", "text/plain", headers, HTTPStatus.SEE_OTHER)

    def _refuse(self) -> None:
        text = b"This page wants a token: open it with ?token=... or send it as a bearer token.\n"
        headers = {"WWW-Authenticate": "Bearer"}
        self._send(text, "text/plain; charset=utf-8", headers, HTTPStatus.UNAUTHORIZED)

    def _send_json(self, answer: Any) -> None:
        status = HTTPStatus.NOT_FOUND if answer is None else HTTPStatus.OK
        self._send(_json(answer), "application/json", {}, status)

    def _send(
        self,
        body: bytes,
        kind: str,
        headers: dict[str, str],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _feed(self, cache: str) -> None:
        """Send what happens until the client goes."""
        if not self.server.feeds.acquire(blocking=False):
            self._send(b"", "text/plain", {"Retry-After": "10"}, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self.close_connection = True
            self.send_response(HTTPStatus.OK)
            kind = {"Content-Type": "text/event-stream", "Connection": "close"}
            for name, value in {**_HEADERS, **kind}.items():
                self.send_header(name, value)
            self.end_headers()
            self._stream(cache)
        except OSError:  # the client has gone
            pass
        finally:
            self.server.feeds.release()

    def _stream(self, cache: str) -> None:
        gatherer = self.server.gatherer
        seen = -1
        self._tell("history", {"id": cache, "samples": gatherer.samples(cache)})
        while not gatherer.closed:
            last, seen = seen, gatherer.wait(seen, _QUIET)
            if seen == last:
                self.wfile.write(b": still here\n\n")
                continue
            self._tell("overview", gatherer.rows())
            self._tell("notices", gatherer.notices())
            if cache:
                self._tell("detail", gatherer.detail(cache))

    def _tell(self, event: str, data: Any) -> None:
        self.wfile.write(b"event: %s\ndata: %s\n\n" % (event.encode(), _json(data)))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base
        """Log nothing: addresses have keys in them, and perhaps the token."""


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, separators=(",", ":")).encode()
