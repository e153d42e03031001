"""What is shown of a cache's events and keys."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache, InvalidArgumentError, ManualClock
from scrubjay.events import Event, EventKind
from scrubjay.observe.hottest import namespace
from scrubjay.observe.inspecting import candidates, inspect
from scrubjay.observe.roster import Roster, store_of
from scrubjay.observe.watch import Watch, shown
from tests.door_helpers import ends_among_finalizers

pytestmark = pytest.mark.any_build


@given(st.lists(st.floats(0, 1e6), max_size=60))
def test_the_slowest_loads_are_kept_the_slowest_first(durations: list[float]) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    watch = Watch(cache)
    for number, seconds in enumerate(durations):
        cache.events.publish(Event(EventKind.LOAD, f"key:{number}", seconds=seconds))
    slowest = [load["seconds"] for load in watch.slowest()]
    assert slowest == sorted(durations, reverse=True)[:10]


def test_what_is_alike_in_a_row_is_counted() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    watch = Watch(cache)
    for _ in range(3):
        cache.events.publish(Event(EventKind.DEGRADED, tier="redis", detail="gone"))
    cache.events.publish(Event(EventKind.RECOVERED, tier="redis"))
    cache.events.publish(Event(EventKind.DEGRADED, tier="redis", detail="gone"))
    told = [(each["kind"], each["tier"], each["times"]) for each in watch.recent()]
    assert told == [("degraded", "redis", 1), ("recovered", "redis", 1), ("degraded", "redis", 3)]


def test_a_failed_load_is_named_by_the_class_of_its_error() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    watch = Watch(cache)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_load("user:1", lambda key: 1 // 0)
    (load,) = watch.slowest()
    assert (load["key"], load["outcome"]) == ("user:1", "ZeroDivisionError")
    (happening,) = watch.recent()
    assert happening["detail"] == "ZeroDivisionError"
    assert "division" not in json.dumps([load, happening])
    watch.end()
    assert not cache.events.wanted


class Unprintable:
    def __repr__(self) -> str:
        raise ArithmeticError


@given(st.text() | st.integers() | st.binary() | st.tuples(st.text(), st.integers()))
def test_a_key_is_shown_whatever_it_is(key: Any) -> None:
    text = shown(key)
    assert len(text) <= 120
    if len(str(key)) < 100 and isinstance(key, str):
        assert text == key


def test_a_key_that_cannot_be_shown_is_named_by_its_class() -> None:
    assert shown(Unprintable()) == "<Unprintable>"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("user:42", "user"),
        ("user:42:more", "user"),
        (":", ""),
        ("plain", "str"),
        (42, "int"),
        (None, "NoneType"),
        (("search", 7), "str"),
        ((7, "page:1"), "page"),
        ((), "tuple"),
        ("x" * 500 + ":1", "x" * 100),
    ],
)
def test_namespaces(key: Any, expected: str) -> None:
    assert namespace(key) == expected


@given(st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers()), st.binary()))
def test_a_key_is_found_by_what_people_write(key: Any) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    cache[key] = 1
    text = key if isinstance(key, str) else repr(key)
    if len(text) <= 1000:
        assert key in candidates(text)
        found = inspect(text, cache.explain_key)
        assert (found["where"], found["type"]) == (["memory"], type(key).__name__)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", "(", "__import__('os')", "9" * 5000, "((((" * 200]
)
def test_what_is_no_key_is_a_string(text: str) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    assert candidates(text) == [text]
    assert inspect(text, cache.explain_key)["where"] == []


def test_a_key_is_explained() -> None:
    clock = ManualClock()
    cache: Cache[Any, Any] = Cache(max_entries=5, clock=clock, eviction_strategy="lru")
    cache.put(
        "page:1",
        "the secret",
        ttl_seconds=60,
        priority=2.0,
        cost=0.5,
        tags={"t"},
        dependencies={"q"},
    )
    cache.put("list", 1, dependencies={"page:1"})
    clock.advance(10)
    cache.get("page:1")
    clock.advance(5)
    told = cache.explain_key("page:1")
    assert json.loads(json.dumps(told)) == told
    assert "secret" not in json.dumps(told)
    assert told["where"] == ["memory"]
    entry = told["memory"]
    assert entry is not None
    assert entry["value"] == "<str, not shown>"
    assert (entry["age_seconds"], entry["idle_seconds"], entry["expires_in_seconds"]) == (15, 5, 45)
    assert (entry["uses"], entry["tags"], entry["dependencies"]) == (2, ["t"], ["q"])
    assert (told["dependents"], told["dependent_count"]) == (["list"], 1)
    for words in ("lru", "read 1 times", "priority 2", "would cost 0.5", "goes in 45 s"):
        assert words in told["why"]
    assert cache.statistics.total_requests == 1  # looking is no use


def test_a_roster_keeps_labels_apart_and_nothing_alive() -> None:
    roster = Roster()
    ended: list[str] = []

    def begin(store: Any, label: str) -> Any:
        return lambda: ended.append(label)

    caches: list[Any] = [Cache(max_entries=5, name="a") for _ in range(3)]
    assert [roster.add(cache, begin) for cache in caches] == ["a", "a-2", "a-3"]
    assert roster.add(caches[1], begin) == "a-2"
    del caches[0]
    gc.collect()
    assert [label for label, _ in roster.items()] == ["a-2", "a-3"]
    assert ended == ["a"]
    roster.remove(caches[0])
    roster.remove(caches[0])
    assert ended == ["a", "a-2"]
    assert roster.get("a-2") is None
    roster.clear()
    assert ended == ["a", "a-2", "a-3"]
    assert len(roster) == 0


@pytest.mark.parametrize("nonsense", [None, {}, 7, Cache])
def test_what_is_no_cache_is_refused(nonsense: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="cache"):
        store_of(nonsense)


def test_a_finalizer_that_loads_in_the_midst_does_not_wait_for_ever() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=100)
    watch = Watch(cache)

    def work(_: int) -> None:
        watch.slowest()
        watch.recent()

    def load(number: int) -> None:
        cache.get_or_load(("of a finalizer", number), str)

    assert ends_among_finalizers(work, load)
    assert len(watch.slowest()) == 10
