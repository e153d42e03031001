"""The view in a terminal: its words, its screen, and the real thing in tmux."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache
from scrubjay.top import figures
from scrubjay.web.gathering import Gatherer
from scrubjay.web.local import Local

pytestmark = pytest.mark.any_build

# Words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KB"),
        (5 << 30, "5.0 GB"),
        (1 << 50, "1048576.0 GB"),
    ],
)
def test_sizes(number: float | None, words: str) -> None:
    assert figures.size(number) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0.0, "0 ns"), (2e-4, "200 ns"), (0.25, "250.0 µs"), (12.0, "12.0 ms"), (2500.0, "2.5 s")],
)
def test_durations(milliseconds: float, words: str) -> None:
    assert figures.duration(milliseconds) == words


def sample(at: float, requests: int, *hits: int) -> tuple[Any, ...]:
    return (at, requests, list(hits), 0, 0.0, 0.0, 0.0, 0)


def test_the_last_seconds_count() -> None:
    samples = [
        sample(0, 0, 0),
        sample(100, 1000, 0),
        sample(103, 1300, 100),
        sample(105, 1500, 300),
    ]
    assert figures.lately(samples) == (100.0, 0.6)
    assert figures.lately(samples[:1]) == (0.0, None)
    assert figures.lately([sample(0, 5, 5), sample(1, 5, 5)]) == (0.0, None)
    assert figures.lately([sample(0, 5, 5), sample(100, 205, 105)]) == (2.0, 0.5)  # a long gap


def test_hits_of_every_tier_count() -> None:
    assert figures.lately([sample(0, 0, 0, 0), sample(1, 10, 4, 3)]) == (10.0, 0.7)


def test_a_sparkline_shows_shares_and_gaps() -> None:
    samples = [sample(0, 0, 0), sample(1, 10, 0), sample(2, 10, 0), sample(3, 20, 10)]
    assert figures.sparkline(samples, 20) == "▁ █"
    assert figures.sparkline(samples, 1) == "█"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40), st.integers(1, 30))
def test_a_sparkline_is_never_too_long(steps: list[tuple[int, int]], width: int) -> None:
    samples, requests, hits = [], 0, 0
    for at, (more, hit) in enumerate(steps):
        requests += more
        hits += min(more, hit)
        samples.append(sample(at, requests, hits))
    assert len(figures.sparkline(samples, width)) <= width


def test_no_key_tells_the_terminal_what_to_do() -> None:
    local = Local("here (1)")
    cache: Cache[Any, Any] = Cache(max_entries=10, name="\x1b[2Jbusy")
    label = local.add(cache)
    cache.get_or_load("user:\x1b]0;mine\x07", str.upper, tags={"a\x9b"})
    (row,) = local.overview()
    words = figures.detail(dict(local.detail(label) or {}), [], 80)
    assert "mine" in words  # the load was the slowest
    for text in (*figures.row(dict(row), []), *words.split("\n")):
        assert text.isprintable()


# The screen


@pytest.fixture
def caches() -> tuple[Cache[Any, Any], Cache[Any, Any], Gatherer]:
    local = Local("here (1)")
    busy: Cache[Any, Any] = Cache(max_entries=10, name="busy")
    idle: Cache[Any, Any] = Cache(max_entries=10, name="[red]idle[/]", eviction_strategy="lru")
    local.add(busy)
    local.add(idle)
    gatherer = Gatherer(local, machine=False)
    idle.put("a", 1, tags={"[bold]evil[/]"})
    for number in range(20):
        busy.get_or_load(f"user:{number % 12}", str.upper, tags={"team"})
    gatherer.look()
    return busy, idle, gatherer


def test_the_screen_shows_what_was_gathered(
    caches: tuple[Cache[Any, Any], Cache[Any, Any], Gatherer],
) -> None:
    pytest.importorskip("textual", reason="the extra top is not installed")
    from textual.widgets import DataTable, Static

    from scrubjay.top.screen import TopApp

    busy, _, gatherer = caches

    async def main() -> None:
        app = TopApp(gatherer)
        async with app.run_test(size=(140, 30)) as pilot:
            table = app.query_one(DataTable)
            words = app.query_one("#words", Static)

            async def until(true: Callable[[], bool]) -> None:
                for _ in range(3000):  # a busy machine takes its time
                    if true():
                        return
                    await pilot.pause(0.02)
                raise AssertionError(str(words.render()))

            async def shown(text: str) -> None:
                await until(lambda: text in str(words.render()))

            await shown("hottest    team")
            names = [str(table.get_row_at(number)[0]) for number in range(2)]
            assert names == ["busy", "[red]idle[/]"]  # as text, not as markup
            hit_rate = busy.statistics.hit_rate
            assert str(table.get_row_at(0)[4]) == f"{100 * hit_rate:.1f} %"
            assert busy.explain().reason in str(words.render())
            await pilot.press("down")
            await shown("hottest    [bold]evil[/]")
            await pilot.press("n")
            await until(lambda: str(table.get_row_at(0)[0]) == "[red]idle[/]")
            await pilot.press("p")
            await until(lambda: "paused" in str(app.query_one("#status", Static).render()))
            await pilot.press("q")
        assert gatherer.closed

    asyncio.run(main())


CHILD = """
import sys, threading, time
from scrubjay import Cache
cache = Cache(max_entries=100, loader=str.upper, name="profiles")
cache.expose()
def work():
    number = 1
    while True:
        number = number * 48271 % 2147483647
        cache.get_or_load(f"user:{number % 200}", tags={"team-a"})
        if number % 8 == 0:
            time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_real_thing_in_tmux(tmp_path: Path) -> None:
    pytest.importorskip("textual", reason="the extra top is not installed")
    environment = {**os.environ, "SCRUBJAY_RUNTIME_DIR": str(tmp_path / "r")}
    tmux = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux")]
    command = f"{shlex.quote(sys.executable)} -m scrubjay top"

    def screen() -> str:
        return subprocess.run(
            [*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
        ).stdout

    def wait_for(text: str) -> str:
        end = time.monotonic() + 60
        while text not in screen():
            assert time.monotonic() < end, screen()
            time.sleep(0.1)
        return screen()

    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        said = subprocess.run(
            [sys.executable, "-m", "scrubjay", "top", "--json"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        (told,) = json.loads(said)["caches"]
        assert told["detail"]["statistics"]["identity"]["name"] == "profiles"
        subprocess.run(
            [*tmux, "new-session", "-d", "-x", "150", "-y", "30", command],
            check=True,
            env=environment,
        )
        try:
            picture = wait_for("team-a")
            assert "profiles" in picture
            assert "1 cache, by requests" in picture
            (line,) = [line for line in picture.splitlines() if "profiles" in line]
            entries = re.search(r"% +(\d+) ", line)
            # Loads take their time, so that what costs less may be declined for a while.
            assert entries and 90 <= int(entries[1]) <= 100
            subprocess.run([*tmux, "send-keys", "p"], check=True)
            wait_for("paused")
            subprocess.run([*tmux, "send-keys", "q"], check=True)
        finally:
            program.kill()
            subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
