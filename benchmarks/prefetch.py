"""Prefetching, live: sessions that walk linked items in a database behind a delay.

    python -m benchmarks.prefetch [--seconds 20] [--sync]

The same walks with and without prefetching, at the same time of day and in turn: what a request
waits, and what the source is asked. Writes `results/prefetch.md` with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Any

from scrubjay import AdaptiveCache, Cache

ITEMS = 1500
ROOM = 300
DELAY = 0.02  # seconds that the source takes
SESSIONS = 12
WANDERING = 0.05  # share of the steps that go anywhere
RESULTS = Path(__file__).resolve().parent / "results" / "prefetch.md"


class Source:
    """Items that name the next one, in a file of SQLite, one connection a thread."""

    def __init__(self, directory: Path) -> None:
        self.calls = 0
        self._path = directory / "items.db"
        self._own = threading.local()
        order = random.Random(7).sample(range(ITEMS), ITEMS)
        with sqlite3.connect(self._path) as database:
            database.execute("DROP TABLE IF EXISTS items")
            database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, next INTEGER)")
            database.executemany(
                "INSERT INTO items VALUES (?, ?)",
                [(item, order[(place + 1) % ITEMS]) for place, item in enumerate(order)],
            )
        database.close()

    def _ask(self, key: int) -> int:
        if not hasattr(self._own, "database"):
            self._own.database = sqlite3.connect(self._path)
        query = "SELECT next FROM items WHERE id = ?"
        return int(self._own.database.execute(query, (key,)).fetchone()[0])

    def load(self, key: int) -> int:
        """Ask in this thread."""
        self.calls += 1
        time.sleep(DELAY)
        return self._ask(key)

    async def aload(self, key: int) -> int:
        """Ask on this event loop."""
        self.calls += 1
        await asyncio.sleep(DELAY)
        return self._ask(key)


def steps(seed: int, count: int) -> Any:
    """Yield what each step of a session does: a place to go to or None, and how long to think."""
    rng = random.Random(seed)
    for _ in range(count):
        anywhere = rng.randrange(ITEMS) if rng.random() < WANDERING else None
        yield anywhere, rng.uniform(0.03, 0.08)


async def walk(cache: Any, seed: int, count: int, waits: list[float]) -> None:
    """Follow links through the asynchronous door."""
    item = seed * 97 % ITEMS
    for anywhere, thinking in steps(seed, count):
        began = time.perf_counter()
        following = await cache.get_or_load(item, context={"session_id": seed})
        waits.append(time.perf_counter() - began)
        item = following if anywhere is None else anywhere
        await asyncio.sleep(thinking)


def walk_blocking(cache: Any, seed: int, count: int, waits: list[float]) -> None:
    """Follow links through the synchronous door."""
    item = seed * 97 % ITEMS
    for anywhere, thinking in steps(seed, count):
        began = time.perf_counter()
        following = cache.get_or_load(item, context={"session_id": seed})
        waits.append(time.perf_counter() - began)
        item = following if anywhere is None else anywhere
        time.sleep(thinking)


def visit(source: Source, enabled: bool, sync: bool, count: int) -> dict[str, Any]:
    """Let all sessions walk; return what it came to."""
    waits: list[float] = []
    source.calls = 0
    if sync:
        cache: Any = Cache(max_entries=ROOM, loader=source.load, enable_prefetching=enabled)
        with ThreadPoolExecutor(SESSIONS) as pool:
            for seed in range(SESSIONS):
                pool.submit(walk_blocking, cache, seed, count, waits)
    else:

        async def all_of_them() -> Any:
            async with AdaptiveCache[int, int](
                max_entries=ROOM, loader=source.aload, enable_prefetching=enabled
            ) as cache:
                await asyncio.gather(*(walk(cache, seed, count, waits) for seed in range(SESSIONS)))
                return cache

        cache = asyncio.run(all_of_them())
    cuts = quantiles(waits, n=100)
    return {
        "requests": len(waits),
        "p50": cuts[49],
        "p90": cuts[89],
        "p99": cuts[98],
        "mean": sum(waits) / len(waits),
        "calls": source.calls,
        "hit_rate": cache.statistics.hit_rate,
        "accuracy": cache.statistics.prefetch_accuracy,
    }


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each walk, about")
    parser.add_argument("--write", action="store_true", help="write the results' page")
    options = parser.parse_args()
    count = max(10, int(options.seconds / (0.055 + DELAY / 2)))
    lines = [
        "| door | prefetching | p50 ms | p90 ms | p99 ms | mean ms | hit rate | calls | accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as directory:
        source = Source(Path(directory))
        for sync in (False, True):
            for enabled in (False, True):
                figures = visit(source, enabled, sync, count)
                waits = " | ".join(f"{1e3 * figures[name]:.2f}" for name in WAITS)
                lines.append(
                    f"| {'sync' if sync else 'async'} | {'on' if enabled else 'off'} | {waits} "
                    f"| {figures['hit_rate']:.1%} | {figures['calls']:,} "
                    f"| {figures['accuracy']:.1%} |"
                )
                print(lines[-1], flush=True)
    text = (
        "# Prefetching, live\n\n"
        f"{SESSIONS} sessions walk {ITEMS:,} linked items in SQLite behind {1e3 * DELAY:.0f} ms, "
        f"{WANDERING:.0%} of the steps at random, about {count} steps each; room for {ROOM}. "
        "Written by `python -m benchmarks.prefetch --write`.\n\n" + "\n".join(lines) + "\n"
    )
    print("\n" + text)
    if options.write:
        RESULTS.write_text(text)


WAITS = ("p50", "p90", "p99", "mean")

if __name__ == "__main__":
    main()
