"""Processes of one user find each other, and nobody else finds them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from scrubjay import Cache, CacheError, InvalidArgumentError
from scrubjay.web import places
from scrubjay.web.asking import ask, others
from scrubjay.web.gathering import Gatherer
from scrubjay.web.local import process

pytestmark = [
    pytest.mark.any_build,
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets"),
]

CHILD = """
import sys
from scrubjay import Cache
cache = Cache(max_entries=10, name="of-the-child")
for number in range(7):
    cache.get_or_load(f"user:{number}", str.upper)
end = cache.expose()
print("ready", flush=True)
sys.stdin.readline()
end()
print("ended", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "r"
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(where))
    return where


@contextmanager
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield running
        finally:
            running.kill()


def test_another_process_shows_what_a_process_exposes() -> None:
    with child() as running:
        assert running.stdin is not None
        assert running.stdout is not None
        gatherer = Gatherer(None)
        gatherer.look()
        (row,) = gatherer.rows()
        assert (row["name"], row["loads"]) == ("of-the-child", 7)
        assert str(running.pid) in row["process"]
        detail = gatherer.detail(row["id"])
        assert detail["statistics"]["loads"]["count"] == 7
        assert len(detail["slowest"]) == 0  # nobody listened then
        assert gatherer.inspect(row["id"], "user:1")["where"] == ["memory"]
        assert gatherer.inspect(row["id"], "user:99")["where"] == []
        assert len(gatherer.samples(row["id"])) == 1
        running.stdin.write("\n")
        running.stdin.flush()
        assert running.stdout.readline() == "ended\n"
        gatherer.look()
        assert gatherer.rows() == []
        assert gatherer.detail(row["id"]) is None
        assert gatherer.samples(row["id"]) == []


def test_the_socket_is_for_this_user_alone(place: Path) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    end = cache.expose()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    (path,) = places.sockets().values()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    end()
    assert places.sockets() == {}
    assert not cache.events.wanted


def test_a_place_that_others_may_enter_is_refused(place: Path) -> None:
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    cache: Cache[Any, Any] = Cache(max_entries=5)
    with pytest.raises(CacheError, match="0700"):
        cache.expose()
    assert not cache.events.wanted
    assert len(process.local) == 0


def test_a_link_to_another_place_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheError, match="not a directory of this user"):
        Cache(max_entries=5).expose()


def test_a_path_too_long_for_a_socket_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(tmp_path / ("x" * 120)))
    with pytest.raises(InvalidArgumentError, match="too long"):
        Cache(max_entries=5).expose()


def test_what_a_killed_process_left_behind_is_taken_away(place: Path) -> None:
    with child() as running:
        (path,) = others().values()
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert path.exists()
    assert others() == {}
    assert not path.exists()


@pytest.mark.parametrize(
    "said",
    [b"\n", b"nonsense\n", b"[]\n", b'{"ask": "format"}\n', b'{"ask": "detail"}\n', b"{" * 20_000],
)
def test_nonsense_is_answered_by_nothing_and_hurts_nobody(said: bytes) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="mine")
    end = cache.expose()
    path = places.own_socket()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(os.fspath(path))
        connection.sendall(said)
        with suppress(ConnectionError):
            assert connection.recv(100) in {b"", b"null\n"}
    assert ask(path, {"ask": "overview"})[0]["name"] == "mine"
    end()


def test_a_process_that_does_not_answer_is_left_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrubjay.web.asking._PATIENCE", 0.05)
    with child() as running:
        running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
        gatherer = Gatherer(None)
        gatherer.look()
        assert gatherer.rows() == []
        running.send_signal(signal.SIGCONT)
        gatherer.look()
        assert gatherer.rows() == []  # it is left alone for a while
        gatherer._silent.clear()
        monkeypatch.undo()
        monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(place))
        gatherer.look()
        assert [row["name"] for row in gatherer.rows()] == ["of-the-child"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_leaves_its_parents_socket_alone() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="parent")
    end = cache.expose()
    number = os.fork()
    if number == 0:
        code = 1
        try:
            second = Cache(max_entries=5, name="second").expose()  # type: ignore[var-annotated]
            second()
            code = int(len(process.local) != 0)
        finally:
            os._exit(code)
    assert os.waitpid(number, 0)[1] == 0
    assert ask(places.own_socket(), {"ask": "overview"})[0]["name"] == "parent"
    end()


def test_a_cache_that_is_exposed_twice_stays_until_the_second_end() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    first, second = cache.expose(), cache.expose()
    first()
    first()  # once more does nothing
    assert len(process.local) == 1
    second()
    assert len(process.local) == 0


def test_the_command_prints_what_is_exposed_as_json() -> None:
    with child():
        said = subprocess.run(
            [sys.executable, "-m", "scrubjay", "dashboard", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
    (row,) = json.loads(said.stdout)
    assert row["name"] == "of-the-child"


def test_the_command_says_what_it_could_not_see() -> None:
    command = [sys.executable, "-m", "scrubjay", "dashboard", "--json"]
    said = subprocess.run(
        [*command, "--redis", "redis://127.0.0.1:1"], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == []
    assert "127.0.0.1:1 could not be reached" in said.stderr


@pytest.mark.usefixtures("interruptible")
def test_the_command_serves_the_page_until_it_is_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "scrubjay", "dashboard", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline().startswith("http://127.0.0.1:")
            running.send_signal(signal.SIGINT)
            _, complaints = running.communicate(timeout=30)
        finally:
            running.kill()
        assert running.returncode == 0
        assert "Traceback" not in complaints
