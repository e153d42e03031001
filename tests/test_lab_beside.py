"""Policies of libCacheSim beside ours: through a stand-in, and through the library if there."""

from __future__ import annotations

import gc
import json
import sys
from array import array
from importlib.util import find_spec

import pytest

from scrubjay import CacheError
from scrubjay.lab import Trace, TraceError, beside, read_trace, replay
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.contest import compete
from scrubjay.lab.grid import Cell, Failure, plan_jobs, run_jobs

pytestmark = pytest.mark.any_build

# What the library looks like from here; its LRU is right, its S3FIFO crashes.
STAND_IN = """
import os, struct
from collections import OrderedDict

class TraceType:
    ORACLE_GENERAL_TRACE = 3

class ReaderInitParam:
    def __init__(self, ignore_obj_size, ignore_size_zero_req):
        self.ignore_obj_size = ignore_obj_size

class TraceReader:
    def __init__(self, path, kind, parameters):
        with open(path, "rb") as file:
            file.seek(0)
            self.records = list(struct.iter_unpack("<IQIq", file.read()))
        if parameters.ignore_obj_size:
            self.records = [(time, key, 1, then) for time, key, _, then in self.records]

class LRU:
    def __init__(self, size, hashpower):
        self.size = size
    def process_trace(self, reader):
        os.write(1, b"noise")
        kept, misses, missed, total = OrderedDict(), 0, 0, 0
        for _, key, size, _ in reader.records:
            total += size
            if key in kept:
                kept.move_to_end(key)
                continue
            misses += 1
            missed += size
            while kept and sum(kept.values()) + size > self.size:
                kept.popitem(last=False)
            kept[key] = size
        return misses / len(reader.records), missed / total

class S3FIFO(LRU):
    def process_trace(self, reader):
        os.abort()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "libcachesim.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    monkeypatch.delitem(sys.modules, "libcachesim", raising=False)
    yield
    sys.modules.pop("libcachesim", None)


KEYS = [7, 1, 2**63 + 5, 7, 3, 1, 7, 2, 3, 1] * 20


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("keys", [array("Q", KEYS), [f"k{key}" for key in KEYS]])
def test_the_same_requests_are_replayed(keys, capfd):
    trace = Trace("t", keys)
    for capacity in (1, 3, 4):
        theirs = compete(trace, capacity, "libcachesim:LRU")
        assert theirs.hits == replay(keys, capacity, "lru").hits
        assert theirs.requests == 200
    sys.stdout.write("heard\n")
    assert capfd.readouterr().out == "heard\n"


@pytest.mark.usefixtures("stand_in")
def test_the_requests_are_not_kept_longer_than_their_trace():
    trace = Trace("t", array("Q", KEYS))
    beside.run_libcachesim(trace, 3, "LRU")
    ((_, _, file),) = beside._written
    assert not file.closed
    del trace
    gc.collect()
    assert file.closed


@pytest.mark.usefixtures("stand_in")
def test_sizes_are_replayed():
    trace = Trace("t", array("Q", KEYS), sizes=array("Q", [key % 4 * 10 for key in KEYS]))
    theirs = beside.run_libcachesim(trace, 50, "LRU", in_bytes=True)
    ours = replay(trace.keys, 50, "lru", sizes=trace.sizes, in_bytes=True)
    assert (theirs.hits, theirs.bytes_missed) == (ours.hits, ours.bytes_missed)
    # Then without sizes, which is another file.
    assert beside.run_libcachesim(trace, 3, "LRU").hits == replay(trace.keys, 3, "lru").hits
    with pytest.raises(TraceError, match="needs a trace with sizes"):
        beside.run_libcachesim(Trace("t", KEYS), 50, "LRU", in_bytes=True)
    with pytest.raises(TraceError, match="no object above 4294967295 bytes"):
        beside.run_libcachesim(Trace("t", [1], sizes=[1 << 32]), 50, "LRU", in_bytes=True)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_crash_is_one_cell(tmp_path, processes):
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{key}\n" for key in KEYS))
    policies = ["lru", "libcachesim:S3FIFO", "libcachesim:LRU", "belady"]
    jobs = plan_jobs([path], [Capacity.parse("3"), Capacity.parse("4")], policies)
    outcomes = list(run_jobs(jobs, processes))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert sorted(failure.reason for failure in failures) == [
        f"t.txt at {size}: libcachesim:S3FIFO: its process died of signal 6" for size in (3, 4)
    ]
    hits = {
        (cell.amount, cell.job.strategy): cell.result.hits
        for cell in outcomes
        if isinstance(cell, Cell)
    }
    assert len(hits) == 6
    for size in (3, 4):
        assert hits[size, "libcachesim:LRU"] == hits[size, "lru"]


@pytest.mark.usefixtures("stand_in")
def test_the_command_marks_the_cell_and_goes_on(tmp_path, monkeypatch, capfd):
    pytest.importorskip("typer")
    from scrubjay import cli

    path = tmp_path / "t.txt"
    path.write_text("".join(f"{key}\n" for key in KEYS))
    arguments = ["replay", path, "--capacity", "3", "--beside", "libcachesim", "--processes", 1]
    monkeypatch.setenv("NO_COLOR", "1")
    for more in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["scrubjay", *map(str, arguments), *more])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert not caught.value.code
        out, err = capfd.readouterr()
        assert "libcachesim:S3FIFO: its process died of signal 6" in err
        assert "noise" not in out
    data = json.loads(out)
    assert data["strategies"] == [
        "lru",
        "adaptive",
        "libcachesim:LRU",
        "libcachesim:S3FIFO",
        "belady",
    ]
    assert set(data["rows"][0]["results"]) == set(data["strategies"]) - {"libcachesim:S3FIFO"}
    monkeypatch.setattr(sys, "argv", ["scrubjay", *map(str, arguments[:-3]), "libcachesim:ARC"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "'libcachesim:ARC' is none of libcachesim, libcachesim:LRU" in capfd.readouterr().err


@pytest.mark.usefixtures("stand_in")
def test_unknown_policies():
    with pytest.raises(
        CacheError, match="libcachesim has no policy 'Best'; it has libcachesim:LRU"
    ):
        beside.run_libcachesim(Trace("t", [1]), 1, "Best")


def test_the_missing_library_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "libcachesim", None)
    with pytest.raises(CacheError, match=r"pip install 'scrubjay\[beside\]'"):
        beside.available_policies()


@pytest.mark.skipif(find_spec("libcachesim") is None, reason="libcachesim is not installed")
def test_the_library_itself(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("".join(f"{key}\n" for key in KEYS))
    trace = read_trace(path)
    jobs = plan_jobs([path], [Capacity.parse("4")], ["lru", "libcachesim:LRU", "libcachesim:FIFO"])
    hits = {cell.job.strategy: cell.result.hits for cell in run_jobs(jobs)}
    assert hits["libcachesim:LRU"] == hits["lru"] == replay(trace.keys, 4, "lru").hits
    assert hits["libcachesim:FIFO"] != hits["lru"]
