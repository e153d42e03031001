"""A cache as one session uses it: the same as with a context, in fewer words and less time."""

from __future__ import annotations

import asyncio
import gc
import inspect

import pytest

from scrubjay import AdaptiveCache, Cache, CacheConsistencyLevel, ManualClock, compiled
from scrubjay.codecs.protection import HmacSha256
from scrubjay.consistency import sessions as known_sessions
from scrubjay.errors import (
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    InvalidTokenError,
    TierError,
)
from scrubjay.sessions import AsyncCacheSession, CacheSession
from scrubjay.testing import SharedMemory, SharedMemoryTier

SIGNER = HmacSha256({1: b"a secret of thirty-two bytes or more"})
LEVELS = ["session", "monotonic"]


def node(memory, clock, **options):
    tier = SharedMemoryTier(memory)
    cache = Cache(max_entries=8, clock=clock, tiers=[tier], **options)
    return cache, tier


@pytest.fixture
def clock():
    return ManualClock(epoch=1e9)


@pytest.mark.parametrize("level", ["eventual", *LEVELS])
def test_hits_are_counted_and_ask_nobody(clock, level):
    cache, tier = node(SharedMemory(clock), clock)
    cache.put("a", 1)
    mine = cache.session("ann", consistency_level=level)
    assert mine.get("a") == 1
    tier.reachable = False
    before = cache.statistics
    for _ in range(5):
        assert mine.get("a") == 1
        assert mine.get_or_load("a") == 1
        assert mine.get_many(["a"]) == {"a": 1}
    after = cache.statistics
    assert after.total_requests - before.total_requests == 15
    assert after.cache_hits - before.cache_hits == 15
    assert cache.entry("a").access_count >= 15


def test_what_is_not_there_is_the_default(clock):
    cache, tier = node(SharedMemory(clock), clock)
    mine = cache.session("ann")
    assert mine.get("a") is None
    assert mine.get("a", 7) == 7
    assert mine.get("a", default=8) == 8
    assert cache.statistics.cache_misses == 3
    with pytest.raises(InvalidKeyError):
        mine.get([])
    mine.put("a", None)
    assert mine.get("a", 7) is None
    mine.invalidate("a")
    tier.reachable = False
    with pytest.raises(TierError):
        mine.get("a")


@pytest.mark.parametrize("level", LEVELS)
def test_a_token_takes_along_what_was_written(clock, level):
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    ann, bob = (here.session(who, consistency_level=level) for who in ("ann", "bob"))
    here.put("a", "old")
    assert ann.get("a") == bob.get("a") == "old"
    away = there.session("ann", ann.token(SIGNER), signer=SIGNER, consistency_level=level)
    away.put("a", "new", tags={"t"})
    here.session("ann", away.token(), signer=SIGNER)
    assert bob.get("a") == "old"  # nobody has told this node yet
    assert ann.get("a") == "new"
    away.invalidate_by_tags({"t"})
    here.session("ann", away.token(), signer=SIGNER)
    assert ann.get("a") is None


def test_a_forged_token_changes_nothing(clock):
    cache, _ = node(SharedMemory(clock), clock)
    mine = cache.session("ann", signer=SIGNER)
    mine.put("a", 1)
    token = mine.token()
    with pytest.raises(InvalidTokenError):
        cache.session("bob", "A" + token[1:][::-1], signer=SIGNER)
    with pytest.raises(InvalidTokenError):
        cache.session("bob", token)  # it is signed
    assert not cache.session("bob").session.floors
    assert cache.session("bob", token, signer=SIGNER).session.floors
    with pytest.raises(InvalidArgumentError):
        cache.session("ann", consistency_level="strict")


def test_a_session_reads_at_the_level_of_the_cache_or_by_itself(clock):
    memory = SharedMemory(clock)
    for given, level in [
        ("eventual", "session"),
        ("session", "session"),
        ("monotonic", "monotonic"),
        ("strong", "strong"),
    ]:
        cache, _ = node(memory, clock, consistency_level=given)
        assert cache.session("ann").consistency_level.value == level
        assert level in repr(cache.session("ann"))
    mine = cache.session("ann", consistency_level=CacheConsistencyLevel.MONOTONIC)
    assert mine.consistency_level is CacheConsistencyLevel.MONOTONIC


def test_a_strong_session_sees_what_others_have_written(clock):
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    mine = here.session("ann", consistency_level="strong")
    here.put("a", 1)
    assert mine.get("a") == 1
    there.put("a", 2)
    assert mine.get("a") == 2


def test_never_back_to_what_it_was_before(clock):
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    here.put("a", "old")
    there.put("a", "new")
    away = there.session("ann", consistency_level="monotonic")
    assert away.get("a") == "new"
    mine = here.session("ann", away.token(), consistency_level="monotonic")
    assert here.get("a") == "old"
    assert mine.get("a") == "new"


