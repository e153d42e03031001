"""Reading traces: every format, and everything that can be wrong with one."""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path

import pytest

from scrubjay import CacheError
from scrubjay.lab import (
    ReadOptions,
    Trace,
    TraceError,
    find_traces,
    format_names,
    read_trace,
    register_format,
)
from scrubjay.lab import traces as registry

pytestmark = pytest.mark.any_build


def import_zstd():
    if sys.version_info >= (3, 14):
        return pytest.importorskip("compression.zstd")
    return pytest.importorskip("backports.zstd")


def pack(keys, sizes=None, seconds=None, clients=None, *, magic=b"CTR1", flags=None, count=None):
    columns = (sizes, seconds, clients)
    if flags is None:
        flags = sum(1 << bit for bit, column in enumerate(columns) if column is not None)
    payload = struct.pack("<4sIQ", magic, flags, len(keys) if count is None else count)
    payload += struct.pack(f"<{len(keys)}Q", *keys)
    for column in columns:
        if column is not None:
            payload += struct.pack(f"<{len(column)}I", *column)
    return payload


def write_ctr(path, payload):
    path.write_bytes(import_zstd().compress(payload))
    return path


def test_plain_lines_keep_order_and_repetitions(tmp_path):
    path = tmp_path / "web.txt"
    path.write_bytes("a\nb b\r\n ä \na\n".encode())
    trace = read_trace(path)
    assert trace.name == "web"
    assert list(trace.keys) == ["a", "b b", " ä ", "a"]
    assert trace.keys[0] is trace.keys[3]
    assert len(trace) == 4
    assert trace.unique_keys == 3
    assert trace.bad_lines.count == 0


def test_a_mark_of_utf_8_is_no_part_of_a_key(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a\na\n\ufeffa\n", encoding="utf-8-sig")
    assert read_trace(path).keys == ["a", "a", "\ufeffa"]


def test_bad_plain_lines_are_counted_and_told(tmp_path):
    path = tmp_path / "web.keys"
    path.write_bytes(b"a\n\nb\n\xff\xfe\nc")
    trace = read_trace(path)
    assert list(trace.keys) == ["a", "b", "c"]
    assert trace.bad_lines.count == 2
    assert trace.bad_lines.examples == ("line 2: empty", "line 4: not UTF-8 at byte 0")


def test_only_the_first_bad_lines_are_quoted(tmp_path):
    path = tmp_path / "web.txt"
    path.write_text("a\n" + "\n" * 100)
    trace = read_trace(path)
    assert trace.bad_lines.count == 100
    assert len(trace.bad_lines.examples) == 5


@pytest.mark.parametrize("name", ["t.txt", "t.csv", "t.ctr.zst"])
def test_limit_stops_early(tmp_path, name):
    path = tmp_path / name
    if name == "t.ctr.zst":
        write_ctr(path, pack(range(10), sizes=range(10, 20)))
    else:
        path.write_text("key\n" * name.endswith(".csv") + "".join(f"{i}\n" for i in range(10)))
    trace = read_trace(path, limit=3)
    assert [int(key) for key in trace.keys] == [0, 1, 2]
    if trace.sizes is not None:
        assert list(trace.sizes) == [10, 11, 12]


def test_limit_must_be_positive(tmp_path):
    with pytest.raises(TraceError, match="limit"):
        read_trace(tmp_path / "t.txt", limit=0)


def test_csv_reads_the_chosen_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufefftime, key ,url\n1,a,"x, y"\n2,b,"two\nlines"\n', encoding="utf-8")
    assert list(read_trace(path).keys) == ["a", "b"]
    assert list(read_trace(path, key_column="url").keys) == ["x, y", "two\nlines"]


def test_tsv_is_separated_by_tabs(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("n\tkey\n1\ta,b\n")
    assert list(read_trace(path).keys) == ["a,b"]


def test_csv_without_the_column_names_the_columns_there_are(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TraceError, match=r"t\.csv, line 1: there is no column 'key'.*'a', 'b'"):
        read_trace(path)


@pytest.mark.parametrize("content", [b"", b"\n1,2\n", b'"a\n'])
def test_csv_without_a_header(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"line 1: .*header"):
        read_trace(path)


def test_bad_csv_rows_are_counted_and_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'time,key\n1,a\n2\n3,b,c\n4,\n5,\xff\n6,"x"y\n7,z\n')
    trace = read_trace(path)
    assert list(trace.keys) == ["a", "z"]
    assert trace.bad_lines.count == 5
    assert trace.bad_lines.examples[0] == "line 3: 1 fields under a header of 2"
    assert trace.bad_lines.examples[2] == "line 5: the key is empty"
    assert trace.bad_lines.examples[3] == "line 6: the key is not UTF-8"


def test_lines_swallowed_by_an_open_quote_are_all_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('key\na\n"b\nc\nd\n')
    trace = read_trace(path)
    assert list(trace.keys) == ["a"]
    assert trace.bad_lines.count == 3


def test_unprintable_keys_are_keys(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("key\na\x07b\n")
    assert list(read_trace(path).keys) == ["a\x07b"]


def test_compact_columns(tmp_path):
    path = write_ctr(tmp_path / "t.ctr.zst", pack([2**64 - 1, 7, 7], [1, 2, 3], None, [4, 5, 6]))
    trace = read_trace(path)
    assert trace.name == "t"
    assert trace.keys == array("Q", [2**64 - 1, 7, 7])
    assert list(trace.sizes) == [1, 2, 3]
    assert trace.seconds is None
    assert list(trace.clients) == [4, 5, 6]
    assert trace.unique_keys == 2


def test_compact_trace_larger_than_a_chunk(tmp_path):
    keys = range(700_000)
    trace = read_trace(write_ctr(tmp_path / "t.ctr.zst", pack(keys, seconds=keys)), limit=600_001)
    assert trace.keys == array("Q", keys[:600_001])
    assert list(trace.seconds[-2:]) == [599_999, 600_000]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"CTR1", "ends inside its header"),
        (pack([1], magic=b"CTR2"), "starts with b'CTR2'"),
        (pack([1], flags=8), "flags 0x8"),
        (pack([1, 2], count=3), "keys ends after 2 of the 3"),
        (pack([1, 2], count=2**61), "keys ends after 2 of the"),
        (pack([1, 2], flags=1), "sizes ends after 0 of the 2"),
        (pack([1, 2]) + b"x", "more after the last"),
        (pack([]), "there is no request"),
    ],
)
def test_wrong_compact_payloads(tmp_path, payload, problem):
    path = write_ctr(tmp_path / "wrong.ctr.zst", payload)
    with pytest.raises(TraceError, match=problem) as caught:
        read_trace(path)
    assert "wrong.ctr.zst" in str(caught.value)


