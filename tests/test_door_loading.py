"""get_or_load: one load per key, whoever asks, from wherever."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, CacheError, InvalidArgumentError
from tests.door_helpers import Patient, arun, in_time, opened, spin, until, wait


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


def waiters(cache: Any, key: Any) -> int:
    """How many wait for the load of a key."""
    flight = cache.flights.get(key)
    return 0 if flight is None else len(flight._callbacks)


# Both doors


def test_a_value_is_loaded_once_and_kept(make: Callable[..., Any]) -> None:
    calls: list[Any] = []

    def load(key: str) -> str:
        calls.append(key)
        return key.upper()

    cache = make(max_entries=5)
    assert cache.get_or_load("a", load) == "A"
    assert cache.get_or_load("a", load) == "A"
    assert cache.get("a") == "A"
    assert calls == ["a"]
    assert cache.statistics.loads == 1
    assert (cache.statistics.cache_hits, cache.statistics.cache_misses) == (2, 1)


def test_the_loader_of_the_cache_is_used_unless_one_is_given(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5, loader=lambda key: ("own", key))
    assert cache.get_or_load("a") == ("own", "a")
    assert cache.get_or_load("b", lambda key: ("given", key)) == ("given", "b")
    assert cache.refresh("b") == ("own", "b")


async def streamed(key: str) -> Any:
    yield key


@pytest.mark.parametrize("stream", [streamed, lambda key: (letter for letter in key)])
def test_what_only_one_caller_could_use_is_refused(make: Callable[..., Any], stream: Any) -> None:
    cache = make(max_entries=5)
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match="generator"):
            cache.get_or_load("abc", stream)
    assert "abc" not in cache
    assert cache.statistics.load_errors == 2


@pytest.mark.parametrize("several", [dict, lambda pairs: [value for _, value in pairs]])
def test_of_several_values_none_may_be_used_up_either(
    make: Callable[..., Any], several: Any
) -> None:
    cache = make(max_entries=5)

    def load(keys: list[str]) -> Any:
        return several([(key, key if key == "a" else letters(key)) for key in keys])

    def letters(key: str) -> Any:
        return (letter for letter in key)

    with pytest.raises(InvalidArgumentError, match="generator"):
        cache.get_many(["a", "b"], loader=load)
    assert len(cache) == 0


def test_without_any_loader_the_error_says_so(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    with pytest.raises(InvalidArgumentError, match="loader"):
        cache.get_or_load("a")
    with pytest.raises(InvalidArgumentError, match="loader"):
        cache.refresh("a")
    cache.put("a", 1)
    assert cache.get_or_load("a") == 1


@pytest.mark.parametrize("value", [None, False, 0, "", (), float("nan"), NotImplemented, ...])
def test_any_value_is_a_value(make: Callable[..., Any], value: Any) -> None:
    cache = make(max_entries=5)
    calls: list[Any] = []

    def load(key: str) -> Any:
        calls.append(key)
        return value

    assert cache.get_or_load("a", load) is value
    assert cache.get_or_load("a", load) is value
    assert calls == ["a"]
    assert cache.get("a", "absent") is value
    assert "a" in cache


def test_an_exception_as_a_value_is_returned_not_raised(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    error = ValueError("a value")
    assert cache.get_or_load("a", lambda key: error) is error
    assert cache.get("a") is error


def test_the_conditions_apply_to_a_loaded_value(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    cache.put("part", 0)
    cache.get_or_load(
        "a",
        lambda key: 1,
        ttl_seconds=5,
        priority=3.0,
        tags={"t"},
        idle_seconds=4,
        dependencies=["part"],
        cost=9.0,
        context={"session_id": "s"},
    )
    entry = cache.entry("a")
    assert (entry.ttl_seconds, entry.idle_seconds) == (5, 4)
    assert (entry.priority, entry.cost) == (3.0, 9.0)
    assert (entry.tags, entry.dependencies) == ({"t"}, {"part"})


def test_an_error_is_passed_on_and_not_kept(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    mine = LookupError("no such thing")

    def load(key: str) -> Any:
        raise mine

    for expected in (1, 2):
        with pytest.raises(LookupError) as caught:
            cache.get_or_load("a", load)
        assert caught.value is mine
        assert caught.value.__context__ is None
        assert cache.statistics.load_errors == cache.statistics.loads == expected
    assert "a" not in cache
    assert cache.get_or_load("a", lambda key: 1) == 1


@pytest.mark.parametrize("kind", [KeyError, StopAsyncIteration, OSError, RecursionError])
def test_errors_of_every_kind_come_through(make: Callable[..., Any], kind: type) -> None:
    def load(key: str) -> Any:
        raise kind("x")

    cache = make(max_entries=5)
    with pytest.raises(kind):
        cache.get_or_load("a", load)
    assert cache.get_or_load("a", lambda key: 1) == 1


def test_a_value_that_is_too_large_is_returned_and_not_kept(make: Callable[..., Any]) -> None:
    cache = make(max_size_mb=1, sizer=lambda value: value)
    assert cache.get_or_load("a", lambda key: 200_000) == 200_000
    assert "a" not in cache
    assert cache.statistics.rejected == 1


def test_a_value_that_cannot_be_sized_counts_as_one_load(make: Callable[..., Any]) -> None:
    def sizer(value: Any) -> int:
        raise RuntimeError("no size")

    cache = make(max_size_mb=1, sizer=sizer)
    with pytest.raises(RuntimeError, match="no size"):
        cache.get_or_load("a", lambda key: 1)
    assert cache.statistics.loads == 1
    cache.clear()
    assert in_time(lambda: len(cache)) == 0


def test_refresh_replaces_and_returns(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    removed: list[Any] = []
    cache.on_removal(lambda *what: removed.append(what))
    cache.put("a", "old", tags={"old"})
    assert cache.refresh("a", lambda key: "new", tags={"new"}) == "new"
    assert cache.get("a") == "new"
    assert cache.entry("a").tags == {"new"}
    assert [(key, value, cause.value) for key, value, cause in removed] == [
        ("a", "old", "replaced")
    ]
    assert cache.refresh("absent", lambda key: "made") == "made"


def test_a_failed_refresh_leaves_the_old_value(make: Callable[..., Any]) -> None:
    def load(key: str) -> Any:
        raise LookupError(key)

    cache = make(max_entries=5)
    cache.put("a", "old")
    with pytest.raises(LookupError):
        cache.refresh("a", load)
    assert cache.get("a") == "old"


def test_a_refresh_counts_as_a_load_and_not_as_a_request(make: Callable[..., Any]) -> None:
    cache = make(max_entries=5)
    cache.put("a", 1)
    cache.refresh("a", lambda key: 2)
    assert cache.statistics.loads == 1
    assert cache.statistics.total_requests == 0


def test_loading_takes_time_and_the_time_becomes_the_cost(make: Callable[..., Any]) -> None:
    pause = threading.Event()

    def load(key: str) -> int:
        pause.wait(0.01)
        return 1

    cache = make(max_entries=5)
    cache.get_or_load("a", load)
    assert 0.005 < cache.entry("a").cost < 5
    assert 0.005 < cache.statistics.load_seconds < 5
    assert cache.statistics.p99_latency_ms > 5
    assert cache.statistics.total_latency_ms > 5
    cache.get_or_load("b", lambda key: 1)
    cost = cache.entry("b").cost
    assert cost == 0.0 or cost >= 0.001  # what loads faster than that is noise


def test_context_variables_are_visible_in_loaders(make: Callable[..., Any]) -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
    cache = make(max_entries=5)
    token = user.set("ann")
    try:
        assert cache.get_or_load("a", lambda key: user.get()) == "ann"
    finally:
        user.reset(token)


def test_a_loader_of_the_wrong_arity_says_so(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="argument"):
        make(max_entries=5).get_or_load("a", lambda: 1)


# Threads


def test_many_threads_cause_one_load() -> None:
    cache: Cache[str, object] = Cache(max_entries=5)
    go, started = threading.Event(), threading.Event()
    made: list[object] = []

    def load(key: str) -> object:
        started.set()
        wait(go)
        made.append(object())
        return made[-1]

    threads = [Patient(cache.get_or_load, "a", load) for _ in range(20)]
    wait(started)
    spin(lambda: waiters(cache, "a") == 19)
    go.set()
    assert {id(thread.result()) for thread in threads} == {id(made[0])}
    assert len(made) == 1
    assert cache.statistics.loads == 1
    assert cache.statistics.cache_misses == 20


def test_every_waiting_thread_gets_the_error() -> None:
    cache: Cache[str, object] = Cache(max_entries=5)
    go, started = threading.Event(), threading.Event()
    mine = LookupError("once")
    calls: list[str] = []

    def load(key: str) -> object:
        calls.append(key)
        started.set()
        wait(go)
        raise mine

    threads = [Patient(cache.get_or_load, "a", load) for _ in range(8)]
    wait(started)
    spin(lambda: waiters(cache, "a") == 7)
    go.set()
    for thread in threads:
        with pytest.raises(LookupError) as caught:
            thread.result()
        assert caught.value is mine
    assert calls == ["a"]


def test_different_keys_load_side_by_side() -> None:
    cache: Cache[int, int] = Cache(max_entries=50)
    together = threading.Barrier(8)

    def load(key: int) -> int:
        together.wait(10)
        return -key

    threads = [Patient(cache.get_or_load, key, load) for key in range(8)]
    assert [thread.result() for thread in threads] == [-key for key in range(8)]


def test_equal_keys_share_a_load() -> None:
    cache: Cache[Any, str] = Cache(max_entries=5)
    go, started = threading.Event(), threading.Event()

    def load(key: Any) -> str:
        started.set()
        wait(go)
        return repr(key)

    first = Patient(cache.get_or_load, 1, load)
    wait(started)
    second = Patient(cache.get_or_load, 1.0, load)
    spin(lambda: waiters(cache, 1) == 1)
    go.set()
    assert first.result() == second.result() == "1"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_leader_leaves_the_load_to_a_waiter(kind: type[BaseException]) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    go, started = threading.Event(), threading.Event()

    def interrupted(key: str) -> str:
        started.set()
        wait(go)
        raise kind

    leader = Patient(cache.get_or_load, "a", interrupted)
    wait(started)
    others = [Patient(cache.get_or_load, "a", lambda key: "by a waiter") for _ in range(3)]
    spin(lambda: waiters(cache, "a") == 3)
    go.set()
    with pytest.raises(kind):
        leader.result()
    assert [other.result() for other in others] == ["by a waiter"] * 3
    assert cache.statistics.loads == 1


def test_stop_iteration_of_a_loader_reaches_a_synchronous_caller() -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    with pytest.raises(StopIteration):
        in_time(cache.get_or_load, "a", lambda key: next(iter(())))
    assert in_time(cache.get_or_load, "a", lambda key: "next time") == "next time"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_stop_iteration_of_a_loader_does_not_hang_a_loop(asynchronous: bool) -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

        def plain(key: str) -> str:
            return next(iter(()))

        async def coroutine(key: str) -> str:
            return next(iter(()))

        load = coroutine if asynchronous else plain
        # A coroutine cannot raise StopIteration; Python makes a RuntimeError of it.
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(cache.get_or_load("a", load), 3)
        assert await asyncio.wait_for(cache.get_or_load("a", lambda key: "b"), 3) == "b"

    arun(main())


def test_an_asynchronous_loader_is_refused_by_the_synchronous_door() -> None:
    cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=5, negative_ttl_seconds=60)

    async def load(key: str) -> int:
        return 1

    class Awaitable:
        def __await__(self) -> Any:
            yield

    for wrong in (load, functools.partial(load), lambda key: Awaitable()):
        with pytest.raises(CacheError, match="loader") as caught:
            cache.sync.get_or_load("a", wrong)
        assert isinstance(caught.value, TypeError)
        with pytest.raises(CacheError, match="loader"):
            cache.sync.refresh("a", wrong)
    # The key is free, and the refusal is not remembered as the key's failure.
    assert arun(cache.get_or_load("a", load)) == 1


def test_waiters_are_told_even_if_the_key_turns_hostile() -> None:
    hostile = False

    class Key:
        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            if hostile:
                raise ArithmeticError("it changed its mind")
            return isinstance(other, Key) and self.number == other.number

    cache: Cache[Key, int] = Cache(max_entries=5)
    holding, go = threading.Event(), threading.Event()
    started, end = threading.Event(), threading.Event()

    def hold(key: Key) -> int:
        holding.set()
        wait(go)
        return 0

    def load(key: Key) -> int:
        started.set()
        wait(end)
        return 1

    other = Patient(cache.get_or_load, Key(1), hold)
    wait(holding)
    mine = Key(2)
    leader = Patient(cache.get_or_load, mine, load)
    wait(started)
    waiter = Patient(cache.get_or_load, mine, load)
    flight = next(one for one in cache.flights.values() if one.key is mine)
    spin(lambda: flight._callbacks)
    hostile = True
    end.set()
    for thread in (leader, waiter):  # a value or an error, but an end
        with contextlib.suppress(ArithmeticError):
            assert thread.result() == 1
    hostile = False
    go.set()
    assert other.result() == 0


# Event loops


def test_many_tasks_cause_one_load() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, object] = AdaptiveCache(max_entries=5)
        calls: list[str] = []

        async def load(key: str) -> object:
            calls.append(key)
            await asyncio.sleep(0)
            return object()

        values = await asyncio.gather(*(cache.get_or_load("a", load) for _ in range(10_000)))
        assert calls == ["a"]
        assert len({id(value) for value in values}) == 1
        assert cache.statistics.cache_misses == 10_000
        assert cache.statistics.loads == 1

    arun(main())


def test_every_waiting_task_gets_the_error() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, object] = AdaptiveCache(max_entries=5)
        mine = LookupError("once")

        async def load(key: str) -> object:
            await asyncio.sleep(0)
            raise mine

        errors = await asyncio.gather(
            *(cache.get_or_load("a", load) for _ in range(50)), return_exceptions=True
        )
        assert all(error is mine for error in errors)
        assert cache.statistics.loads == cache.statistics.load_errors == 1

    arun(main())


@pytest.mark.parametrize("plain", [False, True])
def test_loops_in_several_threads_and_threads_share_one_load(plain: bool) -> None:
    cache: AdaptiveCache[str, object] = AdaptiveCache(max_entries=5)
    go = threading.Event()
    calls: list[str] = []

    def load(key: str) -> object:
        calls.append(key)
        wait(go)
        return object()

    async def aload(key: str) -> object:
        calls.append(key)
        await until(go.is_set)
        return object()

    async def ask(times: int) -> list[object]:
        loader = load if plain else aload
        return list(await asyncio.gather(*(cache.get_or_load("a", loader) for _ in range(times))))

    loops = [Patient(arun, ask(5)) for _ in range(4)]
    spin(lambda: waiters(cache.sync, "a") == 20)
    threads = [Patient(cache.sync.get_or_load, "a", load) for _ in range(4)]
    spin(lambda: waiters(cache.sync, "a") == 24)
    go.set()
    values = [value for loop in loops for value in loop.result()]
    values += [thread.result() for thread in threads]
    assert len(values) == 24
    assert len({id(value) for value in values}) == 1
    assert calls == ["a"]


def test_tasks_wait_for_a_load_that_a_thread_began() -> None:
    cache: AdaptiveCache[str, object] = AdaptiveCache(max_entries=5)
    go, started = threading.Event(), threading.Event()

    def load(key: str) -> object:
        started.set()
        wait(go)
        return object()

    async def ask() -> list[object]:
        asked = [asyncio.ensure_future(cache.get_or_load("a", load)) for _ in range(5)]
        await until(lambda: waiters(cache.sync, "a") == 5)
        go.set()
        return list(await asyncio.gather(*asked))

    leader = Patient(cache.sync.get_or_load, "a", load)
    wait(started)
    values = arun(ask())
    assert {id(value) for value in values} == {id(leader.result())}


def test_a_plain_loader_does_not_block_the_loop() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = threading.Event()

        def load(key: str) -> str:
            assert threading.current_thread() is not threading.main_thread()
            wait(go)
            return "loaded"

        asked = asyncio.ensure_future(cache.get_or_load("a", load))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not asked.done()
        go.set()
        assert await asked == "loaded"

    arun(main())


def test_loaders_of_every_shape() -> None:
    class Plain:
        def __call__(self, key: str) -> str:
            return "object " + key

        async def method(self, key: str) -> str:
            return "method " + key

    class Asynchronous:
        async def __call__(self, key: str) -> str:
            return "async object " + key

    async def two(prefix: str, key: str) -> str:
        return prefix + key

    def returns_a_coroutine(key: str) -> Any:
        return two("later ", key)

    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=50)
        for number, (load, expected) in enumerate(
            (
                (Plain(), "object {}"),
                (Plain().method, "method {}"),
                (Asynchronous(), "async object {}"),
                (functools.partial(two, "partial "), "partial {}"),
                (returns_a_coroutine, "later {}"),
                (lambda key: two("lambda ", key), "lambda {}"),
                (str.upper, "K{}"),
            )
        ):
            key = f"k{number}"
            wanted = expected.format(key) if "K" not in expected else key.upper()
            assert await cache.get_or_load(key, load) == wanted

    arun(main())


@pytest.mark.parametrize("who", ["one waiter", "the first caller", "all"])
def test_who_is_cancelled_disturbs_neither_the_load_nor_others(who: str) -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = asyncio.Event()
        calls: list[str] = []

        async def load(key: str) -> str:
            calls.append(key)
            await go.wait()
            return "loaded"

        asked = [asyncio.ensure_future(cache.get_or_load("a", load)) for _ in range(4)]
        await until(lambda: waiters(cache.sync, "a") == 4)
        cancelled = {"one waiter": asked[2:3], "the first caller": asked[:1], "all": asked}[who]
        for one in cancelled:
            one.cancel()
        for one in cancelled:
            with pytest.raises(asyncio.CancelledError):
                await one
        go.set()
        for one in asked:
            if one not in cancelled:
                assert await one == "loaded"
        await until(lambda: cache.contains("a"))
        assert calls == ["a"]
        assert await cache.get("a") == "loaded"

    arun(main())


def test_a_timeout_of_one_waiter_leaves_the_load_alone() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = asyncio.Event()

        async def load(key: str) -> str:
            await go.wait()
            return "loaded"

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(cache.get_or_load("a", load), 0.001)
        go.set()
        assert await cache.get_or_load("a", load) == "loaded"
        assert cache.statistics.loads == 1

    arun(main())


def test_a_load_that_cancels_itself_is_begun_anew_by_a_waiter() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        go = asyncio.Event()

        async def cancels(key: str) -> str:
            await go.wait()
            raise asyncio.CancelledError

        async def load(key: str) -> str:
            return "by a waiter"

        leader = asyncio.ensure_future(cache.get_or_load("a", cancels))
        await until(lambda: waiters(cache.sync, "a") == 1)
        others = [asyncio.ensure_future(cache.get_or_load("a", load)) for _ in range(3)]
        await until(lambda: waiters(cache.sync, "a") == 4)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        assert await asyncio.gather(*others) == ["by a waiter"] * 3

    arun(main())


def test_a_loop_that_ends_in_mid_load_leaves_the_load_to_waiters_elsewhere() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
    started, leave = threading.Event(), threading.Event()

    async def never(key: str) -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    async def begin_and_leave() -> None:
        asked = asyncio.ensure_future(cache.get_or_load("a", never))
        await until(leave.is_set)
        del asked  # asyncio.run cancels what is left

    async def load(key: str) -> str:
        return "elsewhere"

    first = Patient(arun, begin_and_leave())
    wait(started)
    thread = Patient(cache.sync.get_or_load, "a", lambda key: "elsewhere")
    loop = Patient(arun, cache.get_or_load("a", load))
    spin(lambda: waiters(cache.sync, "a") == 3)
    leave.set()
    first.result()
    assert thread.result() == loop.result() == "elsewhere"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_closed_in_mid_load_does_not_lock_the_key() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

    async def never(key: str) -> str:
        await asyncio.Event().wait()
        return "never"

    async def begin() -> None:
        asked = asyncio.ensure_future(cache.get_or_load("a", never))
        await until(lambda: waiters(cache.sync, "a") == 1)
        asked.cancel()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()  # without cancelling the load

    async def load(key: str) -> str:
        return "after"

    assert in_time(cache.sync.get_or_load, "a", lambda key: "after") == "after"
    assert in_time(cache.sync.refresh, "a", lambda key: "again") == "again"
    assert cache.sync.get_or_load("a", lambda key: "after") == "again"
    assert arun(cache.get_or_load("b", load)) == "after"
    gc.collect()  # what is said of the task that never ended is said here


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_waits_for_a_loop_that_is_closed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from scrubjay._flow import awaiting, blocking

    for module in (awaiting, blocking):
        monkeypatch.setattr(module, "LOOK", 0.001)
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

    async def never(key: str) -> str:
        await asyncio.Event().wait()
        return "never"

    async def begin() -> None:
        asked = asyncio.ensure_future(cache.get_or_load("a", never))
        await until(lambda: waiters(cache.sync, "a") == 3)
        asked.cancel()

    async def load(key: str) -> str:
        return "elsewhere"

    loop = asyncio.new_event_loop()
    begun = Patient(loop.run_until_complete, begin())
    spin(lambda: waiters(cache.sync, "a") == 1)
    thread = Patient(cache.sync.get_or_load, "a", lambda key: "elsewhere")
    other = Patient(arun, cache.get_or_load("a", load))
    begun.result()
    loop.close()
    assert thread.result() == other.result() == "elsewhere"
    gc.collect()  # what is said of the task that never ended is said here


def test_a_paused_loop_stops_nobody_and_its_own_caller_gets_a_value() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
    loop = asyncio.new_event_loop()
    asked: list[asyncio.Future[str]] = []
    go: list[asyncio.Event] = []

    async def load(key: str) -> str:
        await go[0].wait()
        return "of the loop"

    async def begin() -> None:
        go.append(asyncio.Event())
        asked.append(asyncio.ensure_future(cache.get_or_load("a", load)))
        await until(lambda: waiters(cache.sync, "a") == 1)

    async def finish() -> str:
        go[0].set()
        return await asked[0]

    try:
        loop.run_until_complete(begin())
        assert in_time(cache.sync.get_or_load, "a", lambda key: "meanwhile") == "meanwhile"
        assert loop.run_until_complete(finish()) in {"meanwhile", "of the loop"}
        assert cache.sync["a"] == "meanwhile"
    finally:
        loop.close()


def test_a_task_that_cannot_be_made_does_not_lock_the_key() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=5)
        loop = asyncio.get_running_loop()

        async def load(key: str) -> int:
            return 1

        def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
            coroutine.close()
            raise MemoryError("no room for a task")

        loop.set_task_factory(factory)
        try:
            with pytest.raises(MemoryError):
                await cache.get_or_load("a", load)
        finally:
            loop.set_task_factory(None)
        assert await asyncio.wait_for(cache.get_or_load("a", load), 3) == 1

    arun(main())


def test_one_cache_serves_two_loops_one_after_the_other() -> None:
    cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=50)

    async def load(key: str) -> int:
        await asyncio.sleep(0)
        return len(key)

    for turn in range(3):
        key = "k" * (turn + 1)
        assert arun(cache.get_or_load(key, load)) == turn + 1
        assert arun(cache.get("k")) == 1
        assert arun(cache.refresh("k", load)) == 1


def test_one_cache_serves_loops_at_the_same_time() -> None:
    cache: AdaptiveCache[int, int] = AdaptiveCache(max_entries=500)

    async def load(key: int) -> int:
        await asyncio.sleep(0)
        return -key

    async def work() -> int:
        wrong = 0
        for key in range(200):
            wrong += await cache.get_or_load(key % 50, load) != -(key % 50)
            if key % 7 == 0:
                await cache.invalidate(key % 50)
        return wrong

    assert [one.result() for one in [Patient(arun, work()) for _ in range(4)]] == [0] * 4


def test_eager_tasks_load_as_others_do() -> None:
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        pytest.skip("this Python has no eager tasks")

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)

        async def at_once(key: str) -> str:
            return "at once"

        async def later(key: str) -> str:
            await asyncio.sleep(0)
            return "later"

        assert await cache.get_or_load("a", at_once) == "at once"
        assert (
            await asyncio.gather(*(cache.get_or_load("b", later) for _ in range(5)))
            == ["later"] * 5
        )
        assert cache.statistics.loads == 2

    arun(main())


def test_no_trace_is_left_of_finished_loads() -> None:
    from scrubjay._flow import awaiting

    async def main() -> None:
        cache: AdaptiveCache[int, int] = AdaptiveCache(max_entries=500)
        before = set(awaiting.running)

        async def load(key: int) -> int:
            await asyncio.sleep(0)
            if key % 3 == 0:
                raise LookupError(key)
            return key

        asked = [asyncio.ensure_future(cache.get_or_load(key, load)) for key in range(100)]
        await until(lambda: len(cache.sync.flights) == 100)
        asked[5].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await until(lambda: set(awaiting.running) <= before)
        assert len(cache.sync.flights) == 0

    arun(main())
