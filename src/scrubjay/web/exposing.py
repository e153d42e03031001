"""Lets other processes of this user look at caches of this one."""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.observe.roster import store_of
from scrubjay.web import places
from scrubjay.web.asking import answer, read_line
from scrubjay.web.local import Local, process
from scrubjay.web.publishing import publish

_log = logging.getLogger("scrubjay")
_PATIENCE = 2.0  # seconds that somebody who asks may take


class Announcement:
    """A socket on which this process answers, in a thread of its own.

    Only this user can connect: the socket has mode 0600, in a directory of mode 0700.

    Args:
        local: the caches that it tells of.

    Raises:
        CacheError: there is no safe place for the socket.
    """

    def __init__(self, local: Local) -> None:
        self._local = local
        self._owner = os.getpid()
        self._path: Path = places.own_socket()
        with suppress(FileNotFoundError):
            self._path.unlink()  # of an earlier process with our number
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(os.fspath(self._path))
            self._path.chmod(0o600)
            self._socket.listen(8)
        except OSError:
            self._socket.close()
            raise
        atexit.register(self.close)
        threading.Thread(target=self._serve, name="scrubjay-announcement", daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it was closed
                return
            with connection:
                try:
                    connection.settimeout(_PATIENCE)
                    told = answer(self._local, json.loads(read_line(connection)))
                    connection.sendall(json.dumps(told, default=str).encode() + b"\n")
                except (OSError, ValueError):
                    continue  # who asks has gone, or asks nonsense
                except Exception:
                    _log.exception("telling of caches failed")

    def close(self) -> None:
        """Answer no more."""
        atexit.unregister(self.close)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._socket.close()
        if self._owner == os.getpid():  # a child must not take its parent's away
            with suppress(OSError):
                self._path.unlink()


class _Announced:
    """The announcement of this process, if there is one."""

    def __init__(self) -> None:
        self.announcement: Announcement | None = None

    def forked(self) -> None:
        """Leave the parent's socket to the parent."""
        announcement, self.announcement = self.announcement, None
        if announcement is not None:
            atexit.unregister(announcement.close)
            announcement._socket.close()


_announced = _Announced()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_announced.forked)


def expose(cache: Any, nodes: bool = False) -> Callable[[], None]:
    """Let `scrubjay dashboard` and `scrubjay top` of this user show a cache.

    Args:
        cache: the cache.
        nodes: whether it is told of in the tier that it shares with other nodes, too.

    Returns:
        A function that ends it.

    Raises:
        CacheError: this system has no sockets for it, or there is no safe place for one.
        InvalidArgumentError: `nodes` of a cache without such a tier.
    """
    if nodes and store_of(cache).node_board() is None:
        raise InvalidArgumentError("nodes: the cache has no tier that nodes share, such as Redis")
    if not hasattr(socket, "AF_UNIX"):
        raise CacheError("expose: this system has no Unix sockets; use `cache.dashboard`")
    with process.lock:
        process.local.add(cache)
        if _announced.announcement is None:
            try:
                _announced.announcement = Announcement(process.local)
            except BaseException:
                process.local.remove(cache)
                raise

    shown = [cache]
    told: list[Callable[[], None]] = []

    def end() -> None:
        while told:
            told.pop()()
        with process.lock:
            while shown:  # once
                process.local.remove(shown.pop())
            if not len(process.local) and _announced.announcement is not None:
                _announced.announcement.close()
                _announced.announcement = None

    if nodes:
        try:
            told.append(publish(cache))
        except BaseException:  # no thread could be started
            end()
            raise
    return end
