"""Several keys at once over tiers while everything happens at once, in orders made by chance."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay.testing import Operation
from scrubjay.tiers import MemoryTier
from tests.flow_orders import KEYS, Caller, Freshness, value_of
from tests.flow_scheduler import Scheduler
from tests.models import scaled


class BulkCaller(Caller):
    """Begins operations on several keys, too."""

    def begin_many(self, flow, keys, seen):
        start = self.scheduler.now

        def done(outcome):
            values = seen(value_of(outcome))
            for key in keys:
                write, value = values[key]
                self.history[key].append(Operation(start, self.scheduler.now, write, value))

        self.scheduler.begin(flow, done)

    def get_many(self, keys):
        found, missing, _ = self.cache.request_many(keys, None)
        now = self.scheduler.now
        for key, value in found.items():
            self.history[key].append(Operation(now, now, False, value))
        if missing:
            flow = self.cache.finding_many(missing, (), Terms(), None)
            self.begin_many(
                flow, missing, lambda got: {key: (False, got.get(key)) for key in missing}
            )

    def put_many(self, items):
        flow = self.cache.storing_many(items.items(), self.cache.terms(), None, 0)
        self.begin_many(flow, items, lambda _: {key: (True, items[key]) for key in items})

    def invalidate_many(self, keys):
        flow = self.cache.forgetting_many(keys)
        self.begin_many(flow, keys, lambda _: dict.fromkeys(keys, (True, None)))


def some(chance):
    """Return several keys, in an order made by chance."""
    return chance.sample(KEYS, chance.randint(1, len(KEYS)))


@pytest.mark.untraced
@pytest.mark.parametrize("tiers", [1, 2])
@pytest.mark.parametrize("clears", [False, True])
def test_each_key_is_a_register(tiers, clears):
    for seed in range(scaled(80, 15)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=ManualClock(),
            tiers=[MemoryTier(name=f"t{number}") for number in range(tiers)],
        )
        caller = BulkCaller(cache, scheduler)
        for number in range(30):
            kind = chance.random()
            if kind < 0.3:
                caller.get_many(some(chance))
            elif kind < 0.4:
                caller.get(chance.choice(KEYS))
            elif kind < 0.65:
                caller.put_many({key: f"{key}{number}" for key in some(chance)})
            elif kind < 0.75:
                caller.put(chance.choice(KEYS), number)
            elif kind < 0.9:
                caller.invalidate_many(some(chance))
            elif kind < 0.97 or not clears:
                caller.invalidate(chance.choice(KEYS))
            else:
                caller.clear()
            scheduler.go_on(10)
        caller.check(seed)


class FreshnessOfMany(Freshness):
    """Loads of several keys, too, and invalidations of several."""

    together = 0  # loads of several

    def name(self, key):
        return ("page", key) if self.way == "dependency" else key

    def value(self, key):
        return self.source.load(key) if self.way == "key" else self.source.load_with_parts(key)

    def terms(self, cache, keys):
        if self.way == "dependency":
            return cache.terms(dependencies=KEYS)
        return cache.terms(tags=keys if self.way == "tag" else None)

    def checker(self):
        """Return what checks a value of a key against what is known by now."""
        least = dict(self.known)

        def check(key, got):
            parts = got if self.way != "tag" else {key: got[key]}
            late = {part for part, number in parts.items() if number < least[part]}
            assert not late, (got, least)

        return check

    def update_many(self, cache, keys):
        for key in keys:
            self.source.numbers[key] += 1
        numbers = dict(self.source.numbers)

        def done(outcome):
            value_of(outcome)
            for key in keys:
                self.known[key] = max(self.known[key], numbers[key])

        if self.way == "tag":
            self.scheduler.begin(cache.forgetting_tags(frozenset(keys)), done)
        else:
            self.scheduler.begin(cache.forgetting_many(keys), done)

    def load_some(self, names):
        self.together += len(names) > 1
        return {
            name: self.value(name[1] if self.way == "dependency" else name)
            for name in names
            if self.chance.random() < 0.9
        }

    def read_many(self, cache, keys):
        check = self.checker()
        names = {self.name(key): key for key in keys}
        found, missing, _ = cache.request_many(names, None)
        for name, got in found.items():
            check(names[name], got)
        loader = self.load_some if self.chance.random() < 0.8 else None

        def done(outcome):
            for name, got in value_of(outcome).items():
                check(names[name], got)

        if missing:
            flow = cache.finding_many(missing, (), self.terms(cache, KEYS), loader)
            self.scheduler.begin(flow, done)

    def read(self, cache, key):
        check = self.checker()
        got = cache.request(self.name(key), MISSING)
        if got is not MISSING:
            check(key, got)
            return
        flow = cache.reading(self.name(key), lambda _: self.value(key), self.terms(cache, {key}))
        self.scheduler.begin(flow, lambda outcome: check(key, value_of(outcome)))


@pytest.mark.untraced
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(way, share):
    """However loads of several keys interleave with those of one, and with invalidations."""
    served = together = 0
    for seed in range(scaled(80, 15)):
        order = FreshnessOfMany(seed, way)
        near, far = order.tiers(share, "near", "far")
        cache = Cache(max_entries=2, eviction_strategy="lru", clock=order.clock, tiers=[near, far])
        for _ in range(50):
            kind = order.chance.random()
            if kind < 0.5:
                order.read_many(cache, some(order.chance))
            elif kind < 0.75:
                order.read(cache, order.chance.choice(KEYS))
            else:
                order.update_many(cache, some(order.chance)[:2])
            order.pass_time()
            order.scheduler.go_on(12)
        order.scheduler.run()
        near.share = far.share = 0.0
        order.clock.advance(100.0)
        order.read_many(cache, KEYS)
        order.scheduler.run()
        assert not cache.flights.count
        served += cache.lower_hits()
        together += order.together
    assert served > 0  # or nothing was tested
    assert together > 0
