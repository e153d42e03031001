"""Errors of loaders that are remembered, for a time of their own."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import Cache, ManualClock, ReentrantLoadError, cached
from tests.door_helpers import arun, opened


class Source:
    """A loader that fails until told otherwise, and counts."""

    def __init__(self, error: type[BaseException] = LookupError) -> None:
        self.error: type[BaseException] | None = error
        self.calls = 0

    def __call__(self, key: Any) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error(key)
        return ("value", key)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield lambda **options: maker(
            **{"max_entries": 5, "clock": clock, "negative_ttl_seconds": 60, **options}
        )


def fails(cache: Any, source: Source, key: Any = "a", **terms: Any) -> bool:
    try:
        cache.get_or_load(key, source, **terms)
    except LookupError:
        return True
    return False


def test_without_a_time_no_error_is_remembered(make: Callable[..., Any]) -> None:
    cache, source = make(negative_ttl_seconds=None), Source()
    assert fails(cache, source)
    assert fails(cache, source)
    assert source.calls == 2


def test_an_error_is_remembered_for_its_own_time(
    make: Callable[..., Any], clock: ManualClock
) -> None:
    cache, source = make(ttl_seconds=5), Source()
    assert fails(cache, source)
    source.error = None
    clock.advance(59)
    assert fails(cache, source)
    assert source.calls == 1
    clock.advance(1)
    assert not fails(cache, source)
    assert source.calls == 2
    assert cache.get("a") == ("value", "a")


def test_a_remembered_error_is_no_entry(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    assert fails(cache, source)
    assert "a" not in cache
    assert len(cache) == 0
    assert cache.get("a", "absent") == "absent"
    assert cache.entry("a") is None
    assert cache.statistics.loads == cache.statistics.load_errors == 1
    assert fails(cache, source)
    assert cache.statistics.loads == 1


def test_keys_fail_each_on_their_own(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    assert fails(cache, source, "a")
    source.error = None
    assert not fails(cache, source, "b")
    assert fails(cache, source, "a")


FORGETTING: dict[str, Callable[[Any], Any]] = {
    "put": lambda cache: (cache.put("a", 1), cache.invalidate("a")),
    "invalidate": lambda cache: cache.invalidate("a"),
    "invalidate_many": lambda cache: cache.invalidate_many(["b", "a"]),
    "invalidate_by_tags": lambda cache: cache.invalidate_by_tags({"t"}),
    "invalidate a dependency": lambda cache: cache.invalidate("part"),
    "replace a dependency": lambda cache: (cache.put("part", 1), cache.put("part", 2)),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("what", FORGETTING)
def test_an_invalidation_forgets_the_error(make: Callable[..., Any], what: str) -> None:
    cache, source = make(), Source()
    assert fails(cache, source, tags={"t"}, dependencies={"part"})
    source.error = None
    assert fails(cache, source, tags={"t"}, dependencies={"part"})
    FORGETTING[what](cache)
    assert not fails(cache, source, tags={"t"}, dependencies={"part"})


def test_an_invalidation_of_something_else_does_not(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    assert fails(cache, source, tags={"t"}, dependencies={"part"})
    source.error = None
    cache.invalidate("b")
    cache.invalidate_by_tags({"another"})
    cache.invalidate_many(["c", "d"])
    cache.put("e", 1)
    assert fails(cache, source)


def test_a_refresh_asks_again(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    assert fails(cache, source)
    with pytest.raises(LookupError):
        cache.refresh("a", source)
    assert source.calls == 2
    source.error = None
    assert cache.refresh("a", source) == ("value", "a")


def test_a_success_forgets_an_earlier_error(make: Callable[..., Any], clock: ManualClock) -> None:
    cache, source = make(), Source()
    assert fails(cache, source)
    source.error = None
    assert cache.refresh("a", source, ttl_seconds=1) == ("value", "a")
    clock.advance(2)  # the value is gone; the error is a minute old, and was refuted
    assert not fails(cache, source)


def test_a_load_that_was_overtaken_leaves_no_error(clock: ManualClock) -> None:
    cache: Cache[str, Any] = Cache(max_entries=5, clock=clock, negative_ttl_seconds=60)

    def load(key: str) -> Any:
        cache.invalidate(key)
        raise LookupError(key)

    with pytest.raises(LookupError):
        cache.get_or_load("a", load)
    assert cache.get_or_load("a", lambda key: 1) == 1


@pytest.mark.parametrize("errors", [(KeyError, OSError), KeyError])
def test_only_the_given_kinds_are_remembered(make: Callable[..., Any], errors: Any) -> None:
    cache = make(negative_errors=errors)
    wanted, other = Source(KeyError), Source(IndexError)
    assert fails(cache, wanted, "a") and fails(cache, wanted, "a")
    assert fails(cache, other, "b") and fails(cache, other, "b")
    assert (wanted.calls, other.calls) == (1, 2)


def test_an_interrupt_is_never_remembered(clock: ManualClock) -> None:
    cache: Cache[str, Any] = Cache(
        max_entries=5, clock=clock, negative_ttl_seconds=60, negative_errors=(BaseException,)
    )
    source = Source(KeyboardInterrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            cache.get_or_load("a", source)
    assert source.calls == 2


def test_a_circle_is_a_mistake_of_the_program_and_not_remembered(clock: ManualClock) -> None:
    cache: Cache[str, Any] = Cache(max_entries=5, clock=clock, negative_ttl_seconds=60)

    def load(key: str) -> Any:
        return cache.get_or_load("b" if key == "a" else "a", load)

    with pytest.raises(ReentrantLoadError):
        cache.get_or_load("a", load)
    assert cache.get_or_load("a", lambda key: 1) == 1
    assert cache.get_or_load("b", lambda key: 2) == 2


def test_an_error_raised_again_and_again_does_not_grow(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    lengths = []
    for _ in range(5):
        with pytest.raises(LookupError) as caught:
            cache.get_or_load("a", source)
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert lengths[1] == lengths[4]


def test_errors_are_bounded_in_number(make: Callable[..., Any]) -> None:
    cache, source = make(), Source()
    for key in range(2000):
        assert fails(cache, source, key)
    source.error = None
    assert not fails(cache, source, 0)
    assert fails(cache, source, 1999)


def test_a_cached_function_may_remember_errors(clock: ManualClock) -> None:
    calls: list[int] = []

    @cached(negative_ttl_seconds=10, negative_errors=(LookupError,), clock=clock)
    def ask(x: int) -> int:
        calls.append(x)
        raise LookupError(x)

    @cached(negative_ttl_seconds=10, clock=clock)
    async def aask(x: int) -> int:
        calls.append(x)
        await asyncio.sleep(0)
        raise LookupError(x)

    for _ in range(3):
        with pytest.raises(LookupError):
            ask(1)
        with pytest.raises(LookupError):
            arun(aask(2))
    assert sorted(calls) == [1, 2]
    ask.invalidate(1)
    aask.cache_clear()
    with pytest.raises(LookupError):
        ask(1)
    with pytest.raises(LookupError):
        arun(aask(2))
    assert sorted(calls) == [1, 1, 2, 2]
