"""Times to live: given, by default, idle, with jitter, renewed."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import InvalidArgumentError, ManualClock, RemovalCause
from scrubjay._flow.sweeper import Sweeper
from tests.door_helpers import opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start=50.0)


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield lambda **options: maker(**{"max_entries": 50, "clock": clock, **options})


def test_an_entry_lives_exactly_as_long(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    door.put("a", 1, ttl_seconds=10)
    clock.advance(9.999)
    assert door.get("a") == 1
    assert "a" in door
    clock.advance(0.001)
    assert "a" not in door
    assert door.entry("a") is None
    assert door.get("a", "gone") == "gone"
    assert len(door) == 0


@pytest.mark.parametrize(
    "seconds", [1e-6, 0.01, 0.0625, 0.1, 1, 3.99, 4, 59, 3600, 86400, 1e7, 1e8]
)
def test_times_to_live_of_every_length(
    make: Callable[..., Any], clock: ManualClock, seconds: float
) -> None:
    door = make()
    door.put("a", 1, ttl_seconds=seconds)
    door.put("forever", 1)
    clock.advance(seconds * 0.99)
    assert door.get("a") == 1
    assert door.purge_expired() == 0
    clock.advance(seconds * 0.02)
    assert door.purge_expired() == 1
    assert door.get("a") is None
    assert door.get("forever") == 1


def test_the_default_time_to_live(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make(ttl_seconds=10)
    door.put("default", 1)
    door.put("shorter", 1, ttl_seconds=5)
    door.put("longer", 1, ttl_seconds=20)
    door.put_many({"many": 1})
    door.get_or_load("loaded", lambda key: 1)
    getattr(door, "sync", door)["mapped"] = 1
    assert door.entry("default").ttl_seconds == 10
    clock.advance(5)
    assert "shorter" not in door
    assert len(door) == 5
    clock.advance(5)
    assert [key for key in ("default", "many", "loaded", "mapped", "longer") if key in door] == [
        "longer"
    ]


def test_the_default_idle_time(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make(idle_seconds=10, ttl_seconds=25)
    for key in ("read", "unread", "looked at"):
        door.put(key, 1)
    door.put("own", 1, idle_seconds=30)
    for _ in range(2):
        clock.advance(9)
        assert door.get("read") == 1
        door.entry("looked at")
        door.contains("looked at")
    assert "unread" not in door
    assert "looked at" not in door
    assert "read" in door
    clock.advance(7)  # twenty-five seconds: however often it is read
    assert door.get("read") is None
    assert door.get("own") is None


def test_reading_begins_the_idle_time_anew(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    door.put("a", 1, idle_seconds=10)
    for _ in range(20):
        clock.advance(9)
        assert door.get("a") == 1
    clock.advance(9)
    assert door.get_many(["a"]) == {"a": 1}
    clock.advance(9)
    assert door.get_or_load("a", lambda key: 2) == 1
    clock.advance(10)
    assert door.get_or_load("a", lambda key: 2) == 2


def test_a_replacement_begins_anew(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    door.put("a", 1, ttl_seconds=10)
    clock.advance(9)
    door.put("a", 2, ttl_seconds=10)
    clock.advance(9)
    assert door.get("a") == 2
    door.put("a", 3)
    clock.advance(1000)
    assert door.get("a") == 3


# touch


def test_touching_counts_as_a_use(make: Callable[..., Any]) -> None:
    door = make(max_entries=2, eviction_strategy="lru")
    door.put("a", 1)
    door.put("b", 2)
    assert door.touch("a") is True
    assert door.entry("a").access_count == 2
    assert door.touch("z") is False
    door.put("c", 3)
    assert "a" in door
    assert "b" not in door
    assert door.statistics.total_requests == 0


def test_touching_with_a_time(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    door.put("a", 1, ttl_seconds=10)
    clock.advance(9)
    assert door.touch("a", 10) is True
    clock.advance(9)
    assert door.get("a") == 1
    assert door.entry("a").expires_in == 1.0
    assert door.touch("a") is True  # without a time it stays as it is
    assert door.entry("a").expires_in == 1.0
    clock.advance(1)
    assert door.touch("a", 10) is False
    assert "a" not in door


def test_touching_what_lived_for_ever(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    door.put("a", 1)
    door.put("b", 1)
    assert door.touch("a", ttl_seconds=5) is True
    assert door.touch("b", idle_seconds=5) is True
    assert door.entry("a").ttl_seconds == 5
    assert door.entry("b").idle_seconds == 5
    clock.advance(4)
    assert door.get("b") == 1
    clock.advance(4)
    assert door.get("a") is None
    assert door.get("b") == 1
    clock.advance(5)
    assert door.get("b") is None


@pytest.mark.parametrize("other", [False, True])
def test_touching_the_idle_time_keeps_the_end(
    make: Callable[..., Any], clock: ManualClock, other: bool
) -> None:
    door = make()
    if other:
        door.put("other", 1, idle_seconds=100)  # idle times are known before "a" comes
    door.put("a", 1, ttl_seconds=20)
    clock.advance(5)
    assert door.touch("a", idle_seconds=10) is True
    assert door.entry("a").expires_in == 10.0
    clock.advance(9)
    assert door.get("a") == 1
    assert door.entry("a").expires_in == 6.0  # not beyond its time to live
    assert door.touch("a", idle_seconds=1) is True
    assert door.entry("a").expires_in == 1.0
    assert door.touch("a", ttl_seconds=50) is True
    assert door.entry("a").expires_in == 1.0
    assert door.touch("a", 50, 30) is True
    assert door.entry("a").expires_in == 30.0


# Jitter


def test_a_time_to_live_that_was_checked_vouches_for_no_other(
    make: Callable[..., Any], clock: ManualClock
) -> None:
    door = make()
    one = 1
    assert door.put("a", 1, ttl_seconds=one)
    for wrong in (True, "1", 0, -1.0, math.nan):
        with pytest.raises(InvalidArgumentError):
            door.put("b", 1, ttl_seconds=wrong)
    assert "b" not in door
    assert door.put("b", 1, ttl_seconds=one, tags={"x"})
    assert door.put("c", 1, ttl_seconds=one)
    assert door.put("d", 1, ttl_seconds=2)
    clock.advance(1)
    assert [key for key in "abcd" if key in door] == ["d"]


def test_jitter_shortens_and_spreads(make: Callable[..., Any]) -> None:
    random.seed(5)
    door = make(max_entries=1000, ttl_seconds=100, ttl_jitter=0.2)
    for number in range(500):
        door.put(number, number)
    lives = [door.entry(number).ttl_seconds for number in range(500)]
    assert 80 <= min(lives) < 85
    assert 95 < max(lives) <= 100
    assert len(set(lives)) > 400
    assert 88 < sum(lives) / 500 < 92
    door.put_many({("many", number): 1 for number in range(100)})
    assert len({door.entry(("many", number)).ttl_seconds for number in range(100)}) > 80
    door.put("own", 1, ttl_seconds=10)
    assert 8 <= door.entry("own").ttl_seconds <= 10
    door.get_or_load("loaded", lambda key: 1, ttl_seconds=10)
    assert 8 <= door.entry("loaded").ttl_seconds <= 10


def test_jitter_leaves_the_rest_alone(make: Callable[..., Any]) -> None:
    door = make(ttl_jitter=0.5)
    door.put("forever", 1)
    door.put("idle", 1, idle_seconds=10)
    assert door.entry("forever").ttl_seconds is None
    assert door.entry("idle").idle_seconds == 10
    assert make(ttl_jitter=0).put("a", 1, ttl_seconds=10)


# Collecting


def test_purging(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make()
    removed: list[Any] = []
    door.on_removal(lambda *what: removed.append(what))
    for number in range(20):
        door.put(number, number, ttl_seconds=1 + number % 4)
    assert door.purge_expired() == 0
    clock.advance(2)
    assert door.purge_expired() == 10
    assert door.purge_expired() == 0
    assert len(door) == 10
    assert {cause for _, _, cause in removed} == {RemovalCause.EXPIRED}
    assert sorted(key for key, _, _ in removed) == [n for n in range(20) if n % 4 < 2]
    assert door.statistics.removals_by_cause["expired"] == 10


def test_expired_entries_make_room_first(make: Callable[..., Any], clock: ManualClock) -> None:
    door = make(max_entries=3, eviction_strategy="lru")
    door.put("kept", 1)
    door.put("short", 1, ttl_seconds=1)
    door.put("also kept", 1)
    clock.advance(2)
    door.put("new", 1)
    assert "kept" in door
    assert door.statistics.evictions == 0


def test_what_has_expired_is_not_removed_again(
    make: Callable[..., Any], clock: ManualClock
) -> None:
    door = make()
    removed: list[Any] = []
    door.on_removal(lambda key, value, cause: removed.append((key, cause.value)))
    door.put("a", 1, ttl_seconds=1)
    clock.advance(5)
    assert door.invalidate("a") == 0
    door.put("b", 1, ttl_seconds=1, tags={"t"})
    clock.advance(5)
    assert door.invalidate_by_tags({"t"}) == 0
    door.put("c", 1, ttl_seconds=1)
    clock.advance(5)
    assert door.invalidate_many(["c"]) == 0
    door.put("part", 1)
    door.put("d", 1, ttl_seconds=1, dependencies=["part"])
    clock.advance(5)
    assert door.invalidate("part") == 1
    door.put("e", 1, ttl_seconds=1)
    clock.advance(5)
    door.put("e", 2)
    assert removed == [
        ("a", "expired"),
        ("b", "expired"),
        ("c", "expired"),
        ("d", "expired"),
        ("part", "invalidated"),
        ("e", "expired"),
    ]


def test_what_depends_on_an_expired_entry_stays(
    make: Callable[..., Any], clock: ManualClock
) -> None:
    door = make()
    door.put("part", 1, ttl_seconds=1)
    door.put("whole", 1, dependencies=["part"])
    clock.advance(5)
    assert door.purge_expired() == 1
    assert "whole" in door
    assert door.invalidate("part") == 1  # it still was made from it
    assert "whole" not in door


def test_a_manual_clock() -> None:
    clock = ManualClock(5, epoch=100)
    assert (clock.monotonic(), clock.time()) == (5.0, 100.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.time()) == (7.5, 102.5)
    clock.advance(0)
    assert clock.monotonic() == 7.5
    assert abs(ManualClock().time() - __import__("time").time()) < 60


def test_the_sweeper_outlives_what_raises() -> None:
    class Swept:
        swept = False

        def __init__(self, raises: bool) -> None:
            self.raises = raises
            self.asked = threading.Event()

        def collect(self, now: float, exactly: bool, most: int) -> int:
            self.asked.set()
            if self.raises:
                raise SystemExit
            return 0

        def next_expiry(self) -> float:
            return math.inf

    own, ending, other = Sweeper(), Swept(True), Swept(False)
    own.watch(ending)
    assert ending.asked.wait(10.0)
    own.watch(other)
    assert other.asked.wait(10.0)
