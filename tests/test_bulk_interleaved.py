"""Several keys at once over tiers while everything happens at once, in orders made by chance."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay.testing import Operation, unexplained
from scrubjay.tiers import MemoryTier
from tests.flow_scheduler import Scheduler
from tests.models import scaled
from tests.test_layers_interleaved import KEYS, Caller, Failing, Source, value_of


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


@pytest.mark.parametrize("tiers", [1, 2])
@pytest.mark.parametrize("clears", [False, True])
def test_each_key_is_a_register(tiers, clears):
    for seed in range(scaled(200, 50)):
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
            for _ in range(chance.randrange(10)):
                if scheduler.strands:
                    scheduler.step()
        scheduler.run()
        for key in KEYS:
            caller.get(key)
            scheduler.run()
            assert unexplained(caller.history[key]) is None, (seed, key, caller.history[key])


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(way, share):
    """However loads of several keys interleave with those of one, and with invalidations."""
    served = together = 0
    for seed in range(scaled(200, 50)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        clock = ManualClock()
        near, far = (Failing(chance, share, name=name) for name in ("near", "far"))
        cache = Cache(max_entries=2, eviction_strategy="lru", clock=clock, tiers=[near, far])
        source = Source()
        known = dict.fromkeys(KEYS, 0)  # by when an invalidation has ended

        def update(keys, source=source, known=known, cache=cache, scheduler=scheduler):
            for key in keys:
                source.numbers[key] += 1
            numbers = dict(source.numbers)

            def done(outcome):
                value_of(outcome)
                for key in keys:
                    known[key] = max(known[key], numbers[key])

            if way == "tag":
                scheduler.begin(cache.forgetting_tags(frozenset(keys)), done)
            else:
                scheduler.begin(cache.forgetting_many(keys), done)

        def named(key):
            return ("page", key) if way == "dependency" else key

        def terms_for(keys, cache=cache):
            if way == "dependency":
                return cache.terms(dependencies=KEYS)
            return cache.terms(tags=keys if way == "tag" else None)

        def value(key, source=source):
            return dict(source.numbers) if way != "key" else {key: source.numbers[key]}

        def load_some(keys, chance=chance):
            nonlocal together
            together += len(keys) > 1
            return {
                key: value(key[1] if way == "dependency" else key)
                for key in keys
                if chance.random() < 0.9
            }

        def checker(known=known):
            least = dict(known)

            def check(key, got):
                parts = got if way != "tag" else {key: got[key]}
                late = {part for part, number in parts.items() if number < least[part]}
                assert not late, (got, least)

            return check

        def read_many(keys, cache=cache, scheduler=scheduler, chance=chance):
            nonlocal served
            check = checker()
            names = {named(key): key for key in keys}
            found, missing, _ = cache.request_many(names, None)
            for name, got in found.items():
                check(names[name], got)
            loader = load_some if chance.random() < 0.8 else None

            def done(outcome):
                for name, got in value_of(outcome).items():
                    check(names[name], got)

            if missing:
                flow = cache.finding_many(missing, (), terms_for(KEYS), loader)
                scheduler.begin(flow, done)

        def read(key, cache=cache, scheduler=scheduler):
            check = checker()
            got = cache.request(named(key), MISSING)
            if got is not MISSING:
                check(key, got)
                return
            flow = cache.reading(named(key), lambda _: value(key), terms_for({key}))
            scheduler.begin(flow, lambda outcome: check(key, value_of(outcome)))

        for _ in range(50):
            kind = chance.random()
            if kind < 0.5:
                read_many(some(chance))
            elif kind < 0.75:
                read(chance.choice(KEYS))
            else:
                update(some(chance)[:2])
            if chance.random() < 0.1:
                clock.advance(chance.choice([0.5, 2.0, 60.0]))
            for _ in range(chance.randrange(12)):
                if scheduler.strands:
                    scheduler.step()
        scheduler.run()
        near.share = far.share = 0.0
        clock.advance(100.0)
        read_many(KEYS)
        scheduler.run()
        assert not cache.flights.count
        served += cache.lower_hits()
    assert served > 0  # or nothing was tested
    assert together > 0
