"""Replaying: one trace, and grids of them."""

from __future__ import annotations

from collections import OrderedDict
from random import Random

import pytest

from scrubjay import CacheEvictionStrategy, InvalidArgumentError
from scrubjay.lab import ReplayResult, replay
from scrubjay.lab.capacity import Capacity, in_words
from scrubjay.lab.export import to_csv, to_json
from scrubjay.lab.grid import Cell, Failure, Job, plan_jobs, run_jobs
from scrubjay.lab.model import BadLines, ReadOptions
from scrubjay.lab.summary import PER_CELL, PER_TRACE, collect_rows, summarize

pytestmark = pytest.mark.any_build


def skewed_keys(count=5000, seed=8):
    random = Random(seed)
    return [int(random.paretovariate(0.7)) % 300 for _ in range(count)]


def lru_hits(keys, capacity):
    kept, hits = OrderedDict(), 0
    for key in keys:
        if key in kept:
            hits += 1
            kept.move_to_end(key)
        else:
            if len(kept) == capacity:
                kept.popitem(last=False)
            kept[key] = True
    return hits


@pytest.mark.parametrize("capacity", [1, 8, 100, 1000])
def test_lru_agrees_with_a_model(capacity):
    keys = skewed_keys()
    result = replay(keys, capacity, "lru")
    assert result.requests == len(keys)
    assert result.hits == lru_hits(keys, capacity)
    assert result.misses == result.requests - result.hits
    assert result.hit_ratio + result.miss_ratio == pytest.approx(1)
    assert result.evictions == max(0, result.misses - capacity)


@pytest.mark.parametrize("strategy", list(CacheEvictionStrategy))
def test_every_strategy_counts_compulsory_misses_and_no_others(strategy):
    keys = ["a", "b", "a", None, None, ("c", 1)]
    result = replay(keys, 100, strategy)
    assert (result.requests, result.hits, result.evictions) == (6, 2, 0)
    assert result == ReplayResult(6, 2, 0, result.seconds)


def test_no_requests():
    result = replay([], 10)
    assert result.hit_ratio == result.miss_ratio == 0.0


def test_wrong_arguments_are_told_by_the_cache():
    with pytest.raises(InvalidArgumentError):
        replay(["a"], 0)
    with pytest.raises(InvalidArgumentError):
        replay(["a"], 10, "newest")


@pytest.mark.parametrize(
    ("text", "unique", "entries"),
    [("500", 10, 500), ("1%", 1000, 10), ("0.1%", 100, 1), ("100%", 7, 7), (" 2.5% ", 1000, 25)],
)
def test_capacities(text, unique, entries):
    assert Capacity.parse(text).of(unique) == entries


@pytest.mark.parametrize(
    ("text", "total", "size"),
    [
        ("64B", 1, 64),
        ("1.5kB", 1, 1500),
        ("2 MiB", 1, 2 << 20),
        ("1gb", 1, 10**9),
        ("5%B", 200, 10),
    ],
)
def test_capacities_in_bytes(text, total, size):
    capacity = Capacity.parse(text)
    assert capacity.in_bytes
    assert capacity.of(total) == size


def test_amounts_in_words():
    assert in_words(12345, in_bytes=False) == "12,345"
    assert [in_words(size, in_bytes=True) for size in (999, 1500, 64_000_000)] == [
        "999 B",
        "1.5 kB",
        "64 MB",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "0",
        "-1",
        "0%",
        "101%",
        "nan%",
        "inf%",
        "1.5",
        "many",
        "0MB",
        "3 XB",
        "1%MB",
        "9" * 400 + "MB",
        "9" * 5000,
    ],
)
def test_wrong_capacities(text):
    with pytest.raises(InvalidArgumentError, match="capacity must be"):
        Capacity.parse(text)


@pytest.fixture
def traces(tmp_path):
    paths = []
    for number in range(2):
        path = tmp_path / f"trace{number}.txt"
        path.write_text("".join(f"k{key}\n" for key in skewed_keys(500, number)) + "\n")
        paths.append(path)
    return paths


def grid(paths, **options):
    capacities = [Capacity.parse("5%"), Capacity.parse("20")]
    return plan_jobs(paths, capacities, ["lru", "lfu"], ReadOptions(**options))


@pytest.mark.parametrize("processes", [1, 2])
def test_grid(traces, processes):
    cells = list(run_jobs(grid(traces), processes))
    assert len(cells) == 8
    assert all(isinstance(cell, Cell) for cell in cells)
    rows = collect_rows(cells)
    assert [(row.trace, row.capacity) for row in rows] == [
        (f"trace{number}", capacity) for number in range(2) for capacity in ("5%", "20")
    ]
    for number, path in enumerate(traces):
        keys = path.read_text().split()
        row = rows[2 * number + 1]
        assert row.results["lru"].hits == lru_hits(keys, 20)
        assert row.unique_keys == len(set(keys))
        assert row.bad_lines == BadLines(1, ("line 501: empty",))


def test_limit_applies_to_each_trace(traces):
    cells = list(run_jobs(grid(traces, limit=50)))
    assert {cell.result.requests for cell in cells} == {50}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_trace_that_cannot_be_read_fails_alone(traces, tmp_path, processes):
    outcomes = list(run_jobs(grid([*traces, tmp_path / "missing.txt"]), processes))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert len(outcomes) == 12
    assert len(failures) == 4
    assert "missing.txt" in failures[0].reason


def test_no_jobs():
    assert list(run_jobs([], processes=4)) == []


def cell(trace, strategy, hits, requests=100, capacity="10", path=None, **result):
    job = Job(path or trace, Capacity.parse(capacity), strategy)
    size = 10 if job.capacity.percent else job.capacity.amount
    replayed = ReplayResult(requests, hits, 0, 0.1, **result)
    return Cell(job, trace, 50, size, size, replayed, BadLines())


