"""What the Redis tier does on a cluster beyond the suites: on the servers, and by its users."""

from __future__ import annotations

import asyncio
import os
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import AdaptiveCache, Cache, Redis
from scrubjay.errors import TierClosedError, TierDeniedError, TierUnavailableError
from scrubjay.testing import Awaited
from scrubjay.tiers import RedisTier, TierEventKind, TierRecord
from scrubjay.tiers._redis.slots import BUCKETS, slot_of

pytestmark = pytest.mark.any_build

ONE = TierRecord(b"a", b"1")
KEYS = [b"%d" % number for number in range(30)]


@pytest.fixture
def ask(redis_cluster):
    """A function that has all primaries do something; returns their replies."""

    def ask_all(*command):
        return [redis_cluster.ask(server, *command) for server in redis_cluster.primaries]

    ask_all("FLUSHALL")
    ask_all("CONFIG", "RESETSTAT")
    return ask_all


@pytest.fixture
def tier(redis_cluster, ask):
    with RedisTier(redis_cluster.url, cluster=True, namespace="x", timeout_seconds=20) as tier:
        yield tier


@settings(max_examples=50)
@given(name=st.binary(max_size=40) | st.text("{}ab", max_size=8).map(str.encode))
def test_slots_are_those_of_the_server(redis_cluster, name):
    reply = redis_cluster.ask(redis_cluster.primaries[0], "CLUSTER", "KEYSLOT", name.hex())
    assert slot_of(name.hex().encode()) == reply
    text = name.decode("latin-1").encode("ascii", "ignore").decode()
    reply = redis_cluster.ask(redis_cluster.primaries[0], "CLUSTER", "KEYSLOT", text)
    assert slot_of(text.encode()) == reply


def test_neither_scan_nor_keys_nor_what_is_in_two_slots(tier, ask):
    tier.put_many([TierRecord(key, b"1") for key in KEYS])
    tier.get_many(KEYS)
    tier.bump(KEYS)
    tier.counters(KEYS)
    tier.delete_many(KEYS[:9])
    tier.clear()
    stats = [line for info in ask("INFO", "commandstats") for line in info.split() if b"=" in line]
    used = {line.split(b":")[0].removeprefix(b"cmdstat_").decode() for line in stats}
    assert used - {"config|resetstat", "ping", "replconf", "psync", "flushall"} == {
        *("hello", "time", "client|tracking", "client|caching", "info", "script|load"),
        *("cluster|slots", "cluster|nodes", "cluster|info"),
        *("get", "mget", "set", "incr", "getrange", "unlink"),
    } - ({"mget"} if "mget" not in used else set())
    errors = [info for info in ask("INFO", "errorstats") if b"CROSSSLOT" in info]
    assert errors == []


def test_keys_are_spread_over_all_primaries(tier, ask):
    tier.put_many([TierRecord(key, b"1") for key in KEYS * 3])
    each = ask("DBSIZE")
    assert sum(each) == 2 * len(KEYS)  # each with a generation of its own
    assert min(each) > 0


def test_clear_reaches_every_bucket(tier, redis_cluster, ask):
    tier.put_many([TierRecord(key, b"1") for key in KEYS])
    written = [tier.write(TierRecord(key, b"2")) for key in KEYS]
    with RedisTier(redis_cluster.url, cluster=True, namespace="x", timeout_seconds=20) as other:
        assert other.get_many(KEYS) == [b"1"] * len(KEYS)
        tier.clear()
        assert other.get_many(KEYS) == [None] * len(KEYS)
        assert [record.value for record in other.read_many(KEYS)] == [None] * len(KEYS)
    tier.barrier()
    assert not any(one.watch.live for one in written)
    generations = sum(ask("DBSIZE")) - 2 * len(KEYS)
    assert generations == BUCKETS


