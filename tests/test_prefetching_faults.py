"""Prefetching where caches die, loops end, processes fork and threads race."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import time
import weakref
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, Layer
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, arun, in_time, spin, until, wait
from tests.models import check, scaled
from tests.prefetch_helpers import Script, scripted, warmed


def script_of(cache: Cache[Any, Any], follows: dict[Any, list[Any]]) -> Script:
    script = Script(follows)
    engine: Any = cache.prefetcher._engine  # type: ignore[union-attr]
    engine.planner = script
    return script


class Gated:
    """Loads at once on demand, and behind a gate what is loaded ahead."""

    def __init__(self, behind: set[Any]) -> None:
        self.behind = behind
        self.began, self.gate = threading.Event(), threading.Event()
        self.keys: list[Any] = []

    def __call__(self, key: Any) -> str:
        self.keys.append(key)
        if key in self.behind:
            self.began.set()
            wait(self.gate)
        return f"value of {key}"


def test_threads_do_it_by_themselves() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=lambda key: f"value of {key}")
    script_of(cache, {"a": ["b"]})
    for key in "ab":
        cache.get_or_load(key)
        cache.invalidate(key)
    cache.get_or_load("a")
    spin(lambda: cache.waits("b"))
    assert cache.get("b") == "value of b"


def test_a_cache_dies_while_something_is_loaded_for_it() -> None:
    loader = Gated(set())
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=loader)
    script_of(cache, {"a": ["b"]})
    for key in "ab":
        cache.get_or_load(key)
        cache.invalidate(key)
    loader.behind.add("b")
    cache.get_or_load("a")
    wait(loader.began)
    gone = weakref.ref(cache)
    workers = cache.prefetcher._engine.workers  # type: ignore[union-attr]
    del cache
    spin(lambda: gc.collect() >= 0 and gone() is None)
    loader.gate.set()
    spin(lambda: workers._idle == workers._threads)


def test_an_idle_cache_is_not_kept_alive() -> None:
    cache, _, workers = scripted({"a": ["b"]}, loader=str)
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.run()
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None


def test_a_slow_load_ahead_holds_no_other_key_up() -> None:
    loader = Gated(set())
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=loader)
    script_of(cache, {"a": ["b"]})
    for key in "ab":
        cache.get_or_load(key)
        cache.invalidate(key)
    loader.behind.add("b")
    cache.get_or_load("a")
    wait(loader.began)
    assert in_time(cache.get_or_load, "c") == "value of c"
    joined = Patient(cache.get_or_load, "b")
    spin(lambda: cache.flights.get("b").joined)
    loader.gate.set()
    assert joined.result() == "value of b"
    assert loader.keys.count("b") == 2  # to warm up, and ahead


def test_no_thread_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, who asks loads for himself."""
    cache, _, workers = scripted({"a": ["b"]}, loader=lambda key: f"value of {key}")
    warmed(cache, "ab", workers)
    cache.get_or_load("a")

    def refuse(job: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers, "submit", refuse)
    workers.step()
    assert cache.flights.count == 0
    assert in_time(cache.get_or_load, "b") == "value of b"
    assert cache.get("absent") is None  # nor is it a matter of the request's


# Event loops


def warm_on(loader: Any) -> AdaptiveCache[Any, Any]:
    cache: AdaptiveCache[Any, Any] = AdaptiveCache(max_entries=100, loader=loader)
    script_of(cache.sync, {"a": ["b"]})
    return cache


async def warm(cache: AdaptiveCache[Any, Any]) -> None:
    for key in "ab":
        await cache.get_or_load(key)
        await asyncio.sleep(0)
        await cache.invalidate(key)
    await asyncio.sleep(0)


def test_an_asynchronous_loader_runs_on_the_loop_that_asks() -> None:
    loops: list[Any] = []

    async def load(key: Any) -> str:
        loops.append(asyncio.get_running_loop())
        return f"value of {key}"

    cache = warm_on(load)

    async def use() -> None:
        await cache.clear()
        await warm(cache)
        del loops[:]
        await cache.get_or_load("a")
        await until(lambda: cache.sync.waits("b"))
        assert await cache.get("b") == "value of b"
        assert loops == [asyncio.get_running_loop()] * 2

    for _ in range(2):
        arun(use())


def test_a_plain_loader_that_returns_an_awaitable_harms_nobody() -> None:
    async def load(key: Any) -> str:
        return f"value of {key}"

    cache = warm_on(lambda key: load(key))  # noqa: PLW0108 - no coroutine function itself

    async def use() -> None:
        await warm(cache)
        await cache.get_or_load("a")
        script = cache.sync.prefetcher._engine.planner  # type: ignore[union-attr]
        await until(lambda: ("failed", "b") in script.told)
        assert await cache.get_or_load("b") == "value of b"

    arun(use())


