"""The command line, as a person uses it."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import struct
import subprocess
import sys
import threading

import pytest

import scrubjay
from scrubjay import cli

pytest.importorskip("typer")

from scrubjay.demo import command as demo_command
from scrubjay.demo.result import DemoResult, Progress
from scrubjay.demo.run import run_demo
from scrubjay.lab.asking import repeat_options

pytestmark = pytest.mark.any_build


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line; returns its status, output and messages."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["scrubjay", *map(str, arguments)])
        # Wide, so that no table is folded; and no colours whatever the terminal.
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "loop.txt").write_text("".join(f"{i % 20}\n" for i in range(400)))
    (tmp_path / "scan.csv").write_text("time,key\n" + "".join(f"{i},{i}\n" for i in range(100)))
    return tmp_path


def test_version(call):
    status, out, err = call("--version")
    assert (status, err) == (0, "")
    build = "compiled" if scrubjay.compiled else "pure Python"
    assert out == f"scrubjay {scrubjay.__version__} ({build})\n"


def test_help_names_the_commands(call):
    status, out, _ = call("--help")
    assert status == 0
    assert "replay" in out
    assert "demo" in out
    _, out, _ = call("replay", "--help")
    assert "--capacity" in out


def test_every_command_has_json():
    import typer

    group = typer.main.get_command(cli._build_app())
    named = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()
    }
    assert {"record", "train", "top", "dashboard", "verify", "demo"} <= set(named)
    assert [name for name, options in named.items() if "--json" not in options] == []


def test_module_can_be_run():
    done = subprocess.run(
        [sys.executable, "-m", "scrubjay", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"scrubjay {scrubjay.__version__}")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_told(tmp_path, missing):
    # A package of that name which cannot be imported stands for one not installed.
    (tmp_path / f"{missing}.py").write_text(
        f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "scrubjay", "replay", "x.txt"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "pip install 'scrubjay[cli]'" in done.stderr
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_our_own_is_not_taken_for_a_missing_extra(monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'scrubjay.nothing'", name="scrubjay.nothing")

    monkeypatch.setattr(cli, "_build_app", fail)
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_replay_prints_a_table(call, directory):
    status, out, err = call(
        "replay", directory, "--capacity", "50%", "20", "--strategy", "lru", "lfu", "--processes", 1
    )
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [
        "│",
        "loop",
        "│",
        "400",
        "│",
        "20",
        "│",
        "20",
        "│",
        "95.00%",
        "│",
        "95.00%",
        "│",
        "95.00%",
        "│",
    ] in lines
    assert any("scan" in line and "50" in line for line in lines)
    assert "gap closed" in out
    assert "belady" in out


def test_replay_prints_json_and_nothing_else(call, directory):
    status, out, err = call(
        "replay", "--strategy", "all", "--capacity", "20", directory, "--limit", 200, "--json"
    )
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert set(data["strategies"]) == {"lru", "lfu", "ttl", "adaptive", "priority", "belady"}
    loop, scan = data["rows"]
    assert (loop["trace"], loop["requests"], loop["entries"]) == ("loop", 200, 20)
    assert loop["results"]["lru"]["hits"] == 180
    assert scan["results"]["adaptive"]["hits"] == 0
    assert data["mean_miss_ratio_reduction_against_lru"]["lfu"] == 0.0


def test_replay_in_processes(call, directory):
    status, out, _ = call("replay", directory, "--processes", 2, "--json", "--capacity", "20")
    assert status == 0
    assert len(json.loads(out)["rows"]) == 2


def test_replay_prints_csv_and_nothing_else(call, directory):
    status, out, err = call("replay", directory, "--capacity", "20", "--csv", "--no-optimum")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("loop,20,20,entries,1,400,20,lru,380,0.05,")


def test_replay_streams(call, directory):
    (directory / "scan.csv").write_text("key,size\n" + "".join(f"{i % 9},5\n" for i in range(90)))
    arguments = [directory, "--capacity", "50%", "45%B", "--json", "--processes", 1]
    status, out, err = call("replay", directory / "scan.csv", *arguments[1:], "--stream")
    assert (status, err) == (0, "")
    streamed = json.loads(out)
    assert streamed["strategies"] == ["lru", "adaptive"]
    _, out, _ = call("replay", directory / "scan.csv", *arguments[1:], "--no-optimum")
    whole = json.loads(out)
    for data in (streamed, whole):
        for row in data["rows"]:
            for result in row["results"].values():
                del result["seconds"]
    assert streamed == whole
    assert [row.get("bytes") for row in whole["rows"]] == [None, 20]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("option", [["--processes", 2], ["--processes", 1], ["--stream"]])
def test_replay_reads_a_pipe_once_for_all(call, tmp_path, option):
    pipe = tmp_path / "loop.txt"
    os.mkfifo(pipe)
    content = "".join(f"{i % 20}\n" for i in range(400))
    writer = threading.Thread(target=pipe.write_text, args=(content,), daemon=True)
    writer.start()
    status, out, err = call("replay", pipe, "--capacity", "20", "50%", "--json", *option)
    assert (status, err) == (0, "")
    writer.join()
    for row in json.loads(out)["rows"]:
        assert (row["trace"], row["requests"], row["unique_keys"]) == ("loop", 400, 20)
    assert json.loads(out)["rows"][1]["results"]["lru"]["hits"] == 380


def test_replay_of_bytes_needs_sizes(call, directory):
    status, out, err = call("replay", directory / "loop.txt", "--capacity", "1kB", "--json")
    assert status == 1
    assert json.loads(out)["rows"] == []
    assert "loop.txt: a capacity in bytes needs a trace with sizes" in err


def test_replay_in_bytes_prints_the_size(call, directory):
    (directory / "sized.csv").write_text("key,size,cost\n" + "a,500,1\nb,700,2\n" * 9)
    arguments = ["--capacity", "1kB", "50%B", "--processes", 1]
    status, out, _ = call("replay", directory / "sized.csv", *arguments, "--measure", "bytes")
    assert status == 0
    assert "Hit ratio of bytes" in out
    assert "1 kB" in out
    assert "1kB*" in out
    assert "upper bound" in out
    assert "another may hit more" not in out
    _, out, _ = call("replay", directory / "sized.csv", "--capacity", "1", "--measure", "cost")
    assert "belady: for capacities in entries the most objects; of cost another may hit more" in out
    status, _, err = call("replay", directory / "sized.csv", "--measure", "luck")
    assert (status, "measure must be one of" in err) == (2, True)


def test_replay_takes_workloads_made_to_order(call):
    status, out, err = call("replay", "gen:loop:keys=40,requests=400", "--capacity", "40", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["rows"][0]["results"]["lru"]["hits"] == 360
    status, _, err = call("replay", "gen:gauss", "--processes", 1)
    assert status == 1
    assert "workload 'gauss' is none of" in err


def test_replay_shows_progress_on_a_terminal(call, directory, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, out, err = call("replay", directory, "--processes", 1)
    assert status == 0
    assert "replaying" in err
    assert "replaying" not in out


def test_demo_shows_figures_on_a_terminal(call, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, out, _ = call("demo", "--ops", 500)
    assert "operations/s" in out
    assert "comparing strategies" in out


def test_replay_reports_bad_lines_and_other_files(call, directory):
    (directory / "loop.txt").write_text("a\n\nb\n")
    (directory / "table.csv").write_text("name\nx\n")
    status, out, err = call("replay", directory, "--capacity", "5", "--processes", 1)
    assert status == 0
    assert "warning: loop: 1 bad lines left out; line 2: empty" in err
    assert f"left out, not a trace: {directory / 'table.csv'}" in err
    assert "loop" in out


def test_replay_reports_the_bad_lines_of_traces_of_one_name(call, tmp_path):
    for place, lines in (("one", "a\n\nb\n"), ("two", "\n\na\n")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x.txt").write_text(lines)
    status, _, err = call("replay", tmp_path / "one", tmp_path / "two", "--processes", 1)
    assert status == 0
    assert f"warning: {tmp_path / 'one' / 'x.txt'}: 1 bad lines left out; line 2: empty" in err
    assert f"warning: {tmp_path / 'two' / 'x.txt'}: 2 bad lines left out; line 1: empty" in err


def test_replay_goes_on_after_a_trace_that_cannot_be_read(call, directory):
    zstd = pytest.importorskip(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    )
    (directory / "x[1].ctr.zst").write_bytes(zstd.compress(struct.pack("<4sIQ", b"CTR1", 0, 9)))
    status, out, err = call("replay", directory, "--capacity", "5", "--processes", 1)
    assert status == 1
    assert err.count("error:") == 1
    assert "x[1].ctr.zst: the column keys ends after 0 of the 9 requests" in err
    assert "loop" in out
    assert "scan" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "nowhere.txt: no such file or directory"),
        (["loop.txt", "--capacity", "lots"], "capacity must be"),
        (["loop.txt", "--strategy", "newest"], "newest"),
        (["loop.txt", "--limit", "0"], "--limit"),
        ([], "TRACE"),
    ],
)
def test_wrong_calls(call, directory, monkeypatch, arguments, message):
    monkeypatch.chdir(directory)
    status, out, err = call("replay", *arguments)
    assert status == 2
    assert out == ""
    assert message in err


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        ("a --capacity 1% 10% 500", "a --capacity 1% --capacity 10% --capacity 500"),
        ("--capacity 1% 2 a b", "--capacity 1% --capacity 2 a b"),
        ("--strategy lru all x --json", "--strategy lru --strategy all x --json"),
        ("--capacity 1% --limit 5 6", "--capacity 1% --limit 5 6"),
        ("--capacity 1% x 2", "--capacity 1% x 2"),
        ("--capacity=1% 2", "--capacity=1% 2"),
        ("--strategy lru -- lru", "--strategy lru -- lru"),
        ("--capacity 5MB 10%B x", "--capacity 5MB --capacity 10%B x"),
        (
            "--beside libcachesim:ARC libcachesim:LRU x",
            "--beside libcachesim:ARC --beside libcachesim:LRU x",
        ),
    ],
)
def test_several_values_may_follow_an_option(given, expanded):
    assert repeat_options(given.split()) == expanded.split()


@pytest.fixture(scope="module")
def result() -> DemoResult:
    return run_demo(600, seed=1)


def test_demo_prints_json_and_nothing_else(call):
    status, out, err = call("demo", "--ops", 500, "--seed", 3, "--json")
    # So few operations are mostly first reads: the targets cannot be reached.
    assert (status, err) == (1, "")
    data = json.loads(out)
    assert (data["operations"], data["seed"], data["faults"]) == (500, 3, 0)
    assert data["reached"] is False


@pytest.mark.parametrize("reached", [True, False])
def test_demo_prints_tables(call, monkeypatch, result, reached):
    def run(operations, seed, show, tiers):
        show(Progress("traffic", 1, 2))
        return FakeResult(**vars(result))

    class FakeResult(DemoResult):
        @property
        def targets(self):
            return {"hit rate above 95%": reached}

    monkeypatch.setattr(demo_command, "run_demo", run)
    status, out, _ = call("demo")
    assert status == (0 if reached else 1)
    assert f"{result.hit_rate:.2%}" in out
    for words in ("source calls saved", "by dependency", "memory", "adaptive", "traffic"):
        assert words in out
    assert ("reached" if reached else "missed") in out


def test_demo_needs_something_to_do(call):
    status, _, err = call("demo", "--ops", 0)
    assert status == 2
    assert "--ops" in err


def test_clients_are_sessions_unless_told_otherwise(call):
    def hits(*option):
        grid = ["gen:sessions:keys=2000,requests=20000,seed=3", "--capacity", "1000", "--json"]
        row = json.loads(call("replay", *grid, *option)[1])["rows"][0]
        return row["results"]["adaptive"]["hits"]

    assert hits() == hits("--sessions") != hits("--no-sessions")


def test_names_of_files_that_are_no_text_are_told_all_the_same(call, tmp_path):
    name = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xff[1].txt"))  # noqa: PTH118
    try:
        pathlib.Path(name).write_text("a\nb\na\n")
    except OSError:
        pytest.skip("names of files are text here")
    status, out, err = call("replay", name, "--capacity", "1", "--processes", "1")
    assert (status, err) == (0, "")
    assert r"\udcff[1]" in out
    status, out, err = call("replay", name + ".none", "--capacity", "1")
    assert (status, out) == (2, "")
    assert r"\udcff[1].txt.none" in err


FULL = pytest.mark.skipif(
    not pathlib.Path("/dev/full").exists(), reason="no device that is always full"
)


@FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "loop.txt"),
        ("replay", "loop.txt", "--csv"),
        ("replay", "loop.txt", "--capacity", "64", "--prefetch", "--csv"),
        ("replay", "loop.txt", "--capacity", "64", "--prefetch", "--json"),
        ("curve", "loop.txt", "--json"),
        ("advise", "loop.txt", "--load-cost", "5ms", "--json"),
    ],
)
def test_output_that_cannot_be_written_is_an_error(directory, arguments, unbuffered):
    with pathlib.Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scrubjay", *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "scrubjay: the output cannot be written: No space left on device\n"
    assert done.returncode == 1


@FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_and_messages_that_cannot_be_written_are_an_error(unbuffered):
    with pathlib.Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scrubjay", "--version"],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=full,
            check=False,
        )
    assert done.returncode == 1


def test_an_error_that_is_not_of_the_output_is_a_bug(monkeypatch):
    def fail():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(cli, "_build_app", lambda: fail)
    monkeypatch.setattr(sys, "argv", ["scrubjay"])
    with pytest.raises(FileNotFoundError):
        cli.main()