def test_one_connection_to_each_primary_for_each_face(tier, ask):
    async def work():
        await asyncio.gather(*[tier.aget_many([key]) for key in KEYS])
        counted.append(connections())
        await tier.aput_many([TierRecord(key, b"1") for key in KEYS])
        (cluster,) = tier._loops.values()
        cluster.close()
        await cluster.closed()

    def connections():
        return [info.count(b"name=scrubjay ") for info in ask("CLIENT", "LIST")]

    counted = []
    tier.get_many(KEYS)
    counted.append(connections())
    asyncio.run(work())
    assert counted == [[1, 1, 1], [2, 2, 2]]


def test_readers_share_a_barrier_of_each_primary(redis_cluster, ask):
    async def main():
        async with RedisTier(redis_cluster.url, cluster=True, namespace="x") as tier:
            written = await tier.awrite(ONE)
            await tier.abarrier()
            ask("CONFIG", "RESETSTAT")
            feeds = await asyncio.gather(*[tier.abarrier([written.feed]) for _ in range(100)])
            assert all(feed is written.feed for feed in feeds)

    asyncio.run(main())
    calls = [
        int(line.partition(b"calls=")[2].partition(b",")[0])
        for info in ask("INFO", "commandstats")
        for line in info.split()
        if b"cmdstat_exists" in line
    ]
    assert sum(calls) in {1, 2}  # of one primary alone
    assert len(calls) == 1


@pytest.mark.parametrize("awaited", [False, True])
def test_a_strong_hit_asks_the_one_primary_that_watches_it(redis_cluster, ask, awaited):
    def barriers():
        found = [re.search(rb"cmdstat_exists:calls=(\d+)", info) for info in ask("INFO", "all")]
        return sorted(int(one[1]) if one else 0 for one in found)

    options = {"tiers": [Redis(redis_cluster.url, cluster=True)], "namespace": "x"}
    if awaited:

        async def main():
            async with AdaptiveCache(**options) as cache:
                await cache.put("a", 1)
                await cache.get("a")  # the first request of all is timed
                ask("CONFIG", "RESETSTAT")
                for _ in range(5):
                    assert await cache.get("a", consistency_level="strong") == 1

        asyncio.run(main())
    else:
        with Cache(**options) as cache:
            cache.put("a", 1)
            cache.get("a")
            ask("CONFIG", "RESETSTAT")
            for _ in range(5):
                assert cache.get("a", consistency_level="strong") == 1
    # Others may be away, and what they know is of no use here.
    assert barriers() == [0, 0, 5]


def test_what_no_tier_has_written_is_a_miss_and_an_event(redis_cluster, ask, tier):
    events = []
    with RedisTier(
        redis_cluster.url, cluster=True, namespace="x", on_event=events.append
    ) as listening:
        tier.put_many([ONE])
        names = [key for found in ask("KEYS", "sj:x:r:*") for key in found]
        assert len(names) == 1
        server = redis_cluster.owner(slot_of(names[0]))
        redis_cluster.ask(server, "SET", names[0].decode(), "nonsense")
        assert listening.get_many([b"a"]) == [None]
    assert [event.kind for event in events] == [TierEventKind.CORRUPTION]


def test_without_saying_so_a_cluster_is_refused(redis_cluster, ask):
    with (
        RedisTier(redis_cluster.url, namespace="x") as tier,
        pytest.raises(TierUnavailableError, match="cluster=True"),
    ):
        for key in KEYS:
            tier.put_many([TierRecord(key, b"1")])


def test_a_server_alone_is_no_cluster(redis_server):
    with (
        RedisTier(redis_server.tcp_url, cluster=True, namespace="x") as tier,
        pytest.raises(TierUnavailableError, match="no part of a cluster"),
    ):
        tier.get_many([b"a"])


