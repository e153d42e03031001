"""What each consistency level costs a hit, and how soon others hear of a change.

STRONG is set beside fetching the value each time, by the same kind of connection and with
nothing made of its bytes, and beside a cache that finds nothing in memory. An invalidation is
timed from its call in one process to the end of the copy in another; beside it a plain one: a deletion and a message by pub/sub, in one write,
as caches with a backplane do.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic_ns, perf_counter_ns, sleep
from typing import Any

from benchmarks.cases._setup import SEED, make_keys, shuffled
from benchmarks.peers import SCRUBJAY, load
from benchmarks.timing import Measure, Outcome, Scale, Subject, compile_loop, empty_loop, interleave

ONE_TIER = SCRUBJAY
EVENTUAL = f"{SCRUBJAY} over a server, EVENTUAL"
OF_SESSION = f"{SCRUBJAY} over a server, EVENTUAL, for a session"
SESSION = f"{SCRUBJAY} over a server, SESSION"
MONOTONIC = f"{SCRUBJAY} over a server, MONOTONIC"
MINE_SESSION = f"{SCRUBJAY} over a server, SESSION, cache.session()"
MINE_MONOTONIC = f"{SCRUBJAY} over a server, MONOTONIC, cache.session()"
EACH_TIME = f"{SCRUBJAY}, GET each time"
UNKEPT = f"{SCRUBJAY}, a cache that keeps nothing"
PUB_SUB = "pub/sub"
P99 = "p99, us"
ROUNDS = 15
HITS = 500  # keys; a session remembers twice as many
PASSES = 10
STRONG_KEYS = 100
SIZE = 1 << 10
NAMESPACE = "bench"
CHANNEL = b"bench-invalidations"
_PATIENCE = 10.0
_IDLE = 0.01  # seconds for which who has the copy does nothing, as between two requests


def hit(scale: Scale) -> Outcome:
    """Read copies in memory, in random order, at the levels that ask nobody."""
    with _server() as url:
        if url is None:
            return Outcome()
        scrubjay = load("scrubjay")
        keys = make_keys(HITS)
        plain = scrubjay.Cache(max_entries=HITS)
        shared = scrubjay.Cache(max_entries=HITS, tiers=[scrubjay.Redis(url)])
        for key in keys:
            plain.put(key, key)
            shared.put(key, key)
        wanted = shuffled(keys) * scale.of(PASSES, 1)
        level = scrubjay.CacheConsistencyLevel

        def subject(name: str, cache: Any, options: str = "", **names: Any) -> Subject:
            loop = compile_loop(f"cache.get(k{options})", who={"session_id": "me"}, **names)
            return Subject(name, lambda: lambda _: loop(cache, wanted) / len(wanted))

        def mine(level: Any) -> Any:
            return shared.session("me", consistency_level=level)

        at = ", context=who, consistency_level=level"
        outcome = interleave(
            [
                empty_loop(wanted),
                subject(ONE_TIER, plain),
                subject(EVENTUAL, shared),
                subject(OF_SESSION, shared, at, level=level.EVENTUAL),
                subject(SESSION, shared, at, level=level.SESSION),
                subject(MONOTONIC, shared, at, level=level.MONOTONIC),
                subject(MINE_SESSION, mine(level.SESSION)),
                subject(MINE_MONOTONIC, mine(level.MONOTONIC)),
            ],
            scale.of(ROUNDS, 1),
        )
        shared.close()
        return outcome


def strong_1(scale: Scale) -> Outcome:
    """Read values of 1 KB at STRONG, one after the other."""
    return _strong(scale, 1)


def strong_64(scale: Scale) -> Outcome:
    """Read values of 1 KB at STRONG, sixty-four tasks at once."""
    return _strong(scale, 64)


def _strong(scale: Scale, tasks: int) -> Outcome:
    with _server() as url:
        if url is None:
            return Outcome()
        scrubjay = load("scrubjay")
        tiers = load("scrubjay.tiers")
        loop = asyncio.new_event_loop()
        value = random.Random(SEED).randbytes(SIZE)
        keys = make_keys(STRONG_KEYS)
        cache = scrubjay.AdaptiveCache(consistency_level="strong", tiers=[scrubjay.Redis(url)])
        unkept = scrubjay.AdaptiveCache(max_entries=1, tiers=[scrubjay.Redis(url)])
        tier = tiers.RedisTier(url, namespace=NAMESPACE)

        async def fill() -> None:
            for key in keys:
                await cache.put(key, value)
            await tier.aput_many([tiers.TierRecord(key.encode(), value) for key in keys])

        loop.run_until_complete(fill())
        count = scale.of(3_000 if tasks == 1 else 9_600, 128)
        wanted = [keys[number % len(keys)] for number in range(count)]

        def awaited(get: Callable[[Any], Awaitable[Any]], asked: Sequence[Any]) -> Measure:
            async def one(part: Sequence[Any]) -> None:
                for key in part:
                    await get(key)

            async def work() -> float:
                start = perf_counter_ns()
                await asyncio.gather(*[one(asked[number::tasks]) for number in range(tasks)])
                return (perf_counter_ns() - start) / len(asked)

            return lambda _: loop.run_until_complete(work())

        names = [key.encode() for key in wanted]
        outcome = interleave(
            [
                Subject(SCRUBJAY, lambda: awaited(cache.get, wanted)),
                Subject(EACH_TIME, lambda: awaited(lambda key: tier.aget_many([key]), names)),
                Subject(UNKEPT, lambda: awaited(unkept.get, wanted)),
            ],
            scale.of(ROUNDS, 1),
        )
        loop.run_until_complete(cache.close())
        loop.run_until_complete(unkept.close())
        loop.run_until_complete(tier.aclose())
        loop.close()
        return outcome


def heard(scale: Scale) -> Outcome:
    """Time how long another process has what was invalidated, in nanoseconds."""
    with _server() as url:
        if url is None:
            return Outcome()
        times = scale.of(1_000, 20)
        outcome = Outcome()
        ways: list[tuple[str, Any, Any]] = [(SCRUBJAY, _copies, _invalidating)]
        if load("redis"):
            ways.append((PUB_SUB, _subscribed, _publishing))
        for name, listener, changer in ways:
            delays = _delays(url, listener, changer, times)
            outcome.samples[name] = delays
            in_order = sorted(delays)
            outcome.facts.setdefault(P99, {})[name] = in_order[int(len(delays) * 0.99)] / 1000
        return outcome


def _delays(url: str, listener: Any, changer: Any, times: int) -> list[float]:
    """Change something time and again; return how much later another process knew."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=listener, args=(url, theirs), daemon=True)
    other.start()
    prepare, change = changer(url)
    delays: list[float] = []
    try:
        for _ in range(times):
            prepare()
            ours.send(None)
            _received(ours)  # it has the copy, or listens
            begun = monotonic_ns()
            change()
            delays.append(float(_received(ours) - begun))
    finally:
        other.kill()
        other.join()
    return delays


