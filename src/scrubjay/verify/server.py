"""The server that is verified: the user's own, or one that is started for it."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrubjay.closing import Closing
from scrubjay.errors import InvalidArgumentError, TierError, TierUnavailableError
from scrubjay.testing.redis import RedisServer
from scrubjay.tiers._redis import address, wire
from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.wire import Command

__all__ = ["Server"]

_PATIENCE = 5.0


class Server(Closing):
    """A server, and what is asked of it besides.

    Args:
        url: of the user's server, by TCP; "" to start one.

    Raises:
        InvalidArgumentError: it cannot be put behind a proxy.
        FileNotFoundError: none is installed that could be started.
    """

    def __init__(self, url: str = "") -> None:
        self._directory: Any = None
        self._own: RedisServer | None = None
        if not url:
            self._directory = tempfile.TemporaryDirectory(prefix="sj")
            self._own = RedisServer(Path(self._directory.name))
            url = self._own.tcp_url
        self.address: Address = address.parse(url)
        if self.address.path or self.address.tls is not None:
            raise InvalidArgumentError("url: a proxy is put in between, so TCP without TLS")
        self.url = url

    @property
    def stoppable(self) -> bool:
        """Whether its process is ours."""
        return self._own is not None

    def behind(self, port: int) -> str:
        """Return its URL through a port of this machine."""
        where = self.address
        before, _, after = self.url.partition("://")
        login, at, _ = after.rpartition("@")
        return f"{before}://{login}{at}127.0.0.1:{port}/{where.database}"

    def stop(self) -> None:
        """Have it stand still."""
        if self._own is not None:
            self._own.stop()

    def resume(self) -> None:
        """Have it go on."""
        if self._own is not None:
            self._own.resume()

    def kill_clients(self) -> None:
        """Cut the connections that this run has, by the server."""
        found = self.ask((b"CLIENT", b"LIST"))
        if not isinstance(found, bytes):
            return
        for line in found.splitlines():
            told = dict(part.split(b"=", 1) for part in line.split() if b"=" in part)
            if told.get(b"name") == b"scrubjay-verify":
                self.ask((b"CLIENT", b"KILL", b"ID", told[b"id"]))

    def require(self) -> None:
        """Raise an error unless it answers: a run without it would find nothing, and say so.

        Raises:
            TierUnavailableError: it does not, or refuses who asks.
        """
        answer = self.ask((b"PING",))
        if answer not in (b"PONG", "PONG"):
            where = f"{self.address.host}:{self.address.port}"
            told = "it does not answer" if answer is None else answer
            raise TierUnavailableError(f"{where} cannot be verified: {told}")

    def version(self) -> str:
        """Return its name and version."""
        info = self.ask((b"INFO", b"server"))
        if not isinstance(info, bytes):
            return "unknown"
        told = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
        name = b"Valkey" if b"valkey_version" in told else b"Redis"
        number = told.get(b"valkey_version") or told.get(b"redis_version", b"?")
        return f"{name.decode()} {number.decode()}"

    def ask(self, command: Command) -> Any:
        """Send one command by a connection of its own; return the reply, None if there was none."""
        with suppress(OSError, TierError, asyncio.TimeoutError):
            return asyncio.run(asyncio.wait_for(self._ask(command), _PATIENCE))
        return None

    async def _ask(self, command: Command) -> Any:
        where = self.address
        reader, writer = await asyncio.open_connection(where.host, where.port)
        try:
            commands: list[Command] = [command]
            if where.password is not None:
                user = where.user.encode() or b"default"
                commands.insert(0, (b"AUTH", user, where.password.encode()))
            writer.write(wire.encode(commands))
            parser, reply = wire.reader(), wire.MORE
            for _ in commands:
                while (reply := parser.gets()) is wire.MORE:
                    data = await reader.read(65536)
                    if not data:
                        return None
                    parser.feed(data)
                if isinstance(reply, Exception):  # who is not let in gets no answer else
                    break
            return reply
        finally:
            writer.close()

    def close(self) -> None:
        """End it, if it is ours."""
        if self._own is not None:
            self._own.resume()
            self._own.kill()
        if self._directory is not None:
            self._directory.cleanup()
