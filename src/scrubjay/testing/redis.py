"""A Redis or Valkey server for tests: a process of its own, with nothing kept on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RedisServer"]

_PROGRAMS = ("redis-server", "valkey-server")
_HIGHEST_PORT = 55_535  # a member of a cluster uses the one 10,000 above as well
_PATIENCE = 20.0  # seconds to come up


class RedisServer:
    """A server that listens on a Unix socket and on a port of the loopback.

    Args:
        directory: for its files; a short path, as sockets have short names.
        options: more of its command line, such as `["--maxmemory", "10mb"]`.

    Raises:
        FileNotFoundError: neither Redis nor Valkey is installed.
        RuntimeError: it does not come up.
    """

    def __init__(self, directory: Path, options: Sequence[str] = ()) -> None:
        self.directory = directory
        self.socket = directory / "server.sock"
        self.port = self.free_port()
        self._options = [*options]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @staticmethod
    def program() -> str | None:
        """Return where the server's program is, None if it is not installed."""
        return next(filter(None, map(shutil.which, _PROGRAMS)), None)

    @staticmethod
    def free_port() -> int:
        """Return a port of the loopback that nobody listens on."""
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port <= _HIGHEST_PORT:
                return port

    @property
    def url(self) -> str:
        """The URL by its Unix socket."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        """The URL by its port."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty; wait until it listens."""
        program = self.program()
        if program is None:
            raise FileNotFoundError(
                "redis-server or valkey-server; on Debian: apt-get install redis-server"
            )
        log = self.directory / "server.log"
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        files = ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - the server, found on PATH
            [program, *own, *files, "--logfile", str(log), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + _PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the server did not come up: {log.read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Have it do nothing at all, as a machine that hangs, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None

    def _signal(self, number: int) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self.socket)) == 0
