"""What is at the edge of the core's numbers: huge sizes, odd priorities and costs."""

from __future__ import annotations

from random import Random

import pytest

from scrubjay import Cache
from scrubjay.clock import ManualClock

EXABYTES = 2.0**42  # in units of 1,048,576 bytes: the largest bound there is


def test_sizes_whose_sum_does_not_fit_into_64_bits_displace_one_another():
    cache = Cache(EXABYTES, max_value_fraction=1.0, sizer=lambda value: value)
    for key in range(5):
        assert cache.put(key, 1 << 62)
        assert cache.bytes == 1 << 62
        assert list(cache) == [key]
    cache.put("small", 100)
    assert cache.bytes == sum(cache.values())


def test_what_was_asked_for_twice_outlives_what_was_asked_for_once():
    cache = Cache(max_entries=4)
    cache.put("weighted", 0, priority=2.0)  # from now on values decide
    cache.invalidate("weighted")
    cache.put("twice", 0)
    cache.invalidate("twice")
    for key in ("twice", "a", "b", "c", "d"):
        cache.put(key, 0)
    assert set(cache) == {"twice", "b", "c", "d"}


def learned(**terms):
    """Return a cache that has seen skewed traffic, of entries under these terms."""
    random = Random(1)
    cache = Cache(max_entries=50)
    for _ in range(20_000):
        key = int(random.paretovariate(0.7)) % 500
        if cache.get(key) is None:
            cache.put(key, 0, **terms)
    return cache


@pytest.mark.untraced
def test_entries_worth_less_than_nothing_are_kept_as_well_as_others():
    # Misses of them would otherwise count as gains, and the worst way as the best.
    cache = learned(priority=-1.0)
    assert cache.statistics.hit_rate > 0.9
    assert all(0.0 <= ratio <= 1.0 for ratio in cache.describe_policy()["hit_ratios"].values())


def test_what_is_measured_stays_finite():
    cache = Cache(max_entries=50, objective="cost")
    for key in range(1000):
        cache.put(key, 0, priority=1e308, cost=1e-300 if key < 10 else 1e300)
    assert cache.describe_policy()["hit_ratios"]
    assert all(0.0 <= ratio <= 1.0 for ratio in cache.describe_policy()["hit_ratios"].values())


def test_nothing_is_declined_for_the_sake_of_expired_entries():
    random, clock = Random(0), ManualClock()
    cache = Cache(0.01, sizer=lambda value: value, clock=clock, max_value_fraction=1.0)
    declined = 0
    for _ in range(6000):
        key = int(random.paretovariate(0.6)) % 900
        if cache.get(key) is None:
            declined += not cache.put(key, 10 if key % 3 else 1500, ttl_seconds=60.0)
    assert declined > 0
    clock.advance(1000)
    assert cache.put("new", 1500)
