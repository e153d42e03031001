"""Pictures: that they are drawn, hold what they should, and are asked for rightly."""

from __future__ import annotations

import json
import sys

import pytest

from scrubjay import CacheError, InvalidArgumentError
from scrubjay.lab import charts
from scrubjay.lab.summary import PolicySummary

pytestmark = pytest.mark.any_build

pytest.importorskip("matplotlib")
pytest.importorskip("typer")

SUMMARIES = [
    PolicySummary("adaptive", 5, 0.05, 0.04, -0.01, "web@1%", 1.2, 0.3),
    PolicySummary("lru", 5, 0.0, 0.0, 0.0, "web@1%", 2.0, 0.0),
    PolicySummary("libcachesim:Sieve", 5, -2.9, 0.01, -7.0, "agent@1%", 2.8, None),
    PolicySummary("belady", 5, 0.2, 0.2, 0.1, "web@1%", None, 1.0),
]


@pytest.fixture
def call(monkeypatch, capsys):
    def call(*arguments):
        from scrubjay import cli

        monkeypatch.setattr(sys, "argv", ["scrubjay", *map(str, arguments), "--processes", "1"])
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


def test_comparison(tmp_path):
    for name in ("c.png", "c.SVG"):
        charts.draw_comparison(SUMMARIES, tmp_path / name)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "c.SVG").read_bytes()
    assert b"<svg" in first
    charts.draw_comparison(SUMMARIES, tmp_path / "c.SVG")
    assert (tmp_path / "c.SVG").read_bytes() == first


def test_nothing_to_compare(tmp_path):
    with pytest.raises(InvalidArgumentError, match="no policy to compare with lru"):
        charts.draw_comparison(SUMMARIES[1:2], tmp_path / "c.png")


def test_where_pictures_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(InvalidArgumentError, match=r"c\.pdf: a picture ends in \.png or \.svg"):
        charts.check_output(tmp_path / "c.pdf")
    with pytest.raises(CacheError, match=r"nowhere/c\.png: No such file"):
        charts.draw_comparison(SUMMARIES, tmp_path / "nowhere" / "c.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(CacheError, match=r"pip install 'scrubjay\[plots\]'"):
        charts.check_output(tmp_path / "c.png")


def test_curve(call, tmp_path):
    traces = [f"gen:{name}:requests=300,keys=50" for name in ("loop", "zipf", "scan")]
    outputs = ["--output", tmp_path / "c.png", "-o", tmp_path / "c.svg"]
    status, out, err = call("curve", *traces, "--capacity", "10%", "50%", *outputs)
    assert status == 0
    assert err.count("drawn:") == 2
    assert "Miss ratio" in out
    assert "gen:loop:requests=300" in out
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "c.svg").read_bytes()


def test_curve_prints_data_and_draws_more_traces_and_bytes(call, tmp_path):
    traces = [f"gen:zipf:requests=100,seed={seed},weighted=1" for seed in range(5)]
    status, out, _ = call(
        "curve", *traces, "--capacity", "5%B", "50%B", "--json", "-o", tmp_path / "c.png",
        "--measure", "bytes",
    )  # fmt: skip
    assert status == 0
    assert len(json.loads(out)["rows"]) == 10
    status, out, _ = call("curve", traces[0], "--csv", "--strategy", "lru", "--no-optimum")
    assert status == 0
    assert len(out.splitlines()) == 11


def test_curve_called_wrongly(call, tmp_path):
    status, _, err = call("curve", "gen:zipf", "-o", tmp_path / "c.jpg")
    assert (status, "c.jpg: a picture ends in" in err) == (2, True)
    status, _, err = call("curve", "gen:zipf", "--capacity", "1%", "5%B")
    assert (status, "in entries or in bytes" in err) == (2, True)
    status, _, err = call("curve", "gen:nothing")
    assert (status, "is none of zipf" in err) == (1, True)


@pytest.mark.parametrize("name", ["a$b", r"p$\foo$"])
def test_dollars_in_names_are_dollars(call, tmp_path, name):
    (tmp_path / f"{name}.txt").write_text("".join(f"{i % 90}\n" for i in range(500)))
    for command, option in (("replay", "--chart"), ("curve", "--output")):
        picture = tmp_path / f"{command}.svg"
        status, _, err = call(
            command, tmp_path / f"{name}.txt", "--capacity", "20%", option, picture
        )
        assert (status, picture.exists()) == (0, True), err


def test_what_cannot_be_drawn_does_not_cost_the_replays(call, tmp_path):
    nowhere = tmp_path / "nowhere" / "c.png"
    for command, option in (("replay", "--chart"), ("curve", "--output")):
        status, out, err = call(command, "gen:zipf:requests=500,keys=90", option, nowhere)
        assert (status, "gen:zipf:requests=500" in out) == (1, True)
        assert f"{nowhere}: No such file" in err
    # A summary of a cache so small says nothing, so there is nothing to draw.
    small = ["gen:zipf:requests=500,keys=90", "--capacity", "2", "--chart", tmp_path / "c.png"]
    status, out, err = call("replay", *small)
    assert (status, "2*" in out, "no policy to compare" in err) == (1, True, True)


def test_a_summary_needs_lru_and_another(call, tmp_path, monkeypatch):
    monkeypatch.setattr("scrubjay.lab.command.run_grid", None)  # it is told before the work
    for strategies in (["adaptive"], ["lru", "--no-optimum"]):
        arguments = ["gen:zipf", "--chart", tmp_path / "c.png", "--strategy", *strategies]
        status, out, err = call("replay", *arguments)
        assert (status, out, "no policy to compare with lru" in err) == (2, "", True)


def test_replay_draws_its_summary(call, tmp_path):
    chart = tmp_path / "c.png"
    arguments = ["gen:zipf:requests=500,keys=90", "--capacity", "20%", "--chart", chart]
    status, _, err = call("replay", *arguments)
    assert status == 0
    assert f"drawn: {chart}" in err
    assert chart.exists()
