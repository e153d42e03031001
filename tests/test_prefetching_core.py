"""The store notes requests, and lets entries wait apart that nobody has asked for."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache
from scrubjay._core import constants
from scrubjay._core.constants import (
    DROPPED,
    FENCED,
    FIRST_HIT,
    GIVEN_UP,
    HIT,
    MISS,
    PRESENT,
    REFUSED,
    STORED,
)
from scrubjay._core.terms import Terms
from scrubjay.prefetch import constants as planned
from tests.models import ORDERS, CacheModel, Record, check, scaled

STRATEGIES = [*ORDERS, "adaptive"]


class Fence:
    def __init__(self, void=False):
        self.void = void


class Learner:
    def __init__(self):
        self.woken = []

    def wake(self, urgent):
        self.woken.append(urgent)


def ahead(cache, key, value=0, void=False, **terms):
    return cache.put_ahead(key, value, Terms(fence=Fence(void), ahead=True, **terms))


def made(strategy="lru", entries=4, room=2, lifetime=1 << 40, **options):
    cache = Cache(max_entries=entries, eviction_strategy=strategy, **options)
    cache.bound_prefetched(room, 1 << 60, lifetime)
    return cache


# Noting


def test_outcomes_have_the_same_numbers_everywhere():
    for name in ("HIT", "MISS", "FIRST_HIT", "JOINED"):
        assert getattr(constants, name) == getattr(planned, name)


def test_requests_are_noted_with_what_came_of_them():
    cache, learner = made(), Learner()
    cache.teach(learner, 16)
    cache.get("a")
    cache.put("a", 1)
    cache.get("a")
    ahead(cache, "b")
    cache.get("b")
    cache.get("b")
    rows, lost = cache.take_accesses()
    assert lost == 0
    assert [(key, outcome) for key, outcome, _ in rows] == [
        ("a", MISS),
        ("a", HIT),
        ("b", FIRST_HIT),
        ("b", HIT),
    ]
    assert learner.woken == [True, True]  # for the miss and the first hit
    assert cache.take_accesses() == ([], 0)


def test_sessions_and_threads_are_streams_of_their_own():
    cache = made()
    cache.teach(Learner(), 16)
    cache.put("a", 1)
    cache.get("a")
    cache.get("a")
    cache.get("a", context={"session_id": "s"})
    cache.get("a", context={"session_id": "s"})
    cache.get("a", context={"session_id": "t"})
    streams = [stream for _, _, stream in cache.take_accesses()[0]]
    assert streams[0] == streams[1] != 0
    assert streams[2] == streams[3]
    assert len(set(streams)) == 3


def test_what_does_not_fit_is_lost_and_counted():
    cache, learner = made(), Learner()
    cache.teach(learner, 3)
    cache.put("a", 1)
    for _ in range(10):
        cache.get("a")
    assert learner.woken == [False]  # once, when it was full
    rows, lost = cache.take_accesses()
    assert (len(rows), lost) == (3, 7)


def test_evictions_are_noted_and_other_removals_are_not():
    cache = made(entries=2)
    cache.teach(Learner(), 16)
    for key in "abc":
        cache.put(key, 1)
    cache.invalidate("c")
    assert [row[:2] for row in cache.take_accesses()[0]] == [("a", GIVEN_UP)]


def test_who_stops_to_learn_hears_no_more():
    cache, learner = made(), Learner()
    cache.teach(learner, 16)
    cache.teach(None, 0)
    cache.get("a")
    assert learner.woken == []
    assert cache.take_accesses() == ([], 0)


def test_an_observer_and_a_learner_hear_the_same():
    heard = []

    class Observer:
        def requested(self, key, hit, session):
            heard.append((key, hit))

        def stored(self, key, size, cost):
            pass

    cache = made()
    cache.teach(Learner(), 16)
    cache.observe(Observer(), 1 << 31)
    cache.get("a")
    cache.put("a", 1)
    cache.get("a")
    rows, _ = cache.take_accesses()
    assert [(key, outcome == HIT) for key, outcome, _ in rows] == heard
    assert (cache.requests, cache.misses) == (2, 1)


# Waiting


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_waits_takes_no_more_than_its_room(strategy):
    cache = made(strategy, entries=100, room=10)
    for key in range(100):
        cache.put(key, key)
        cache.get(key)
    for key in range(1000, 1100):
        assert ahead(cache, key) == STORED
        check(cache)
    assert cache.prefetch_counts() == (0, 90, 10)
    assert sum(key in cache for key in range(100)) == 90
    # The newest wait; the others left in the order in which they came.
    assert [key for key in range(1000, 1100) if key in cache] == list(range(1090, 1100))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_first_hit_makes_an_entry_like_any_other(strategy):
    cache = made(strategy, entries=10, room=5)
    for key in range(5):
        ahead(cache, key, key)
    assert [cache.get(key) for key in range(5)] == list(range(5))
    assert cache.prefetch_counts() == (5, 0, 0)
    check(cache)
    assert not cache.waits(0)
    for key in range(100, 200):
        cache.put(key, key)
    assert cache.prefetch_counts() == (5, 0, 0)
    check(cache)


def test_a_look_is_no_use_and_a_touch_is():
    cache = made()
    ahead(cache, "a")
    assert cache.contains("a")
    assert cache.entry("a").access_count == 1
    assert cache.waits("a")
    cache.teach(Learner(), 8)
    assert cache.touch("a")
    assert not cache.waits("a")
    assert [row[:2] for row in cache.take_accesses()[0]] == [("a", FIRST_HIT)]


def test_nobody_waits_for_longer_than_its_lifetime():
    cache = made(entries=100, room=10, lifetime=3)
    cache.teach(Learner(), 64)
    ahead(cache, "a")
    cache.get("x")
    ahead(cache, "b")
    cache.get("x")
    assert cache.drop_overdue() == 0
    cache.get("x")
    assert cache.drop_overdue() == 1
    assert (cache.contains("a"), cache.contains("b")) == (False, True)
    assert ("a", DROPPED) in [row[:2] for row in cache.take_accesses()[0]]
    assert cache.statistics.prefetch_misses == 1


def test_a_smaller_room_is_made_at_once_or_by_and_by():
    cache = made(entries=100, room=10)
    for key in range(10):
        ahead(cache, key)
    cache.bound_prefetched(4, 1 << 60, 1 << 40)
    assert cache.prefetch_counts()[2] == 10
    assert cache.drop_overdue() == 6
    assert cache.prefetch_counts()[2] == 4
    cache.bound_prefetched(0, 1 << 60, 1 << 40)
    assert ahead(cache, "new") == REFUSED
    assert cache.statistics.rejected == 0
    assert not cache.contains("new")


def test_without_any_room_nothing_is_stored_ahead():
    cache = Cache(max_entries=10)
    assert ahead(cache, "a") == REFUSED
    assert len(cache) == 0


def test_what_is_there_stays_as_it_is():
    cache = made()
    cache.put("a", "old")
    assert ahead(cache, "a", "new") == PRESENT
    assert cache.get("a") == "old"
    assert ahead(cache, "b", "b") == STORED
    assert ahead(cache, "b", "c") == PRESENT
    assert cache.get("b") == "b"


def test_a_void_fence_lets_nothing_through():
    cache = made()
    assert ahead(cache, "a", void=True) == FENCED
    assert not cache.contains("a")


def test_a_put_over_what_waits_proves_nothing_and_keeps_the_new_value():
    cache = made(entries=4)
    cache.teach(Learner(), 16)
    ahead(cache, "a", "ahead")
    cache.put("a", "put")
    assert cache.prefetch_counts() == (0, 1, 0)
    assert [row[:2] for row in cache.take_accesses()[0]] == [("a", DROPPED)]
    assert cache.get("a") == "put"
    check(cache)


def test_what_waits_is_removed_like_any_other():
    cache = made(entries=10, room=5)
    told = []
    cache.on_removal(lambda key, value, cause: told.append((key, cause.value)))
    ahead(cache, "a", tags=frozenset({"t"}))
    ahead(cache, "b")
    ahead(cache, "c", dependencies=("d",))
    cache.invalidate_by_tags({"t"})
    cache.invalidate("b")
    cache.invalidate("d")
    assert told == [("a", "tag"), ("b", "invalidated"), ("c", "dependency")]
    assert cache.prefetch_counts() == (0, 3, 0)
    ahead(cache, "e")
    cache.teach(Learner(), 8)
    cache.clear()
    assert cache.prefetch_counts() == (0, 4, 0)
    assert [row[:2] for row in cache.take_accesses()[0]] == [("e", DROPPED)]
    assert ahead(cache, "e") == STORED
    check(cache)


def test_a_session_says_nothing_of_what_waits():
    cache = made("adaptive", entries=100, room=10)
    ahead(cache, "a")
    cache.ascribe("a", 7)
    assert cache.get("a", context={"session_id": "s"}) == 0
    check(cache)


@given(st.integers(0, 1 << 30), st.sampled_from(STRATEGIES), st.booleans())
def test_nothing_is_lost_whatever_happens(seed, strategy, sized):
    """The store holds together, and each prefetched entry is accounted for."""
    rng = random.Random(seed)
    cache = Cache(
        0.001 if sized else None,
        max_entries=rng.choice([1, 3, 20]),
        eviction_strategy=strategy,
        sizer=lambda value: value,
        max_value_fraction=1.0,
    )
    stored = 0
    for number in range(scaled(400, 100)):
        key = rng.randrange(30)
        what = rng.random()
        if what < 0.3:
            stored += ahead(cache, key, rng.choice([1, 10, 400, 2000])) == STORED
        elif what < 0.6:
            cache.get(key, context=rng.choice([None, {"session_id": key}]))
        elif what < 0.8:
            cache.put(key, rng.choice([1, 10, 400, 2000]), priority=rng.choice([1.0, 2.0]))
        elif what < 0.84:
            cache.invalidate(key)
        elif what < 0.88:
            cache.bound_prefetched(
                rng.randrange(10), rng.choice([100, 1 << 60]), rng.choice([2, 99])
            )
        elif what < 0.92:
            cache.drop_overdue()
        elif what < 0.94:
            cache.touch(key)
        elif what < 0.96:
            cache.resize(max_entries=rng.choice([1, 5, 20]))
        elif what < 0.965:
            cache.clear()
        proven, unused, waiting = cache.prefetch_counts()
        assert proven + unused + waiting == stored, number
        if number % 20 == 0:
            check(cache)
    check(cache)


class AheadModel(CacheModel):
    """A cache in which some entries wait; see `tests.models`."""

    def __init__(self, strategy, entries, room, lifetime):
        super().__init__(strategy, entries, None, 1.0)
        self.room, self.lifetime = room, lifetime
        self.waiting = OrderedDict()
        self.requests = 0

    def take(self, key, cause):
        if key in self.waiting:
            del self.waiting[key]
            record = self.records.pop(key)
            self.announced.append((key, record.value, cause))
        else:
            super().take(key, cause)

    def make_room(self, key):
        while self.too_full(key, 0):
            oldest = next(iter(self.waiting), None)
            overdue = oldest is not None and (
                len(self.waiting) > self.room
                or self.requests - self.waiting[oldest] >= self.lifetime
            )
            if overdue:
                self.take(oldest, "evicted")
            else:
                victim = self.order.victim(key)
                self.take(oldest if victim is None else victim, "evicted")

    def put(self, key, value):
        if key not in self.records:
            self.make_room(key)
            self.records[key] = Record(value, 0, self.now, None, None, 1.0, ())
            self.order.insert(key, self.records[key])
            return
        self.announced.append((key, self.records[key].value, "replaced"))
        self.records[key] = Record(value, 0, self.now, None, None, 1.0, ())
        if key in self.waiting:
            del self.waiting[key]
            self.order.insert(key, self.records[key])
        else:
            self.order.replace(key, self.records[key])

    def put_ahead(self, key, value):
        if key in self.records:
            return PRESENT
        while len(self.waiting) >= self.room:
            if not self.waiting:
                return REFUSED
            self.take(next(iter(self.waiting)), "evicted")
        self.make_room(key)
        self.records[key] = Record(value, 0, self.now, None, None, 1.0, ())
        self.waiting[key] = self.requests
        return STORED

    def get(self, key):
        record = self.records.get(key)
        if record is not None:
            if key in self.waiting:
                del self.waiting[key]
                self.order.insert(key, record)
            else:
                self.order.use(key)
        self.requests += 1
        return record


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["get", "put", "ahead", "remove"]), st.integers(0, 12)), max_size=80
)


@given(
    OPERATIONS,
    st.sampled_from(sorted(ORDERS)),
    st.integers(1, 6),
    st.integers(0, 4),
    st.integers(1, 12),
)
def test_it_is_the_model_exactly(operations, strategy, entries, room, lifetime):
    model = AheadModel(strategy, entries, room, lifetime)
    cache = made(strategy, entries, room, lifetime)
    told = []
    cache.on_removal(lambda key, value, cause: told.append((key, value, cause.value)))
    for number, (what, key) in enumerate(operations):
        if what == "get":
            record = model.get(key)
            assert cache.get(key) == (None if record is None else record.value)
        elif what == "put":
            model.put(key, number)
            cache.put(key, number)
        elif what == "ahead":
            assert ahead(cache, key, number) == model.put_ahead(key, number)
        else:
            assert cache.invalidate(key) == model.remove(key)
        assert told == model.announced
        assert {key for key in model.records if cache.waits(key)} == set(model.waiting)
    assert dict(cache.items()) == {key: record.value for key, record in model.records.items()}
