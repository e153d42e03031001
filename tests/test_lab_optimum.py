"""Belady's optimum and the bound with sizes, against all that could be done; byte capacities."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import pytest

from scrubjay import CacheEvictionStrategy, InvalidArgumentError
from scrubjay.lab import Trace, TraceError, belady, replay, replay_chunks
from scrubjay.lab.optimum import next_uses

pytestmark = pytest.mark.any_build


def most_hits(keys, capacity, sizes=None, worth=None):
    """By trying everything: what may be hit with room for so much, bypassing allowed."""
    sizes = sizes or dict.fromkeys(keys, 1)
    worth = worth or dict.fromkeys(keys, 1)

    @lru_cache(None)
    def best(position, kept):
        if position == len(keys):
            return 0
        key = keys[position]
        hit = worth[key] if key in kept else 0
        options = kept | {key}
        return hit + max(
            best(position + 1, subset)
            for subset in subsets(options)
            if sum(sizes[k] for k in subset) <= capacity
        )

    return best(0, frozenset())


def subsets(keys):
    keys = sorted(keys)
    for bits in range(1 << len(keys)):
        yield frozenset(key for number, key in enumerate(keys) if bits >> number & 1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_belady_is_the_best_there_is(seed, capacity):
    random = Random(seed)
    keys = [random.randrange(5) for _ in range(12)]
    result = belady(Trace("t", keys), capacity)
    assert result.hits == most_hits(keys, capacity)
    assert result.requests == 12


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_with_sizes_is_none_too_low(seed):
    random = Random(seed)
    keys = [random.randrange(5) for _ in range(12)]
    size = {key: random.randrange(1, 6) for key in range(5)}
    trace = Trace("t", keys, sizes=[size[key] for key in keys])
    result = belady(trace, 7, in_bytes=True)
    assert result.hits >= most_hits(keys, 7, size)
    assert result.bytes_hit >= most_hits(keys, 7, size, size)
    assert result.hits <= 12 - len(set(keys))
    for strategy in CacheEvictionStrategy:
        replayed = replay(keys, 7, strategy, sizes=trace.sizes, in_bytes=True)
        assert replayed.hits <= result.hits
        assert replayed.bytes_hit <= result.bytes_hit


@pytest.mark.parametrize("seed", range(10))
def test_the_bound_holds_where_the_size_of_an_object_changes(seed):
    random = Random(seed)
    keys = [random.randrange(20) for _ in range(300)]
    sizes = [random.choice([0, 1, 10, 100]) for _ in keys]
    for capacity in (1, 30, 200, 2000):
        result = belady(Trace("t", keys, sizes=sizes), capacity, in_bytes=True)
        for strategy in CacheEvictionStrategy:
            replayed = replay(keys, capacity, strategy, sizes=sizes, in_bytes=True)
            assert replayed.hits <= result.hits
            assert replayed.bytes_hit <= result.bytes_hit


def test_a_long_loop():
    keys = list(range(100)) * 100
    result = belady(Trace("t", keys, sizes=[2] * 10_000, costs=[0.5] * 10_000), 50)
    # Of each round about half are kept.
    assert result.hits == pytest.approx(99 * 50, rel=0.02)
    assert result.bytes_missed == 2 * result.misses
    assert result.cost_missed == result.misses / 2


def test_a_heap_is_rid_of_what_is_past():
    keys = [key for key in range(5000) for _ in range(3)]
    assert belady(Trace("t", keys), 10).hits == 10_000


def test_next_uses():
    assert list(next_uses("abcab")) == [3, 4, 5, 5, 5]


def test_the_optimum_needs_a_capacity_and_sizes():
    with pytest.raises(InvalidArgumentError, match="capacity"):
        belady(Trace("t", "ab"), 0)
    with pytest.raises(TraceError, match="t: a capacity in bytes needs a trace with sizes"):
        belady(Trace("t", "ab"), 10, in_bytes=True)
    with pytest.raises(TraceError, match="needs a trace with sizes"):
        replay("ab", 10, in_bytes=True)


def test_a_capacity_in_bytes():
    keys, sizes = list("abcab"), [4, 4, 4, 4, 4]
    result = replay(keys, 8, "lru", sizes=sizes, in_bytes=True)
    assert (result.hits, result.bytes_requested, result.bytes_missed) == (0, 20, 20)
    result = replay(keys, 12, "lru", sizes=sizes, in_bytes=True)
    assert (result.hits, result.bytes_hit, result.byte_miss_ratio) == (2, 8, 0.6)
    assert result.cost_miss_ratio is None
    # One object may fill the cache; one that is larger does not get in.
    assert replay("aa", 12, "lru", sizes=[12, 12], in_bytes=True).hits == 1
    assert replay("aa", 12, "lru", sizes=[13, 13], in_bytes=True).hits == 0
    assert replay("aa", 12, "lru", sizes=[0, 0], in_bytes=True).hits == 1


def test_costs_of_misses():
    result = replay(list("aba"), 5, "lru", costs=[1.5, 0, 1.5])
    assert (result.cost_requested, result.cost_missed, result.cost_miss_ratio) == (3.0, 1.5, 0.5)
    assert result.byte_miss_ratio is None


def test_chunks_are_replayed_as_the_whole():
    keys = [Random(3).randrange(50) for _ in range(300)]
    chunks = [Trace("t", keys[start : start + 70]) for start in range(0, 300, 70)]
    whole, parts = replay(keys, 20), replay_chunks(chunks, 20)
    assert (parts.requests, parts.hits) == (whole.requests, whole.hits)