def test_a_loader_may_be_an_object_that_is_awaited() -> None:
    class Load:
        async def __call__(self, key: Any) -> str:
            return f"value of {key}"

    cache = warm_on(Load())

    async def use() -> None:
        await warm(cache)
        await cache.get_or_load("a")
        await until(lambda: cache.sync.waits("b"))
        assert await cache.get("b") == "value of b"

    arun(use())


def test_stopping_cancels_what_is_loaded_ahead() -> None:
    cancelled: list[Any] = []
    slow = [False]

    async def load(key: Any) -> str:
        if slow[0] and key == "b":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(key)
                raise
        return f"value of {key}"

    async def use() -> None:
        async with warm_on(load) as cache:
            await warm(cache)
            slow[0] = True
            await cache.get_or_load("a")
            await until(lambda: cache.sync.flights.get("b") is not None)
            await asyncio.sleep(0)
        assert cancelled == ["b"]
        assert cache.sync.flights.count == 0
        slow[0] = False
        assert await cache.get_or_load("b") == "value of b"

    arun(use())


def test_who_has_joined_is_served_although_the_cache_is_stopped() -> None:
    gate = []
    slow = [False]

    async def load(key: Any) -> str:
        if slow[0] and key == "b":
            gate.append(asyncio.Event())
            await gate[0].wait()
        return f"value of {key}"

    async def use() -> None:
        cache = warm_on(load)
        await warm(cache)
        slow[0] = True
        await cache.get_or_load("a")
        await until(lambda: gate)
        asking = asyncio.ensure_future(cache.get_or_load("b"))
        await until(lambda: cache.sync.flights.get("b").joined)
        await cache.stop()
        gate[0].set()
        assert await asking == "value of b"
        assert len(gate) == 1

    arun(use())


def test_a_loop_that_ends_takes_no_demand_with_it() -> None:
    """A load ahead is stranded with its loop; who needs the key loads it anew."""
    slow = [False]

    async def load(key: Any) -> str:
        if slow[0]:
            await asyncio.Event().wait()
        return f"value of {key}"

    cache = warm_on(load)
    loop = asyncio.new_event_loop()

    async def strand() -> None:
        await warm(cache)
        await cache.get_or_load("a")
        await until(lambda: cache.sync.waits("b"))
        for key in "ab":
            await cache.invalidate(key)
        slow[0] = True
        asking = loop.create_task(cache.get_or_load("a"))
        await until(lambda: cache.sync.flights.get("b") is not None)
        asking.cancel()

    loop.run_until_complete(strand())
    slow[0] = False

    async def use() -> None:
        assert await asyncio.wait_for(cache.get_or_load("b"), 5) == "value of b"
        assert await asyncio.wait_for(cache.get_or_load("a"), 5) == "value of a"

    arun(use())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_context_with_a_load_under_way_is_not_passed_on() -> None:
    """What is loaded ahead is no part of the load that woke the learner up."""

    async def load(key: Any) -> str:
        if key == "outer":
            return str(await cache.get_or_load("a"))
        if key == "b":
            return str(await cache.get_or_load("outer"))  # would be a circle for "outer"
        return f"value of {key}"

    cache = warm_on(load)

    async def use() -> None:
        assert await cache.get_or_load("b") == "value of a"
        for key in ("a", "b", "outer"):
            await cache.invalidate(key)
        assert await cache.get_or_load("outer") == "value of a"
        await until(lambda: cache.sync.waits("b"))

    arun(use())


# Many at once


