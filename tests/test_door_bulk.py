"""Several keys at once: through both doors, with tiers below and without."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, InvalidArgumentError, LoadTimeoutError, ManualClock
from scrubjay.errors import (
    EncodeError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    ReentrantLoadError,
    TierUnavailableError,
)
from scrubjay.events import EventKind
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, arun, opened, spin, until, wait


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


class Counting(MemoryTier):
    """A tier that notes what it is asked; it may be out of reach."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.calls: list[tuple[str, int]] = []
        self.down = False

    def _note(self, method: str, given: Any) -> Any:
        given = list(given)
        self.calls.append((method, len(given)))
        if self.down:
            raise TierUnavailableError("it is down")
        return given

    def get_many(self, keys: Any) -> Any:
        return super().get_many(self._note("get", keys))

    def put_many(self, records: Any) -> Any:
        return super().put_many(self._note("put", records))

    def delete_many(self, keys: Any) -> Any:
        return super().delete_many(self._note("delete", keys))

    def counters(self, names: Any) -> Any:
        return super().counters(self._note("counters", names))

    def bump(self, names: Any) -> Any:
        return super().bump(self._note("bump", names))

    def told(self) -> list[tuple[str, int]]:
        calls, self.calls = self.calls, []
        return calls


class Loader:
    """A loader of several keys that notes what it is asked for."""

    def __init__(self, missing: Any = ()) -> None:
        self.asked: list[list[Any]] = []
        self.missing = missing

    def __call__(self, keys: list[Any]) -> Any:
        self.asked.append(list(keys))
        return {key: f"{key}{len(self.asked)}" for key in keys if key not in self.missing}


@pytest.fixture(params=[0, 1, 2])
def tiers(request: pytest.FixtureRequest) -> list[Counting]:
    return [Counting(name=f"t{number}") for number in range(request.param)]


# Loading


def test_only_what_is_missing_is_loaded_at_once(make: Any, tiers: Any) -> None:
    cache, load = make(tiers=tiers), Loader()
    cache.put("b", "there")
    assert cache.get_many(["abc", "a", "b", "c"], load) == {
        "abc": "abc1",
        "a": "a1",
        "b": "there",
        "c": "c1",
    }
    assert load.asked == [["abc", "a", "c"]]
    assert cache.get_many(["a", "b", "c"], load) == {"a": "a1", "b": "there", "c": "c1"}
    assert len(load.asked) == 1
    assert cache.statistics.cache_hits == 1 + 3


def test_the_order_is_that_of_the_keys(make: Any) -> None:
    cache = make()
    cache.put(2, 2)
    answer = OrderedDict([(3, 3), (1, 1)])
    assert list(cache.get_many([3, 2, 1], lambda keys: answer)) == [3, 2, 1]


def test_a_sequence_has_the_order_of_the_keys(make: Any, tiers: Any) -> None:
    cache = make(tiers=tiers)
    assert cache.get_many([1, 2, 3], lambda keys: [10 * key for key in keys]) == {
        1: 10,
        2: 20,
        3: 30,
    }
    assert cache.get(2) == 20
    assert cache.get_many([4], lambda keys: (None,)) == {4: None}


def test_what_the_loader_lacks_stays_missing_and_more_is_left_out(make: Any, tiers: Any) -> None:
    cache, load = make(tiers=tiers), Loader(missing={"b"})
    assert cache.get_many(["a", "b"], load) == {"a": "a1"}
    assert cache.get_many(["a", "b"], load) == {"a": "a1"}
    assert load.asked == [["a", "b"], ["b"]]
    assert cache.get_many(["c"], lambda keys: {"c": 1, "d": 2}) == {"c": 1}
    assert cache.get("d") is None
    assert cache.get_or_load("b", lambda key: "one") == "one"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([1], InvalidArgumentError),
        ([1, 2, 3], InvalidArgumentError),
        ("ab", InvalidArgumentTypeError),
        (b"ab", InvalidArgumentTypeError),
        (5, InvalidArgumentTypeError),
        (None, InvalidArgumentTypeError),
        (iter([1, 2]), InvalidArgumentTypeError),
    ],
)
def test_a_loader_that_returns_something_else_is_told(make: Any, answer: Any, error: Any) -> None:
    cache = make()
    with pytest.raises(error, match="loader"):
        cache.get_many(["a", "b"], lambda keys: answer)
    assert cache.get_many(["a", "b"]) == {}


