"""Users of a server who lack a permission: a typed error that says so, and never less than that."""

from __future__ import annotations

import asyncio
import time

import pytest

from scrubjay import Cache, Memory, Redis
from scrubjay.errors import ConsistencyUnavailableError, TierDeniedError, TierUnavailableError
from scrubjay.testing import AwaitedShared
from scrubjay.tiers import RedisTier, TierRecord
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build

PLAIN = [
    "hello",
    "auth",
    "select",
    "time",
    "info",
    "client|tracking",
    "client|caching",
    "client|setname",
    "client|kill",
    "get",
    "mget",
    "getrange",
    "set",
    "incr",
    "unlink",
]
VERSIONED = [
    "ping",
    "evalsha",
    "script|load",
    "exists",
    "setrange",
    "rename",
    "persist",
    "pexpire",
    "pttl",
    "pubsub|numsub",
]
# What is done without: the fence against an old connection, epochs, what nothing asks for here.
SPARED = {"hello", "auth", "select", "client|setname", "client|kill", "info"}


@pytest.fixture
def client(redis_server):
    with Client(redis_server.socket) as client:
        client("FLUSHALL")
        client("SCRIPT", "FLUSH")
        yield client


@pytest.fixture(params=["blocking", "awaited"])
def open_tier(request, redis_server, client):
    opened = []

    def open_without(*missing):
        rules = [f"+{one}" for one in PLAIN + VERSIONED if one not in missing]
        client("ACL", "SETUSER", "app", "reset", "on", ">secret", "~sj:x:*", "-@all", *rules)
        url = redis_server.url.replace("unix://", "unix://app:secret@")
        tier = RedisTier(url, namespace="x", timeout_seconds=20)
        opened.append(tier if request.param == "blocking" else AwaitedShared(tier))
        return opened[-1]

    yield open_without
    for tier in opened:
        tier.close()


def plainly(tier):
    tier.put_many([TierRecord(b"a", b"1"), TierRecord(b"b", b"2")])
    assert tier.get_many([b"a"]) == [b"1"]
    assert tier.get_many([b"a", b"b"]) == [b"1", b"2"]
    tier.counters([b"t"])
    tier.bump([b"t"])
    assert tier.delete_many([b"a"]) == 1
    tier.clear()


def with_versions(tier):
    tier.write(TierRecord(b"a", b"1", time.time() + 50))
    assert tier.read_many([b"a"])[0].value == b"1"
    tier.write(TierRecord(b"a", b"2"))
    tier.delete([b"a"])
    token = tier.lease(b"a", b"me", 20).token
    assert tier.fill(TierRecord(b"a", b"3"), token) is not None
    tier.advance([b"t"])
    tier.barrier()


@pytest.mark.parametrize("missing", [one for one in PLAIN if one not in SPARED])
def test_a_plain_tier_without_a_permission(open_tier, missing):
    with pytest.raises(TierDeniedError):
        plainly(open_tier(missing))


@pytest.mark.parametrize("missing", sorted(SPARED))
def test_what_a_plain_tier_does_without(open_tier, missing):
    plainly(open_tier(missing))


@pytest.mark.parametrize("missing", [one for one in VERSIONED if one != "pubsub|numsub"])
def test_versions_without_a_permission(open_tier, missing):
    with pytest.raises(TierDeniedError):
        with_versions(open_tier(missing))


@pytest.mark.parametrize("missing", ["info", "pubsub|numsub"])
def test_who_cannot_see_what_stands_against_strong_reads_gets_none(open_tier, missing):
    with pytest.raises(ConsistencyUnavailableError):
        with_versions(open_tier(missing))


@pytest.mark.parametrize("taken", ["set", "client|caching", "evalsha", "incr", "get"])
def test_a_permission_that_is_taken_back(open_tier, client, taken):
    """In the midst of everything: an error at once, neither a wait nor a copy that nobody watches."""
    tier = open_tier()
    with_versions(tier)
    client("ACL", "SETUSER", "app", f"-{taken}")
    start = time.monotonic()
    with pytest.raises(TierDeniedError):
        with_versions(tier)
    with pytest.raises(TierDeniedError):
        tier.advance([b"new"])
        tier.fetch([], [b"newer"])
        tier.write(TierRecord(b"a", b"1"))
    assert time.monotonic() - start < 5.0


def test_nothing_is_missing_from_the_recipe(open_tier):
    plainly(open_tier())
    with_versions(open_tier())


def test_a_cache_goes_on_and_tells_why(redis_server, client):
    client("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "+@all")
    url = redis_server.url.replace("unix://", "unix://app:wrong@")
    told = []
    with Cache(namespace="users", tiers=[Memory(max_entries=9), Redis(url)]) as cache:
        cache.on_event(told.append, queued=False)
        cache.put("a", 1)
        assert cache.get("a") == 1
        assert cache.get_or_load("b", lambda key: 2) == 2
    assert any("denies access" in str(event) for event in told)
    assert not any("secret" in str(event) or ":wrong" in str(event) for event in told)


@pytest.mark.parametrize("awaited", [False, True])
def test_it_is_told_why_until_the_next_attempt(redis_server, client, awaited):
    client("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "+@all")
    tier = RedisTier(redis_server.url.replace("unix://", "unix://app:wrong@"))

    async def ask():
        for _ in range(5):  # the second comes before it is tried again
            with pytest.raises(TierUnavailableError, match="denies access"):
                if awaited:
                    await tier.aget_many([b"a"])
                else:
                    tier.get_many([b"a"])
        await tier.aclose()

    asyncio.run(ask())
