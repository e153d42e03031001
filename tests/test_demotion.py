"""What memory evicts goes down, if it is worth it and still holds."""

from __future__ import annotations

import threading

import pytest

from scrubjay import Cache, Disk, EventKind, Layer, ManualClock, Memory
from scrubjay._flow import demotion
from scrubjay.errors import ConfigurationError, InvalidArgumentError, TierFullError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, opened, spin, wait
from tests.flow_orders import KEYS, Freshness
from tests.models import scaled


@pytest.fixture(params=["sync", "async"])
def make(request):
    with opened(request.param) as make:
        yield make


class Counting(MemoryTier):
    """A tier that counts what is written."""

    def __init__(self, **more):
        super().__init__(**more)
        self.written = []

    def put_many(self, records):
        records = list(records)
        self.written += [record.key for record in records]
        return super().put_many(records)


def over(tier, make=Cache, entries=2, **layer):
    layer = {"writes": "demoted", **layer}
    return make(
        max_entries=entries,
        eviction_strategy="lru",
        clock=ManualClock(),
        tiers=[Memory(), Layer(tier, **layer)],
    )


def settle(cache):
    """Let the thread write what waits, and whatever it had begun."""
    done = threading.Event()
    demotion._workers.submit(done.set)
    wait(done)


@pytest.mark.parametrize("evicted", [0, 4, 9, 12])
@pytest.mark.parametrize("asked", [9.5, 10.5, 12.5])
def test_what_goes_down_lives_no_longer_unread_than_is_said(make, evicted, asked):
    clock = ManualClock()
    layer = Layer(MemoryTier(clock=clock), writes="demoted")
    cache = make(max_entries=2, eviction_strategy="lru", clock=clock, tiers=[Memory(), layer])
    cache.put("a", 1, idle_seconds=10)
    assert cache.get("a") == 1  # it is worth a write
    clock.advance(evicted)
    for key in "bcd":
        cache.put(key, 0)
    assert cache.flush()
    clock.advance(max(0, asked - evicted))
    assert cache.get("a") == (1 if max(asked, evicted) < 10 else None)


def test_only_what_is_evicted_is_written_and_it_is_found_again(make):
    tier = Counting(name="t")
    cache = over(tier, make)
    events = []
    cache.on_event(events.append, [EventKind.DEMOTE, EventKind.EVICT])
    cache.put("a", 1, ttl_seconds=60, tags={"t"}, priority=2.0)
    assert cache.get("a") == 1
    cache.put("b", 2)
    assert not tier.written
    cache.put("c", 3)
    cache.put("d", 4)
    spin(lambda: len(tier.written) == 1)  # b was never read
    settle(cache)
    spin(lambda: ("demote", "a", "t") in [(one.kind.value, one.key, one.tier) for one in events])
    assert "a" not in cache
    assert cache.get("a") == 1
    entry = cache.entry("a")
    assert (entry.priority, entry.tags, entry.expires_in) == (2.0, {"t"}, 60.0)
    assert cache.get("b") is None
    assert cache.get_detailed_statistics()["tiers"]["t"]["demoted"] == 1
    assert cache.get_detailed_statistics()["tiers"]["t"]["writes"] == 1


def test_what_comes_again_is_worth_a_write():
    tier = Counting(name="t")
    cache = over(tier, entries=2)
    for _ in range(2):
        for key in "abc":
            cache.get_or_load(key, lambda key: key)
    settle(cache)
    assert len(tier.written) == 1  # a, which was evicted for the second time
    assert cache.get("a") == "a"


def test_what_is_there_already_is_not_written_again():
    tier = Counting(name="t")
    cache = over(tier, entries=1)
    for _ in range(3):
        cache.get_or_load("a", lambda key: key)
        cache.get("a")
        cache.put("b", 1)
        settle(cache)
    assert len(tier.written) == 1


def test_what_the_tier_has_given_up_is_written_again():
    tier = Counting(name="t")
    cache = over(tier, entries=1)
    cache.put("a", 1)
    cache.get("a")
    cache.put("b", 1)
    settle(cache)
    assert cache.get("a") == 1
    cache.get("a")
    tier.delete_many(list(tier.written))  # for want of room
    cache.put("b", 1)
    settle(cache)
    assert cache.get("a") == 1


def test_what_is_in_memory_again_does_not_go_down():
    tier = Counting(name="t")
    cache = over(tier, entries=1)
    cache._stack.demotion._called = True  # the thread does not come
    cache.get_or_load("a", lambda key: 1)
    cache.get("a")
    cache.put("b", 1)
    cache.get_or_load("a", lambda key: 1)
    cache._stack.demotion.drain()
    assert not tier.written


