"""Memory over tiers while everything happens at once: flows in every order that chance finds."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay.tiers import MemoryTier
from tests.flow_orders import KEYS, Caller, Freshness
from tests.flow_scheduler import Scheduler
from tests.models import scaled


@pytest.mark.untraced
@pytest.mark.parametrize("tiers", [1, 2])
@pytest.mark.parametrize("clears", [False, True])
def test_each_key_is_a_register(tiers, clears):
    for seed in range(scaled(100, 15)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=ManualClock(),
            tiers=[MemoryTier(name=f"t{number}") for number in range(tiers)],
        )
        caller = Caller(cache, scheduler)
        for number in range(40):
            key = chance.choice(KEYS)
            kind = chance.random()
            if kind < 0.5:
                caller.get(key)
            elif kind < 0.8:
                caller.put(key, number)
            elif kind < 0.97 or not clears:
                caller.invalidate(key)
            else:
                caller.clear()
            scheduler.go_on(8)
        caller.check(seed)


@pytest.mark.untraced
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(way, share):
    """However loads, promotions, evictions and outages interleave with invalidations."""
    served = 0
    for seed in range(scaled(100, 15)):
        order = Freshness(seed, way)
        near, far = order.tiers(share, "near", "far")
        cache = Cache(max_entries=2, eviction_strategy="lru", clock=order.clock, tiers=[near, far])
        for _ in range(60):
            order.use(cache)
            order.pass_time()
            order.scheduler.go_on(10)
        order.scheduler.run()
        near.share = far.share = 0.0
        order.clock.advance(100.0)
        for key in KEYS:
            order.read(cache, key)
            order.scheduler.run()
        served += cache.lower_hits()
    assert served > 0  # or nothing was tested
