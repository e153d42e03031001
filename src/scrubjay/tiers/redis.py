"""A tier on a Redis or Valkey server, shared by processes and machines.

One connection carries the operations of all threads, and one those of each event loop;
requests are pipelined, replies are matched in order. See
`docs/decisions/0017-redis-connection.md`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import TYPE_CHECKING, Literal

from scrubjay import arguments
from scrubjay.clock import Clock, SystemClock
from scrubjay.closing import Closing
from scrubjay.errors import InvalidArgumentError
from scrubjay.tiers import forks
from scrubjay.tiers._redis import address, wire
from scrubjay.tiers._redis.awaited import AwaitedMethods
from scrubjay.tiers._redis.blocking import BlockingMethods
from scrubjay.tiers._redis.faces import LoopDriver
from scrubjay.tiers._redis.operations import Names
from scrubjay.tiers._redis.services import Alone, Clustered, Kept
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers.events import Announcer, OnEvent, TierEventKind
from scrubjay.tiers.watching import Listeners

if TYPE_CHECKING:
    from typing_extensions import Self

# Links to event loops of the parent of this process: collecting them would touch its loops.
_of_parent: list[object] = []


class RedisTier(BlockingMethods, AwaitedMethods, Closing):
    """Keep records on a Redis or Valkey server or cluster, for everyone who uses its namespace.

    It connects at the first use, and again after a loss: at once the first time, then after
    delays that double, in between which operations fail at once. A child of a fork opens
    connections of its own. Every method has an awaitable twin that begins with an `a`.

    An operation that fails may have been done or not; what had not been written when the
    connection was lost, and reads, are tried once more by themselves within the timeout.

    Args:
        url: `redis://user:password@host:port/database`; `rediss://` for TLS; `unix://path`.
            Of a cluster, one member or several, parted by commas.
        cluster: whether that is a member of a cluster, from which the others are learned; there
            is a connection to each primary then.
        namespace: what its keys on the server begin with, after `sj:`; 1 to 64 letters,
            digits, dots, dashes and underscores. Tenants have namespaces of their own.
        tls: how to encrypt; None for `rediss://` to trust the system's authorities.
        timeout_seconds: how long an operation may take.
        connect_timeout_seconds: how long of that connecting may take.
        max_value_bytes: the largest value that is kept.
        strong: whether strong reads are refused where another server may take the place of
            this one, and would then lack some of what was acknowledged ("primary"), or hold
            until that happens ("until-failover").
        heartbeat_seconds: how often the server is asked whether it is there, once records have
            been read with their versions.
        tombstone_seconds: how long the version of what was removed is remembered.
        name: names the tier in events and statistics.
        client_name: names its connections in the server's lists.
        on_event: called with a `TierEvent` when something damaged was found; None to log that.
        clock: tells the wall time, and the time by which feeds are dated; None for the system's.

    Raises:
        InvalidArgumentError: an argument makes no sense.
        TierError: hiredis is not installed.
    """

    blocking = True

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        cluster: bool = False,
        namespace: str = "default",
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = 1.0,
        connect_timeout_seconds: float = 1.0,
        max_value_bytes: int = 64 << 20,
        strong: Literal["primary", "until-failover"] = "primary",
        heartbeat_seconds: float = 1.0,
        tombstone_seconds: float = 60.0,
        name: str = "redis",
        client_name: str = "scrubjay",
        on_event: OnEvent | None = None,
        clock: Clock | None = None,
    ) -> None:
        wire.hiredis()
        names = Names(namespace)
        name = arguments.label("name", name)
        announcer = Announcer(name, arguments.function_or_none("on_event", on_event))
        clock = SystemClock() if clock is None else clock
        self.name = name
        self._settings = Settings(
            address.parse(url, tls),
            name,
            client_name,
            names.generation,
            arguments.positive("timeout_seconds", timeout_seconds),
            arguments.positive("connect_timeout_seconds", connect_timeout_seconds),
            arguments.positive("heartbeat_seconds", heartbeat_seconds),
            lambda names: self._listeners.tell(self._coherence.changes(names)),
            clock.monotonic,
        )
        if strong not in {"primary", "until-failover"}:
            raise InvalidArgumentError(
                f"strong: {strong!r} is neither 'primary' nor 'until-failover'"
            )
        most = arguments.count("max_value_bytes", max_value_bytes)

        def damaged(detail: str) -> None:
            announcer.tell(TierEventKind.CORRUPTION, detail)

        kept = Kept(
            clock,
            most,
            arguments.positive("tombstone_seconds", tombstone_seconds),
            damaged,
            strong == "until-failover",
        )
        kind = Clustered if cluster else Alone
        self._service = kind(self._settings, namespace, kept)
        self._operations, self._coherence = self._service.operations, self._service.coherence
        self._plain, self._versioned = self._service.short_ways
        self._listeners = Listeners()
        self._timeout = self._settings.timeout
        self._threads = self._service.for_threads()
        self._loops: dict[asyncio.AbstractEventLoop, LoopDriver] = {}
        self._barriers: set[asyncio.Task[None]] = set()
        self._opening = threading.Lock()
        self._closed = False
        forks.watch(self)

    def after_fork(self) -> None:
        """Open connections of one's own."""
        _of_parent.append(self._loops)
        for link in self._loops.values():
            link.forget()
        self._loops = {}
        self._coherence.after_fork()
        self._opening = threading.Lock()
        self._threads.forget()

    def close(self) -> None:
        """Close the connections; those of event loops as soon as these come to it."""
        with self._opening:
            self._closed = True
            links = list(self._loops.values())
        self._threads.close()
        for link in links:
            link.close_soon()

    async def aclose(self) -> None:
        """Close the connections; that of the running loop is closed when this returns."""
        own = self._loops.pop(asyncio.get_running_loop(), None)
        self.close()
        if own is not None:
            own.close()
            await own.closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def _link(self) -> LoopDriver:
        """Return what the running loop is connected by."""
        loop = asyncio.get_running_loop()
        link = self._loops.get(loop)
        if link is None:
            with self._opening:
                if self._closed:
                    raise self._settings.closed()
                for other in [one for one, its in self._loops.items() if its.over]:
                    del self._loops[other]
                link = self._loops[loop] = self._service.for_loop()
        return link
