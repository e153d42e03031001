"""Loads that need themselves: an error at once, and never a wait without end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scrubjay import (
    AdaptiveCache,
    Cache,
    CacheError,
    LoadTimeoutError,
    ReentrantLoadError,
    cached,
)
from scrubjay._flow import bulk, carrying
from scrubjay._flow.flight import Flight
from tests.door_helpers import Patient, arun, in_time, spin, until, wait


def test_the_error_is_of_our_family_and_a_runtime_error() -> None:
    assert issubclass(ReentrantLoadError, CacheError)
    assert issubclass(ReentrantLoadError, RuntimeError)


@pytest.mark.parametrize("length", [1, 2, 3, 10])
def test_a_circle_of_loads_in_one_thread(length: int) -> None:
    cache: Cache[int, int] = Cache(max_entries=50)

    def load(key: int) -> int:
        return cache.get_or_load((key + 1) % length, load)

    with pytest.raises(
        ReentrantLoadError, match=rf"loading {length - 1} waits for 0, which waits for it\b"
    ):
        in_time(cache.get_or_load, 0, load)
    assert len(cache.flights) == 0
    assert in_time(cache.get_or_load, 0, lambda key: 5) == 5


@pytest.mark.parametrize("length", [1, 2, 3, 10])
def test_a_circle_of_loads_on_one_loop(length: int) -> None:
    async def main() -> None:
        cache: AdaptiveCache[int, int] = AdaptiveCache(max_entries=50)

        async def load(key: int) -> Any:
            return await cache.get_or_load((key + 1) % length, load)

        with pytest.raises(ReentrantLoadError):
            await cache.get_or_load(0, load)
        assert await cache.get_or_load(0, lambda key: 5) == 5

    arun(main())


def test_a_loader_may_catch_the_error_and_give_a_value() -> None:
    cache: Cache[str, str] = Cache(max_entries=5)

    def load(key: str) -> str:
        try:
            return cache.get_or_load(key, load)
        except ReentrantLoadError:
            return "the end of the recursion"

    assert in_time(cache.get_or_load, "a", load) == "the end of the recursion"
    assert cache.get("a") == "the end of the recursion"


def test_loads_within_loads_are_fine_where_they_end() -> None:
    cache: Cache[int, int] = Cache(max_entries=50)

    def load(key: int) -> int:
        return 1 if key < 2 else cache.get_or_load(key - 1, load) + cache.get_or_load(key - 2, load)

    assert cache.get_or_load(20, load) == 10946
    assert cache.statistics.loads == 21


def test_a_circle_through_another_task() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

        async def load(key: str) -> Any:
            return await asyncio.ensure_future(cache.get_or_load("a", load))

        with pytest.raises(ReentrantLoadError):
            await cache.get_or_load("a", load)

    arun(main())


def test_a_circle_of_two_tasks_that_meet_in_the_middle() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        both = asyncio.Event()
        inside: list[str] = []

        async def load(key: str) -> Any:
            inside.append(key)
            if len(inside) == 2:
                both.set()
            await both.wait()
            return await cache.get_or_load("b" if key == "a" else "a", load)

        errors = await asyncio.gather(
            cache.get_or_load("a", load), cache.get_or_load("b", load), return_exceptions=True
        )
        assert [type(error) for error in errors] == [ReentrantLoadError] * 2

    arun(main())


def test_a_circle_through_a_worker_thread() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

        def plain(key: str) -> str:
            return cache.sync.get_or_load("a", plain)

        with pytest.raises(ReentrantLoadError):
            await cache.get_or_load("a", plain)

    arun(main())


def test_a_circle_through_a_loop_within_a_loader() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

    def load(key: str) -> Any:
        return asyncio.run(cache.get_or_load(key, load))

    with pytest.raises(ReentrantLoadError):
        in_time(cache.sync.get_or_load, "a", load)


def test_two_threads_that_load_what_the_other_waits_for() -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    meeting = threading.Barrier(2)

    def load(key: str) -> str:
        meeting.wait(10)
        return cache.get_or_load("b" if key == "a" else "a", load)

    one = Patient(cache.get_or_load, "a", load)
    two = Patient(cache.get_or_load, "b", load)
    for thread in (one, two):
        with pytest.raises(ReentrantLoadError):
            thread.result()


def test_two_threads_that_look_for_the_circle_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    meeting, before, after = (threading.Barrier(2) for _ in range(3))
    refuse = Flight.refuse_circle

    def together(flight: Flight) -> None:
        before.wait(3)
        try:
            refuse(flight)
        finally:
            after.wait(3)

    def load(key: str) -> str:
        meeting.wait(10)
        return cache.get_or_load("b" if key == "a" else "a", load)

    monkeypatch.setattr(Flight, "refuse_circle", together)
    one = Patient(cache.get_or_load, "a", load)
    two = Patient(cache.get_or_load, "b", load)
    for thread in (one, two):
        with pytest.raises((ReentrantLoadError, threading.BrokenBarrierError)):
            thread.result()


def test_a_circle_of_a_thread_and_a_loop() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
    meeting = threading.Barrier(2)

    def plain(key: str) -> str:
        meeting.wait(10)
        return cache.sync.get_or_load("b", plain)

    async def coroutine(key: str) -> Any:
        await asyncio.to_thread(meeting.wait, 10)
        return await cache.get_or_load("a", coroutine)

    thread = Patient(cache.sync.get_or_load, "a", plain)
    loop = Patient(arun, cache.get_or_load("b", coroutine))
    for one in (thread, loop):
        with pytest.raises(ReentrantLoadError):
            one.result()


def test_a_blocking_call_on_the_thread_of_the_loop_that_loads() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = asyncio.Event()

        async def load(key: str) -> str:
            await go.wait()
            return "loaded"

        asked = asyncio.ensure_future(cache.get_or_load("a", load))
        await until(lambda: cache.sync.flights.get("a") is not None)
        await asyncio.sleep(0)
        with pytest.raises(ReentrantLoadError, match="loop"):
            cache.sync.get_or_load("a", lambda key: "blocking")
        go.set()
        assert await asked == "loaded"

    arun(main())


def test_a_blocking_call_that_would_stop_the_loop_through_another_load() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
    y_began = threading.Event()

    def load_x(key: str) -> str:
        wait(y_began)
        return cache.sync.get_or_load("y", lambda key: "not this one")

    async def main() -> None:
        x = Patient(cache.sync.get_or_load, "x", load_x)
        await until(lambda: cache.sync.flights.get("x") is not None)
        flight = cache.sync.flights.get("x")
        never = asyncio.Event()

        async def slow_y(key: str) -> str:
            y_began.set()
            await never.wait()
            return "y"

        asked = asyncio.ensure_future(cache.get_or_load("y", slow_y))
        await until(lambda: flight.waits_for)
        # X waits, in its thread, for Y, which this very loop loads.
        with pytest.raises(ReentrantLoadError):
            cache.sync.get_or_load("x", load_x)
        never.set()
        assert await asked == "y"
        assert await asyncio.to_thread(x.result) == "y"

    in_time(arun, main())


def test_a_load_that_comes_to_wait_for_the_loop_that_is_blocked_for_it() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
    loop_blocked, x_began = threading.Event(), threading.Event()

    def load_x(key: str) -> str:
        x_began.set()
        wait(loop_blocked)
        spin(lambda: cache.sync.flights.get("x")._callbacks)  # the loop's thread waits by now
        return cache.sync.get_or_load("y", lambda key: "not this one")

    async def main() -> None:
        never = asyncio.Event()

        async def load_y(key: str) -> str:
            await never.wait()
            return "y"

        asked = asyncio.ensure_future(cache.get_or_load("y", load_y))
        await until(lambda: cache.sync.flights.get("y") is not None)
        await asyncio.sleep(0)
        x = Patient(cache.sync.get_or_load, "x", load_x)
        await until(x_began.is_set)
        loop_blocked.set()
        # It is X, in its thread, that sees the circle, and fails; so does who waits for X.
        with pytest.raises(ReentrantLoadError):
            cache.sync.get_or_load("x", load_x)
        with pytest.raises(ReentrantLoadError):
            x.result()
        never.set()
        assert await asked == "y"

    in_time(arun, main())


def test_a_refresh_within_the_load_of_the_same_key() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        calls = 0

        async def load(key: str) -> Any:
            nonlocal calls
            calls += 1
            assert calls < 20, "it begins without end"
            return await cache.refresh(key, load)

        with pytest.raises(ReentrantLoadError):
            await cache.get_or_load("a", load)
        with pytest.raises(ReentrantLoadError):
            await cache.refresh("a", load)

    arun(main())


def test_a_refresh_of_another_key_within_a_load_is_fine() -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    cache.put("b", "old")
    assert (
        cache.get_or_load("a", lambda key: "a of " + cache.refresh("b", lambda key: "new"))
        == "a of new"
    )
    assert cache.get("b") == "new"


def test_the_same_key_of_another_cache_is_another_key() -> None:
    one: Cache[str, str] = Cache(max_entries=5)
    two: Cache[str, str] = Cache(max_entries=5)
    assert one.get_or_load("a", lambda key: two.get_or_load(key, lambda key: "two")) == "two"


def test_a_circle_through_two_caches() -> None:
    one: Cache[str, str] = Cache(max_entries=5)
    two: Cache[str, str] = Cache(max_entries=5)

    def load_one(key: str) -> str:
        return two.get_or_load(key, load_two)

    def load_two(key: str) -> str:
        return one.get_or_load(key, load_one)

    with pytest.raises(ReentrantLoadError):
        in_time(one.get_or_load, "a", load_one)


def test_who_has_finished_a_load_may_load_again() -> None:
    # A task that a loader left behind carries that loader's context for ever.
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = asyncio.Event()
        left: list[asyncio.Task[Any]] = []

        async def later(key: str) -> str:
            await asyncio.sleep(0)
            return "again"

        async def leave_a_task(key: str) -> str:
            async def work() -> Any:
                await go.wait()
                return await cache.get_or_load(key, later)

            left.append(asyncio.ensure_future(work()))
            return "first"

        assert await cache.get_or_load("a", leave_a_task) == "first"
        await cache.invalidate("a")
        go.set()
        assert await left[0] == "again"
        assert await cache.get("a") == "again"

    arun(main())


def test_parallel_loads_within_a_load() -> None:
    async def main() -> None:
        cache: AdaptiveCache[Any, int] = AdaptiveCache(max_entries=5000)

        async def part(key: int) -> int:
            await cache.get_or_load("common", common)
            return key

        async def common(key: str) -> int:
            await asyncio.sleep(0)
            return 0

        async def whole(key: str) -> int:
            return sum(await asyncio.gather(*(cache.get_or_load(n, part) for n in range(1000))))

        assert await cache.get_or_load("whole", whole) == 499_500
        assert cache.statistics.loads == 1002

    arun(main())


def test_workers_of_a_pool_do_not_see_a_circle_where_there_is_none() -> None:
    cache: Cache[Any, int] = Cache(max_entries=500)

    def load(key: Any) -> int:
        if key == "sum":
            return sum(pool.map(lambda n: cache.get_or_load(n, load), range(50)))
        return int(key)

    with ThreadPoolExecutor(8) as pool:
        assert in_time(cache.get_or_load, "sum", load) == 1225


def test_a_cached_function_that_calls_itself_with_the_same_arguments() -> None:
    @cached
    def plain(x: int) -> int:
        return plain(x)

    @cached
    async def coroutine(x: int) -> int:
        return await coroutine(x)

    class Holder:
        @cached
        def method(self, x: int) -> int:
            return self.method(x)

    with pytest.raises(ReentrantLoadError):
        in_time(plain, 1)
    with pytest.raises(ReentrantLoadError):
        arun(coroutine(1))
    with pytest.raises(ReentrantLoadError):
        in_time(Holder().method, 1)


def test_waiters_from_outside_get_the_error_too() -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    started, go = threading.Event(), threading.Event()

    def load(key: str) -> str:
        started.set()
        wait(go)
        return cache.get_or_load(key, load)

    leader = Patient(cache.get_or_load, "a", load)
    wait(started)
    waiter = Patient(cache.get_or_load, "a", load)
    spin(lambda: cache.flights.get("a")._callbacks)
    go.set()
    for thread in (leader, waiter):
        with pytest.raises(ReentrantLoadError):
            thread.result()


def within(monkeypatch: pytest.MonkeyPatch, module: Any, asked: Any) -> list[Any]:
    """Have `asked` run between the claim of a key and its load, as a finalizer may be.

    Returns what came of it.
    """
    begin, outcomes = module.Start, []

    def start(*args: Any, **named: Any) -> Any:
        if not outcomes:
            outcomes.append(None)
            try:
                outcomes[0] = asked()
            except ReentrantLoadError as error:
                outcomes[0] = error
        return begin(*args, **named)

    monkeypatch.setattr(module, "Start", start)
    return outcomes


@pytest.mark.parametrize("call", ["get_or_load", "refresh", "get_many"])
@pytest.mark.parametrize("asked", ["get_or_load", "get_many"])
def test_a_finalizer_that_asks_for_what_its_thread_is_about_to_load(
    call: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache: Cache[str, int] = Cache(max_entries=5)

    def ask(method: str, value: int) -> Any:
        if method == "get_many":
            return cache.get_many(["a"], loader=lambda keys: dict.fromkeys(keys, value))["a"]
        return getattr(cache, method)("a", lambda key: value)

    module = bulk if call == "get_many" else carrying
    outcomes = within(monkeypatch, module, lambda: ask(asked, 2))
    assert in_time(ask, call, 1) == 1
    assert isinstance(outcomes[0], ReentrantLoadError)
    assert "keeps this thread from loading" in str(outcomes[0])
    assert len(cache.flights) == 0
    assert in_time(ask, asked, 3) == 1  # from the cache


def test_a_finalizer_on_the_thread_of_a_loop_that_is_about_to_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=5)
        outcomes = within(monkeypatch, carrying, lambda: cache.sync.get_or_load("a", lambda key: 2))
        assert await cache.get_or_load("a", lambda key: 1) == 1
        assert isinstance(outcomes[0], ReentrantLoadError)

    arun(main())


def test_who_has_a_load_carried_out_apart_may_wait_for_it() -> None:
    gate = threading.Event()
    cache: Cache[str, int] = Cache(max_entries=5, hard_timeout_seconds=0.01)

    def load(key: str) -> int:
        gate.wait()
        return 1

    with pytest.raises(LoadTimeoutError):
        cache.get_or_load("a", load)
    with pytest.raises(LoadTimeoutError):  # the load of before, which goes on
        cache.get_or_load("a", lambda key: 2)
    gate.set()
    spin(lambda: cache.get("a") == 1)
