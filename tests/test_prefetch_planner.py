"""The planner: what it learns, what it plans, and that it never forgets its bounds."""

from __future__ import annotations

import tracemalloc
from array import array
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.model import Trace
from scrubjay.lab.prefetch import PrefetchReplay
from scrubjay.prefetch import registry, saving
from scrubjay.prefetch.constants import FIRST_HIT, JOINED, MISS
from scrubjay.prefetch.planner import Planner
from scrubjay.prefetch.predictor import Predictor
from tests.models import scaled


def miss(planner, key, stream=0, moment=0.0):
    """Ask for a key that is not there, and let it go again at once."""
    planner.accessed(key, stream, moment, MISS)
    planned = planner.plan(8)
    planner.evicted(key)
    return planned


def teach(planner, chains, rounds, seed=1, capacity=100):
    """Replay walks of chains of keys in random order; return how many were loaded ahead."""
    random = Random(seed)
    keys = [key for _ in range(rounds) for key in random.choice(chains)]
    run = PrefetchReplay(capacity, planner)
    run.feed(Trace("walks", keys))
    return run.result(0).issued


def plan_after(planner, step=0):
    """Ask for first keys of chains until something is planned; return that."""
    for chain in CHAINS:
        planned = miss(planner, chain[step])
        if planned:
            return planned
    raise AssertionError("nothing is planned")


CHAINS = [[f"{line}.{step}" for step in range(5)] for line in range(60)]


def test_what_always_follows_is_planned_and_comes_true():
    planner = Planner(100)
    assert teach(planner, CHAINS, 400) > 600
    report = planner.statistics()
    assert report["precision"] > 0.6
    assert report["coverage"] > 0.3
    assert report["loads_ratio"] < 1.2
    assert report["predictors"]["sequence"]["used"] > 500


def test_a_small_cache_plans_nothing():
    planner = Planner(63)
    assert teach(planner, CHAINS, 200, capacity=63) == 0
    assert planner.room() == 0


def test_the_likeliest_comes_first_and_no_key_twice():
    planner = Planner(100)
    teach(planner, CHAINS, 300)
    planned = plan_after(planner)
    assert len({guess.key for guess in planned}) == len(planned)
    assert [guess.probability for guess in planned] == sorted(
        (guess.probability for guess in planned), reverse=True
    )


@pytest.mark.untraced
def test_plans_depend_on_no_hash():
    def plans(spell):
        planner = Planner(100)
        count = teach(planner, [[spell(key) for key in chain] for chain in CHAINS], 300)
        worths = [guess[1:] for guess in planner.predict(spell("7.0"), 0, 8)]
        return count, planner.statistics(), worths

    expected = plans(str)
    assert expected[0] > 100
    assert plans(lambda key: (1, key, None)) == expected
    assert plans(lambda key: key.encode()) == expected


@given(st.integers(1, 40), st.lists(st.integers(0, 200), max_size=400))
@settings(max_examples=scaled(40, 15))
def test_no_more_keys_are_followed_than_allowed(most, keys):
    planner = Planner(1000, most_keys=most)
    for key in keys:
        for guess in miss(planner, key):
            planner.fetched(guess, 0.0, stored=True)
    assert planner.statistics()["keys"] <= most


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["miss", "hit", "evict", "drop", "land", "fail", "there", "resize"]),
        st.integers(0, 30),
        st.integers(0, 3),
    ),
    max_size=300,
)


