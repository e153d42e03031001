"""What prefetching is for, seen live: requests wait less, and the source is hardly asked more.

The source is SQLite behind 20 ms; time is virtual, so nothing sleeps and nothing is noise.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from statistics import quantiles
from typing import Any

import pytest

from scrubjay import AdaptiveCache
from tests.virtual_time import run_virtually

ITEMS = 1500
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
    cache: Any, seed: int, steps: int, waits: list[float], named: bool, wandering: float = 0.1
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
    async with AdaptiveCache[int, int](
        max_entries=300, enable_prefetching=enabled, clock=clock, **options
    ) as cache:
        await asyncio.gather(*(walk(cache, seed, 600, waits, named) for seed in range(12)))
        statistics = cache.statistics
    return quantiles(waits, n=100), source.calls, statistics


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
    assert statistics.prefetch_accuracy > 0.7
