"""The optimization loop and the life of an asynchronous cache."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import weakref
from datetime import datetime
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, ManualClock
from tests.door_helpers import Patient, arun, until, wait

SOON = 1e-4  # seconds


def loops() -> list[Any]:
    """The optimization loops that run on this event loop."""
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    return [name for name in names if name == "_optimize"]


def fast(**options: Any) -> AdaptiveCache[Any, Any]:
    return AdaptiveCache(max_entries=5, optimization_interval=SOON, **options)


def test_each_round_notes_how_the_cache_performs() -> None:
    async def main() -> None:
        cache = fast(clock=ManualClock(epoch=1_700_000_000.0))
        for number in range(8):
            await cache.put(number, number)
            await cache.get(number)
            await cache.get("absent")
        assert cache.optimization_history == []
        await cache.start()
        await until(lambda: len(cache.optimization_history) >= 2)
        await cache.stop()
        note = cache.optimization_history[0]
        assert note["strategy"] == "adaptive"
        assert note["performance"]["hit_rate"] == 0.5
        assert note["performance"]["average_latency"] > 0
        assert note["performance"]["eviction_rate"] == 3 / 16
        assert datetime.fromisoformat(note["timestamp"]).timestamp() == 1_700_000_000.0
        assert json.dumps(cache.optimization_history)
        cycles = len(cache.optimization_history)
        assert cache.get_detailed_statistics()["optimization"]["optimization_cycles"] == cycles

    arun(main())


def test_no_round_comes_after_stopping() -> None:
    async def main() -> None:
        cache = fast()
        await cache.start()
        await until(lambda: cache.optimization_history)
        await cache.stop()
        cycles = len(cache.optimization_history)
        for _ in range(50):
            await asyncio.sleep(SOON)
        assert len(cache.optimization_history) == cycles
        assert loops() == []

    arun(main())


def test_the_history_is_bounded() -> None:
    cache: Cache[str, int] = Cache(max_entries=5)
    history = cache.optimization_history
    for _ in range(250):
        cache.optimize()
    assert len(cache.optimization_history) == 100
    assert cache.optimization_history is history


def test_starting_and_stopping_again_and_again() -> None:
    async def main() -> None:
        cache = fast()
        await cache.stop()
        await cache.start()
        await cache.start()
        assert len(loops()) == 1
        await cache.stop()
        await cache.stop()
        await cache.start()
        cycles = len(cache.optimization_history)
        await until(lambda: len(cache.optimization_history) > cycles)
        await cache.stop()
        assert await cache.put("a", 1)
        assert await cache.get("a") == 1

    arun(main())


def test_as_a_context_manager() -> None:
    async def main() -> None:
        async with fast() as cache:
            assert isinstance(cache, AdaptiveCache)
            await cache.put("a", 1)
            await until(lambda: cache.optimization_history)
        assert await cache.get("a") == 1  # it works without the loop, too
        with pytest.raises(LookupError):
            async with cache:
                raise LookupError
        assert loops() == []
        async with cache as again:
            assert again is cache

    arun(main())


def test_a_subclass_is_given_by_the_context_manager() -> None:
    class Mine(AdaptiveCache[Any, Any]):
        pass

    async def main() -> None:
        async with Mine(max_entries=5) as cache:
            assert type(cache) is Mine

    arun(main())


def test_a_cache_that_is_forgotten_ends_its_loop() -> None:
    async def main() -> None:
        cache = fast()
        await cache.start()
        await until(lambda: cache.optimization_history)
        gone = weakref.ref(cache)
        cache = None
        gc.collect()
        assert gone() is None
        await until(lambda: not loops())

    arun(main())


def test_a_round_that_fails_is_logged_and_not_the_last(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        cache = fast()
        original = cache.sync.optimize
        rounds: list[int] = []

        def fail_first() -> None:
            rounds.append(1)
            if len(rounds) == 1:
                raise LookupError("first round")
            original()

        monkeypatch.setattr(cache.sync, "optimize", fail_first, raising=False)
        with caplog.at_level(logging.ERROR, logger="scrubjay"):
            await cache.start()
            await until(lambda: cache.optimization_history)
            await cache.stop()

    arun(main())
    assert "first round" in caplog.text


def test_one_loop_after_another() -> None:
    cache = fast()

    async def main() -> None:
        cycles = len(cache.optimization_history)
        await cache.start()
        await until(lambda: len(cache.optimization_history) > cycles)

    for _ in range(3):
        arun(main())  # each loop is ended without stop()
    arun(cache.stop())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_was_closed_does_not_count_as_running() -> None:
    cache = fast()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cache.start())
    loop.close()  # nothing was cancelled

    async def main() -> None:
        await cache.start()
        await until(lambda: cache.optimization_history)
        await cache.stop()

    arun(main())
    del loop
    gc.collect()  # what is said of the task that never ended is said here


def test_stopping_from_another_loop() -> None:
    cache = fast()
    started, leave = threading.Event(), threading.Event()

    async def run() -> int:
        await cache.start()
        await until(lambda: cache.optimization_history)
        started.set()
        await until(leave.is_set)
        await until(lambda: not loops())
        return len(cache.optimization_history)

    other = Patient(arun, run())
    wait(started)
    arun(cache.stop())
    leave.set()
    assert other.result() >= 1


def test_starting_needs_a_running_loop() -> None:
    cache = fast()
    coroutine = cache.start()
    with pytest.raises(RuntimeError):
        coroutine.send(None)
    assert cache.optimization_history == []


def test_a_cache_is_made_outside_of_any_loop() -> None:
    cache: AdaptiveCache[str, int] = AdaptiveCache(max_entries=5, optimization_interval=1)
    assert arun(cache.put("a", 1)) is True
    assert arun(cache.get("a")) == 1
