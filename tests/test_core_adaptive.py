"""ADAPTIVE learns: loops, scans, popularity, changes of phase, tiny caches."""

from __future__ import annotations

from random import Random

import pytest

from scrubjay import Cache
from tests.models import scaled

ABSENT = object()


def hits(keys, capacity, strategy="adaptive"):
    """Return for each request whether it hit."""
    cache = Cache(max_entries=capacity, eviction_strategy=strategy, enable_prefetching=False)
    found = []
    for key in keys:
        found.append(cache.get(key, ABSENT) is not ABSENT)
        if not found[-1]:
            cache.put(key, key)
    return found


def report(cache):
    return cache.get_detailed_statistics()["optimization"]["current_strategy_performance"]


def popular(random, keys, requests, offset=0):
    """Requests for keys of which the first are asked for most."""
    return [offset + int(keys * random.random() ** 4) for _ in range(requests)]


def recent(random, requests, offset):
    """Requests for a set of keys that moves on."""
    return [offset + at // 4 + random.randrange(60) for at in range(requests)]


@pytest.mark.untraced
@pytest.mark.parametrize("capacity", [8, 50, 200])
def test_a_loop_larger_than_the_cache(capacity):
    keys = [*range(capacity * 3 // 2)] * scaled(60, 30)
    assert sum(hits(keys, capacity, "lru")) == 0
    assert sum(hits(keys, capacity)) > len(keys) * 0.25


@pytest.mark.untraced
def test_a_scan_passes_through():
    random = Random(1)
    keys = []
    for number in range(scaled(20, 6)):
        keys += popular(random, 1000, 1000)
        keys += range(10_000 + 1000 * number, 10_500 + 1000 * number)
    assert sum(hits(keys, 100)) > 1.15 * sum(hits(keys, 100, "lru"))


@pytest.mark.untraced
def test_what_only_recency_predicts():
    random = Random(2)
    keys = recent(random, scaled(20_000, 6000), 0)
    assert sum(hits(keys, 100)) > 0.98 * sum(hits(keys, 100, "lru"))


@pytest.mark.untraced
def test_phases_are_followed():
    random = Random(3)
    phase = scaled(6000, 3000)
    loop = [*range(1_000_000, 1_000_150)] * (phase // 150)
    keys = recent(random, phase, 0) + loop + recent(random, phase, 10_000) + loop
    ours, lru = hits(keys, 100), hits(keys, 100, "lru")
    for begin in range(0, len(keys), phase):
        # Once it has found out, it is near LRU, or far better.
        late = slice(begin + phase * 2 // 3, begin + phase)
        assert sum(ours[late]) >= 0.9 * sum(lru[late])
        if not sum(lru[late]):
            assert sum(ours[late]) > 0.5 * phase // 3


@pytest.mark.parametrize("capacity", [1, 2, 8, 300, 2500])
def test_the_segments_hold_all_entries(capacity):
    random = Random(capacity)
    cache = Cache(max_entries=capacity, eviction_strategy="adaptive")
    for _ in range(scaled(6000, 3000)):
        key = random.randrange(3 * capacity)
        dice = random.random()
        if dice < 0.5:
            cache.get(key)
        elif dice < 0.95:
            cache.put(key, key)
        elif dice < 0.9995:
            cache.invalidate(key)
        else:
            cache.clear()
        if dice < 0.02:
            facts = report(cache)
            held = facts["window"] + facts["probation"] + facts["protected"]
            assert held == len(cache) <= capacity


def test_the_same_requests_lead_to_the_same_hits():
    random = Random(4)
    keys = popular(random, 5000, scaled(20_000, 4000))
    assert hits(keys, 400) == hits(keys, 400)


def test_it_tells_what_each_way_would_yield():
    cache = Cache(max_entries=50, eviction_strategy="adaptive")
    for number in range(5000):
        if cache.get(number % 75, ABSENT) is ABSENT:
            cache.put(number % 75, 1)
    facts = report(cache)
    assert facts["way"] in facts["hit_ratios"]
    assert facts["way"].startswith(("frequency", "prospects"))
    assert max(facts["hit_ratios"].values()) > 0.3
    assert facts["changes"] >= 1


def test_counters_of_watched_entries_read_as_usual():
    cache = Cache(max_entries=50, eviction_strategy="adaptive")
    cache.put("a", 1)
    for _ in range(300):
        cache.get("a")
    entry = cache.entry("a")
    assert entry is not None
    assert entry.access_count == 301


@pytest.mark.untraced
def test_the_bound_may_shrink_and_grow():
    cache = Cache(max_entries=2000, eviction_strategy="adaptive")
    for bound in (2000, 100, 3000, 5):
        cache.resize(max_entries=bound)
        for number in range(scaled(4000, 3600)):
            if cache.get(number % 3500, ABSENT) is ABSENT:
                cache.put(number % 3500, 1)
        assert len(cache) <= bound


@pytest.mark.parametrize("priority", [1.0, 2.0])
def test_the_most_read_stays_where_all_were_read(priority):
    # No more than 64 entries are looked at before one goes: it is not the one where that ends.
    capacity = 200
    for hottest in range(50, 80):
        cache = Cache(max_entries=capacity, eviction_strategy="adaptive", enable_prefetching=False)
        for key in range(capacity):
            cache.put(key, key, priority=priority if key == 0 else 1.0)
        for key in range(capacity):
            for _ in range(20 if key == hottest else 1):
                cache.get(key)
        cache.put(capacity, capacity)
        assert len(cache) == capacity
        assert hottest in cache, hottest