@given(ACTIONS)
@settings(max_examples=scaled(60, 20))
def test_any_order_of_events_keeps_the_accounts(actions):
    planner = Planner(64, most_keys=24)
    flying, waiting = {}, set()
    for action, key, stream in actions:
        if action in {"miss", "hit"}:
            if key in flying:
                del flying[key]
                planner.accessed(key, stream, 1.0, JOINED)
            elif key in waiting:
                waiting.discard(key)
                planner.accessed(key, stream, 1.0, FIRST_HIT)
            else:
                planner.accessed(key, stream, 1.0, MISS if action == "miss" else 0)
            for guess in planner.plan(4):
                assert guess.key not in waiting
                flying[guess.key] = guess
        elif action == "evict":
            planner.evicted(key)
        elif action == "drop" and waiting:
            planner.dropped(waiting.pop())
        elif action == "resize":
            planner.resize(64 + 10 * key)
        elif flying:
            landed, guess = flying.popitem()
            if action == "fail":
                planner.failed(guess)
            else:
                planner.fetched(guess, 0.1, stored=action == "land")
                if action == "land":
                    waiting.add(landed)
        report = planner.statistics()
        assert 0 <= report["unused"] <= len(waiting)
        assert 0 <= report["flying"] <= len(flying)
        assert 0 <= planner.room() <= 400
        assert planner.lifetime() > 0


