"""Hits of sessions that the core answers by itself, against the flow that would have."""

from __future__ import annotations

import gc
import random

import pytest

from scrubjay import AdaptiveCache, Cache, CacheConsistencyLevel, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay._core.evidence import Bond, Evidence, Generation
from scrubjay._flow import blocking, copies
from scrubjay._flow.load import Demand
from scrubjay.consistency import Session
from scrubjay.consistency import sessions as known_sessions
from scrubjay.consistency.sessions import Sessions
from scrubjay.errors import ConsistencyError, EpochChangedError, InvalidTokenError, TierError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from scrubjay.versions import Feed, Watch
from tests.models import scaled

SESSION, MONOTONIC = CacheConsistencyLevel.SESSION, CacheConsistencyLevel.MONOTONIC
STRONG = CacheConsistencyLevel.STRONG
KEYS = [f"key {number}" for number in range(6)]
TAGS = ["odd", "even", "all"]
NAMES = ["ann", "bob"]


class Jobs(list):
    """The work of the background, done when the test says so."""

    submit = list.append

    def run(self):
        while self:
            self.pop(0)()


@pytest.fixture
def jobs(monkeypatch):
    made = Jobs()
    monkeypatch.setattr(copies, "_workers", made)
    return made


def node(memory, clock, local=False, **options):
    tier = SharedMemoryTier(memory)
    near = [MemoryTier(name="near", clock=clock)] if local else []
    cache = Cache(
        max_entries=4, eviction_strategy="lru", clock=clock, tiers=[*near, tier], **options
    )
    return cache, tier


def floors_of(session):
    return (
        session.epoch,
        session.overflown,
        {place: floor.version for place, floor in session.floors.items()},
    )


def by_flow(cache, key, level, session):
    """Return what the flow shows of a copy without asking anybody, or its error, or MISSING."""
    try:
        return cache._shared.at_once(key, level, session)
    except (ConsistencyError, TierError) as error:
        return type(error)


def compare(cache, key, level, session):
    """See that core and flow decide alike; return whether the core has answered."""
    if cache.requests & 1023 == 0:
        cache.request(key, MISSING)  # this one is timed, which is not done by the core alone
    requests, misses = cache.requests, cache.misses
    before = floors_of(session)
    mine = cache.fetch_permitted(key, session, level is MONOTONIC)
    assert floors_of(session) == before
    assert (cache.requests - requests, cache.misses) == (int(mine is not MISSING), misses)
    flows = by_flow(cache, key, level, session)
    if mine is not MISSING:
        assert flows == mine
        assert floors_of(session) == before  # what the flow has shown was the floor already
    elif flows is not MISSING and not isinstance(flows, type):
        # It has looked at more, or has lifted a floor: now both know as much.
        assert cache.fetch_permitted(key, session, level is MONOTONIC) == flows
    return mine is not MISSING


def compare_strong(cache, tier, key, session):
    """See that what the core shows at STRONG is what the flow shows; return whether it did."""
    if cache.requests & 1023 == 0:
        cache.request(key, MISSING)
    mine = MISSING
    if cache.confirmer(key, session) is not None:
        mine = cache.fetch_confirmed(key, session, tier.barrier())
    flows = blocking.run(cache.reading_at(key, Demand(STRONG, session)))
    if mine is not MISSING:
        assert flows == mine
    return mine is not MISSING


