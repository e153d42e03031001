"""Members of a cluster that fail: for good, for a while, or with another in their place."""

from __future__ import annotations

import itertools
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import hiredis
import pytest

from scrubjay import Cache, Memory, Redis
from scrubjay.consistency import Session
from scrubjay.consistency.tokens import place_of
from scrubjay.errors import (
    ConsistencyUnavailableError,
    EpochChangedError,
    TierUnavailableError,
)
from scrubjay.testing import Awaited, AwaitedShared, RedisCluster
from scrubjay.tiers import RedisTier, TierRecord
from scrubjay.tiers._redis.slots import bucket_of, bucket_slot
from tests.redis_servers import need_server

pytestmark = pytest.mark.any_build

NAMESPACE = "faulty"
TIMEOUT = 1.0
SLACK = 1.5  # seconds; the machine has other things to do
TAKEOVER = 20.0  # seconds until a replica serves in place of its primary; the timeout is 1
RECOVERY = 20.0  # seconds until what has come back is used


@pytest.fixture(scope="module")
def cluster():
    need_server()
    with (
        tempfile.TemporaryDirectory(prefix="sj") as at,
        RedisCluster(Path(at), replicas=1, node_timeout_seconds=1.0) as cluster,
    ):
        yield cluster


@pytest.fixture(params=["blocking", "awaited"])
def open_tier(request, cluster):
    opened = []

    def open_one(**more):
        tier = RedisTier(
            more.pop("url", cluster.url),
            **{
                "cluster": True,
                "namespace": NAMESPACE,
                "timeout_seconds": TIMEOUT,
                "connect_timeout_seconds": TIMEOUT,
                "heartbeat_seconds": 0.1,
                "strong": "until-failover",
                **more,
            },
        )
        opened.append(tier if request.param == "blocking" else AwaitedShared(tier))
        return opened[-1]

    yield open_one
    for tier in opened:
        tier.close()


def key_at(cluster, server, start=0):
    """Return a key whose bucket a primary has."""
    for number in itertools.count(start):
        key = b"%d" % number
        if cluster.owner(bucket_slot(NAMESPACE, bucket_of(key))) is server:
            return key
    raise AssertionError


def fails(call):
    start = time.monotonic()
    with pytest.raises(TierUnavailableError):
        call()
    assert time.monotonic() - start < TIMEOUT + SLACK


