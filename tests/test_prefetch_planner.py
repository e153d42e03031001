"""The planner: what it learns, what it plans, and that it never forgets its bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.errors import InvalidArgumentError
from scrubjay.prefetch import registry
from scrubjay.prefetch.constants import FIRST_HIT, JOINED, MISS
from scrubjay.prefetch.planner import Planner
from scrubjay.prefetch.predictor import Predictor


def miss(planner, key, stream=0, moment=0.0):
    """Ask for a key that is not there, and let it go again at once."""
    planner.accessed(key, stream, moment, MISS)
    planned = planner.plan(8)
    planner.evicted(key)
    return planned


def teach(planner, chains, rounds, seed=1, stream=0):
    """Walk chains of keys in random order; return how many keys were planned."""
    random = Random(seed)
    waiting = set()
    count = 0
    for _ in range(rounds):
        for key in random.choice(chains):
            if key in waiting:
                waiting.discard(key)
                planner.accessed(key, stream, 0.0, FIRST_HIT)
            else:
                planner.accessed(key, stream, 0.0, MISS)
            for guess in planner.plan(8):
                count += 1
                waiting.add(guess.key)
                planner.fetched(guess, 0.001, stored=True)
            planner.evicted(key)
    return count


CHAINS = [[f"{letter}{step}" for step in range(5)] for letter in "abcdefghijklmnopqrst"]


def test_what_always_follows_is_planned_and_comes_true():
    planner = Planner(1000)
    assert teach(planner, CHAINS, 400) > 800
    report = planner.statistics()
    assert report["precision"] > 0.9
    assert report["coverage"] > 0.5
    assert report["loads_ratio"] < 1.05
    assert report["predictors"]["sequence"]["used"] > 500


def test_a_small_cache_plans_nothing():
    planner = Planner(63)
    assert teach(planner, CHAINS, 200) == 0
    assert planner.room() == 0


def test_the_likeliest_comes_first_and_no_key_twice():
    planner = Planner(1000)
    teach(planner, CHAINS, 300)
    planned = miss(planner, "a0")
    assert len({guess.key for guess in planned}) == len(planned)
    assert [guess.probability for guess in planned] == sorted(
        (guess.probability for guess in planned), reverse=True
    )


def test_streams_are_kept_apart():
    def learned(streams):
        planner, random = Planner(1000), Random(5)
        walks = [iter(()) for _ in range(8)]
        for _ in range(6000):
            line = random.randrange(8)
            key = next(walks[line], None)
            if key is None:
                walks[line] = iter(random.choice(CHAINS))
                key = next(walks[line])
            miss(planner, key, streams[line])
        return {guess.key: guess.probability for guess in planner.predict("a0", 1, 40)}

    apart = learned(range(1, 9))
    together = learned([0] * 8)
    assert apart["a1"] > together.get("a1", 0.0) + 0.2


def test_plans_depend_on_no_hash():
    def plans(spell):
        planner, random, found = Planner(500), Random(3), []
        for _ in range(500):
            for key in random.choice(CHAINS):
                found.append([guess[1:] for guess in miss(planner, spell(key))])
        return found

    expected = plans(str)
    assert any(expected)
    assert plans(lambda key: (1, key, None)) == expected
    assert plans(lambda key: key.encode()) == expected


@given(st.integers(1, 40), st.lists(st.integers(0, 200), max_size=400))
@settings(max_examples=40, deadline=None)
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
@settings(max_examples=60, deadline=None)
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
            key, guess = flying.popitem()
            if action == "fail":
                planner.failed(guess)
            else:
                planner.fetched(guess, 0.1, stored=action == "land")
                if action == "land":
                    waiting.add(key)
        report = planner.statistics()
        assert 0 <= report["unused"] <= len(waiting)
        assert 0 <= report["flying"] <= len(flying)
        assert 0 <= planner.room() <= 400
        assert planner.lifetime() > 0


def test_a_source_that_fails_is_left_alone_and_tried_again():
    planner = Planner(1000)
    teach(planner, CHAINS, 300)
    random, failed, last = Random(2), 0, 0
    for turn in range(4000):
        for key in random.choice(CHAINS):
            for guess in miss(planner, key):
                planner.failed(guess)
                failed, last = failed + 1, turn
    assert failed < 400
    for _ in range(8000):
        for key in random.choice(CHAINS):
            for guess in miss(planner, key):
                planner.fetched(guess, 0.001, stored=True)
                planner.dropped(guess.key)
    assert planner.statistics()["issued"] > failed + last // 1000


def test_a_source_that_slows_down_is_left_alone():
    planner = Planner(1000)
    teach(planner, CHAINS, 300)
    assert not planner.statistics()["silent"]
    for guess in [guess for key in ("a0", "b0", "c0") for guess in miss(planner, key)]:
        planner.fetched(guess, 0.5, stored=True)
    assert planner.statistics()["silent"]
    assert not miss(planner, "d0")


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
    planner = Planner(1000)
    teach(planner, CHAINS, 300)
    guess = miss(planner, "a0")[0]
    assert "is being fetched" in planner.explain(guess.key)
    planner.fetched(guess, 0.01, stored=True)
    told = planner.explain(guess.key)
    assert "waits to be used" in told
    assert guess.source in told
    assert planner.explain("never heard of") is None


def test_a_model_goes_on_where_it_was_saved():
    taught = Planner(1000)
    teach(taught, CHAINS, 300)
    fresh = Planner(1000)
    fresh.load(taught.save())
    for first in ("a0", "c2", "t3"):
        assert fresh.predict(first, 0, 5) == taught.predict(first, 0, 5)
        assert fresh.predict(first, 0, 5)
    assert any(guess.key == "a1" for guess in miss(fresh, "a0"))


def test_keys_of_all_kinds_are_saved_and_others_left_out():
    odd = object()
    chain = ["text", 7, b"bytes", 2.5, None, ("pair", (1, b"x")), odd, "after"]
    taught = Planner(1000)
    teach(taught, [chain, *CHAINS], 400)
    fresh = Planner(1000)
    fresh.load(taught.save())
    for key, follower in zip(chain, chain[1:5], strict=False):
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


def test_what_is_no_model_is_refused_and_changes_nothing():
    taught = Planner(1000)
    teach(taught, CHAINS, 200)
    data = taught.save()
    before = taught.predict("a0", 0, 5)
    damaged = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    newer = data[:4] + bytes([data[4] + 1]) + data[5:]
    for wrong in (b"", b"SJPF", b"something else entirely", damaged, newer, data[:40]):
        with pytest.raises(InvalidArgumentError):
            taught.load(wrong)
    with pytest.raises(InvalidArgumentError):
        taught.load("text")
    assert taught.predict("a0", 0, 5) == before
    with pytest.raises(InvalidArgumentError, match="most_keys"):
        Planner(1000, most_keys=10).load(data)


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