@pytest.mark.untraced
@pytest.mark.parametrize("local", [False, True])
def test_the_core_decides_as_the_flow_does(jobs, local):
    answered = {SESSION: 0, MONOTONIC: 0, STRONG: 0}
    refused = 0
    for seed in range(scaled(80, 15)):
        chance = random.Random(seed)
        clock = ManualClock(epoch=1e9)
        memory = SharedMemory(clock)
        nodes = [node(memory, clock, local, consistency_level="session") for _ in range(2)]
        jobs.clear()
        for number in range(120):
            cache, tier = chance.choice(nodes)
            key, name = chance.choice(KEYS), chance.choice(NAMES)
            context = {"session_id": name}
            kind = chance.random()
            try:
                if kind < 0.12:
                    tags = chance.sample(TAGS, chance.randrange(3))
                    ttl = chance.choice([None, None, 3.0])
                    cache.put(key, number, ttl, tags=tags, context=chance.choice([None, context]))
                elif kind < 0.16:
                    cache.invalidate(key, context=chance.choice([None, context]))
                elif kind < 0.19:
                    cache.invalidate_by_tags(
                        {chance.choice(TAGS)}, context=chance.choice([None, context])
                    )
                elif kind < 0.24:
                    chance.choice(nodes)[1].deliver()
                elif kind < 0.28:
                    jobs.run()
                elif kind < 0.30:
                    tier.lose()
                elif kind < 0.32:
                    clock.advance(chance.choice([0.1, 2.0, 6.0]))
                elif kind < 0.325:
                    memory.restart()
                    cache.clear()
                elif kind < 0.36:  # a token goes from one node to the other
                    theirs = chance.choice(nodes)[0].session(name).token()
                    cache.session(name, theirs)
                elif kind < 0.37:
                    cache.get_or_load(key, lambda _, number=number: number, tags={"all"})
                elif kind < 0.6:
                    level = chance.choice(["session", "monotonic", "eventual", "strong"])
                    cache.get(key, context=context, consistency_level=level)
                elif kind < 0.7:
                    session = chance.choice([None, cache.session(name).session])
                    answered[STRONG] += compare_strong(cache, tier, key, session)
                else:
                    level = chance.choice([SESSION, MONOTONIC])
                    if compare(cache, key, level, cache.session(name).session):
                        answered[level] += 1
                    else:
                        refused += 1
            except (ConsistencyError, TierError):
                cache._sessions.known.pop(name, None)  # of another server: a new one
    assert min(answered.values()) > scaled(100, 15)
    assert refused > scaled(100, 15)


def test_a_floor_sends_a_hit_to_the_shared_tier(jobs):
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    ann, bob = {"session_id": "ann"}, {"session_id": "bob"}
    here.put("a", "old")
    there.put("a", "new", context=ann)
    here.session("ann", there.session("ann").token())
    assert here.get("a", context=bob, consistency_level="session") == "old"  # not told yet
    assert here.get("a", context=ann, consistency_level="session") == "new"


@pytest.mark.parametrize("level", ["session", SESSION, "monotonic", MONOTONIC])
def test_hits_are_counted_and_ask_nobody(level):
    clock = ManualClock(epoch=1e9)
    cache, tier = node(SharedMemory(clock), clock)
    cache.put("a", 1, tags={"t"})
    context = {"session_id": "ann"}
    assert cache.get("a", context=context, consistency_level=level) == 1
    tier.reachable = False
    before = cache.statistics
    for _ in range(5):
        assert cache.get("a", context=context, consistency_level=level) == 1
        assert cache.get_or_load("a", context=context, consistency_level=level) == 1
        assert cache.get_many(["a"], context=context, consistency_level=level) == {"a": 1}
    after = cache.statistics
    assert after.total_requests - before.total_requests == 15
    assert after.cache_hits - before.cache_hits == 15
    assert cache.entry("a").access_count >= 15


def test_awaited_hits_ask_nobody_either():
    clock = ManualClock(epoch=1e9)
    tier = SharedMemoryTier(SharedMemory(clock))
    cache = AdaptiveCache(max_entries=4, clock=clock, tiers=[tier], consistency_level="monotonic")

    async def main():
        await cache.put("a", 1)
        context = {"session_id": "ann"}
        assert await cache.get("a", context) == 1
        tier.reachable = False
        assert await cache.get("a", context) == 1
        assert await cache.get("a", {"session_id": "ann"}) == 1
        assert await cache.get_or_load("a", context=context) == 1

    import asyncio

    asyncio.run(main())


def test_silence_ends_it():
    clock = ManualClock(epoch=1e9)
    cache, tier = node(SharedMemory(clock), clock)
    cache.put("a", 1)
    session = cache.session("ann").session
    cache.request("a", None)
    assert cache.fetch_permitted("a", session, False) == 1
    clock.advance(5.0)
    assert cache.fetch_permitted("a", session, False) == 1
    clock.advance(0.1)
    assert cache.fetch_permitted("a", session, False) is MISSING
    tier.reachable = False
    with pytest.raises(TierError):
        cache.get("a", context={"session_id": "ann"}, consistency_level="session")


