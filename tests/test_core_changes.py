"""When ADAPTIVE goes another way: lasting changes of the traffic, and turns that do not last."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random

import pytest

from scrubjay import Cache

ABSENT = object()


def misses(keys, capacity, strategy="adaptive"):
    """Return for each request whether it missed."""
    cache = Cache(max_entries=capacity, eviction_strategy=strategy, enable_prefetching=False)
    found = []
    for key in keys:
        found.append(cache.get(key, ABSENT) is ABSENT)
        if found[-1]:
            cache.put(key, key)
    return found


def popular(random, capacity, requests):
    """Requests for keys whose popularity falls with their rank."""
    weights = [*accumulate(rank**-0.9 for rank in range(1, 10 * capacity + 1))]
    return [bisect(weights, random.random() * weights[-1]) for _ in range(requests)]


def recent(random, capacity, requests, spread, power, step):
    """Requests for keys that are the likelier the newer they are."""
    newest = 10**7
    window = spread * capacity
    return [newest + at // step + int(window * random.random() ** power) for at in range(requests)]


@pytest.mark.parametrize("capacity", [100, pytest.param(400, marks=pytest.mark.untraced)])
@pytest.mark.parametrize(("spread", "power", "step"), [(4, 2, 3), (8, 3, 2)])
def test_a_lasting_change_is_followed_within_six_fillings(capacity, spread, power, step):
    # What recency saves here is less than the fifth that a short sum of misses must show, and
    # for a long time popularity had saved more.
    random = Random(0)
    keys = popular(random, capacity, 120 * capacity)
    change = len(keys)
    keys += recent(random, capacity, 40 * capacity, spread, power, step)
    ours = misses(keys, capacity)
    lru = misses(keys, capacity, "lru")
    filled = []  # where the cache would have been filled so many times by LRU's misses
    missed = 0
    for at in range(change, len(keys)):
        if missed >= len(filled) * capacity:
            filled.append(at)
        missed += lru[at]
    for begin, end in ((5, 7), (7, 9), (9, 11)):
        part = slice(filled[begin], filled[end])
        assert sum(ours[part]) <= 1.05 * sum(lru[part])
    before = slice(change // 2, change)
    assert sum(ours[before]) < 0.95 * sum(lru[before])


@pytest.mark.untraced
@pytest.mark.parametrize(("length", "capacity"), [(2000, 200), (3001, 150), (3001, 300)])
def test_turns_that_do_not_last_are_not_followed_for_ever(length, capacity):
    # To and fro: LRU is best after each turn, and worst before it.
    there = [*range(length)]
    keys = (there + there[::-1]) * 13
    assert sum(misses(keys, capacity)) <= 1.03 * sum(misses(keys, capacity, "lru"))


def test_what_was_missed_before_the_cache_was_full_counts_for_no_way():
    # By the second time through the loop the best way is known, if what nobody could hit is
    # left out; else it is by the third.
    keys = [*range(20_000, 21_000), *[*range(1500)] * 6]
    assert sum(misses(keys, 1000)) < 0.6 * sum(misses(keys, 1000, "lru"))


@pytest.mark.untraced
def test_what_each_way_would_yield_is_told_of_the_same_requests():
    there = [*range(2000)]
    cache = Cache(max_entries=200, eviction_strategy="adaptive", enable_prefetching=False)
    for at, key in enumerate((there + there[::-1]) * 13):
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, key)
        if at > 8000 and at % 100 == 0:
            facts = cache.get_detailed_statistics()["optimization"]
            ratios = facts["current_strategy_performance"]["hit_ratios"]
            assert all(0.0 < ratio < 0.6 for ratio in ratios.values())