def _received(pipe: Any) -> Any:
    if not pipe.poll(_PATIENCE):
        raise TimeoutError("the other process does not answer")
    return pipe.recv()


def _invalidating(url: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    cache = load("scrubjay").Cache(tiers=[load("scrubjay").Redis(url)])
    return lambda: cache.put("key", "value"), lambda: cache.invalidate("key")


def _copies(url: str, pipe: Any) -> None:
    """Tell of the end of each copy; the body of a process."""
    cache = load("scrubjay").Cache(tiers=[load("scrubjay").Redis(url)])
    while True:
        pipe.recv()
        cache.get("key")
        held = cache._shared._copies.of(cache._stack.lower.name_of("key"))
        ended: list[int] = []
        over = threading.Event()

        def end(ended: list[int] = ended, over: threading.Event = over) -> None:
            if not over.is_set():
                ended.append(monotonic_ns())
                over.set()

        held.copy.watch.on_end(end)
        sleep(_IDLE)
        pipe.send(None)
        over.wait(_PATIENCE)
        pipe.send(ended[0])


def _publishing(url: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    client = load("redis").Redis.from_url(url)

    def change() -> None:
        with client.pipeline(transaction=False) as pipe:
            pipe.delete("key")
            pipe.publish(CHANNEL, b"key")
            pipe.execute()

    return lambda: client.set("key", b"value"), change


def _subscribed(url: str, pipe: Any) -> None:
    """Tell of each message; the body of a process."""
    messages = load("redis").Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    messages.subscribe(CHANNEL)
    messages.get_message(timeout=1.0)
    while True:
        pipe.recv()
        sleep(_IDLE)
        pipe.send(None)
        while messages.get_message(timeout=_PATIENCE) is None:
            pass
        pipe.send(monotonic_ns())


@contextlib.contextmanager
def _server() -> Iterator[str | None]:
    """Yield the URL of a server, or None if none is installed."""
    servers = load("scrubjay.testing.redis")
    if servers is None or load("hiredis") is None or servers.RedisServer.program() is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sj") as at, servers.RedisServer(Path(at)) as server:
        yield server.url
