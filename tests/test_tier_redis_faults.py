"""The Redis tier when the server or the network fails: no wrong value, no hang, recovery."""

from __future__ import annotations

import asyncio
import gc
import math
import random
import tempfile
import threading
import time
from pathlib import Path

import pytest

from scrubjay.errors import (
    TierDeniedError,
    TierError,
    TierFullError,
    TierUnavailableError,
)
from scrubjay.testing import Awaited, FaultProxy, Operation, RedisServer, unexplained
from scrubjay.tiers import RedisTier, TierRecord
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build

TIMEOUT = 0.4
SLACK = 1.5  # seconds; the machine has other things to do
PATIENCE = 20.0


@pytest.fixture(params=["blocking", "awaited"])
def face(request):
    return request.param


@pytest.fixture
def open_tier(face, redis_server):
    """A function that opens a tier, whose faults are those of one face."""
    opened = []

    def open_one(url, **more):
        tier = RedisTier(
            url, **{"timeout_seconds": TIMEOUT, "connect_timeout_seconds": TIMEOUT, **more}
        )
        opened.append(tier if face == "blocking" else Awaited(tier))
        return opened[-1]

    yield open_one
    for tier in opened:
        tier.close()


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


def url_of(proxy):
    return f"redis://127.0.0.1:{proxy.port}"


def put(tier, key, value):
    return tier.put_many([TierRecord(key, value)])


def fails(call):
    """Check that a call fails as an outage, and before its deadline is long over."""
    start = time.monotonic()
    with pytest.raises(TierUnavailableError) as caught:
        call()
    assert time.monotonic() - start < TIMEOUT + SLACK
    return caught.value