def test_reduction_against_lru():
    rows = collect_rows(
        [
            cell("a", "lru", 50),
            cell("a", "lfu", 60),
            cell("a", "ttl", 50),
            cell("b", "lru", 20),
            cell("b", "lfu", 0),
            cell("b", "ttl", 20),
        ]
    )
    assert [row.best() for row in rows] == [frozenset({"lfu"}), frozenset({"lru", "ttl"})]
    assert rows[0].reduction("lfu") == pytest.approx(0.2)
    assert rows[1].reduction("lfu") == pytest.approx(-0.25)
    assert rows[1].reduction("priority") is None
    assert [rows[0].rank(name) for name in ("lfu", "lru", "ttl", "none")] == [1, 2.5, 2.5, None]


def test_summary():
    rows = collect_rows(
        [
            *(cell("a", name, hits) for name, hits in [("lru", 50), ("lfu", 60), ("belady", 70)]),
            *(cell("b", name, hits) for name, hits in [("lru", 20), ("lfu", 0), ("belady", 60)]),
            # Too small to count.
            *(cell("c", name, hits, capacity="7") for name, hits in [("lru", 0), ("lfu", 90)]),
        ]
    )
    lru, lfu, per_trace, per_cell, belady = summarize(rows, ["lru", "lfu", "ttl", "belady"])
    assert (lru.policy, lru.cells, lru.mean, lru.mean_rank) == ("lru", 2, 0, 1.5)
    assert (lfu.mean, lfu.median) == (pytest.approx(-0.025), pytest.approx(-0.025))
    assert (lfu.worst, lfu.worst_at) == (pytest.approx(-0.25), "b@10")
    assert lfu.mean_rank == 1.5
    # Half of the way in a, as far in the wrong direction in b.
    assert lfu.gap_closed == pytest.approx((0.5 - 0.5) / 2)
    assert (per_trace.policy, per_cell.policy) == (PER_TRACE, PER_CELL)
    assert per_trace.mean == per_cell.mean == pytest.approx(0.1)
    assert (belady.policy, belady.mean_rank, belady.gap_closed) == ("belady", None, 1)


def test_summary_without_lru_or_without_misses():
    assert summarize(collect_rows([cell("a", "lfu", 1)]), ["lfu"]) == []
    rows = collect_rows([cell("a", "lru", 100), cell("a", "lfu", 100)])
    assert summarize(rows, ["lru", "lfu"]) == []


def test_a_gap_of_next_to_nothing_is_none():
    hits = [("lru", 50_000), ("lfu", 49_000), ("belady", 50_400)]
    (row,) = collect_rows([cell("a", name, count, 100_000) for name, count in hits])
    assert row.reduction("lfu") == pytest.approx(-0.02)
    assert row.gap_closed("lfu") is None
    assert summarize([row], ["lru", "lfu", "belady"])[1].gap_closed is None


def test_measures():
    weights = {"bytes_requested": 1000, "cost_requested": 10.0}
    cells = [
        cell("a", "lru", 50, capacity="10B", bytes_missed=400, cost_missed=5.0, **weights),
        cell("a", "lfu", 60, capacity="10B", bytes_missed=500, cost_missed=4.0, **weights),
        cell("a", "belady", 90, capacity="10B", bytes_missed=200, **weights),
    ]
    (objects,), (of_bytes,), (cost,) = (
        collect_rows(cells, measure) for measure in ("objects", "bytes", "cost")
    )
    assert objects.reduction("lfu") == pytest.approx(0.2)
    assert of_bytes.reduction("lfu") == pytest.approx(-0.25)
    assert cost.reduction("lfu") == pytest.approx(0.2)
    assert objects.gap_closed("lfu") == pytest.approx(0.25)
    assert of_bytes.gap_closed("lfu") == pytest.approx(-0.5)
    assert cost.gap_closed("lfu") is None


def test_a_sum_of_costs_without_end_has_no_share():
    result = replay("aba", 5, "lru", costs=[1e308] * 3)
    assert (result.hits, result.cost_miss_ratio) == (1, None)


def test_traces_of_one_name_stay_apart():
    rows = collect_rows([cell("a", "lru", 1, path="x/a"), cell("a", "lru", 2, path="y/a")])
    assert [row.results["lru"].hits for row in rows] == [1, 2]
    assert [row.trace for row in rows] == ["x/a", "y/a"]


def test_plain_data():
    rows = collect_rows([cell("a", "lru", 50), cell("a", "lfu", 60)])
    failure = Failure(Job("z", Capacity.parse("1"), "lru"), "z: damaged")
    data = to_json(rows, ["lru", "lfu", "ttl"], [failure, failure])
    assert data["rows"][0]["results"]["lfu"]["hit_ratio"] == 0.6
    assert "ttl" not in data["rows"][0]["results"]
    assert data["errors"] == ["z: damaged"]
    assert data["mean_miss_ratio_reduction_against_lru"] == {"lru": 0, "lfu": pytest.approx(0.2)}
    assert [summary["policy"] for summary in data["summary"]] == ["lfu", "lru", PER_TRACE, PER_CELL]
    header, first, second = to_csv(rows, ["lru", "lfu", "ttl"]).splitlines()
    assert header.startswith(
        "trace,capacity,amount,unit,in_summary,requests,unique_keys,policy,hits"
    )
    assert first.startswith("a,10,10,entries,1,100,50,lru,50,0.5,,,0.0,2.0,")
    assert second.split(",")[7:10] == ["lfu", "60", "0.4"]
