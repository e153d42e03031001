"""For how long an old value is served, and a load waited for: never for longer than is said."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic

import pytest

from scrubjay import AdaptiveCache, Cache, Layer, LoadTimeoutError, ManualClock, Memory
from scrubjay._core.terms import Terms
from scrubjay.errors import TierUnavailableError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier


class Unreachable(SharedMemoryTier):
    """A shared tier that cannot always be asked, though its connection stays."""

    cut = False

    def fetch(self, *given, **named):
        self._answer()
        return super().fetch(*given, **named)

    def lease(self, *given, **named):
        self._answer()
        return super().lease(*given, **named)

    def write(self, *given, **named):
        self._answer()
        return super().write(*given, **named)

    def _answer(self):
        if self.cut:
            raise TierUnavailableError("not now")


@pytest.mark.parametrize("where", ["memory", "memory over a tier", "tier"])
def test_a_load_that_fails_late_serves_nothing_older_than_is_allowed(where):
    clock, tier = ManualClock(), MemoryTier()
    options = {"clock": clock, "ttl_seconds": 10, "stale_if_error_seconds": 60, "max_entries": 9}
    tiers = None if where == "memory" else [Layer(tier)]
    cache = Cache(tiers=tiers, **options)
    cache.put("a", "old")
    if where == "tier":
        cache = Cache(tiers=tiers, **options)
    clock.advance(50)

    def failing(seconds):
        def load(key):
            clock.advance(seconds)
            raise ValueError(key)

        return load

    assert cache.get_or_load("a", failing(5)) == "old"
    with pytest.raises(ValueError, match="a"):
        cache.get_or_load("a", failing(20))


def test_memory_shows_nothing_for_longer_than_it_is_to_keep_it_though_it_may_be_stale():
    clock, tier = ManualClock(), MemoryTier()
    here, there = (
        Cache(
            clock=clock,
            tiers=[Memory(max_entries=9, ttl_seconds=5), Layer(tier)],
            stale_while_revalidate_seconds=600,
        )
        for _ in range(2)
    )
    here.put("a", "old")
    there.put("a", "new")
    clock.advance(4)
    assert here.get("a") == "old"
    clock.advance(2)
    assert here.get_or_load("a", lambda key: "loaded") == "new"


def test_to_touch_an_entry_does_not_keep_it_in_memory_for_longer():
    clock, tier = ManualClock(), MemoryTier()
    here, there = (
        Cache(clock=clock, tiers=[Memory(max_entries=9, ttl_seconds=5), Layer(tier)])
        for _ in range(2)
    )
    here.put("a", "old")
    there.put("a", "new")
    for _ in range(6):
        clock.advance(1)
        here.touch("a", ttl_seconds=600)
    assert here.get("a") == "new"


@pytest.mark.parametrize("touched", [False, True])
def test_what_nobody_watches_is_gone_when_silence_is_borne_no_longer(touched):
    clock = ManualClock()
    server = SharedMemory(clock)
    tier = Unreachable(server)
    here = Cache(
        clock=clock, max_entries=9, tiers=[Layer(tier)], stale_while_revalidate_seconds=600
    )
    there = Cache(clock=clock, max_entries=9, tiers=[Layer(SharedMemoryTier(server))])
    tier.cut = True
    assert here.get_or_load("a", lambda key: "old") == "old"
    if touched:
        here.touch("a", ttl_seconds=600)
    tier.cut = False
    there.put("a", "new")
    clock.advance(6)
    assert here.get_or_load("a", lambda key: "loaded") != "old"


@pytest.mark.parametrize("ttl", [None, 4])
@pytest.mark.parametrize("door", ["load", "put"])
def test_to_be_stored_late_does_not_let_what_nobody_watches_live_longer(door, ttl):
    clock = ManualClock()
    server = SharedMemory(clock)
    tier = Unreachable(server)

    def measured_late(value):
        clock.advance(3)
        return 1

    here = Cache(clock=clock, max_size_mb=1, sizer=measured_late, tiers=[Layer(tier)])
    there = Cache(clock=clock, max_entries=9, tiers=[Layer(SharedMemoryTier(server))])
    tier.cut = True
    if door == "put":
        here.put("a", "old", ttl_seconds=ttl)
    else:
        here.get_or_load("a", lambda key: "old", ttl_seconds=ttl)
    clock.advance(0.5)
    assert here.get("a") == "old"
    there.put("a", "new")
    clock.advance(2)
    tier.cut = False
    assert here.get("a") != "old"


def test_to_be_stored_late_does_not_let_a_value_outlive_its_record():
    clock, tier = ManualClock(), MemoryTier()

    def measured_late(value):
        clock.advance(3)
        return 1

    here = Cache(clock=clock, max_size_mb=1, sizer=measured_late, tiers=[Layer(tier)])
    here.put("a", "value", ttl_seconds=5)
    while Cache(clock=clock, tiers=[Layer(tier)]).get("a") is not None:
        assert here.get("a") == "value"
        clock.advance(0.5)
    assert here.get("a") is None


class Lagging(MemoryTier):
    """A tier whose answers take long to come."""

    def __init__(self, clock):
        super().__init__(clock=clock)
        self.clock = clock
        self.seconds = 0

    def get_many(self, keys):
        answer = super().get_many(keys)
        self.clock.advance(self.seconds)
        return answer

    def put_many(self, records):
        answer = super().put_many(records)
        self.clock.advance(self.seconds)
        return answer


@pytest.mark.parametrize("door", ["get", "get_many", "put", "put_many"])
def test_what_others_change_while_a_tier_answers_is_seen_no_later_than_is_said(door):
    clock = ManualClock()
    tier = Lagging(clock)
    here, there = (
        Cache(clock=clock, tiers=[Memory(max_entries=9, ttl_seconds=5), Layer(tier)])
        for _ in range(2)
    )
    if door.startswith("get"):
        there.put("a", "old")
    tier.seconds = 3
    if door == "get":
        assert here.get("a") == "old"
    elif door == "get_many":
        assert here.get_many(["a"]) == {"a": "old"}
    elif door == "put":
        here.put("a", "old")
    else:
        here.put_many({"a": "old"})
    tier.seconds = 0
    there.put("a", "new")
    clock.advance(1)
    assert here.get("a") == "old"
    clock.advance(1)
    assert here.get("a") == "new"


def test_to_touch_what_takes_long_to_find_does_not_keep_it_in_memory_for_longer():
    clock, tier = ManualClock(), MemoryTier()

    class Key(int):
        def __hash__(self):
            clock.advance(seconds)
            return 1

    key, seconds = Key(1), 0
    here, there = (
        Cache(clock=clock, tiers=[Memory(max_entries=9, ttl_seconds=5), Layer(tier)])
        for _ in range(2)
    )
    began = clock.monotonic()
    here.put(key, "old")
    there.put(key, "new")
    seconds = 0.25
    assert here.touch(key, ttl_seconds=600)
    seconds = 0
    clock.advance(began + 5.1 - clock.monotonic())
    assert here.get(key) == "new"


def test_to_touch_an_entry_does_not_let_an_expired_one_live_again_elsewhere():
    clock = ManualClock()
    server = SharedMemory(clock)
    here, there = (
        Cache(
            clock=clock,
            max_entries=9,
            tiers=[Layer(SharedMemoryTier(server))],
            stale_if_error_seconds=600,
        )
        for _ in range(2)
    )
    there.put("a", "theirs", ttl_seconds=1)
    clock.advance(2)
    here._stack._store.put_under("a", "mine", Terms())  # stored by a load that was overtaken
    assert here.touch("a", ttl_seconds=100)
    assert there.get("a") is None


def test_a_load_at_a_level_is_waited_for_no_longer_than_is_allowed():
    ending = threading.Event()
    cache = Cache(
        max_entries=9,
        tiers=[Layer(SharedMemoryTier(SharedMemory()))],
        consistency_level="strong",
        hard_timeout_seconds=0.05,
    )
    try:
        with pytest.raises(LoadTimeoutError):
            cache.get_or_load("a", lambda key: ending.wait(10))
    finally:
        ending.set()


class Held(MemoryTier):
    """A tier that answers when it may."""

    def __init__(self):
        super().__init__()
        self.asked, self.answering = threading.Event(), threading.Event()

    def get_many(self, names):
        self.asked.set()
        assert self.answering.wait(10)
        return super().get_many(names)


def test_one_bound_is_for_all_that_is_waited_for():
    tier, ending = Held(), threading.Event()
    cache = Cache(max_entries=9, tiers=[Layer(tier)], hard_timeout_seconds=1.0)
    look = threading.Thread(target=cache.get, args=("a",))
    look.start()
    assert tier.asked.wait(10)
    threading.Timer(0.8, tier.answering.set).start()
    began = monotonic()
    try:
        with pytest.raises(LoadTimeoutError):  # it waits for that look first
            cache.get_or_load("a", lambda key: ending.wait(10))
        assert monotonic() - began < 1.6
    finally:
        ending.set()
        look.join()


def test_what_becomes_too_old_while_it_is_waited_for_is_waited_for_further():
    clock = ManualClock()
    cache = Cache(
        clock=clock,
        max_entries=9,
        ttl_seconds=10,
        stale_if_error_seconds=60,
        soft_timeout_seconds=0.05,
    )
    cache.put("a", "old")
    clock.advance(65)
    waited = threading.Event()

    def load(key):
        clock.advance(10)
        assert not waited.wait(0.3)
        return "new"

    assert cache.get_or_load("a", load) == "new"


class Slow(MemoryTier):
    """A tier that takes five seconds to be written to."""

    def put_many(self, records):
        kept = super().put_many(records)
        self.clock.advance(5)
        return kept


class SlowShared(SharedMemoryTier):
    """A shared tier that takes five seconds to be written to."""

    def write(self, *given):
        written = super().write(*given)
        self.clock.advance(5)
        return written

    def fill(self, *given):
        filled = super().fill(*given)
        self.clock.advance(5)
        return filled


def slow_tier(kind, clock):
    tier = Slow(clock=clock) if kind == "plain" else SlowShared(SharedMemory(clock=clock))
    tier.clock = clock
    return tier


@pytest.mark.parametrize("kind", ["plain", "shared"])
@pytest.mark.parametrize("how", ["put", "put_many", "load"])
def test_the_time_of_an_entry_runs_while_it_is_written(kind, how):
    clock = ManualClock()
    cache = Cache(clock=clock, max_entries=9, ttl_seconds=10, tiers=[Layer(slow_tier(kind, clock))])
    began = clock.time()
    if how == "put":
        cache.put("a", 1)
    elif how == "put_many":
        cache.put_many({"a": 1})
    else:
        cache.get_or_load("a", lambda key: 1)
    assert clock.time() == began + 5
    clock.advance(4.9)
    assert cache.get("a") == 1
    clock.advance(0.2)
    assert cache.get("a") is None


@pytest.mark.parametrize("shared", [False, True])
def test_a_sizer_that_raises_leaves_all_as_it_was(shared):
    def sizer(value):
        if value == "huge":
            raise RuntimeError("too much")
        return 10

    tier = SharedMemoryTier(SharedMemory()) if shared else MemoryTier(name="below")
    cache = Cache(max_size_mb=1, sizer=sizer, tiers=[tier])
    awaited = AdaptiveCache(max_size_mb=1, sizer=sizer, tiers=[tier])
    cache.put("a", "old")
    for put in (
        lambda: cache.put("a", "huge"),
        lambda: cache.put_many({"b": "new", "a": "huge"}),
        lambda: asyncio.run(awaited.put("a", "huge")),
        lambda: asyncio.run(awaited.put_many({"b": "new", "a": "huge"})),
    ):
        with pytest.raises(RuntimeError, match="too much"):
            put()
        assert cache.peek("a", None) == "old"
        assert cache.get("b") is None
    assert Cache(max_entries=5, tiers=[tier]).get("a") == "old"
