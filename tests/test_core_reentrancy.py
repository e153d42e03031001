"""User code that runs inside an operation and uses the very cache that called it.

Keys, values, sizers, callbacks, strategies and clocks do random things to the cache, to any
depth; finalizers are run by reference counts and by the garbage collector alike. Nothing
may hang or crash, nothing may be lost without notice, and nothing may contradict itself
afterwards.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from collections import Counter
from random import Random

import pytest

import scrubjay
from scrubjay import Cache, ManualClock, ReentrantLoadError, register_strategy
from tests.models import check, drain, scaled

MB = 1024 * 1024
STRATEGIES = ["lru", "lfu", "ttl", "priority", "adaptive", "test-hostile"]


class World:
    """A cache and the hostile things in it, whose every contact makes something happen."""

    now = None  # the world under test: a strategy's factory must find it

    def __init__(self, strategy, seed, depth, eagerness, places, bound="entries"):
        World.now = self
        self.random = Random(seed)
        self.depth = 0
        self.deepest = depth
        self.patience = 0
        self.eagerness = eagerness
        self.places = ()
        self.stored = Counter()  # by number, for certain
        self.maybe = set()  # stored or not: too large, or overtaken
        self.gone = Counter()
        self.contacts = Counter()
        self.clock = Clock(self)
        self.cache = Cache(
            max_size_mb=None if bound == "entries" else 900 / MB,
            eviction_strategy=strategy,
            max_entries=20 if bound == "entries" else None,
            sizer=self.measure,
            max_value_fraction=0.9,
            clock=self.clock,
        )
        self.limits = [5, 20, 60]
        self.cache.on_removal(self.removed)
        self.places = places

    def contact(self, place):
        """Somebody touches one of us."""
        if place not in self.places or self.depth >= self.deepest:
            return
        if self.random.random() > self.eagerness:
            return
        self.patience -= 1
        if self.patience < 0:
            return
        self.contacts[place] += 1
        self.depth += 1
        try:
            self.act()
        finally:
            self.depth -= 1

    def measure(self, value):
        self.contact("sizer")
        return value.size

    def removed(self, key, value, cause):
        self.gone[value.number] += 1
        self.contact("callback")

    def key(self):
        return Key(self, self.random.randrange(40))

    def act(self):
        """Do something to the cache."""
        if self.depth == 0:
            self.patience = 1000  # a strategy that is told of what it does might never end
        cache, random, key = self.cache, self.random, self.key()
        dice = random.random()
        if dice < 0.4:
            self.put(key)
        elif dice < 0.55:
            cache.get(key)
        elif dice < 0.65:
            cache.invalidate(key)
        elif dice < 0.69:
            cache.touch(key, random.choice((None, 2.0)), random.choice((None, 1.0)))
        elif dice < 0.73:
            cache.invalidate_by_tags([random.choice("xyz")])
        elif dice < 0.76:
            self.clock.advance(random.choice((0.01, 0.3, 2.0)))
        elif dice < 0.78:
            cache.purge_expired()
        elif dice < 0.80:
            cache.pop(key, None)
        elif dice < 0.82:
            self.setdefault(key)
        elif dice < 0.85:
            list(cache.items())
        elif dice < 0.88:
            cache.entry(key)
        elif dice < 0.91:
            len(cache)
        elif dice < 0.93:
            if cache.weighted:
                cache.resize(max_size_mb=random.choice((300, 900, 3000)) / MB)
            else:
                cache.resize(max_entries=random.choice(self.limits))
        elif dice < 0.96:
            Ring(self)
        elif dice < 0.965:
            cache.clear()
        else:
            self.get_or_load(key)

    def put(self, key):
        random, value = self.random, Value(self)
        self.stored[value.number] += 1
        self.note(
            value,
            self.cache.put(
                key,
                value,
                random.choice((None, None, 0.5, 3.0)),
                random.choice((1.0, 1.0, random.random(), 5.0)),
                random.choice((None, None, ["x"], ["y", "z"])),
                idle_seconds=random.choice((None, None, None, 0.7)),
                dependencies=random.choice((None, None, [self.key()], [self.key(), self.key()])),
                cost=random.choice((None, None, random.random())),
            ),
        )

    def setdefault(self, key):
        value = Value(self)
        self.maybe.add(value.number)
        self.cache.setdefault(key, value)

    def get_or_load(self, key):
        def load(key):
            self.contact("loader")
            value = Value(self)
            self.maybe.add(value.number)
            return value

        try:
            self.cache.get_or_load(key, load)
        except ReentrantLoadError:
            assert self.depth > 0

    def note(self, value, stored):
        """A value that was refused, or overtaken before it was stored, is not announced."""
        if not stored:
            self.stored[value.number] -= 1

    def settle(self):
        """Let things rest and look for contradictions."""
        self.places = ()
        gc.collect()
        pairs = check(self.cache)
        present = Counter(value.number for _, value in pairs)
        assert max((*present.values(), 0)) <= 1
        assert max((*self.gone.values(), 0)) <= 1, "announced twice"
        assert not set(present) & set(self.gone), "announced, and there"
        missing = set(+self.stored) - set(present) - set(self.gone)
        assert not missing, "lost without notice"
        invented = (set(present) | set(self.gone)) - set(+self.stored) - self.maybe
        assert not invented
        drain(self.cache)


class Key:
    def __init__(self, world, number):
        self.world = world
        self.number = number

    def __hash__(self):
        self.world.contact("hash")
        return self.number % 4

    def __eq__(self, other):
        self.world.contact("eq")
        return self.number == other.number

    def __del__(self):
        self.world.contact("key del")


class Value:
    def __init__(self, world):
        self.world = world
        self.number = world.random.getrandbits(60)
        self.size = world.random.choice((0, 10, 50, 200, 700))

    def __del__(self):
        self.world.contact("value del")


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self, world):
        self.world = world
        self.ring = [self]

    def __del__(self):
        self.world.contact("collector")


class Clock(ManualClock):
    def __init__(self, world):
        super().__init__()
        self.world = world

    def monotonic(self):
        if self.world.depth < 2:  # it is read in every operation
            self.world.contact("clock")
        return super().monotonic()


class Hostile:
    """A strategy that uses the cache that it serves, and chooses at random, often badly."""

    def __init__(self, metadata):
        self.world = World.now
        self.metadata = metadata
        self.slots = set()

    def on_insert(self, slot):
        assert slot not in self.slots
        self.slots.add(slot)
        self.world.contact("strategy")

    def on_hit(self, slot):
        assert slot in self.slots
        self.world.contact("strategy")

    def on_remove(self, slot):
        self.slots.remove(slot)
        self.world.contact("strategy")

    def victim(self):
        self.world.contact("strategy")
        slots = sorted(self.slots)
        return self.world.random.choice([*slots, -1, 10**9])


register_strategy("test-hostile", Hostile)

PLACES = [
    "eq",
    "hash",
    "key del",
    "value del",
    "callback",
    "sizer",
    "strategy",
    "clock",
    "loader",
    "collector",
]


@pytest.fixture(autouse=True, scope="module")
def frozen():
    """Let the collector look at what the tests make, not at all of pytest each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def unbroken(monkeypatch, caplog):
    """A callback or a finalizer that fails is a failure of the test."""
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    with caplog.at_level(logging.ERROR, "scrubjay"):
        yield
    World.now = None
    assert not [unraisable.exc_value for unraisable in raised]
    assert not caplog.records


