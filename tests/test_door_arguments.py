"""Every argument that makes no sense raises an error of ours, names itself, changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import scrubjay
from scrubjay import (
    AdaptiveCache,
    Cache,
    CacheConsistencyLevel,
    CacheError,
    CacheEvictionStrategy,
    ConsistencyManager,
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    ManualClock,
    RemovalCause,
    cached,
    register_strategy,
)
from tests.door_helpers import opened

numpy = pytest.importorskip("numpy")

NAN, INFINITY = math.nan, math.inf
NOT_NUMBERS: list[Any] = ["5", b"5", [5], (), {}, object(), 1j, timedelta(5)]
NOT_FINITE: list[Any] = [
    NAN,
    INFINITY,
    -INFINITY,
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    10**400,
    numpy.float64("nan"),
]
BOOLEANS: list[Any] = [True, False]
NOT_DURATIONS = [*NOT_NUMBERS, *NOT_FINITE, *BOOLEANS, 0, 0.0, -1, -0.001, Decimal(-1)]
NOT_COSTS = [*NOT_NUMBERS, *NOT_FINITE, *BOOLEANS, -1, -0.001]
NOT_PRIORITIES = [*NOT_NUMBERS, *NOT_FINITE, *BOOLEANS, None]
NOT_TAGS: list[Any] = ["tag", b"tag", 5, 1.0, object(), [1], {None}, ["a", 2], [["a"]], {"a", b"b"}]
NOT_KEYS: list[Any] = ["ab", b"ab", 5, object(), [[]], [{}, "a"], True]
NOT_CONTEXTS: list[Any] = [5, "session", [("session_id", 1)], object(), True]
NOT_FUNCTIONS: list[Any] = [5, "f", [], object(), {}]
UNHASHABLE: list[Any] = [[], {}, set(), ([],), bytearray(b"a"), (1, {2: 3})]

ENTRY: dict[str, list[Any]] = {
    "ttl_seconds": NOT_DURATIONS,
    "idle_seconds": NOT_DURATIONS,
    "priority": NOT_PRIORITIES,
    "tags": NOT_TAGS,
    "dependencies": NOT_KEYS,
    "cost": NOT_COSTS,
}


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


@pytest.fixture
def door(make: Callable[..., Any]) -> Any:
    made = make(max_entries=5, clock=ManualClock())
    made.put("present", "value", ttl_seconds=50, priority=2.0, tags={"t"}, cost=3.0)
    made.put("other", "value")
    return made


def state(door: Any) -> Any:
    cache = getattr(door, "sync", door)
    numbers = door.statistics
    return (
        sorted(cache.items()),
        [door.entry(key) and repr(door.entry(key).tags) for key in ("present", "other")],
        [door.entry("present").ttl_seconds, door.entry("present").priority],
        numbers.removals_by_cause,
        numbers.loads,
        len(cache.flights),
    )


def refuses(
    call: Callable[[], Any], name: str, kind: type[BaseException] = InvalidArgumentError
) -> bool:
    """Tell whether a call raises an error of ours that names the argument."""
    try:
        call()
    except CacheError as error:
        return isinstance(error, kind) and name in str(error) and len(str(error)) < 2000
    except Exception:
        return False
    return False


def accepted(
    call: Callable[[Any], Any],
    name: str,
    values: list[Any],
    kind: type[BaseException] = InvalidArgumentError,
) -> list[Any]:
    """Return those of the values that are not refused as they should be."""
    return [value for value in values if not refuses(lambda: call(value), name, kind)]  # noqa: B023


def not_called(key: Any) -> Any:
    raise AssertionError("the loader was called")


# What the methods are given


@pytest.mark.parametrize("method", ["put", "put_many", "get_or_load", "refresh"])
@pytest.mark.parametrize("name", ENTRY)
def test_conditions_of_entries(door: Any, method: str, name: str) -> None:
    before = state(door)
    call: Callable[[Any], Any] = {
        "put": lambda value: door.put("new", 1, **{name: value}),
        "put_many": lambda value: door.put_many({"new": 1, "present": 2}, **{name: value}),
        "get_or_load": lambda value: door.get_or_load("new", not_called, **{name: value}),
        "refresh": lambda value: door.refresh("present", not_called, **{name: value}),
    }[method]
    assert accepted(call, name, ENTRY[name]) == []
    assert state(door) == before


@pytest.mark.parametrize("name", ENTRY)
def test_conditions_are_checked_even_if_nothing_is_stored(door: Any, name: str) -> None:
    assert refuses(lambda: door.put_many([], **{name: object()}), name)


@pytest.mark.parametrize("name", ["ttl_seconds", "idle_seconds"])
def test_times_of_touch(door: Any, name: str) -> None:
    before = state(door)
    for key in ("present", "absent"):
        call = lambda value, key=key: door.touch(key, **{name: value})  # noqa: E731
        assert accepted(call, name, NOT_DURATIONS) == []
    assert state(door) == before


CONTEXT = {"session_id": "s"}
BY_KEY: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda door, key: door.get(key),
    "put": lambda door, key: door.put(key, 1),
    "touch": lambda door, key: door.touch(key),
    "contains": lambda door, key: door.contains(key),
    "entry": lambda door, key: door.entry(key),
    "invalidate": lambda door, key: door.invalidate(key),
    "get_or_load": lambda door, key: door.get_or_load(key, not_called),
    "refresh": lambda door, key: door.refresh(key, not_called),
    "in": lambda door, key: key in door,
    "get_many": lambda door, key: door.get_many(["present", key]),
    "put_many": lambda door, key: door.put_many([("new", 1), ("present", 2), (key, 2)]),
    "put_many of an iterator": lambda door, key: door.put_many(iter([("new", 1), (key, 2)])),
    "invalidate_many": lambda door, key: door.invalidate_many(["present", key]),
    "put with a context": lambda door, key: door.put(key, 1, context=CONTEXT),
    "get with a context": lambda door, key: door.get(key, context=CONTEXT),
}


@pytest.mark.parametrize("method", BY_KEY)
def test_keys_that_cannot_be_hashed(door: Any, method: str) -> None:
    before = state(door)
    call = lambda key: BY_KEY[method](door, key)  # noqa: E731
    assert accepted(call, "key", UNHASHABLE, InvalidKeyError) == []
    assert state(door) == before


@pytest.mark.parametrize("level", CacheConsistencyLevel)
def test_contexts(make: Callable[..., Any], level: CacheConsistencyLevel) -> None:
    door = make(max_entries=5, consistency_level=level)
    door.put("present", 1)
    for call in (
        lambda context: door.get("present", context=context),
        lambda context: door.put("present", 2, context=context),
        lambda context: door.put_many({"present": 2}, context=context),
        lambda context: door.get_or_load("absent", not_called, context=context),
        lambda context: door.get_many(["present"], context=context),
    ):
        assert accepted(call, "context", NOT_CONTEXTS) == []
    assert door.get("present") == 1
    assert door.get("present", context={}) == 1
    assert door.get("present", context={"session_id": None, "user_id": 5}) == 1


def test_many_at_once(door: Any) -> None:
    before = state(door)
    assert accepted(door.invalidate_by_tags, "tags", [*NOT_TAGS, None]) == []
    not_many = [5, None, object(), "ab", True, 1.5]
    assert accepted(door.invalidate_many, "keys", not_many) == []
    assert accepted(door.get_many, "keys", not_many) == []
    not_pairs = [["ab", 5], [("new", 1), 5], [("new", 1), (1, 2, 3)], [()]]
    assert accepted(door.put_many, "items", [5, None, object(), "ab", *not_pairs]) == []
    assert state(door) == before


def test_functions(door: Any) -> None:
    before = state(door)
    kind = InvalidArgumentTypeError
    load = lambda wrong: door.get_or_load("new", wrong)  # noqa: E731
    refresh = lambda wrong: door.refresh("present", wrong)  # noqa: E731
    assert accepted(load, "loader", NOT_FUNCTIONS, kind) == []
    assert accepted(refresh, "loader", NOT_FUNCTIONS, kind) == []
    assert accepted(door.on_removal, "callback", NOT_FUNCTIONS, kind) == []
    assert state(door) == before


def test_causes(door: Any) -> None:
    wrong = ["evicted?", ["evicted", "none"], 5, [5], [None], object()]
    assert accepted(lambda causes: door.on_removal(print, causes), "causes", wrong) == []


@pytest.mark.parametrize("name", ["max_entries", "max_size_mb"])
def test_new_bounds(make: Callable[..., Any], name: str) -> None:
    door = make(max_size_mb=1, max_entries=5)
    door.put("a", 1)
    wrong = [*CONSTRUCTOR[name], None] if name == "max_size_mb" else CONSTRUCTOR[name]
    assert accepted(lambda value: door.resize(**{name: value}), name, wrong) == []
    assert (door.max_size_bytes, door.max_entries) == (1024 * 1024, 5)
    assert "a" in door


def test_bounds_that_cannot_be_changed(make: Callable[..., Any]) -> None:
    assert refuses(lambda: make(max_entries=5).resize(max_size_mb=1), "max_size_mb")
    assert refuses(lambda: make(max_entries=5).resize(max_entries=None), "max_entries")
    assert refuses(lambda: make(max_size_mb=5).resize(max_size_mb=None), "max_size_mb")
    with pytest.raises(TypeError):
        make(max_entries=5).resize(no_such_bound=1)


def test_one_bad_bound_of_two_changes_neither(make: Callable[..., Any]) -> None:
    door = make(max_size_mb=1, max_entries=5)
    assert refuses(lambda: door.resize(max_size_mb=2, max_entries=0), "max_entries")
    assert refuses(lambda: door.resize(max_size_mb=-2, max_entries=3), "max_size_mb")
    assert (door.max_size_bytes, door.max_entries) == (1024 * 1024, 5)


# What constructors are given

CONSTRUCTOR: dict[str, list[Any]] = {
    "max_size_mb": [*NOT_DURATIONS, 1e-9],
    "max_entries": [0, -1, 1.5, "5", True, NAN, [], Decimal(5)],
    "eviction_strategy": ["", "fifo", "LRU", 5, None, [], CacheConsistencyLevel.STRONG, b"lru"],
    "consistency_level": ["", "weak", "STRONG", 5, None, {}, CacheEvictionStrategy.LRU],
    "optimization_interval": [*NOT_DURATIONS, None],
    "loader": NOT_FUNCTIONS,
    "sizer": NOT_FUNCTIONS,
    "max_value_fraction": [*NOT_DURATIONS, None, 1.0001, 2],
    "ttl_seconds": NOT_DURATIONS,
    "idle_seconds": NOT_DURATIONS,
    "ttl_jitter": [*NOT_COSTS, None, 1, 1.0, 2],
    "negative_ttl_seconds": NOT_DURATIONS,
    "negative_errors": [5, None, "ValueError", (5,), [ValueError, "x"], (int,), [ValueError()]],
    "clock": [5, "clock", object(), ManualClock],
    "name": [5, b"users", [], "half of a pair: \ud800"],
}


@pytest.mark.parametrize("kind", [Cache, AdaptiveCache, cached])
@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_arguments_of_constructors(kind: Any, name: str) -> None:
    assert accepted(lambda value: kind(**{name: value}), name, CONSTRUCTOR[name]) == []


def test_an_unknown_argument() -> None:
    for kind in (Cache, AdaptiveCache):
        with pytest.raises(TypeError):
            kind(max_entries=5, no_such_argument=1)
    shared: Cache[Any, Any] = Cache(max_entries=5)
    assert refuses(lambda: cached(no_such_argument=1), "no_such_argument")
    assert refuses(lambda: shared.cached(no_such_argument=1), "no_such_argument")
    assert refuses(lambda: shared.cached(max_entries=1), "max_entries")


OPTIONS = {**ENTRY, "ignore": [5, (5,), object(), "no_such_parameter"]}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_cached(own: bool, name: str) -> None:
    decorate: Any = cached if own else Cache(max_entries=5).cached
    assert accepted(lambda value: decorate(**{name: value})(abs), name, OPTIONS[name]) == []
    assert accepted(lambda value: decorate(abs, **{name: value}), name, OPTIONS[name]) == []


@pytest.mark.parametrize("own", [True, False])
def test_a_wrong_option_of_cached_is_wrong_at_once(own: bool) -> None:
    decorate: Any = cached if own else Cache(max_entries=5).cached
    for name in OPTIONS:
        assert refuses(lambda name=name: decorate(**{name: object()}), name)


def test_a_loader_for_a_cached_function_is_refused() -> None:
    assert refuses(lambda: cached(loader=print), "loader")


def test_arguments_of_register_strategy() -> None:
    factory = lambda meta: None  # noqa: E731
    names = [5, None, b"x", [], "", "lru", "lfu", "ttl", "adaptive", "priority"]
    assert accepted(lambda wrong: register_strategy(wrong, factory), "name", names) == []
    assert accepted(lambda wrong: register_strategy("w", wrong), "factory", NOT_FUNCTIONS) == []


def test_arguments_of_the_manual_clock() -> None:
    clock = ManualClock(5.0, epoch=100.0)
    assert accepted(clock.advance, "seconds", [-1, NAN, INFINITY, "5", None]) == []
    assert (clock.monotonic(), clock.time()) == (5.0, 100.0)
    assert accepted(ManualClock, "start", ["x", NAN, INFINITY, None]) == []
    assert accepted(lambda wrong: ManualClock(0.0, wrong), "epoch", ["x", NAN, INFINITY]) == []


def test_arguments_of_the_consistency_manager() -> None:
    name = "consistency_level"
    assert accepted(ConsistencyManager, name, CONSTRUCTOR[name]) == []


# What sizers return


def test_sizes_that_are_none() -> None:
    for size in (-1, 1.5, "5", None, NAN, [], -(10**30)):
        cache: Cache[str, int] = Cache(1, sizer=lambda value, size=size: size)
        assert refuses(lambda: cache.put("a", 1), "sizer")  # noqa: B023
        assert len(cache) == 0
        assert cache.statistics.memory_usage_bytes == 0


def test_a_size_beyond_all_measure_is_too_large() -> None:
    for size in (10**30, 2**63, 2**62):
        cache: Cache[str, int] = Cache(1, sizer=lambda value, size=size: size)
        assert cache.put("a", 1) is False


def test_a_size_may_be_any_whole_number() -> None:
    small: Cache[str, int] = Cache(1, sizer=lambda value: numpy.int64(5))
    assert small.put("a", 1) is True


# What is accepted


def test_numbers_of_every_kind_are_numbers(make: Callable[..., Any]) -> None:
    for one in (5, 5.0, Decimal(5), Fraction(5), numpy.int64(5), numpy.float32(5)):
        door = make(max_size_mb=one, ttl_seconds=one, optimization_interval=one)
        assert door.put("a", 1, one, one, None, None, idle_seconds=one, cost=one) is True
        entry = door.entry("a")
        assert (entry.ttl_seconds, entry.priority, entry.cost) == (5.0, 5.0, 5.0)
        assert door.touch("a", one, one) is True
    for one in (5, numpy.int64(5), numpy.uint8(5)):
        assert make(max_entries=one).max_entries == 5
    assert make(max_entries=5).put("a", 1, priority=-3) is True
    assert make(max_entries=5).put("a", 1, cost=0) is True


def test_extremes_are_accepted(make: Callable[..., Any]) -> None:
    for seconds in (1e-300, 5e-324, 1e-9, 1e9, 1e18, 1e300):
        door = make(max_entries=5, clock=ManualClock(1.0))
        assert door.put("a", 1, seconds) is True
        assert door.put("b", 1, idle_seconds=seconds) is True
        assert (door.get("a") == 1) == (seconds > 1e-30)
        assert door.get("b", "gone") in {1, "gone"}
        door.purge_expired()
    for bound in (2**62 - 1, 2**62, 2**63, 10**30):
        door = make(max_entries=bound)
        assert door.put("a", 1) is True
        assert len(door) == 1
    for megabytes in (1e-6, 1e12, 1e30, 1e300):
        assert make(max_size_mb=megabytes).max_size_bytes >= 1


def test_tags_and_dependencies_of_every_shape(door: Any) -> None:
    for tags in (["a", "b"], ("a", "b", "a"), {"a": 1, "b": 2}, frozenset("ab"), iter("ab")):
        assert door.put("x", 1, tags=tags) is True
        assert door.entry("x").tags == {"a", "b"}
    assert door.invalidate_by_tags(iter(["a"])) == 1
    for needs in ([1, ("b",)], (1, ("b",), 1), {1: 0, ("b",): 0}, {1, ("b",)}, iter([1, ("b",)])):
        assert door.put("x", 1, dependencies=needs) is True
        assert door.entry("x").dependencies == {1, ("b",)}
    for empty in (None, [], (), set(), iter(())):
        assert door.put("x", 1, tags=empty, dependencies=empty) is True
        assert door.entry("x").tags == door.entry("x").dependencies == frozenset()


def test_iterators_are_used_up_once(door: Any) -> None:
    assert door.put_many([("x", 1), ("y", 2)], tags=iter(["i"]), dependencies=iter(["p"])) == 2
    assert door.entry("x").tags == door.entry("y").tags == {"i"}
    assert door.invalidate("p") == 2
    assert door.get_many(iter(["present", "absent"])) == {"present": "value"}
    assert door.invalidate_many(iter(["present", "absent"])) == 1
    assert door.put_many(iter([("x", 1)])) == 1


def test_causes_of_every_shape(door: Any) -> None:
    seen: list[Any] = []
    for causes in (
        [RemovalCause.INVALIDATED],
        ["invalidated"],
        iter({"invalidated", RemovalCause.EVICTED}),
        {RemovalCause.INVALIDATED: 0},
    ):
        door.on_removal(lambda *what: seen.append(what), causes)
    door.put("x", 1)
    door.put("x", 2)
    door.invalidate("x")
    assert seen == [("x", 2, RemovalCause.INVALIDATED)] * 4


def test_every_public_error_is_in_one_family() -> None:
    for name in scrubjay.__all__:
        one = getattr(scrubjay, name)
        if isinstance(one, type) and issubclass(one, BaseException):
            assert issubclass(one, CacheError)
    assert issubclass(InvalidKeyError, TypeError)
    assert issubclass(InvalidArgumentTypeError, TypeError)
    assert issubclass(InvalidArgumentError, ValueError)
