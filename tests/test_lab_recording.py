"""Recordings read back by the laboratory."""

from __future__ import annotations

import random
import zlib

import pytest

from scrubjay import Cache
from scrubjay.lab import TraceError, read_trace, replay
from scrubjay.lab.prefetch.training import train
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


def test_a_recording_of_many_sessions_is_replayed_with_prefetch(tmp_path):
    cache = Cache(max_entries=100)
    with cache.record(tmp_path / "r.rec", sample=1.0):
        for number in range(400):
            cache.get(number % 7, context={"session_id": str(number % 50)})
    trace = read_trace(tmp_path / "r.rec")
    assert max(trace.clients) > 1 << 63  # they are numbered by 64 bits
    assert train([trace], 100).statistics()["accesses"] == 400


@pytest.mark.parametrize("part", ["head", "rows"])
def test_a_damaged_length_costs_no_memory(recorded, tmp_path, part):
    data = recorded[0].read_bytes()
    at = len(recorder.MAGIC)
    if part == "head":
        damaged = data[:at] + recorder.HEADER.pack((1 << 32) - 1) + b"{}"
    else:
        at += recorder.HEADER.size + recorder.HEADER.unpack_from(data, at)[0]
        body = zlib.compress(bytes(1 << 20))
        damaged = data[:at] + recorder.LENGTHS.pack((1 << 32) - 1, len(body)) + body
    path = tmp_path / "damaged.recording"
    path.write_bytes(damaged)
    with pytest.raises(TraceError, match="damaged" if part == "head" else "cannot be"):
        read_trace(path)


def test_a_header_that_is_too_deep_is_refused(tmp_path):
    path = tmp_path / "deep.recording"
    head = b"[" * 200_000
    path.write_bytes(recorder.MAGIC + recorder.HEADER.pack(len(head)) + head)
    with pytest.raises(TraceError, match="damaged"):
        read_trace(path)
