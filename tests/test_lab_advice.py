"""Advice: what is chosen is what costs least, and the trace's sample is made up for."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from array import array
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import Cache, InvalidArgumentError, ManualClock
from scrubjay.lab import Trace, TraceError, generate, read_trace, replay
from scrubjay.lab.advice import OVERHEAD_BYTES, Option, Traffic, Weighing, choose, plan_capacities
from scrubjay.lab.advising import Question, advise, make_plan
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.grid import load_trace, run_jobs
from scrubjay.lab.lifetimes import round_up, shortest_idle, try_lifetimes, worthwhile_idle
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.prices import LoadCost, MemoryPrice, Prices, read_prices
from scrubjay.lab.recording import replaced_ages
from scrubjay.lab.replay import ReplayResult
from scrubjay.lab.timed import replay_timed, with_times

pytestmark = pytest.mark.any_build

MONTH = 730 * 3600
GB = 1e9


def advice_on(path, question):
    load_trace.cache_clear()
    plan = make_plan(path, ReadOptions(), question)
    return advise(plan, list(run_jobs(plan.jobs)), question)


def write_csv(path, rows):
    path.write_text("time,key,size,cost\n" + "".join(f"{t},{k},{s},{c}\n" for t, k, s, c in rows))


@settings(max_examples=25, deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.floats(0.01, 5), st.integers(0, 60), st.floats(0, 3)),
        min_size=60,
        max_size=200,
    ),
    memory=st.floats(1e-3, 1e6),
    load=st.floats(1e-6, 1.0) | st.none(),
    steps=st.integers(2, 6),
    entry=st.integers(1, 10_000),
)
def test_the_advised_capacity_costs_least(tmp_path_factory, requests, memory, load, steps, entry):
    now, rows = 0.0, []
    for gap, key, cost in requests:
        now += gap
        rows.append((now, key, 1, cost))
    path = tmp_path_factory.mktemp("advice") / "t.csv"
    write_csv(path, rows)
    cost = LoadCost() if load is None else LoadCost(load, in_seconds=False)
    prices = Prices(cost, MemoryPrice(memory, "month"), second=2.0 if load is None else None)
    question = Question(prices, ("lru", "lfu"), steps, entry_bytes=float(entry), lifetimes=False)
    advice = advice_on(path, question)

    # The same by hand: what a month of this traffic would cost.
    trace = read_trace(path)
    months = (trace.seconds[-1] - trace.seconds[0]) / MONTH

    def total(amount, strategy):
        result = replay(trace.keys, amount, strategy, costs=trace.costs)
        loads = 2.0 * result.cost_missed if load is None else load * result.misses
        return amount * (entry + OVERHEAD_BYTES) / GB * memory + loads / months

    tried = {(option.amount, option.strategy) for option in advice.options}
    assert max(amount for amount, _ in tried) == trace.unique_keys
    costs = {option: total(*option) for option in tried}
    chosen = (advice.best.amount, advice.best.strategy)
    assert costs[chosen] == pytest.approx(advice.best.total)
    assert costs[chosen] <= min(costs.values()) * (1 + 1e-9)


def option(amount, total, strategy="lru", memory=0.0):
    return Option(strategy, amount, False, None, 0.5, memory, total - memory)


def test_of_equals_the_smallest_is_chosen_and_then_the_first():
    tied = [option(9, 2.0), option(3, 2.0, "lfu"), option(3, 2.0), option(1, 2.5)]
    assert choose(tied, 10.0, weighed=True) is tied[1]


def test_without_a_price_of_memory_the_smallest_near_the_least_is_chosen():
    tried = [option(10, 5.0), option(20, 2.07), option(40, 2.0), option(20, 2.06, "lfu")]
    assert choose(tried, 10.0, weighed=False) is tried[3]
    assert choose(tried, 3.0, weighed=False) is tried[2]


def test_capacities_are_a_geometric_series_and_the_present_one():
    trace = Trace("t", list(range(64_000)))
    traffic = Traffic.of(trace, sample=0.5)
    planned = plan_capacities(traffic, 7, Capacity.parse("300"), in_bytes=False)
    amounts = [capacity.amount for capacity in planned]
    assert amounts[0] == 64
    assert amounts[-1] == 64_000
    assert 150 in amounts
    assert planned[next(c for c in planned if c.amount == 150)] == 300
    series = [amount for amount in amounts if amount != 150]
    ratios = [b / a for a, b in pairwise(series)]
    assert ratios == pytest.approx([1000 ** (1 / 6)] * 6, rel=0.02)
    few = plan_capacities(Traffic.of(Trace("t", [1, 2, 2])), 5, in_bytes=False)
    assert list(few.values()) == [2]
    with pytest.raises(InvalidArgumentError, match="steps must be at least 2"):
        plan_capacities(traffic, 1, in_bytes=False)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The same zipf requests, whole and as a sample of the keys, with 2,000 bytes an entry."""
    folder = tmp_path_factory.mktemp("recordings")
    keys = generate.zipf(keys=4000, requests=30_000, skew=0.6, seed=3).keys
    for sample in (1.0, 0.25):
        cache = Cache(max_entries=100)
        path = folder / f"{sample}.rec"
        with cache.record(path, sample=sample, secret=b"s") as recording:
            for key in keys:
                if cache.get(key) is None:
                    cache.put(key, b"x" * 2000, cost=0.5)
        assert recording.dropped == 0
    return folder


