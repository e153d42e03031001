"""Caches over a shared tier that tests hold in their hands."""

from __future__ import annotations

from scrubjay import Cache
from scrubjay.clock import ManualClock
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
