"""The cluster that is verified: the user's own, or one that is started for it.

Members name each other by their own addresses, so no proxy can be put in between. One that is
ours announces those of proxies, one for each primary; and its slots move from one to another.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scrubjay.closing import Closing
from scrubjay.errors import InvalidArgumentError
from scrubjay.testing.cluster import RedisCluster
from scrubjay.testing.faults import FaultProxy
from scrubjay.tiers._redis import topology
from scrubjay.tiers._redis.slots import BUCKETS, bucket_slot
from scrubjay.verify.server import Server

__all__ = ["ClusterServers"]

_MOST_MOVED = 64  # slots at a time


class ClusterServers(Closing):
    """The members of a cluster, as faults know a `Server`.

    Args:
        url: of one of them; "" to start three primaries.
        draw: of random numbers.

    Raises:
        InvalidArgumentError: the URL is none of a member of a cluster.
        FileNotFoundError: none is installed that could be started.
    """

    def __init__(self, url: str, draw: random.Random) -> None:
        self._draw = draw
        self._stack = ExitStack()
        self._own: RedisCluster | None = None
        #: one in front of each primary, if they are ours
        self.proxies: list[FaultProxy] = []
        self.url = url
        if not url:
            at = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sj"))
            own = self._own = self._stack.enter_context(RedisCluster(Path(at)))
            for server in own.primaries:
                proxy = FaultProxy("127.0.0.1", server.port)
                self.proxies.append(self._stack.enter_context(proxy))
            own.announce([proxy.port for proxy in self.proxies])
            self.url = f"redis://127.0.0.1:{self.proxies[0].port}"
            url = own.url
        self._first = Server(url)
        self._stopped = 0

    @property
    def stoppable(self) -> bool:
        """Whether its processes are ours."""
        return self._own is not None

    def stop(self) -> None:
        """Have one member stand still."""
        if self._own is not None:
            self._stopped = self._draw.randrange(len(self._own.primaries))
            self._own.primaries[self._stopped].stop()

    def resume(self) -> None:
        """Have it go on."""
        if self._own is not None:
            self._own.primaries[self._stopped].resume()

    def move_slots(self, namespace: str) -> None:
        """Move some slots of a namespace from where they are to one other primary."""
        if self._own is None:
            return
        target = self._draw.choice(self._own.primaries)
        begin = self._draw.randrange(BUCKETS)
        for bucket in range(begin, min(begin + _MOST_MOVED, BUCKETS)):
            slot = bucket_slot(namespace, bucket)
            if self._own.owner(slot) is not target:
                self._own.move(slot, target)

    def kill_clients(self) -> None:
        """Cut the connections that this run has, by each member."""
        for member in self._members():
            member.kill_clients()

    def require(self) -> None:
        """Raise an error unless the first of them answers; see `Server`."""
        self._first.require()

    def version(self) -> str:
        """Return its name and version, and how many primaries there are."""
        return f"{self._first.version()}, a cluster of {len(self._members())} primaries"

    def _members(self) -> list[Server]:
        if self._own is not None:
            return [Server(server.tcp_url) for server in self._own.primaries]
        replies = [self._first.ask(command) for command in topology.QUESTIONS]
        try:
            found = topology.read(replies, self._first.address.host)
        except OSError as error:
            raise InvalidArgumentError(f"url: {error}") from error
        before, _, after = self.url.partition("://")
        login, at, _ = after.rpartition("@")
        return [Server(f"{before}://{login}{at}{where}") for where in sorted(found.primaries)]

    def close(self) -> None:
        """End them, if they are ours."""
        self._stack.close()