def test_a_sample_is_scaled_up(recordings):
    # A rate, because the times of the two recordings are those of this machine.
    prices = Prices(LoadCost(1e-5, in_seconds=False), MemoryPrice(4.0, "month"))
    question = Question(
        prices, ("lru",), 4, Capacity.parse("800"), "lru", rate=50.0, lifetimes=False
    )
    whole = advice_on(recordings / "1.0.rec", question)
    part = advice_on(recordings / "0.25.rec", question)
    assert whole.weighing.traffic.sample == 1.0
    assert part.weighing.traffic.sample == pytest.approx(0.25)
    assert part.weighing.traffic.unique_keys < 0.4 * whole.weighing.traffic.unique_keys
    assert part.best.amount == pytest.approx(whole.best.amount, rel=0.1)
    assert part.best.memory_bytes == pytest.approx(whole.best.memory_bytes, rel=0.1)
    assert part.present.amount == whole.present.amount == 800
    assert part.weighing.traffic.expected == 7500
    for one, other in ((part.present, whole.present), (part.best, whole.best)):
        assert one.hit_ratio == pytest.approx(other.hit_ratio, abs=0.04)
        assert one.total == pytest.approx(other.total, rel=0.12)
    assert part.without_cache == pytest.approx(whole.without_cache)
    saved, expected = (a.present.total - a.best.total for a in (part, whole))
    assert saved == pytest.approx(expected, rel=0.15)


def test_the_rate_of_a_sample_is_that_of_all_keys():
    trace = Trace("t", list(range(100)), seconds=[i / 10 for i in range(100)], sample=0.25)
    assert Traffic.of(trace).rate == pytest.approx(100 / 9.9 / 0.25)
    assert Traffic.of(trace, sample=0.5).rate == pytest.approx(100 / 9.9 / 0.5)
    assert Traffic.of(trace, rate=3.0).rate == 3.0
    assert Traffic.of(Trace("t", [1, 2])).rate is None


def test_a_sample_asked_for_too_often_is_put_right():
    trace = Trace("t", list(range(100)), seconds=list(range(100)), sample=0.5, total_requests=160)
    traffic = Traffic.of(trace)
    assert (traffic.expected, traffic.rate) == (80.0, pytest.approx(160 / 99))
    weighing = Weighing(traffic, Prices(LoadCost(1.0)))
    result = ReplayResult(requests=100, hits=80, evictions=0, seconds=0.0)
    assert weighing.hit_ratio(result) == 0.75
    assert weighing.of_loads(result) == pytest.approx(20 / 80 * 160 / 99 * 3600)
    assert weighing.without_cache(result) == pytest.approx(160 / 99 * 3600)
    none_hit = ReplayResult(requests=100, hits=0, evictions=0, seconds=0.0)
    assert weighing.hit_ratio(none_hit) == 0.0
    whole = replace(trace, sample=1.0)
    assert Traffic.of(whole).expected == 100


