"""Counts that add up, and reports."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import threading
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import (
    Cache,
    CacheEvictionStrategy,
    CacheStatistics,
    ManualClock,
    RemovalCause,
    cached,
)
from scrubjay.observe.statistics import DetailedStatistics, HotLabel, Quantiles, TierGroup
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, opened, wait
from tests.models import scaled


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


def test_a_new_cache_has_counted_nothing(make: Callable[..., Any]) -> None:
    for options in ({"max_entries": 5}, {"max_size_mb": 5}, {}):
        numbers = make(**options).statistics
        assert numbers == CacheStatistics(
            removals_by_cause={cause.value: 0 for cause in RemovalCause}
        )
        assert numbers.hit_rate == numbers.prefetch_accuracy == numbers.average_latency_ms == 0.0


def test_statistics_are_a_picture(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    before = door.statistics
    door.get("a")
    assert before.total_requests == 0
    assert door.statistics.total_requests == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.total_requests = 5


def test_requests(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    door.put("a", 1)
    door.get("a")
    door.get("z")
    door.get_many(["a", "z"])
    door.get_or_load("a", lambda key: 2)
    door.get_or_load("b", lambda key: 2)
    door.get("a", context={"session_id": "s"})
    numbers = door.statistics
    assert (numbers.cache_hits, numbers.cache_misses, numbers.total_requests) == (4, 3, 7)
    assert numbers.hit_rate == 4 / 7
    door.contains("a")
    door.touch("a")
    door.entry("a")
    door.invalidate("a")
    door.purge_expired()
    assert "a" not in door
    assert door.statistics.total_requests == 7


def test_a_refused_request_is_no_hit(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    with pytest.raises(TypeError):
        door.get([])
    assert door.statistics.cache_hits == 0

    class Hostile:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            raise ArithmeticError

    door.put(Hostile(), 1)
    with pytest.raises(ArithmeticError):
        door.get(Hostile())
    assert door.statistics.cache_hits == 0


@pytest.mark.parametrize("strategy", CacheEvictionStrategy)
@pytest.mark.parametrize("weighted", [False, True])
def test_everything_adds_up(
    make: Callable[..., Any], strategy: CacheEvictionStrategy, weighted: bool
) -> None:
    choose = random.Random(3)
    clock = ManualClock()
    options: dict[str, Any] = {"max_entries": 20}
    if weighted:
        options = {"max_size_mb": 1 / 1024, "sizer": lambda value: value}
    door = make(eviction_strategy=strategy, clock=clock, **options)
    heard: dict[str, int] = {cause.value: 0 for cause in RemovalCause}

    def hear(key: Any, value: Any, cause: RemovalCause) -> None:
        heard[cause.value] += 1

    door.on_removal(hear)
    stored = hits = misses = refused = 0
    for _ in range(scaled(3000, 600)):
        key = choose.randrange(40)
        match choose.randrange(12):
            case 0 | 1 | 2 | 3:
                done = door.put(
                    key,
                    choose.randrange(110),
                    choose.choice([None, None, 3]),
                    choose.choice([1.0, 2.0]),
                    choose.choice([None, {"t"}, {"u", "v"}]),
                    dependencies=choose.choice([None, None, [choose.randrange(40)]]),
                )
                stored += done
                refused += not done
            case 4 | 5 | 6:
                found = door.get(key) is not None
                hits += found
                misses += not found
            case 7:
                door.invalidate(key)
            case 8:
                if choose.randrange(10) == 0:
                    door.invalidate_by_tags({choose.choice(["t", "u", "w"])})
            case 9:
                clock.advance(0.1)
            case 10:
                found = door.contains(key)
                loads = door.statistics.loads
                door.get_or_load(key, lambda key: key)
                hits += found
                misses += not found
                stored += door.statistics.loads - loads
            case 11:
                if choose.randrange(50) == 0:
                    door.clear()
    door.purge_expired()
    numbers = door.statistics
    assert (numbers.cache_hits, numbers.cache_misses) == (hits, misses)
    assert numbers.total_requests == hits + misses
    assert numbers.rejected == refused
    assert numbers.evictions == numbers.removals_by_cause["evicted"]
    assert numbers.removals_by_cause == heard
    assert stored - sum(heard.values()) == len(door)
    assert sum(times > 0 for times in heard.values()) >= 6 + weighted
    if weighted:
        cache = getattr(door, "sync", door)
        assert numbers.memory_usage_bytes == sum(cache.values())


def test_counts_survive_clearing(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    door.put("a", 1)
    door.get("a")
    door.get("z")
    door.clear()
    numbers = door.statistics
    assert (numbers.cache_hits, numbers.cache_misses) == (1, 1)
    assert numbers.removals_by_cause["cleared"] == 1


def test_a_refused_value_that_replaced_nothing_is_no_removal(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, sizer=lambda value: value)
    assert door.put("a", 10**6) is False
    numbers = door.statistics
    assert numbers.rejected == 1
    assert numbers.removals_by_cause["rejected"] == 0
    door.put("a", 1)
    assert door.put("a", 10**6) is False
    numbers = door.statistics
    assert numbers.rejected == 2
    assert numbers.removals_by_cause["rejected"] == 1


@pytest.mark.untraced
def test_threads_lose_no_count() -> None:
    cache: Cache[int, int] = Cache(max_entries=100)
    start = threading.Event()

    def work() -> None:
        wait(start)
        for number in range(2000):
            if cache.get(number % 150) is None:
                cache.put(number % 150, 1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Patient(work) for _ in range(4)]
        start.set()
        for thread in threads:
            thread.result()
    finally:
        sys.setswitchinterval(interval)
    numbers = cache.statistics
    assert numbers.total_requests == 8000
    assert numbers.cache_hits + numbers.cache_misses == 8000
    assert len(cache) == 100


# Latency


def test_latency_of_hits(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    door.put("a", 1)
    for _ in range(3000):
        door.get("a")
    numbers = door.statistics
    assert 0 < numbers.p50_latency_ms <= numbers.p99_latency_ms <= numbers.p999_latency_ms
    assert numbers.p50_latency_ms < 5
    assert numbers.total_latency_ms > 0
    assert numbers.average_latency_ms == numbers.total_latency_ms / 3000


def test_latency_of_loads(make: Callable[..., Any]) -> None:
    pause = threading.Event()

    def load(key: Any) -> Any:
        pause.wait(0.005)
        return key

    door = make(max_entries=50)
    for number in range(20):
        door.get_or_load(number, load)
    numbers = door.statistics
    assert numbers.total_latency_ms > 90
    assert numbers.average_latency_ms > 4.5
    assert numbers.p50_latency_ms > 4
    assert numbers.p999_latency_ms < 10_000
    assert numbers.loads == 20
    assert 0.09 < numbers.load_seconds < 60


# Reports


def test_a_bound_beyond_reach_is_none(make: Callable[..., Any]) -> None:
    door = make(max_entries=sys.maxsize)
    door.put("a", 1)
    memory = door.get_detailed_statistics()["memory"]
    assert (memory["max_entries"], memory["utilization_percentage"]) == (None, 0.0)


@pytest.mark.parametrize("strategy", [*CacheEvictionStrategy])
@pytest.mark.parametrize("bound", ["entries", "size", "both", "none"])
def test_the_report_is_ready_for_json(
    make: Callable[..., Any], strategy: CacheEvictionStrategy, bound: str
) -> None:
    options: dict[str, Any] = {
        "entries": {"max_entries": 10},
        "size": {"max_size_mb": 1},
        "both": {"max_entries": 10, "max_size_mb": 1},
        "none": {},
    }[bound]
    door = make(eviction_strategy=strategy, **options)
    for filled in (False, True):
        if filled:
            for number in range(30):
                door.put(number, "x" * 100, ttl_seconds=50, priority=number / 7, cost=0.1)
                door.get(number - 2)
            getattr(door, "sync", door).optimize()
        report = door.get_detailed_statistics()
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert set(report) == set(DetailedStatistics.__annotations__)
        assert report["memory"]["entry_count"] == len(door)
        assert report["memory"]["max_entries"] == options.get("max_entries")
        assert report["configuration"]["eviction_strategy"] == strategy.value
        assert report["configuration"]["consistency_level"] == "eventual"
        assert report["configuration"]["prefetching_enabled"] is True
        assert report["optimization"]["optimization_cycles"] == int(filled)
        assert 0 <= report["memory"]["utilization_percentage"] <= 100
    performance = report["performance"]
    numbers = door.statistics
    for name in (
        "hit_rate",
        "prefetch_accuracy",
        "average_latency_ms",
        "total_requests",
        "cache_hits",
        "cache_misses",
        "evictions",
        "consistency_conflicts",
        "removals_by_cause",
        "loads",
        "load_errors",
        "load_seconds",
        "p50_latency_ms",
        "p99_latency_ms",
        "p999_latency_ms",
        "rejected",
    ):
        assert performance[name] == getattr(numbers, name), name
    if bound in {"entries", "both"}:
        assert len(door) == 10


def test_a_report_does_not_fail_with_the_sizer(make: Callable[..., Any]) -> None:
    def sizer(value: Any) -> int:
        raise RuntimeError("no size")

    door = make(max_entries=5, sizer=sizer)
    door.put("a", 1)
    assert door.statistics.total_requests == 0
    assert door.get_detailed_statistics()["memory"]["entry_count"] == 1


def test_memory_use_is_estimated_where_it_is_not_counted(make: Callable[..., Any]) -> None:
    door = make(max_entries=1000)
    for number in range(500):
        door.put(number, b"x" * 1000)
    assert 450_000 < door.statistics.memory_usage_bytes < 650_000


def test_a_cached_function_has_statistics_too() -> None:
    @cached
    def ask(x: int) -> int:
        return x

    for x in (1, 1, 2):
        ask(x)
    numbers = ask.cache.statistics
    assert (numbers.cache_hits, numbers.cache_misses, numbers.loads) == (1, 2, 2)


def test_the_shape_of_detailed_statistics_is_as_typed() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="shape")
    cache.put("user:1", 1, tags={"t"})
    report: Any = cache.get_detailed_statistics()
    hints = typing.get_type_hints(DetailedStatistics)
    for name, group in hints.items():
        if typing.is_typeddict(group):
            assert set(report[name]) == set(group.__annotations__), name
    assert set(report["tiers"]["memory"]) == set(TierGroup.__annotations__)
    for durations in report["latency"].values():
        assert set(durations) == set(Quantiles.__annotations__)
    assert set(report["hot"]["tags"][0]) == set(HotLabel.__annotations__)


def test_tiers_of_one_name_are_told_one_by_one(make: Callable[..., Any]) -> None:
    tiers = [MemoryTier(), MemoryTier(name="b"), MemoryTier(name="b"), MemoryTier()]
    door = make(max_entries=5, tiers=tiers)
    door.put("a", 1)
    told = door.get_detailed_statistics()["tiers"]
    assert list(told) == ["memory", "memory 2", "b", "b 2", "memory 3"]
    assert [tier["writes"] for tier in told.values()] == [1, 1, 1, 1, 1]


def test_a_tier_whose_name_looks_numbered_hides_no_other(make: Callable[..., Any]) -> None:
    tiers = [MemoryTier(name="b"), MemoryTier(name="b"), MemoryTier(name="b 2")]
    door = make(max_entries=5, tiers=tiers)
    assert list(door.get_detailed_statistics()["tiers"]) == ["memory", "b", "b 2", "b 2 2"]


def test_groups_agree_with_each_other(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    for number in range(9):
        door.get_or_load(f"user:{number}", str.upper)
    door.put("page:1", 1, tags={"a", "b"})
    for _ in range(3):
        door.get("page:1")
    door.invalidate_by_tags({"a"})
    report = door.get_detailed_statistics()
    performance = report["performance"]
    assert report["tiers"]["memory"]["hits"] == performance["cache_hits"] == 3
    assert report["tiers"]["memory"]["misses"] == performance["cache_misses"] == 9
    assert report["loads"]["count"] == performance["loads"] == 9
    assert report["loads"]["under_way"] == 0
    assert report["latency"]["waits"]["count"] == 9
    assert report["consistency"]["invalidated"] == 1
    assert [label["name"] for label in report["hot"]["namespaces"]] == ["user"]


def test_the_hottest_labels_come_first_and_carry_their_uses(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    for number in range(3):
        door.put(f"user:{number}", 1, tags={"cold", "both"})
    door.put("page:1", 1, tags={"hot", "both"})
    for _ in range(7):
        door.get("page:1")
    door.put(("search", 5), 1)
    door.put(7, 1)
    hot = door.get_detailed_statistics()["hot"]
    assert hot["sampled"] == 6
    assert hot["tags"] == [
        {"name": "both", "entries": 4, "uses": 11},
        {"name": "hot", "entries": 1, "uses": 8},
        {"name": "cold", "entries": 3, "uses": 3},
    ]
    assert [label["name"] for label in hot["namespaces"]] == ["page", "user", "int", "str"]
    assert door.statistics.total_requests == 7  # looking is no use


@pytest.mark.untraced
def test_labels_are_sampled_however_many_entries_there_are() -> None:
    cache: Cache[int, int] = Cache(max_entries=100_000)
    cache.put_many({number: number for number in range(20_000)})
    assert cache.get_detailed_statistics()["hot"]["sampled"] <= 256


def test_who_listens_is_told() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    end = cache.on_event(print, ["load", "evict"])
    assert cache.get_detailed_statistics()["events"]["listened_for"] == ["evict", "load"]
    end()
    assert cache.get_detailed_statistics()["events"]["listened_for"] == []
