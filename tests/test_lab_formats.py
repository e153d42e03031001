"""The formats of traces one by one: block traces, oracleGeneral, named columns, chunks."""

from __future__ import annotations

import os
import struct
import sys
import threading
from array import array

import pytest

from scrubjay.lab import ReadOptions, TraceError, read_trace, stream_trace
from scrubjay.lab import chunks as chunking

pytestmark = pytest.mark.any_build

RECORDS = [(10, 7, 100, 2), (11, 2**64 - 1, 5, -1), (12, 7, 100, -1)]


def import_zstd():
    if sys.version_info >= (3, 14):
        return pytest.importorskip("compression.zstd")
    return pytest.importorskip("backports.zstd")


def oracle(records=RECORDS):
    return b"".join(struct.pack("<IQIq", *record) for record in records)


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of three requests, in every module that makes them."""
    for module in ("chunks", "lines", "columns", "oracle"):
        monkeypatch.setattr(f"scrubjay.lab.{module}.CHUNK_REQUESTS", 3)


def test_arc_requests_become_one_a_block(tmp_path):
    path = tmp_path / "P1.lis"
    path.write_text("100 3 0 0\n5 1 0 1\n")
    trace = read_trace(path)
    assert trace.name == "P1"
    assert trace.keys == array("Q", [100, 101, 102, 5])
    assert trace.bad_lines.count == 0


def test_bad_arc_lines_are_counted_and_told(tmp_path):
    path = tmp_path / "t.lis"
    path.write_bytes(b"1 2 0 0\n1 2 0\n\n1 0 0 0\n-1 1 0 0\n1 99999999999 0 0\n9 1 0 0\n")
    trace = read_trace(path)
    assert list(trace.keys) == [1, 2, 9]
    assert trace.bad_lines.count == 5
    assert trace.bad_lines.examples == (
        "line 2: 3 fields, not 4",
        "line 3: 0 fields, not 4",
        "line 4: 0 blocks from 1 on make no sense",
        "line 5: '-1' is not a number",
        "line 6: 99999999999 blocks from 1 on make no sense",
    )


def test_the_limit_may_fall_inside_a_request(tmp_path):
    path = tmp_path / "t.lis"
    path.write_text("100 5 0 0\n1 1 0 1\n")
    assert list(read_trace(path, limit=3).keys) == [100, 101, 102]


def test_lirs_lines_with_stars_are_no_requests(tmp_path):
    path = tmp_path / "t.trc"
    path.write_text("1\n*\n 2 \n* end\nx\n\n1\n18446744073709551616\n")
    trace = read_trace(path)
    assert trace.keys == array("Q", [1, 2, 1])
    assert trace.bad_lines.examples == (
        "line 5: 'x' is not a number",
        "line 6: empty",
        "line 8: 18446744073709551616 is no block number",
    )


@pytest.mark.parametrize("name", ["t.oracleGeneral", "t.oracleGeneral.bin", "t.oracleGeneral.zst"])
def test_oracle_general(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(import_zstd().compress(oracle()) if name.endswith("zst") else oracle())
    trace = read_trace(path)
    assert trace.name == "t"
    assert trace.keys == array("Q", [7, 2**64 - 1, 7])
    assert list(trace.sizes) == [100, 5, 100]
    assert list(trace.seconds) == [10, 11, 12]
    assert trace.unique_bytes == 105
    assert list(read_trace(path, limit=2).keys) == [7, 2**64 - 1]


def test_oracle_general_under_another_name(tmp_path):
    path = tmp_path / "w80.sample10.zst"
    path.write_bytes(import_zstd().compress(oracle()))
    assert len(read_trace(path, format_name="oracleGeneral")) == 3


SKIPPABLE = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"


@pytest.mark.parametrize("name", ["t.oracleGeneral.zst", "t.oracleGeneral"])
def test_several_frames_and_such_as_hold_nothing_are_one_trace(tmp_path, name):
    zstd = import_zstd()
    path = tmp_path / name
    frames = [zstd.compress(oracle(part)) for part in (RECORDS[:1], RECORDS[1:])]
    path.write_bytes(SKIPPABLE + frames[0] + SKIPPABLE + frames[1])
    assert list(read_trace(path).keys) == [7, 2**64 - 1, 7]


def test_a_damaged_frame_is_not_taken_for_records(tmp_path):
    frame = bytearray(import_zstd().compress(oracle(RECORDS * 50)))
    frame[0] ^= 1
    path = tmp_path / "t.oracleGeneral.zst"
    path.write_bytes(frame)
    with pytest.raises(TraceError, match=r"t\.oracleGeneral\.zst: not a readable zstd frame"):
        read_trace(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_pipe_is_read_from_its_first_byte(tmp_path, compressed):
    content = oracle()
    if compressed:
        content = import_zstd().compress(content)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    assert list(read_trace(path, format_name="oracleGeneral").keys) == [7, 2**64 - 1, 7]
    writer.join()


def test_a_record_cut_short_is_counted_and_told(tmp_path):
    path = tmp_path / "t.oracleGeneral"
    path.write_bytes(oracle()[:-5])
    trace = read_trace(path)
    assert len(trace) == 2
    assert trace.bad_lines.examples == ("record 3: 19 of 24 bytes",)


def test_columns_under_their_usual_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "time,key,size,session,cost,note\n"
        "1.5,a,10,ann,0.25,x\n"
        "1970-01-01T00:01:00Z,b,20,bob,3,y\n"
        "1970-01-01 00:02:00,a,10,ann,0.25,z\n"
    )
    trace = read_trace(path)
    assert trace.sizes == array("Q", [10, 20, 10])
    assert trace.seconds == array("d", [1.5, 60, 120])
    assert trace.clients == array("Q", [0, 1, 0])
    assert trace.costs == array("d", [0.25, 3, 0.25])


def test_columns_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("url,length,when,who,ms\na,10,0,x,5\n")
    trace = read_trace(
        path,
        key_column="url",
        size_column="length",
        time_column="when",
        client_column="who",
        cost_column="ms",
    )
    assert (list(trace.keys), list(trace.sizes), list(trace.costs)) == (["a"], [10], [5])
    plain = read_trace(path, key_column="url")
    assert plain.sizes is plain.seconds is plain.clients is plain.costs is None
    with pytest.raises(TraceError, match="there is no column 'width'; the header names 'url'"):
        read_trace(path, key_column="url", size_column="width")


def test_rows_with_wrong_numbers_are_bad(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "key,size,time,cost\na,x,1,1\nb,1,noon,1\nc,1,1,-1\nd,-1,1,1\ne,1,nan,1\nf,1,1,1\n"
    )
    trace = read_trace(path)
    assert list(trace.keys) == ["f"]
    assert len(trace.sizes) == len(trace.seconds) == len(trace.costs) == 1
    assert trace.bad_lines.count == 5
    assert trace.bad_lines.examples[:3] == (
        "line 2: the size is 'x', not a number of bytes",
        "line 3: the time is 'noon', neither seconds nor ISO 8601",
        "line 4: the cost is '-1', not a number from 0 up",
    )


def test_numbers_that_cannot_be_summed_are_bad(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "key,size,time,cost\na,1,0,1e308\na,1,1e308,1\na,1,-1e308,1\n"
        f"a,{2**63},0,1\na,{2**63 - 1},-1e9,1e99\n"
    )
    trace = read_trace(path)
    assert (len(trace), trace.bad_lines.count) == (1, 4)
    assert trace.bad_lines.examples[0] == "line 2: the cost is '1e308', not a number from 0 up"


def test_unique_bytes_take_the_first_size(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("key,size\na,10\nb,1\na,99\n")
    assert read_trace(path).unique_bytes == 11


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.txt", b"1\n2\n\n3\n4\n5\n6\n7\n"),
        ("t.csv", b"key,size\n1,1\n2,2\n,9\n3,3\n4,4\n5,5\n6,6\n7,7\n"),
        ("t.lis", b"1 5 0 0\nbad\n6 2 0 1\n"),
        ("t.trc", b"1\n2\n3\n*\n4\n5\nbad\n6\n7\n"),
        ("t.oracleGeneral", oracle([(n, n, n, -1) for n in range(1, 8)]) + b"x"),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_chunks_come_to_the_whole(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    chunks = list(stream_trace(path))
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert {chunk.name for chunk in chunks} == {"t"}
    assert [int(key) for chunk in chunks for key in chunk.keys] == list(range(1, 8))
    assert sum(chunk.bad_lines.count for chunk in chunks) == 1
    whole = read_trace(path)
    assert [int(key) for key in whole.keys] == list(range(1, 8))
    assert whole.sizes is None or list(whole.sizes) == list(range(1, 8))
    assert whole.bad_lines.count == 1
    limited = list(stream_trace(path, ReadOptions(limit=4)))
    assert sum(map(len, limited)) == 4


def test_a_format_without_chunks_comes_whole(tmp_path):
    path = tmp_path / "t.ctr.zst"
    path.write_bytes(import_zstd().compress(struct.pack("<4sIQ2Q", b"CTR1", 0, 2, 5, 6)))
    (only,) = stream_trace(path)
    assert list(only.keys) == [5, 6]
    assert len(only) < chunking.CHUNK_REQUESTS


def test_streams_of_missing_files_and_formats(tmp_path):
    with pytest.raises(TraceError, match=r"t\.txt: No such file"):
        list(stream_trace(tmp_path / "t.txt"))
    with pytest.raises(TraceError, match="this ending is not known"):
        list(stream_trace(tmp_path / "t.bin"))
