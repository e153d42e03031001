"""Workloads made to order."""

from __future__ import annotations

from collections import Counter

import pytest

from scrubjay import InvalidArgumentError
from scrubjay.lab import belady, find_traces, read_trace, replay
from scrubjay.lab.generate import WORKLOADS, from_text, loop, phases, scan, sessions, zipf

pytestmark = pytest.mark.any_build


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_seed_decides_everything(name):
    one, same = (from_text(f"{name}:requests=3000,seed=5,weighted=1") for _ in range(2))
    assert one == same
    assert len(one.keys) == len(one.sizes) == len(one.costs) == 3000
    assert one.clients is None or len(one.clients) == 3000
    other = from_text(f"{name}:requests=3000,seed=6,weighted=1")
    assert (other.keys, other.sizes) != (one.keys, one.sizes)
    assert from_text(f"{name}:requests=3000,seed=5").keys == one.keys
    # A key has one size.
    assert len(set(zip(one.keys, one.sizes, strict=True))) == one.unique_keys
    assert 100 <= min(one.sizes) <= max(one.sizes) <= 1_000_000


def test_zipf_follows_the_power_of_the_rank():
    counts = Counter(zipf(keys=1000, requests=50_000, skew=1.0, seed=1).keys)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.2)
    even = Counter(zipf(keys=10, requests=50_000, skew=0, seed=1).keys)
    assert min(even.values()) > 4500


def test_a_loop_defeats_lru_and_a_scan_only_passes():
    trace = loop(keys=100, requests=5000)
    assert replay(trace.keys, 90, "lru").hits == 0
    assert belady(trace, 90).hits > 4000
    keys = Counter(scan(keys=100, requests=10_000, length=500, every=2000).keys)
    assert sum(count == 1 for key, count in keys.items() if key >= 100) == 2500


def test_phases_change_what_is_best():
    trace = phases(keys=2000, requests=60_000, window=300, length=30_000, seed=2)
    frequent, recent = trace.keys[:30_000], trace.keys[30_000:]
    assert replay(frequent, 300, "lfu").hits > 1.1 * replay(frequent, 300, "lru").hits
    assert replay(recent, 300, "lru").hits > 1.1 * replay(recent, 300, "lfu").hits


def test_sessions_end():
    trace = sessions(requests=20_000, active=10, length=100, seed=3)
    last = {client: position for position, client in enumerate(trace.clients)}
    assert 100 < len(last) < 400
    own = {}
    for key, client in zip(trace.keys, trace.clients, strict=True):
        if key >= 10_000:
            assert own.setdefault(key, client) == client


def test_a_workload_stands_where_a_file_may(tmp_path):
    name = "gen:sessions:requests=500,weighted=1"
    assert [str(path) for path in find_traces([name]).files] == [name]
    trace = read_trace(name, limit=20)
    assert trace.name == name
    assert len(trace.keys) == len(trace.sizes) == len(trace.clients) == len(trace.costs) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gauss", "workload 'gauss' is none of zipf, loop"),
        ("zipf:colour=3", "zipf takes keys, requests, skew, seed, weighted, not 'colour'"),
        ("zipf:keys=many", "zipf: keys is 'many'"),
        ("zipf:keys=0", "zipf: keys is 0, which is too little"),
        ("loop:requests=99999999999999999999", "loop: requests is 9*, which is too much"),
        ("zipf:skew=-1", "skew is -1"),
        ("zipf:skew=nan", "skew is nan"),
    ],
)
def test_wrong_descriptions(text, message):
    with pytest.raises(InvalidArgumentError, match=message):
        from_text(text)