def test_times_are_stretched_to_a_rate():
    trace = Trace("t", [1, 2, 3, 4], seconds=[10.0, 11.0, 11.0, 13.0])
    assert with_times(trace, 4.0, None) is trace
    assert list(with_times(trace, 8.0, 4.0).seconds) == pytest.approx([0, 2 / 3, 2 / 3, 2])
    assert list(with_times(Trace("t", [1, 2, 3]), 3.0, 1.0).seconds) == [0, 1.5, 3]


# Times to live


def timed_trace(rows):
    return Trace("t", [key for _, key in rows], seconds=array("d", [time for time, _ in rows]))


def test_a_timed_replay_expires_as_a_cache_would():
    rows = [(1e9 + t, "a") for t in (0, 50, 59, 61, 130, 189)]
    trace = timed_trace(rows)
    assert replay_timed(trace, 5, "lru").result.hits == 5
    assert replay_timed(trace, 5, "lru", ttl_seconds=60).result.hits == 3
    assert replay_timed(trace, 5, "lru", idle_seconds=60).result.hits == 4
    assert list(replay_timed(trace, 5, "lru").gaps) == [50, 9, 2, 69, 59]


def test_a_timed_replay_without_times_to_live_is_a_replay():
    trace = replace(generate.sessions(requests=4000, seed=5, weighted=True), name="s")
    clocked = with_times(trace, 4000.0, 10.0)
    for in_bytes, capacity in ((False, 300), (True, 20_000_000)):
        for strategy in ("lru", "lfu", "adaptive", "adaptive:bytes"):
            timed = replay_timed(clocked, capacity, strategy, in_bytes=in_bytes).result
            plain = replay(
                trace.keys, capacity, strategy, sizes=trace.sizes, costs=trace.costs,
                in_bytes=in_bytes, clients=trace.clients,
            )  # fmt: skip
            assert timed.hits == plain.hits
            assert timed.cost_missed == pytest.approx(plain.cost_missed)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 8)), min_size=2, max_size=60),
    price=st.sampled_from([1e-6, 1e-4, 1e-3, 5e-3]),
)
def test_no_other_idle_time_leaves_more(rows, price):
    trace = timed_trace(sorted((float(time), key) for time, key in rows))
    costs = [1.0 + key for key in trace.keys]
    idle = worthwhile_idle(trace, costs, price, 10.0)
    end = trace.seconds[-1]

    def gain(limit):
        """Go through the requests with a cache that forgets what is unread for so long."""
        last, kept = {}, 0.0
        for time, key, cost in zip(trace.seconds, trace.keys, costs, strict=True):
            if key in last:
                if time - last[key] <= limit:
                    kept += cost
                kept -= price * (10 + OVERHEAD_BYTES) * min(time - last[key], limit)
            last[key] = time
        held = sum(min(end - time, limit) for time in last.values())
        return kept - price * (10 + OVERHEAD_BYTES) * held

    # None stands for keeping what is asked for again for as long as it takes.
    gaps = [b - a for key in set(trace.keys) for a, b in pairs(trace, key)]
    chosen = max(gaps, default=0.0) if idle is None else idle
    assert gain(chosen) >= max(gain(float(limit)) for limit in range(302)) - 1e-6


def pairs(trace, key):
    times = [time for time, other in zip(trace.seconds, trace.keys, strict=True) if other == key]
    return pairwise(times)


