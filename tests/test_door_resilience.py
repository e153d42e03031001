"""Old values rather than none, bounded waits, and loads before it is too late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import InvalidArgumentError, LoadTimeoutError, ManualClock
from scrubjay._flow.resilience import Resilience
from scrubjay.events import EventKind
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, opened, spin, wait


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(kind: str) -> Iterator[Callable[..., Any]]:
    with opened(kind) as maker:
        yield maker


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Source:
    """A loader whose calls end when it is let go, and which may fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, key: Any) -> Any:
        self.calls += 1
        number = self.calls
        wait(self.gate)
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.gate.set()


def settle(cache: Any) -> None:
    """Let what runs in the background end."""
    if hasattr(cache, "_loop"):
        from tests.door_helpers import until

        cache._loop.run_until_complete(until(lambda: not cache.cache.sync.flights.count))
    else:
        spin(lambda: not cache.flights.count)


def statistics(cache: Any) -> Any:
    return cache.get_detailed_statistics()["loads"]


# stale-while-revalidate


def test_an_expired_value_is_served_while_it_is_loaded_anew(make, clock, source):
    cache = make(ttl_seconds=10, stale_while_revalidate_seconds=5, clock=clock)
    assert cache.get_or_load("a", source) == 1
    clock.advance(12)
    assert cache.get("a") is None  # who asks for what is fresh gets nothing else
    assert cache.get_or_load("a", source) == 1
    settle(cache)
    assert cache.get_or_load("a", source) == 2
    assert source.calls == 2
    assert statistics(cache)["stale_served"] == 1