def test_a_value_stored_since_is_not_vouched_for():
    clock = ManualClock(epoch=1e9)
    cache, _ = node(SharedMemory(clock), clock)
    cache.put("a", 1)
    cache.request("a", None)
    session = cache.session("ann").session
    assert cache.fetch_permitted("a", session, False) == 1
    cache.put_under("a", 2, cache.terms())  # in memory alone, as is kept while nobody tells
    assert cache.fetch_permitted("a", session, False) is MISSING


def test_nothing_is_vouched_for_before_the_store_keeps_versions():
    cache = Cache(max_entries=4)
    cache.put("a", 1)
    cache.vouch("a", Evidence(1, b"12345678", Watch(Feed(b"e", 0.0, bool)), []))
    assert cache.fetch_permitted("a", Session(), False) is MISSING
    assert cache.fetch_at_once("a", {"session_id": "ann"}, None) is MISSING


def test_evidence_of_a_generation_that_is_known_no_more():
    watch = Watch(Feed(b"e", 0.0, bool))
    generation = Generation()
    generation.learn(3, watch)
    clock = ManualClock(epoch=1e9)
    cache, _ = node(SharedMemory(clock), clock)
    cache.put("a", 1)
    cache.request("a", None)
    evidence = Evidence(1, b"12345678", watch, [Bond(generation, 3, b"abcdefgh")])
    evidence.current = True
    cache.vouch("a", evidence)
    session = Session()
    assert cache.fetch_permitted("a", session, False) == 1
    generation.learn(4, watch)
    assert cache.fetch_permitted("a", session, False) is MISSING
    generation.learn(3, watch)
    assert cache.fetch_permitted("a", session, False) == 1
    session.lift(b"e", b"abcdefgh", 4)
    assert cache.fetch_permitted("a", session, False) is MISSING
    generation.learn(3, None)
    assert cache.fetch_permitted("a", Session(), False) is MISSING


def test_a_watch_that_goes_is_let_go_outside_of_what_is_learnt():
    generation = Generation()
    seen = []
    watch = Watch(Feed(b"e", 0.0, bool))
    generation.learn(1, watch)
    import weakref

    later = Watch(Feed(b"e", 0.0, bool))
    reference = weakref.ref(watch, lambda _: seen.append((generation.value, generation.watch)))
    del watch
    gc.collect()
    generation.learn(2, later)
    assert seen == [(2, later)]
    assert reference() is None


def test_sessions_that_are_in_use_are_remembered(monkeypatch):
    monkeypatch.setattr(known_sessions, "_MOST", 3)
    sessions = Sessions()
    first = sessions.of("first", None)
    for number in range(20):
        first.wanted = True  # as a hit in memory has it
        sessions.of(str(number), None)
        assert len(sessions.known) <= 3
    assert sessions.of("first", None) is first


def floored(sessions, name, count):
    session = sessions.of(name, None)
    for number in range(count):
        session.lift(b"epoch001", b"%8d" % number, 5)
    return session


def test_floors_of_all_sessions_are_bounded(monkeypatch):
    monkeypatch.setattr(known_sessions, "_MOST_FLOORS", 160)
    sessions = Sessions()
    first = floored(sessions, "first", 10)
    others = []
    for number in range(40):
        first.wanted = True  # as a hit in memory has it
        others.append(floored(sessions, str(number), 10))
        assert sum(len(one.floors) for one in sessions.known.values()) <= 160
    assert len(first.floors) == 10
    assert not first.overflown
    assert len(others[-1].floors) == 10
    forgetful = [one for one in others if not one.floors]
    assert len(forgetful) >= 20
    assert all(one.overflown and one.floor(b"%8d" % 1) is None for one in forgetful)
    assert forgetful == others[: len(forgetful)]  # the oldest
    kept = [one for one in others if one.floors]
    assert all(one.floor(b"%8d" % 1) == 5 for one in kept)