def test_bad_arguments_change_nothing(make: Any) -> None:
    cache, load = make(), Loader()
    with pytest.raises(InvalidArgumentError, match="loader"):
        cache.get_many(["a"], 5)
    with pytest.raises(InvalidArgumentError, match="ttl_seconds"):
        cache.get_many(["a"], load, ttl_seconds=-1)
    with pytest.raises(InvalidKeyError):
        cache.get_many([["a"]], load)
    assert load.asked == []
    assert cache.statistics.total_requests == 0


def test_the_conditions_apply_to_what_is_loaded(make: Any, tiers: Any) -> None:
    clock = ManualClock()
    cache, load = make(tiers=tiers, clock=clock), Loader()
    cache.put("part", 1)
    cache.get_many(["a", "b"], load, ttl_seconds=10, tags={"t"}, priority=3)
    cache.get_many(["c", "d"], load, dependencies={"part"})
    cache.get_many(["e"], load, cost=5)
    assert cache.entry("a").priority == 3
    assert cache.entry("a").tags == {"t"}
    assert cache.entry("e").cost == 5
    cache.invalidate("part")
    assert cache.get_many(["c", "d"]) == {}
    clock.advance(11)
    assert cache.get_many(["a", "b", "e"]) == {"e": "e3"}
    cache.get_many(["a"], load, tags={"t"})
    cache.invalidate_by_tags({"t"})
    assert cache.get_many(["a"]) == {}


def test_an_error_reaches_the_caller_and_nothing_is_kept_or_remembered(
    make: Any, tiers: Any
) -> None:
    cache = make(tiers=tiers, negative_ttl_seconds=60)

    def fail(keys: Any) -> Any:
        raise RuntimeError("the source is down")

    with pytest.raises(RuntimeError, match="is down"):
        cache.get_many(["a", "b"], fail)
    assert cache.get_many(["a", "b"], Loader()) == {"a": "a1", "b": "b1"}
    groups = cache.get_detailed_statistics()["loads"]
    assert (groups["count"], groups["errors"]) == (2, 1)


def test_a_value_that_cannot_be_stored_is_an_error_and_the_others_are_kept(make: Any) -> None:
    def sizer(value: Any) -> int:
        if value == "bad":
            raise ValueError("no size")
        return 1

    cache = make(max_size_mb=1, sizer=sizer)
    with pytest.raises(ValueError, match="no size"):
        cache.get_many(["a", "b", "c"], lambda keys: ["x", "bad", "z"])
    assert cache.get_many(["a", "b", "c"]) == {"a": "x", "c": "z"}


def test_the_time_of_a_load_is_shared_by_its_keys(make: Any) -> None:
    cache = make()

    def slow(keys: Any) -> Any:
        threading.Event().wait(0.02)
        return dict.fromkeys(keys, 1)

    cache.get_many(["a", "b"], slow)
    assert cache.entry("a").cost == cache.entry("b").cost >= 0.01


def test_loads_are_told_once_with_their_number_of_keys(make: Any) -> None:
    cache = make()
    told: list[Any] = []
    cache.on_event(told.append, queued=False)
    cache.get_many(["a", "b", "c"], Loader())
    kinds = [(event.kind, event.key, event.amount) for event in told]
    assert kinds == [
        *[(EventKind.MISS, key, 1) for key in "abc"],
        (EventKind.LOAD_START, None, 3),
        (EventKind.LOAD, None, 3),
    ]


def test_a_value_too_old_for_a_session_is_loaded_anew(make: Any, tiers: Any) -> None:
    cache = make(tiers=tiers, consistency_level="session")
    me, load = {"session_id": "me"}, Loader()
    cache.put("a", 1, context=me)
    cache.put("b", 2, context=me)
    manager = cache.consistency_manager
    manager.register_write("a", "me", manager_version(cache, "a") + 1)
    assert cache.get_many(["a", "b"], context=me) == {"b": 2}
    assert cache.get_many(["a", "b"], load, context=me) == {"a": "a1", "b": 2}
    assert load.asked == [["a"]]


def manager_version(cache: Any, key: Any) -> int:
    store = getattr(cache, "cache", cache)
    return int(getattr(store, "sync", store).facts(key)["version"])


# Loads of others