def within(seconds, call):
    """Call until it succeeds; return what it returns."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except TierUnavailableError:
            assert time.monotonic() < end
            time.sleep(0.02)


def until(holds, seconds=RECOVERY):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def replicated(cluster, primary):
    """Tell whether a primary has a replica that has got everything."""
    info = cluster.ask(primary, "INFO", "replication").decode()
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    replica = dict(part.split("=") for part in told.get("slave0", "offset=-1").split(","))
    return replica["offset"] == told["master_repl_offset"]


def test_strong_reads_are_refused_where_a_replica_could_take_over(open_tier):
    tier = open_tier(strong="primary")
    written = tier.write(TierRecord(b"a", b"1"))
    with pytest.raises(ConsistencyUnavailableError, match="until-failover"):
        tier.barrier([written.feed])
    # Also where the primary has none itself: a replica may become another primary's.
    fetched = tier.fetch([b"%d" % number for number in range(20)])
    assert len(fetched.feed.feeds) == 3
    for feed in fetched.feed.feeds:
        with pytest.raises(ConsistencyUnavailableError):
            feed.check_strong()
    assert open_tier().barrier().failover


def test_a_primary_without_a_replica_fails_alone(open_tier, cluster):
    tier, victim = open_tier(), cluster.primaries[1]
    lost, kept = key_at(cluster, victim), key_at(cluster, cluster.primaries[2])
    tier.put_many([TierRecord(lost, b"1"), TierRecord(kept, b"2")])
    gone, copy = tier.write(TierRecord(lost, b"1")), tier.write(TierRecord(kept, b"2"))
    session = Session()
    session.lift(gone.feed.epoch, place_of(b"key", lost), gone.version)
    victim.kill()
    try:
        until(lambda: not gone.watch.live)  # nobody asks: it listens by itself
        for _ in range(3):
            fails(lambda: tier.get_many([lost]))
            fails(lambda: tier.write(TierRecord(lost, b"3")))
            fails(lambda: tier.get_many([lost, kept]))
            assert tier.get_many([kept]) == [b"2"]
            assert tier.barrier([copy.feed]).covers(copy.feed)
        assert copy.watch.live
        # Versions of those who are there can still be compared.
        session.check(tier.read_many([kept])[0].feed.epoch)
        with pytest.raises(TierUnavailableError):
            tier.clear()
    finally:
        victim.start()
    assert within(RECOVERY, lambda: tier.get_many([lost])) == [None]
    assert within(RECOVERY, lambda: tier.put_many([TierRecord(lost, b"4")])) == [True]
    assert tier.get_many([lost, kept])[0] == b"4"
    with pytest.raises(EpochChangedError):
        session.check(within(RECOVERY, lambda: tier.read_many([kept]))[0].feed.epoch)


def test_a_primary_that_hangs_holds_nobody_else_up(open_tier, cluster):
    tier, victim = open_tier(), cluster.primaries[1]
    lost, kept = key_at(cluster, victim), key_at(cluster, cluster.primaries[2])
    within(RECOVERY, lambda: tier.put_many([TierRecord(lost, b"1"), TierRecord(kept, b"2")]))
    victim.stop()
    try:
        for _ in range(3):
            fails(lambda: tier.get_many([lost]))
            start = time.monotonic()
            assert tier.get_many([kept]) == [b"2"]
            assert time.monotonic() - start < TIMEOUT + SLACK
    finally:
        victim.resume()
    assert within(RECOVERY, lambda: tier.get_many([lost])) == [b"1"]


def test_the_member_that_was_named_need_not_be_there_later(open_tier, cluster):
    seed = cluster.primaries[1]
    tier = open_tier(url=seed.tcp_url)
    kept = key_at(cluster, cluster.primaries[2])
    within(RECOVERY, lambda: tier.put_many([TierRecord(kept, b"2")]))
    seed.kill()
    try:
        service = (tier._tier if isinstance(tier, Awaited) else tier)._service
        service._roster.suspect(surely=True)
        assert tier.get_many([kept]) == [b"2"]
    finally:
        seed.start()
    within(RECOVERY, lambda: tier.get_many([key_at(cluster, seed)]))


def test_any_of_the_members_that_were_named_will_do(open_tier, cluster):
    kept = key_at(cluster, cluster.primaries[2])
    port = cluster.primaries[2].port
    tier = open_tier(url=f"redis://127.0.0.1:1,127.0.0.1:{port}")
    assert tier.put_many([TierRecord(kept, b"2")]) == [True]


def test_a_replica_takes_over(open_tier, cluster):
    """Last, as the roles are changed: what is promised of sessions ends, the data is there."""
    tier = open_tier()
    victim = cluster.owner(0)
    replica = cluster.replicas[0] if victim is cluster.primaries[0] else cluster.primaries[0]
    key, kept = key_at(cluster, victim), key_at(cluster, cluster.primaries[2])
    within(RECOVERY, lambda: tier.put_many([TierRecord(key, b"plain")]))
    written = within(RECOVERY, lambda: tier.write(TierRecord(key, b"1")))
    copy = tier.write(TierRecord(kept, b"2"))
    session = Session()
    session.lift(written.feed.epoch, place_of(b"key", key), written.version)
    session.lift(copy.feed.epoch, place_of(b"key", kept), copy.version)
    until(lambda: replicated(cluster, victim))  # or what was acknowledged might be lost
    victim.kill()
    began = time.monotonic()
    until(lambda: not written.watch.live, TIMEOUT + SLACK)
    assert within(TAKEOVER, lambda: tier.get_many([key])) == [b"plain"]
    found = within(TAKEOVER, lambda: tier.read_many([key]))[0]
    print(f"another served after {time.monotonic() - began:.1f} s")
    assert (found.value, found.version) == (b"1", written.version)
    assert found.feed is not written.feed
    assert within(TAKEOVER, lambda: tier.write(TierRecord(key, b"3"))).version > written.version
    assert copy.watch.live  # of a primary that nothing has happened to
    for feed in (found.feed, copy.feed):
        with pytest.raises(EpochChangedError):
            session.check(feed.epoch)
    assert tier.barrier([found.feed]).covers(found.feed)
    # The old primary comes back as a replica of the new one, and nobody takes it for more.
    victim.start()
    until(lambda: b"role:slave" in cluster.ask(victim, "INFO", "replication"))
    until(lambda: b"master_link_status:up" in cluster.ask(victim, "INFO", "replication"))
    assert tier.read_many([key])[0].value == b"3"
    assert replica is not victim


def test_a_primary_that_hands_over_is_left(open_tier, cluster):
    """A failover by hand: who was the primary confirms nothing any more, not even for a moment."""
    tier, other = open_tier(heartbeat_seconds=60.0), open_tier()
    old = cluster.owner(0)
    new = cluster.replicas[0] if old is cluster.primaries[0] else cluster.primaries[0]
    key = key_at(cluster, old)
    written = within(RECOVERY, lambda: tier.write(TierRecord(key, b"1")))
    assert tier.barrier([written.feed]).covers(written.feed)
    until(lambda: b"master_link_status:up" in cluster.ask(new, "INFO", "replication"))

    def handed_over():
        if b"role:master" in cluster.ask(new, "INFO", "replication"):
            return True
        with suppress(hiredis.ReplyError):  # it is one by now
            # Again, if the others would not vote so soon.
            cluster.ask(new, "CLUSTER", "FAILOVER")
        time.sleep(0.3)
        return False

    until(handed_over)
    until(lambda: b"role:slave" in cluster.ask(old, "INFO", "replication"))
    # Nothing has been written since, so nothing was told; and yet it confirms nothing.
    assert not within(RECOVERY, lambda: tier.barrier([written.feed])).covers(written.feed)
    within(RECOVERY, lambda: other.write(TierRecord(key, b"2")))
    assert within(RECOVERY, lambda: tier.read_many([key]))[0].value == b"2"


def test_caches_on_a_cluster(cluster):
    until(lambda: cluster.owner(0))

    def cache(**more):
        return Cache(
            namespace="caches",
            tiers=[Memory(max_entries=1000), Redis(cluster.url, cluster=True, **more)],
            consistency_level="eventual",
        )

    with cache() as one, cache() as two:
        one.put("a", 1, tags={"t"})
        assert two.get("a") == 1
        one.put("a", 2, tags={"t"})
        until(lambda: two.get("a") == 2)
        one.invalidate_by_tags({"t"})
        until(lambda: two.get("a") is None)
        one.put_many({f"k{n}": n for n in range(100)})
        assert two.get_many([f"k{n}" for n in range(100)]) == {f"k{n}": n for n in range(100)}
        one.clear()
        until(lambda: two.get("k1") is None)
        assert two.get_or_load("k1", lambda _: "loaded") == "loaded"
        assert one.get("k1") == "loaded"
