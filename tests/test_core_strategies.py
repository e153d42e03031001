"""LRU, LFU, TTL and PRIORITY against models that predict every removal.

The clock stands at whole seconds and deadlines lie between them, so that no entry expires
within the tick of the timer wheel in which it is looked at.

Hypothesis finds small contradictions; long random walks find deep ones.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scrubjay import Cache, ManualClock, RemovalCause
from tests.models import NEVER, ORDERS, CacheModel, check, drain, nodes_of, scaled

MB = 1024 * 1024
KEYS = range(7)
SIZES = range(61)
TIMES = (None, None, None, 0.5, 1.5, 4.5, 80.5, 5000.5)
PRIORITIES = (1.0, 1.0, 1.0, 0.0, -2.5, 3.0, 7.0)
TAGS = ((), (), ("x",), ("y",), ("x", "y"))
JUMPS = (1, 2, 5, 60, 4096, 100_000)
BOUNDS = (
    (1, None),
    (4, None),
    (6, None),
    (None, 100),
    (None, 160),
    (3, 120),
    (6, 100),
    (9, 300),
)


class Value:
    """A value that says how large it is, and is equal to nothing else."""

    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size

    def __repr__(self):
        return f"<{self.size} bytes>"


class Pair:
    """A cache and its model, doing the same things."""

    def __init__(self, strategy, bounds, fraction):
        entries, size = bounds
        self.clock = ManualClock(start=1000.0)
        self.cache = Cache(
            max_size_mb=None if size is None else size / MB,
            eviction_strategy=strategy,
            max_entries=entries,
            sizer=lambda value: value.size,
            max_value_fraction=fraction,
            clock=self.clock,
        )
        self.model = CacheModel(strategy, entries, size, fraction)
        self.model.now = 1000.0
        self.events = []
        self.cache.on_removal(
            lambda key, value, cause: self.events.append((key, value, cause.value))
        )
        self.requests = self.hits = 0
        self.causes = Counter()

    # Everything that changes something

    def put(self, key, size, ttl, idle, priority, tags, needs):
        value = Value(size)
        stored = self.cache.put(
            key, value, ttl, priority, tags, idle_seconds=idle, dependencies=needs
        )
        assert stored == self.model.put(key, value, size, ttl, idle, priority, tags, needs)

    def put_plainly(self, key, size):
        value = Value(size)
        self.cache[key] = value
        self.model.put(key, value, size, None, None, 1.0, (), ())

    def get(self, key):
        record = self.model.get(key)
        self.requests += 1
        self.hits += record is not None
        assert self.cache.get(key, "nothing") is (record.value if record else "nothing")

    def get_repeatedly(self, key, times):
        for _ in range(times):
            self.get(key)

    def touch(self, key, ttl, idle):
        assert self.cache.touch(key, ttl, idle) == self.model.touch(key, ttl, idle)

    def invalidate(self, key):
        assert self.cache.invalidate(key) == self.model.remove(key)

    def invalidate_many(self, keys):
        count = self.cache.invalidate_many(keys)
        assert count == sum(self.model.remove(key) for key in dict.fromkeys(keys))

    def delete(self, key):
        if key in self.model.records:
            del self.cache[key]
            self.model.remove(key)
        else:
            with pytest.raises(KeyError):  # and nothing changes
                del self.cache[key]

    def invalidate_by_tags(self, tags):
        assert self.cache.invalidate_by_tags(tags) == self.model.remove_by_tags(tags)

    def advance(self, seconds):
        self.clock.advance(seconds)
        assert self.cache.purge_expired() == self.model.advance(seconds)

    def clear(self):
        self.cache.clear()
        self.model.clear()

    def resize(self, entries, size):
        if not self.cache.weighted:
            self.cache.resize(max_entries=entries)
            self.model.resize(entries, None)
        else:
            self.cache.resize(max_size_mb=size / MB)
            self.model.resize(self.cache.max_entries, size)

    # Everything that changes nothing

    def look(self, key):
        record = self.model.records.get(key)
        assert (key in self.cache) == self.cache.contains(key) == (record is not None)
        entry = self.cache.entry(key)
        if record is None:
            assert entry is None
            return
        assert entry.value is record.value
        assert entry.access_count == record.hits + 1
        assert entry.priority == record.priority
        assert entry.tags == record.tags
        assert entry.dependencies == self.model.graph.needs.get(key, set())
        assert entry.ttl_seconds == record.ttl
        assert entry.idle_seconds == record.idle
        assert entry.expires_in == record.deadline - self.model.now
        if self.cache.weighted:
            assert entry.size_bytes == record.size

    # What must hold after every step

    def compare(self):
        cache, model = self.cache, self.model
        events, announced = self.events, model.announced
        assert [e for e in events if e[2] == "evicted"] == [
            e for e in announced if e[2] == "evicted"
        ]
        assert Counter(events) == Counter(announced)
        self.causes.update(cause for _, _, cause in events)
        events.clear()
        announced.clear()
        assert dict(cache.items()) == {k: record.value for k, record in model.records.items()}
        assert len(cache) == cache.count == len(model.records)
        assert cache.bytes == (model.bytes if cache.weighted else 0)
        assert not model.too_full(None, 0)
        soonest = min((record.deadline for record in model.records.values()), default=NEVER)
        assert cache.next_expiry() <= soonest + 1 / 16
        assert (cache.next_expiry() == NEVER) == (soonest == NEVER)
        assert nodes_of(cache) == len(model.graph.needs)

    def finish(self):
        statistics = self.cache.statistics
        assert statistics.total_requests == self.requests
        assert statistics.cache_hits == self.hits
        assert statistics.rejected == self.model.rejected
        causes = (cause.value for cause in RemovalCause)
        assert +Counter(dict(zip(causes, self.cache.removals(), strict=True))) == self.causes
        check(self.cache)
        drain(self.cache)


# Small contradictions

keys = st.sampled_from(KEYS)
times = st.sampled_from(TIMES)


class Machine(RuleBasedStateMachine):
    """A pair under Hypothesis."""

    strategy = "lru"

    @initialize(bounds=st.sampled_from(BOUNDS), fraction=st.sampled_from([0.4, 1.0]))
    def begin(self, bounds, fraction):
        self.pair = Pair(self.strategy, bounds, fraction)

    @rule(
        key=keys,
        size=st.sampled_from(SIZES),
        ttl=times,
        idle=times,
        priority=st.sampled_from(PRIORITIES),
        tags=st.sampled_from(TAGS),
        needs=st.lists(keys, max_size=2),
    )
    def put(self, **arguments):
        self.pair.put(**arguments)

    @rule(pairs=st.lists(st.tuples(keys, st.sampled_from(SIZES)), max_size=10))
    def put_plainly(self, pairs):
        for key, size in pairs:
            self.pair.put_plainly(key, size)

    @rule(chosen=st.lists(keys, max_size=20))
    def get(self, chosen):
        for key in chosen:
            self.pair.get(key)

    @rule(key=keys, ttl=times, idle=times)
    def touch(self, key, ttl, idle):
        self.pair.touch(key, ttl, idle)

    @rule(key=keys)
    def invalidate(self, key):
        self.pair.invalidate(key)

    @rule(tags=st.sampled_from(TAGS))
    def invalidate_by_tags(self, tags):
        self.pair.invalidate_by_tags(tags)

    @rule(seconds=st.sampled_from(JUMPS))
    def advance(self, seconds):
        self.pair.advance(seconds)

    @rule()
    def clear(self):
        self.pair.clear()

    @rule(entries=st.integers(1, 9), size=st.integers(1, 300))
    def resize(self, entries, size):
        self.pair.resize(entries, size)

    @rule(key=keys)
    def look(self, key):
        self.pair.look(key)

    @invariant()
    def agrees(self):
        if hasattr(self, "pair"):
            self.pair.compare()

    def teardown(self):
        if hasattr(self, "pair"):
            self.pair.finish()


def case_of(name):
    machine = type(f"{name.upper()}Machine", (Machine,), {"strategy": name})
    machine.TestCase.settings = settings(max_examples=scaled(100, 20), stateful_step_count=40)
    return machine.TestCase


TestLRU = case_of("lru")
TestLFU = case_of("lfu")
TestTTL = case_of("ttl")
TestPriority = case_of("priority")


# Deep ones


def random_step(pair, random):
    """Do something, mostly the usual things."""
    key = random.choice(KEYS)
    dice = random.random()
    if dice < 0.25:
        needs = random.choices(KEYS, k=random.choice((0, 0, 0, 1, 1, 2)))
        pair.put(
            key,
            random.choice(SIZES),
            random.choice(TIMES),
            random.choice(TIMES),
            random.choice(PRIORITIES),
            random.choice(TAGS),
            needs,
        )
    elif dice < 0.4:
        pair.put_plainly(key, random.choice(SIZES))
    elif dice < 0.65:
        pair.get(key)
    elif dice < 0.66:
        pair.get_repeatedly(key, random.choice((3, 30, 300)))
    elif dice < 0.73:
        pair.touch(key, random.choice(TIMES), random.choice(TIMES))
    elif dice < 0.78:
        pair.invalidate(key)
    elif dice < 0.8:
        pair.invalidate_many(random.choices(KEYS, k=random.randrange(4)))
    elif dice < 0.82:
        pair.delete(key)
    elif dice < 0.86:
        pair.invalidate_by_tags(random.choice(TAGS))
    elif dice < 0.92:
        pair.advance(random.choice(JUMPS))
    elif dice < 0.93:
        pair.clear()
    elif dice < 0.96:
        pair.resize(random.randint(1, 9), random.randint(1, 300))
    else:
        pair.look(key)


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("strategy", ORDERS)
def test_a_long_walk(strategy, bounds):
    for seed in range(scaled(6, 2)):
        random = Random(f"{seed} {bounds}")
        pair = Pair(strategy, bounds, random.choice([0.4, 1.0]))
        for step in range(400):
            try:
                random_step(pair, random)
                pair.compare()
            except Exception as error:
                raise AssertionError(f"seed {seed}, step {step}: {error!r}") from error
        pair.finish()


@pytest.mark.parametrize("strategy", ORDERS)
def test_many_entries_leave_in_the_predicted_order(strategy):
    random = Random(5)
    pair = Pair(strategy, (200, None), 1.0)
    for _ in range(scaled(3000, 600)):
        key = random.randrange(500)
        if random.random() < 0.5:
            pair.get(key)
        else:
            pair.put(key, 1, random.choice(TIMES), None, random.choice(PRIORITIES), (), ())
    pair.compare()
    pair.resize(1, None)
    pair.compare()