def test_keys_that_are_being_loaded_are_joined() -> None:
    for tiers in ([], [MemoryTier()]):
        cache: Cache[str, Any] = Cache(tiers=tiers)
        gate, begun = threading.Event(), threading.Event()

        def slow(key: str, gate: Any = gate, begun: Any = begun) -> str:
            begun.set()
            wait(gate)
            return f"slow {key}"

        one = Patient(cache.get_or_load, "b", slow)
        wait(begun)
        load = Loader()
        many = Patient(cache.get_many, ["a", "b", "c"], load)
        spin(lambda cache=cache: cache.contains("c"))  # one's own are there before the others
        assert not many.ended
        assert cache.get_many(["b"]) == {}  # who loads nothing waits for no loader
        gate.set()
        assert many.result() == {"a": "a1", "b": "slow b", "c": "c1"}
        assert one.result() == "slow b"
        assert load.asked == [["a", "c"]]


def test_what_is_loaded_together_is_joined_by_those_who_want_one() -> None:
    cache: Cache[str, Any] = Cache()
    gate, begun = threading.Event(), threading.Event()

    def slow(keys: list[str]) -> dict[str, str]:
        begun.set()
        wait(gate)
        return {key: f"many {key}" for key in keys if key != "lost"}

    many = Patient(cache.get_many, ["a", "b", "lost"], slow)
    wait(begun)
    one = Patient(cache.get_or_load, "a", lambda key: "one")
    lost = Patient(cache.get_or_load, "lost", lambda key: "one")
    other = Loader()
    some = Patient(cache.get_many, ["b", "c", "lost"], other)
    spin(lambda: cache.contains("c"))
    gate.set()
    assert many.result() == {"a": "many a", "b": "many b"}
    assert one.result() == "many a"
    assert lost.result() == "one" or other.asked[-1] == ["lost"]
    assert some.result()["b"] == "many b"
    assert cache.get("lost") in {"one", "lost2"}
    assert not cache.flights.count


def test_two_who_want_the_same_keys_in_another_order_do_not_wait_for_each_other() -> None:
    for tiers in ([], [MemoryTier()]):
        cache: Cache[int, int] = Cache(tiers=tiers)
        calls: list[list[int]] = []

        def load(keys: list[int], calls: Any = calls) -> list[int]:
            calls.append(keys)
            return keys

        keys = list(range(50))
        threads = [
            Patient(cache.get_many, keys[turn:] + keys[:turn], load) for turn in range(0, 50, 5)
        ]
        for thread in threads:
            assert sorted(thread.result().values()) == keys
        assert sorted(key for call in calls for key in call) == keys


def test_an_invalidation_voids_exactly_the_key_concerned(tiers: Any) -> None:
    cache: Cache[str, Any] = Cache(tiers=tiers)

    def load(keys: list[str]) -> list[int]:
        cache.invalidate("b")
        return [1] * len(keys)

    assert cache.get_many(["a", "b", "c"], load) == {"a": 1, "b": 1, "c": 1}
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "c": 1}

    def load_tagged(keys: list[str]) -> list[int]:
        cache.invalidate_by_tags({"t"})
        return [2] * len(keys)

    assert cache.get_many(["d", "e"], load_tagged, tags={"t"}) == {"d": 2, "e": 2}
    assert cache.get_many(["d", "e"]) == {}


def test_a_put_during_the_load_wins(tiers: Any) -> None:
    cache: Cache[str, Any] = Cache(tiers=tiers)

    def load(keys: list[str]) -> list[int]:
        cache.put_many({"a": "new"})
        return [1] * len(keys)

    assert cache.get_many(["a", "b"], load) == {"a": 1, "b": 1}
    assert cache.get_many(["a", "b"]) == {"a": "new", "b": 1}


def test_a_loader_that_needs_what_it_loads_is_told() -> None:
    cache: Cache[str, Any] = Cache()

    def load(keys: list[str]) -> list[Any]:
        return [cache.get_or_load("b", lambda key: 1)] * len(keys)

    with pytest.raises(ReentrantLoadError, match="several keys"):
        cache.get_many(["a", "b"], load)

    def load_many(keys: list[str]) -> Any:
        return cache.get_many(keys, load_many)

    with pytest.raises(ReentrantLoadError):
        cache.get_many(["a", "b"], load_many)
    with pytest.raises(ReentrantLoadError):
        cache.get_or_load("a", lambda key: cache.get_many(["b", "a"], Loader()))
    # Another key is no circle, whatever it is.
    assert cache.get_many(["a"], lambda keys: [cache.refresh(None, lambda key: 5)]) == {"a": 5}
    assert not [key for key in cache if key == "b"] or cache.get("b") == "b1"


