"""Memory, disk and Redis as one cache while real servers and devices fail.

Nobody gets a wrong value, waits for longer than the deadline, or sees an error that is the
tier's and not the loader's; and all is as before once the tier is back.
"""

from __future__ import annotations

import gc
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from scrubjay import Cache, Disk, EventKind, InvalidArgumentError, Memory, Redis
from scrubjay.testing import FaultProxy, RedisServer
from tests.door_helpers import opened
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build

TIMEOUT = 0.3
SLACK = 1.5  # seconds; the machine has other things to do
PATIENCE = 30.0
FAILURES = 3  # in a row, until the breaker opens
ROUNDS = 12


@pytest.fixture(params=["sync", "async"])
def door(request):
    with opened(request.param) as make:
        yield make


@pytest.fixture
def server(redis_server):
    """A server that may be ill-treated."""
    with tempfile.TemporaryDirectory(prefix="sj") as at, RedisServer(Path(at)) as server:
        yield server
        server.resume()


@pytest.fixture
def proxy(server):
    with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


class Bench:
    """A cache over memory, a disk and Redis, the truth, and a count of what happened."""

    def __init__(self, make, directory, url, **disk):
        self.counts = Counter()
        self.truth = {}
        self.slowest = 0.0
        remote = Redis(
            url,
            timeout_seconds=TIMEOUT,
            connect_timeout_seconds=TIMEOUT,
            failures=FAILURES,
            retry_seconds=0.05,
        )
        layers = [Memory(max_entries=2), Disk(directory, **{"max_size_mb": 4, **disk}), remote]
        self.cache = make(tiers=layers, eviction_strategy="lru")
        self.cache.on_event(self._count, queued=False)

    def _count(self, event):
        name = event.tier + (" " + event.detail if event.kind is EventKind.BREAKER else "")
        self.counts[event.kind.value, name] += 1

    def timed(self, method, *args, **options):
        start = time.monotonic()
        try:
            return getattr(self.cache, method)(*args, **options)
        finally:
            self.slowest = max(self.slowest, time.monotonic() - start)
            self.counts["calls"] += 1

    def change(self, key, value):
        self.truth[key] = value
        self.timed("put", key, value)

    def look(self, key):
        """Check that there is the current value or none."""
        value = self.timed("get", key)
        assert value in (None, self.truth.get(key)), (key, value)
        self.counts["found" if value is not None else "missed"] += 1
        return value

    def load(self, key):
        assert self.timed("get_or_load", key, lambda key: self.truth[key]) == self.truth[key]

    def exercise(self, rounds=ROUNDS):
        """Put, get, load and invalidate keys, more of them than there is room for in memory."""
        for number in range(rounds):
            key = f"k{number % 4}"
            self.change(key, f"{key} {time.monotonic_ns()}")
            for other in self.truth:
                self.look(other)
            self.load(f"k{(number + 1) % 4}" if number > 3 else key)
            if number % 3 == 2:
                gone = f"k{number % 2}"
                self.timed("invalidate", gone)
                self.truth[gone] = f"{gone} anew {number}"
                value = self.timed("get", gone)
                assert value is None, value

    @property
    def redis(self):
        cache = getattr(self.cache, "cache", self.cache)  # of the door for tests
        return getattr(cache, "sync", cache).lower_tiers()["redis"]

    def recover(self):
        """Use the cache until the tier is back; nothing of before may be found then."""
        end = time.monotonic() + PATIENCE
        while self.redis["state"] != "ok" or self.redis["owed"]:
            assert time.monotonic() < end, self.redis
            self.exercise(4)
            time.sleep(0.01)
        self.exercise()

    def close(self, what):
        close = self.cache.close()
        if close is not None:
            self.cache._loop.run_until_complete(close)
        told = {
            " ".join(one) if isinstance(one, tuple) else one: count
            for one, count in sorted(self.counts.items(), key=str)
        }
        print(f"{what}: slowest {self.slowest:.2f} s, {told}")


