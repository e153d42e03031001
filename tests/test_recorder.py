"""Recording a sample of the requests, and what is in the file."""

from __future__ import annotations

import gc
import json
import logging
import os
import struct
import sys
import threading
import zlib
from array import array
from collections import Counter

import pytest

from scrubjay import AdaptiveCache, Cache, InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.observe import recorder
from scrubjay.observe.recorder import COLUMNS, HIT, MAGIC, MISS, STORED, TOTAL, encoded
from tests.door_helpers import arun


def rows_of(path):
    """Return the header and the rows of a recording, read by hand."""
    data = path.read_bytes()
    assert data.startswith(MAGIC)
    place = len(MAGIC)
    (length,) = struct.unpack_from("<I", data, place)
    place += 4
    header = json.loads(data[place : place + length])
    place += length
    rows = []
    while place < len(data):
        count, size = struct.unpack_from("<II", data, place)
        body = zlib.decompress(data[place + 8 : place + 8 + size])
        place += 8 + size
        columns = []
        start = 0
        for code in COLUMNS:
            column = array(code)
            end = start + count * column.itemsize
            column.frombytes(body[start:end])
            columns.append(column)
            start = end
        assert start == len(body)
        rows.extend(zip(*columns, strict=True))
    return header, rows


def test_every_request_and_store_of_a_sampled_key_is_in_the_file(tmp_path):
    cache = Cache(max_entries=10, sizer=len)
    with cache.record(tmp_path / "r", sample=1.0) as recording:
        cache.get("a")
        cache.put("a", "value", cost=2.5)
        cache.get("a", context={"session_id": "s"})
        assert cache.get_or_load("b", lambda key: "bb") == "bb"
        cache["c"] = "ccc"
        assert cache["c"] == "ccc"
        "c" in cache  # noqa: B015 - no request
        cache.get("d", context={"session_id": "s"})
    assert recording.rows == 8
    assert recording.dropped == 0
    header, rows = rows_of(tmp_path / "r")
    assert header["sample"] == 1.0
    kinds = [row[0] for row in rows]
    assert kinds == [MISS, STORED, HIT, MISS, STORED, STORED, HIT, MISS]
    keys = [row[2] for row in rows]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 4
    assert [row[3] for row in rows] == [0, 5, 0, 0, 2, 3, 0, 0]
    assert rows[1][4] == 2.5 == rows[2][4]
    sessions = [row[5] for row in rows]
    assert sessions[2] == sessions[7] != 0
    assert Counter(sessions)[0] == 6
    moments = [row[1] for row in rows]
    assert moments == sorted(moments)


def test_sizes_are_told_with_the_hits_of_a_cache_bound_by_bytes(tmp_path):
    cache = Cache(max_size_mb=1, sizer=len)
    cache.put("a", "value")
    with cache.record(tmp_path / "r", sample=1.0):
        cache.get("a")
    assert [row[3] for row in rows_of(tmp_path / "r")[1]] == [5]


def test_a_sample_is_of_keys_and_not_of_requests(tmp_path):
    cache = Cache(max_entries=20_000)
    with cache.record(tmp_path / "r", sample=0.1):
        for _ in range(2):
            for key in range(10_000):
                cache.get(key)
    *rows, last = rows_of(tmp_path / "r")[1]
    times = Counter(row[2] for row in rows)
    assert set(times.values()) == {2}
    assert 800 < len(times) < 1200
    assert last == (TOTAL, 0, 20_000, 0, 0.0, 0)


def test_a_sample_tells_of_all_requests_since_it_began(tmp_path):
    cache = Cache(max_entries=200)
    cache.get(0)
    recording = cache.record(tmp_path / "r", sample=0.5)
    for key in range(100):
        cache.get(key)
    recording.stop()
    cache.get(0)
    assert rows_of(tmp_path / "r")[1][-1][:3] == (TOTAL, 0, 100)
    assert recording.rows == len(rows_of(tmp_path / "r")[1]) - 1

    # A cache that is gone has told up to the last request of the sample.
    recording = cache.record(tmp_path / "r", sample=0.5)
    for key in range(100):
        cache.get(key)
    del cache
    gc.collect()
    recording.stop()
    kind, _, total, *_ = rows_of(tmp_path / "r")[1][-1]
    assert kind == TOTAL
    assert 60 < total <= 100


def test_a_sample_tells_nothing_of_counts_begun_anew(tmp_path):
    cache = Cache(max_entries=200)
    for key in range(100):
        cache.get(key)
    with cache.record(tmp_path / "r", sample=0.5):
        cache.forget_counts()
        for key in range(50):
            cache.get(key)
    assert all(row[0] == MISS for row in rows_of(tmp_path / "r")[1])


def test_keys_are_hashed_with_the_secret(tmp_path):
    cache = Cache(max_entries=10)
    keys = []
    for number, secret in enumerate((b"one", b"one", b"two", None, None)):
        with cache.record(tmp_path / str(number), sample=1.0, secret=secret):
            cache.get("somebody@example.com")
        assert b"somebody" not in (tmp_path / str(number)).read_bytes()
        keys.append(rows_of(tmp_path / str(number))[1][0][2])
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_different_keys_are_told_apart():
    keys = ["1", b"1", 1, 1.5, None, ("1",), (1,), ("1", "2"), (("1",), "2"), ("12",), (), "", "()"]
    assert len({encoded(key) for key in keys}) >= len(keys) - 2  # "1" and b"1", "" and ()
    assert encoded("\ud800")


def test_nothing_is_recorded_before_and_after(tmp_path):
    cache = Cache(max_entries=10)
    cache.get("before")
    recording = cache.record(tmp_path / "r", sample=1.0)
    cache.get("within")
    recording.stop()
    cache.get("after")
    recording.stop()
    assert len(rows_of(tmp_path / "r")[1]) == 1
    with cache.record(tmp_path / "r", sample=1.0):
        pass
    assert rows_of(tmp_path / "r")[1] == []


