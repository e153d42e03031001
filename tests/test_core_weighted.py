"""ADAPTIVE where entries differ in size, cost or priority, and what it is to make the most of."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest

import scrubjay
from scrubjay import AdaptiveCache, Cache, CacheObjective, InvalidArgumentError
from scrubjay._flow import blocking
from scrubjay.lab.replay import replay
from tests.models import check, scaled

ABSENT = object()
MB = 1 << 20
# Uncompiled, simulations take long: small ones, and one of each kind, still tell what is
# weighed from what is not. That both builds keep the same is seen by `test_core_builds`.
KEYS = 3000 if scrubjay.compiled else 600
REQUESTS = scaled(40_000, 4000)
SEEDS = [1, 2, 3] if scrubjay.compiled else [1]
OBJECTIVES = ["", ":cost", ":latency"] if scrubjay.compiled else [""]


def requests(seed, number=REQUESTS, keys=KEYS):
    """Requests of which the first keys get most, and what each key weighs, independently."""
    random = Random(seed)
    asked = [int(keys * random.random() ** 3) for _ in range(number)]
    weights = [10 ** (3 * random.random()) for _ in range(keys)]
    return asked, weights


def sized(strategy, seed=1):
    asked, weights = requests(seed)
    sizes = [int(100 * weights[key]) for key in asked]
    return replay(asked, int(100 * sum(weights)) // 20, strategy, sizes=sizes, in_bytes=True)


@pytest.mark.untraced
@pytest.mark.parametrize("seed", SEEDS)
def test_small_entries_are_kept_for_hits_and_large_ones_for_bytes(seed):
    lru, hits, bytes_ = (sized(each, seed) for each in ("lru", "adaptive:hits", "adaptive:bytes"))
    assert hits.miss_ratio < 0.75 * lru.miss_ratio
    assert hits.miss_ratio < bytes_.miss_ratio
    assert bytes_.byte_miss_ratio < lru.byte_miss_ratio
    assert bytes_.byte_miss_ratio < hits.byte_miss_ratio


@pytest.mark.untraced
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_less_is_paid_than_under_any_fixed_strategy(objective):
    asked, weights = requests(4)
    costs = [weights[key] for key in asked]

    def paid(strategy):
        return replay(asked, KEYS // 20, strategy, costs=costs).cost_missed

    ours = paid("adaptive" + objective)
    assert all(ours < 0.9 * paid(each) for each in ("lru", "lfu", "ttl", "priority"))
    assert ours < 0.9 * paid("adaptive:hits")


@pytest.mark.untraced
def test_equal_sizes_are_no_reason_to_do_worse():
    asked, _ = requests(5)
    same = [100] * len(asked)
    by_bytes = replay(asked, KEYS // 20 * 100, sizes=same, in_bytes=True)
    by_count = replay(asked, KEYS // 20)
    assert by_bytes.hits > 0.97 * by_count.hits


def test_priorities_count():
    random = Random(6)
    cache = Cache(max_entries=200)
    hits = {1.0: 0, 20.0: 0}
    for _ in range(scaled(30_000, 5000)):
        key = random.randrange(1000)
        priority = 20.0 if key % 2 else 1.0
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, key, priority=priority)
        else:
            hits[priority] += 1
    assert hits[20.0] > 3 * hits[1.0]
    assert hits[1.0] > 0  # nothing is kept for ever


def test_weights_that_come_late_are_heeded():
    random = Random(7)
    cache = Cache(max_entries=100)
    for number in range(2000):
        cache.put(number, number)
    assert not any(way.startswith("by value") for way in cache.explain().alternatives)
    for _ in range(3000):
        key = random.randrange(400)
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, key, cost=100.0 if key < 100 else 1.0)
    check(cache)
    assert any(way.startswith("by value") for way in cache.explain().alternatives)
    assert sum(key in cache for key in range(100)) > 80


def test_what_would_displace_better_entries_is_not_stored():
    random = Random(8)
    cache = Cache(max_size_mb=100_000 / MB, sizer=lambda value: value, max_value_fraction=1.0)
    stored = hot = asked = 0
    length = scaled(30_000, 9000)
    for number in range(length):
        key = random.randrange(1200)
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, 100)
        if number % 10 == 0:  # never asked for again
            stored += cache.put(-1 - number, 40_000)
        if number > length * 2 // 3:
            asked += 1
            hot += key in cache
    check(cache)
    assert cache.explain().way == "by value, proven"
    assert stored < length // 20
    assert cache.statistics.rejected >= length // 10 - stored
    assert hot > 0.5 * asked


def test_newcomers_of_worth_are_stored_although_all_entries_are_read_in_between():
    random = Random(8)
    cache = Cache(max_size_mb=100_000 / MB, sizer=lambda value: value, max_value_fraction=1.0)
    for number in range(scaled(30_000, 9000)):
        key = random.randrange(1200)
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, 100)
        if number % 10 == 0:
            cache.put(-1 - number, 40_000)
    assert cache.explain().way == "by value, proven"
    for newcomer in range(20):
        for key in range(1200):
            cache.get(key)
        rejected = cache.statistics.rejected
        assert not cache.put("poor", 40_000)
        assert cache.put(("new", newcomer), 100, priority=1000.0)
        assert cache.statistics.rejected == rejected + 1
    check(cache)


def test_segments_and_sizes_stay_exact_while_ways_change():
    random = Random(9)
    cache = Cache(max_size_mb=20_000 / MB, sizer=lambda value: value, max_value_fraction=0.5)
    for number in range(scaled(30_000, 6000)):
        phase = number // 5000 % 2
        key = number % 300 if phase else int(300 * random.random() ** 4)
        if cache.get(key, ABSENT) is ABSENT:
            cache.put(key, 20 + key * 7 % 400, cost=1.0 + key % 5, priority=1.0 + key % 3)
        if number % 50 == 0:
            cache.invalidate(random.randrange(300))
        if number % 7 == 0:
            cache.put(key, 20 + number % 900)
        if number % 1000 == 0:
            check(cache)
    assert cache.explain().changes > 0


@pytest.mark.parametrize("objective", [*CacheObjective, *(each.value for each in CacheObjective)])
def test_an_objective_is_a_member_or_its_value(objective):
    for door in (Cache(objective=objective), AdaptiveCache(objective=objective)):
        assert door.objective is CacheObjective(objective)
    assert Cache().objective is None


@pytest.mark.parametrize("objective", ["speed", 3, b"hits"])
def test_no_other_objective(objective):
    with pytest.raises(InvalidArgumentError, match="objective"):
        Cache(objective=objective)


def test_only_adaptive_has_an_objective():
    with pytest.raises(InvalidArgumentError, match="'lru' has none"):
        Cache(eviction_strategy="lru", objective="hits")


@pytest.mark.parametrize(
    ("objective", "measured"), [(None, True), ("latency", True), ("cost", False)]
)
def test_the_time_of_a_load_is_its_cost(objective, measured, monkeypatch):
    times = count(0.0, 0.5)
    monkeypatch.setattr(blocking, "perf_counter", lambda: next(times))
    cache = Cache(objective=objective)
    cache.get_or_load("a", str)
    cache.get_or_load("b", str, cost=7.0)
    assert cache.facts("a")["cost"] == (0.5 if measured else 0.0)
    assert cache.facts("b")["cost"] == 7.0