@pytest.mark.untraced
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_place_uses_the_cache(strategy, place):
    for bound in ("entries", "bytes"):
        world = World(strategy, f"{place}{bound}", 3, 0.5, (place,), bound)
        for _ in range(scaled(250, 120)):
            world.act()
            if place == "collector" and world.random.random() < 0.3:
                gc.collect(0)
        world.settle()
        if not (place == "strategy" and strategy != "test-hostile") and not (
            place == "sizer" and bound == "entries"
        ):
            assert world.contacts[place] > 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_place_uses_the_cache(strategy):
    for seed in range(scaled(8, 4)):
        bound = ("entries", "bytes")[seed % 2]
        world = World(strategy, seed, 1 + seed % 5, 0.15, PLACES, bound)
        for _ in range(scaled(300, 60)):
            world.act()
        world.settle()


@pytest.mark.untraced
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_collector_runs_in_the_middle_of_operations(strategy, eager_collecting):
    for seed in range(scaled(6, 3)):
        places = PLACES if seed % 2 else ("collector", "value del", "key del")
        world = World(strategy, seed, 2, 0.3, places, ("entries", "bytes")[seed % 2])
        for _ in range(scaled(120, 30)):
            Ring(world)
            world.act()
        gc.set_threshold(700)
        world.settle()
        gc.set_threshold(1)


class Bomb:
    """A ring of garbage that does one thing when it is collected."""

    def __init__(self, deed):
        self.deed = deed
        self.ring = self

    def __del__(self):
        self.deed()


@pytest.mark.untraced
@pytest.mark.parametrize("deed", ["fill", "empty", "shrink"])
@pytest.mark.parametrize(
    "operation", ["clear", "put", "put with all", "grow", "depend", "load", "tags", "resize"]
)
@pytest.mark.parametrize("strategy", ["lru", "lfu", "ttl", "priority", "adaptive"])
def test_a_collection_at_every_allocation_of_an_operation(strategy, operation, deed):
    """From 3.12 on the collector waits for the next bytecode; before, any allocation runs it."""

    def fill():
        for number in range(60):
            cache.put(number, "finalizer", priority=1.0 + number % 7)

    def empty():
        for number in range(30):
            cache.invalidate(number)
        cache.invalidate("key")

    def shrink():
        cache.resize(max_entries=3)
        cache.resize(max_entries=500)

    def depend(number):
        cache.put("key", 1, dependencies=[("need", number), 5])

    operations = {
        "clear": lambda number: cache.clear(),
        "put": lambda number: cache.put("key", 1),
        "put with all": lambda number: cache.put(
            "key", 1, 9.0, number + 0.5, [str(number)], idle_seconds=5.0, dependencies=[3], cost=2
        ),
        "grow": lambda number: [cache.put(("new", each), each) for each in range(40)],
        "depend": depend,
        "load": lambda number: cache.get_or_load("key", lambda key: 1, dependencies=[2]),
        "tags": lambda number: cache.invalidate_by_tags(["even"]),
        "resize": lambda number: cache.resize(max_entries=10),
    }
    deeds = {"fill": fill, "empty": empty, "shrink": shrink}
    before = gc.get_threshold()
    # Uncompiled, an operation allocates far more often: some of its allocations.
    for number in range(1, scaled(30, 60), 1 if scrubjay.compiled else 10):
        cache = Cache(max_entries=500, eviction_strategy=strategy)
        for each in range(16):
            cache.put(each, each, tags=["even"] if each % 2 == 0 else None)
        cache.put("dependent", 1, dependencies=[2, "key"])
        gc.collect()
        gc.disable()
        Bomb(deeds[deed])
        gc.set_threshold(gc.get_count()[0] + number)
        gc.enable()
        operations[operation](number)
        gc.disable()
        gc.set_threshold(*before)
        gc.collect()
        gc.enable()
        check(cache)
        drain(cache)