def test_written_through_and_demoted_when_given_up():
    tier = Counting(name="t")
    cache = over(tier, entries=1, writes="through", demote=True)
    cache.put("a", 1)
    cache.get("a")
    assert len(tier.written) == 1
    tier.delete_many(list(tier.written))
    cache.put("b", 1)
    settle(cache)
    assert cache.get("a") == 1


@pytest.mark.parametrize("way", ["key", "put", "tag", "dependency", "clear"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("loaded", [False, True])
def test_what_others_have_invalidated_does_not_come_back(way, when, loaded):
    """Whether it was in memory of a process, or below, when they did."""
    tier = MemoryTier(name="t")
    cache, other = over(tier, entries=1), over(tier, entries=1)
    conditions = {"tags": {"t"}, "dependencies": {"part"}}
    if loaded:
        cache.get_or_load("a", lambda key: "old", **conditions)
    else:
        cache.put("a", "old", **conditions)
    cache.get("a")

    def change():
        {
            "key": lambda: other.invalidate("a"),
            "put": lambda: other.put("a", "new"),
            "tag": lambda: other.invalidate_by_tags({"t"}),
            "dependency": lambda: other.invalidate("part"),
            "clear": other.clear,
        }[way]()

    if when == "before":
        change()
    cache.put("b", 1)
    settle(cache)
    if when == "after":
        change()
    third = over(tier, entries=1)
    assert third.get("a") is None
    assert cache.get("a") is None


@pytest.mark.parametrize("way", ["key", "put", "tag", "clear", "expiry", "resize"])
def test_only_evictions_go_down(way):
    tier = Counting(name="t")
    clock = ManualClock()
    cache = Cache(
        max_entries=4,
        eviction_strategy="lru",
        clock=clock,
        tiers=[Layer(tier, writes="demoted")],
    )
    cache.put("a", 1, ttl_seconds=5, tags={"t"})
    cache.get("a")
    cache.get("a")
    if way == "key":
        cache.invalidate("a")
    elif way == "put":
        cache.put("a", 2)
    elif way == "tag":
        cache.invalidate_by_tags({"t"})
    elif way == "clear":
        cache.clear()
    elif way == "expiry":
        clock.advance(6)
        cache.purge_expired()
    else:
        cache.update(b=1, c=1, d=1)
        cache.resize(max_entries=1)
    settle(cache)
    assert len(tier.written) == (way == "resize")
    assert len(cache._stack.demotion._origins) == len(cache)


def test_a_value_without_bytes_stays_in_memory(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    value = object()
    assert cache.put("a", value)
    assert cache.get("a") is value
    cache.put("b", 1)
    settle(cache)
    assert not tier.written


def test_many_at_once(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=10)
    cache.put_many({number: number for number in range(10)}, tags={"t"})
    cache.get_many(range(10))
    cache.get_many(range(100, 110), lambda keys: {key: key for key in keys}, tags={"u"})
    settle(cache)
    assert len(tier.written) == 10
    assert cache.get_many(range(10)) == {number: number for number in range(10)}
    cache.get_many(range(10))
    settle(cache)
    cache.invalidate(3)
    cache.get_many(range(200, 210), lambda keys: {key: key for key in keys})
    settle(cache)
    assert cache.get_many(range(10)) == {number: number for number in range(10) if number != 3}
    cache.invalidate_by_tags({"t"})
    assert cache.get_many(range(10)) == {}


def test_flush_waits_for_what_is_under_way(make):
    class Slow(Counting):
        begun, free = threading.Event(), threading.Event()

        def put_many(self, records):
            self.begun.set()
            wait(self.free)
            return super().put_many(records)

    tier = Slow(name="t")
    Slow.begun.clear()
    Slow.free.clear()
    cache = over(tier, make, entries=1)
    cache.put("a", 1)
    cache.get("a")
    cache.put("b", 1)
    wait(tier.begun)
    assert cache.flush(0.01) is False
    flushing = Patient(getattr(cache, "sync", cache).flush)
    assert not flushing.ended
    tier.free.set()
    assert flushing.result() is True
    assert len(tier.written) == 1


def test_a_full_device_costs_nobody_anything(make):
    class Full(MemoryTier):
        def put_many(self, records):
            raise TierFullError("no room")

    tier = Full(name="t")
    cache = over(tier, make, entries=1)
    cache.put("a", 1)
    cache.get("a")
    cache.put("b", 1)
    settle(cache)
    assert cache.get("a") is None
    assert cache.get_detailed_statistics()["tiers"]["t"]["errors"] == 1


@pytest.mark.parametrize("changed", [False, True])
def test_what_was_restored_goes_down_too(tmp_path, changed):
    tier = MemoryTier(name="t")
    cache = over(tier)
    cache.put("a", 1, tags={"t"})
    cache.get("a")
    cache.save(tmp_path / "warm")
    again = over(tier)
    assert again.restore(tmp_path / "warm") == 1
    if changed:
        over(tier).invalidate_by_tags({"t"})
    again.get("a")
    again.update(b=1, c=1)
    settle(again)
    assert again.get("a") == (None if changed else 1)
    assert again.get_detailed_statistics()["tiers"]["t"]["demoted"] == (not changed)


def test_a_disk_takes_what_is_evicted(tmp_path, make):
    def open_cache():
        return make(
            max_entries=10,
            eviction_strategy="lru",
            tiers=[Memory(), Disk(tmp_path / "disk", max_size_mb=4, writes="demoted")],
        )

    cache = open_cache()
    for number in range(20):
        cache.put(number, number)
        cache.get(number)
    store = getattr(cache, "sync", cache)
    spin(lambda: cache.get_detailed_statistics()["tiers"]["disk"]["demoted"] == 10)
    assert [cache.get(number) for number in range(10)] == list(range(10))
    store.close()
    again = open_cache()
    assert again.get(5) == 5
    getattr(again, "sync", again).close()


def test_between_nodes_a_copy_goes_down_while_it_is_the_last_version():
    memory, near = SharedMemory(ManualClock()), Counting(name="t")

    def node(tiers):
        return Cache(max_entries=1, eviction_strategy="lru", clock=ManualClock(), tiers=tiers)

    shared = SharedMemoryTier(memory)
    cache = node([Layer(near, writes="demoted"), Layer(shared)])
    other = node([Layer(SharedMemoryTier(memory))])
    cache.put("a", "old")
    cache.get("a")
    cache.put("b", 1)
    settle(cache)
    assert len(near.written) == 1
    asked = cache.get_detailed_statistics()["tiers"][shared.name]["hits"]
    assert cache.get("a") == "old"
    assert cache.get_detailed_statistics()["tiers"][shared.name]["hits"] == asked
    cache.get("a")
    other.put("a", "new")
    cache.put("c", 1)
    settle(cache)
    assert cache.get("a") == "new"


def test_what_issues_versions_is_written_through():
    tier = SharedMemoryTier(SharedMemory(ManualClock()))
    for options in ({"writes": "demoted"}, {"demote": True}):
        with pytest.raises(ConfigurationError, match="versions"):
            Cache(tiers=[Layer(tier, **options)])
    with pytest.raises(InvalidArgumentError, match="writes"):
        Cache(tiers=[Layer(MemoryTier(), writes="around")])


class Demoting(Freshness):
    """Flows over two tiers that take what is evicted.

    Args:
        seed: of chance.
        way: what is invalidated.
        share: of the calls to tiers that fail.
        others: whether another process invalidates, of which memory here hears nothing.
    """

    def __init__(self, seed, way, share, others=False):
        super().__init__(seed, way)
        self.near, self.far = self.tiers(share, "near", "far")
        self.others = others
        self.mine, self.theirs = self.cache(), self.cache()

    def cache(self):
        cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=self.clock,
            tiers=[
                Layer(self.near, writes="demoted"),
                Layer(self.far, writes="demoted") if self.others else Layer(self.far, demote=True),
            ],
        )
        cache._stack.demotion._called = True  # the test writes what waits
        return cache

    def demote(self):
        demotion = self.mine._stack.demotion
        batch = demotion._take(2)
        demotion._called = True  # nor does it come because there was nothing to take
        if batch:
            self.scheduler.begin(demotion.demote(batch))

    def go(self):
        for _ in range(80):
            key = self.chance.choice(KEYS)
            if self.chance.random() < self.reads:
                self.read(self.mine, key, may_be_late=self.others)
            else:
                self.update(self.theirs if self.others else self.mine, key)
            if self.others and self.chance.random() < 0.3:
                self.read(self.cache(), self.chance.choice(KEYS))
            if self.chance.random() < 0.5:
                self.demote()
            self.pass_time()
            self.scheduler.go_on(10)
        self.scheduler.run()
        tiers = self.mine.get_detailed_statistics()["tiers"]
        return sum(tiers[name]["demoted"] for name in ("near", "far"))


@pytest.mark.untraced
@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(share, way):
    count = sum(Demoting(seed, way, share).go() for seed in range(scaled(80, 15)))
    assert count > 0


@pytest.mark.untraced
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_a_stale_memory_brings_nothing_back_for_others(way):
    """What another process has invalidated may be in memory here, and must not go down."""
    count = sum(Demoting(seed, way, 0.0, others=True).go() for seed in range(scaled(80, 15)))
    assert count > 0