def test_suggested_times_lose_few_hits():
    draw = random.Random(4)
    rows = []
    for key in range(500):
        time = draw.random() * 20_000
        for _ in range(6):
            rows.append((time, key))
            time += draw.expovariate(1 / 40)
    trace = timed_trace(sorted(rows))
    prices = Prices(LoadCost(0.01))
    advice = try_lifetimes(trace, 2000, "lru", weighing_of(trace, prices), in_bytes=False)
    assert 100 < advice.ttl_seconds < 1000
    assert 100 < advice.idle_seconds < advice.ttl_seconds
    kept = replay_timed(trace, 2000, "lru").result.hits
    for name in ("ttl_seconds", "idle_seconds"):
        suggested = getattr(advice, name)
        hits = replay_timed(trace, 2000, "lru", **{name: suggested}).result.hits
        assert 0.99 * kept <= hits < kept
        shorter = replay_timed(trace, 2000, "lru", **{name: suggested * 0.8}).result.hits
        assert shorter < 0.99 * kept
    by_seconds = {tried.seconds: tried for tried in advice.tried}
    assert {60.0, 600.0, 3600.0, advice.ttl_seconds, advice.idle_seconds} == set(by_seconds)
    shown = by_seconds[60.0]
    hits = replay_timed(trace, 2000, "lru", ttl_seconds=60).result.hits
    assert shown.ttl_hit_ratio == hits / len(trace)
    assert shown.ttl_hit_ratio < shown.idle_hit_ratio < advice.hit_ratio
    # Loads for an hour, each a hundredth of a second.
    span = trace.seconds[-1] - trace.seconds[0]
    assert shown.ttl_load_cost == pytest.approx((kept - hits) * 0.01 / span * 3600)


def weighing_of(trace, prices):
    return Weighing(Traffic.of(trace), prices)


def test_no_time_is_suggested_where_the_trace_is_too_short_to_tell():
    trace = timed_trace([(0.0, 1), (1.0, 2), (90.0, 1), (100.0, 2)])
    advice = try_lifetimes(
        trace, 5, "lru", weighing_of(trace, Prices(LoadCost(1.0))), in_bytes=False
    )
    assert (advice.ttl_seconds, advice.idle_seconds) == (None, None)
    assert [tried.seconds for tried in advice.tried] == [60.0]
    still = timed_trace([(5.0, 1), (5.0, 1)])
    weighing = weighing_of(still, Prices(LoadCost(1.0)))
    assert try_lifetimes(still, 5, "lru", weighing, in_bytes=False) is None
    assert shortest_idle([], 5.0) is None


@pytest.mark.parametrize(
    ("seconds", "rounded"),
    [(1.0, 1.0), (1.001, 1.1), (3612, 3700), (100, 100), (0.0123, 0.013), (0, 0.001)],
)
def test_times_are_rounded_up(seconds, rounded):
    assert round_up(seconds) == rounded


def test_what_was_stored_anew_is_told_from_loads(tmp_path, monkeypatch):
    clock = ManualClock()
    monkeypatch.setattr(
        "scrubjay.observe.recorder.time.monotonic_ns", lambda: int(clock.monotonic() * 1e9)
    )
    cache = Cache(max_entries=9, ttl_seconds=100, clock=clock)
    with cache.record(tmp_path / "r.rec", sample=1.0):
        cache.get("a")
        cache.put("a", 1)
        clock.advance(30)
        cache.put("a", 2)  # the source has changed
        clock.advance(7)
        cache["a"] = 3
        clock.advance(150)
        cache.get("a")
        cache.put("a", 4)  # a load
        cache.put("b", 1)
    assert list(replaced_ages(tmp_path / "r.rec")) == [30.0, 7.0]
    question = Question(Prices(LoadCost(1.0)), steps=2)
    advice = advice_on(tmp_path / "r.rec", question)
    assert (advice.replaced, advice.replaced_seconds) == (2, 18.5)


# Prices


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("4/month", MemoryPrice(4.0, "month")),
        ("0.005USD/hour", MemoryPrice(0.005, "hour", "USD")),
        (" 3.5 € / month", MemoryPrice(3.5, "month", "€")),
        ("1e-3/hour", MemoryPrice(0.001, "hour")),
        ("0/hour", MemoryPrice(0.0, "hour")),
    ],
)
def test_prices_of_memory(text, price):
    assert MemoryPrice.parse(text) == price


