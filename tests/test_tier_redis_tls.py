"""The Redis tier over TLS: who vouches for whom, and users with passwords behind it."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
import time
from pathlib import Path

import pytest

from scrubjay import Cache, Memory, Redis
from scrubjay.errors import TierDeniedError, TierUnavailableError
from scrubjay.testing import AwaitedShared, FaultProxy, RedisCluster, RedisServer
from scrubjay.tiers import RedisTier, TierRecord
from tests.certificates import certificates
from tests.redis_servers import Client, need_server

pytestmark = pytest.mark.any_build

TIMEOUT = 0.4
SLACK = 1.5  # seconds; the machine has other things to do
PATIENCE = 20.0
KEYS = [b"%d" % number for number in range(20)]


@pytest.fixture(params=["blocking", "awaited"])
def open_tier(request):
    opened = []

    def open_one(url, **more):
        tier = RedisTier(
            url, **{"timeout_seconds": PATIENCE, "connect_timeout_seconds": 5.0, **more}
        )
        opened.append(tier if request.param == "blocking" else AwaitedShared(tier))
        return opened[-1]

    yield open_one
    for tier in opened:
        tier.close()


def put(tier, key, value):
    return tier.put_many([TierRecord(key, value)])


def fails(call):
    """Check that a call fails as an outage, and before its deadline is long over."""
    start = time.monotonic()
    with pytest.raises(TierUnavailableError):
        call()
    assert time.monotonic() - start < TIMEOUT + SLACK


def until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def files():
    need_server()
    with tempfile.TemporaryDirectory(prefix="sj") as at:
        files = certificates(Path(at))
        options = options_for(files, RedisServer.free_port(), "no")
        try:
            RedisServer(Path(at), options).kill()
        except RuntimeError:
            if os.environ.get("CI"):
                raise
            pytest.skip("the server comes up without TLS only: it was built without")
        yield files


def options_for(files, port, clients):
    return [
        *("--tls-port", str(port), "--tls-auth-clients", clients),
        *("--tls-ca-cert-file", str(files["ca"])),
        *("--tls-cert-file", str(files["cert"]), "--tls-key-file", str(files["key"])),
    ]


def start(files, clients):
    """Start a server, and yield it with the port and a context of those who trust it."""
    port = RedisServer.free_port()
    with (
        tempfile.TemporaryDirectory(prefix="sj") as at,
        RedisServer(Path(at), options_for(files, port, clients)) as server,
    ):
        server.tls_port = port
        server.context = ssl.create_default_context(cafile=files["ca"])
        yield server


@pytest.fixture(scope="module")
def encrypted(files):
    yield from start(files, "no")


@pytest.fixture(scope="module")
def mutual(files):
    yield from start(files, "yes")


def test_tls(open_tier, encrypted):
    url = f"rediss://127.0.0.1:{encrypted.tls_port}"
    tier = open_tier(
        url, tls=encrypted.context, timeout_seconds=PATIENCE, connect_timeout_seconds=5
    )
    value = b"x" * 700_000
    assert put(tier, b"a", value) == [True]
    assert tier.get_many([b"a"] * 5) == [value] * 5
    threads = [threading.Thread(target=put, args=(tier, b"%d" % n, value)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tier.get_many([b"%d" % n for n in range(6)]) == [value] * 6


def test_tls_that_is_cut(open_tier, encrypted):
    with FaultProxy("127.0.0.1", encrypted.tls_port) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}"
        tier = open_tier(url, tls=encrypted.context, timeout_seconds=5, connect_timeout_seconds=5)
        put(tier, b"a", b"1")
        proxy.cut()
        assert tier.get_many([b"a"]) == [b"1"]
        proxy.black_hole = True
        start = time.monotonic()
        tier = open_tier(url, tls=encrypted.context, timeout_seconds=TIMEOUT)
        fails(lambda: tier.get_many([b"a"]))
        assert time.monotonic() - start < TIMEOUT + SLACK


def test_a_certificate_that_nobody_vouches_for(open_tier, encrypted):
    tier = open_tier(
        f"rediss://127.0.0.1:{encrypted.tls_port}", timeout_seconds=5, connect_timeout_seconds=5
    )
    with pytest.raises(TierUnavailableError, match=r"(?i)certificate"):
        tier.get_many([b"a"])


def test_tls_where_there_is_none(open_tier, encrypted):
    short = {"timeout_seconds": TIMEOUT, "connect_timeout_seconds": TIMEOUT}
    tier = open_tier(f"rediss://127.0.0.1:{encrypted.port}", tls=encrypted.context, **short)
    fails(lambda: tier.get_many([b"a"]))
    tier = open_tier(f"redis://127.0.0.1:{encrypted.tls_port}", **short)
    fails(lambda: tier.get_many([b"a"]))


def test_a_certificate_of_another_host(open_tier, encrypted):
    tier = open_tier(f"rediss://localhost:{encrypted.tls_port}", tls=encrypted.context)
    with pytest.raises(TierUnavailableError, match=r"(?i)certificate|hostname"):
        tier.get_many([b"a"])


def test_a_server_that_asks_for_certificates(open_tier, mutual, files):
    url = f"rediss://127.0.0.1:{mutual.tls_port}"
    with pytest.raises(TierUnavailableError):
        open_tier(url, tls=mutual.context).get_many([b"a"])
    known = ssl.create_default_context(cafile=files["ca"])
    known.load_cert_chain(files["cert"], files["key"])
    tier = open_tier(url, tls=known)
    assert put(tier, b"a", b"1") == [True]
    assert tier.get_many([b"a"]) == [b"1"]


def test_a_user_behind_tls(open_tier, encrypted):
    with Client(encrypted.socket) as client:
        client("ACL", "SETUSER", "app", "reset", "on", ">right", "~*", "+@all")
    url = f"127.0.0.1:{encrypted.tls_port}"
    tier = open_tier(f"rediss://app:right@{url}", tls=encrypted.context)
    assert put(tier, b"a", b"1") == [True]
    wrong = open_tier(f"rediss://app:wrong@{url}", tls=encrypted.context)
    with pytest.raises(TierDeniedError):
        wrong.get_many([b"a"])


def test_changes_are_told_through_tls(open_tier, encrypted):
    url = f"rediss://127.0.0.1:{encrypted.tls_port}"
    tier, other = (open_tier(url, tls=encrypted.context) for _ in range(2))
    for turn in range(30):
        written = tier.write(TierRecord(b"k", b"%d" % turn))
        assert tier.barrier() is written.feed
        assert written.watch.live
        other.write(TierRecord(b"k", b"x" * 40_000))
        assert tier.until_changed(written.watch, PATIENCE)  # nobody asks: it listens by itself


def test_caches_behind_tls_say_what_is_wrong(encrypted):
    def cache(**more):
        redis = Redis(f"rediss://127.0.0.1:{encrypted.tls_port}", **more)
        return Cache(namespace="tls", tiers=[Memory(max_entries=10), redis])

    with cache(tls=encrypted.context) as one, cache(tls=encrypted.context) as two:
        one.put("a", 1)
        assert two.get("a") == 1
    with cache() as blind:
        told = []
        blind.on_event(told.append)
        blind.put("b", 2)
        assert blind.get("b") == 2  # memory goes on
        until(lambda: any("certificate" in str(event).lower() for event in told))


def test_a_cluster_behind_tls(open_tier, files):
    ports = []

    def options():
        ports.append(RedisServer.free_port())
        return [*options_for(files, ports[-1], "no"), "--tls-cluster", "yes"]

    context = ssl.create_default_context(cafile=files["ca"])
    with (
        tempfile.TemporaryDirectory(prefix="sj") as at,
        RedisCluster(Path(at), options=options, ports=ports) as cluster,
    ):
        tier = open_tier(f"rediss://127.0.0.1:{ports[0]}", cluster=True, tls=context)
        assert tier.put_many([TierRecord(key, key) for key in KEYS]) == [True] * len(KEYS)
        assert tier.get_many(KEYS) == KEYS
        sizes = [cluster.ask(server, "DBSIZE") for server in cluster.primaries]
        assert min(sizes) > 0
        written = tier.write(TierRecord(b"a", b"1"))
        assert tier.barrier([written.feed]).covers(written.feed)
