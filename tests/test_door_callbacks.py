"""Callbacks on removals: every cause, the right values, and no harm from bad ones."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import Cache, ManualClock, RemovalCause, register_strategy
from tests.door_helpers import in_time, opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield lambda **options: maker(
            **{
                "max_size_mb": 1,
                "max_entries": 3,
                "sizer": lambda value: value,
                "clock": clock,
                "eviction_strategy": "lru",
                **options,
            }
        )


def overfill(door: Any) -> None:
    for number in range(3):
        door.put(("more", number), 1)


CAUSES: dict[RemovalCause, Callable[[Any, ManualClock], Any]] = {
    RemovalCause.EVICTED: lambda door, clock: overfill(door),
    RemovalCause.EXPIRED: lambda door, clock: (clock.advance(100), door.purge_expired()),
    RemovalCause.INVALIDATED: lambda door, clock: door.invalidate("a"),
    RemovalCause.TAG: lambda door, clock: door.invalidate_by_tags({"t"}),
    RemovalCause.DEPENDENCY: lambda door, clock: door.invalidate("part"),
    RemovalCause.REPLACED: lambda door, clock: door.put("a", 8),
    RemovalCause.CLEARED: lambda door, clock: door.clear(),
    RemovalCause.REJECTED: lambda door, clock: door.put("a", 10**6),
}


def test_names_of_causes() -> None:
    assert [cause.value for cause in RemovalCause] == [cause.name.lower() for cause in CAUSES]
    assert set(RemovalCause) == set(CAUSES)


@pytest.mark.parametrize("cause", RemovalCause)
@pytest.mark.parametrize("given", ["all", "member", "string", "others"])
def test_every_cause_is_told(
    make: Callable[..., Any], clock: ManualClock, cause: RemovalCause, given: str
) -> None:
    door = make()
    seen: list[Any] = []
    causes: Any = {
        "all": None,
        "member": [cause],
        "string": [cause.value],
        "others": [other for other in RemovalCause if other is not cause],
    }[given]
    door.on_removal(lambda *what: seen.append(what), causes)
    door.put("a", 7, 50, 1.0, {"t"}, dependencies=["part"])
    CAUSES[cause](door, clock)
    expected = [] if given == "others" else [("a", 7, cause)]
    assert [what for what in seen if what[0] == "a"] == expected
    assert door.statistics.removals_by_cause[cause.value] >= 1


def test_the_key_is_the_one_that_was_stored(make: Callable[..., Any]) -> None:
    door = make()
    seen: list[Any] = []
    door.on_removal(lambda key, value, cause: seen.append((key, cause.value)))
    door.put(1, 1)
    door.put(1.0, 2)
    door.put(True, 3)
    door.invalidate(1.0)
    assert [cause for _, cause in seen] == ["replaced", "replaced", "invalidated"]
    assert len({type(key) for key, _ in seen[2:]}) == 1


def test_a_value_replaced_by_itself_is_replaced(make: Callable[..., Any]) -> None:
    door = make()
    seen: list[Any] = []
    door.on_removal(lambda *what: seen.append(what))
    door.put("a", 7)
    door.put("a", 7)
    door.refresh("a", lambda key: 7)
    assert seen == [("a", 7, RemovalCause.REPLACED)] * 2


def test_the_change_is_complete_when_it_is_told(make: Callable[..., Any]) -> None:
    door = make(max_entries=10)
    seen: list[Any] = []

    def look(key: Any, value: Any, cause: RemovalCause) -> None:
        seen.append((key, door.contains(key), len(door)))

    cache = getattr(door, "sync", door)
    cache.on_removal(look)
    for key in ("a", "b", "c"):
        cache.put(key, 1, tags={"t"})
    cache.invalidate("a")
    cache.invalidate_by_tags({"t"})
    cache.put("d", 1)
    cache.put("d", 2)
    cache.clear()
    assert [(key, there) for key, there, _ in sorted(seen)] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("d", False),
        ("d", True),
    ]
    assert ("a", False, 2) in seen
    assert ("b", False, 0) in seen


def test_a_callback_may_use_the_cache() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=3, eviction_strategy="lru")
    seen: list[Any] = []

    def meddle(key: Any, value: Any, cause: RemovalCause) -> None:
        seen.append((key, cause.value))
        cache.get("z")
        cache.invalidate("nothing")
        if len(seen) < 15:  # what it stores removes something else, and so on
            cache.put("noted", len(seen))
            cache.put(("put back", key), value)
        list(cache.items())
        len(cache)

    def main() -> None:
        cache.on_removal(meddle)
        for number in range(10):
            cache.put(number, number)
        cache.clear()

    in_time(main)
    assert len(cache) <= 3
    assert len(seen) > 10


def test_a_callback_may_put_back_what_was_removed() -> None:
    cache: Cache[str, int] = Cache(max_entries=3)
    done: list[int] = []

    def put_back(key: str, value: int, cause: RemovalCause) -> None:
        if not done:
            done.append(1)
            cache.put(key, value + 1)

    cache.on_removal(put_back)
    cache.put("a", 1)
    assert cache.invalidate("a") == 1
    assert cache["a"] == 2


def test_unsubscribing(make: Callable[..., Any]) -> None:
    door = make()
    one: list[Any] = []
    two: list[Any] = []
    stop_one = door.on_removal(lambda *what: one.append(what))
    stop_two = door.on_removal(lambda *what: two.append(what))
    door.put("a", 1)
    door.invalidate("a")
    stop_one()
    stop_one()
    door.put("a", 1)
    door.invalidate("a")
    stop_two()
    door.put("a", 1)
    door.invalidate("a")
    assert (len(one), len(two)) == (1, 2)


def test_the_same_callback_twice(make: Callable[..., Any]) -> None:
    door = make()
    seen: list[Any] = []

    def hear(*what: Any) -> None:
        seen.append(what)

    stop = door.on_removal(hear)
    door.on_removal(hear, ["invalidated"])
    door.put("a", 1)
    door.invalidate("a")
    assert len(seen) == 2
    stop()
    door.put("a", 1)
    door.invalidate("a")
    assert len(seen) == 3


def test_unsubscribing_within_a_callback(make: Callable[..., Any]) -> None:
    door = make()
    seen: list[str] = []

    def once(key: Any, value: Any, cause: RemovalCause) -> None:
        seen.append("once")
        stop()

    stop = door.on_removal(once)
    door.on_removal(lambda *what: seen.append("always"))
    for _ in range(2):
        door.put("a", 1)
        door.invalidate("a")
    assert seen == ["once", "always", "always"]


def test_a_callback_that_fails_is_logged(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    door = make()
    seen: list[Any] = []

    def fail(*what: Any) -> None:
        raise LookupError("of the callback")

    door.on_removal(fail)
    door.on_removal(lambda *what: seen.append(what))
    with caplog.at_level(logging.ERROR, logger="scrubjay"):
        for number in range(5):
            assert door.put(number, number) is True
        assert door.invalidate(4) == 1
        assert door.invalidate_by_tags({"t"}) == 0
        door.clear()
        assert door.get_or_load("a", lambda key: 1) == 1
        assert door.refresh("a", lambda key: 2) == 2
    assert len(caplog.records) == len(seen) == 6
    assert all(record.name.startswith("scrubjay") for record in caplog.records)
    assert all(record.levelno == logging.ERROR for record in caplog.records)
    assert "of the callback" in caplog.text
    assert door.get("a") == 2


def test_an_interrupt_in_a_callback_is_not_swallowed(make: Callable[..., Any]) -> None:
    door = make()

    def interrupt(*what: Any) -> None:
        raise KeyboardInterrupt

    stop = door.on_removal(interrupt)
    door.put("a", 1)
    with pytest.raises(KeyboardInterrupt):
        getattr(door, "sync", door).invalidate("a")
    stop()
    assert "a" not in door
    door.put("a", 2)
    assert door.get("a") == 2


def test_a_callback_added_late_hears_of_what_was_there(make: Callable[..., Any]) -> None:
    door = make()
    door.put("a", 1)
    seen: list[Any] = []
    door.on_removal(lambda *what: seen.append(what))
    door.clear()
    assert seen == [("a", 1, RemovalCause.CLEARED)]


def test_nobody_is_told_twice(make: Callable[..., Any]) -> None:
    door = make(max_entries=50)
    seen: list[Any] = []
    door.on_removal(lambda key, value, cause: seen.append(key))
    door.put("root", 1, tags={"t"})
    for number in range(10):
        door.put(number, 1, tags={"t"}, dependencies=["root", (number + 1) % 10])
    assert door.invalidate_by_tags({"t"}) == len(seen) == len(set(seen))
    assert len(door) == 0


class Failing:
    """A strategy that fails once, where it is told to."""

    place = ""

    def __init__(self, metadata: Any) -> None:
        self.slots: list[int] = []

    def fail(self, place: str) -> None:
        if Failing.place == place:
            Failing.place = ""
            raise ZeroDivisionError

    def on_insert(self, slot: int) -> None:
        self.slots.append(slot)
        self.fail("insert")

    def on_hit(self, slot: int) -> None:
        self.fail("hit")

    def on_remove(self, slot: int) -> None:
        self.slots.remove(slot)
        self.fail("remove")

    def victim(self) -> int:
        self.fail("victim")
        return self.slots[0]


register_strategy("test-failing", Failing)


@pytest.mark.parametrize("place", ["insert", "hit", "remove", "victim"])
@pytest.mark.parametrize(
    "operation",
    [
        lambda cache: cache.put("new", "new"),
        lambda cache: cache.put(1, "replaced"),
        lambda cache: cache.setdefault("new", "new"),
        lambda cache: cache.invalidate(1),
        lambda cache: cache.pop(1),
        lambda cache: cache.clear(),
        lambda cache: cache.resize(max_entries=1),
        lambda cache: cache.invalidate_by_tags(["t"]),
    ],
)
def test_whatever_a_strategy_raises_every_removal_is_told(place: str, operation: Any) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=4, eviction_strategy="test-failing")
    for number in range(4):
        cache.put(number, number, tags=["t"])
    told = []
    cache.on_removal(lambda key, value, cause: told.append(value))
    Failing.place = place
    with contextlib.suppress(ZeroDivisionError):
        operation(cache)
    Failing.place = ""
    here = [value for value in cache.values() if value in range(4)]
    assert sorted(told + here) == list(range(4))  # each either told of or there


def test_a_callback_at_the_end_of_the_stack_keeps_nobody_from_being_told() -> None:
    cache: Cache[int, int] = Cache(
        max_size_mb=10 / 1048576, sizer=lambda size: size, max_value_fraction=1
    )
    for number in range(10):
        cache.put(number, 1)
    told: list[tuple[str, int]] = []

    def fail(key: int, value: int, cause: object) -> None:
        told.append(("first", key))
        raise RecursionError

    cache.on_removal(fail)
    cache.on_removal(lambda key, value, cause: told.append(("second", key)))
    with pytest.raises(RecursionError):
        cache.put(99, 4)
    assert len(told) == 8
    assert cache.get(99) == 4
    with pytest.raises(RecursionError):
        cache.clear()
    assert len(told) == 8 + 2 * 7