def test_a_price_of_memory_is_for_a_gb():
    assert MemoryPrice(7.3, "month").per_byte_second * GB * 3600 == pytest.approx(0.01)


@pytest.mark.parametrize(
    "text", ["", "4", "4/day", "-1/hour", "x/hour", "1.2.3/hour", "1e999/hour"]
)
def test_no_prices_of_memory(text):
    with pytest.raises(InvalidArgumentError, match="memory-price must be"):
        MemoryPrice.parse(text)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("0.0001", LoadCost(0.0001, in_seconds=False)),
        ("2 EUR", LoadCost(2.0, in_seconds=False, currency="EUR")),
        ("50ms", LoadCost(0.05)),
        ("0.2s", LoadCost(0.2)),
        ("2min", LoadCost(120.0)),
        ("1h", LoadCost(3600.0)),
        ("2 Sec", LoadCost(2.0)),
        ("5MS", LoadCost(0.005)),
        ("2\u00b5s", LoadCost(2e-6)),
        ("2\u03bcs", LoadCost(2e-6)),
        ("recorded:min", LoadCost(scale=60.0)),
        ("recorded", LoadCost()),
        ("recorded:ms", LoadCost(scale=0.001)),
        ("recorded:USD", LoadCost(in_seconds=False, currency="USD")),
    ],
)
def test_costs_of_loads(text, cost):
    assert LoadCost.parse(text) == cost


@pytest.mark.parametrize("text", ["", "0", "-1", "ms", "1 2", "nan", "inf"])
def test_no_costs_of_loads(text):
    with pytest.raises(InvalidArgumentError, match="load-cost must be"):
        LoadCost.parse(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None, "0.1", None), "memory-price: needed"),
        (("4/month", "5ms", None), "second-price: needed"),
        (("4/month", "0.1", "2"), "the loads have a price already"),
        (("4/month", "5ms", "0"), "second-price must be"),
        (("4USD/month", "0.1EUR", None), "several currencies: EUR, USD"),
        (("4USD/month", "5ms", "1EUR"), "several currencies"),
        ((None, "5ms", "2"), "memory-price: needed"),
    ],
)
def test_prices_must_fit_together(given, message):
    with pytest.raises(InvalidArgumentError, match=message):
        read_prices(*given)


def test_costs_are_in_seconds_or_money():
    result = replay([1, 2, 1], 5, "lru", costs=[100.0, 50.0, 100.0])
    trace = Trace("t", [1, 2, 1], costs=[100.0, 50.0, 100.0])
    prices = read_prices("4/month", "recorded:ms", "2")
    assert prices.of_misses(result) == pytest.approx(0.3)
    assert prices.of_all(result) == pytest.approx(0.5)
    assert list(prices.of_each(trace)) == pytest.approx([0.2, 0.1, 0.2])
    prices = read_prices(None, "10ms", None)
    assert (prices.of_misses(result), prices.in_money) == (pytest.approx(0.02), False)
    with pytest.raises(TraceError, match="say it with --load-cost"):
        read_prices(None, "recorded", None).check(Trace("t", [1]))


# The command


@pytest.fixture
def call(monkeypatch, capsys):
    pytest.importorskip("typer")
    from scrubjay import cli

    def call(*arguments):
        load_trace.cache_clear()
        everything = ["scrubjay", "advise", *map(str, arguments), "--processes", "1"]
        monkeypatch.setattr(sys, "argv", everything)
        monkeypatch.setenv("COLUMNS", "250")
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def traffic(tmp_path):
    """Two hours of requests for 99 keys of 1,000 bytes, each load of which took 20 ms."""
    draw = random.Random(6)
    keys = (min(draw.randrange(99), draw.randrange(99)) for _ in range(900))
    rows = [(8 * number, key, 1000, 0.02) for number, key in enumerate(keys)]
    write_csv(tmp_path / "web.csv", rows)
    return tmp_path / "web.csv"


