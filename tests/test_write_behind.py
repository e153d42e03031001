"""A tier that is written behind: who stores does not wait, and nobody here can tell."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from scrubjay import AdaptiveCache, Cache, Disk, EventKind, Layer, ManualClock, Memory, layered
from scrubjay._flow.behind import BehindLevel
from scrubjay.errors import ConfigurationError, InvalidArgumentError, TierUnavailableError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import ASYNCHRONOUS, Patient, opened, spin, wait
from tests.flow_orders import KEYS, Caller, Failing, Freshness
from tests.flow_scheduler import Scheduler
from tests.models import scaled


@pytest.fixture(params=["sync", "async"])
def make(request):
    with opened(request.param) as make:
        yield make


class Counting(MemoryTier):
    """A tier that counts what is written, and is held up while it is told to be."""

    blocking = True

    def __init__(self, **more):
        super().__init__(**more)
        self.written = []
        self.asked = []
        self.free = threading.Event()
        self.free.set()
        self.held = threading.Event()

    def put_many(self, records):
        records = list(records)
        self.asked += [record.key for record in records]
        if not self.free.is_set():
            self.held.set()
            wait(self.free)
        self.written += [record.key for record in records]
        return super().put_many(records)


def over(tier, make=Cache, entries=2, clock=None, **layer):
    """Return a cache whose writes wait until they are flushed, as its clock stands."""
    return make(
        max_entries=entries,
        eviction_strategy="lru",
        clock=clock or ManualClock(),
        tiers=[Memory(), Layer(tier, writes="behind", **layer)],
    )


def figures(cache, name="t"):
    return cache.get_detailed_statistics()["tiers"][name]


@pytest.mark.parametrize("bound", ["idle", "layer"])
def test_what_waits_is_not_shown_when_its_time_is_up(make, bound):
    clock = ManualClock()
    tier = MemoryTier(clock=clock)
    tier_seconds, idle_seconds = (None, 2) if bound == "idle" else (2, None)
    cache = over(tier, make, clock=clock, ttl_seconds=tier_seconds, behind_seconds=60)
    cache.put("a", "former")
    cache.flush()
    cache.put("a", "last", idle_seconds=idle_seconds)
    for key in "bcd":  # it is evicted
        cache.put(key, 0)
    clock.advance(1)
    assert cache.get("a") == "last"
    for key in "bcd":
        cache.put(key, 0)
    clock.advance(2)
    assert cache.get("a") is None
    assert cache.get_many(["a"]) == {}


def test_a_put_does_not_wait_and_the_last_value_is_written_once(make):
    tier = Counting(name="t")
    clock = ManualClock()
    cache = over(tier, make, clock=clock)
    for number in range(10):
        assert cache.put("a", number)
        clock.advance(0.25)
    assert not tier.written
    assert figures(cache)["queued"] == 1
    assert figures(cache)["oldest_seconds"] == 2.5
    assert cache.flush() is True
    assert len(tier.written) == 1
    assert figures(cache)["queued"] == 0
    assert over(tier, make).get("a") == 9


def test_one_sees_ones_own_writes_after_memory_has_evicted_them(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    for key in "abc":
        cache.put(key, key, ttl_seconds=60, tags={key})
    assert not tier.written
    assert [cache.get(key) for key in "abc"] == ["a", "b", "c"]
    assert cache.get_many(["a", "b", "c"]) == {"a": "a", "b": "b", "c": "c"}
    assert cache.get("a") == "a"
    assert cache.entry("a").tags == {"a"}
    assert not tier.written


@pytest.mark.parametrize("way", ["key", "keys", "tag", "dependency", "clear", "put of its source"])
@pytest.mark.parametrize("written", [False, True])
def test_invalidations_beat_what_waits(make, way, written):
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    cache.put("part", 0)
    cache.flush()
    cache.put("a", 1, tags={"t"}, dependencies={"part"})
    cache.put("b", 2)
    if written:
        cache.flush()
    {
        "key": lambda: cache.invalidate("a"),
        "keys": lambda: cache.invalidate_many(["a", "x"]),
        "tag": lambda: cache.invalidate_by_tags({"t"}),
        "dependency": lambda: cache.invalidate("part"),
        "clear": cache.clear,
        "put of its source": lambda: cache.put("part", 1),
    }[way]()
    assert cache.get("a") is None
    cache.flush()
    assert cache.get("a") is None
    assert over(tier, make).get("a") is None


def test_what_is_loaded_waits_too(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    assert cache.get_or_load("a", lambda key: 1) == 1
    cache.get_many(["b", "c"], lambda keys: dict.fromkeys(keys, 2))
    cache.put_many({"d": 3, "e": 3})
    assert not tier.written
    assert [cache.get(key) for key in "abcde"] == [1, 2, 2, 3, 3]
    cache.flush()
    assert len(tier.written) == 5


def test_what_is_made_of_something_that_waits_to_change_is_void(make):
    """Its counter moves on with it, later; who asks for that counter has it move first."""
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    cache.put("part", 1)
    cache.put("whole", 1, dependencies={"part"})
    cache.put("x", 1)
    cache.flush()
    assert cache.get("whole") == 1
    cache.put("x", 1)
    cache.put("part", 2)
    assert cache.get("whole") is None
    cache.put("whole", 2, dependencies={"part"})
    cache.put("x", 1)
    cache.flush()
    assert cache.get("whole") == 2


def test_a_change_while_the_former_one_is_told_is_told_again():
    """The tier has moved the counter, and has not answered yet."""
    told, answer = threading.Event(), threading.Event()

    class Slow(Counting):
        hold = False

        def bump(self, names):
            numbers = super().bump(names)
            if self.hold:
                self.hold = False
                told.set()
                wait(answer)
            return numbers

    tier = Slow(name="t")
    cache = over(tier, entries=1)
    cache.put("part", 1)
    tier.hold = True
    flushing = threading.Thread(target=cache.flush)
    flushing.start()
    wait(told)
    assert cache.get_or_load("whole", lambda key: 1, dependencies={"part"}) == 1
    cache.put("part", 2)
    answer.set()
    flushing.join()
    assert cache.get("whole") is None
    cache.flush()
    assert over(tier).get("whole") is None


def test_a_full_queue_writes_through(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=100, behind_entries=3)
    events = []
    cache.on_event(events.append, EventKind.FULL, queued=False)
    for number in range(6):
        cache.put(number, number)
    assert len(tier.written) == 3
    assert figures(cache)["queued"] == 3
    assert len(events) == 1
    cache.put(0, "again")  # it has its place
    assert len(tier.written) == 3
    cache.flush()
    other = over(tier, make, entries=100)
    assert [other.get(number) for number in range(6)] == ["again", 1, 2, 3, 4, 5]


def test_a_dead_tier_is_told_to_forget_when_it_is_back(make):
    class Dying(Counting):
        dead = False

        def put_many(self, records):
            if self.dead:
                raise TierUnavailableError("dead")
            return super().put_many(records)

        def delete_many(self, keys):
            if self.dead:
                raise TierUnavailableError("dead")
            return super().delete_many(keys)

    tier, clock = Dying(name="t"), ManualClock()
    cache = over(tier, make, clock=clock)
    events = []
    cache.on_event(events.append, EventKind.OVERFLOW, queued=False)
    cache.put("a", "old")
    cache.flush()
    tier.dead = True
    cache.put("a", "new")
    cache.put("b", "new")
    assert cache.flush() is True  # nothing waits any more
    assert [event.amount for event in events] == [2]
    assert (figures(cache)["lost"], figures(cache)["owed"], figures(cache)["queued"]) == (
        2,
        2 + 2,
        0,
    )
    tier.dead = False
    clock.advance(100.0)
    cache.put("c", 1)
    cache.flush()
    assert figures(cache)["owed"] == 0
    other = over(tier, make)
    assert (other.get("a"), other.get("c")) == (None, 1)


def call(cache, name, *args):
    """Call a method in a thread, through the synchronous door."""
    return Patient(getattr(getattr(cache, "sync", cache), name), *args)


def test_a_removal_waits_for_what_is_being_written(make):
    tier = Counting(name="t")
    cache = over(tier, make)
    cache.put("a", "old")
    tier.free.clear()
    flushing = call(cache, "flush")
    wait(tier.held)
    assert over(tier).get("a") is None
    assert cache.get("a") == "old"
    removing = call(cache, "invalidate", "a")
    spin(lambda: "a" not in cache)
    putting = call(cache, "put", "b", 1)  # of another key: it does not wait
    assert putting.result() is True
    assert not removing.ended
    tier.free.set()
    assert removing.result() == 1
    flushing.result()
    assert cache.get("a") is None
    assert over(tier).get("a") is None


@pytest.mark.parametrize("way", ["key", "clear"])
def test_until_it_is_removed_one_sees_what_waits_and_nothing_older(way):
    class Watched(Counting):
        def delete_many(self, keys):
            look()
            return super().delete_many(keys)

        def clear(self):
            look()
            super().clear()

    def look():
        if watched:
            seen.append((cache.get("a"), level._take(object())[0]))
            level._flights.clear()

    seen, watched = [], False
    tier = Watched(name="t")
    cache = over(tier, entries=1)
    level = cache._stack.levels[0]
    cache.put("a", 1)
    cache.flush()
    cache.put("a", 2)
    cache.put("b", 1)
    cache.invalidate("b")
    watched = True
    if way == "key":
        cache.invalidate("a")
    else:
        cache.clear()
    assert seen == [(2, [])]  # and it is not written meanwhile
    assert cache.get("a") is None


def test_what_is_stored_while_the_same_key_is_written_is_written_after_it(make):
    tier = Counting(name="t")
    cache = over(tier, make, entries=1)
    cache.put("a", 1)
    tier.free.clear()
    flushing = call(cache, "flush")
    wait(tier.held)
    assert call(cache, "put", "a", 2).result() is True
    assert call(cache, "put", "b", 1).result() is True
    assert call(cache, "get", "a").result() == 2
    second = call(cache, "flush")
    spin(lambda: len(tier.asked) == 2)  # b; a has its turn when it is written
    assert len(set(tier.asked)) == 2
    tier.free.set()
    flushing.result()
    second.result()
    assert len(tier.written) == 3
    assert over(tier).get("a") == 2


def test_what_is_given_up_while_it_is_written_goes_then():
    tier = Counting(name="t")
    cache = over(tier)
    cache.put("a", 1)
    tier.free.clear()
    flushing = call(cache, "flush")
    wait(tier.held)
    cache._stack.lower.disown("a")
    assert call(cache, "get", "x").result() is None  # the tier is told to forget, too early
    tier.free.set()
    flushing.result()
    assert figures(cache)["owed"] == 1
    assert cache.get("x") is None
    assert over(tier).get("a") is None


def test_flush_and_close_end_in_time(monkeypatch):
    monkeypatch.setattr("scrubjay.layered.CLOSING", 0.05)
    tier = Counting(name="t")
    cache = over(tier, entries=200, behind_entries=200)
    cache.update({number: number for number in range(200)})
    tier.free.clear()
    began = time.monotonic()
    assert cache.flush(0.05) is False
    assert figures(cache)["queued"] == 200
    closing = Patient(cache.close)
    closing.result()
    assert time.monotonic() - began < 5.0
    assert figures(cache)["lost"] == 72  # twice 64 were being written
    tier.free.set()
    spin(lambda: figures(cache)["queued"] == 0)
    assert len(tier.written) == 128
    assert figures(cache)["lost"] == 72


def test_a_thread_writes_when_it_is_due():
    tier = Counting(name="t")
    cache = Cache(max_entries=10, tiers=[Layer(tier, writes="behind", behind_seconds=0.05)])
    cache.put("a", 1)
    spin(lambda: tier.written)
    cache.put("b", 1)
    spin(lambda: len(tier.written) == 2)
    slow = Cache(
        max_entries=100, tiers=[Layer(tier, writes="behind", behind_seconds=99, behind_entries=10)]
    )
    slow.put_many({number: number for number in range(5)})
    spin(lambda: len(tier.written) == 7)  # half of the room is taken


def test_a_layer_is_not_late_for_what_others_wait_for():
    def make(seconds):
        tier = Counting(name="t")
        layer = Layer(tier, writes="behind", behind_seconds=seconds)
        cache = Cache(max_entries=2, tiers=[Memory(), layer])
        cache.put("a", 1)
        return cache, tier

    slow = [make(3600.0)[0] for _ in range(8)]
    _, tier = make(0.01)
    spin(lambda: tier.written)
    for cache in slow:
        cache.close()


def test_what_waits_is_written_at_the_end(tmp_path, make, monkeypatch):
    monkeypatch.setattr(layered, "CLOSING", 60.0)  # the machine may have other things to do

    def open_cache():
        return make(
            max_entries=2,
            tiers=[
                Memory(),
                Disk(tmp_path / "disk", max_size_mb=4, writes="behind", behind_seconds=60),
            ],
        )

    cache = open_cache()
    for number in range(10):
        cache.put(number, number)
    assert figures(cache, "disk")["writes"] == 0
    getattr(cache, "sync", cache).close()
    assert figures(cache, "disk")["lost"] == figures(cache, "disk")["queued"] == 0
    assert figures(cache, "disk")["errors"] == 0
    again = open_cache()
    assert [again.get(number) for number in range(10)] == list(range(10))
    getattr(again, "sync", again).close()


def test_who_flushes_waits_for_counters_that_others_move_on():
    class Bumping(MemoryTier):
        def bump(self, names):
            number = next(numbers)
            held[number].set()
            wait(free[number])
            return super().bump(names)

    numbers = itertools.count()
    held, free = ([threading.Event() for _ in range(2)] for _ in range(2))
    cache = over(Bumping(name="t"))
    cache.put("a", 1)
    first = Patient(cache.flush)
    wait(held[0])
    second = Patient(cache.flush)  # it finds the same counters, and no record that waits
    wait(held[1])
    free[0].set()
    spin(lambda: not cache._stack.levels[0].queued)
    first._thread.join(0.1)
    assert not first.ended  # the tier must not be closed yet
    free[1].set()
    assert first.result() is second.result() is True


def test_where_it_makes_no_sense():
    shared = SharedMemoryTier(SharedMemory(ManualClock()))
    for tiers in (
        [Layer(shared, writes="behind")],
        [Layer(MemoryTier(), writes="behind"), Layer(shared)],
        [Layer(MemoryTier(), writes="behind", demote=True)],
    ):
        with pytest.raises(ConfigurationError):
            Cache(tiers=tiers)
    for options in ({"behind_seconds": 0}, {"behind_entries": 0.5}):
        with pytest.raises(InvalidArgumentError, match="behind_"):
            Cache(tiers=[Layer(MemoryTier(), writes="behind", **options)])
    with pytest.raises(InvalidArgumentError, match="timeout_seconds"):
        Cache(max_entries=1).flush(-1)
    assert Cache(max_entries=1).flush() is True
    assert "flush" in ASYNCHRONOUS


def test_who_hears_of_a_write_may_not_wait_for_it():
    tier = Failing(random.Random(1), 1.0, name="t")
    cache = over(tier)
    errors = []

    def remove(event):
        try:
            cache.invalidate("a")
        except Exception as error:
            errors.append(type(error).__name__)

    cache.put("a", 1)
    cache.on_event(remove, EventKind.TIER_ERROR, queued=False)
    assert Patient(cache.flush).result() is True
    assert errors == ["ReentrantLoadError"]


CHILD = """
import sys, time
from scrubjay import AdaptiveCache, Cache, Disk, Memory
cache = Cache(
    tiers=[
        Memory(max_entries=5),
        Disk(sys.argv[1], max_size_mb=8, writes="behind", behind_seconds=0.1, behind_entries=50),
    ]
)
number = 0
while True:
    number += 1
    cache.put(number, number)
    print(number, time.monotonic(), flush=True)
    time.sleep(0.001)
