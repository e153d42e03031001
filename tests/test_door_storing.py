"""Storing, reading and removing through both doors."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from scrubjay import (
    AdaptiveCache,
    Cache,
    CacheConsistencyLevel,
    CacheEntry,
    CacheEvictionStrategy,
    ManualClock,
    UnpicklableCacheError,
)
from tests.door_helpers import ASYNCHRONOUS, arun, opened

MB = 1024 * 1024


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


def weigh(value: Any) -> int:
    """A sizer: a number weighs itself."""
    return value if isinstance(value, int) else 1


# The two doors beside each other


def test_which_methods_are_asynchronous() -> None:
    for name, method in inspect.getmembers(AdaptiveCache, inspect.isfunction):
        if not name.startswith("_"):
            expected = name in ASYNCHRONOUS or name in {"start", "stop", "close"}
            assert inspect.iscoroutinefunction(method) == expected, name


def test_the_doors_take_the_same_arguments() -> None:
    looking = {"contains", "entry", "purge_expired", "on_removal", "resize"}
    for name in (ASYNCHRONOUS | looking) - {"get", "get_or_load"}:
        sync = inspect.signature(getattr(Cache, name))
        other = inspect.signature(getattr(AdaptiveCache, name))
        assert [(one.name, one.kind, one.default) for one in [*sync.parameters.values()][1:]] == [
            (one.name, one.kind, one.default) for one in [*other.parameters.values()][1:]
        ], name
    assert list(inspect.signature(AdaptiveCache.get).parameters) == [
        "self",
        "key",
        "context",
        "consistency_check",
        "default",
        "consistency_level",
    ]


def test_both_doors_open_onto_one_store() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=5, name="both")
        assert await cache.put("a", 1)
        assert cache.sync["a"] == 1
        cache.sync["b"] = 2
        assert await cache.get("b") == 2
        assert "b" in cache
        assert len(cache) == len(cache.sync) == 2
        assert cache.sync is cache.sync
        assert cache.name == cache.sync.name == "both"
        assert cache.statistics == cache.sync.statistics
        assert "both" in repr(cache)
        assert "both" in repr(cache.sync)
        await cache.clear()
        assert not cache.sync
        assert cache  # an empty asynchronous cache is no mapping, and true

    arun(main())


# Storing


def test_put_and_get(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    assert door.put("a", 1) is True
    assert door.put("n", None) is True
    assert door.get("a") == 1
    assert door.get("n", "default") is None
    assert door.get("z") is None
    assert door.get("z", "default") == "default"
    assert "a" in door
    assert door.contains("n") is True
    assert door.contains("z") is False
    assert len(door) == 2


def test_many_at_once(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    context = {"session_id": "s"}
    many = {"a": 1, "b": 2}
    assert door.put_many(many, ttl_seconds=60, priority=2.0, tags={"t"}, context=context) == 2
    assert door.put_many([("b", 3), ("c", 4)], tags=["u"], dependencies=["p"], cost=2) == 2
    assert door.put_many([]) == 0
    assert door.put_many({}) == 0
    assert door.get_many(["a", "b", "c", "z"]) == {"a": 1, "b": 3, "c": 4}
    assert door.get_many([]) == {}
    assert door.get_many(["a", "a"]) == {"a": 1}
    assert door.entry("a").ttl_seconds == 60
    assert door.entry("b").tags == {"u"}
    assert door.entry("c").cost == 2
    assert door.invalidate_many(["a", "a", "z", "b"]) == 2
    assert door.invalidate_many([]) == 0
    assert door.invalidate("p") == 1
    assert len(door) == 0


def test_put_many_counts_what_was_stored(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, sizer=weigh)
    assert door.put_many({"a": 10, "b": MB, "c": 20}) == 2
    assert "b" not in door


def test_a_replacement_replaces_everything(make: Callable[..., Any]) -> None:
    door = make(max_entries=5, clock=ManualClock())
    door.put("a", 1, 60, 5.0, {"t"}, idle_seconds=30, dependencies=["p"], cost=7.0)
    door.put("a", 2)
    entry = door.entry("a")
    assert (entry.value, entry.ttl_seconds, entry.idle_seconds) == (2, None, None)
    assert (entry.priority, entry.cost) == (1.0, 0.0)
    assert entry.tags == entry.dependencies == frozenset()
    assert door.invalidate_by_tags({"t"}) == 0
    assert door.invalidate("p") == 0
    assert entry.access_count in {1, 2}
    assert len(door) == 1


def test_tags(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    for number in range(10):
        door.put(number, number, tags={"all", "even" if number % 2 == 0 else "odd"})
    door.put("none", 0)
    assert door.invalidate_by_tags({"even"}) == 5
    assert door.invalidate_by_tags({"even"}) == 0
    assert door.invalidate_by_tags(set()) == 0
    assert door.invalidate_by_tags({"odd", "all", "unknown"}) == 5
    assert len(door) == 1


def test_dependencies(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    door.put("a", 1)
    door.put("b", 1, dependencies={"a"})
    door.put("c", 1, dependencies={"b", "nowhere"})
    door.put("d", 1, dependencies=["d", "c"])
    door.put("e", 1)
    assert door.entry("c").dependencies == {"b", "nowhere"}
    assert door.invalidate("a") == 4
    assert "e" in door
    door.put("x", 1, dependencies={"y"})
    door.put("y", 1, dependencies={"x"})
    assert door.invalidate("x") in {1, 2}
    assert "x" not in door


def test_replacing_a_key_removes_what_depends_on_it(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    door.put("a", 1)
    door.put("b", 1, dependencies={"a"})
    door.put("a", 2)
    assert "a" in door
    assert "b" not in door


# The ten per cent


def test_a_value_beyond_a_tenth_is_rejected(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, sizer=weigh)
    limit = MB // 10
    assert door.put("a", limit) is True
    assert door.put("b", limit + 1) is False
    assert "b" not in door
    assert door.statistics.rejected == 1


def test_a_rejected_value_removes_the_older_one(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, sizer=weigh)
    removed: list[Any] = []
    door.on_removal(lambda *what: removed.append(what))
    door.put("a", 5)
    door.put("dependent", 5, dependencies=["a"])
    assert door.put("a", MB) is False
    assert "a" not in door
    assert "dependent" not in door
    assert sorted((key, value, cause.value) for key, value, cause in removed) == [
        ("a", 5, "rejected"),
        ("dependent", 5, "dependency"),
    ]
    assert door.put("a", MB) is False
    assert len(removed) == 2


@pytest.mark.parametrize("fraction", [0.001, 0.25, 0.5, 1.0, 1])
def test_the_part_that_one_value_may_take_can_be_set(
    make: Callable[..., Any], fraction: float
) -> None:
    door = make(max_size_mb=1, sizer=weigh, max_value_fraction=fraction)
    limit = int(MB * fraction)
    assert door.put("a", limit) is True
    assert door.put("b", limit + 1) is False
    door.resize(max_size_mb=2)
    assert door.put("b", 2 * limit) is True
    assert door.put("c", 2 * limit + 2) is False


def test_the_default_sizer_counts_key_and_value(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1)
    assert door.put("a", b"x" * 50_000) is True
    assert door.put("b", b"x" * 110_000) is False
    assert door.put("k" * 110_000, 1) is False
    assert door.put("c", ["x" * 1000] * 10) is True
    size = door.entry("a").size_bytes
    assert 50_000 < size < 50_200
    assert 50_000 < door.statistics.memory_usage_bytes < MB


def test_the_bound_on_bytes_is_kept(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, sizer=weigh)
    for number in range(100):
        assert door.put(number, 50_000) is True
        assert door.statistics.memory_usage_bytes <= MB
    assert len(door) == 20
    assert door.statistics.memory_usage_bytes == 1_000_000
    door.put(99, 1)
    assert door.statistics.memory_usage_bytes == 950_001 or len(door) < 20


def test_both_bounds_hold(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, max_entries=5, sizer=weigh)
    for number in range(100):
        door.put(number, 10)
    assert len(door) == 5
    for number in range(100, 200):
        door.put(number, 104_000 if number % 2 else 1)
    assert len(door) <= 5
    assert door.statistics.memory_usage_bytes <= MB


def test_without_a_bound_on_bytes_values_are_not_sized(make: Callable[..., Any]) -> None:
    def sizer(value: Any) -> int:
        raise AssertionError("sized")

    door = make(max_entries=5, sizer=sizer)
    assert door.put("a", b"x" * 10**7) is True
    assert door.get("a") is not None
    assert door.max_size_bytes is None
    plain = make(max_entries=5)
    plain.put("a", b"x" * 1000)
    assert 1000 < plain.entry("a").size_bytes < 1200
    assert 1000 < plain.statistics.memory_usage_bytes < 1200


def test_the_bounds_if_none_is_given(make: Callable[..., Any]) -> None:
    door = make()
    assert (door.max_size_bytes, door.max_entries) == (1024 * MB, None)
    door = make(max_entries=5)
    assert (door.max_size_bytes, door.max_entries) == (None, 5)
    door = make(max_size_mb=0.5)
    assert (door.max_size_bytes, door.max_entries) == (MB // 2, None)
    door = make(max_size_mb=2, max_entries=7)
    assert (door.max_size_bytes, door.max_entries) == (2 * MB, 7)


# Resizing


@pytest.mark.parametrize("strategy", CacheEvictionStrategy)
def test_resizing(make: Callable[..., Any], strategy: CacheEvictionStrategy) -> None:
    door = make(max_entries=100, eviction_strategy=strategy)
    removed: list[Any] = []
    door.on_removal(lambda *what: removed.append(what))
    for number in range(100):
        door.put(number, number)
    door.resize(max_entries=10)
    assert len(door) == 10
    assert door.max_entries == 10
    assert [cause.value for _, _, cause in removed] == ["evicted"] * 90
    assert door.statistics.evictions == 90
    door.resize(max_entries=1000)
    for number in range(500):
        door.put(("more", number), number)
    assert len(door) == 510
    door.resize(max_entries=1)
    assert len(door) == 1


def test_resizing_bytes(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=4, max_entries=100, sizer=weigh, eviction_strategy="lru")
    for number in range(40):
        door.put(number, 100_000)
    door.resize(max_size_mb=1)
    assert door.statistics.memory_usage_bytes == 1_000_000
    assert [number for number in range(40) if number in door] == list(range(30, 40))
    assert door.max_entries == 100
    door.resize(max_entries=None)
    assert door.max_entries is None
    door.resize(max_size_mb=0.5, max_entries=2)
    assert (len(door), door.max_size_bytes, door.max_entries) == (2, MB // 2, 2)


# Looking at entries


def test_what_an_entry_tells(make: Callable[..., Any]) -> None:
    clock = ManualClock(start=1000.0, epoch=1_700_000_000.0)
    door = make(max_size_mb=1, sizer=weigh, clock=clock)
    begin = datetime.fromtimestamp(1_700_000_000.0, timezone.utc)
    door.put("a", 77, 60, 2.5, {"t"}, idle_seconds=40, dependencies={"p"}, cost=1.5)
    clock.advance(10)
    entry = door.entry("a")
    assert isinstance(entry, CacheEntry)
    assert (entry.key, entry.value, entry.size_bytes) == ("a", 77, 77)
    assert (entry.ttl_seconds, entry.idle_seconds) == (60.0, 40.0)
    assert (entry.priority, entry.cost, entry.prefetch_score) == (2.5, 1.5, 0.0)
    assert (entry.tags, entry.dependencies) == (frozenset({"t"}), frozenset({"p"}))
    assert entry.access_count == 1
    assert entry.created_at == entry.last_accessed == begin
    assert entry.created_at.tzinfo is not None
    assert entry.age_seconds == entry.idle_time_seconds == 10.0
    assert entry.expires_in == 30.0
    assert entry.is_expired is False
    assert door.get("a") == 77
    clock.advance(5)
    later = door.entry("a")
    assert later.access_count == 2
    assert later.last_accessed == begin + timedelta(seconds=10)
    assert (later.age_seconds, later.idle_time_seconds) == (15.0, 5.0)
    assert later.expires_in == 35.0
    assert entry.access_count == 1  # a picture of then
    with pytest.raises(AttributeError):
        entry.value = 5
    assert door.entry("z") is None
    assert door.statistics.total_requests == 1


def test_looking_is_no_use(make: Callable[..., Any]) -> None:
    door = make(max_entries=2, eviction_strategy="lru")
    door.put("a", 1)
    door.put("b", 2)
    for _ in range(5):
        door.entry("a")
        door.contains("a")
        assert "a" in door
        list(getattr(door, "sync", door).items())
    door.put("c", 3)
    assert "a" not in door
    assert "b" in door


def test_versions_rise_with_writes(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    door.put("a", 1)
    first = door.entry("a").consistency_version
    door.put("a", 2)
    second = door.entry("a").consistency_version
    door.put("b", 1)
    door.get("a")
    assert first < second == door.entry("a").consistency_version
    assert door.entry("b").consistency_version > second


def test_an_entry_without_conditions(make: Callable[..., Any]) -> None:
    door = make(max_entries=5)
    door.put("a", 1)
    entry = door.entry("a")
    assert entry.ttl_seconds is entry.idle_seconds is None
    assert entry.expires_in == float("inf")
    assert entry.is_expired is False
    assert (entry.priority, entry.cost) == (1.0, 0.0)
    assert abs(entry.age_seconds) < 60
    assert abs((datetime.now(timezone.utc) - entry.created_at).total_seconds()) < 60


def test_a_hand_made_entry() -> None:
    now = datetime.now(timezone.utc)
    entry = CacheEntry("a", 1, now, now, 1, 10)
    assert entry.is_expired is False
    assert entry.age_seconds >= 0
    assert CacheEntry("a", 1, now, now, 1, 10, expires_in=0.0).is_expired is True


# What a cache is not


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_cache_cannot_be_pickled(protocol: int) -> None:
    for cache in (Cache(max_entries=5), AdaptiveCache(max_entries=5)):
        with pytest.raises(UnpicklableCacheError) as caught:
            pickle.dumps(cache, protocol)
        assert isinstance(caught.value, TypeError)
        with pytest.raises(UnpicklableCacheError):
            pickle.dumps({"inside": [cache]}, protocol)


def test_a_cache_cannot_be_copied() -> None:
    for cache in (Cache(max_entries=5), AdaptiveCache(max_entries=5)):
        for copying in (copy.copy, copy.deepcopy):
            with pytest.raises(UnpicklableCacheError):
                copying(cache)


@pytest.mark.parametrize("kind", [Cache, AdaptiveCache])
def test_a_cache_is_let_go(kind: Any) -> None:
    class Value:
        pass

    cache = kind(max_entries=5, ttl_seconds=60, loader=lambda key: Value())
    value = Value()
    getattr(cache, "sync", cache).put("a", value, tags={"t"}, dependencies=["p"])
    cache_gone, value_gone = weakref.ref(cache), weakref.ref(value)
    del cache, value
    gc.collect()
    assert value_gone() is None
    assert cache_gone() is None


def test_attributes(make: Callable[..., Any]) -> None:
    for level in CacheConsistencyLevel:
        for given in (level, level.value):
            door = make(max_entries=5, consistency_level=given)
            assert door.consistency_level is level
            assert door.consistency_manager.consistency_level is level
    for strategy in CacheEvictionStrategy:
        for given in (strategy, strategy.value):
            assert make(max_entries=5, eviction_strategy=given).eviction_strategy is strategy
    for prefetching in (True, False):
        assert make(enable_prefetching=prefetching).enable_prefetching is prefetching
    door = make(name="mine", optimization_interval=7)
    assert door.name == "mine"
    assert getattr(door, "sync", door).optimization_interval == 7.0
    assert door.optimization_history == []
    assert make().name is None
    for name in ("max_size_bytes", "max_entries", "eviction_strategy", "consistency_level"):
        with pytest.raises(AttributeError):
            setattr(getattr(door, "cache", door), name, 5)