# Depth


def test_a_cascade_of_finalizers():
    """A value's end removes the next value: as deep as there are values."""

    class Domino:
        def __init__(self, cache, number):
            self.cache = cache
            self.number = number

        def __del__(self):
            self.cache.invalidate(self.number + 1)

    cache = Cache(max_entries=10_000)
    count = 300  # Python itself cannot nest many more finalizers
    for number in range(count):
        cache.put(number, Domino(cache, number))
    cache.put("rest", 1)
    cache.invalidate(0)
    assert list(cache) == ["rest"]
    drain(cache)


def test_a_cascade_of_callbacks_and_one_of_dependencies():
    cache = Cache(max_entries=100_000)
    count = 80  # Python itself cannot nest many more calls
    gone = []

    def callback(key, value, cause):
        gone.append(key)
        if isinstance(key, int):
            cache.invalidate(key + 1)

    for number in range(count):
        cache.put(number, number)
    cache.on_removal(callback)
    cache.invalidate(0)
    assert gone == list(range(count))
    length = scaled(50_000, 3000)
    for number in range(length):
        cache.put(("chain", number), 1, dependencies=[("chain", number - 1)])
    assert cache.invalidate(("chain", -1)) == length
    drain(cache)


def test_long_chains_of_values_are_let_go_without_recursion():
    cache = Cache(max_entries=10)
    chain = None
    for _ in range(100_000):
        chain = [chain]
    cache.put("chain", chain)
    del chain
    cache.invalidate("chain")
    drain(cache)


def test_a_callback_that_stores_again_what_was_evicted():
    """Each eviction stores an entry, which evicts one: it must come to an end somehow."""
    cache = Cache(max_entries=5, eviction_strategy="lru")
    limit = [50]

    def callback(key, value, cause):
        if limit[0]:
            limit[0] -= 1
            cache.put(key, value)

    cache.on_removal(callback)
    for number in range(10):
        cache.put(number, number)
    assert cache.count == 5
    assert limit == [0]
    drain(cache)


def test_a_callback_that_never_stops_ends_in_a_recursion_error_at_worst():
    cache = Cache(max_entries=5, eviction_strategy="lru")

    def callback(key, value, cause):
        cache.put(key, value)

    unsubscribe = cache.on_removal(callback)
    logging.getLogger("scrubjay").disabled = True
    try:
        for number in range(6):
            with contextlib.suppress(RecursionError):
                cache.put(number, number)
    finally:
        logging.getLogger("scrubjay").disabled = False
    unsubscribe()
    assert cache.count <= 5
    drain(cache)


def test_a_failing_callback_is_logged_and_stops_nobody(caplog):
    cache = Cache(max_entries=2)
    told = []

    def fail(key, value, cause):
        raise ZeroDivisionError

    cache.on_removal(fail)
    cache.on_removal(lambda key, value, cause: told.append(key))
    for number in range(5):
        cache.put(number, number)
    assert len(told) == 3
    assert len(caplog.records) == 3
    caplog.clear()


def test_a_failing_finalizer_stops_nobody(monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: raised.append(1))

    class Bad:
        def __del__(self):
            raise ZeroDivisionError

    cache = Cache(max_entries=2)
    for number in range(10):
        cache.put(number % 4, Bad())
    assert len(raised) == 8
    cache.clear()
    assert len(raised) == 10
    drain(cache)


def test_iterating_while_everything_changes():
    cache = Cache(max_entries=1000)
    for number in range(1000):
        cache[number] = number
    seen = []
    for key in cache:
        seen.append(key)
        cache.invalidate(key)
        cache.invalidate(key + 500)
    assert seen == list(range(500))
    for number in range(100):
        cache[number] = number
    for key, value in cache.items():
        assert key == value
        if key == 50:
            cache.clear()
    for number in range(10):
        cache[number] = number
    for count, _ in enumerate(cache):
        cache[f"more {count}"] = 1
        if count > 200:
            break
    drain(cache)
