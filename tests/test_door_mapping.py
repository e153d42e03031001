"""`Cache` as a mutable mapping."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Mapping, MutableMapping, ValuesView
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scrubjay import Cache, InvalidKeyError, ManualClock
from tests.models import scaled


@pytest.fixture
def cache() -> Cache[Any, Any]:
    made: Cache[Any, Any] = Cache(max_entries=10, clock=ManualClock())
    made.update({"a": 1, "b": 2, "c": None})
    return made


def test_it_is_a_mapping(cache: Cache[Any, Any]) -> None:
    assert isinstance(cache, Mapping)
    assert isinstance(cache, MutableMapping)
    assert isinstance(cache, Iterable)
    assert Cache[str, int](max_entries=1).put("a", 1) is True


def test_reading(cache: Cache[Any, Any]) -> None:
    assert cache["a"] == 1
    assert cache["c"] is None
    assert cache.get("a") == 1
    assert cache.get("z") is None
    assert cache.get("z", 5) == 5
    assert cache.get("c", 5) is None
    with pytest.raises(KeyError) as caught:
        cache["z"]
    assert caught.value.args == ("z",)
    assert cache.statistics.cache_misses == 3
    assert cache.statistics.cache_hits == 4


def test_looking(cache: Cache[Any, Any]) -> None:
    assert len(cache) == 3
    assert bool(cache) is True
    assert bool(Cache(max_entries=1)) is False
    assert "a" in cache
    assert "c" in cache
    assert "z" not in cache
    assert sorted(cache) == ["a", "b", "c"]
    assert sorted(cache.keys()) == ["a", "b", "c"]
    assert sorted(cache.items(), key=str) == [("a", 1), ("b", 2), ("c", None)]
    assert sorted(cache.values(), key=str) == [1, 2, None]
    assert dict(cache.items()) == {"a": 1, "b": 2, "c": None}
    assert cache.statistics.total_requests == 0  # looking is not using
    assert cache.entry("a").access_count == 1  # type: ignore[union-attr]


def test_copying_into_a_dict(cache: Cache[Any, Any]) -> None:
    assert dict(cache) == {"a": 1, "b": 2, "c": None}
    assert {**cache} == dict(cache)


def test_unhashable_keys(cache: Cache[Any, Any]) -> None:
    for call in (
        lambda: cache[[]],
        lambda: cache.__setitem__([], 1),
        lambda: cache.__delitem__([]),
        lambda: [] in cache,
        lambda: cache.pop([]),
        lambda: cache.pop([], 1),
        lambda: cache.setdefault([], 1),
    ):
        with pytest.raises(InvalidKeyError, match="key"):
            call()
    assert len(cache) == 3


def test_writing(cache: Cache[Any, Any]) -> None:
    cache["a"] = 5
    assert cache["a"] == 5
    del cache["a"]
    assert "a" not in cache
    with pytest.raises(KeyError):
        del cache["a"]
    cache.update([("x", 1)], y=2)
    cache.update({"z": 3})
    assert sorted(cache) == ["b", "c", "x", "y", "z"]
    cache.clear()
    assert len(cache) == 0
    assert list(cache) == []


def test_pop(cache: Cache[Any, Any]) -> None:
    assert cache.pop("a") == 1
    assert "a" not in cache
    assert cache.pop("a", 7) == 7
    assert cache.pop("a", None) is None
    assert cache.pop("c", 7) is None
    with pytest.raises(KeyError):
        cache.pop("a")


def test_popitem(cache: Cache[Any, Any]) -> None:
    found = {}
    while cache:
        key, value = cache.popitem()
        found[key] = value
    assert found == {"a": 1, "b": 2, "c": None}
    with pytest.raises(KeyError):
        cache.popitem()


def test_setdefault(cache: Cache[Any, Any]) -> None:
    assert cache.setdefault("a", 9) == 1
    assert cache.setdefault("c", 9) is None
    assert cache.setdefault("z", 9) == 9
    assert cache["z"] == 9
    assert cache.setdefault("y") is None
    assert "y" in cache


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_setdefault_gives_what_it_stores_the_usual_time_to_live(jitter: float) -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(
        max_entries=5, ttl_seconds=10, idle_seconds=8, ttl_jitter=jitter, clock=clock
    )
    assert cache.setdefault("a", 1) == 1
    entry = cache.entry("a")
    assert entry is not None and entry.idle_seconds == 8
    assert entry.ttl_seconds == 10 if not jitter else 5 < entry.ttl_seconds < 10
    clock.advance(4)
    assert cache.setdefault("a", 2) == 1
    clock.advance(6)
    assert "a" not in cache


def test_a_cache_equals_itself_alone(cache: Cache[Any, Any]) -> None:
    other: Cache[Any, Any] = Cache(max_entries=10)
    other.update(dict(cache))
    assert cache == cache  # noqa: PLR0124
    assert cache != other
    assert cache != dict(cache)
    assert len({cache, other}) == 2


def test_views(cache: Cache[Any, Any]) -> None:
    keys, values, items = cache.keys(), cache.values(), cache.items()
    assert isinstance(keys, KeysView)
    assert isinstance(values, ValuesView)
    assert isinstance(items, ItemsView)
    assert len(keys) == len(values) == len(items) == 3
    cache["d"] = 4
    assert len(keys) == len(values) == len(items) == 4  # they are views
    assert ("a", 1) in items
    assert ("a", 2) not in items
    assert ("z", None) not in items
    assert ("c", None) in items
    assert ("z", mock.ANY) not in items
    assert ("a", mock.ANY) in items
    assert 5 not in items
    assert "ab" not in items
    nan = float("nan")
    cache["nan"] = nan
    assert ("nan", nan) in items
    assert nan in values
    assert 4 in values
    assert 9 not in values
    assert keys & {"a", "z"} == {"a"}
    assert items & {("a", 1), ("b", 9)} == {("a", 1)}
    assert keys - {"a", "b", "c", "nan"} == {"d"}
    assert keys == {"a", "b", "c", "d", "nan"}


def test_expired_entries_are_not_there() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(max_entries=10, clock=clock)
    cache.put("short", 1, ttl_seconds=1)
    cache.put("long", 2, ttl_seconds=100)
    cache["ever"] = 3
    clock.advance(1)
    assert "short" not in cache
    assert sorted(cache) == sorted(cache.keys()) == ["ever", "long"]
    assert sorted(cache.values()) == [2, 3]
    assert dict(cache.items()) == {"long": 2, "ever": 3}
    assert len(cache.items()) == len(cache) == 2
    assert ("short", 1) not in cache.items()
    assert 1 not in cache.values()
    with pytest.raises(KeyError):
        cache["short"]
    with pytest.raises(KeyError):
        del cache["short"]
    cache.put("short", 1, ttl_seconds=1)
    clock.advance(1)
    assert cache.pop("short", "gone") == "gone"
    assert cache.setdefault("short", 9) == 9
    clock.advance(100)
    assert {cache.popitem()[0] for _ in range(2)} == {"short", "ever"}


def test_changing_while_iterating(cache: Cache[Any, Any]) -> None:
    seen = []
    for key in cache:
        seen.append(key)
        if len(seen) < 5:
            cache[f"more {len(seen)}"] = 0
        cache.invalidate("b")
    assert {"a", "c"} <= set(seen)
    for key in cache:
        del cache[key]
    assert len(cache) == 0
    cache.update({"a": 1, "b": 2})
    iterator = iter(cache.items())
    assert next(iterator) in {("a", 1), ("b", 2)}
    cache.clear()
    assert list(iterator) == []


class Meddling:
    """A key that lets something happen when it is hashed for the n-th time."""

    def __init__(self) -> None:
        self.hashed = 0
        self.plan: dict[int, Any] = {}

    def arm(self, **plan: Any) -> None:
        self.hashed = 0
        self.plan = {int(name[1:]): action for name, action in plan.items()}

    def __hash__(self) -> int:
        self.hashed += 1
        action = self.plan.pop(self.hashed, None)
        if action is not None:
            action()
        return 7


@pytest.mark.parametrize("moment", range(1, 8))
def test_pop_is_one_step(moment: int) -> None:
    # What another thread may do between any two parts of it, the key does here.
    cache: Cache[Any, Any] = Cache(max_entries=5)
    key = Meddling()
    cache[key] = 1
    key.arm(**{f"_{moment}": cache.clear})
    assert cache.pop(key, "default") in {1, "default"}
    assert len(cache) == 0


@pytest.mark.parametrize("moment", range(1, 12))
def test_setdefault_is_one_step(moment: int) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    key = Meddling()

    def put_first() -> None:
        if key not in cache:
            cache[key] = "theirs"
            stored.append(key)

    stored: list[Any] = []
    key.arm(**{f"_{moment}": put_first})
    value = cache.setdefault(key, "mine")
    key.arm()
    assert value == cache[key] == ("theirs" if stored else "mine")


@pytest.mark.parametrize("moment", range(1, 8))
def test_popitem_is_one_step(moment: int) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    key = Meddling()
    cache[key] = 1
    cache["other"] = 2
    key.arm(**{f"_{moment}": lambda: cache.invalidate(key)})
    found = [cache.popitem()]
    key.arm()
    while cache:
        found.append(cache.popitem())
    assert ("other", 2) in found


VALUES = st.sampled_from([None, 0, 1, "x"])
KEYS = st.sampled_from(["a", "b", 1, 1.0, True, "1", (1,), None])


class BesideADict(RuleBasedStateMachine):
    """A cache with room for all does what a dict does."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Cache[Any, Any] = Cache(max_entries=100)
        self.model: dict[Any, Any] = {}

    @rule(key=KEYS, value=VALUES)
    def set(self, key: Any, value: Any) -> None:
        self.cache[key] = value
        self.model[key] = value

    @rule(key=KEYS)
    def get(self, key: Any) -> None:
        assert self.cache.get(key, "absent") == self.model.get(key, "absent")

    @rule(key=KEYS)
    def delete(self, key: Any) -> None:
        assert self.cache.invalidate(key) == (key in self.model)
        self.model.pop(key, None)

    @rule(key=KEYS, value=VALUES)
    def pop(self, key: Any, value: Any) -> None:
        assert self.cache.pop(key, value) == self.model.pop(key, value)

    @rule(key=KEYS, value=VALUES)
    def setdefault(self, key: Any, value: Any) -> None:
        assert self.cache.setdefault(key, value) == self.model.setdefault(key, value)

    @rule(pairs=st.lists(st.tuples(KEYS, VALUES), max_size=3))
    def update(self, pairs: list[tuple[Any, Any]]) -> None:
        self.cache.update(pairs)
        self.model.update(pairs)

    @rule(pairs=st.lists(st.tuples(KEYS, VALUES), max_size=3))
    def put_many(self, pairs: list[tuple[Any, Any]]) -> None:
        assert self.cache.put_many(pairs) == len(pairs)
        self.model.update(pairs)

    @rule(keys=st.lists(KEYS, max_size=4))
    def get_many(self, keys: list[Any]) -> None:
        assert self.cache.get_many(keys) == {k: self.model[k] for k in keys if k in self.model}

    @rule(keys=st.lists(KEYS, max_size=4))
    def invalidate_many(self, keys: list[Any]) -> None:
        gone = {key for key in keys if key in self.model}
        assert self.cache.invalidate_many(keys) == len(gone)
        for key in gone:
            del self.model[key]

    @rule(key=KEYS, value=VALUES)
    def get_or_load(self, key: Any, value: Any) -> None:
        assert self.cache.get_or_load(key, lambda key: value) == self.model.setdefault(key, value)

    @rule()
    def popitem(self) -> None:
        if self.model:
            key, value = self.cache.popitem()
            assert self.model.pop(key) == value

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.model.clear()

    @invariant()
    def same(self) -> None:
        assert len(self.cache) == len(self.model)
        assert dict(self.cache.items()) == self.model
        assert set(self.cache) == set(self.model)


TestBesideADict = BesideADict.TestCase
TestBesideADict.settings = settings(max_examples=scaled(40, 15), stateful_step_count=30)