def test_a_load_that_takes_too_long_is_not_waited_for_and_is_kept(make: Any) -> None:
    cache = make(hard_timeout_seconds=0.02)
    gate = threading.Event()

    def slow(keys: list[str]) -> list[str]:
        wait(gate)
        return keys

    with pytest.raises(LoadTimeoutError, match=r"longer than 0\.02"):
        cache.get_many(["a", "b"], slow)
    gate.set()
    if hasattr(cache, "_loop"):
        cache._loop.run_until_complete(until(lambda: not cache.cache.sync.flights.count))
    else:
        spin(lambda: not cache.flights.count)
    assert cache.get_many(["a", "b"]) == {"a": "a", "b": "b"}


def test_an_asynchronous_loader_is_awaited() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, Any] = AdaptiveCache(tiers=[MemoryTier()])
        loop = asyncio.get_running_loop()

        async def load(keys: list[str]) -> dict[str, Any]:
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
            return dict.fromkeys(keys, 1)

        assert await cache.get_many(["a", "b"], load) == {"a": 1, "b": 1}

    arun(main())
    cache: Cache[str, Any] = Cache()

    async def load(keys: list[str]) -> dict[str, Any]:
        return {}

    with pytest.raises(InvalidArgumentTypeError, match="asynchronous"):
        cache.get_many(["a"], load)  # type: ignore[arg-type]
    assert not cache.flights.count


def test_who_is_cancelled_disturbs_nobody() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, Any] = AdaptiveCache(tiers=[MemoryTier()])
        gate = asyncio.Event()
        calls: list[list[str]] = []

        async def load(keys: list[str]) -> list[str]:
            calls.append(keys)
            await gate.wait()
            return keys

        first = asyncio.ensure_future(cache.get_many(["a", "b"], load))
        await until(lambda: calls)
        second = asyncio.ensure_future(cache.get_many(["b", "a"], load))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()
        assert await second == {"b": "b", "a": "a"}
        assert calls == [["a", "b"]]

    arun(main())


def test_an_interrupted_load_leaves_its_keys_to_who_waits() -> None:
    cache: Cache[str, Any] = Cache()
    gate, begun = threading.Event(), threading.Event()

    def interrupted(keys: list[str]) -> Any:
        begun.set()
        wait(gate)
        raise KeyboardInterrupt

    first = Patient(cache.get_many, ["a", "b"], interrupted)
    wait(begun)
    second = Patient(cache.get_many, ["b", "a"], Loader())
    third = Patient(cache.get_or_load, "c", lambda key: "c")
    third.result()
    gate.set()
    with pytest.raises(KeyboardInterrupt):
        first.result()
    assert set(second.result()) == {"a", "b"}
    assert not cache.flights.count


# Tiers


def test_one_look_and_one_look_at_counters_per_tier(make: Any) -> None:
    near, far = Counting(name="near"), Counting(name="far")
    options = {"tiers": [near, far], "namespace": "n"}
    filling = make(**options)
    filling.put_many({key: key.upper() for key in "abc"}, tags={"t"})
    filling.put_many({"d": "D"})
    near.clear()
    cache = make(**options)
    near.told(), far.told()
    assert cache.get_many(["abcde", *"abcde"]) == {key: key.upper() for key in "abcd"}
    # "abcde" itself is a key, too, and is nowhere.
    assert far.told() == [("get", 6), ("counters", 1)]
    assert near.told() == [("get", 6), ("counters", 1), ("put", 4)]
    assert cache.get_many(list("abcd")) == {key: key.upper() for key in "abcd"}
    assert near.told() == far.told() == []
    again = make(**options)
    assert again.get_many(list("abcd")) == {key: key.upper() for key in "abcd"}
    assert [call for call, _ in near.told()] == ["get", "counters"]
    assert far.told() == []


def test_one_write_and_one_removal_per_tier(make: Any) -> None:
    near, far = Counting(name="near"), Counting(name="far")
    cache = make(tiers=[near, far])
    assert cache.put_many([("a", 1), ("b", 2), ("a", 3)]) == 2
    assert near.told() == far.told() == [("put", 2), ("bump", 2)]
    assert cache.get_many(["a", "b"]) == {"a": 3, "b": 2}
    assert cache.invalidate_many(["a", "b", "c"]) == 2
    assert near.told() == far.told() == [("delete", 3), ("bump", 3)]
    assert cache.get_many(["a", "b"]) == {}
    assert cache.put_many({}) == cache.invalidate_many([]) == 0


