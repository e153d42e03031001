"""Levels and sessions within one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import (
    Cache,
    CacheConsistencyLevel,
    ConsistencyManager,
    InvalidArgumentError,
    InvalidArgumentTypeError,
)
from tests.door_helpers import opened

ANN, BOB = {"session_id": "ann"}, {"session_id": "bob"}
LEVELS = list(CacheConsistencyLevel)
SESSIONS = [CacheConsistencyLevel.SESSION, CacheConsistencyLevel.MONOTONIC]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


@pytest.mark.parametrize("level", LEVELS)
def test_everybody_reads_the_last_write(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    door = make(max_entries=20, consistency_level=level)
    for number in range(5):
        for writer in (ANN, BOB, None, {}, {"user_id": 7}):
            door.put("a", number, context=writer)
            for reader in (ANN, BOB, None, {}, {"user_id": 7}, {"session_id": 5}):
                assert door.get("a", context=reader) == number
                assert door.get_or_load("a", lambda key: -1, context=reader) == number
                assert door.get_many(["a"], context=reader) == {"a": number}
    assert door.statistics.consistency_conflicts == 0


WRITES: dict[str, Callable[[Any], Any]] = {
    "put": lambda door: door.put("a", "new"),
    "put for a session": lambda door: door.put("a", "new", context=ANN),
    "put for another": lambda door: door.put("a", "new", context=BOB),
    "put_many": lambda door: door.put_many({"a": "new"}, context=ANN),
    "set": lambda door: getattr(door, "sync", door).__setitem__("a", "new"),
    "refresh": lambda door: door.refresh("a", lambda key: "new"),
    "load": lambda door: (
        door.invalidate("a"),
        door.get_or_load("a", lambda key: "new", context=ANN),
    ),
    "invalidate and put": lambda door: (door.invalidate("a"), door.put("a", "new")),
    "clear and put": lambda door: (door.clear(), door.put("a", "new")),
    "clear and load": lambda door: (door.clear(), door.get_or_load("a", lambda key: "new")),
    "evict and put": lambda door: (door.put_many({n: n for n in range(9)}), door.put("a", "new")),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("write", WRITES)
def test_no_way_of_writing_blinds_a_session(
    make: Callable[..., Any], level: CacheConsistencyLevel, write: str
) -> None:
    door = make(max_entries=5, consistency_level=level)
    for number in range(10):
        door.put("a", number, context=ANN)
        assert door.get("a", context=ANN) == door.get("a", context=BOB) == number
    WRITES[write](door)
    for context in (ANN, BOB, None):
        assert door.get("a", context=context) == "new"
    assert door.statistics.consistency_conflicts == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_copy_that_is_too_old_is_not_shown(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    # Within one process it takes the manager itself to say that there is a newer version.
    door = make(max_entries=5, consistency_level=level)
    door.put("a", "old", context=ANN)
    version = door.entry("a").consistency_version
    door.consistency_manager.register_write("a", "ann", version + 5)
    kept = level in SESSIONS
    assert door.get("a", "too old", context=ANN) == ("too old" if kept else "old")
    assert door.statistics.consistency_conflicts == int(kept)
    assert door.statistics.cache_misses == int(kept)
    assert door.get("a", context=BOB) == "old"
    assert door.get("a") == "old"
    cache = getattr(door, "sync", door)
    assert cache.get("a", context=ANN, consistency_check=False) == "old"
    assert door.get_many(["a"], context=ANN) == ({} if kept else {"a": "old"})


@pytest.mark.parametrize("level", SESSIONS)
def test_a_conflict_is_healed_by_a_newer_write(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    door = make(max_entries=50, consistency_level=level)
    door.put("a", "old", context=ANN)
    door.consistency_manager.register_write("a", "ann", 3)
    assert door.get("a", context=ANN) is None
    for number in range(3):
        door.put("other", number)
    door.put("a", "new")
    assert door.get("a", context=ANN) == "new"


@pytest.mark.parametrize("level", SESSIONS)
def test_keys_that_look_alike_are_different_keys(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    class Key:
        def __repr__(self) -> str:
            return "Key"

    one, two = Key(), Key()
    door = make(max_entries=50, consistency_level=level)
    door.put(one, "one", context=ANN)
    assert door.get(one, context=ANN) == "one"
    for _ in range(5):
        door.put(two, "two", context=ANN)
        assert door.get(two, context=ANN) == "two"
    assert door.get(one, context=ANN) == "one"
    assert door.statistics.consistency_conflicts == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_key_need_not_be_printable(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    class Key:
        def __repr__(self) -> str:
            raise ArithmeticError("no words")

    key = Key()
    door = make(max_entries=5, consistency_level=level)
    assert door.put(key, 1, context=ANN) is True
    assert door.get(key, context=ANN) == 1


@pytest.mark.parametrize("level", SESSIONS)
def test_equal_keys_are_one_key(make: Callable[..., Any], level: CacheConsistencyLevel) -> None:
    door = make(max_entries=5, consistency_level=level)
    door.put(1, "one", context=ANN)
    door.consistency_manager.register_write(1.0, "ann", 99)
    assert door.get(True, "too old", context=ANN) == "too old"


# The manager by itself


def test_eventual_shows_everything() -> None:
    manager = ConsistencyManager()
    assert manager.consistency_level is CacheConsistencyLevel.EVENTUAL
    manager.register_write("a", "ann", 10)
    assert manager.validate_read("a", 0, "ann") is True
    assert manager.consistency_conflicts == 0


def test_strong_shows_the_last_write_alone() -> None:
    manager = ConsistencyManager("strong")
    assert manager.validate_read("a", 0) is True
    assert manager.register_write("a") == 1
    assert manager.register_write("a") == 2
    assert manager.validate_read("a", 1) is False
    assert manager.validate_read("a", 2) is True
    assert manager.validate_read("a", 3) is True
    assert manager.validate_read("b", 0) is True
    assert manager.consistency_conflicts == 1


def test_a_session_reads_its_own_writes() -> None:
    manager = ConsistencyManager("session")
    manager.register_write("a", "ann", 5)
    assert manager.validate_read("a", 4, "ann") is False
    assert manager.validate_read("a", 5, "ann") is True
    assert manager.validate_read("a", 4, "bob") is True
    assert manager.validate_read("a", 4) is True
    assert manager.validate_read("a", 6, "ann") is True
    assert manager.validate_read("a", 5, "ann") is True  # what it read does not matter here
    assert manager.session_floor("a", "ann") == 5
    assert manager.session_floor("a", "bob") == manager.session_floor("z", "ann") == 0


def test_monotonic_reads_never_go_back() -> None:
    manager = ConsistencyManager("monotonic")
    assert manager.validate_read("a", 5, "ann") is True
    assert manager.validate_read("a", 4, "ann") is False
    assert manager.validate_read("a", 5, "ann") is True
    assert manager.validate_read("a", 4, "bob") is True
    assert manager.validate_read("a", 9, "ann") is True
    assert manager.validate_read("a", 8, "ann") is False
    assert manager.session_floor("a", "ann") == 9
    manager.register_write("a", "bob", 20)
    assert manager.validate_read("a", 19, "bob") is False
    assert manager.consistency_conflicts == 3


def test_versions_never_go_back() -> None:
    manager = ConsistencyManager("session")
    assert manager.register_write("a", "ann", 7) == 7
    assert manager.register_write("a", "ann", 3) == 7
    assert manager.register_write("a") == 8
    assert manager.session_floor("a", "ann") == 7


@pytest.mark.untraced
def test_memory_is_bounded() -> None:
    manager = ConsistencyManager("monotonic")
    for number in range(100_500):
        manager.validate_read("a", 5, f"session {number}")
    assert manager.session_floor("a", "session 0") == 0
    assert manager.session_floor("a", "session 100499") == 5


@pytest.mark.parametrize("level", LEVELS)
def test_subscriptions_hear_of_every_write(
    make: Callable[..., Any], level: CacheConsistencyLevel
) -> None:
    door = make(max_entries=5, consistency_level=level)
    heard: list[Any] = []
    manager = door.consistency_manager
    manager.subscribe_to_invalidation("a", "me", lambda key, version: heard.append((key, version)))
    manager.subscribe_to_invalidation("a", "quiet")
    door.put("a", 1)
    door.put("a", 2, context=ANN)
    door.put("b", 3)
    assert [key for key, _ in heard] == ["a", "a"]
    assert heard[0][1] < heard[1][1]
    manager.unsubscribe_from_invalidation("a", "me")
    manager.unsubscribe_from_invalidation("a", "me")
    manager.unsubscribe_from_invalidation("z", "nobody")
    door.put("a", 4)
    assert len(heard) == 2


def test_subscriptions_hear_of_what_setdefault_stores() -> None:
    cache: Cache[str, int] = Cache(max_entries=5)
    heard: list[Any] = []
    cache.consistency_manager.subscribe_to_invalidation("a", "me", lambda *told: heard.append(told))
    assert cache.setdefault("a", 1) == 1
    assert cache.setdefault("a", 2) == 1
    assert [key for key, _ in heard] == ["a"]


@pytest.mark.parametrize("level", ["quick", 5, "STRONG"])
@pytest.mark.parametrize("context", [None, ANN])
def test_a_level_that_there_is_not_is_refused(
    make: Callable[..., Any], level: Any, context: Any
) -> None:
    door = make(max_entries=20)
    door.put("a", 1)
    for key in ("a", "b"):
        for read in (
            lambda key: door.get(key, context=context, consistency_level=level),
            lambda key: door.get_many([key], context=context, consistency_level=level),
            lambda key: door.get_or_load(key, str, context=context, consistency_level=level),
        ):
            with pytest.raises(InvalidArgumentError, match="consistency_level"):
                read(key)
    assert "b" not in door
    assert door.statistics.total_requests == 0


def test_a_context_that_is_no_mapping_is_refused_by_removals(make: Callable[..., Any]) -> None:
    door = make(max_entries=20)
    door.put("a", 1, tags={"t"})
    for remove in (
        lambda: door.invalidate("a", context="ann"),
        lambda: door.invalidate_many(["a"], context="ann"),
        lambda: door.invalidate_by_tags({"t"}, context="ann"),
    ):
        with pytest.raises(InvalidArgumentTypeError, match="context"):
            remove()
    assert "a" in door