@pytest.fixture
def bench(door, tmp_path, proxy, request):
    bench = Bench(door, tmp_path / "disk", f"redis://127.0.0.1:{proxy.port}")
    bench.exercise()
    bench.slowest = 0.0
    yield bench
    bench.close(request.node.name)


def endure(bench, begin, end, *, opens=True):
    """Go through an outage and recover from it."""
    begin()
    before = bench.redis["errors"]
    bench.exercise()
    if opens:
        # Each call of a tier may take the deadline, and a request makes four at most.
        assert bench.slowest < 4 * TIMEOUT + SLACK
        assert bench.counts["breaker", "redis open"] == 1
        assert bench.redis["errors"] > before
        assert bench.redis["skipped"] > bench.redis["errors"]  # it is left alone
    end()
    bench.recover()
    assert bench.counts["found"] > 0
    if opens:
        assert bench.counts["recovered", "redis"] >= 1


def test_a_server_that_is_killed_and_comes_back_empty(bench, server):
    endure(bench, server.kill, server.start)


def test_a_server_that_hangs(bench, server):
    endure(bench, server.stop, server.resume)


@pytest.mark.parametrize("path", [None, 5, "", "a\0b"])
def test_a_directory_that_is_no_path(path):
    with pytest.raises(InvalidArgumentError, match="path"):
        Cache(tiers=[Disk(path)])


def test_a_server_that_refuses(bench, proxy):
    endure(bench, proxy.refuse, proxy.accept)


def test_a_network_that_is_slow(bench, proxy):
    def slow(seconds):
        proxy.delay_seconds = seconds

    endure(bench, lambda: slow(2 * TIMEOUT), lambda: slow(0.0))


def test_connections_that_are_cut_within_a_reply(bench, proxy):
    def cut(after):
        proxy.cut_after = after
        proxy.cut()

    endure(bench, lambda: cut(700), lambda: cut(None), opens=False)


def test_a_server_that_restarts_empty_between_two_calls(bench, server):
    def restart():
        server.kill()
        server.start()

    endure(bench, restart, lambda: None, opens=False)


def test_a_server_that_is_out_of_memory(bench, server):
    with Client(server.socket) as client:
        endure(
            bench,
            lambda: client(b"CONFIG", b"SET", b"maxmemory", b"1"),
            lambda: client(b"CONFIG", b"SET", b"maxmemory", b"0"),
            opens=False,
        )
    assert bench.redis["errors"] > 0


def test_a_replica_that_only_reads(bench, server):
    with Client(server.socket) as client:
        endure(
            bench,
            lambda: client(b"REPLICAOF", b"127.0.0.1", b"1"),
            lambda: client(b"REPLICAOF", b"NO", b"ONE"),
            opens=False,
        )
    assert bench.redis["errors"] > 0


def test_a_password_that_is_changed(bench, server, proxy):
    with Client(server.socket) as client:

        def change(password):
            client(b"CONFIG", b"SET", b"requirepass", password)
            proxy.cut()

        endure(bench, lambda: change(b"other"), lambda: change(b""))


def test_a_request_costs_the_deadline_until_the_breaker_opens_then_nothing(door, tmp_path, proxy):
    bench = Bench(door, tmp_path, f"redis://127.0.0.1:{proxy.port}")
    bench.cache.put("a", 1)
    proxy.black_hole = True
    errors = []
    for number in range(20):
        bench.look(f"absent {number}")
        errors.append(bench.redis["errors"])
    assert errors[:FAILURES] == list(range(1, FAILURES + 1))  # one call each
    most = errors[-1] - FAILURES  # those that tried whether it is back
    assert most <= bench.counts["calls"] - FAILURES
    assert bench.redis["skipped"] >= 20 - FAILURES - most > 0
    proxy.black_hole = False
    proxy.cut()
    bench.recover()
    bench.close("deadline")


# The disk