def test_advice_in_words(call, traffic):
    status, out, err = call(
        traffic, "--memory-price", "4USD/month", "--load-cost", "recorded", "--second-price",
        "0.0001", "--capacity", "20kB", "--strategy", "lru", "--steps", 6,
    )  # fmt: skip
    assert (status, err) == (0, "")
    text = " ".join(out.split())
    assert text.startswith("web: keep ")
    for words in (
        "less than now (20 kB under lru", "less than without a cache", "Cache(max_size_mb=",
        "costs a month", "(USD)", "advised", "now", "without a cache", "Hit ratio with times to live",
        "1 min", "10 min", "1 h", "The trace spans 2 h", "first requests for a key",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(("keys", "size"), [(482, 1001), (5, 100_000)])
def test_the_cache_that_is_advised_hits_as_promised(call, tmp_path, keys, size):
    loop = [number % keys for number in range(10 * keys)]
    write_csv(tmp_path / "loop.csv", [(number, key, size, 0.02) for number, key in enumerate(loop)])
    status, out, _ = call(tmp_path / "loop.csv", "--try", "lru", "--json", "--no-lifetimes")
    assert status == 0
    (advice,) = json.loads(out)["advice"]
    cache = eval(advice["code"].replace("Cache(", f"Cache(sizer=lambda value: {size}, "))
    hits = 0
    for key in loop:
        hits += cache.get(key) is not None
        cache.put(key, "value")
    assert hits / len(loop) == advice["best"]["hit_ratio"] == 0.9


def test_a_strategy_may_have_an_objective(call, traffic):
    status, out, err = call(traffic, "--try", "adaptive:bytes", "--steps", 3, "--json")
    assert (status, err) == (0, "")
    (advice,) = json.loads(out)["advice"]
    assert advice["best"]["strategy"] == "adaptive:bytes"
    assert advice["lifetimes"]["hit_ratio"] == pytest.approx(advice["best"]["hit_ratio"])
    assert eval(advice["code"]).objective.value == "bytes"


def test_what_is_told_of_lifetimes_knows_the_sessions(call):
    status, out, _ = call(
        "gen:sessions:requests=40000,seed=5", "--requests-per-second", 20, "--entry-size", "20kB",
        "--memory-price", "4USD/month", "--load-cost", "0.00000005USD", "--try", "adaptive", "--json",
    )  # fmt: skip
    assert status == 0
    (advice,) = json.loads(out)["advice"]
    assert advice["best"]["amount"] < advice["traffic"]["unique_keys"] / 2
    assert advice["lifetimes"]["hit_ratio"] == pytest.approx(advice["best"]["hit_ratio"])


def test_advice_as_data(call, traffic):
    arguments = [traffic, "--memory-price", "4/month", "--load-cost", "0.0001", "--steps", 5]
    status, out, err = call(*arguments, "--capacity", 50, "--try", "lru", "lfu", "--json")
    assert (status, err) == (0, "")
    data = json.loads(out)
    (advice,) = data["advice"]
    assert advice["unit"] == "money"
    assert len(advice["options"]) == 6 * 3  # adaptive is the one in use
    assert advice["present"]["amount"] == 50
    totals = [option["total"] for option in advice["options"]]
    assert advice["best"]["total"] == min(totals)
    assert advice["saved_against_present"] == advice["present"]["total"] - min(totals)
    assert advice["lifetimes"]["tried"][0]["seconds"] > 0
    status, out, _ = call(*arguments, "--csv", "--no-lifetimes")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert len(lines) == 5 * 3
    assert [line["best"] for line in lines].count("1") == 1
    best = next(line for line in lines if line["best"] == "1")
    assert float(best["total"]) == min(float(line["total"]) for line in lines)


def test_only_the_time_of_loads(call, traffic):
    status, out, _ = call(traffic, "--load-cost", "20ms", "--steps", 5)
    assert status == 0
    assert "Loads take" in out
    assert "s an hour" in out
    assert "within 1% of the least" in out


def test_requests_without_times(call):
    arguments = ["gen:zipf:keys=500,requests=4000", "--steps", 4, "--load-cost", "0.001"]
    arguments += ["--memory-price", "4/month"]
    status, out, _ = call(*arguments)
    assert status == 0
    assert "for a thousand requests" in out
    assert "--requests-per-second makes up for it" in out
    status, _, err = call(*arguments, "--requests-per-second", 10)
    assert (status, "say the mean with --entry-size" in err) == (1, True)
    arguments += ["--requests-per-second", "10", "--entry-size"]
    status, out, _ = call(*arguments, "1000")
    assert status == 0
    assert "a month" in out
    assert "Times are made to fit 10 requests a second, evenly spaced." in out


def test_sizes_of_nothing_are_not_known(call, tmp_path):
    write_csv(tmp_path / "web.csv", [(number, number % 9, 0, 0) for number in range(90)])
    status, out, _ = call(tmp_path / "web.csv", "--steps", 2, "--json")
    assert status == 0
    (advice,) = json.loads(out)["advice"]
    assert (advice["best"]["in_bytes"], advice["best"]["memory_bytes"]) == (False, None)
    priced = [tmp_path / "web.csv", "--memory-price", "4/month", "--load-cost", "0.1"]
    assert "say the mean with --entry-size" in call(*priced)[2]
    assert "needs a trace with sizes" in call(*priced, "--entry-size", 5, "--capacity", "1kB")[2]


def test_no_cache_pays(call, traffic):
    status, out, _ = call(
        traffic, "--memory-price", "9e9/hour", "--load-cost", "0.0001", "--steps", 2
    )
    assert status == 0
    assert "at these prices no cache pays" in out
    assert ", memory and loads cost " in " ".join(out.split())


def test_what_is_in_use_may_be_best(call, traffic):
    status, out, _ = call(
        traffic, "--memory-price", "0/hour", "--load-cost", "1", "--capacity", "100%", "--steps", 2
    )
    assert status == 0
    assert "that is what is in use" in out
    assert "whether more would help" in out


def test_advice_on_a_sample(call, recordings):
    status, out, _ = call(
        recordings,
        "--load-cost",
        "1ms",
        "--steps",
        2,
        "--capacity",
        10,
        "--strategy",
        "lru",
        "--try",
        "lru",
        "--no-lifetimes",
    )
    assert status == 0
    text = " ".join(out.split())
    assert text.count("Cache(max_entries=") == 2
    assert "The trace holds a sample of 0.25 of the keys" in text
    assert "fewer than 8 keys of the sample" in text


def test_some_traces_cannot_be_judged(call, traffic):
    Path(traffic.parent / "keys.txt").write_text("a\nb\na\n")
    status, out, err = call(traffic, traffic.parent / "keys.txt", "--steps", 2, "--json")
    assert status == 1
    data = json.loads(out)
    assert [advice["traffic"]["name"] for advice in data["advice"]] == ["web"]
    assert data["errors"] == ["keys: what loads cost was not recorded; say it with --load-cost"]
    assert "error: keys: what loads cost" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--memory-price", "4"], "memory-price must be"),
        (["--load-cost", "x"], "load-cost must be"),
        (["--strategy", "lru"], "strategy: the present one says nothing without --capacity"),
        (["--capacity", "some"], "capacity must be"),
        (["--capacity", "9", "--strategy", "newest"], "newest"),
        (["--try", "newest"], "newest"),
        (["--entry-size", "5%"], "entry-size must be"),
        (["--requests-per-second", "0"], "requests-per-second must be above 0"),
        (["--sample", "1.5"], "sample must be above 0 and at most 1"),
        (["--steps", "1"], "--steps"),
        (["nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_wrong_calls(call, traffic, arguments, message):
    status, out, err = call(traffic, *arguments)
    assert (status, out) == (2, "")
    assert message in err
