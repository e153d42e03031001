"""Threads and event loops at once: nobody is ever shown what was invalidated before he asked."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, cached
from tests.door_helpers import PATIENCE, Patient, arun
from tests.models import scaled

KEYS = 3
TURNS = scaled(1000, 400)


@pytest.fixture(autouse=True)
def hasty_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*work: Callable[[], Any]) -> list[Patient]:
    """Begin several things at the same moment, each in a thread."""
    ready = threading.Barrier(len(work))

    def begin(one: Callable[[], Any]) -> Any:
        ready.wait(PATIENCE)
        return one()

    return [Patient(begin, one) for one in work]


class Source:
    """Where values come from: numbers that only rise, one writer at a time."""

    def __init__(self) -> None:
        self.values = [0] * KEYS
        self.told = [0] * KEYS  # what had been made known when writing returned
        self.lock = threading.Lock()

    def write(self, key: int, make_known: Callable[[], object]) -> None:
        with self.lock:
            self.values[key] += 1
            value = self.values[key]
            make_known()
            self.told[key] = value


MAKING_KNOWN: dict[str, Callable[[Cache[Any, Any], int, Source], object]] = {
    "invalidate": lambda cache, key, source: cache.invalidate(key),
    "invalidate_many": lambda cache, key, source: cache.invalidate_many([key, "x"]),
    "tag": lambda cache, key, source: cache.invalidate_by_tags({f"tag {key}"}),
    "dependency": lambda cache, key, source: cache.invalidate(("part", key)),
    "part put": lambda cache, key, source: cache.put(("part", key), source.values[key]),
    "part refreshed": lambda cache, key, source: cache.refresh(
        ("part", key), lambda part: source.values[key]
    ),
    "clear": lambda cache, key, source: cache.clear(),
    "put": lambda cache, key, source: cache.put(key, source.values[key]),
    "set": lambda cache, key, source: cache.__setitem__(key, source.values[key]),
    "refresh": lambda cache, key, source: cache.refresh(key, lambda key: source.values[key]),
    "pop": lambda cache, key, source: (cache.pop(key, None), cache.invalidate(key)),
}


@pytest.mark.untraced
@pytest.mark.parametrize("how", MAKING_KNOWN)
def test_what_is_read_is_never_older_than_what_was_made_known(how: str) -> None:
    cache: AdaptiveCache[Any, Any] = AdaptiveCache(max_entries=20)
    source = Source()
    for key in range(KEYS):
        cache.sync.put(("part", key), 0)

    def terms(key: int) -> dict[str, Any]:
        return {"tags": {f"tag {key}"}, "dependencies": [("part", key)]}

    def load(key: int) -> int:
        value = source.values[key]
        for _ in range(3):  # a slow loader: others may run in between
            threading.Event().wait(0)
        return value

    async def aload(key: int) -> int:
        value = source.values[key]
        await asyncio.sleep(0)
        return value

    def read(seed: int) -> list[Any]:
        choose, stale = random.Random(seed), []
        for _ in range(TURNS):
            key = choose.randrange(KEYS)
            known = source.told[key]
            value = cache.sync.get_or_load(key, load, **terms(key))
            if value < known:
                stale.append((key, value, known))
        return stale

    async def aread(seed: int) -> list[Any]:
        choose, stale = random.Random(seed), []
        for _ in range(TURNS):
            key = choose.randrange(KEYS)
            known = source.told[key]
            value = await cache.get_or_load(key, aload, **terms(key))
            if value < known:
                stale.append((key, value, known))
        return stale

    def write(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(TURNS):
            key = choose.randrange(KEYS)
            source.write(key, lambda key=key: MAKING_KNOWN[how](cache.sync, key, source))

    async def several() -> list[Any]:
        return [stale for one in await asyncio.gather(*map(aread, range(3))) for stale in one]

    working = together(
        *(partial(write, seed) for seed in range(2)),
        *(partial(read, seed) for seed in range(3)),
        *(lambda: arun(several()) for _ in range(2)),
    )
    assert [stale for one in working for stale in one.result() or ()] == []
    for key in range(KEYS):
        assert cache.sync.get_or_load(key, load, **terms(key)) == source.values[key]
    assert len(cache.sync.flights) == 0


@pytest.mark.parametrize("own", [True, False])
def test_cached_functions_are_never_older_either(own: bool) -> None:
    source = Source()
    shared: Cache[Any, Any] = Cache(max_entries=20)

    @(cached if own else shared.cached)
    def ask(key: int) -> int:
        value = source.values[key]
        threading.Event().wait(0)
        return value

    class Holder:
        @(cached if own else shared.cached)
        def ask(self, key: int) -> int:
            value = source.values[key]
            threading.Event().wait(0)
            return value

    holder = Holder()

    def write(seed: int) -> None:
        choose = random.Random(seed)
        ways: list[Callable[[int], object]] = [
            lambda key: (ask.invalidate(key), holder.ask.invalidate(key)),
            lambda key: (ask.refresh(key), holder.ask.refresh(key)),
            lambda key: (ask.cache_clear(), holder.ask.cache_clear()),
        ]
        for _ in range(TURNS):
            key = choose.randrange(KEYS)
            source.write(key, lambda key=key: choose.choice(ways)(key))

    def read(seed: int) -> list[Any]:
        choose, stale = random.Random(seed), []
        for _ in range(TURNS):
            key = choose.randrange(KEYS)
            known = source.told[key]
            values = (ask(key), holder.ask(key))
            if min(values) < known:
                stale.append((key, values, known))
        return stale

    working = together(
        *(partial(write, seed) for seed in range(2)), *(partial(read, seed) for seed in range(4))
    )
    assert [stale for one in working for stale in one.result() or ()] == []


def test_one_load_at_a_time_per_key() -> None:
    cache: AdaptiveCache[int, int] = AdaptiveCache(max_entries=50)
    loading = [0] * KEYS
    most = [0] * KEYS
    counting = threading.Lock()

    def enter(key: int) -> None:
        with counting:
            loading[key] += 1
            most[key] = max(most[key], loading[key])

    def leave(key: int) -> None:
        with counting:
            loading[key] -= 1

    def load(key: int) -> int:
        enter(key)
        threading.Event().wait(0)
        leave(key)
        if key == 0:
            raise LookupError(key)  # is not kept: each turn loads
        return key

    async def aload(key: int) -> int:
        enter(key)
        await asyncio.sleep(0)
        leave(key)
        if key == 0:
            raise LookupError(key)
        return key

    def read(seed: int) -> int:
        choose, errors = random.Random(seed), 0
        for _ in range(TURNS):
            try:
                cache.sync.get_or_load(choose.randrange(KEYS), load)
            except LookupError:
                errors += 1
        return errors

    async def aread(seed: int) -> int:
        choose, errors = random.Random(seed), 0
        for _ in range(TURNS):
            asked = asyncio.ensure_future(cache.get_or_load(choose.randrange(KEYS), aload))
            if choose.randrange(4) == 0:
                await asyncio.sleep(0)
                asked.cancel()
            try:
                await asked
            except LookupError:
                errors += 1
            except asyncio.CancelledError:
                pass
        return errors

    async def several() -> int:
        return sum(await asyncio.gather(*(aread(seed) for seed in range(3))))

    working = together(
        *(partial(read, seed) for seed in range(3)), *(lambda: arun(several()) for _ in range(2))
    )
    assert min([one.result() for one in working]) > 0
    assert most == [1] * KEYS
    numbers = cache.statistics
    assert numbers.cache_hits + numbers.cache_misses == numbers.total_requests