def test_a_device_that_is_full(door, server, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    device = tmp_path / "device"
    device.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(device)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let anybody mount a tmpfs")
    try:
        bench = Bench(door, device / "cache", server.url, max_size_mb=2, max_entries=1000)
        bench.exercise()
        ballast = (device / "ballast").open("wb", buffering=0)
        with ballast, pytest.raises(OSError, match="space"):
            while True:
                ballast.write(b"x" * 4096)
        for number in range(60):
            bench.change(f"large {number % 9}", os.urandom(100_000))
            bench.look(f"large {(number + 1) % 9}")
        bench.exercise()
        (device / "ballast").unlink()
        bench.exercise()
        assert bench.counts["found"] > 0
        bench.close("a full device")
    finally:
        subprocess.run(["umount", "-l", str(device)], check=True)


@pytest.mark.parametrize("kind", ["a file", "nothing to write to", "foreign"])
def test_a_directory_that_is_of_no_use(door, server, tmp_path, kind):
    at = tmp_path / "disk"
    if kind == "a file":
        at.write_text("not a directory")
    elif kind == "foreign":
        at.mkdir(mode=0o777)
        at.chmod(0o777)
        if os.geteuid() == 0:
            os.chown(at, 12345, 12345)
    else:
        at = Path("/proc/scrubjay")  # nobody makes a directory there
    bench = Bench(door, at, server.url)
    bench.exercise()
    assert bench.counts["found"] > 0
    bench.close(kind)


def test_a_disk_that_breaks_while_it_is_used(door, server, tmp_path):
    bench = Bench(door, tmp_path, server.url)
    bench.exercise()
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name.startswith("data"):
            path.write_bytes(b"\xff" * path.stat().st_size)
    bench.exercise()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()
    bench.exercise()
    bench.close("a broken disk")


def test_an_outage_is_not_seen_from_the_start(tmp_path):
    """Nothing was ever there: no error, no value, and what is stored is kept nearer."""
    remote = Redis("redis://127.0.0.1:1", timeout_seconds=TIMEOUT)
    cache = Cache(tiers=[Memory(max_entries=1), Disk(tmp_path), remote])
    cache.put("a", 1)
    cache.put("b", 2)
    assert (cache.get("b"), cache.get("c")) == (2, None)
    assert cache.get("a") in (None, 1)
    cache.invalidate("a")
    assert cache.get("a") is None
    cache.close()


@pytest.mark.parametrize("writes", ["demoted", "behind"])
def test_a_device_that_is_full_while_nobody_waits(door, tmp_path, writes):
    """What cannot be written is missed, and never what it was before."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    device = tmp_path / "small"
    device.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(device)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let anybody mount a tmpfs")
    disk = Disk(device / "disk", max_size_mb=2, max_entries=1000, writes=writes)
    cache = door(max_entries=8, eviction_strategy="lru", tiers=[Memory(), disk])
    store = getattr(cache, "sync", cache)
    troubles = []
    cache.on_event(troubles.append, [EventKind.FULL, EventKind.TIER_ERROR], queued=False)
    try:
        truth = {}
        served = 0
        for turn in range(400):
            key = turn * 7 % 20
            value = cache.get(key)
            assert value is None or value == truth[key]
            served += value is not None
            truth[key] = (turn, "x" * 30_000)
            assert cache.put(key, truth[key])
            assert cache.get(key) == truth[key]
            if turn == 20:  # for nothing more there is room from here on
                assert store.flush(PATIENCE)
                fill(device / "ballast")
        assert store.flush(PATIENCE)
        for key, expected in truth.items():
            assert cache.get(key) in (None, expected)
        counts = cache.get_detailed_statistics()["tiers"]["disk"]
        assert counts["writes"] > 0
        assert counts["queued"] == 0
        assert served > 0
        assert troubles
    finally:
        store.close()
        troubles.clear()  # errors, whose tracebacks hold the files
        gc.collect()
        subprocess.run(["umount", "-l", str(device)], check=True)


def fill(path):
    """Leave no room on a device."""
    with path.open("wb", buffering=0) as ballast, pytest.raises(OSError, match="space"):
        while True:
            ballast.write(b"x" * 4096)