def test_what_is_below_alone_counts_as_removed(make: Any) -> None:
    tier = MemoryTier()
    make(tiers=[tier]).put_many({"a": 1, "b": 2, "c": 3})
    cache = make(tiers=[tier])
    assert cache.get("a") == 1
    cache.put("w", 1, dependencies={"a"})
    assert cache.invalidate_many(["a", "b", "x"]) == 3


def test_what_was_invalidated_is_not_found_below(make: Any) -> None:
    tier = MemoryTier()
    options = {"tiers": [tier]}
    one, other = make(**options), make(**options)
    one.put("part", 0)
    one.put_many({"a": 1, "b": 2}, tags={"t"})
    one.put_many({"c": 3, "d": 4}, dependencies={"part"})
    one.put_many({"e": 5})
    other.invalidate_by_tags({"t"})
    other.invalidate("part")
    assert make(**options).get_many(list("abcde")) == {"e": 5}


def test_expired_records_are_no_values(make: Any) -> None:
    clock = ManualClock()
    tier = MemoryTier(clock=clock)
    options = {"tiers": [tier], "clock": clock, "stale_if_error_seconds": 100}
    make(**options).put_many({"a": 1, "b": 2}, ttl_seconds=10)
    clock.advance(11)
    cache = make(**options)
    assert cache.get_many(["a", "b"]) == {}
    assert cache.get_many(["a", "b"], Loader()) == {"a": "a1", "b": "b1"}


def test_what_has_no_bytes_is_refused_before_anything_is_stored(make: Any) -> None:
    tier = Counting()
    cache = make(tiers=[tier])
    with pytest.raises(EncodeError):
        cache.put_many({"a": 1, "b": object()})
    assert cache.get_many(["a"]) == {}
    with pytest.raises(InvalidKeyError):
        cache.put_many({"a": 1, object(): 1})
    with pytest.raises(InvalidKeyError):
        cache.get_many(["a", object()])
    with pytest.raises(InvalidKeyError):
        cache.invalidate_many(["a", object()])
    assert [call for call, _ in tier.told() if call != "get"] == []


def test_a_loaded_value_without_bytes_is_kept_in_memory_alone(make: Any) -> None:
    tier = MemoryTier()
    cache = make(tiers=[tier])
    thing = object()
    assert cache.get_many(["a", "b"], lambda keys: [thing, 2]) == {"a": thing, "b": 2}
    assert cache.get("a") is thing
    assert make(tiers=[tier]).get_many(["a", "b"]) == {"b": 2}


def test_a_tier_that_is_down_is_told_later(make: Any) -> None:
    clock = ManualClock()
    tier = Counting(clock=clock)
    options = {"tiers": [tier], "clock": clock}
    cache = make(**options)
    cache.put_many({"a": 1, "b": 2, "c": 3})
    tier.down = True
    assert cache.put_many({"a": 10}) == 1
    cache.invalidate_many(["b"])
    assert cache.get_many(["a", "b", "c"], Loader()) == {"a": 10, "b": "b1", "c": 3}
    tier.down = False
    clock.advance(60)
    assert make(**options).get_many(["a"]) == {"a": 1}  # that cache knows nothing of it
    assert cache.get("x") is None
    assert make(**options).get_many(["a", "b", "c"]) == {"c": 3}


def test_a_sizer_that_fails_changes_nothing(make: Any) -> None:
    def sizer(value: Any) -> int:
        if value == "bad":
            raise ValueError("no size")
        return 1

    tier = MemoryTier()
    cache = make(max_size_mb=1, sizer=sizer, tiers=[tier])
    cache.put_many({"a": 1, "b": 1, "c": 1})
    with pytest.raises(ValueError, match="no size"):
        cache.put_many({"a": 2, "b": "bad", "c": 2})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 1, "c": 1}


def test_damage_is_a_miss_and_is_removed(make: Any) -> None:
    tier = MemoryTier()
    make(tiers=[tier]).put_many({"a": 1, "b": 2})
    records = tier._records
    assert records is not None
    name = next(key for key in records if b"a" in key[-2:])
    records[name] = records[name]._replace(value=records[name].value[:-1] + b"?")
    cache = make(tiers=[tier])
    found = cache.get_many(["a", "b"])
    assert len(found) == 1
    assert cache.get("x") is None
    assert len(records) == 1
