"""A cluster of Redis or Valkey servers for tests: processes of its own on the loopback."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from scrubjay.closing import Closing
from scrubjay.testing.redis import RedisServer
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.slots import SLOTS

__all__ = ["RedisCluster"]

_PATIENCE = 30.0  # seconds for its members to agree
_BUS = 10_000  # from the port of a member to that by which others talk to it
_AGREEMENT = 0.5  # seconds that members usually take to agree on a slot
_MOST_KEYS = 100_000  # of a slot that moves


class RedisCluster(Closing):
    """Primaries that share the slots evenly, and replicas of the first of them.

    Args:
        directory: for their files; a short path, as sockets have short names.
        primaries: how many.
        replicas: how many, all of the first primary.
        node_timeout_seconds: after which a member that is silent counts as failed.
        options: makes more of the command line for each of them.
        ports: by which they meet, if not by those of the servers; `options` may fill it.

    Raises:
        FileNotFoundError: neither Redis nor Valkey is installed.
        RuntimeError: it does not come up.
    """

    def __init__(
        self,
        directory: Path,
        primaries: int = 3,
        replicas: int = 0,
        node_timeout_seconds: float = 2.0,
        *,
        options: Callable[[], Sequence[str]] = list,
        ports: Sequence[int] | None = None,
    ) -> None:
        self._stack = ExitStack()
        self._ports = ports
        self.servers: list[RedisServer] = []
        own_options = [
            *("--cluster-enabled", "yes", "--cluster-node-timeout"),
            str(int(node_timeout_seconds * 1000)),
            *("--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"),
        ]
        try:
            for number in range(primaries + replicas):
                own = directory / str(number)
                own.mkdir()
                server = RedisServer(own, [*own_options, *options()])
                self.servers.append(self._stack.enter_context(server))
            self._announced = {server.port: server for server in self.servers}
            self.primaries = self.servers[:primaries]
            self.replicas = self.servers[primaries:]
            self._join()
        except BaseException:
            self._stack.close()
            raise

    @property
    def url(self) -> str:
        """The URL of its first member."""
        return self.servers[0].tcp_url

    def ask(self, server: RedisServer, *command: object) -> Any:
        """Send one command to a member; return the reply.

        Raises:
            OSError: it cannot be reached.
            hiredis.ReplyError: it refuses.
        """
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(_PATIENCE)
            own.connect(str(server.socket))
            own.sendall(wire.encode([tuple(str(part).encode() for part in command)]))
            parser = wire.reader()
            while (reply := parser.gets()) is wire.MORE:
                data = own.recv(65536)
                if not data:
                    raise ConnectionResetError("it hung up")
                parser.feed(data)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def owner(self, slot: int) -> RedisServer:
        """Return the primary that has a slot, when the members that run agree on it."""
        self.until(lambda: len(self._owners(slot)) == 1)
        (port,) = self._owners(slot)
        return self._announced[port]

    def announce(self, ports: Sequence[int]) -> None:
        """Have clients be sent to other ports, of proxies perhaps, one for each primary."""
        for server, port in zip(self.primaries, ports, strict=True):
            self._announced[port] = server
            bus = server.port + _BUS
            self.ask(server, "CONFIG", "SET", "cluster-announce-bus-port", bus)
            self.ask(server, "CONFIG", "SET", "cluster-announce-port", port)
        told = [str(port).encode() + b"@" for port in ports]
        for server in self.servers:
            self.until(
                lambda server=server: all(  # type: ignore[misc]
                    one in self.ask(server, "CLUSTER", "NODES") for one in told
                )
            )

    def _owners(self, slot: int) -> set[int]:
        """Return the ports of those who have a slot, in the eyes of each member that runs."""
        return {
            next(
                (
                    port
                    for begin, end, (_, port, *_), *_ in self.ask(server, "CLUSTER", "SLOTS")
                    if begin <= slot <= end
                ),
                0,
            )
            for server in self.servers
            if server.running
        }

    def _belongs(self, slot: int, server: RedisServer) -> bool:
        return [self._announced[port] for port in self._owners(slot) if port] == [server]

    # ---- moving slots

    def begin_move(self, slot: int, target: RedisServer) -> RedisServer:
        """Have a slot be on its way to another primary; return the one that has it."""
        source = self.owner(slot)
        self.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        self.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(target))
        return source

    def move_keys(
        self, slot: int, source: RedisServer, target: RedisServer, those: bytes = b""
    ) -> int:
        """Move the keys of a slot that is on its way, those that contain something.

        Returns:
            How many they were.
        """
        keys = self.ask(source, "CLUSTER", "GETKEYSINSLOT", slot, _MOST_KEYS)
        moving = [key for key in keys if those in key]
        for key in moving:
            self._migrate(source, target, key)
        return len(moving)

    def end_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Have the other primary be the owner of a slot; its keys must have moved."""
        # The new owner's claim must be newer than all others, also those it has not heard of.
        self.until(lambda: self._epoch(target) >= max(map(self._epoch, self.primaries)))
        while not self._belongs(slot, target):
            # Again, if somebody has believed what another said before it knew.
            for server in (target, source, *self.primaries):
                self.ask(server, "CLUSTER", "SETSLOT", slot, "NODE", self._id(target))
            with suppress(RuntimeError):
                self.until(lambda: self._belongs(slot, target), _AGREEMENT)

    def move(self, slot: int, target: RedisServer) -> None:
        """Move a slot and its keys to another primary."""
        source = self.begin_move(slot, target)
        while True:
            self.move_keys(slot, source, target)
            try:
                self.end_move(slot, source, target)
            except Exception as error:
                if "still hold keys" not in str(error):
                    raise
            else:
                return

    def _migrate(self, source: RedisServer, target: RedisServer, key: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(_PATIENCE)
            own.connect(str(source.socket))
            port = str(target.port).encode()
            own.sendall(
                wire.encode([(b"MIGRATE", b"127.0.0.1", port, key, b"0", b"5000", b"REPLACE")])
            )
            parser = wire.reader()
            while (reply := parser.gets()) is wire.MORE:
                parser.feed(own.recv(65536))
        if isinstance(reply, Exception):
            raise reply

    # ---- coming up and going away

    def _join(self) -> None:
        for number, server in enumerate(self.primaries):
            begin = number * SLOTS // len(self.primaries)
            end = (number + 1) * SLOTS // len(self.primaries) - 1
            self.ask(server, "CLUSTER", "ADDSLOTSRANGE", begin, end)
            self.ask(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        ports = self._ports or [server.port for server in self.servers]
        for one, port in itertools.combinations(zip(self.servers, ports, strict=True), 2):
            self.ask(one[0], "CLUSTER", "MEET", "127.0.0.1", port[1])
        everyone = f"cluster_known_nodes:{len(self.servers)}"
        self.until(lambda: all(everyone in self._info(server) for server in self.servers))
        self.until(lambda: all("cluster_state:ok" in self._info(one) for one in self.primaries))
        for replica in self.replicas:
            self.ask(replica, "CLUSTER", "REPLICATE", self._id(self.primaries[0]))
        for replica in self.replicas:
            self.until(
                lambda replica=replica: (  # type: ignore[misc]
                    b"master_link_status:up" in self.ask(replica, "INFO", "replication")
                )
            )
        for server in self.servers:
            self.until(
                lambda server=server: (  # type: ignore[misc]
                    self.ask(server, "CLUSTER", "NODES").count(b"slave ") == len(self.replicas)
                )
            )

    def _info(self, server: RedisServer) -> str:
        info: bytes = self.ask(server, "CLUSTER", "INFO")
        return info.decode()

    def _epoch(self, server: RedisServer) -> int:
        return int(self._info(server).partition("cluster_current_epoch:")[2].split()[0])

    def _id(self, server: RedisServer) -> str:
        myself: bytes = self.ask(server, "CLUSTER", "MYID")
        return myself.decode()

    @staticmethod
    def until(holds: Callable[[], object], seconds: float = _PATIENCE) -> None:
        """Wait until something holds.

        Raises:
            RuntimeError: it does not within the time.
        """
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError("the members of the cluster do not agree")
            time.sleep(0.02)

    def flush(self, servers: Iterable[RedisServer] = ()) -> None:
        """Remove everything from some primaries; from all if none are named."""
        for server in servers or self.primaries:
            self.ask(server, "FLUSHALL")

    def close(self) -> None:
        """End all members at once."""
        for server in self.servers:
            server.resume()
        self._stack.close()
