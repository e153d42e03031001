"""Versions, leases and watches on a real server, and when it or the network fails."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
import time
from pathlib import Path

import pytest

from scrubjay.consistency import Session
from scrubjay.errors import (
    ConsistencyUnavailableError,
    EpochChangedError,
    InvalidArgumentError,
    TierError,
    TierFullError,
    TierUnavailableError,
)
from scrubjay.testing import Awaited, AwaitedShared, FaultProxy, RedisServer
from scrubjay.tiers import RedisTier, TierEventKind, TierRecord
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build

ONE = TierRecord(b"a", b"1")
PATIENCE = 10.0


@pytest.fixture
def client(redis_server):
    with Client(redis_server.socket) as client:
        client("FLUSHALL")
        client("SCRIPT", "FLUSH")
        yield client


@pytest.fixture
def server(redis_server):
    """A server that may be ill-treated."""
    with tempfile.TemporaryDirectory(prefix="sj") as at, RedisServer(Path(at)) as server:
        yield server


@pytest.fixture(params=["blocking", "awaited"])
def open_tier(request):
    opened = []

    def open_one(url, **more):
        tier = RedisTier(url, **{"timeout_seconds": 20, "namespace": "x", **more})
        opened.append(tier if request.param == "blocking" else AwaitedShared(tier))
        return opened[-1]

    yield open_one
    for tier in opened:
        tier.close()


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# ---- what is on the server


def test_values_go_through_no_script(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    client("CONFIG", "RESETSTAT")
    tier.write(TierRecord(b"a", b"x" * 1_000_000))
    tier.read_many([b"a"])
    stored = client("GET", "sj:x:v:{.a}")
    assert stored[32:] == b"x" * 1_000_000
    assert int.from_bytes(stored[:8], "big") > 1e15
    assert client("MEMORY", "USAGE", "sj:x:v:{.a}") < 1_400_000
    assert client("KEYS", "sj:x:s:*") == []
    used = client("INFO", "commandstats")
    for command in (b"scan:", b"mget:", b"eval:"):
        assert b"cmdstat_" + command not in used


def test_all_that_one_key_needs_is_in_one_slot(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    tier.write(ONE)
    with Client(redis_server.socket) as monitor:
        monitor("MONITOR")
        for key in (b"plain", b"}", b"{x}y", b"a}b"):
            tier.write(TierRecord(key, b"1"))
        client("ECHO", "end")
        seen = b""
        while b'"end"' not in seen:
            seen += monitor.socket.recv(65536)
    names = re.findall(rb'"EVALSHA" "\w+" "2" "(\S+)" "(\S+)"', seen)
    assert len(names) == 4
    for record, staged in names:
        assert slot_tag(record) == slot_tag(staged) != record


def slot_tag(name):
    """Return the part of a name that decides its slot in a cluster."""
    start = name.find(b"{")
    end = name.find(b"}", start + 1)
    return name[start + 1 : end] if end > start + 1 else name


def test_what_was_staged_and_never_moved_expires(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    token = tier.lease(b"a", b"me", 20).token
    tier.delete([b"a"])
    assert tier.fill(ONE, token) is None
    assert client("KEYS", "sj:x:s:*") == []
    assert 0 < client("PTTL", "sj:x:v:{.a}") <= 60_000


def test_the_server_may_forget_scripts(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    first = tier.write(ONE).version
    client("SCRIPT", "FLUSH")
    assert tier.write(ONE).version > first
    client("SCRIPT", "FLUSH")
    assert tier.lease(b"b", b"me", 20).token is not None


def test_a_record_keeps_no_time_to_live_of_what_it_replaces(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    tier.write(TierRecord(b"a", b"1", time.time() + 100))
    assert 90_000 < client("PTTL", "sj:x:v:{.a}") <= 100_000
    tier.write(ONE)
    assert client("PTTL", "sj:x:v:{.a}") == -1


def test_versions_rise_when_the_clock_of_the_server_is_behind(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    tier.write(ONE)
    stored = client("GET", "sj:x:v:{.a}")
    ahead = int.from_bytes(stored[:8], "big") + 10**12
    client("SET", "sj:x:v:{.a}", ahead.to_bytes(8, "big") + stored[8:])
    assert tier.write(ONE).version == ahead + 1
    assert tier.delete([b"a"])[0].version == ahead + 2
    token = tier.lease(b"a", b"me", 20).token
    assert token.version == ahead + 3
    assert tier.fill(ONE, token).version == ahead + 4


def test_what_no_tier_has_written_is_a_miss_and_an_event(redis_server, client):
    events = []
    with RedisTier(redis_server.url, namespace="x", on_event=events.append) as tier:
        client("SET", "sj:x:v:{.a}", "something else altogether, and longer than a header")
        client("RPUSH", "sj:x:v:{.b}", "1")
        assert tier.read_many([b"a", b"b"]) == [None, None]
    assert [event.kind for event in events] == [TierEventKind.CORRUPTION] * 2


@pytest.mark.parametrize("version", [2**53, 2**63, 2**64 - 1])
def test_a_version_that_no_server_issues_is_damage(open_tier, redis_server, client, version):
    tier = open_tier(redis_server.url)
    tier.write(ONE)

    def damage():
        stored = client("GET", "sj:x:v:{.a}")
        client("SET", "sj:x:v:{.a}", version.to_bytes(8, "big") + stored[8:])

    damage()
    assert tier.read_many([b"a"]) == [None]
    written = tier.write(ONE)
    assert 0 < written.version < 2**53
    assert written.watch.live
    damage()
    (removed,) = tier.delete([b"a"])
    assert 0 < removed.version < 2**53
    damage()
    lease = tier.lease(b"a", b"me", 20)
    assert lease.found is None or lease.found.version == lease.token.version
    assert 0 < tier.fill(ONE, lease.token).version < 2**53


@pytest.mark.parametrize("count", [2**63, -5, 10**30])
def test_a_generation_that_no_server_issues_is_an_error(open_tier, redis_server, client, count):
    tier = open_tier(redis_server.url)
    tier.advance([b"t"])
    client("SET", "sj:x:c:t", str(count))
    with pytest.raises(TierError, match="no number"):
        tier.fetch([], [b"t"])


def test_a_record_of_another_key_is_a_miss(redis_server, client):
    events = []
    with RedisTier(redis_server.url, namespace="x", on_event=events.append) as tier:
        tier.write(ONE)
        client("RENAME", "sj:x:v:{.a}", "sj:x:v:{.b}")
        assert tier.read_many([b"b"]) == [None]
    assert len(events) == 1


def test_the_recipe_for_an_access_list_suffices(client, redis_server):
    rules = (
        "+hello +auth +select +time +info +client|tracking +client|caching +client|setname "
        "+client|kill +get +mget +getrange +set +incr +unlink +ping +evalsha +script|load "
        "+exists +setrange +rename +persist +pexpire +pttl +pubsub|numsub"
    )
    client("ACL", "LOG", "RESET")
    client("ACL", "SETUSER", "app", "reset", "on", ">secret", "~sj:x:*", "-@all", *rules.split())
    url = redis_server.url.replace("unix://", "unix://app:secret@")
    with RedisTier(url, namespace="x", timeout_seconds=20) as tier:
        tier.write(TierRecord(b"a", b"1", time.time() + 50))
        tier.fetch([b"a"], [b"t"])
        tier.advance([b"t"])
        tier.delete([b"a"])
        token = tier.lease(b"a", b"me", 20).token
        assert tier.fill(ONE, token) is not None
        token = tier.lease(b"b", b"me", 20).token
        assert tier.release(b"b", token)
        tier.barrier()
        assert client("ACL", "LOG") == []


def test_no_memory_leaves_nothing_out_of_date(open_tier, server):
    tier = open_tier(server.url)
    tier.write(ONE)
    with Client(server.socket) as client:
        client("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(TierFullError):
            tier.write(TierRecord(b"a", b"2"))
        client("CONFIG", "SET", "maxmemory", "0")
    assert tier.read_many([b"a"]) == [None]
    assert tier.write(TierRecord(b"a", b"3")).watch.live


# ---- whom strong reads are refused


def test_a_replica_refuses_strong_reads(open_tier, server):
    tier = open_tier(server.url, heartbeat_seconds=0.02)
    feed = tier.barrier()
    tier.write(ONE)
    with Client(server.socket) as client:
        client("REPLICAOF", "127.0.0.1", "1")
        until(lambda: not feed.live)
        with pytest.raises(ConsistencyUnavailableError, match="replica"):
            tier.barrier()
        client("REPLICAOF", "NO", "ONE")
        until(lambda: tier.feed().primary)
        assert tier.barrier().epoch != feed.epoch


def test_a_server_that_was_demoted_is_left(open_tier, server):
    tier = open_tier(server.url, heartbeat_seconds=0.02)
    before = tier.write(ONE).feed
    with Client(server.socket) as client:
        client("REPLICAOF", "127.0.0.1", "1")
        until(lambda: not before.live)
        (found,) = tier.read_many([b"a"])  # by a connection that knows what it is
        assert not found.feed.primary
        assert found.feed.live
        with pytest.raises(TierUnavailableError):
            tier.write(ONE)


def test_a_server_with_replicas_refuses_unless_it_is_accepted(open_tier, server):
    tier = open_tier(server.url, heartbeat_seconds=0.02)
    willing = open_tier(server.url, strong="until-failover")
    with Client(server.socket) as client:  # not to wait five seconds for more replicas to come
        client("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with (
        tempfile.TemporaryDirectory(prefix="sj") as at,
        RedisServer(Path(at), ["--replicaof", "127.0.0.1", str(server.port)]),
    ):
        with Client(server.socket) as client:
            until(lambda: b"state=online" in client("INFO", "replication"))
        until(lambda: tier.feed().failover)
        with pytest.raises(ConsistencyUnavailableError, match="until-failover"):
            tier.barrier()
        assert willing.barrier().failover


def test_sentinels_are_noticed_by_their_channel(open_tier, server):
    with Client(server.socket) as sentinel:
        sentinel("SUBSCRIBE", "__sentinel__:hello")
        with pytest.raises(ConsistencyUnavailableError, match="Sentinels"):
            open_tier(server.url).barrier()


def test_who_may_not_ask_for_the_epoch_gets_no_strong_reads(client, redis_server):
    client("ACL", "SETUSER", "blind", "reset", "on", ">secret", "~*", "&*", "+@all", "-info")
    url = redis_server.url.replace("unix://", "unix://blind:secret@")
    with RedisTier(url, namespace="x") as tier:
        tier.write(ONE)
        with pytest.raises(ConsistencyUnavailableError, match="INFO"):
            tier.barrier()


@pytest.mark.parametrize(
    "argument",
    [
        {"strong": "always"},
        {"heartbeat_seconds": 0},
        {"tombstone_seconds": -1},
    ],
)
def test_arguments_that_make_no_sense(argument):
    with pytest.raises(InvalidArgumentError, match=next(iter(argument))):
        RedisTier(**argument)


# ---- when connections are lost


@pytest.mark.parametrize("how", ["cut", "client kill", "server killed"])
def test_all_watches_end_with_the_connection(open_tier, server, how):
    with FaultProxy("127.0.0.1", server.port) as proxy:
        told = []
        tier = open_tier(f"redis://127.0.0.1:{proxy.port}", client_name="victim")
        written = tier.write(ONE)
        tier.on_invalidated(told.append)
        assert written.watch.live
        if how == "cut":
            proxy.cut()
        elif how == "client kill":
            with Client(server.socket) as client:
                client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        else:
            server.kill()
        # Nobody asks the tier anything: it listens by itself.
        until(lambda: not written.watch.live)
        assert told == [None]


def test_silence_is_noticed(open_tier, server):
    with FaultProxy("127.0.0.1", server.port) as proxy:
        tier = open_tier(
            f"redis://127.0.0.1:{proxy.port}", timeout_seconds=0.2, heartbeat_seconds=0.05
        )
        written = tier.write(ONE)
        feed = written.feed
        known = feed.confirmed
        until(lambda: feed.confirmed > known)
        assert written.watch.live
        proxy.black_hole = True
        time.sleep(0.06)
        known = feed.confirmed
        until(lambda: not feed.live)  # twice the timeout without a byte
        assert feed.confirmed == known
        assert not written.watch.live


def test_a_server_that_comes_back_empty_is_another_epoch(open_tier, server):
    tier = open_tier(server.url)
    session = Session()
    written = tier.write(ONE)
    session.lift(written.feed.epoch, b"somewhere", written.version)
    server.kill()
    server.start()
    until(lambda: not written.feed.live)

    def epoch():
        try:
            return tier.feed().epoch
        except TierUnavailableError:
            return written.feed.epoch

    until(lambda: epoch() != written.feed.epoch)
    with pytest.raises(EpochChangedError):
        session.check(tier.feed().epoch)


def test_a_server_that_is_flushed_by_others_is_noticed(open_tier, redis_server, client):
    tier = open_tier(redis_server.url)
    written = tier.write(ONE)
    client("FLUSHALL")
    assert tier.until_changed(written.watch, PATIENCE)
    assert tier.read_many([b"a"]) == [None]


def test_readers_share_a_barrier(redis_server, client):
    async def main():
        async with RedisTier(redis_server.url, namespace="x") as tier:
            await tier.abarrier()
            client("CONFIG", "RESETSTAT")
            feeds = await asyncio.gather(*[tier.abarrier() for _ in range(100)])
            assert len(set(map(id, feeds))) == 1

    asyncio.run(main())
    (calls,) = [
        line for line in client("INFO", "commandstats").split(b"\r\n") if b"cmdstat_ping" in line
    ]
    assert b"calls=1," in calls


def test_threads_share_barriers_too(redis_server, client):
    with RedisTier(redis_server.url, namespace="x", timeout_seconds=20) as tier:
        tier.barrier()
        client("CONFIG", "RESETSTAT")
        client("CLIENT", "PAUSE", "100", "ALL")
        begin = threading.Barrier(16)

        def wait():
            begin.wait()
            tier.barrier()

        threads = [threading.Thread(target=wait) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (calls,) = [
        line for line in client("INFO", "commandstats").split(b"\r\n") if b"cmdstat_ping" in line
    ]
    assert b"calls=1," in calls or b"calls=2," in calls


def test_threads_and_loops_have_feeds_of_their_own(redis_server, client):
    with RedisTier(redis_server.url, namespace="x", timeout_seconds=20) as tier:
        mine = tier.write(ONE)

        async def main():
            (found,) = await tier.aread_many([b"a"])
            assert found.feed is not mine.feed
            await tier.awrite(TierRecord(b"a", b"2"))
            assert tier.barrier() is mine.feed
            assert not mine.watch.live
            await tier.aclose()

        asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_nothing_is_watched_in_a_child(redis_server, client):
    with RedisTier(redis_server.url, namespace="x", timeout_seconds=20) as tier:
        written = tier.write(ONE)
        child = os.fork()
        if child == 0:
            fine = not written.watch.live and not written.feed.live
            found = tier.read_many([b"a"])[0]
            fine = fine and found.value == b"1" and found.watch.live
            os._exit(0 if fine else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert written.watch.live
        assert tier.write(TierRecord(b"a", b"2")).watch.live


def test_plain_operations_ask_for_nothing_more(redis_server, client):
    client("CONFIG", "RESETSTAT")
    with RedisTier(redis_server.url, namespace="x") as tier, Awaited(tier) as awaited:
        tier.get_many([b"a"])
        awaited.get_many([b"a"])
    assert b"cmdstat_pubsub" not in client("INFO", "commandstats")