def test_a_closed_tier_says_so(redis_cluster, ask):
    tier = RedisTier(redis_cluster.url, cluster=True, namespace="x")
    tier.get_many(KEYS)
    tier.close()
    with pytest.raises(TierClosedError):
        tier.get_many(KEYS)
    with Awaited(RedisTier(redis_cluster.url, cluster=True, namespace="x")) as awaited:
        awaited.get_many(KEYS)
        awaited._tier.close()
        with pytest.raises(TierClosedError):
            awaited.get_many(KEYS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_nothing_is_watched_in_a_child(tier, ask):
    written = tier.write(ONE)
    child = os.fork()
    if child == 0:
        fine = not written.watch.live
        found = tier.read_many([b"a"])[0]
        fine = fine and found.value == b"1" and found.watch.live
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert written.watch.live
    assert tier.write(TierRecord(b"a", b"2")).watch.live


def test_cancelled_requests_leave_no_trace(tier):
    async def work():
        await tier.aput_many([TierRecord(key, b"v" + key) for key in KEYS])
        for turn in range(60):
            tasks = [asyncio.ensure_future(tier.aget_many([key])) for key in KEYS]
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            for task in tasks[turn % 3 :: 3]:
                task.cancel()
            for key, result in zip(
                KEYS, await asyncio.gather(*tasks, return_exceptions=True), strict=True
            ):
                if not isinstance(result, asyncio.CancelledError):
                    assert result == [b"v" + key]
        await tier.aclose()

    asyncio.run(work())


# What a user of a namespace needs on a cluster, as the documentation says.
RULES = (
    "+hello +auth +select +time +info +client|tracking +client|caching +client|setname "
    "+client|kill +get +mget +getrange +set +incr +unlink "
    "+cluster|slots +cluster|nodes +cluster|info +asking"
)
COHERENT = (
    "+ping +evalsha +script|load +exists +setrange +rename +persist +pexpire +pttl +pubsub|numsub"
)


@pytest.mark.parametrize("rules", [RULES, f"{RULES} {COHERENT}"])
def test_the_recipe_for_an_access_list_suffices(redis_cluster, ask, rules):
    ask("ACL", "LOG", "RESET")
    ask("ACL", "SETUSER", "app", "reset", "on", ">secret", "~sj:x:*", "-@all", *rules.split())
    url = redis_cluster.url.replace("redis://", "redis://app:secret@")
    coherent = rules != RULES
    with RedisTier(url, cluster=True, namespace="x", timeout_seconds=20) as tier:
        tier.put_many([TierRecord(key, b"1") for key in KEYS])
        assert tier.get_many(KEYS) == [b"1"] * len(KEYS)
        tier.bump(KEYS)
        tier.counters(KEYS)
        tier.delete_many(KEYS)
        tier.clear()
        if coherent:
            tier.write(TierRecord(b"a", b"1", time.time() + 50))
            tier.fetch(KEYS, KEYS)
            tier.advance(KEYS)
            tier.delete(KEYS)
            token = tier.lease(b"a", b"me", 20, void=tier.read_many([b"a"])[0].version).token
            assert tier.fill(ONE, token) is not None
            tier.barrier()
    refused = [entry for entries in ask("ACL", "LOG") for entry in entries]
    # Who has no use for scripts need not be allowed them; that they are offered is no harm.
    assert [entry for entry in refused if b"script|load" not in entry] == []
    assert not (coherent and refused)


def test_a_user_of_another_namespace_is_refused(redis_cluster, ask):
    ask("ACL", "SETUSER", "app", "reset", "on", ">secret", "~sj:y:*", "-@all", *RULES.split())
    url = redis_cluster.url.replace("redis://", "redis://app:secret@")
    with RedisTier(url, cluster=True, namespace="x") as tier, pytest.raises(TierDeniedError):
        tier.get_many([b"a"])
    wrong = redis_cluster.url.replace("redis://", "redis://app:false@")
    with RedisTier(wrong, cluster=True, namespace="y") as tier, pytest.raises(TierDeniedError):
        tier.get_many([b"a"])
