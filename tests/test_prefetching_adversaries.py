"""Traffic and sources that mean prefetch no good: what it may cost at most.

Hits and loads are counted by the laboratory, access for access; waits in virtual time, at a
source that answers only so many at once, so that every load ahead stands in somebody's way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from statistics import quantiles
from typing import Any

import pytest

from scrubjay import AdaptiveCache
from scrubjay.lab.model import Trace
from scrubjay.lab.prefetch import PrefetchReplay
from scrubjay.prefetch.planner import Planner
from tests.virtual_time import run_virtually

pytestmark = [pytest.mark.any_build, pytest.mark.untraced]

ROOM = 100
START = 5000  # accesses in which it may learn
SPAN = 20_000  # over which the hit ratio is compared
SETTLED = 10_000  # accesses after which loads are back to normal
STEP = 1000


def popular(seed: int, keys: int = 2000, skew: float = 0.9) -> Iterator[int]:
    """Yield keys drawn independently of each other, some more often."""
    rng = random.Random(seed)
    weights = list(accumulate((rank + 1) ** -skew for rank in range(keys)))
    while True:
        yield from rng.choices(range(keys), cum_weights=weights, k=1000)


def uniform(seed: int) -> Iterator[int]:
    """Yield keys that are all asked for equally often."""
    rng = random.Random(seed)
    while True:
        yield rng.randrange(1000)


def walks(seed: int) -> Iterator[int]:
    """Yield chains that are always the same, in random order."""
    rng = random.Random(seed)
    while True:
        chain = rng.randrange(200)
        yield from range(chain * 10, chain * 10 + 8)


def turncoat(seed: int) -> Iterator[int]:
    """Yield chains for 8,000 accesses; then their keys, of which any may follow any."""
    rng = random.Random(seed)
    trained = walks(seed)
    for _ in range(8000):
        yield next(trained)
    while True:
        yield rng.randrange(200) * 10 + rng.randrange(8)


def fickle(seed: int) -> Iterator[int]:
    """Yield chains that are made anew every 3,000 accesses, of the same keys."""
    rng = random.Random(seed)
    while True:
        order = rng.sample(range(1500), 1500)
        for _ in range(2):
            yield from order


ADVERSARIES = {
    "popular": popular,
    "uniform": uniform,
    "turncoat": turncoat,
}


def compare(name: str, strategy: str, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Return hits with prefetch, hits without, and loads ahead, after each `STEP` accesses."""
    source = ADVERSARIES[name](seed)
    keys = [next(source) for _ in range(START + 8000 + SPAN + SETTLED)]
    run = PrefetchReplay(ROOM, Planner(ROOM), strategy)
    plain = PrefetchReplay(ROOM, Planner(1), strategy)  # too small to plan anything
    hits, without, ahead = [0], [0], [0]
    for at in range(0, len(keys), STEP):
        part = Trace(name, keys[at : at + STEP])
        run.feed(part)
        plain.feed(part)
        result = run.result(0)
        hits.append(result.hits)
        ahead.append(result.issued)
        without.append(plain.result(0).hits)
    return hits, without, ahead


@pytest.mark.parametrize("name", list(ADVERSARIES))
def test_no_stretch_of_requests_hits_less(name: str) -> None:
    hits, without, _ = compare(name, "lru", 1)
    for first in range(START // STEP, len(hits) - SPAN // STEP):
        last = first + SPAN // STEP
        lost = (without[last] - without[first]) - (hits[last] - hits[first])
        assert lost <= 0.001 * SPAN, first * STEP


@pytest.mark.parametrize("name", list(ADVERSARIES))
def test_an_adaptive_cache_hits_no_less_on_average(name: str) -> None:
    # A stretch tells nothing there: on random traffic two adaptive caches of the same size
    # differ by more than this as soon as a single entry does.
    lost = 0
    for seed in (1, 2, 3):
        hits, without, _ = compare(name, "adaptive", seed)
        lost += (without[-1] - without[START // STEP]) - (hits[-1] - hits[START // STEP])
    assert lost <= 3 * 0.001 * (8000 + SPAN + SETTLED)


@pytest.mark.parametrize("strategy", ["lru", "adaptive"])
@pytest.mark.parametrize("name", list(ADVERSARIES))
def test_loads_are_soon_what_they_would_be(name: str, strategy: str) -> None:
    hits, without, ahead = compare(name, strategy, 1)
    begin = ((8000 if name == "turncoat" else 0) + SETTLED) // STEP
    span = (len(hits) - 1 - begin) * STEP
    loads = span - (hits[-1] - hits[begin]) + (ahead[-1] - ahead[begin])
    assert loads <= 1.05 * (span - (without[-1] - without[begin]))


class Narrow:
    """A source that answers so many at once and lets the others queue."""

    def __init__(self) -> None:
        self.calls = 0
        self.latency = 0.02
        self.failing = False
        self._places = asyncio.Semaphore(10)

    async def load(self, key: int) -> int:
        async with self._places:
            self.calls += 1
            await asyncio.sleep(self.latency)
            if self.failing:
                raise OSError("the source is down")
            return key


async def ask(cache: Any, keys: Iterator[int], count: int, seed: int, waits: list[float]) -> None:
    """Ask for keys, one after the other, and think in between."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    for _ in range(count):
        began = loop.time()
        with suppress(OSError):
            await cache.get_or_load(next(keys), context={"session_id": f"session {seed}"})
        waits.append(loop.time() - began)
        await asyncio.sleep(rng.uniform(0.02, 0.06))


async def suffer(clock: Any, enabled: bool, traffic: Any, trouble: str) -> tuple[float, int]:
    source = Narrow()
    waits: list[float] = []
    async with AdaptiveCache[int, int](
        max_entries=ROOM, enable_prefetching=enabled, clock=clock, loader=source.load
    ) as cache:
        several = [traffic(seed) for seed in range(8)]
        for count, trained in ((1000, True), (400, False)):
            if not trained:
                source.calls = 0
                del waits[:]
                if trouble == "slow":
                    source.latency *= 100
                source.failing = trouble == "failing"
            await asyncio.gather(
                *(ask(cache, keys, count, seed, waits) for seed, keys in enumerate(several))
            )
    return quantiles(waits, n=100)[98], source.calls


@pytest.mark.parametrize(
    ("traffic", "trouble"),
    [
        (popular, "none"),
        (uniform, "none"),
        (fickle, "none"),
        (walks, "slow"),
        (walks, "failing"),
        (popular, "slow"),
    ],
    ids=["popular", "uniform", "fickle", "slow", "failing", "popular and slow"],
)
def test_the_longest_waits_grow_by_no_more_than_a_tenth(
    traffic: Any, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = run_virtually(lambda clock: suffer(clock, False, traffic, trouble), monkeypatch)
    waits, _ = run_virtually(lambda clock: suffer(clock, True, traffic, trouble), monkeypatch)
    assert waits <= 1.1 * plain