def test_all_sessions_in_use_forget_too_if_need_be(monkeypatch):
    monkeypatch.setattr(known_sessions, "_MOST_FLOORS", 160)
    sessions = Sessions()
    for number in range(40):
        floored(sessions, str(number), 10)
        for one in sessions.known.values():
            one.wanted = True
        assert sum(len(one.floors) for one in sessions.known.values()) <= 160


@pytest.mark.parametrize("level", ["session", "monotonic"])
def test_a_session_whose_floors_went_for_others_is_shown_nothing_older(jobs, monkeypatch, level):
    monkeypatch.setattr(known_sessions, "_MOST_FLOORS", 16)
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    ann, bob = {"session_id": "ann"}, {"session_id": "bob"}
    here.put("a", "old")
    there.put("a", "new", context=ann)
    here.session("ann", there.session("ann").token())
    here.session("ann").session.wanted = False
    for number in range(20):
        floored(here._sessions, f"s {number}", 1)
    assert not here.session("ann").session.floors
    assert here.get("a", context=bob, consistency_level=level) == "old"
    assert here.get("a", context=ann, consistency_level=level) == "new"


def test_a_version_that_no_server_issues_is_refused():
    session = Session()
    session.lift(b"epoch001", b"12345678", (1 << 63) - 1)
    import base64

    data = base64.urlsafe_b64decode(session.token() + "==")
    forged = base64.urlsafe_b64encode(data[:-8] + b"\xff" * 8).decode()
    with pytest.raises(InvalidTokenError):
        Session.from_token(forged)


def test_another_epoch_is_for_the_flow_to_refuse():
    clock = ManualClock(epoch=1e9)
    cache, _ = node(SharedMemory(clock), clock)
    cache.put("a", 1)
    cache.session("ann").session.lift(b"another.", b"12345678", 1)
    with pytest.raises(ConsistencyError):
        cache.get("a", context={"session_id": "ann"}, consistency_level="session")
    with pytest.raises(ConsistencyError):
        cache.get("a", context={"session_id": "ann"}, consistency_level="session")


def test_what_was_loaded_counts_as_read(jobs):
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    ann, bob = {"session_id": "ann"}, {"session_id": "bob"}
    prepare = here._shared.prepare

    def late(flight, anew):  # all this happens between the look at what there is and the load
        there.put("a", "old")
        SharedMemoryTier(memory).delete([here._shared.lower.name_of("a")])  # nobody is told yet
        return prepare(flight, anew)

    here._shared.prepare = late
    assert (
        here.get_or_load("a", lambda _: "new", context=ann, consistency_level="monotonic") == "new"
    )
    there.session("ann", here.session("ann").token())
    assert there.get("a", context=bob, consistency_level="monotonic") == "old"
    assert there.get("a", context=ann, consistency_level="monotonic") == "new"


def test_a_token_that_has_forgotten_makes_floors_from_before_it_worthless(jobs):
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    (here, _), (there, _) = (node(memory, clock) for _ in range(2))
    ann, bob = {"session_id": "ann"}, {"session_id": "bob"}
    there.put("a", "old")
    assert there.get("a", context=ann, consistency_level="monotonic") == "old"
    here.session("ann", there.session("ann").token())
    here.put("a", "new")
    assert here.get("a", context=ann, consistency_level="monotonic") == "new"
    for number in range(40):  # more than a token carries
        here.put(f"other {number}", 1, context=ann)
    there.session("ann", here.session("ann").token())
    assert there.get("a", context=bob, consistency_level="monotonic") == "old"
    assert there.get("a", context=ann, consistency_level="monotonic") == "new"


@pytest.mark.parametrize("level", ["session", "monotonic"])
def test_another_epoch_is_noticed_while_the_connection_lives(level):
    clock = ManualClock(epoch=1e9)
    cache, tier = node(SharedMemory(clock), clock)
    ann = {"session_id": "ann"}
    cache.put("a", 1, context=ann)
    for _ in range(2):
        assert cache.get("a", context=ann, consistency_level=level) == 1
    tier.feed().epoch = b"another."  # as on a cluster of which another primary was replaced
    with pytest.raises(EpochChangedError):
        cache.get("a", context=ann, consistency_level=level)
    tier.feed().epoch = b""  # or is not known again yet
    with pytest.raises(ConsistencyError):
        cache.get("a", context=ann, consistency_level=level)
