"""What other amounts of memory would yield: exact enough, bounded, and free before it is asked.

How exact the figures are is asked of one build: `test_core_builds` sees that they are the same
on both.
"""

from __future__ import annotations

import gc
from functools import lru_cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scrubjay
from scrubjay import AdaptiveCache, Cache, UnsupportedStrategyError, cached, register_strategy
from scrubjay._core.curve import Curve
from scrubjay._core.policies.custom import Metadata
from scrubjay._flow import blocking
from scrubjay.lab import generate
from scrubjay.lab.replay import replay
from scrubjay.observe.advice import advise
from tests.door_helpers import Patient
from tests.models import scaled

ABSENT = object()
SIZES = [0.5, 1.0, 2.0, 4.0]
LENGTH = 20_000


def ask(cache, keys, value=1):
    """Request keys as a replay does; return for each whether it hit."""
    found = []
    for key in keys:
        found.append(cache.get(key, ABSENT) is not ABSENT)
        if not found[-1]:
            cache.put(key, value)
    return found


def popular(random, keys, requests):
    """Requests for keys of which the first are asked for most."""
    return [int(keys * random.random() ** 4) for _ in range(requests)]


def is_gathering(cache):
    return cache.describe_policy()["gathering"]


def gatherers():
    gc.collect()
    return sum(type(thing) is Curve for thing in gc.get_objects())