"""


def test_a_crash_loses_no_more_than_was_said(tmp_path):
    for turn in range(3):
        directory = tmp_path / str(turn)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(directory)], stdout=subprocess.PIPE, text=True
        )
        with child:
            said = []
            began = None
            while began is None or time.monotonic() - began < 0.5 + 0.1 * turn:
                number, at = child.stdout.readline().split()
                said.append((int(number), float(at)))
                began = time.monotonic() if began is None else began
            child.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            rest = child.stdout.read().splitlines()
            said += [(int(number), float(at)) for number, at in (line.split() for line in rest)]
        with Cache(max_entries=1, tiers=[Disk(directory, max_size_mb=8)]) as cache:
            lost = [(number, at) for number, at in said if cache.get(number) is None]
        assert len(lost) <= 50 + 1
        # A busy machine may hold the thread up; it is not what is tested.
        assert all(killed - at < 0.1 + 1.0 for _, at in lost), (killed, lost[0])


# Flows in every order that chance finds


def begin_writing(scheduler, cache):
    for level in cache._stack.levels:
        if isinstance(level, BehindLevel):
            scheduler.begin(level.write())


@pytest.mark.untraced
@pytest.mark.parametrize("clears", [False, True])
@pytest.mark.parametrize("through", [False, True])
def test_each_key_is_a_register(clears, through):
    """As with tiers that are written through: see `test_layers_interleaved`."""
    for seed in range(scaled(100, 15)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        layers = [
            Layer(MemoryTier(name="t"), writes="behind", behind_entries=chance.choice([1, 9]))
        ]
        if through:
            layers.append(Layer(MemoryTier(name="u")))
        cache = Cache(max_entries=2, eviction_strategy="lru", clock=ManualClock(), tiers=layers)
        caller = Caller(cache, scheduler)
        for number in range(40):
            key = chance.choice(KEYS)
            kind = chance.random()
            if kind < 0.4:
                caller.get(key)
            elif kind < 0.7:
                caller.put(key, number)
            elif kind < 0.97 or not clears:
                caller.invalidate(key)
            else:
                caller.clear()
            if chance.random() < 0.4:
                begin_writing(scheduler, cache)
            scheduler.go_on(8)
        caller.check(seed)


class Behind(Freshness):
    """Loads, promotions, invalidations and writes that wait, over tiers that fail.

    The way "put" is that of dependencies, of which most are stored anew, not invalidated.
    """

    def change(self, cache, key, number):
        if self.way == "put" and self.chance.random() < 0.7:
            return cache.storing(key, {key: number}, cache.terms(), None, 0)
        return super().change(cache, key, number)

    def go(self, share):
        near, far = self.tiers(share, "near", "far")
        cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=self.clock,
            tiers=[
                Layer(near, writes=self.chance.choice(["behind", "through"])),
                Layer(far, writes="behind", behind_entries=3),
            ],
        )
        for _ in range(60):
            self.use(cache)
            if self.chance.random() < 0.4:
                begin_writing(self.scheduler, cache)
            self.pass_time()
            self.scheduler.go_on(10)
        self.scheduler.run()
        return cache.lower_hits()


@pytest.mark.untraced
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("way", ["key", "tag", "dependency", "put"])
def test_nothing_is_older_than_the_last_change(share, way):
    served = sum(Behind(seed, way).go(share) for seed in range(scaled(80, 15)))
    assert served > 0


def test_who_flushes_does_not_hang_on_a_loop_that_is_closed():
    """What it was writing is given up, and nobody finds it any more."""
    tier = Counting(name="t")
    cache = over(tier, AdaptiveCache, entries=1)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # of tasks that were pending

    async def leave():
        task = loop.create_task(cache.flush())
        await loop.run_in_executor(None, wait, tier.held)
        return task

    cache.sync.put("a", 1)
    tier.free.clear()
    task = loop.run_until_complete(leave())
    ((_, flight),) = cache.sync._stack.levels[0]._writing.values()
    flushing = Patient(cache.sync.flush)
    spin(lambda: flight.done or flight._callbacks)  # somebody waits for it
    loop.close()
    assert flushing.result() is True
    tier.free.set()
    spin(lambda: tier.written)
    task.get_coro().close()
    assert figures(cache.sync)["lost"] == 1
    cache.sync.put("b", 1)
    assert cache.sync.get("a") is None