def test_one_recording_at_a_time(tmp_path):
    cache = Cache(max_entries=10)
    with cache.record(tmp_path / "r"), pytest.raises(InvalidArgumentError, match="record"):
        cache.record(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_of_several_threads_one_begins_a_recording(tmp_path):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for attempt in range(20):
            cache = Cache(max_entries=10)
            begun, refused = [], []
            barrier = threading.Barrier(3)

            def begin(name, cache=cache, begun=begun, refused=refused, barrier=barrier):
                barrier.wait()
                try:
                    begun.append(cache.record(tmp_path / name, sample=1.0))
                except InvalidArgumentError as error:
                    refused.append(error)

            threads = [
                threading.Thread(target=begin, args=(f"{attempt}.{number}",)) for number in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            cache.get("a")
            for recording in begun:
                recording.stop()
            assert (len(begun), len(refused)) == (1, 2)
            assert begun[0].rows == 1
    finally:
        sys.setswitchinterval(interval)


def test_a_file_has_one_recording_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    first, second = Cache(max_entries=10), Cache(max_entries=10)
    with first.record(tmp_path / "r", sample=1.0):
        first.get("a")
        with pytest.raises(OSError, match="another recording is written to it"):
            second.record(tmp_path / "r", sample=1.0)
    assert len(rows_of(tmp_path / "r")[1]) == 1
    with second.record(tmp_path / "r", sample=1.0):
        pass
    assert rows_of(tmp_path / "r")[1] == []


def test_a_child_process_does_not_keep_the_file_from_others(tmp_path):
    pytest.importorskip("fcntl")
    cache = Cache(max_entries=10)
    told, tell = os.pipe()
    with cache.record(tmp_path / "r", sample=1.0):
        child = os.fork()
        if child == 0:
            os.close(tell)
            os.read(told, 1)  # until the parent is done
            os._exit(0)
    with cache.record(tmp_path / "r", sample=1.0):
        cache.get("a")
    os.close(tell)
    assert os.waitpid(child, 0)[1] == 0
    os.close(told)
    assert len(rows_of(tmp_path / "r")[1]) == 1


@pytest.mark.parametrize("sample", [0, -1, 1.1, float("nan"), "1", None])
def test_a_senseless_sample_is_refused(sample, tmp_path):
    with pytest.raises(InvalidArgumentError, match="sample"):
        Cache(max_entries=1).record(tmp_path / "r", sample=sample)
    assert not (tmp_path / "r").exists()


def test_a_senseless_secret_is_refused(tmp_path):
    cache = Cache(max_entries=1)
    for secret in (b"", b"x" * 65):
        with pytest.raises(InvalidArgumentError, match="secret"):
            cache.record(tmp_path / "r", secret=secret)
    with pytest.raises(InvalidArgumentTypeError, match="secret"):
        cache.record(tmp_path / "r", secret="word")


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path):
    cache = Cache(max_entries=1)
    with pytest.raises(OSError):
        cache.record(tmp_path / "no such folder" / "r")
    cache.get("a")
    with cache.record(tmp_path / "r", sample=1.0):
        cache.get("a")
    assert len(rows_of(tmp_path / "r")[1]) == 1


def test_a_full_disk_is_logged_and_counted_and_stops_nobody(tmp_path, caplog):
    resource = pytest.importorskip("resource")
    cache = Cache(max_entries=10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with caplog.at_level(logging.ERROR, "scrubjay"):
        recording = cache.record(tmp_path / "r", sample=1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            for number in range(recorder.ROWS + 1):
                cache.get(number)
            recording.stop()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (recording.rows, recording.dropped) == (1, recorder.ROWS)
    assert len(rows_of(tmp_path / "r")[1]) == 1  # the last one fits
    assert "recording" in caplog.text


def test_a_key_that_cannot_be_described_is_counted(tmp_path):
    class Key:
        def __repr__(self):
            raise ZeroDivisionError

    cache = Cache(max_entries=10)
    with cache.record(tmp_path / "r", sample=1.0) as recording:
        assert cache.get(Key()) is None
        assert cache.put(Key(), 1)
    assert recording.dropped == 2
    assert recording.rows == 0


def test_a_recording_ends_with_its_cache(tmp_path):
    cache = Cache(max_entries=10)
    cache.record(tmp_path / "r", sample=1.0)
    cache.get("a")
    del cache
    gc.collect()
    assert len(rows_of(tmp_path / "r")[1]) == 1


def test_a_child_process_leaves_the_file_alone(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    cache = Cache(max_entries=10)
    with cache.record(tmp_path / "r", sample=1.0) as recording:
        cache.get("parent")
        child = os.fork()
        if child == 0:
            cache.get("child")
            recording.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert len(rows_of(tmp_path / "r")[1]) == 1


def test_many_threads_lose_no_row(tmp_path):
    cache = Cache(max_entries=100)
    count = 3000

    def work(name):
        for number in range(count):
            cache.get((name, number))

    with cache.record(tmp_path / "r", sample=1.0) as recording:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert recording.rows + recording.dropped == 4 * count
    keys = {row[2] for row in rows_of(tmp_path / "r")[1]}
    assert len(keys) == 4 * count


def test_the_asynchronous_door_records_too(tmp_path):
    async def main():
        cache = AdaptiveCache(max_entries=10)
        with cache.record(tmp_path / "r", sample=1.0):
            await cache.get("a", context={"session_id": "s"})
            await cache.put("a", 1)
            await cache.get("a")

    arun(main())
    assert [row[0] for row in rows_of(tmp_path / "r")[1]] == [MISS, STORED, HIT]
