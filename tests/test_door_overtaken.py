"""Loads that are overtaken: returned to who waited, never stored, never joined later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, ManualClock, cached
from tests.door_helpers import Patient, arun, until, wait


class Held:
    """A load that a test holds open in another thread."""

    def __init__(self, cache: Any, key: Any, how: str = "get_or_load", **terms: Any) -> None:
        self._go, started = threading.Event(), threading.Event()

        def load(key: Any) -> str:
            started.set()
            wait(self._go)
            return "loaded before"

        self._thread = Patient(getattr(cache, how), key, load, **terms)
        wait(started)

    def release(self) -> Any:
        self._go.set()
        return self._thread.result()


OVERTAKING: dict[str, Callable[[Any], Any]] = {
    "invalidate": lambda cache: cache.invalidate("a"),
    "invalidate_many": lambda cache: cache.invalidate_many(["x", "a"]),
    "invalidate_by_tags": lambda cache: cache.invalidate_by_tags({"t", "u"}),
    "invalidate a dependency": lambda cache: cache.invalidate("part"),
    "invalidate what a dependency needs": lambda cache: cache.invalidate("part of the part"),
    "replace a dependency": lambda cache: cache.put("part", "changed"),
    "set a dependency": lambda cache: cache.__setitem__("part", "changed"),
    "delete a dependency": lambda cache: cache.__delitem__("part"),
    "refresh a dependency": lambda cache: cache.refresh("part", lambda key: "changed"),
    "invalidate a dependency's tag": lambda cache: cache.invalidate_by_tags({"parts"}),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("how", ["get_or_load", "refresh"])
@pytest.mark.parametrize("what", OVERTAKING)
def test_an_overtaken_load_is_returned_and_not_stored(how: str, what: str) -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    cache.put("part of the part", "p")
    cache.put("part", "p", dependencies=["part of the part"], tags={"parts"})
    load = Held(cache, "a", how, tags={"t"}, dependencies=["part"])
    OVERTAKING[what](cache)
    assert load.release() == "loaded before"
    assert "a" not in cache
    assert cache.get_or_load("a", lambda key: "loaded after") == "loaded after"
    assert cache.get("a") == "loaded after"


@pytest.mark.parametrize("what", OVERTAKING)
def test_who_comes_after_does_not_join_the_overtaken_load(what: str) -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    cache.put("part of the part", "p")
    cache.put("part", "p", dependencies=["part of the part"], tags={"parts"})
    load = Held(cache, "a", tags={"t"}, dependencies=["part"])
    OVERTAKING[what](cache)
    late = Patient(cache.get_or_load, "a", lambda key: "loaded after")
    assert late.result() == "loaded after"  # while the old load is still under way
    assert load.release() == "loaded before"
    assert cache.get("a") == "loaded after"


@pytest.mark.parametrize("how", ["get_or_load", "refresh"])
def test_a_put_overtakes_a_load_and_stays(how: str) -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    load = Held(cache, "a", how)
    cache.put("a", "put meanwhile")
    assert cache.get("a") == "put meanwhile"
    assert load.release() == "loaded before"
    assert cache.get("a") == "put meanwhile"


def test_a_put_that_is_gone_again_has_overtaken_all_the_same() -> None:
    clock = ManualClock()
    cache: Cache[str, str] = Cache(max_entries=20, clock=clock)
    load = Held(cache, "a")
    cache.put("a", "short-lived", ttl_seconds=1)
    clock.advance(2)
    cache.purge_expired()
    assert load.release() == "loaded before"
    assert "a" not in cache


def test_a_put_that_is_rejected_overtakes_too() -> None:
    cache: Cache[str, Any] = Cache(max_size_mb=1, sizer=lambda v: v if isinstance(v, int) else 9)
    load = Held(cache, "a")
    assert cache.put("a", 10**6) is False
    load.release()
    assert "a" not in cache


def test_a_refresh_overtakes_a_load() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    load = Held(cache, "a")
    assert cache.refresh("a", lambda key: "refreshed") == "refreshed"
    assert load.release() == "loaded before"
    assert cache.get("a") == "refreshed"


def test_of_two_refreshes_the_later_stays() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    cache.put("a", "old")
    early = Held(cache, "a", "refresh")
    assert cache.refresh("a", lambda key: "later") == "later"
    assert early.release() == "loaded before"
    assert cache.get("a") == "later"


def test_a_refresh_serves_the_old_value_meanwhile() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    cache.put("a", "old")
    load = Held(cache, "a", "refresh")
    assert cache.get("a") == "old"
    assert cache.get_or_load("a", lambda key: "not called") == "old"
    assert load.release() == "loaded before"
    assert cache.get("a") == "loaded before"


def test_who_asks_during_a_refresh_of_an_absent_key_joins_it() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    load = Held(cache, "a", "refresh")
    joined = Patient(cache.get_or_load, "a", lambda key: "not called")
    while not cache.flights.get("a")._callbacks:
        pass
    load.release()
    assert joined.result() == "loaded before"


def test_what_does_not_concern_a_load_does_not_overtake_it() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    cache.put("other", "o")
    cache.put("part", "p")
    cache.put("dependent", "d", dependencies=["a"])
    load = Held(cache, "a", tags={"t"}, dependencies=["part"])
    cache.invalidate("other")
    cache.invalidate("dependent")
    cache.put("other", "again")
    cache.invalidate_by_tags({"another"})
    cache.get("part")
    cache.touch("part")
    cache.resize(max_entries=10)
    cache.purge_expired()
    assert load.release() == "loaded before"
    assert cache.get("a") == "loaded before"


def test_an_evicted_dependency_has_not_changed() -> None:
    cache: Cache[str, str] = Cache(max_entries=2, eviction_strategy="lru")
    cache.put("part", "p")
    load = Held(cache, "a", dependencies=["part"])
    cache.put("x", "1")
    cache.put("y", "2")
    assert "part" not in cache
    load.release()
    assert "a" in cache


def test_a_dependency_that_is_loaded_within_the_load_has_not_changed() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)

    def load(key: str) -> str:
        return "from " + cache.get_or_load("part", lambda key: "p")

    assert cache.get_or_load("a", load, dependencies=["part"]) == "from p"
    assert cache.get("a") == "from p"
    assert cache.invalidate("part") == 2


def test_an_invalidation_by_the_loader_itself() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)

    def load(key: str) -> str:
        cache.invalidate(key)
        return "loaded"

    assert cache.get_or_load("a", load) == "loaded"
    assert "a" not in cache


def test_a_put_by_the_loader_itself_wins() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)

    def load(key: str) -> str:
        cache.put(key, "put by the loader")
        return "returned by the loader"

    assert cache.get_or_load("a", load) == "returned by the loader"
    assert cache.get("a") == "put by the loader"


def test_waiters_of_an_overtaken_load_get_its_value() -> None:
    cache: Cache[str, str] = Cache(max_entries=20)
    load = Held(cache, "a")
    waiter = Patient(cache.get_or_load, "a", lambda key: "not called")
    while not cache.flights.get("a")._callbacks:
        pass
    cache.invalidate("a")
    load.release()
    assert waiter.result() == "loaded before"
    assert "a" not in cache


def test_the_asynchronous_door_overtakes_and_is_overtaken() -> None:
    async def main() -> None:
        for overtake in (
            lambda cache: cache.invalidate("a"),
            lambda cache: cache.clear(),
            lambda cache: cache.put("a", "put"),
            lambda cache: cache.invalidate_by_tags({"t"}),
            lambda cache: cache.invalidate("part"),
            lambda cache: cache.refresh("a", lambda key: "put"),
        ):
            cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=20)
            go = asyncio.Event()

            async def load(key: str, go: asyncio.Event = go) -> str:
                await go.wait()
                return "loaded before"

            asked = asyncio.ensure_future(
                cache.get_or_load("a", load, tags={"t"}, dependencies={"part"})
            )
            await until(lambda flights=cache.sync.flights: flights.get("a") is not None)
            await asyncio.sleep(0)
            await overtake(cache)
            assert await cache.get_or_load("a", lambda key: "put") == "put"
            go.set()
            assert await asked == "loaded before"
            assert await cache.get("a") == "put"

    arun(main())


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("what", ["cache_clear", "invalidate", "refresh"])
def test_a_cached_function_is_overtaken_through_its_wrapper(own: bool, what: str) -> None:
    go, started = threading.Event(), threading.Event()
    shared: Cache[Any, Any] = Cache(max_entries=20)
    answers = ["before", "after", "after"]

    @(cached if own else shared.cached)
    def ask(x: int) -> str:
        answer = answers.pop(0)
        if answer == "before":
            started.set()
            wait(go)
        return answer

    first = Patient(ask, 1)
    wait(started)
    if what == "cache_clear":
        ask.cache_clear()
    else:
        getattr(ask, what)(1)
    go.set()
    assert first.result() == "before"
    assert ask(1) == "after"


def test_a_finished_load_leaves_no_dependency_behind() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=20)
    for number in range(50):
        load = Held(cache, ("key", number), dependencies=[("part", number)])
        cache.invalidate(("part", number))
        load.release()
    assert len(cache) == 0
    assert len(cache.flights) == 0
    assert len(cache.dependency_graph().nodes) == 0


@pytest.mark.parametrize("moment", range(1, 16))
def test_a_dependency_that_comes_while_the_last_one_goes(moment: int) -> None:
    # What another thread may do between two parts of an operation, the key does here.
    class Part:
        hashed = 0

        def __hash__(self) -> int:
            Part.hashed += 1
            if Part.hashed == moment:
                cache.put("late", 1, dependencies=[part])
            return 7

    cache: Cache[Any, Any] = Cache(max_entries=20)
    part = Part()
    Part.hashed = -100
    cache.put("early", 1, dependencies=[part])
    Part.hashed = 0
    cache.invalidate("early")
    if "late" in cache:
        assert cache.invalidate(part) == 1
        assert "late" not in cache


class Moments:
    """A key which lets things happen at the n-th time that an operation hashes it."""

    def __init__(self) -> None:
        self.plan: dict[int, Callable[[], object]] = {}
        self.hashed = 0
        self.thread = 0

    def during(
        self, operation: Callable[[], object], plan: dict[int, Callable[[], object]]
    ) -> None:
        self.plan, self.hashed, self.thread = plan, 0, threading.get_ident()
        operation()
        self.thread = 0

    def __hash__(self) -> int:
        if self.thread == threading.get_ident():
            self.hashed += 1
            action = self.plan.pop(self.hashed, None)
            if action is not None:
                action()
        return 7


BETWEEN = [(begin, end) for begin in range(1, 8) for end in range(begin + 1, 10)]
CHANGING: dict[str, Callable[[Any, Any], object]] = {
    "put": lambda cache, part: cache.put(part, "new"),
    "set": lambda cache, part: cache.__setitem__(part, "new"),
    "refresh": lambda cache, part: cache.refresh(part, lambda key: "new"),
    "invalidate": lambda cache, part: cache.invalidate(part),
    "delete": lambda cache, part: cache.__delitem__(part),
    "pop": lambda cache, part: cache.pop(part),
}


@pytest.mark.parametrize("how", CHANGING)
def test_a_load_that_comes_and_goes_while_what_it_needs_is_changed(how: str) -> None:
    stale = []
    for begin, end in BETWEEN:
        cache: Cache[Any, Any] = Cache(max_entries=20)
        part = Moments()
        cache.put(part, "old")
        cache.put("other", 1, dependencies=[part])
        started, go = threading.Event(), threading.Event()
        loads: list[Patient] = []

        def load(key: str, started: Any = started, go: Any = go, part: Any = part) -> str:
            made = f"made from {cache.get(part)}"  # noqa: B023
            started.set()
            wait(go)
            return made

        def begin_load(loads: Any = loads, started: Any = started, part: Any = part) -> None:
            loads.append(Patient(cache.get_or_load, "whole", load, dependencies=[part]))  # noqa: B023
            wait(started)

        def end_load(loads: Any = loads, go: Any = go) -> None:
            go.set()
            for one in loads:
                one.result()

        change = CHANGING[how]
        part.during(lambda: change(cache, part), {begin: begin_load, end: end_load})  # noqa: B023
        end_load()
        if cache.get("whole") == "made from old":
            stale.append((begin, end))
    assert stale == []


@pytest.mark.parametrize("how", ["put", "set"])
def test_a_load_that_comes_and_goes_while_its_own_key_is_written(how: str) -> None:
    stale = []
    for end in range(1, 8):
        key = Moments()
        started, go = threading.Event(), threading.Event()
        loads: list[Patient] = []

        def load(key: Any, started: Any = started, go: Any = go) -> str:
            started.set()
            wait(go)
            return "old"

        def sizer(value: Any, loads: Any = loads, key: Any = key, started: Any = started) -> int:
            if key.thread == threading.get_ident() and not loads:  # before it is stored
                loads.append(Patient(cache.get_or_load, key, load))  # noqa: B023
                wait(started)
                key.hashed, key.plan = 0, {end: end_load}  # noqa: B023
            return 1

        def end_load(loads: Any = loads, go: Any = go) -> None:
            go.set()
            for one in loads:
                one.result()

        cache: Cache[Any, Any] = Cache(max_size_mb=1, sizer=sizer)
        change = CHANGING[how]
        key.during(lambda: change(cache, key), {})  # noqa: B023
        end_load()
        if cache.get(key) != "new":
            stale.append(end)
    assert stale == []


@pytest.mark.parametrize("how", ["invalidate_by_tags", "invalidate", "put", "clear"])
def test_a_load_that_begins_while_an_operation_is_under_way(how: str) -> None:
    # An expired entry goes, or a key is hashed, in the middle of the operation: user code runs.
    clock = ManualClock()
    cache: Cache[Any, Any] = Cache(max_entries=20, clock=clock)
    cache.put("part", "old", tags={"t"})
    cache.put("short-lived", 1, ttl_seconds=1)
    started, go = threading.Event(), threading.Event()
    loads: list[Patient] = []

    def load(key: str) -> str:
        made = f"made from {cache.get('part')}"
        started.set()
        wait(go)
        return made

    def begin_load(*what: Any) -> None:
        if not loads:
            loads.append(Patient(cache.get_or_load, "whole", load, dependencies=["part"]))
            wait(started)

    cache.on_removal(begin_load, "expired")
    other = Moments()
    held = Held(cache, other)
    clock.advance(2)
    change: Callable[[], object] = {
        "invalidate_by_tags": lambda: cache.invalidate_by_tags({"t"}),
        "invalidate": lambda: cache.invalidate("part"),
        "put": lambda: cache.put("part", "new"),
        "clear": cache.clear,
    }[how]
    other.during(change, {1: begin_load})
    go.set()
    for one in loads:
        one.result()
    held.release()
    assert cache.get("whole") != "made from old"
