"""Values on a Redis server: the Redis tier beside redis-py, and beside the least it could do.

A server is started for each case, on a Unix socket. By the wall clock: the server's share is
part of each figure, and the same for all. The bare loop is what the tier's connection comes
down to with everything left out: requests in one write a turn of the event loop, replies
matched in order. It has no deadlines, no reconnecting, and takes any bytes for a value. The
connection alone is the tier's, without what makes its replies values.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import Any

from benchmarks.cases._redis_peers import Peer, installed
from benchmarks.cases._setup import SEED
from benchmarks.peers import SCRUBJAY, load
from benchmarks.timing import Measure, Outcome, Scale, Subject, interleave

BARE = "bare loop"
THREADS = f"{SCRUBJAY}, blocking"
CONNECTION = f"{SCRUBJAY}, connection alone"
REDIS_PY = "redis-py"
REDIS_PY_ASYNC = "redis-py asyncio"
ROUNDS = 15
KEYS = 1_000
BATCH = 50
SIZE = 1 << 10
NAMESPACE = "bench"
_MORE = object()

Get = Callable[[bytes], Awaitable[Any]]
GetMany = Callable[[list[bytes]], Any]


def get_1(scale: Scale) -> Outcome:
    """Read values of 1 KB, one after the other."""
    return _gets(scale, 1)


def get_16(scale: Scale) -> Outcome:
    """Read values of 1 KB, sixteen tasks at once."""
    return _gets(scale, 16)


def get_64(scale: Scale) -> Outcome:
    """Read values of 1 KB, sixty-four tasks at once."""
    return _gets(scale, 64)


def get_many(scale: Scale) -> Outcome:
    """Read fifty values of 1 KB at a time."""
    with _places() as place:
        if place is None:
            return Outcome()
        batches = [place.keys[at : at + BATCH] for at in range(0, KEYS, BATCH)]
        passes = scale.of(5, 1)

        def blocking(get: GetMany) -> Measure:
            def measure(_: int) -> float:
                start = perf_counter_ns()
                for _ in range(passes):
                    for batch in batches:
                        get(batch)
                return (perf_counter_ns() - start) / (passes * KEYS)

            return measure

        def awaited(get: GetMany) -> Measure:
            async def work() -> float:
                start = perf_counter_ns()
                for _ in range(passes):
                    for batch in batches:
                        await get(batch)
                return (perf_counter_ns() - start) / (passes * KEYS)

            return lambda _: place.loop.run_until_complete(work())

        subjects = [
            Subject(SCRUBJAY, lambda: awaited(place.tier.aget_many)),
            Subject(THREADS, lambda: blocking(place.tier.get_many)),
            Subject(BARE, lambda: awaited(place.bare.get_many)),
        ]
        if place.client is not None:
            stored = _stored(place.keys)
            subjects += [
                Subject(
                    REDIS_PY, lambda: blocking(lambda b: place.client.mget(map(stored.get, b)))
                ),
                Subject(
                    REDIS_PY_ASYNC,
                    lambda: awaited(lambda b: place.aclient.mget(map(stored.get, b))),
                ),
            ]
        subjects += [
            Subject(
                peer.name,
                lambda peer=peer: (blocking if peer.blocking else awaited)(
                    lambda batch: peer.get_many(place.names_of(batch))
                ),
            )
            for peer in place.peers
        ]
        return interleave(subjects, scale.of(ROUNDS, 1))


def _gets(scale: Scale, tasks: int) -> Outcome:
    with _places() as place:
        if place is None:
            return Outcome()
        count = scale.of(3_000 if tasks == 1 else 9_600, 128)
        keys = [place.keys[number % KEYS] for number in range(count)]

        def awaited(get: Get, share: int = 1) -> Measure:
            parts = [keys[number : count // share : tasks] for number in range(tasks)]

            async def one(part: Sequence[bytes]) -> None:
                for key in part:
                    await get(key)

            async def work() -> float:
                start = perf_counter_ns()
                await asyncio.gather(*[one(part) for part in parts])
                return (perf_counter_ns() - start) / sum(map(len, parts))

            return lambda _: place.loop.run_until_complete(work())

        def blocking(get: Callable[[bytes], Any], share: int = 1) -> Measure:
            part = keys[: count // share]

            def measure(_: int) -> float:
                start = perf_counter_ns()
                for key in part:
                    get(key)
                return (perf_counter_ns() - start) / len(part)

            return measure

        tier, client, stored = place.tier, place.client, _stored(place.keys)
        subjects = [
            Subject(SCRUBJAY, lambda: awaited(lambda key: tier.aget_many([key]))),
            Subject(BARE, lambda: awaited(lambda key: place.bare.get(stored[key]))),
        ]
        subjects.append(Subject(CONNECTION, lambda: awaited(_connection(place))))
        if tasks == 1:
            subjects.append(Subject(THREADS, lambda: blocking(lambda key: tier.get_many([key]))))
        if client is not None:
            # A fifth of the keys: it takes ten times as long.
            subjects.append(
                Subject(
                    REDIS_PY_ASYNC,
                    lambda: awaited(lambda key: place.aclient.get(stored[key]), 5),
                )
            )
            if tasks == 1:
                subjects.append(
                    Subject(REDIS_PY, lambda: blocking(lambda key: client.get(stored[key])))
                )
        for peer in place.peers:
            names = dict(zip(place.keys, place.names_of(place.keys), strict=True))
            subjects += _peer(peer, names, awaited, blocking, alone=tasks == 1)
        return interleave(subjects, scale.of(ROUNDS, 1))


def _peer(
    peer: Peer,
    names: dict[bytes, str],
    awaited: Callable[[Get, int], Measure],
    blocking: Callable[[Callable[[bytes], Any], int], Measure],
    *,
    alone: bool,
) -> list[Subject]:
    """Return a peer as a subject; one that blocks serves one request at a time."""
    if not peer.blocking:
        return [Subject(peer.name, lambda: awaited(lambda key: peer.get(names[key]), 5))]
    if alone:
        return [Subject(peer.name, lambda: blocking(lambda key: peer.get(names[key]), 5))]
    return []


def _connection(place: _Place) -> Get:
    """Return what sends the tier's own requests, and takes the replies as they come."""
    place.loop.run_until_complete(place.tier.aget_many(place.keys[:1]))
    (link,) = place.tier._loops.values()
    submit = link.session.carrier.submit
    reading = place.tier._operations.reading
    request = load("scrubjay.tiers._redis.exchange").Request
    return lambda key: submit(request(*reading([key]), monotonic() + 60.0))