def test_one_load_is_under_way_however_many_are_served(make, clock, source):
    cache = make(ttl_seconds=10, stale_while_revalidate_seconds=5, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(11)
    source.gate.clear()
    assert [cache.get_or_load("a", source) for _ in range(5)] == [1] * 5
    source.gate.set()
    settle(cache)
    assert source.calls == 2


def test_too_old_a_value_is_not_served(make, clock, source):
    cache = make(ttl_seconds=10, stale_while_revalidate_seconds=5, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(15)
    assert cache.get_or_load("a", source) == 2


def test_an_invalidated_value_is_not_served(make, clock, source):
    cache = make(ttl_seconds=10, stale_while_revalidate_seconds=5, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(11)
    cache.invalidate("a")
    assert cache.get_or_load("a", source) == 2


def test_a_load_that_an_invalidation_overtook_is_not_kept(make, clock, source):
    cache = make(ttl_seconds=10, stale_while_revalidate_seconds=5, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(11)
    source.gate.clear()
    assert cache.get_or_load("a", source) == 1
    cache.invalidate("a")
    source.gate.set()
    settle(cache)
    assert cache.get("a") is None


# stale-if-error


def test_a_failing_load_yields_the_old_value(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
    told: list[Any] = []
    cache.on_event(told.append, EventKind.STALE_SERVED, queued=False)
    cache.get_or_load("a", source)
    clock.advance(50)
    source.error = RuntimeError("the source is down")
    assert cache.get_or_load("a", source) == 1
    assert [(event.key, event.detail) for event in told] == [("a", "loading it failed")]
    assert statistics(cache)["errors"] == 1
    source.error = None
    assert cache.get_or_load("a", source) == 3


def test_without_an_old_value_the_error_is_raised(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
    source.error = RuntimeError("the source is down")
    with pytest.raises(RuntimeError, match="is down"):
        cache.get_or_load("a", source)
    source.error = None
    cache.get_or_load("a", source)
    clock.advance(110)
    source.error = RuntimeError("the source is down")
    with pytest.raises(RuntimeError, match="is down"):
        cache.get_or_load("a", source)


def test_a_remembered_failure_yields_the_old_value_without_a_call(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, negative_ttl_seconds=5, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(50)
    source.error = RuntimeError("the source is down")
    assert [cache.get_or_load("a", source) for _ in range(3)] == [1, 1, 1]
    assert source.calls == 2


def test_the_old_value_of_a_lower_tier_is_served_after_a_restart(make, clock, source):
    tier = MemoryTier(clock=clock)
    options = {"ttl_seconds": 10, "stale_if_error_seconds": 100, "clock": clock, "tiers": [tier]}
    make(**options).get_or_load("a", source)
    clock.advance(50)
    cache = make(**options)
    source.error = RuntimeError("the source is down")
    assert cache.get("a") is None
    assert cache.get_or_load("a", source) == 1
    clock.advance(60)
    with pytest.raises(RuntimeError, match="is down"):
        cache.get_or_load("a", source)


def test_a_refresh_that_fails_says_so(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
    cache.get_or_load("a", source)
    source.error = RuntimeError("the source is down")
    with pytest.raises(RuntimeError, match="is down"):
        cache.refresh("a", source)
    assert cache.get("a") == 1


# Bounded waits


def test_a_slow_load_yields_the_old_value_and_is_kept(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, soft_timeout_seconds=0.01, clock=clock)
    cache.get_or_load("a", source)
    clock.advance(50)
    source.gate.clear()
    assert cache.get_or_load("a", source) == 1
    source.gate.set()
    settle(cache)
    assert cache.get("a") == 2


def test_a_load_that_takes_too_long_is_not_waited_for(make, clock, source):
    cache = make(ttl_seconds=10, hard_timeout_seconds=0.01, clock=clock)
    source.gate.clear()
    with pytest.raises(LoadTimeoutError, match=r"'a' takes longer than 0\.01"):
        cache.get_or_load("a", source)
    source.gate.set()
    settle(cache)
    assert cache.get("a") == 1
    assert source.calls == 1


def test_a_load_in_time_is_as_without_a_bound(make, clock, source):
    cache = make(hard_timeout_seconds=60, soft_timeout_seconds=30, clock=clock)
    assert cache.get_or_load("a", source) == 1
    source.error = KeyError("no")
    with pytest.raises(KeyError):
        cache.get_or_load("b", source)


def test_several_wait_for_one_bounded_load(clock, source):
    with opened("sync") as maker:
        cache = maker(hard_timeout_seconds=60)
        source.gate.clear()
        waiting = [Patient(cache.get_or_load, "a", source) for _ in range(5)]
        spin(lambda: source.calls)
        source.gate.set()
        assert [one.result() for one in waiting] == [1] * 5


# Early refresh


def test_an_entry_is_loaded_before_it_expires(make, clock, source):
    cache = make(ttl_seconds=10, early_refresh=1.0, clock=clock)
    cache.put("a", 0, cost=1e9)  # so that chance has nothing to decide
    assert cache.get_or_load("a", source) == 0
    settle(cache)
    assert cache.get("a") == 1


def test_an_entry_that_never_expires_or_costs_nothing_is_left_alone(make, clock, source):
    cache = make(early_refresh=1.0, clock=clock)
    cache.put("a", 0, cost=1e9)
    cache.put("b", 0, ttl_seconds=10)
    assert [cache.get_or_load(key, source) for key in "ab"] == [0, 0]
    settle(cache)
    assert source.calls == 0


def test_early_loads_are_as_likely_as_their_source_says():
    rules = Resilience(early=1.0)
    shares = [
        sum(rules.is_due(left, 1.0) for _ in range(20_000)) / 20_000 for left in (0.5, 1.0, 3.0)
    ]
    assert shares == pytest.approx([0.607, 0.368, 0.050], abs=0.02)  # exp(-left / cost)


# The store


def test_what_has_expired_and_is_kept_is_not_there(make, clock, source):
    cache = make(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
    cache.put("a", 1)
    clock.advance(20)
    assert "a" not in cache
    assert cache.entry("a") is None
    assert not cache.touch("a")
    assert len(cache) == 0
    clock.advance(90)
    cache.purge_expired()
    assert cache.get_detailed_statistics()["tiers"]["memory"]["entries"] == 0


def test_an_old_value_is_not_popped(clock):
    with opened("sync") as maker:
        cache = maker(ttl_seconds=10, stale_if_error_seconds=100, clock=clock)
        cache.put("a", 1)
        clock.advance(20)
        assert cache.pop("a", "nothing") == "nothing"
        assert cache.setdefault("a", 2) == 2


def test_a_fill_in_place_of_an_old_value_leaves_what_depends_on_it(make, clock, source):
    cache = make(stale_if_error_seconds=100, clock=clock)
    cache.put("part", 0, ttl_seconds=10)
    cache.put("whole", "w", dependencies={"part"})
    clock.advance(20)
    assert cache.get_or_load("part", source) == 1
    assert cache.get("whole") == "w"


@pytest.mark.parametrize(
    "name",
    [
        "stale_while_revalidate_seconds",
        "stale_if_error_seconds",
        "soft_timeout_seconds",
        "hard_timeout_seconds",
        "early_refresh",
    ],
)
def test_times_make_sense(make, name):
    with pytest.raises(InvalidArgumentError, match=name):
        make(**{name: -1})
