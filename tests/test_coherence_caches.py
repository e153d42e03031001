"""Caches over a shared tier that tests hold in their hands."""

from __future__ import annotations

import asyncio

import pytest

from scrubjay import AdaptiveCache, Cache
from scrubjay.clock import ManualClock
from scrubjay.errors import TierUnavailableError
from scrubjay.layers import Layer
from scrubjay.testing import SharedMemory, SharedMemoryTier


def test_what_was_loaded_without_the_shared_tier_is_not_a_strong_read():
    clock = ManualClock(epoch=1_800_000_000.0)
    memory = SharedMemory(clock)
    tiers = [SharedMemoryTier(memory) for _ in range(2)]
    one, other = [Cache(tiers=[Layer(tier)], clock=clock) for tier in tiers]
    tiers[0].reachable = False
    assert one.get_or_load("k", lambda _: "old") == "old"
    assert one.get("k") == "old"
    tiers[0].reachable = True
    clock.advance(2.0)  # it is asked again
    other.invalidate("k")
    assert one.get("k", consistency_level="strong") is None
    assert one.get_or_load("k", lambda _: "new", consistency_level="strong") == "new"
    assert other.get("k", consistency_level="strong") == "new"


def test_what_nobody_watches_is_kept_for_no_longer_than_since_its_loading_began():
    clock = ManualClock(epoch=1_800_000_000.0)
    tier = SharedMemoryTier(SharedMemory(clock))
    cache = Cache(tiers=[Layer(tier, max_silence_seconds=5.0)], clock=clock)
    tier.reachable = False

    def load(_):
        clock.advance(3.0)
        return "old"

    assert cache.get_or_load("k", load) == "old"
    clock.advance(1.9)
    assert cache.get("k") == "old"
    clock.advance(0.2)
    assert cache.get("k") is None


def cleared(make):
    """Return a node that has been told that all was cleared, and one that has not and has a copy."""
    clock = ManualClock(epoch=1e9)
    server = SharedMemory(clock)
    tiers = [SharedMemoryTier(server) for _ in range(3)]
    here = make(clock=clock, tiers=[tiers[0]])
    there, third = (Cache(clock=clock, tiers=[tier]) for tier in tiers[1:])
    third.put("a", "old")
    assert there.get("a") == "old"
    third.clear()
    tiers[0].barrier()
    return here, there


def test_a_strong_read_is_shown_nothing_of_before_a_clear():
    _, there = cleared(Cache)
    assert there.get("a") == "old"  # it has not been told yet
    assert there.get("a", consistency_level="strong") is None


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("level", ["session", "monotonic", "strong"])
def test_what_a_session_was_shown_as_it_was_loaded_counts_as_seen(level, several):
    here, there = cleared(Cache)
    ann = {"session_id": "ann"}
    options = {"context": ann, "consistency_level": level}
    if several:
        assert (
            here.get_many(["a", "b"], lambda keys: ["new" for _ in keys], **options)["a"] == "new"
        )
    else:
        assert here.get_or_load("a", lambda _: "new", **options) == "new"
    there.session("ann", here.session("ann").token())
    assert there.get("a") == "old"  # it has not been told yet
    assert there.get("a", context=ann, consistency_level="monotonic") == "new"


def test_all_sessions_that_wait_for_a_load_have_seen_what_it_brings():
    here, there = cleared(AdaptiveCache)
    names = ["ann", "bob", "eve"]

    async def main():
        gate = asyncio.get_running_loop().create_future()
        calls = []

        async def load(key):
            calls.append(key)
            await gate
            return "new"

        reads = [
            asyncio.create_task(
                here.get_or_load(
                    "a", load, context={"session_id": name}, consistency_level="monotonic"
                )
            )
            for name in names
        ]
        for _ in range(50):
            await asyncio.sleep(0)
        gate.set_result(None)
        assert await asyncio.gather(*reads) == ["new"] * 3
        assert calls == ["a"]

    asyncio.run(main())
    for name in names:
        there.session(name, here.sync.session(name).token())
    assert there.get("a") == "old"
    for name in names:
        options = {"context": {"session_id": name}, "consistency_level": "monotonic"}
        assert there.get("a", **options) == "new"


class Slow(SharedMemoryTier):
    """Takes a while for what it stores, and may fail then."""

    failing = False

    def write(self, record):
        return self._late(super().write(record))

    def fill(self, record, token):
        return self._late(super().fill(record, token))

    def _late(self, stored):
        self._memory.clock.advance(0.5)
        if self.failing:
            raise TierUnavailableError("it does not answer")
        return stored


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_value_lives_no_longer_because_it_took_long_to_store(loaded, failing):
    clock = ManualClock(epoch=1e9)
    tier = Slow(SharedMemory(clock))
    tier.failing = failing
    cache = Cache(tiers=[tier], clock=clock)
    if loaded:
        cache.get_or_load("a", lambda _: 1, ttl_seconds=1.0)
    else:
        cache.put("a", 1, ttl_seconds=1.0)
    tier.failing = False
    clock.advance(0.4)
    assert cache.get("a") == 1
    clock.advance(0.2)
    assert cache.get("a") is None
    assert cache.get("a", consistency_level="strong") is None


READS = {
    "get": lambda cache: cache.get("a"),
    "[]": lambda cache: cache["a"],
    "get_many": lambda cache: cache.get_many(["a"])["a"],
    "get_or_load": lambda cache: cache.get_or_load("a", lambda key: "mine"),
    "setdefault": lambda cache: cache.setdefault("a", "mine"),
    "pop": lambda cache: cache.pop("a"),
    "popitem": lambda cache: cache.popitem()[1],
}


@pytest.mark.parametrize("read", READS)
def test_a_cache_that_is_strong_returns_the_last_value_whatever_it_is_asked_by(read):
    server = SharedMemory()
    here, there = (
        Cache(max_entries=9, consistency_level="strong", tiers=[Layer(SharedMemoryTier(server))])
        for _ in range(2)
    )
    here.put("a", "old")
    assert here.get("a") == "old"
    there.put("a", "new")
    assert READS[read](here) == "new"