class _Place:
    """A server with values, and the clients that read them."""

    def __init__(self, path: Path) -> None:
        tiers = load("scrubjay.tiers")
        self.loop = asyncio.new_event_loop()
        self.tier = tiers.RedisTier(f"unix://{path}", namespace=NAMESPACE, timeout_seconds=60)
        self.keys = [b"a key of a usual length:%d" % number for number in range(KEYS)]
        value = random.Random(SEED).randbytes(SIZE)
        self.tier.put_many([tiers.TierRecord(key, value) for key in self.keys])
        self.bare: Any = self.loop.run_until_complete(_connect(path))
        self.client: Any = None
        self.aclient: Any = None
        if load("redis"):
            self.client = load("redis").Redis(unix_socket_path=str(path), protocol=3)
            self.aclient = load("redis.asyncio").Redis(unix_socket_path=str(path), protocol=3)
        names = self.names_of(self.keys)
        self.peers: list[Peer] = self.loop.run_until_complete(installed(path, names, value))

    def names_of(self, keys: Sequence[bytes]) -> list[str]:
        """Return keys as peers take them."""
        return [key.decode() for key in keys]

    def close(self) -> None:
        """Close every connection, and the loop."""
        self.loop.run_until_complete(self.tier.aclose())
        if self.client is not None:
            self.client.close()
            self.loop.run_until_complete(self.aclient.aclose())
        for peer in self.peers:
            ended = peer.close()
            if not peer.blocking:
                self.loop.run_until_complete(ended)
        self.bare.transport.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@contextlib.contextmanager
def _places() -> Iterator[_Place | None]:
    """Yield a server with what reads from it, or None if no server is installed."""
    servers = load("scrubjay.testing.redis")
    if servers is None or load("hiredis") is None or servers.RedisServer.program() is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sj") as at, servers.RedisServer(Path(at)) as server:
        place = _Place(server.socket)
        try:
            yield place
        finally:
            place.close()


def _stored(keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the names that the tier has given to keys."""
    return {key: b"sj:%b:r:%b" % (NAMESPACE.encode(), key) for key in keys}


class _Bare(asyncio.Protocol):
    """A multiplexed connection with nothing but what it cannot do without."""

    def __init__(self) -> None:
        hiredis = load("hiredis")
        self.transport: Any = None
        self._pack = hiredis.pack_command
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._loop = asyncio.get_running_loop()
        self._waiting: collections.deque[asyncio.Future[Any]] = collections.deque()
        self._unsent: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand each reply to who has waited longest."""
        self._reader.feed(data)
        gets = self._reader.gets
        while (reply := gets()) is not _MORE:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(reply)

    def ask(self, *command: bytes) -> asyncio.Future[Any]:
        """Send a command; return the future of its reply."""
        future = self._loop.create_future()
        self._waiting.append(future)
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(self._pack(command))
        return future

    def get(self, key: bytes) -> asyncio.Future[Any]:
        """Read one value."""
        return self.ask(b"GET", key)

    def get_many(self, keys: list[bytes]) -> asyncio.Future[Any]:
        """Read several values."""
        prefix = b"sj:" + NAMESPACE.encode() + b":r:"
        return self.ask(b"MGET", *[prefix + key for key in keys])

    def _flush(self) -> None:
        self.transport.write(b"".join(self._unsent))
        self._unsent.clear()


async def _connect(path: Path) -> _Bare:
    loop = asyncio.get_running_loop()
    _, bare = await loop.create_unix_connection(_Bare, str(path))
    return bare
