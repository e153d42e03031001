"""What prefetching is for, seen live: requests wait less, and the source is hardly asked more.

The source is SQLite behind 20 ms; time is virtual, so nothing sleeps and nothing is noise.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing, nullcontext
from statistics import quantiles
from typing import Any

import pytest

from scrubjay import AdaptiveCache
from tests.virtual_time import run_virtually

pytestmark = pytest.mark.any_build

ITEMS = 800
LATENCY = 0.02  # seconds


class Source:
    """Items that name the next one, in a database that takes its time."""

    def __init__(self) -> None:
        self.calls = 0
        self.under_way = self.most_under_way = 0
        self.latency = LATENCY
        self.failing = False
        rng = random.Random(7)
        order = rng.sample(range(ITEMS), ITEMS)
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, next INTEGER)")
        self.database.executemany(
            "INSERT INTO items VALUES (?, ?)",
            [(item, order[(place + 1) % ITEMS]) for place, item in enumerate(order)],
        )

    def close(self) -> None:
        self.database.close()

    async def load(self, key: int) -> int:
        self.calls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.latency)
            if self.failing:
                raise OSError("the source is down")
            row = self.database.execute("SELECT next FROM items WHERE id = ?", (key,)).fetchone()
            return int(row[0])
        finally:
            self.under_way -= 1

    async def load_many(self, keys: list[int]) -> dict[int, int]:
        self.calls += 1
        await asyncio.sleep(self.latency)
        marks = ", ".join("?" * len(keys))
        rows = self.database.execute(f"SELECT id, next FROM items WHERE id IN ({marks})", keys)
        return dict(rows.fetchall())


async def walk(
    cache: Any, seed: int, steps: int, waits: list[float], named: bool, wandering: float = 0.05
) -> None:
    """Follow links, think in between, and now and then begin somewhere else."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    context = {"session_id": f"session {seed}"} if named else None
    item = rng.randrange(ITEMS)
    for _ in range(steps):
        began = loop.time()
        following = await cache.get_or_load(item, context=context)
        waits.append(loop.time() - began)
        item = rng.randrange(ITEMS) if rng.random() < wandering else following
        await asyncio.sleep(rng.uniform(0.05, 0.2))


async def visit(source: Source, clock: Any, enabled: bool, named: bool, **options: Any) -> Any:
    waits: list[float] = []
    if not options:
        options["loader"] = source.load
    with closing(source):
        async with AdaptiveCache[int, int](
            max_entries=160, enable_prefetching=enabled, clock=clock, **options
        ) as cache:
            await asyncio.gather(*(walk(cache, seed, 400, waits, named) for seed in range(12)))
            statistics = cache.statistics
    return quantiles(waits, n=100), source.calls, statistics


@pytest.mark.untraced
@pytest.mark.parametrize("named", [True, False], ids=["sessions", "tasks"])
def test_half_of_the_wait_goes_and_the_source_is_hardly_asked_more(
    named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    without, calls, _ = run_virtually(
        lambda clock: visit(Source(), clock, False, named), monkeypatch
    )
    waits, more, statistics = run_virtually(
        lambda clock: visit(Source(), clock, True, named), monkeypatch
    )
    assert without[49] == pytest.approx(LATENCY)  # most requests miss: the walks are long
    assert waits[49] <= without[49] / 2
    assert waits[98] <= 1.1 * without[98]
    assert more <= 1.3 * calls
    assert statistics.prefetch_accuracy > 0.6


def test_a_batch_loader_takes_the_load_off_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    waits, calls, _ = run_virtually(
        lambda clock: visit(source, clock, True, True, batch_loader=source.load_many), monkeypatch
    )
    _, single_calls, _ = run_virtually(
        lambda clock: visit(Source(), clock, True, True), monkeypatch
    )
    assert waits[49] <= LATENCY / 2
    assert calls <= single_calls


def test_a_hundred_times_slower_the_source_is_left_to_those_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def suffer(clock: Any, enabled: bool) -> tuple[list[float], int, int]:
        source = Source()
        waits: list[float] = []
        with closing(source):
            async with AdaptiveCache[int, int](
                max_entries=160, enable_prefetching=enabled, clock=clock, loader=source.load
            ) as cache:
                await asyncio.gather(*(walk(cache, seed, 250, [], True) for seed in range(12)))
                source.latency = 100 * LATENCY
                source.calls = source.most_under_way = 0
                # Not for so long that slow is what is usual.
                await asyncio.gather(
                    *(walk(cache, 100 + seed, 40, waits, True) for seed in range(12))
                )
        return quantiles(waits, n=100), source.calls, source.most_under_way

    plain, calls, _ = run_virtually(lambda clock: suffer(clock, False), monkeypatch)
    waits, more, at_a_time = run_virtually(lambda clock: suffer(clock, True), monkeypatch)
    assert waits[98] <= 1.1 * plain[98]
    assert more <= 1.05 * calls
    assert at_a_time <= 12 + 8  # those who wait, and what was under way when it began


def test_a_source_that_fails_is_hardly_asked_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def suffer(clock: Any) -> int:
        source = Source()
        with closing(source):
            async with AdaptiveCache[int, int](
                max_entries=160, clock=clock, loader=source.load
            ) as cache:
                await asyncio.gather(*(walk(cache, seed, 250, [], True) for seed in range(12)))
                source.failing = True
                source.calls = 0
                demanded = 0
                for item in range(400):
                    demanded += not cache.contains(item)
                    with pytest.raises(OSError) if not cache.contains(item) else nullcontext():
                        await cache.get_or_load(item, context={"session_id": "failing"})
                    await asyncio.sleep(0.1)
                assert demanded > 200
                return source.calls - demanded

    assert run_virtually(suffer, monkeypatch) <= 12  # one try now and then
