"""Recordings read back by the laboratory."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache
from scrubjay.lab import TraceError, read_trace, replay
from scrubjay.lab.recording import Counts, count_rows
from scrubjay.observe import recorder

pytestmark = pytest.mark.any_build


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Record 600 requests for 50 keys with sizes, costs and two sessions."""
    monkeypatch.setattr(recorder, "ROWS", 200)
    draw = random.Random(1)
    cache = Cache(max_size_mb=1, sizer=len)
    path = tmp_path / "traffic.recording"
    keys = [min(draw.randrange(50), draw.randrange(50)) for _ in range(600)]
    with cache.record(path, sample=1.0):
        for number, key in enumerate(keys):
            context = {"session_id": str(number % 2)}
            if cache.get(key, context=context) is None:
                cache.put(key, b"x" * (10 + key), cost=1.0 + key)
    return path, keys


def test_every_request_is_read_with_its_size_cost_and_session(recorded):
    path, keys = recorded
    trace = read_trace(path)
    assert len(trace) == 600
    assert trace.unique_keys == len(set(keys))
    names = dict(zip(trace.keys, keys, strict=True))
    assert [names[key] for key in trace.keys] == keys
    assert list(trace.sizes) == [10 + key for key in keys]
    assert list(trace.costs) == [1.0 + key for key in keys]
    assert len(set(trace.clients)) == 2
    assert list(trace.seconds) == sorted(trace.seconds)
    assert trace.bad_lines.count == 0


def test_a_recording_is_replayed_like_the_requests_themselves(recorded):
    path, keys = recorded
    cache = Cache(max_entries=10, eviction_strategy="lru")
    for key in keys:
        cache.get_or_load(key, lambda key: key)
    assert replay(read_trace(path).keys, 10, "lru").hits == cache.statistics.cache_hits


def test_a_sample_is_known_with_all_requests(tmp_path):
    cache = Cache(max_entries=100)
    with cache.record(tmp_path / "r.rec", sample=0.25):
        for key in range(400):
            cache.get(key % 200)
    trace = read_trace(tmp_path / "r.rec")
    assert (trace.sample, trace.total_requests) == (0.25, 400)
    assert len(trace) == 2 * trace.unique_keys < 400
    assert read_trace(tmp_path / "r.rec", limit=5).total_requests is None
    assert count_rows(tmp_path / "r.rec") == Counts(0, len(trace), 0)


def test_a_limit_is_kept(recorded):
    assert len(read_trace(recorded[0], limit=100)) == 100


def test_a_recording_that_was_cut_off_is_read_up_to_there(recorded, tmp_path):
    whole = recorded[0].read_bytes()
    cut = tmp_path / "cut.recording"
    cut.write_bytes(whole[:-1])
    trace = read_trace(cut)
    assert 400 < len(trace) < 600
    assert trace.bad_lines.count == 1
    assert "chunk 4" in trace.bad_lines.examples[0]


@pytest.mark.parametrize("damage", [b"", b"something else entirely", b"scrubjay recording 2\n"])
def test_what_is_no_recording_is_refused(damage, tmp_path):
    path = tmp_path / "other.recording"
    path.write_bytes(damage)
    with pytest.raises(TraceError, match="recording"):
        read_trace(path)


def test_flipped_bytes_are_never_fatal(recorded, tmp_path):
    whole = recorded[0].read_bytes()
    draw = random.Random(2)
    for number in range(200):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path = tmp_path / f"{number}.recording"
        path.write_bytes(damaged)
        try:
            trace = read_trace(path)
        except TraceError:
            continue
        assert len(trace) == 600 or trace.bad_lines.count == 1