def test_adaptive_and_prefetch_learn_what_they_would_of_a_context():
    clock = ManualClock(epoch=1e9)
    told = []
    for by_door in [False, True]:
        cache, _ = node(SharedMemory(clock), clock)
        for number in range(8):
            cache.put(number, number)

        def read(who, key, cache=cache, by_door=by_door):
            if by_door:
                return cache.session(who).get(key)
            context = {"session_id": who}
            return cache.get(key, context=context, consistency_level="session")

        for who in ["ann", "bob"]:
            read(who, 0)

        class Learner:
            def wake(self, urgent):
                pass

        cache.teach(Learner(), 100)
        assert all(read(who, key) == key for key in range(8) for who in ["ann", "bob"])
        assert read("cid", 9) is None
        policy = cache.describe_policy()
        assert policy["sessions"]
        told.append((cache.take_accesses(), policy, cache.statistics.total_requests))
    assert told[0] == told[1]


def test_a_cache_that_copies_does_here_too(clock):
    cache, _ = node(SharedMemory(clock), clock, copy="deep")
    cache.put("a", [1])
    mine = cache.session("ann")
    first = mine.get("a")
    first.append(2)
    assert mine.get("a") == [1]


@pytest.mark.parametrize("level", ["eventual", "session", "monotonic", "strong"])
def test_in_one_process(level):
    cache = Cache(max_entries=8, consistency_level=level)
    mine = cache.session("ann")
    assert mine.put("a", 1)
    assert mine.get("a") == 1
    assert mine.put_many({"b": 2, "c": 3}, ttl_seconds=60.0) == 2
    assert mine.get_many(["a", "b", "d"]) == {"a": 1, "b": 2}
    assert mine.invalidate_many(["a", "b"]) == 2
    assert mine.get("a") is None
    assert mine.get_or_load("a", lambda key: key * 2) == "aa"
    assert cache.statistics.total_requests == 6
    assert isinstance(mine.token(), str)


def test_a_session_that_is_in_use_is_never_two(clock, monkeypatch):
    monkeypatch.setattr(known_sessions, "_MOST", 3)
    cache, _ = node(SharedMemory(clock), clock)
    mine = cache.session("ann")
    for number in range(10):
        cache.session(str(number))
    assert "ann" not in cache._sessions.known
    cache.put("a", 1, context={"session_id": "ann"})
    assert mine.session.floors
    assert cache._sessions.known["ann"] is mine.session
    for number in range(10):
        cache.session(str(number))
    del mine
    gc.collect()
    assert not cache.session("ann").session.floors


def test_awaited():
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    here, there = (
        AdaptiveCache(max_entries=8, clock=clock, tiers=[SharedMemoryTier(memory)])
        for _ in range(2)
    )

    async def main():
        mine = here.session("ann", signer=SIGNER)
        assert await mine.put("a", 1)
        assert await mine.get("a") == 1
        assert await mine.get("b") is None
        assert await mine.get("b", 7) == 7
        assert await mine.put_many({"b": 2, "c": 3}, tags={"t"}) == 2
        assert await mine.get_many(["a", "b", "d"]) == {"a": 1, "b": 2}
        away = there.session("ann", mine.token(), signer=SIGNER)
        assert await away.get("b") == 2
        assert await away.invalidate_by_tags({"t"}) == 1
        assert await away.get("a") == 1
        assert await away.invalidate_many(["a"]) == 1
        here.session("ann", away.token(), signer=SIGNER)
        assert await mine.get("a") is None

        async def load(key):
            return key * 2

        assert await mine.get_or_load("a", load) == "aa"
        await mine.invalidate("a")
        assert await mine.get("a") is None

    asyncio.run(main())


@pytest.mark.skipif(not compiled, reason="those of the core are attributes there, too")
def test_a_cache_has_no_more_attributes_than_share_their_names(clock):
    # From the 31st on an instance has a dict of its own (SHARED_KEYS_MAX_SIZE of CPython), in which
    # each call of a method looks for its name: a third of a hit.
    for copy in [None, "deep"]:
        cache, _ = node(SharedMemory(clock), clock, copy=copy, consistency_check_share=0.0001)
        assert len(vars(cache)) <= 30


def test_both_doors_have_the_same():
    def names(kind):
        return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}

    assert names(CacheSession) == names(AsyncCacheSession)
    for name in names(CacheSession) - {"get", "get_at_once", "get_elsewhere", "token"}:
        one, other = (getattr(kind, name) for kind in (CacheSession, AsyncCacheSession))
        assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


@pytest.mark.parametrize("door", [Cache, AdaptiveCache])
def test_none_names_no_session(door):
    cache = door(max_entries=8)
    with pytest.raises(InvalidArgumentTypeError, match="session_id"):
        cache.session(None)
    assert cache.session(5).session_id == "5"
