"""The commands that replay with prefetch, and train."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from scrubjay import cli

pytest.importorskip("typer")

from scrubjay.prefetch.planner import Planner

pytestmark = pytest.mark.any_build

LOOP = "gen:loop:keys=1000,requests=6000"


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line; returns its status, output and messages."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["scrubjay", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


def test_a_table_of_gains(call):
    status, out, err = call(
        "replay", LOOP, "--capacity", "10%", "--strategy", "lru", "--prefetch",
        "--prefetcher", "scrubjay", "markov-1",
    )  # fmt: skip
    assert status == 0
    assert "markov-1" in out
    assert "Means" in out
    assert err == ""


def test_json_and_csv_hold_the_same(call):
    options = ("replay", LOOP, "--capacity", "100", "--strategy", "lru", "--prefetch", "--lag", "2")
    _, as_json, _ = call(*options, "--json")
    _, as_csv, _ = call(*options, "--csv")
    (row,) = json.loads(as_json)
    (line,) = csv.DictReader(io.StringIO(as_csv))
    assert row["gain"] == pytest.approx(float(line["gain"]))
    assert row["gain"] > 30.0
    assert row["hit_ratio"] > row["hit_ratio_without"]


def test_small_caches_are_left_out_and_bytes_refused(call):
    status, out, err = call("replay", LOOP, "--capacity", "1%", "--prefetch")
    assert (status, out) == (0, "")
    assert "left out, fewer than 64 entries" in err
    status, _, err = call("replay", LOOP, "--capacity", "1MB", "--prefetch")
    assert status == 2
    assert "entries or percent" in err
    status, _, err = call("replay", LOOP, "--capacity", "100", "--prefetch", "--prefetcher", "x")
    assert status == 2
    assert "'x' is not one of" in err


def test_loads_that_take_seconds(call, tmp_path):
    log = tmp_path / "log.csv"
    keys = [key for _ in range(40) for key in range(100)]
    rows = (f"{key},{20 * step // 10}" for step, key in enumerate(keys))
    log.write_text("key,time\n" + "\n".join(rows) + "\n")
    options = ("--capacity", "70", "--strategy", "lru", "--prefetch", "--load-seconds", "3")
    status, out, _ = call("replay", log, "--time-column", "time", *options, "--json")
    assert status == 0
    (row,) = json.loads(out)
    assert row["gain_with_waiting"] > 30.0
    status, out, err = call("replay", LOOP, *options, "--json")
    assert (status, out.strip()) == (0, "[]")
    assert "its requests have no times" in err


@pytest.mark.parametrize("name", ["keys.txt", "[b]keys.txt"])
def test_bad_lines_are_told(call, tmp_path, name):
    log = tmp_path / name
    log.write_bytes(b"\n\xff\n" + b"".join(b"%d\n" % (step % 100) for step in range(400)))
    told = f"{log.stem}: 2 bad lines left out; line 1: empty; line 2: not UTF-8"
    options = ("--capacity", "70", "--strategy", "lru", "--prefetch", "--prefetcher", "markov-1")
    status, out, err = call("replay", log, *options)
    assert (status, f"{log.stem} " in out, told in err) == (0, True, True)
    status, _, err = call("replay", log, *options[2:], "--capacity", "2")
    assert (status, f"{log.stem} at 2: left out" in err) == (0, True)
    status, _, err = call("train", log, "--output", tmp_path / "model.bin")
    assert (status, told in err.replace(log.name, log.stem)) == (0, True)


def test_a_trace_that_cannot_be_read_fails_alone(call, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    options = ("--capacity", "100", "--strategy", "lru", "--prefetch", "--prefetcher", "markov-1")
    status, out, err = call("replay", tmp_path / "empty.txt", LOOP, *options, "--json")
    assert status == 1
    assert [row["trace"] for row in json.loads(out)] == [LOOP]
    assert "empty.txt: there is no request in it" in err


@pytest.mark.parametrize("option", [["--stream"], ["--chart", "c.png"], ["--measure", "bytes"]])
def test_what_prefetch_does_not_know_is_refused(call, option):
    status, out, err = call("replay", LOOP, "--prefetch", *option)
    assert (status, out) == (2, "")
    assert "--prefetch goes without" in err


def test_nothing_is_learned_from_no_requests(call, tmp_path):
    (tmp_path / "keys.txt").write_text("\n")
    status, _, err = call("train", tmp_path / "keys.txt", "--output", tmp_path / "model.bin")
    assert status == 2
    assert "1 bad lines left out; line 1: empty" in err
    assert "keys.txt: there is no request in it" in err
    assert not (tmp_path / "model.bin").exists()


def test_a_trained_model_can_be_loaded(call, tmp_path):
    model = tmp_path / "model.bin"
    status, out, _ = call("train", LOOP, "--output", model, "--entries", "100")
    assert status == 0
    assert "6,000 requests, 1,000 keys" in out
    status, out, err = call("train", LOOP, "--output", model, "--entries", "100", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["model"], told["requests"], told["keys"]) == (str(model), 6000, 1000)
    planner = Planner(100)
    planner.load(model.read_bytes())
    assert [guess.key for guess in planner.predict(5, 0, 1)] == [6]
    status, _, err = call("train", LOOP, "--output", tmp_path / "no" / "model.bin")
    assert status == 2
    assert "error:" in err
