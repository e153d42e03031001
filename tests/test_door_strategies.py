"""Strategies of a user's own: working ones, failing ones, and ones that talk nonsense."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from scrubjay import (
    AdaptiveCache,
    Cache,
    CacheError,
    InvalidArgumentError,
    ManualClock,
    cached,
    register_strategy,
)
from tests.door_helpers import Patient, in_time, wait

_names = (f"strategy {number}" for number in itertools.count())


class Fifo:
    """First in, first out; also a record of what it was told."""

    def __init__(self, metadata: Any) -> None:
        self.metadata = metadata
        self.queue: dict[int, None] = {}
        self.told: list[tuple[str, int]] = []

    def on_insert(self, slot: int) -> None:
        assert slot not in self.queue
        self.queue[slot] = None
        self.told.append(("insert", slot))

    def on_hit(self, slot: int) -> None:
        assert slot in self.queue
        self.told.append(("hit", slot))

    def on_remove(self, slot: int) -> None:
        del self.queue[slot]
        self.told.append(("remove", slot))

    def victim(self) -> int:
        return next(iter(self.queue))


def use(kind: Callable[[Any], Any], **options: Any) -> tuple[Cache[Any, Any], Any]:
    """A cache with a strategy, and the strategy."""
    made: list[Any] = []

    def factory(metadata: Any) -> Any:
        made.append(kind(metadata))
        return made[-1]

    name = next(_names)
    register_strategy(name, factory)
    cache: Cache[Any, Any] = Cache(eviction_strategy=name, **(options or {"max_entries": 3}))
    assert len(made) == 1
    return cache, made[0]


def agree(cache: Cache[Any, Any], strategy: Fifo) -> bool:
    """Whether the strategy knows of the entries that there are."""
    return len(strategy.queue) == len(cache)


def test_first_in_first_out() -> None:
    cache, strategy = use(Fifo)
    for key in "abc":
        cache.put(key, 1)
    for _ in range(5):
        cache.get("a")
    cache.put("b", 2)
    cache.put("d", 1)
    assert sorted(cache) == ["b", "c", "d"]
    cache.put("e", 1)
    assert sorted(cache) == ["c", "d", "e"]
    cache.invalidate("d")
    cache.put("f", 1)
    cache.put("g", 1)
    assert sorted(cache) == ["e", "f", "g"]
    assert cache.statistics.evictions == 3
    assert agree(cache, strategy)


def test_it_is_told_what_happens_in_order() -> None:
    clock = ManualClock()
    cache, strategy = use(Fifo, max_entries=2, clock=clock)
    cache.put("a", 1)
    cache.get("a")
    cache.get("absent")
    cache.contains("a")
    cache.put("b", 1, ttl_seconds=1)
    cache.touch("b")
    clock.advance(2)
    cache.purge_expired()
    cache.put("c", 1)
    cache.put("d", 1)
    cache.clear()
    first, second = strategy.told[0][1], strategy.told[2][1]
    told = [(what, "ab"[slot == second]) for what, slot in strategy.told]
    assert told[:3] == [("insert", "a"), ("hit", "a"), ("insert", "b")]
    assert [what for what, _ in told[3:]].count("remove") == 4
    assert first != second
    assert strategy.queue == {}


def test_random_use_agrees_with_a_model() -> None:
    cache, strategy = use(Fifo, max_entries=10)
    choose = random.Random(8)
    model: dict[int, int] = {}
    for step in range(5000):
        key = choose.randrange(25)
        match choose.randrange(5):
            case 0 | 1 | 2:
                if key not in model and len(model) == 10:
                    del model[next(iter(model))]
                model[key] = step
                cache.put(key, step)
            case 3:
                assert cache.get(key) == model.get(key)
            case 4:
                assert cache.invalidate(key) == (model.pop(key, None) is not None)
    assert dict(cache.items()) == model
    assert agree(cache, strategy)


def test_the_metadata_of_entries() -> None:
    clock = ManualClock(100.0)
    cache, strategy = use(
        Fifo, max_size_mb=1, clock=clock, sizer=lambda value: value, max_value_fraction=1
    )
    cache.put("a", 77, 60, 2.5, cost=9.0)
    cache.put("b", 5)
    first, second = strategy.queue
    metadata = strategy.metadata
    cache.get("a")
    clock.advance(10)
    assert [metadata.hits(slot) for slot in (first, second)] == [1, 0]
    assert [metadata.size(slot) for slot in (first, second)] == [77, 5]
    assert [metadata.priority(slot) for slot in (first, second)] == [2.5, 1.0]
    assert [metadata.cost(slot) for slot in (first, second)] == [9.0, 0.0]
    now = clock.monotonic()
    deadlines = [metadata.deadline(slot) - now for slot in (first, second)]
    assert deadlines == [50.0, float("inf")]
    for wrong in (-1, 10**6):
        for ask in ("hits", "size", "priority", "cost", "deadline"):
            with pytest.raises(InvalidArgumentError, match="slot"):
                getattr(metadata, ask)(wrong)
    cache.clear()
    cache.put("c", 1)
    (slot,) = strategy.queue
    assert (metadata.hits(slot), metadata.size(slot), metadata.priority(slot)) == (0, 1, 1.0)


def test_a_strategy_that_uses_the_metadata() -> None:
    class Cheapest(Fifo):
        def victim(self) -> int:
            return min(self.queue, key=self.metadata.cost)

    cache, _ = use(Cheapest)
    for key, cost in (("a", 5), ("b", 1), ("c", 9), ("d", 7), ("e", 2)):
        cache.put(key, key, cost=cost)
    assert sorted(cache) == ["c", "d", "e"]


@pytest.mark.parametrize(
    "nonsense",
    [None, "x", b"x", 1.5, float("nan"), -1, -2, 10**9, 10**30, -(10**30), [], Fifo],
    ids=str,
)
def test_a_victim_that_is_none(nonsense: Any) -> None:
    # "or names none, the oldest entry goes"
    class Nonsense(Fifo):
        def victim(self) -> Any:
            return nonsense

    cache, strategy = use(Nonsense)
    for number in range(20):
        assert cache.put(number, number) is True
        assert len(cache) <= 3
    assert sorted(cache) == [17, 18, 19]
    assert agree(cache, strategy)


def test_a_victim_that_is_gone_already() -> None:
    class Stubborn(Fifo):
        def victim(self) -> int:
            return 0

    cache, strategy = use(Stubborn, max_entries=5)
    for number in range(50):
        cache.put(number, number)
        if number % 7 == 0:
            cache.invalidate(number)
    assert 0 < len(cache) <= 5
    assert agree(cache, strategy)


METHODS = ["on_insert", "on_hit", "on_remove", "victim"]


@pytest.mark.parametrize("method", METHODS)
def test_an_error_reaches_the_caller_and_breaks_nothing(method: str) -> None:
    class Failing(Fifo):
        failing = False

        def on_insert(self, slot: int) -> None:
            self.queue[slot] = None

        def on_hit(self, slot: int) -> None:
            pass

        def on_remove(self, slot: int) -> None:
            self.queue.pop(slot, None)

    usual = getattr(Failing, method)

    def fail(self: Failing, *args: Any) -> Any:
        if Failing.failing:
            raise ArithmeticError(method)
        return usual(self, *args)

    setattr(Failing, method, fail)
    cache, _ = use(Failing)
    for key in "abc":
        cache.put(key, key)
    Failing.failing = True
    errors = 0
    for _ in range(3):
        for call in (
            lambda: cache.get("c"),
            lambda: cache.put("d", "d"),
            lambda: cache.put("e", "e"),
            lambda: cache.invalidate("e"),
            lambda: cache.touch("c"),
        ):
            try:
                call()
            except ArithmeticError as error:
                errors += 1
                assert error.args == (method,)
            assert len(cache) <= 3
    assert errors > 0
    Failing.failing = False
    for key in range(20):
        cache.put(key, key)
    assert len(cache) == 3
    assert cache.get(19) == 19
    assert [pair for pair in cache.items() if pair[0] != pair[1]] == []


@pytest.mark.parametrize("method", ["on_insert", "on_hit", "on_remove"])
def test_what_comes_after_an_error_is_told(method: str) -> None:
    class FailingOnce(Fifo):
        failing = False

    def fail(self: FailingOnce, slot: int) -> None:
        getattr(Fifo, method)(self, slot)
        if FailingOnce.failing:
            FailingOnce.failing = False
            raise ArithmeticError(method)

    setattr(FailingOnce, method, fail)
    cache, strategy = use(FailingOnce)
    for key in "abc":
        cache.put(key, key)
    FailingOnce.failing = True
    for call in (lambda: cache.get("c"), lambda: cache.put("d", 1), cache.clear):
        with contextlib.suppress(ArithmeticError):
            call()
    cache.put("z", 1)
    assert agree(cache, strategy)


def test_a_victim_that_uses_the_cache() -> None:
    class Curious(Fifo):
        cache: Cache[Any, Any]

        def victim(self) -> int:
            self.cache.get("a")
            self.cache.put("of the strategy", 1)
            self.cache.invalidate("nothing")
            self.cache.purge_expired()
            list(self.cache.items())
            len(self.cache)
            return super().victim()

    cache, strategy = use(Curious)
    Curious.cache = cache

    def main() -> None:
        for number in range(50):
            cache.put(number, number)
            assert len(cache) <= 3
            assert cache.get(number) == number

    in_time(main)
    assert agree(cache, strategy)


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_change_the_cache(method: str) -> None:
    class Meddling(Fifo):
        cache: Cache[Any, Any] | None = None
        turns = 0

    def meddle(self: Meddling, *args: Any) -> Any:
        Meddling.turns += 1
        if Meddling.cache is not None and Meddling.turns % 3 == 0:
            Meddling.cache.invalidate(Meddling.turns % 7)
            if Meddling.turns % 2:
                Meddling.cache.put(("meddled", Meddling.turns % 5), 1)
        return getattr(Fifo, method)(self, *args) if self.queue or method != "victim" else -1

    setattr(Meddling, method, meddle)
    cache, strategy = use(Meddling, max_entries=4)
    Meddling.cache = cache

    def main() -> None:
        for number in range(300):
            cache.put(number % 11, number)
            cache.get(number % 13)
            assert len(cache) <= 4

    in_time(main)
    cache.get("settle")
    cache.clear()
    assert agree(cache, strategy)


def test_a_victim_that_clears_the_cache() -> None:
    class Radical(Fifo):
        cache: Cache[Any, Any]

        def victim(self) -> int:
            slot = super().victim()
            self.cache.clear()
            return slot

    cache, _ = use(Radical)
    Radical.cache = cache
    for number in range(20):
        assert cache.put(number, number) is True  # there is room enough by then
        assert cache.get(number) == number


def test_a_removal_that_did_not_happen_is_not_told() -> None:
    cache, strategy = use(
        Fifo, max_size_mb=1 / 1024, sizer=lambda value: value, max_value_fraction=1
    )
    cache.put("a", 400)
    cache.put("b", 400)
    cache.put("a", 700)  # "a" would be the victim, but it is the one that stays
    assert sorted(cache) == ["a"]
    assert [what for what, _ in strategy.told].count("remove") == 1
    assert [what for what, _ in strategy.told].count("insert") == 2


def test_one_thread_at_a_time_talks_to_it() -> None:
    class Alone(Fifo):
        inside = 0
        met = 0

    def alone(name: str) -> Any:
        def method(self: Alone, *args: Any) -> Any:
            Alone.inside += 1
            Alone.met += Alone.inside > 1
            try:
                return getattr(Fifo, name)(self, *args)
            finally:
                Alone.inside -= 1

        return method

    for name in METHODS:
        setattr(Alone, name, alone(name))
    cache, strategy = use(Alone, max_entries=20)
    start = threading.Event()

    def work(thread: int) -> None:
        wait(start)
        for number in range(1000):
            cache.put((thread, number % 15), number)
            cache.get((thread, number % 17))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Patient(work, thread) for thread in range(4)]
        start.set()
        for one in threads:
            one.result()
    finally:
        sys.setswitchinterval(interval)
    assert Alone.met == 0
    assert len(cache) == 20
    cache.get("settle")
    assert agree(cache, strategy)


# Registering


def test_each_cache_has_a_strategy_of_its_own() -> None:
    made: list[Fifo] = []

    def factory(metadata: Any) -> Fifo:
        made.append(Fifo(metadata))
        return made[-1]

    name = next(_names)
    register_strategy(name, factory)
    caches: list[Any] = [
        Cache(max_entries=3, eviction_strategy=name),
        AdaptiveCache(max_entries=3, eviction_strategy=name),
    ]
    assert [cache.eviction_strategy for cache in caches] == [name, name]
    caches[0].put("a", 1)
    assert [len(one.queue) for one in made] == [1, 0]
    report = caches[0].get_detailed_statistics()
    assert report["configuration"]["eviction_strategy"] == name
    assert json.dumps(report)
    ask = cached(max_entries=2, eviction_strategy=name)(lambda x: x)
    assert [ask(x) for x in (1, 2, 3, 1)] == [1, 2, 3, 1]
    assert ask.cache_info() == (0, 4, 2, 2)


def test_a_name_may_be_given_anew() -> None:
    name = next(_names)
    register_strategy(name, Fifo)
    before: Cache[Any, Any] = Cache(max_entries=2, eviction_strategy=name)

    class Lifo(Fifo):
        def victim(self) -> int:
            return next(reversed(self.queue))

    register_strategy(name, Lifo)
    after: Cache[Any, Any] = Cache(max_entries=2, eviction_strategy=name)
    for cache in (before, after):
        for key in "abc":
            cache.put(key, 1)
    assert sorted(before) == ["b", "c"]
    assert sorted(after) == ["a", "c"]


def test_a_factory_that_fails() -> None:
    def fail(metadata: Any) -> Any:
        raise ArithmeticError("of the factory")

    name = next(_names)
    register_strategy(name, fail)
    with pytest.raises(ArithmeticError, match="of the factory"):
        Cache(max_entries=5, eviction_strategy=name)


@pytest.mark.parametrize("missing", METHODS)
def test_a_strategy_that_lacks_a_method(missing: str) -> None:
    class Incomplete:
        pass

    for method in METHODS:
        if method != missing:
            setattr(Incomplete, method, lambda *args: 0)
    name = next(_names)
    register_strategy(name, lambda metadata: Incomplete())
    with pytest.raises(CacheError, match=missing):
        Cache(max_entries=5, eviction_strategy=name)


def test_a_strategy_may_describe_itself() -> None:
    class Described(Fifo):
        def describe(self) -> dict[str, Any]:
            return {"waiting": len(self.queue)}

    cache, _ = use(Described)
    cache.put("a", 1)
    report = cache.get_detailed_statistics()
    assert report["optimization"]["current_strategy_performance"] == {"waiting": 1}
