"""`copy=`: what callers change is theirs, and never what the cache has."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, InvalidArgumentError, ManualClock, cached
from scrubjay._core.constants import STORED
from scrubjay._core.terms import Terms
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, arun, opened, spin, until, wait


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=[False, True], ids=["alone", "layered"])
def make(kind: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(kind) as maker:

        def made(**options: Any) -> Any:
            tiers = [MemoryTier()] if request.param else []
            return maker(**{"copy": "deep", "tiers": tiers, **options})

        yield made


READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda cache: cache.get("a"),
    "get in a context": lambda cache: cache.get("a", context={"session_id": "s"}),
    "get_or_load": lambda cache: cache.get_or_load("a", lambda key: [0]),
    "get_many": lambda cache: cache.get_many(["a"])["a"],
    "get_many with a loader": lambda cache: cache.get_many(["a"], lambda keys: [[0]])["a"],
    "entry": lambda cache: cache.entry("a").value,
}


@pytest.mark.parametrize("read", READS)
def test_what_is_returned_is_a_copy(make: Any, read: str) -> None:
    cache = make()
    cache.put("a", [0])
    first = READS[read](cache)
    first.append(1)
    assert READS[read](cache) == [0]


WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "put": lambda cache, value: cache.put("a", value),
    "put under conditions": lambda cache, value: cache.put("a", value, ttl_seconds=60),
    "put_many": lambda cache, value: cache.put_many({"a": value}),
    "get_or_load": lambda cache, value: cache.get_or_load("a", lambda key: value),
    "refresh": lambda cache, value: cache.refresh("a", lambda key: value),
    "get_many": lambda cache, value: cache.get_many(["a"], lambda keys: [value]),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_stored_is_a_copy(make: Any, write: str) -> None:
    cache = make()
    given = [0]
    returned = WRITES[write](cache, given)
    given.append(1)
    assert cache.get("a") == [0]
    for one in (returned, *(returned.values() if isinstance(returned, dict) else ())):
        if isinstance(one, list):
            one.append(2)
    assert cache.get("a") == [0]


def test_what_is_stored_before_anybody_asks_for_it_is_a_copy() -> None:
    cache: Cache[str, list[int]] = Cache(max_entries=9, copy="deep")
    value = [1]
    assert cache.put_ahead("a", value, Terms(uses=1)) == STORED
    value.append(2)
    assert cache.get("a") == [1]


def test_the_mapping_copies() -> None:
    for tiers in ([], [MemoryTier()]):
        cache: Cache[str, Any] = Cache(copy="deep", tiers=tiers)
        given = [0]
        cache["a"] = given
        given.append(1)
        cache["a"].append(1)
        next(iter(cache.items()))[1].append(1)
        next(iter(cache.values())).append(1)
        assert dict(cache) == {"a": [0]}
        default = [5]
        cache.setdefault("b", default).append(6)
        default.append(7)
        cache.setdefault("b", []).append(8)
        assert cache["b"] == [5]
        cache.update({"c": given})
        given.append(2)
        assert cache.pop("c") == [0, 1]
        assert ("a", [0]) in cache.items()
        assert cache.get("nothing") is None
        with pytest.raises(KeyError):
            cache["nothing"]


def test_who_waits_for_one_load_gets_a_copy_of_his_own() -> None:
    cache: Cache[str, Any] = Cache(copy="deep")
    gate, calls = threading.Event(), []

    def slow(key: str) -> list[int]:
        calls.append(key)
        wait(gate)
        return [0]

    waiting = [Patient(cache.get_or_load, "a", slow) for _ in range(4)]
    spin(lambda: calls)
    gate.set()
    values = [one.result() for one in waiting]
    assert values == [[0]] * 4
    assert len({id(value) for value in values}) == 4
    assert calls == ["a"]


def test_tasks_get_copies_of_their_own() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, Any] = AdaptiveCache(copy="deep")
        gate, calls = asyncio.Event(), []

        async def slow(key: str) -> list[int]:
            calls.append(key)
            await gate.wait()
            return [0]

        waiting = [asyncio.ensure_future(cache.get_or_load("a", slow)) for _ in range(4)]
        await until(lambda: calls)
        gate.set()
        values = await asyncio.gather(*waiting)
        assert len({id(value) for value in values}) == 4
        async with cache:
            assert await cache.get("a") == [0]

    arun(main())


def test_what_is_promoted_is_copied(kind: str) -> None:
    with opened(kind) as maker:
        tier = MemoryTier()
        maker(copy="deep", tiers=[tier]).put("a", [0])
        cache = maker(copy="deep", tiers=[tier])
        cache.get("a").append(1)
        cache.get_many(["a"])["a"].append(1)
        assert cache.get("a") == [0]


def test_old_values_are_copied(make: Any) -> None:
    clock = ManualClock()
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
    cache.put("a", [0])
    clock.advance(11)

    def fail(key: Any) -> Any:
        raise RuntimeError("down")

    cache.get_or_load("a", fail).append(1)
    assert cache.get_or_load("a", fail) == [0]


def test_decorated_functions_return_copies() -> None:
    calls: list[Any] = []
    shared: Cache[Any, Any] = Cache(copy="deep")

    class Thing:
        @cached(copy="deep")
        def method(self, number: int) -> list[int]:
            calls.append(number)
            return [number]

    @cached(copy="deep")
    def own(number: int) -> list[int]:
        calls.append(number)
        return [number]

    @shared.cached
    def sharing(number: int, more: int = 0) -> list[int]:
        calls.append(number)
        return [number]

    for function in (Thing().method, own, sharing):
        calls.clear()
        for _ in range(3):
            value = function(1)
            assert value == [1]
            value.append(2)
        assert calls == [1]
        function.refresh(1).append(5)
        assert function(1) == [1]
        function.invalidate(1)
        assert function(1) == [1]
        assert len(calls) == 3
    assert own.__name__ == "own"
    assert own.cache_info().hits == 3


def test_decorated_coroutine_functions_return_copies() -> None:
    async def main() -> None:
        calls: list[int] = []

        @cached(copy="deep")
        async def load(number: int) -> list[int]:
            calls.append(number)
            return [number]

        class Thing:
            @cached(copy="deep")
            async def method(self, number: int) -> list[int]:
                calls.append(number)
                return [number]

        for function in (load, Thing().method):
            calls.clear()
            for _ in range(3):
                (await function(1)).append(2)
            (await function.refresh(1)).append(2)
            assert await function(1) == [1]
            assert calls == [1, 1]

    arun(main())


def test_a_function_copies(make: Any) -> None:
    copied: list[Any] = []

    def shallow(value: Any) -> Any:
        copied.append(value)
        return copy.copy(value)

    cache = make(copy=shallow)
    inner: list[int] = []
    cache.put("a", [inner])
    assert copied == [[inner]]
    found = cache.get("a")
    assert len(copied) == 2  # one copy of each
    found.append(1)
    assert cache.get("a") == [[]]
    assert cache.get("b") is None
    assert len(copied) == 3


def test_what_cannot_be_copied_is_not_stored(make: Any) -> None:
    def refuse(value: Any) -> Any:
        if value == "bad":
            raise ValueError("no copy")
        return value

    cache = make(copy=refuse)
    with pytest.raises(ValueError, match="no copy"):
        cache.put("a", "bad")
    with pytest.raises(ValueError, match="no copy"):
        cache.get_or_load("b", lambda key: "bad")
    assert cache.get("a") is cache.get("b") is None
    cache.put("a", "good")
    assert cache.get("a") == "good"


def test_a_cache_that_copies_is_one_like_others() -> None:
    class Mine(Cache[str, Any]):
        pass

    for cache in (Cache(copy="deep"), AdaptiveCache(copy="deep"), Mine(copy="deep")):
        assert isinstance(cache, (Cache, AdaptiveCache))
        assert repr(cache).startswith(("<Cache", "<AdaptiveCache", "<Mine"))
    assert type(Mine(copy="deep")) is type(Mine(copy=copy.copy))
    assert type(Cache()) is Cache


@pytest.mark.parametrize("wrong", ["shallow", 5, True, ""])
def test_other_ways_are_refused(kind: str, wrong: Any) -> None:
    with opened(kind) as maker, pytest.raises(InvalidArgumentError, match="copy"):
        maker(copy=wrong)