def test_a_source_that_fails_is_left_alone_and_tried_again():
    planner = Planner(100)
    teach(planner, CHAINS, 300)
    random, failures, turns = Random(2), [], scaled(2000, 800)
    for now in range(turns):
        for key in random.choice(CHAINS):
            for guess in miss(planner, key):
                planner.failed(guess)
                failures.append(now)
    assert 0 < len(failures) < 200
    assert len([now for now in failures if now > turns // 2]) <= 20
    before = planner.statistics()["issued"]
    teach(planner, CHAINS, 4000)
    assert planner.statistics()["issued"] > before + 100


def test_a_source_that_slows_down_is_left_alone():
    planner = Planner(100)
    teach(planner, CHAINS, 300)
    assert not planner.statistics()["silent"]
    seconds, random = 0.001, Random(4)
    for turn in range(2000):
        for key in random.choice(CHAINS):
            for guess in miss(planner, key):
                planner.fetched(guess, seconds, stored=True)
                planner.accessed(guess.key, 0, 0.0, FIRST_HIT)
                planner.evicted(guess.key)
        if turn == 200:
            assert not planner.statistics()["silent"]
            seconds = 0.1
        if planner.statistics()["silent"]:
            break
    assert planner.statistics()["silent"]
    with pytest.raises(AssertionError, match="nothing is planned"):
        plan_after(planner)


def test_it_looks_farther_ahead_when_loads_take_long():
    def late(lag):
        planner, random = Planner(400), Random(1)
        flying, landing, waiting, outcomes = {}, [], set(), []
        order = list(range(300))
        for now in range(6000):
            while landing and landing[0][0] <= now:
                guess = landing.pop(0)[1]
                planner.fetched(guess, 0.1, stored=guess.key in flying)
                if flying.pop(guess.key, None):
                    waiting.add(guess.key)
            key = order[now % 300]
            outcome = MISS
            if key in waiting:
                waiting.discard(key)
                outcome = FIRST_HIT
            elif flying.pop(key, None):
                outcome = JOINED
            outcomes.append(outcome)
            planner.accessed(key, 0, 0.0, outcome)
            planner.evicted(key)
            for guess in planner.plan(8):
                flying[guess.key] = guess
                landing.append((now + lag, guess))
        assert random
        return outcomes[-600:].count(FIRST_HIT)

    assert late(5) > 540


def test_why_a_key_was_planned():
    planner = Planner(100)
    teach(planner, CHAINS, 300)
    guess = plan_after(planner)[0]
    assert "is being fetched" in planner.explain(guess.key)
    planner.fetched(guess, 0.01, stored=True)
    told = planner.explain(guess.key)
    assert "waits to be used" in told
    assert guess.source in told
    assert planner.explain("never heard of") is None


def test_a_model_goes_on_where_it_was_saved():
    taught = Planner(100)
    teach(taught, CHAINS, 300)
    fresh = Planner(100)
    fresh.load(taught.save())
    for first in ("0.0", "7.2", "30.3"):
        assert fresh.predict(first, 0, 5) == taught.predict(first, 0, 5)
        assert fresh.predict(first, 0, 5)
    assert any(guess.key == "0.1" for guess in miss(fresh, "0.0"))


def test_keys_of_all_kinds_are_saved_and_others_left_out():
    odd = object()
    chain = ["text", 7, b"bytes", 2.5, None, ("pair", (1, b"x")), odd, "after"]
    taught = Planner(100)
    teach(taught, [chain, *CHAINS], 400)
    fresh = Planner(100)
    fresh.load(taught.save())
    for key, follower in pairwise(chain[:5]):
        assert follower in [guess.key for guess in fresh.predict(key, 0, 8)]
    assert odd not in [guess.key for guess in fresh.predict(("pair", (1, b"x")), 0, 8)]
    assert fresh.predict(odd, 0, 8) == []


@pytest.mark.parametrize("stream", [0, 1])
def test_times_and_sessions_are_saved_too(stream):
    taught = Planner(200)
    for turn in range(500):
        miss(taught, f"k{turn % 7}", stream and turn % 5 + 1, 1e9 + 10.0 * turn)
    fresh = Planner(200)
    fresh.load(taught.save())
    assert fresh.save()[:5] == taught.save()[:5]
    assert fresh.statistics()["keys"] == 7


def with_number(kind, table, place, number):
    changed = array(kind, table)
    changed[place] = number
    return changed.tobytes()


@pytest.mark.parametrize(
    ("ending", "kind", "number"),
    [
        ("followers.entries", "Q", 1 << 60),
        ("followers.asked", "B", 255),
        ("contexts.entries", "Q", 1 << 60),
        ("contexts.next", "Q", 1 << 60),
        ("contexts.next", "Q", 15),
        ("calibration.worth", "d", 1e9),
        ("calibration.worth", "d", float("nan")),
        ("calibration.right", "d", float("inf")),
        ("calibration.lately", "d", -1.0),
    ],
)
def test_a_model_with_numbers_out_of_range_is_refused(ending, kind, number):
    taught = Planner(100)
    teach(taught, CHAINS, 200)
    header, tables = saving.unpack(taught.save(), taught.most_keys)
    header = {name: header[name] for name in ("keys", "known", "predictors")}
    taught.load(saving.pack(header, tables))
    names = [name for name in tables if name.endswith(ending) and tables[name]]
    assert names
    before = taught.predict("0.0", 0, 5)
    for name in names:
        wrong = {**tables, name: with_number(kind, tables[name], 0, number)}
        with pytest.raises(InvalidArgumentError, match="damaged"):
            taught.load(saving.pack(header, wrong))
    assert taught.predict("0.0", 0, 5) == before


def test_what_is_no_model_is_refused_and_changes_nothing():
    taught = Planner(100)
    teach(taught, CHAINS, 200)
    data = taught.save()
    before = taught.predict("0.0", 0, 5)
    damaged = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    newer = data[:4] + bytes([data[4] + 1]) + data[5:]
    for wrong in (b"", b"SJPF", b"something else entirely", damaged, newer, data[:40]):
        with pytest.raises(InvalidArgumentError):
            taught.load(wrong)
    with pytest.raises(InvalidArgumentError):
        taught.load("text")
    header, tables = saving.unpack(data, taught.most_keys)
    whole = {**header, "tables": None}
    for wrong in (
        {},
        {**whole, "keys": None},
        {**whole, "known": [True]},
        {**whole, "predictors": [1]},
        {**whole, "keys": [{}] * len(header["keys"])},
    ):
        with pytest.raises(InvalidArgumentError):
            taught.load(saving.pack(wrong, tables))
    for name in ("", "age"):
        with pytest.raises(InvalidArgumentError):
            taught.load(saving.pack(whole, {name: b"1"}))
    assert taught.predict("0.0", 0, 5) == before
    with pytest.raises(InvalidArgumentError, match="most_keys"):
        Planner(100, most_keys=10).load(data)


def test_a_model_that_would_fill_memory_is_refused_unread():
    taught = Planner(100, most_keys=1000)
    teach(taught, CHAINS, 200)
    before = taught.predict("0.0", 0, 5)
    header, tables = saving.unpack(taught.save(), 1000)
    header = {name: header[name] for name in ("keys", "known", "predictors")}
    for wrong in (
        saving.pack(header, {**tables, "more": bytes(1 << 26)}),  # a thousandth of it in the file
        saving.pack({**header, "more": " " * (1 << 21)}, tables),
    ):
        assert len(wrong) < 1 << 20
        tracemalloc.start()
        try:
            with pytest.raises(InvalidArgumentError, match="more room than 1000 keys"):
                taught.load(wrong)
            assert tracemalloc.get_traced_memory()[1] < 1 << 24
        finally:
            tracemalloc.stop()
    assert taught.predict("0.0", 0, 5) == before


@pytest.mark.parametrize("tables", [[["age", -1]], [[7, 1]], [[None, 0]], [["age", "1"]], [7]])
def test_a_model_whose_tables_are_none_is_refused(monkeypatch, tables):
    taught = Planner(100)
    teach(taught, CHAINS, 200)
    before = taught.predict("0.0", 0, 5)
    dumps = saving.json.dumps
    data = taught.save()
    monkeypatch.setattr(saving.json, "dumps", lambda written: dumps({**written, "tables": tables}))
    header, _ = saving.unpack(data, 1000)
    wrong = saving.pack(header, {"age": b"1"})
    with pytest.raises(InvalidArgumentError):
        taught.load(wrong)
    assert taught.predict("0.0", 0, 5) == before


@pytest.mark.parametrize("most", [300, 4096])
def test_what_is_saved_can_be_loaded_however_long_the_keys_are(most):
    random = Random(2)
    taught = Planner(100, most_keys=most)
    long = [(number, "x" * random.choice([1, 100, 8000])) for number in range(most)]
    for turn in range(4 * most):  # in sessions, at hours, and in a walk: all tables are full
        taught.accessed(long[turn % most], turn % 7 + 1, 40.0 * turn, MISS)
    fresh = Planner(100, most_keys=most)
    fresh.load(taught.save())
    found = [key for key in long if fresh.explain(key) or fresh.predict(key, 0, 8)]
    assert len(found) > most // 2
    assert sum(len(key[1]) for key in found) <= saving.KEY_BYTES * most
    followers = {guess.key for key in long for guess in fresh.predict(key, 0, 8)}
    assert {len(key[1]) for key in followers} >= {1, 100}


class Successor(Predictor):
    """Guesses the key that was new after this one."""

    name = "successor"
    bands = 1


def test_predictors_of_others_are_asked(monkeypatch):
    asked = []

    class Watching(Successor):
        def learn(self, scene):
            asked.append("learn")
            return 0

        def propose(self, scene):
            asked.append("propose")
            return 0

    monkeypatch.setattr(registry, "_predictors", dict(registry._predictors))
    registry.register_predictor("watching", Watching)
    planner = Planner(100)
    miss(planner, "a")
    miss(planner, "b")
    assert asked == ["learn", "propose"] * 2
    assert "watching" in planner.statistics()["predictors"]


def test_registering_nonsense_is_refused():
    with pytest.raises(InvalidArgumentError):
        registry.register_predictor("", Successor)
    with pytest.raises(InvalidArgumentError):
        registry.register_predictor("name", None)


@pytest.mark.any_build  # columns of numbers, as large uncompiled
def test_a_key_takes_up_no_more_than_stated():
    most = 1 << 14
    keys = list(range(most))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        planner = Planner(100, most_keys=most)
        for key in keys:
            planner.accessed(key, 0, 0.0, MISS)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    fixed = 300_000  # the ring of guesses, and what streams need
    assert planner.statistics()["keys"] == most
    assert after - before - fixed <= 270 * most