def test_damaged_frames(tmp_path):
    path = write_ctr(tmp_path / "t.ctr.zst", pack(range(1000)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(TraceError, match="cut short"):
        read_trace(path)
    path.write_bytes(b"not zstd at all")
    with pytest.raises(TraceError, match="not a readable zstd frame"):
        read_trace(path)


def test_missing_zstd_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "backports", None)
    path = tmp_path / "t.ctr.zst"
    path.write_bytes(b"")
    with pytest.raises(TraceError, match=r"scrubjay\[cli\]"):
        read_trace(path)


def test_unknown_formats_and_files(tmp_path):
    with pytest.raises(TraceError, match=r"t\.bin: this ending is not known; .*lines \(\.txt"):
        read_trace(tmp_path / "t.bin")
    with pytest.raises(TraceError, match="format 'parquet' is not known"):
        read_trace(tmp_path / "t.txt", format_name="parquet")
    with pytest.raises(TraceError, match=r"t\.txt: No such file"):
        read_trace(tmp_path / "t.txt")
    assert issubclass(TraceError, CacheError)


def test_a_named_format_overrides_the_ending(tmp_path):
    path = tmp_path / "requests.log"
    path.write_text("a\nb\n")
    trace = read_trace(path, format_name="lines")
    assert list(trace.keys) == ["a", "b"]
    assert trace.name == "requests.log"


def test_nothing_but_bad_lines(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("\n\n")
    with pytest.raises(TraceError, match="no request in it: 2 bad lines, first line 1: empty"):
        read_trace(path)


def test_directories_expand_to_the_traces_in_them(tmp_path):
    for name in ("b.txt", "a.csv", ".hidden.txt", "README.md"):
        (tmp_path / name).write_text("key\nx\n")
    (tmp_path / "manifest.csv").write_text("name,count\nx,1\n")
    (tmp_path / "damaged.ctr.zst").write_bytes(b"?")
    (tmp_path / "broken.csv").write_bytes(b"")
    (tmp_path / "inner.txt").mkdir()
    found = find_traces([tmp_path / "b.txt", tmp_path])
    assert [path.name for path in found.files] == [
        "b.txt",
        "a.csv",
        "broken.csv",
        "damaged.ctr.zst",
    ]
    assert [path.name for path in found.left_out] == ["README.md", "manifest.csv"]
    by_name = find_traces([tmp_path], key_column="name")
    assert "manifest.csv" in [path.name for path in by_name.files]


def test_directories_without_traces_and_missing_paths(tmp_path):
    with pytest.raises(TraceError, match="no trace in this directory"):
        find_traces([tmp_path])
    with pytest.raises(TraceError, match="no such file or directory"):
        find_traces([tmp_path / "nowhere"])


def test_names_too_long_for_a_file(tmp_path):
    with pytest.raises(TraceError, match="too long"):
        find_traces([tmp_path / ("x" * 300)])
    workload = "gen:zipf:" + ",".join(["keys=10"] * 40)
    assert find_traces([workload]).files == (Path(workload),)


def test_a_format_can_be_registered(tmp_path, monkeypatch):
    class Letters:
        name = "letters"
        suffixes = (".letters",)

        def recognises(self, path, options: ReadOptions):
            return True

        def read(self, path, options: ReadOptions):
            return Trace(path.name, list(path.read_text())[: options.limit])

    monkeypatch.setattr(registry, "_formats", dict(registry._formats))
    register_format(Letters())
    assert "letters" in format_names()
    path = tmp_path / "word.letters"
    path.write_text("abba")
    assert read_trace(path, limit=3) == Trace("word", ["a", "b", "b"])
    assert find_traces([tmp_path]).files == (path,)
