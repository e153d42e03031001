"""What the Redis tier does beyond the protocol: on the server, between clients, by its URL."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time

import hiredis
import pytest

from scrubjay.clock import ManualClock
from scrubjay.errors import (
    InvalidArgumentError,
    TierClosedError,
    TierDeniedError,
    TierError,
    TierUnavailableError,
)
from scrubjay.testing import RedisServer
from scrubjay.tiers import RedisTier, TierEventKind, TierRecord
from scrubjay.tiers._redis import address, wire
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build

ONE = TierRecord(b"a", b"1")


@pytest.fixture
def client(redis_server):
    with Client(redis_server.socket) as client:
        client("FLUSHALL")
        client("CONFIG", "RESETSTAT")
        yield client


@pytest.fixture
def events():
    return []


@pytest.fixture
def tier(redis_server, client, events):
    with RedisTier(
        redis_server.url, namespace="x", timeout_seconds=20, on_event=events.append
    ) as tier:
        yield tier


def other_tier(redis_server, **more):
    return RedisTier(redis_server.url, namespace="x", timeout_seconds=20, **more)


# ---- what is on the server


def test_every_key_begins_with_the_namespace(tier, client):
    tier.put_many([ONE])
    tier.bump([b"tag"])
    assert sorted(client("KEYS", "*")) == [b"sj:x:c:tag", b"sj:x:g", b"sj:x:r:a"]


def test_namespaces_do_not_see_each_other(tier, redis_server):
    tier.put_many([ONE])
    with RedisTier(redis_server.url, namespace="y", timeout_seconds=20) as other:
        assert other.get_many([b"a"]) == [None]
        other.clear()
    assert tier.get_many([b"a"]) == [b"1"]


def test_the_server_expires_records(tier, client):
    tier.put_many([TierRecord(b"a", b"1", time.time() + 100), TierRecord(b"b", b"2")])
    assert 99_000 < client("PTTL", "sj:x:r:a") <= 100_000
    assert client("PTTL", "sj:x:r:b") == -1


def test_neither_scan_nor_keys(tier, client):
    tier.put_many([ONE, TierRecord(b"b", b"2")])
    tier.get_many([b"a", b"b"])
    tier.bump([b"t", b"u"])
    tier.counters([b"t", b"u", b"v"])
    tier.delete_many([b"a"])
    tier.clear()
    used = {line.split(b":")[0] for line in client("INFO", "commandstats").split() if b":" in line}
    used = {name.removeprefix(b"cmdstat_").decode() for name in used} - {"#", "config|resetstat"}
    assert used == {
        *("hello", "time", "client|tracking", "client|caching", "info"),
        *("get", "mget", "set", "incr", "getrange", "unlink"),
    }


def test_values_that_are_no_records_are_misses_and_events(tier, client, events):
    tier.put_many([ONE])
    good = client("GET", "sj:x:r:a")
    client("SET", "sj:x:r:b", good)  # of another key
    client("SET", "sj:x:r:c", "short")
    client("SET", "sj:x:r:d", "\x02" + "x" * 40)
    client("LPUSH", "sj:x:r:e", "1")
    assert tier.get_many([b"b", b"c", b"d", b"a"]) == [None] * 3 + [b"1"]
    assert tier.get_many([b"e"]) == [None]
    assert [event.kind for event in events] == [TierEventKind.CORRUPTION] * 4
    assert tier.delete_many([b"b", b"c"]) == 0


def test_a_value_that_is_too_large_is_not_kept(redis_server, client):
    with other_tier(redis_server, max_value_bytes=10) as tier:
        tier.put_many([ONE])
        assert tier.put_many([TierRecord(b"a", b"1" * 11), TierRecord(b"b", b"1" * 10)]) == [
            False,
            True,
        ]
        assert tier.get_many([b"a"]) == [None]


def test_large_batches_go_in_parts(tier):
    records = [TierRecord(b"%d" % number, b"v" * 1_500_000) for number in range(8)]
    assert tier.put_many(records) == [True] * 8
    assert tier.get_many([b"7"])[0] == b"v" * 1_500_000


# ---- generations


def test_counters_that_the_server_dropped_begin_above_the_old_ones(tier, client):
    (first,) = tier.counters([b"t"])
    (second,) = tier.bump([b"t"])
    assert second > first
    client("DEL", "sj:x:c:t")
    (third,) = tier.counters([b"t"])
    assert third > second
    client("DEL", "sj:x:c:t")
    (fourth,) = tier.bump([b"t"])
    assert fourth > third


def test_a_dropped_generation_brings_nothing_back(tier, client, redis_server):
    tier.put_many([ONE])
    tier.clear()
    client("DEL", "sj:x:g")
    assert tier.get_many([b"a"]) == [None]
    with other_tier(redis_server) as other:
        assert other.get_many([b"a"]) == [None]
        other.put_many([ONE])
        assert tier.get_many([b"a"]) == [b"1"]


def test_all_notice_a_flush(tier, client):
    tier.put_many([ONE])
    client("FLUSHALL")
    assert tier.get_many([b"a"]) == [None]
    assert tier.put_many([ONE]) == [True]
    assert tier.get_many([b"a"]) == [b"1"]


def test_puts_race_with_clears(tier, redis_server):
    """What was acknowledged after a clear had returned is there; what was before, is not."""
    problems = []
    stop = threading.Event()

    def clear():
        with other_tier(redis_server) as other:
            turn = 0
            while not stop.is_set():
                turn += 1
                other.put_many([TierRecord(b"old", b"%d" % turn)])
                other.clear()
                if tier.get_many([b"old"]) != [None]:
                    problems.append("old")
                mine = TierRecord(b"new", b"%d" % turn)
                if tier.put_many([mine]) != [True] or other.get_many([b"new"]) != [mine.value]:
                    problems.append("new")

    def put():
        number = 0
        while not stop.is_set():
            number += 1
            tier.put_many([TierRecord(b"%d" % (number % 50), b"v")] * 10)

    threads = [threading.Thread(target=work) for work in (clear, put, put)]
    for thread in threads:
        thread.start()
    stop.wait(2.0)
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_reads_touch_the_generation_now_and_then(tier, client):
    def gets():
        (line,) = [one for one in client("INFO", "commandstats").split() if b"_get:" in one]
        return int(line.partition(b"calls=")[2].partition(b",")[0])

    async def work():
        await tier.aget_many([b"a"])
        (link,) = tier._loops.values()
        link.session.touch_at = math.inf
        before = gets()
        for _ in range(10):
            await tier.aget_many([b"a"])
        assert gets() - before == 10
        link.session.touch_at = 0.0
        await tier.aget_many([b"a"])
        assert gets() - before == 12
        await tier.aclose()

    tier.get_many([b"a"])
    tier._threads._session.touch_at = math.inf
    before = gets()
    for _ in range(10):
        tier.get_many([b"a"])
    assert gets() - before == 10
    tier._threads._session.touch_at = 0.0
    tier.get_many([b"a"])
    assert gets() - before == 12
    asyncio.run(work())


# ---- faces


def test_both_faces_are_one_store(tier):
    async def work():
        assert await tier.aget_many([b"a"]) == [b"1"]
        await tier.aput_many([TierRecord(b"b", b"2")])
        assert await tier.abump([b"t"]) == tier.counters([b"t"])
        await tier.aclear()
        await tier.aclose()

    tier.put_many([ONE])
    asyncio.run(work())


def test_a_connection_for_each_loop_and_one_for_all_threads(tier, client):
    async def work():
        await asyncio.gather(*[tier.aget_many([b"a"]) for _ in range(20)])
        counted.append(connections(client))
        for link in tier._loops.values():
            link.close()
            await link.closed()

    counted = []
    threads = [threading.Thread(target=tier.get_many, args=([b"a"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted.append(connections(client))
    asyncio.run(work())
    asyncio.run(work())
    assert counted == [1, 2, 2]
    assert len(tier._loops) == 1  # the links of closed loops are forgotten


def connections(client):
    return client("CLIENT", "LIST").count(b"name=scrubjay ")


def test_cancelled_requests_leave_no_trace(tier):
    async def work():
        await tier.aput_many([TierRecord(b"%d" % number, b"v%d" % number) for number in range(20)])
        for turn in range(200):
            tasks = [
                asyncio.ensure_future(tier.aget_many([b"%d" % number])) for number in range(20)
            ]
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            for task in tasks[turn % 3 :: 3]:
                task.cancel()
            for number, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                if not isinstance(result, asyncio.CancelledError):
                    assert result == [b"v%d" % number]
        await tier.aclose()

    asyncio.run(work())


def test_an_awaited_tier_that_is_closed_says_so(redis_server, client):
    async def work():
        async with other_tier(redis_server) as tier:
            await tier.aput_many([ONE])
            reading = asyncio.ensure_future(tier.aget_many([b"a"]))
            await asyncio.sleep(0)
        with pytest.raises(TierClosedError):
            await reading
        with pytest.raises(TierClosedError):
            await tier.aget_many([b"a"])
        with pytest.raises(TierClosedError):
            tier.get_many([b"a"])

    asyncio.run(work())


def test_closing_ends_the_connections_of_other_loops(redis_server, client):
    tier = other_tier(redis_server)
    used, closed = threading.Event(), threading.Event()

    async def work():
        await tier.aget_many([b"a"])
        used.set()
        while not closed.is_set() or connections(client):  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    used.wait(10)
    tier.close()
    closed.set()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_opens_connections_of_its_own(tier, client):
    async def read():
        found = await tier.aget_many([b"a"])
        await tier.aclose()
        return found

    async def parent():
        assert await tier.aget_many([b"a"]) == [b"1"]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if tier.get_many([b"a"]) == [b"1"] else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - nothing else runs on this loop
        assert os.waitstatus_to_exitcode(status) == 0
        assert await tier.aget_many([b"a"]) == [b"1"]

    tier.put_many([ONE])
    before = client("INFO", "stats")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            threads_alone = tier.get_many([b"a"]) == [b"1"]
            status = 0 if threads_alone and asyncio.run(read()) == [b"1"] else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert tier.get_many([b"a"]) == [b"1"]
    assert connections(client) == 1
    asyncio.run(parent_and_close(parent, tier))
    assert count(client("INFO", "stats")) - count(before) == 4


async def parent_and_close(parent, tier):
    await parent()
    await tier.aclose()


def count(info):
    (line,) = [line for line in info.split() if line.startswith(b"total_connections_received:")]
    return int(line.partition(b":")[2])


# ---- URLs, users, databases


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", address.Address("localhost")),
        ("redis://h", address.Address("h")),
        ("valkey://h:1/3", address.Address("h", 1, database=3)),
        ("redis://[::1]:7/", address.Address("::1", 7)),
        ("redis://u:p%40%2F@h", address.Address("h", user="u", password="p@/")),
        ("redis://:p@h", address.Address("h", password="p")),
        (
            "redis://u:p%2C@h:1,i,[::1]:3/",
            address.Address("h", 1, user="u", password="p,", more=(("i", 6379), ("::1", 3))),
        ),
        ("unix:///a%20b.sock?db=2", address.Address(path="/a b.sock", database=2)),
        ("unix://u:p@/r.sock", address.Address(path="/r.sock", user="u", password="p")),
    ],
)
def test_urls(url, expected):
    assert address.parse(url) == expected
    assert "p@/" not in repr(expected)


@pytest.mark.parametrize(
    "url",
    [
        *(None, b"redis://h", "", "h:6379", "http://h", "redis://h:port", "redis://h/x"),
        *(
            "redis://h,i:port",
            "redis://h/1?timeout=3",
            "unix://",
            "unix://host/r.sock",
            "redis://h/-1",
        ),
    ],
)
def test_bad_urls(url):
    with pytest.raises(InvalidArgumentError):
        RedisTier(url)


def test_a_bad_url_does_not_give_the_password_away():
    for url in ("redis://u:secret@h:port", "http://u:secret@h", "redis://u:secret@h/x"):
        with pytest.raises(InvalidArgumentError) as caught:
            RedisTier(url)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("namespace", ["", "a:b", "{a}", "a" * 65, "a*", b"a", None])
def test_bad_namespaces(namespace):
    with pytest.raises(InvalidArgumentError):
        RedisTier(namespace=namespace)


@pytest.mark.parametrize(
    "bad",
    [
        {"timeout_seconds": 0},
        {"connect_timeout_seconds": -1},
        {"max_value_bytes": 0},
        {"on_event": 3},
        {"tls": True},
        {"name": 3},
    ],
)
def test_bad_arguments(bad):
    with pytest.raises(InvalidArgumentError):
        RedisTier(**bad)


def test_without_hiredis_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hiredis", None)
    with pytest.raises(TierError, match=r"scrubjay\[redis\]"):
        RedisTier()


def test_databases(tier, redis_server, client):
    tier.put_many([ONE])
    with RedisTier(f"{redis_server.url}?db=3", namespace="x", timeout_seconds=20) as other:
        assert other.get_many([b"a"]) == [None]
        other.put_many([ONE])
    client("SELECT", "3")
    assert client("EXISTS", "sj:x:r:a") == 1


def test_no_such_database(redis_server):
    with (
        RedisTier(f"{redis_server.url}?db=99", timeout_seconds=20) as tier,
        pytest.raises(TierUnavailableError, match="DB index"),
    ):
        tier.get_many([b"a"])


# What a user of a namespace needs, as the documentation says.
RULES = (
    "+hello +auth +select +time +info +client|tracking +client|caching +client|setname "
    "+client|kill +get +mget +getrange +set +incr +unlink"
)


def test_the_recipe_for_an_access_list_suffices(client, redis_server):
    client("ACL", "LOG", "RESET")
    client("ACL", "SETUSER", "app", "reset", "on", ">se:c/r@t", "~sj:x:*", "-@all", *RULES.split())
    url = redis_server.url.replace("unix://", "unix://app:se%3Ac%2Fr%40t@")
    with RedisTier(url, namespace="x", timeout_seconds=20) as tier:
        tier.put_many([ONE])
        assert tier.get_many([b"a"]) == [b"1"]
        tier.counters([b"t"])
        tier.bump([b"t"])
        tier.delete_many([b"a"])
        tier.clear()
        client("CLIENT", "KILL", "USER", "app")
        assert tier.get_many([b"a"]) == [None]
        assert client("ACL", "LOG") == []
    with RedisTier(url, namespace="y", timeout_seconds=20) as tier, pytest.raises(TierDeniedError):
        tier.get_many([b"a"])


@pytest.mark.parametrize("who", ["app:wrong", "nobody:x"])
def test_a_wrong_password_is_told_apart_from_an_outage(client, redis_server, who):
    client("ACL", "SETUSER", "app", "reset", "on", ">right", "~*", "+@all")
    url = redis_server.url.replace("unix://", f"unix://{who}@")
    with RedisTier(url, timeout_seconds=20) as tier:
        with pytest.raises(TierDeniedError) as caught:
            tier.get_many([b"a"])
        assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
        with pytest.raises(TierUnavailableError, match="tried again"):
            tier.get_many([b"a"])  # at once: the server is left in peace

        async def work():
            with pytest.raises(TierDeniedError):
                await tier.aget_many([b"a"])
            await tier.aclose()

        asyncio.run(work())


def test_a_password_that_is_missing(tmp_path_factory, client, redis_server):
    client("CONFIG", "SET", "requirepass", "right")
    try:
        with (
            RedisTier(redis_server.url, timeout_seconds=20) as tier,
            pytest.raises(TierDeniedError),
        ):
            tier.get_many([b"a"])
        wrong = redis_server.url.replace("unix://", "unix://:false@")
        with RedisTier(wrong, timeout_seconds=20) as tier, pytest.raises(TierDeniedError):
            tier.get_many([b"a"])
        url = redis_server.url.replace("unix://", "unix://:right@")
        with RedisTier(url, timeout_seconds=20) as tier:
            assert tier.get_many([b"a"]) == [None]
    finally:
        client("CONFIG", "SET", "requirepass", "")


def test_a_server_that_takes_back_a_permission(client, redis_server):
    client("ACL", "SETUSER", "app", "reset", "on", "nopass", "~*", "+@all")
    url = redis_server.url.replace("unix://", "unix://app:any@")
    with RedisTier(url, namespace="x", timeout_seconds=20) as tier:
        tier.get_many([b"a"])
        client("ACL", "SETUSER", "app", "-set")
        with pytest.raises(TierDeniedError):
            tier.put_many([ONE])
        assert tier.get_many([b"a"]) == [None]


# ---- the wire


def test_commands_are_encoded_as_the_server_reads_them():
    reader = hiredis.Reader()
    reader.feed(wire.encode([(b"SET", b"a\r\n", b""), (b"GET", b"\xff")]))
    assert [reader.gets(), reader.gets()] == [[b"SET", b"a\r\n", b""], [b"GET", b"\xff"]]


def test_the_clock_of_the_tier_decides_on_expiry(redis_server, client):
    clock = ManualClock(epoch=2_000_000_000.0)
    with other_tier(redis_server, clock=clock) as tier:
        tier.put_many([TierRecord(b"a", b"1", clock.time() + 5)])
        assert client("PTTL", "sj:x:r:a") > 4000
        clock.advance(5)
        assert tier.get_many([b"a"]) == [None]
        assert tier.delete_many([b"a"]) == 0


def test_servers_have_programs():
    assert RedisServer.program() is not None
