"""Sessions as a signal: what ADAPTIVE makes of the session that asks."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

import scrubjay
from scrubjay import AdaptiveCache, Cache
from scrubjay.lab.generate import sessions
from scrubjay.lab.optimum import belady
from scrubjay.lab.replay import replay, replay_chunks
from tests.models import scaled

ABSENT = object()
# Uncompiled, replays take long: small ones still tell sessions that are heeded from others.
SCALE = 1 if scrubjay.compiled else 4


def report(cache):
    return cache.get_detailed_statistics()["optimization"]["current_strategy_performance"]


def conversations(seed, number, active=8):
    """Requests of conversations: each turn repeats the blocks so far and adds two.

    What a turn ends with is not repeated: a block only half filled, filled up by the next.
    """
    random = Random(seed)
    talks = [[next_talk, 0, random.randrange(1, 12)] for next_talk in range(active)]
    fresh = active
    keys, clients = [], []
    for _ in range(number):
        place = random.randrange(active)
        talk, turn, turns = talks[place]
        keys += [(talk, block) for block in range(2 + 2 * turn)]
        keys.append((talk, ~turn))  # of numbers alone: the hash of a word is another each time
        clients += [talk] * (3 + 2 * turn)
        talks[place] = [talk, turn + 1, turns]
        if turn + 1 >= turns:
            talks[place] = [fresh, 0, random.randrange(1, 12)]
            fresh += 1
    return keys, clients


@pytest.mark.untraced
def test_what_a_session_ends_with_goes_first():
    told = untold = lru = 0
    for seed in (1, 2, 3):
        keys, clients = conversations(seed, scaled(6000, 2000))
        told += replay(keys, 100, clients=clients).misses
        untold += replay(keys, 100).misses
        lru += replay(keys, 100, "lru").misses
    assert told < 0.985 * untold
    assert told < 0.97 * lru


@pytest.mark.untraced
@pytest.mark.any_build  # it shows late; that both builds keep the same, test_core_builds sees
@pytest.mark.parametrize("seed", [3, 4])
def test_more_is_kept_of_what_sessions_share(seed):
    trace = sessions(keys=2000, requests=60_000, seed=seed)
    told = replay_chunks([trace], 2000)
    untold = replay_chunks([trace], 2000, sessions=False)
    assert told.misses < 0.95 * untold.misses
    assert told.misses < 0.93 * replay_chunks([trace], 2000, "lru").misses


@pytest.mark.untraced
@pytest.mark.parametrize("capacity", [100, 400] if scrubjay.compiled else [100])
def test_generated_sessions(capacity):
    trace = sessions(keys=2000 // SCALE, requests=60_000 // SCALE, seed=3)
    told = replay_chunks([trace], capacity)
    untold = replay_chunks([trace], capacity, sessions=False)
    lru = replay_chunks([trace], capacity, "lru")
    best = belady(trace, capacity)
    assert told.misses < 1.01 * untold.misses
    assert lru.misses - told.misses > 0.25 * (lru.misses - best.misses)


@pytest.mark.untraced
def test_sessions_that_mean_nothing_do_no_harm():
    random = Random(5)
    keys = [int(3000 * random.random() ** 3) for _ in range(scaled(20_000, 5000))]
    clients = [random.randrange(50) for _ in keys]
    told = replay(keys, 200, clients=clients)
    untold = replay(keys, 200)
    assert told.misses < 1.02 * untold.misses


def ask(cache, key, context):
    if cache.get(key, ABSENT, context=context) is ABSENT:
        cache.put(key, key, context=context)


@pytest.mark.parametrize("name", ["session_id", "user_id"])
def test_it_tells_whether_it_knows_sessions(name):
    cache = Cache(max_entries=10)
    cache.put("a", 1)
    cache.get("a")
    cache.get("a", context={})
    assert report(cache)["sessions"] is False
    cache.get("a", context={name: "ann"})
    assert report(cache)["sessions"] is True


def test_every_door_takes_the_session():
    cache = Cache(max_entries=10, loader=str)
    context = {"session_id": "s"}
    calls = [
        lambda: cache.put("a", 1, context=context),
        lambda: cache.put_many({"b": 1}, context=context),
        lambda: cache.get_or_load("c", context=context),
        lambda: cache.get_many(["a", "b"], context=context),
    ]
    for call in calls:
        cache.clear()
        call()
    assert report(cache)["sessions"] is True

    async def through_asyncio():
        door = AdaptiveCache(max_entries=10)
        await door.get_or_load("c", str, context=context)
        return report(door.sync)["sessions"]

    assert asyncio.run(through_asyncio()) is True


@pytest.mark.parametrize("strategy", ["lru", "lfu", "ttl", "priority"])
def test_other_strategies_do_not_mind_sessions(strategy):
    cache = Cache(max_entries=3, eviction_strategy=strategy)
    for number in range(50):
        ask(cache, number % 7, {"session_id": number % 2})
    assert len(cache) == 3


def test_the_cache_survives_whatever_sessions_do():
    random = Random(9)
    cache = Cache(max_entries=100)
    for number in range(scaled(30_000, 5000)):
        key = random.randrange(300)
        dice = random.random()
        context = {"session_id": random.randrange(10_000)} if dice < 0.7 else None
        if dice < 0.96:
            ask(cache, key, context)
        elif dice < 0.99:
            cache.invalidate(key)
        elif dice < 0.9995:
            cache.resize(max_entries=random.randrange(5, 400))
        else:
            cache.clear()
        if number % 100 == 0:
            facts = report(cache)
            held = facts["window"] + facts["probation"] + facts["protected"]
            assert held == len(cache)


@pytest.mark.untraced
def test_the_same_sessions_lead_to_the_same_hits():
    keys, clients = conversations(2, scaled(2000, 500))
    assert replay(keys, 80, clients=clients).hits == replay(keys, 80, clients=clients).hits


def test_one_entry_may_be_replaced_while_others_go():
    cache = Cache(max_size_mb=0.01, sizer=len, max_value_fraction=1.0)
    random = Random(4)
    for _ in range(scaled(20_000, 4000)):
        key = random.randrange(60)
        context = {"session_id": key // 6}
        if cache.get(key, context=context) is None or random.random() < 0.1:
            cache.put(key, bytes(random.randrange(1, 1500)), context=context)
    assert cache.statistics.evictions > scaled(1000, 200)