def recovers(call):
    """Call until it succeeds; it has to before long. Return what it returns."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except TierUnavailableError:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_server_that_was_never_there(open_tier):
    tier = open_tier("redis://127.0.0.1:1")
    fails(lambda: tier.get_many([b"a"]))
    fails(lambda: put(tier, b"a", b"1"))


def test_a_host_that_does_not_exist(open_tier):
    fails(lambda: open_tier("redis://no-such-host.invalid").get_many([b"a"]))


def test_something_else_listens_there(open_tier, proxy, server):
    tier = open_tier("unix://" + str(server.directory / "server.log"))
    fails(lambda: tier.get_many([b"a"]))


def test_a_server_that_is_killed_and_comes_back_empty(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    (before,) = tier.bump([b"t"])
    server.kill()
    for _ in range(3):
        fails(lambda: tier.get_many([b"a"]))
        fails(lambda: put(tier, b"a", b"2"))
    server.start()
    assert recovers(lambda: tier.get_many([b"a"])) == [None]
    assert put(tier, b"a", b"3") == [True]
    assert tier.get_many([b"a"]) == [b"3"]
    assert tier.counters([b"t"])[0] > before


def test_a_restart_between_two_operations_is_not_noticed(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    put(tier, b"a", b"1")
    server.kill()
    server.start()
    assert put(tier, b"a", b"2") == [True]  # the hang-up is seen before anything is written
    server.kill()
    server.start()
    assert tier.get_many([b"a"]) == [None]


def test_a_server_that_hangs(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    put(tier, b"b", b"2")
    server.stop()
    fails(lambda: tier.get_many([b"a"]))
    server.resume()
    # The late reply to the first must not be taken for the one to the second.
    assert recovers(lambda: tier.get_many([b"b"])) == [b"2"]
    assert tier.get_many([b"a", b"b"]) == [b"1", b"2"]


def test_a_server_that_hangs_for_long_is_left(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    server.stop()
    end = time.monotonic() + 4 * TIMEOUT
    while time.monotonic() < end:
        fails(lambda: tier.get_many([b"a"]))
        time.sleep(0.01)
    # What was written to the first connection may be read by the server only now.
    server.resume()
    assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]


def test_a_write_that_was_given_up_does_not_come_after_a_later_one(open_tier, proxy, server):
    tier = open_tier(url_of(proxy))
    put(tier, b"a", b"0")
    for turn in range(3):
        proxy.hold()
        fails(lambda: put(tier, b"a", b"old"))
        cut(tier)  # on to a new connection; what went through the old one is still on its way
        value = b"new%d" % turn
        assert recovers(lambda value=value: put(tier, b"a", value)) == [True]
        proxy.release()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            assert tier.get_many([b"a"]) == [value]


def cut(tier):
    """Have a tier take its connection for lost."""
    error = TierUnavailableError("cut by a test")
    if isinstance(tier, Awaited):
        (link,) = tier._tier._loops.values()

        async def lose():
            link.session.carrier._exchange.lose(lambda: error)

        asyncio.run_coroutine_threadsafe(lose(), tier._loop).result()
    else:
        threads = tier._threads
        with threads._lock:
            threads._session.exchange.lose(lambda: error)


def test_a_network_that_refuses(open_tier, proxy):
    tier = open_tier(url_of(proxy))
    put(tier, b"a", b"1")
    proxy.refuse()
    fails(lambda: tier.get_many([b"a"]))
    proxy.accept()
    assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]


def test_attempts_to_connect_are_spaced(open_tier, proxy):
    tier = open_tier(url_of(proxy))
    put(tier, b"a", b"1")
    proxy.cut_after = 0
    proxy.cut()
    tried = proxy.accepted
    end, calls = time.monotonic() + 1.0, 0
    while time.monotonic() < end:
        fails(lambda: tier.get_many([b"a"]))
        calls += 1
    assert proxy.accepted - tried <= 8  # at 0, and after 50 ms, 100 ms, and so on, halves of it
    assert calls > 20


def test_a_black_hole(open_tier, proxy):
    tier = open_tier(url_of(proxy))
    put(tier, b"a", b"1")
    proxy.black_hole = True
    for _ in range(4):
        fails(lambda: tier.get_many([b"a"]))
    proxy.black_hole = False
    # That connection is silent for ever.
    assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]
    assert put(tier, b"a", b"2") == [True]


def test_a_slow_network_is_no_outage(open_tier, proxy):
    tier = open_tier(url_of(proxy), timeout_seconds=PATIENCE)
    put(tier, b"a", b"1")
    proxy.delay_seconds = 0.05
    assert tier.get_many([b"a"]) == [b"1"]
    assert put(tier, b"a", b"2") == [True]
    assert tier.get_many([b"a"]) == [b"2"]


def test_a_network_that_is_too_slow(open_tier, proxy):
    tier = open_tier(url_of(proxy))
    records = [TierRecord(b"%d" % number, b"v%d" % number) for number in range(5)]
    tier.put_many(records)
    proxy.delay_seconds = TIMEOUT * 1.2
    for record in records:
        fails(lambda record=record: tier.get_many([record.key]))
    proxy.delay_seconds = 0.0
    for record in records:
        assert recovers(lambda record=record: tier.get_many([record.key])) == [record.value]


@pytest.mark.parametrize("size", [1, 20, 500, 3000, 100_000, 400_000])
def test_cut_in_the_middle_of_a_reply(open_tier, proxy, size):
    tier = open_tier(url_of(proxy), timeout_seconds=PATIENCE)
    records = [TierRecord(b"%d" % number, b"%d" % number * 50_000) for number in range(10)]
    tier.put_many(records)
    # It counts from the beginning of a connection, so the second try gets as far.
    proxy.cut_after = 6000 + size
    proxy.cut()
    keys = [record.key for record in records]
    try:
        assert tier.get_many(keys) == [record.value for record in records]
        whole = True
    except TierUnavailableError:
        whole = False
    assert not whole
    proxy.cut_after = None
    proxy.cut()
    assert recovers(lambda: tier.get_many(keys)) == [record.value for record in records]


def test_many_at_once_through_a_network_that_is_cut_again_and_again(open_tier, proxy, face):
    tier = open_tier(url_of(proxy), timeout_seconds=2)
    keys = [b"%d" % number for number in range(20)]
    recovers(lambda: tier.put_many([TierRecord(key, key * 100) for key in keys]))
    stop = threading.Event()
    problems, served, failed = [], [], []

    def work(number):
        turn = number
        while not stop.is_set():
            turn += 1
            key = keys[turn % 20]
            try:
                if tier.get_many([key]) != [key * 100]:
                    problems.append(key)
                served.append(1)
                if turn % 5 == 0:
                    put(tier, key, key * 100)
            except TierUnavailableError:
                failed.append(1)
            except BaseException as error:
                problems.append(error)
                raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        stop.wait(0.05)
        proxy.cut()
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    print(f"{face}: {len(served)} reads served, {len(failed)} operations failed, 30 cuts")
    assert problems == []
    assert len(served) > 100
    assert recovers(lambda: tier.get_many([b"1"])) == [b"1" * 100]


def test_histories_through_a_bad_network_are_linearizable(server, proxy):
    """Each read sees the last write, whatever is cut, held back or given up.

    A write that failed may have been done at any time later. Its key is left alone then, or
    every order would soon explain every history.
    """
    proxies = [proxy, FaultProxy("127.0.0.1", server.port)]
    tiers = [
        RedisTier(url_of(one), timeout_seconds=TIMEOUT, connect_timeout_seconds=TIMEOUT)
        for one in proxies * 2
    ]
    faces = [*tiers[:2], *map(Awaited, tiers[2:])]
    history, failures, left = {}, [], {}
    stop = threading.Event()

    def work(number):
        draw = random.Random(number)
        turn = 0
        while not stop.is_set():
            turn += 1
            slot = draw.randrange(4)
            key = b"%d.%d" % (slot, left.get(slot, 0))
            value = None if draw.random() < 0.6 else b"%d:%d" % (number, turn)
            removes = value is not None and draw.random() < 0.2
            start = time.monotonic()
            try:
                if value is None:
                    (seen,) = faces[number].get_many([key])
                    done = Operation(start, time.monotonic(), False, seen)
                elif removes:
                    faces[number].delete_many([key])
                    done = Operation(start, time.monotonic(), True, None)
                else:
                    put(faces[number], key, value)
                    done = Operation(start, time.monotonic(), True, value)
            except TierUnavailableError:
                failures.append(key)
                time.sleep(0.002)
                if value is None:
                    continue
                done = Operation(start, math.inf, True, None if removes else value)
                left[slot] = left.get(slot, 0) + 1
            history.setdefault(key, []).append(done)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    draw = random.Random(0)
    for _ in range(40):
        one = draw.choice(proxies)
        fault = draw.choice(["cut", "cut", "cut", "hold", "delay"])
        if fault == "cut":
            one.cut()
        elif fault == "hold":
            one.hold()
        elif fault == "delay":
            one.delay_seconds = 0.03
        stop.wait(TIMEOUT * draw.choice([0.05, 0.1, 0.1, 1.2]))
        one.delay_seconds = 0.0
        one.release()
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    for tier in faces:
        tier.close()
    proxies[1].close()
    count = sum(map(len, history.values()))
    print(f"{count} operations on {len(history)} keys, {len(failures)} failures")
    assert count > 500
    assert failures
    for key, operations in history.items():
        assert unexplained(operations) is None, key


def test_threads_wait_no_longer_than_their_deadline(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    server.stop()
    took = []

    def work():
        start = time.monotonic()
        with pytest.raises(TierUnavailableError):
            tier.get_many([b"a"])
        took.append(time.monotonic() - start)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 8
    assert max(took) < TIMEOUT + SLACK
    server.resume()
    assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]


def test_more_than_the_socket_takes_at_once(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    values = [bytes([number]) * 3_000_000 for number in range(1, 5)]

    def work(value):
        put(tier, value[:1], value)

    threads = [threading.Thread(target=work, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tier.get_many([value[:1] for value in values]) == values


def test_a_server_that_takes_nothing_in_while_much_is_written(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    server.stop()
    fails(lambda: put(tier, b"b", b"2" * 8_000_000))
    server.resume()
    assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]
    assert recovers(lambda: tier.get_many([b"b"])) in ([None], [b"2" * 8_000_000])


def test_no_memory_left(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    put(tier, b"a", b"old")
    tier.bump([b"t"])
    with Client(server.socket) as client:
        client("CONFIG", "SET", "maxmemory-policy", "noeviction")
        client("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(TierFullError):
            put(tier, b"a", b"new")
        assert tier.get_many([b"a"]) == [None]  # neither the new value nor the old one
        with pytest.raises(TierUnavailableError):
            tier.bump([b"t"])
        client("CONFIG", "SET", "maxmemory", "0")
    assert put(tier, b"a", b"new") == [True]
    assert tier.get_many([b"a"]) == [b"new"]


def test_a_server_that_gives_up_keys(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    with Client(server.socket) as client:
        client("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        used = int(client("INFO", "memory").split(b"used_memory:")[1].split()[0])
        client("CONFIG", "SET", "maxmemory", str(used + 3_000_000))
        seen = 0
        for turn in range(60):
            value = b"%d" % turn * 20_000
            kept = tier.put_many([TierRecord(b"%d" % n, value) for n in range(20)])
            assert kept == [True] * 20
            tier.bump([b"t"])
            found = tier.get_many([b"%d" % n for n in range(20)])
            assert all(one in (None, value) for one in found)
            seen += sum(one is not None for one in found)
    assert seen > 100


def test_a_replica_that_is_read_only(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    put(tier, b"a", b"1")
    with Client(server.socket) as client:
        client("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(TierUnavailableError):
            put(tier, b"a", b"2")
        with pytest.raises(TierUnavailableError):
            tier.bump([b"t"])
        client("REPLICAOF", "NO", "ONE")
    assert recovers(lambda: put(tier, b"a", b"3")) == [True]
    assert tier.get_many([b"a"]) == [b"3"]


def test_a_name_that_leads_to_another_primary_now(open_tier, server, redis_server):
    with FaultProxy("127.0.0.1", server.port) as proxy:
        tier = open_tier(url_of(proxy), timeout_seconds=PATIENCE)
        put(tier, b"a", b"1")
        with Client(server.socket) as client:
            client("REPLICAOF", "127.0.0.1", "1")
        proxy.server = ("127.0.0.1", redis_server.port)
        accepted = proxy.accepted
        # Nobody cuts the connection to the old one, which refuses every write.
        assert recovers(lambda: put(tier, b"a", b"2")) == [True]
        assert proxy.accepted == accepted + 1
        assert tier.get_many([b"a"]) == [b"2"]


def test_a_busy_server(open_tier, server):
    tier = open_tier(server.url)
    put(tier, b"a", b"1")
    with Client(server.socket) as client:
        client("CLIENT", "PAUSE", str(int(TIMEOUT * 2000)), "ALL")
        fails(lambda: tier.get_many([b"a"]))
        assert recovers(lambda: tier.get_many([b"a"])) == [b"1"]


def test_a_client_that_the_server_drops(open_tier, server):
    tier = open_tier(server.url, timeout_seconds=PATIENCE)
    put(tier, b"a", b"1")
    with Client(server.socket) as client:
        for turn in range(20):
            client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            assert tier.get_many([b"a"]) == [b"1"], turn


def test_a_cluster_is_refused(redis_server, open_tier):
    with (
        tempfile.TemporaryDirectory(prefix="sj") as at,
        RedisServer(Path(at), ["--cluster-enabled", "yes"]) as server,
    ):
        tier = open_tier(server.url, timeout_seconds=PATIENCE)
        with pytest.raises(TierUnavailableError):
            tier.get_many([b"a"])


def test_errors_are_of_one_family():
    assert issubclass(TierDeniedError, TierUnavailableError)
    assert issubclass(TierUnavailableError, TierError)


def test_a_finalizer_in_the_midst_of_a_call_is_refused_and_does_not_hang(server):
    class Ring:
        def __init__(self):
            self.itself = self

        def __del__(self):
            try:
                tier.get_many([b"a"])
            except TierUnavailableError:
                refused.append(True)

    def work():
        with tier._threads._lock:  # as while a reply is read
            Ring()
            gc.collect()

    refused = []
    with RedisTier(server.url, timeout_seconds=PATIENCE) as tier:
        tier.put_many([TierRecord(b"a", b"1")])
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it hangs"
        assert refused
        assert tier.get_many([b"a"]) == [b"1"]
