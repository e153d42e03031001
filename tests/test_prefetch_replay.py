"""Replays with prefetch: what it gains, what it costs, and that it does no harm."""

from __future__ import annotations

from random import Random

import pytest

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab import replay
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.prefetch import (
    PrefetchReplay,
    PrefetchResult,
    contestant_names,
    make_prefetcher,
    register_contestant,
    replay_prefetch,
)
from scrubjay.lab.prefetch.training import train
from scrubjay.prefetch.guess import Guess
from scrubjay.prefetch.planner import Planner
from tests.models import scaled


def walks(requests, seed=0, chains=60, length=8):
    """Return requests of chains in random order, mixed with single random keys."""
    random, keys = Random(seed), []
    while len(keys) < requests:
        if random.random() < 0.3:
            keys.append(random.randrange(1000, 1400))
        else:
            chain = random.randrange(chains)
            keys.extend(chain * 10 + step for step in range(length))
    return keys[:requests]


def zipf(requests, keys, seed):
    weights = [1.0 / (rank + 1) for rank in range(keys)]
    return Random(seed).choices(range(keys), weights, k=requests)


def ours(trace, capacity, strategy="lru", **more):
    return replay_prefetch(trace, capacity, Planner(capacity), strategy, **more)


@pytest.mark.untraced
@pytest.mark.parametrize("strategy", ["lru", "adaptive"])
def test_walks_are_fetched_ahead_within_the_budget(strategy):
    result = ours(Trace("walks", walks(scaled(12_000, 4000))), 100, strategy)
    assert result.gain > 15.0
    assert result.loads_ratio <= 1.32
    assert result.coverage > 0.2


@pytest.mark.untraced
def test_the_account_of_harm_is_nearly_exact():
    trace = Trace("walks", walks(scaled(8000, 4000), seed=3))
    planner = Planner(100)
    result = replay_prefetch(trace, 100, planner, "lru")
    report = planner.statistics()
    assert report["gains"] - report["harms"] == pytest.approx(
        result.hits - result.plain_hits, abs=0.005 * result.requests
    )
    assert report["loads_ratio"] == pytest.approx(result.loads_ratio, abs=0.02)


@pytest.mark.any_build
@pytest.mark.parametrize("seed", [1, 2])
def test_random_traffic_loses_nothing(seed):
    result = ours(Trace("zipf", zipf(30_000, 3000, seed)), 150)
    assert result.gain >= -0.01
    assert result.loads_ratio < 1.05


@pytest.mark.any_build
@pytest.mark.parametrize("strategy", ["lru", "adaptive"])
def test_a_small_cache_does_not_load_what_is_merely_popular(strategy):
    keys = zipf(30_000, 1000, 3)
    run = PrefetchReplay(64, Planner(64), strategy)
    run.feed(Trace("zipf", keys[:10_000]))
    before = run.result(replay(keys[:10_000], 64, strategy).hits)
    run.feed(Trace("zipf", keys[10_000:]))
    after = run.result(replay(keys, 64, strategy).hits)
    loads = (20_000 - (after.hits - before.hits)) + (after.issued - before.issued)
    plain = 20_000 - (after.plain_hits - before.plain_hits)
    assert loads < 1.05 * plain
    # A single entry makes two adaptive caches differ by a few hits.
    assert after.gain >= (-0.01 if strategy == "lru" else -0.1)


@pytest.mark.any_build
def test_what_is_popular_is_loaded_where_loads_are_cheap():
    trace = Trace("zipf", zipf(20_000, 1000, 3))
    dear = replay_prefetch(trace, 64, Planner(64))
    cheap = replay_prefetch(trace, 64, Planner(64, cost_ratio=3.0))
    assert cheap.issued > 10 * dear.issued
    assert cheap.gain > dear.gain + 1.0


@pytest.mark.any_build
def test_an_adversary_that_trains_and_then_changes_wins_little():
    trained = walks(8000, seed=1)
    random = Random(2)
    # The same first keys, after which nothing comes that ever came before.
    changed = [
        key if step % 2 else random.randrange(10_000, 40_000)
        for step, key in enumerate(walks(20_000, seed=4))
    ]
    planner = Planner(100)
    run = PrefetchReplay(100, planner)
    run.feed(Trace("trained", trained))
    before = run.result(0)
    run.feed(Trace("changed", changed))
    after = run.result(0)
    plain_before = replay(trained, 100, "lru").hits
    plain_after = replay(trained + changed, 100, "lru").hits
    loss = (plain_after - plain_before) - (after.hits - before.hits)
    assert loss <= 0.001 * len(changed)


@pytest.mark.any_build
def test_a_lag_makes_some_guesses_late_but_not_all():
    trace = Trace("walks", walks(12_000, length=10))
    at_once, later = ours(trace, 100), ours(trace, 100, lag=3)
    assert at_once.lateness == 0.0
    assert 0.0 < later.lateness < 0.7
    assert later.gain > 0.4 * at_once.gain
    assert later.gain < later.gain_of_waiting