WORKLOADS = {
    "zipf": (generate.zipf(requests=LENGTH, seed=1), 100),
    "zipf, sampled": (generate.zipf(requests=LENGTH, seed=2), 600),
    "steep zipf, sampled": (generate.zipf(requests=LENGTH, skew=1.2, seed=3), 300),
    "scan": (generate.scan(requests=LENGTH, length=1000, every=4000, seed=4), 200),
    "phases": (generate.phases(requests=LENGTH, length=LENGTH // 4, seed=5), 150),
    "sessions, sampled": (generate.sessions(requests=LENGTH, seed=6), 400),
    "uniform, sampled": (generate.zipf(keys=4000, requests=LENGTH, skew=0.0, seed=7), 500),
}


# Without a compiler, the simulations take long: what is not sampled takes longest.
NAMES = list(WORKLOADS) if scrubjay.compiled else ["zipf, sampled"]


@lru_cache
def figures(name):
    """Return advice on a workload, and what replays with its sizes hit."""
    trace, entries = WORKLOADS[name]
    cache = Cache(max_entries=entries)
    cache.advise()
    ask(cache, trace.keys)
    return cache.advise(), [replay(trace.keys, int(size * entries)).hit_ratio for size in SIZES]


@pytest.mark.any_build
@pytest.mark.parametrize("name", NAMES)
def test_the_figures_are_those_of_a_replay(name):
    advice, exact = figures(name)
    present = advice.steps[1]
    assert advice.requests == LENGTH
    assert [step.factor for step in advice.steps] == SIZES
    for step, ratio in zip(advice.steps, exact, strict=True):
        assert step.memory == int(step.factor * WORKLOADS[name][1])
        assert abs(step.hit_ratio - ratio) <= 0.025
        assert step.hits == round((step.hit_ratio - present.hit_ratio) * LENGTH)
    assert present.hit_ratio == pytest.approx(exact[1], abs=0.002)
    assert present.bound == present.hits == 0
    assert (advice.sampled < 1.0) == ("sampled" in name)


@pytest.mark.any_build
def test_nine_in_ten_figures_lie_within_their_bounds():
    within, bounds = [], []
    for name in NAMES:
        advice, exact = figures(name)
        for step, ratio in zip(advice.steps, exact, strict=True):
            if step.factor != 1.0:
                within.append(abs(step.hit_ratio - ratio) <= step.bound)
                bounds.append(step.bound)
    assert sum(within) >= 0.9 * len(within)
    assert max(bounds) < 0.06


@pytest.mark.any_build
def test_the_hottest_key_makes_no_difference_wherever_it_is():
    """One key has half of the requests: in the sample or not, the gain is the same."""
    for hottest in range(scaled(6, 2)):
        random = Random(1)
        keys = popular(random, 5000, 6000)
        keys = [key if random.random() < 0.5 else -1 - hottest for key in keys]
        cache = Cache(max_entries=400)
        cache.advise()
        ask(cache, keys)
        twice = cache.advise().steps[2]
        assert abs(twice.hit_ratio - replay(keys, 800).hit_ratio) < 0.02


@pytest.mark.any_build
def test_asked_in_the_middle_it_begins_with_what_is_there():
    trace = generate.zipf(requests=LENGTH, seed=8)
    cache = Cache(max_entries=50)
    ask(cache, trace.keys[:5000])
    assert cache.advise().requests == 0
    ask(cache, trace.keys[5000:])
    advice = cache.advise()
    assert 10_000 < advice.requests < 15_000  # the simulations had to become warm
    for step in advice.steps:
        exact = sum(ask(Cache(max_entries=int(50 * step.factor)), trace.keys)[-advice.requests :])
        tolerance = 0.02 if step.bound else 1e-9
        assert step.hit_ratio == pytest.approx(exact / advice.requests, abs=tolerance)


def test_without_evidence_nothing_is_claimed():
    cache = Cache(max_entries=100)
    for _ in range(2):
        advice = cache.advise()
        assert not advice.evidence
        assert advice.steps == ()
        assert "has not been full" in str(advice)
        ask(cache, range(100))
    ask(cache, range(100, 150))
    assert "gathering evidence: 50 requests" in str(cache.advise())
    ask(cache, range(150, 250))
    assert cache.advise().evidence
    running = Cache(max_entries=100)
    ask(running, range(1000))
    assert "gathering evidence: 0 requests" in str(running.advise())


def test_it_costs_nothing_before_it_is_asked_for_nor_after():
    before = gatherers()
    cache = Cache(max_entries=50)
    ask(cache, range(200))
    cache.explain()
    cache.optimize()
    assert not is_gathering(cache)
    assert gatherers() == before
    cache.advise()
    cache.advise()
    ask(cache, range(200))
    assert is_gathering(cache)
    assert gatherers() == before + 1
    assert cache.advise(gather=False).evidence is False  # not warm yet, but the last
    assert not is_gathering(cache)
    assert gatherers() == before
    assert "nothing was gathered" in cache.advise(gather=False).reason
    assert gatherers() == before


def test_gathering_does_not_change_what_is_kept():
    keys = popular(Random(2), 3000, scaled(6000, 2000))
    watched = Cache(max_entries=300)
    watched.advise()
    assert ask(watched, keys) == ask(Cache(max_entries=300), keys)


@pytest.mark.parametrize("strategy", ["lru", "lfu", "ttl", "priority", "own"])
def test_other_strategies_say_what_to_do_instead(strategy):
    class Own:
        def __init__(self, metadata: Metadata) -> None:
            self.slots: list[int] = []

        def on_insert(self, slot):
            self.slots.append(slot)

        def on_hit(self, slot):
            pass

        def on_remove(self, slot):
            self.slots.remove(slot)

        def victim(self):
            return self.slots[0]

    register_strategy("own", Own)
    cache = Cache(max_entries=10, eviction_strategy=strategy)
    for gather in (True, False):
        with pytest.raises(UnsupportedStrategyError, match=r"cache\.record.*scrubjay curve"):
            cache.advise(gather=gather)
    assert cache.gather(True) is None


def test_after_clearing_the_evidence_holds():
    keys = popular(Random(3), 1000, scaled(5000, 1500))
    cache = Cache(max_entries=50)
    cache.advise()
    ask(cache, keys)
    before = cache.advise()
    cache.clear()
    after = cache.advise()
    assert after == before
    ask(cache, keys)
    again = cache.advise()
    assert again.requests == 2 * before.requests
    for old, new in zip(before.steps, again.steps, strict=True):
        assert new.hit_ratio == pytest.approx(old.hit_ratio, abs=0.03)


@pytest.mark.parametrize(
    ("before", "entries"), [(80, 160), (80, 40), *([(240, 300)] if scrubjay.compiled else [])]
)
def test_another_size_begins_anew(before, entries):
    scale = 1 if scrubjay.compiled else 8
    before, entries, length = before // scale, entries // scale, 24_000 // scale
    keys = popular(Random(4), 1000 // scale, length)
    cache = Cache(max_entries=before)
    cache.advise()
    ask(cache, keys[: length // 6])
    assert cache.advise().steps[1].memory == before
    cache.resize(max_entries=entries)
    ask(cache, keys[length // 6 : length // 5])
    assert not cache.advise().evidence
    ask(cache, keys[length // 5 :])
    advice = cache.advise()
    assert [step.memory for step in advice.steps] == [int(entries * size) for size in SIZES]
    assert length / 5 < advice.requests < length * 5 / 6
    for step in advice.steps:
        exact = sum(ask(Cache(max_entries=step.memory), keys)[-advice.requests :])
        assert step.hit_ratio == pytest.approx(exact / advice.requests, abs=0.03)


def test_counting_anew_counts_anew(monkeypatch):
    # A load that took a while would have a cost, and evidence begin anew with the first.
    monkeypatch.setattr(blocking, "perf_counter", lambda: 0.0)

    @cached(max_entries=20)
    def double(number: int) -> int:
        return 2 * number

    double.cache.advise()
    for number in popular(Random(5), 200, 900):
        double(number)
    assert double.cache.advise().requests == 900
    double.cache_clear()
    assert not double.cache.advise().evidence
    for number in popular(Random(5), 200, 600):
        double(number)
    assert double.cache.advise().requests == 600


def test_a_bound_in_bytes_is_told_in_bytes():
    keys = popular(Random(6), 2000, scaled(6000, 3000))
    cache = Cache(max_size_mb=1, sizer=lambda value: 4096, max_value_fraction=1.0)
    cache.advise()
    ask(cache, keys)
    advice = cache.advise()
    assert advice.in_bytes
    assert [step.memory for step in advice.steps] == [2**19, 2**20, 2**21, 2**22]
    for step in advice.steps:
        sizes = [4096] * len(keys)
        exact = replay(keys, int(2**20 * step.factor), sizes=sizes, in_bytes=True).hit_ratio
        assert abs(step.hit_ratio - exact) <= step.bound + 1e-9
    assert "2.0 MB" in str(advice)
    assert "max_entries" not in advice.reason


def test_of_two_bounds_both_grow():
    keys = popular(Random(6), 2000, scaled(6000, 3000))
    cache = Cache(max_size_mb=100, max_entries=256)
    cache.advise()
    ask(cache, keys)
    advice = cache.advise()
    assert [step.memory for step in advice.steps] == [50 << 20, 100 << 20, 200 << 20, 400 << 20]
    assert advice.reason.endswith("max_entries is taken for as many times as large")
    assert advice.steps[2].hits > 0  # which more bytes alone would not gain


@pytest.mark.any_build
def test_entries_that_shrink_begin_anew():
    """Three times as many fit in, of which fewer are sampled: requests count by their share."""
    random = Random(9)
    keys = [random.randrange(4000) for _ in range(44_000)]
    cache = Cache(max_size_mb=1, sizer=lambda value: value, max_value_fraction=1.0)
    cache.advise()
    ask(cache, keys[:6000], value=5000)
    before = cache.advise()
    assert before.sampled == 1.0
    assert before.requests == 6000
    found = ask(cache, keys[6000:8000], value=1500)
    assert not cache.advise().evidence
    found += ask(cache, keys[8000:], value=1500)
    advice = cache.advise()
    assert len(cache) > 600
    assert advice.sampled < 0.5
    assert advice.requests == pytest.approx(44_000 - 32_000, rel=0.1)  # warm by then
    exact = sum(found[-advice.requests :]) / advice.requests
    assert advice.steps[1].hit_ratio == pytest.approx(exact, abs=0.03)


def test_a_table_for_people():
    cache = Cache(max_entries=100)
    cache.advise()
    ask(cache, popular(Random(7), 1000, 5000))
    advice = cache.advise()
    head, *lines = str(advice).splitlines()
    assert head == "adaptive: of 5,000 requests; all keys are simulated"
    assert [line.split()[0] for line in lines] == ["half", "as", "twice", "4"]
    assert len(lines) == len(advice.steps)
    for line, step in zip(lines, advice.steps, strict=True):
        assert f"{step.memory:,} entries" in line
        assert f"{step.hit_ratio:.1%}" in line
        assert ("+/-" in line) == ("hits" in line) == (step.factor != 1.0)
    assert "-" in lines[0].split("+/-")[1]
    assert "+" in lines[3].split("+/-")[1]


def test_the_bound_follows_the_spread_and_what_the_simulation_gets_wrong():
    cache = Cache(max_entries=100)

    def bound(gained, sampled=0.5, off=0):
        sizes = [{"factor": 2.0, "sampled": sampled, "gained": gained}]
        counts = {"requests": 500, "misses": 90, "counted": 500, "missed": 90, "simulated": 500}
        report = {"full": True, "counting": True, "sampled": sampled, "room": 50, "off": off}
        report |= counts | {"sizes": sizes}
        return advise(cache, report, 1000, 200).steps[-1].bound

    even = [2] * 16
    uneven = [0, 4] * 8
    assert bound(even) == pytest.approx(0.005)
    error = 2.131 * (0.5 * 16 * 16 * 4 / 15) ** 0.5 / 500  # 15 of 16: an unbiased variance
    assert bound(uneven) == pytest.approx(0.005 + error)
    assert bound(uneven, sampled=1.0) == pytest.approx(0.005)  # nothing is left to chance
    assert bound(even, off=-10) == pytest.approx(0.005 + 2 * 10 / 500)


def test_requests_before_the_simulations_were_warm_are_no_part_of_it():
    cache = Cache(max_entries=100)
    sizes = [{"factor": 2.0, "sampled": 0.5, "gained": [1] * 16}]
    counts = {"requests": 500, "misses": 200, "counted": 250, "missed": 50, "simulated": 250}
    report = {"full": True, "counting": True, "sampled": 0.5, "room": 50, "off": 0}
    advice = advise(cache, report | counts | {"sizes": sizes}, 1000, 400)
    assert advice.requests == 500
    assert advice.steps[0].hit_ratio == pytest.approx(1 - 100 / 500)
    assert advice.steps[1].hits == 32


def test_the_asynchronous_door_advises_too():
    cache = AdaptiveCache(max_entries=50)
    cache.advise()
    ask(cache.sync, popular(Random(8), 500, 2000))
    assert cache.advise().evidence
    assert cache.advise() == cache.sync.advise()
    cache.advise(gather=False)
    assert not is_gathering(cache.sync)


@settings(max_examples=scaled(40, 10))
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=200), st.integers(1, 60)
)
def test_whatever_happens_the_figures_make_sense(actions, entries):
    cache = Cache(max_entries=entries)
    for action, number in actions:
        if action < 5:
            ask(cache, range(number, number + 5 * action))
        elif action == 5:
            cache.invalidate(number)
        elif action == 6 and number > 300:
            cache.clear()
        elif action == 7 and number > 300:
            cache.resize(max_entries=number - 299)
        elif action == 8:
            cache.optimize()
        else:
            advice = cache.advise(gather=number < 350)
            ratios = [step.hit_ratio for step in advice.steps]
            assert ratios == sorted(ratios)
            assert all(0.0 <= ratio <= 1.0 for ratio in ratios)
            assert all(step.bound >= 0.0 for step in advice.steps)
            assert 0 <= advice.requests <= cache.requests
            assert str(advice)
    assert len(cache) <= (cache.max_entries or 0)


@pytest.mark.untraced
def test_threads_ask_while_others_use_the_cache():
    cache = Cache(max_entries=100)

    def use(seed):
        ask(cache, popular(Random(seed), 1000, 2000))

    def advising():
        for number in range(200):
            assert 0 <= cache.advise(gather=number % 20 != 0).requests <= 8000

    workers = [Patient(use, seed) for seed in range(3)] + [Patient(advising)]
    for worker in workers:
        worker.result()
    ask(cache, range(500))
    assert len(cache) == 100
    held = cache.describe_policy()
    assert held["window"] + held["probation"] + held["protected"] == 100