def test_many_threads_and_loops_at_once(eager_switching: None) -> None:
    """Values are right, entries hold together, and nobody waits for ever."""
    version = [0] * 200
    invalidated = [0] * 200  # the last version whose invalidation has returned
    counting = threading.Lock()

    def load(key: int) -> tuple[int, int]:
        value = (key, version[key])
        if key % 17 == 0 and random.random() < 0.2:
            raise OSError(key)
        return value

    cache: AdaptiveCache[int, tuple[int, int]] = AdaptiveCache(max_entries=80, loader=load)
    steps = scaled(3000, 300)

    def asked(key: int, value: tuple[int, int], before: int) -> None:
        assert value[0] == key
        assert value[1] >= before, "an invalidated value came back"

    def work(seed: int) -> None:
        rng = random.Random(seed)
        key = 0
        for _ in range(steps):
            key = (key + 1) % 200 if rng.random() < 0.9 else rng.randrange(200)
            if rng.random() < 0.02:
                with counting:
                    version[key] = written = version[key] + 1
                cache.sync.invalidate(key)
                with counting:
                    invalidated[key] = max(invalidated[key], written)
            before = invalidated[key]
            try:
                asked(key, cache.sync.get_or_load(key), before)
            except OSError:
                assert key % 17 == 0

    async def awork(seed: int) -> None:
        rng = random.Random(seed)
        key = 0
        for step in range(steps // 4):
            key = (key + 1) % 200 if rng.random() < 0.9 else rng.randrange(200)
            before = invalidated[key]
            try:
                asked(key, await cache.get_or_load(key), before)
            except OSError:
                assert key % 17 == 0
            if step % 10 == 0:
                await asyncio.sleep(0)

    threads = [Patient(work, seed) for seed in range(3)]
    threads += [Patient(asyncio.run, awork(seed)) for seed in (10, 11)]
    for _ in range(20):
        cache.get_detailed_statistics()
        time.sleep(0)
    for thread in threads:
        thread._thread.join(60)
        thread.result()
    prefetcher = cache.sync.prefetcher
    assert prefetcher is not None
    assert prefetcher.join(60)  # what still loads may put another entry out
    prefetcher.close()
    check(cache.sync)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_goes_on_by_itself() -> None:
    loader = Gated(set())
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=loader)
    script_of(cache, {"a": ["b"]})
    for key in "ab":
        cache.get_or_load(key)
        cache.invalidate(key)
    loader.behind.add("b")
    cache.get_or_load("a")
    wait(loader.began)  # a thread of the parent loads b
    child = os.fork()
    if child == 0:
        code = 1
        try:
            loader.behind.clear()
            cache.invalidate("a")
            cache.get_or_load("a")
            spin(lambda: cache.waits("b"))
            if cache.get_or_load("b") == "value of b":
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    loader.gate.set()
    spin(lambda: cache.waits("b"))


def test_keys_that_raise_when_compared_end_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        broken = False

        def __init__(self, name: str) -> None:
            self.name = name

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            if Odd.broken:
                raise ZeroDivisionError
            return isinstance(other, Odd) and other.name == self.name

    a, b = Odd("a"), Odd("b")
    cache, _, workers = scripted({}, loader=str)
    warmed(cache, [a, b], workers)
    cache.get_or_load(a)
    Odd.broken = True
    workers.run()
    Odd.broken = False
    cache.get_or_load(b)
    workers.run()
    check(cache)


# Tiers below


def test_what_a_lower_tier_has_is_fetched_ahead_without_the_loader() -> None:
    calls: list[Any] = []

    def load(key: Any) -> str:
        calls.append(key)
        return f"value of {key}"

    below = MemoryTier()
    cache, script, workers = scripted({"a": ["b"]}, loader=load, tiers=[below])
    for key in "ab":
        cache.get_or_load(key)
    workers.run()
    # They are given up by memory, and stay below.
    for key in range(200):
        cache.put(key, key)
    assert not cache.contains("b")
    del calls[:]
    assert cache.get_or_load("a") == "value of a"
    workers.run()
    assert cache.waits("b")
    assert ("fetched", "b", True) in script.told
    assert cache.get("b") == "value of b"
    assert calls == []
    cache.close()


@pytest.mark.parametrize("shared", [False, True])
def test_what_a_tier_had_for_nobody_is_no_hit_of_a_request(shared: bool) -> None:
    far: Any = SharedMemoryTier(SharedMemory()) if shared else MemoryTier(name="shared")
    cache, _, workers = scripted({"a": ["b", "c"]}, loader=str.upper, tiers=[Layer(far)])
    for key in "abc":
        cache.get_or_load(key)
    workers.run()
    for key in range(200):
        cache.put(str(key), key)
    before, tier = cache.statistics, cache.get_detailed_statistics()["tiers"]["shared"]
    cache.get_or_load("a")  # found below; b is fetched ahead from there
    workers.run()
    assert cache.waits("b")
    cache.get_or_load("z")  # nobody has it
    after, told = cache.statistics, cache.get_detailed_statistics()["tiers"]["shared"]
    assert after.total_requests == before.total_requests + 2
    assert after.cache_hits == before.cache_hits + 1
    assert after.cache_misses == before.cache_misses + 1
    assert (told["hits"], told["misses"]) == (tier["hits"] + 1, tier["misses"] + 1)
    cache.get("b")
    assert cache.get_detailed_statistics()["tiers"]["shared"]["hits"] == tier["hits"] + 1
    assert cache.statistics.cache_hits == before.cache_hits + 2
    cache.close()


def test_what_is_loaded_ahead_is_kept_below_as_well() -> None:
    below = MemoryTier()
    cache, _, workers = scripted({"a": ["b"]}, loader=str, tiers=[below])
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.run()
    assert cache.waits("b")
    other: Cache[Any, Any] = Cache(max_entries=10, tiers=[below])
    assert other.get("b") == "b"
    cache.close()
    other.close()