def visits(requests, seed=1):
    """Return the keys, clients and times of clients that walk chains and think in between."""
    random, rows, now = Random(seed), [], 0.0
    while len(rows) < requests:
        now += random.uniform(1.0, 3.0)
        moment, chain, client = now, random.randrange(60), random.randrange(1000)
        for step in range(8):
            rows.append((int(moment), len(rows), chain * 10 + step, client))
            moment += random.uniform(2.0, 9.0)
    rows.sort()
    return Trace(
        "visits",
        [key for _, _, key, _ in rows],
        seconds=[second for second, _, _, _ in rows],
        clients=[client for _, _, _, client in rows],
    )


@pytest.mark.any_build
def test_a_loader_of_a_second_keeps_most_of_the_gain():
    trace = visits(12_000)
    at_once, later = ours(trace, 100), ours(trace, 100, load_seconds=1.0)
    assert at_once.gain > 15.0
    assert later.late > 0
    assert later.gain_of_waiting >= 0.85 * at_once.gain


def test_who_asks_during_a_load_waits_for_the_rest_of_it():
    class Oracle(Planner):
        def plan(self, most):
            return [Guess(self.now + 1, 1.0, "oracle", 0)]

        def accessed(self, key, stream, moment, outcome):
            self.now = key

    trace = Trace("steps", list(range(20)), seconds=[3 * step for step in range(20)])
    result = replay_prefetch(trace, 100, Oracle(100), load_seconds=4.0)
    assert (result.hits, result.late, result.issued) == (0, 19, 20)
    assert result.waited == pytest.approx(19 / 4)
    result = replay_prefetch(trace, 100, Oracle(100), load_seconds=3.0)
    assert (result.hits, result.late) == (19, 0)


def test_loads_that_take_seconds_need_times():
    with pytest.raises(TraceError, match="times"):
        ours(Trace("walks", walks(100)), 100, load_seconds=1.0)


@pytest.mark.any_build
def test_clients_are_sessions():
    random, keys, clients = Random(1), [], []
    walkers = [iter(()) for _ in range(6)]
    for _ in range(15_000):
        client = random.randrange(6)
        key = next(walkers[client], None)
        if key is None:
            chain = random.randrange(60)
            walkers[client] = iter(range(chain * 10, chain * 10 + 8))
            key = next(walkers[client])
        keys.append(key)
        clients.append(client)
    apart = ours(Trace("apart", keys, clients=clients), 100)
    mixed = ours(Trace("mixed", keys), 100)
    assert apart.precision > mixed.precision
    assert apart.gain > mixed.gain


@pytest.mark.parametrize("name", contestant_names())
def test_every_contestant_keeps_to_its_budget(name):
    trace = Trace("walks", walks(scaled(6000, 2000)))
    prefetcher = make_prefetcher(name, trace, 100, budget=0.25, cost_ratio=2.0)
    result = replay_prefetch(trace, 100, prefetcher, "lru", budget=0.25)
    assert result.issued <= 0.25 * (result.requests - result.plain_hits) + 16
    assert result.gain > -1.0
    assert 0.0 <= result.precision <= 1.0


@pytest.mark.any_build
def test_nobody_beats_who_knows_the_future():
    trace = Trace("walks", walks(10_000))
    gains = {
        name: replay_prefetch(
            trace, 100, make_prefetcher(name, trace, 100, budget=1.0, cost_ratio=9.0), "lru"
        ).gain
        for name in ("scrubjay", "markov-1", "association-8", "clairvoyant")
    }
    assert gains["clairvoyant"] == max(gains.values())
    assert gains["scrubjay"] > 0.5 * gains["clairvoyant"]


def test_contestants_are_registered_by_name():
    with pytest.raises(InvalidArgumentError, match="nobody"):
        make_prefetcher("nobody", Trace("none", [1]), 100)
    trace = Trace("walks", walks(500))
    register_contestant("again", lambda trace, capacity, budget, ratio: Planner(capacity))
    assert isinstance(make_prefetcher("again", trace, 100), Planner)


@pytest.mark.any_build
def test_a_trained_model_begins_with_what_it_knows():
    seen, new = Trace("seen", walks(6000, seed=1)), Trace("new", walks(1500, seed=2))
    taught = Planner(100)
    taught.load(train([seen], 100).save())
    plain = replay(new.keys, 100, "lru").hits
    warm = replay_prefetch(new, 100, taught, "lru", plain_hits=plain)
    cold = replay_prefetch(new, 100, Planner(100), "lru", plain_hits=plain)
    assert warm.gain > cold.gain + 2.0


def test_ratios_of_nothing():
    nothing = PrefetchResult(0, 0, 0, 0, 0, 0, 0.0, 0.0)
    assert (nothing.hit_ratio, nothing.plain_hit_ratio, nothing.gain) == (0.0, 0.0, 0.0)
    assert (nothing.precision, nothing.coverage, nothing.lateness) == (0.0, 0.0, 0.0)
    assert nothing.loads_ratio == 1.0
    assert nothing.gain_of_waiting == 0.0


@pytest.mark.any_build
def test_a_daily_rhythm_is_learned():
    keys, seconds = [], []
    for day in range(12):
        for hour in range(24):
            for step in range(40):
                keys.append(hour * 10 + step % 10)
                seconds.append(day * 86_400 + hour * 3600 + step * 60 + 1)
    trace = Trace("days", keys, seconds=seconds)
    assert ours(trace, 64).gain >= 0.0
