"""A tier on a Redis or Valkey server, shared by processes and machines.

One connection carries the operations of all threads, and one those of each event loop;
requests are pipelined, replies are matched in order. See
`docs/decisions/0017-redis-connection.md`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from scrubjay import arguments
from scrubjay.clock import Clock, SystemClock
from scrubjay.errors import InvalidArgumentError
from scrubjay.tiers import forks
from scrubjay.tiers._redis import address, wire
from scrubjay.tiers._redis.aio import LoopLink
from scrubjay.tiers._redis.coherence import PING, Coherence
from scrubjay.tiers._redis.exchange import Request, Shared
from scrubjay.tiers._redis.failures import CutOffError, UnsentError
from scrubjay.tiers._redis.operations import Names, Operations
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.threads import ThreadLink
from scrubjay.tiers.checks import checked_keys, checked_records
from scrubjay.tiers.events import Announcer, OnEvent, TierEventKind
from scrubjay.tiers.protocol import TierRecord
from scrubjay.tiers.watching import Listeners, ended, wait_for_end
from scrubjay.versions import Count, Feed, Fetched, Lease, OnChanges, Token, Versioned, Watch

if TYPE_CHECKING:
    from typing_extensions import Self

_running_loop = asyncio.get_running_loop

# Links to event loops of the parent of this process: collecting them would touch its loops.
_of_parent: list[object] = []


class RedisTier:
    """Keep records on a Redis or Valkey server, for everyone who uses its namespace.

    It connects at the first use, and again after a loss: at once the first time, then after
    delays that double, in between which operations fail at once. A child of a fork opens
    connections of its own. Every method has an awaitable twin that begins with an `a`.

    An operation that fails may have been done or not; what had not been written when the
    connection was lost, and reads, are tried once more by themselves within the timeout.

    Args:
        url: `redis://user:password@host:port/database`; `rediss://` for TLS; `unix://path`.
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

        self._operations = Operations(names, clock, most, damaged)
        self._coherence = Coherence(
            names,
            clock,
            most,
            arguments.positive("tombstone_seconds", tombstone_seconds),
            damaged,
            until_failover=strong == "until-failover",
        )
        self._listeners = Listeners()
        self._reading, self._values = self._operations.reading, self._operations.values
        self._timeout = self._settings.timeout
        self._threads = ThreadLink(self._settings)
        self._loops: dict[asyncio.AbstractEventLoop, LoopLink] = {}
        self._opening = threading.Lock()
        self._closed = False
        forks.watch(self)

    def after_fork(self) -> None:
        """Open connections of one's own."""
        _of_parent.append(self._loops)
        for link in self._loops.values():
            if link.session is not None:
                link.session.feed.forget()
        self._loops = {}
        self._coherence.after_fork()
        self._opening = threading.Lock()
        self._threads.forget()

    # ---- blocking

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, in their order; None for a key that is not there.

        Raises:
            TierUnavailableError: the server cannot be reached or used now.
        """
        keys = checked_keys(keys)
        return self._threads.run(self._operations.get(keys))

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; return whether each was kept.

        Raises:
            TierFullError: the server has no memory left and gives up nothing.
            TierUnavailableError: the server cannot be reached or used now.
        """
        return self._threads.run(self._operations.put(checked_records(records)))

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there."""
        return self._threads.run(self._operations.delete(checked_keys(keys)))

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order."""
        return self._threads.run(self._operations.counters(checked_keys(names, "names")))

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them."""
        return self._threads.run(self._operations.bump(checked_keys(names, "names")))

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Return records with versions, and generations, and watch them; see `SharedTier`."""
        names = checked_keys(names, "names")
        return self._threads.run(self._coherence.fetch(checked_keys(keys), names))

    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Return records with versions, and watch them; see `SharedTier`."""
        return self.fetch(keys).records

    def write(self, record: TierRecord) -> Versioned:
        """Store a record; return it with its version."""
        (record,) = checked_records([record])
        return self._threads.run(self._coherence.write(record))

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Remove records that have versions; return what is left of them."""
        return self._threads.run(self._coherence.delete(checked_keys(keys)))

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """Begin new generations of names, and watch them; see `SharedTier`."""
        return self._threads.run(self._coherence.advance(checked_keys(names, "names")))

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Ask for the right to load a value; see `SharedTier`."""
        names = checked_keys(names, "names")
        checked_keys([key])
        return self._threads.run(self._coherence.lease(key, owner, seconds, void, names))

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Store what was loaded; return None if something was written since the lease."""
        (record,) = checked_records([record])
        return self._threads.run(self._coherence.fill(record, token))

    def release(self, key: bytes, token: Token) -> bool:
        """Give a lease back unused; return whether it still held."""
        checked_keys([key])
        return self._threads.run(self._coherence.release(key, token))

    def barrier(self) -> Feed:
        """Return when all changes made before have been told; see `SharedTier`."""
        return self._threads.run(self._coherence.barrier())

    def feed(self) -> Feed:
        """Return what tells of changes."""
        return self._threads.run(self._coherence.feed())

    def until_changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until a watch ends; return whether it has."""
        return wait_for_end(watch, seconds)

    def on_invalidated(self, callback: OnChanges) -> Callable[[], None]:
        """Have a function called with each change, until what is returned is; see `SharedTier`."""
        return self._listeners.add(callback)

    def clear(self) -> None:
        """Make every record of the namespace void. Generations of names stay.

        The server keeps what is void until it expires, is overwritten or is evicted.
        """
        self._threads.run(self._operations.clear())

    def close(self) -> None:
        """Close the connections; those of event loops as soon as these come to it."""
        with self._opening:
            self._closed = True
            links = list(self._loops.values())
        self._threads.close()
        for link in links:
            link.close_soon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ---- awaited

    async def aget_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys; see `get_many`."""
        try:
            payload, count = self._reading(keys)
        except TypeError:
            keys = checked_keys(keys)
            payload, count = self._reading(keys)
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        if link is not None and link.session is not None and keys:
            # The usual case, the short way; `Operations.get` is the long one.
            session = link.session
            request = Request(payload, count, deadline)
            replies = await session.carrier.submit(request)
            generation = session.generation
            if type(replies) is list and generation is not None:
                return self._values(keys, replies, generation)
            if not isinstance(replies, (list, UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._operations.get(keys), deadline)

    async def aput_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; see `put_many`."""
        return await self._link().run(self._operations.put(checked_records(records)))

    async def adelete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; see `delete_many`."""
        return await self._link().run(self._operations.delete(checked_keys(keys)))

    async def acounters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names; see `counters`."""
        return await self._link().run(self._operations.counters(checked_keys(names, "names")))

    async def abump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; see `bump`."""
        return await self._link().run(self._operations.bump(checked_keys(names, "names")))

    async def afetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Return records with versions, and generations; see `fetch`."""
        keys, names = checked_keys(keys), checked_keys(names, "names")
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        session = None if link is None else link.session
        if session is not None and session.beating and not session.outdated and keys:
            # The usual case, the short way; `Coherence.fetch` is the long one.
            request, watches = self._coherence.reading(session, keys, names)
            request.deadline = deadline
            replies = await session.carrier.submit(request)
            if type(replies) is list:
                fetched = self._coherence.fetched(session, keys, names, replies, watches)
                if fetched is not None:
                    return fetched
            elif not isinstance(replies, (UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._coherence.fetch(keys, names), deadline)

    async def aread_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Return records with versions; see `read_many`."""
        return (await self.afetch(keys)).records

    async def awrite(self, record: TierRecord) -> Versioned:
        """Store a record; see `write`."""
        (record,) = checked_records([record])
        return await self._link().run(self._coherence.write(record))

    async def adelete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Remove records; see `delete`."""
        return await self._link().run(self._coherence.delete(checked_keys(keys)))

    async def aadvance(self, names: Sequence[bytes]) -> list[Count]:
        """Begin new generations of names; see `advance`."""
        return await self._link().run(self._coherence.advance(checked_keys(names, "names")))

    async def alease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Ask for the right to load a value; see `lease`."""
        names = checked_keys(names, "names")
        checked_keys([key])
        return await self._link().run(self._coherence.lease(key, owner, seconds, void, names))

    async def afill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Store what was loaded; see `fill`."""
        (record,) = checked_records([record])
        return await self._link().run(self._coherence.fill(record, token))

    async def arelease(self, key: bytes, token: Token) -> bool:
        """Give a lease back unused; see `release`."""
        checked_keys([key])
        return await self._link().run(self._coherence.release(key, token))

    async def abarrier(self) -> Feed:
        """Return when all changes made before have been told; see `barrier`."""
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        session = None if link is None else link.session
        if session is not None and session.beating and not session.outdated:
            session.feed.check_strong()
            replies = await session.carrier.submit(Shared(PING, 1, deadline))
            if type(replies) is list and not isinstance(replies[0], Exception):
                session.feed.check_strong()
                return session.feed
            if type(replies) is not list and not isinstance(replies, (UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._coherence.barrier(), deadline)

    async def afeed(self) -> Feed:
        """Return what tells of changes; see `feed`."""
        return await self._link().run(self._coherence.feed())

    async def auntil_changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until a watch ends; see `until_changed`."""
        return await ended(watch, seconds)

    async def aclear(self) -> None:
        """Make every record of the namespace void; see `clear`."""
        await self._link().run(self._operations.clear())

    async def aclose(self) -> None:
        """Close the connections; that of the running loop is closed when this returns."""
        own = self._loops.pop(asyncio.get_running_loop(), None)
        self.close()
        if own is not None:
            own.close()
            await own.closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _link(self) -> LoopLink:
        """Return what the running loop is connected by."""
        loop = asyncio.get_running_loop()
        link = self._loops.get(loop)
        if link is None:
            with self._opening:
                if self._closed:
                    raise self._settings.closed()
                for other in [one for one, its in self._loops.items() if its.over]:
                    del self._loops[other]
                link = self._loops[loop] = LoopLink(self._settings)
        return link
