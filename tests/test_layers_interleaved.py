"""Memory over tiers while everything happens at once: flows in every order that chance finds."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.testing import Operation, unexplained
from scrubjay.tiers import MemoryTier
from tests.flow_scheduler import Scheduler
from tests.models import scaled

KEYS = ("a", "b", "c")


class Failing(MemoryTier):
    """A tier that fails now and then, before or after it has done what it was asked for.

    Args:
        chance: the source of chance.
        share: of the calls that fail.
    """

    def __init__(self, chance, share, **more):
        super().__init__(**more)
        self.chance = chance
        self.share = share

    def _or_fail(self, method, *given):
        if self.chance.random() >= self.share:
            return method(*given)
        error = self.chance.choice([TierUnavailableError, TierFullError])("it failed")
        if error.__class__ is TierUnavailableError and self.chance.random() < 0.5:
            method(*given)
        raise error

    def get_many(self, keys):
        return self._or_fail(super().get_many, keys)

    def put_many(self, records):
        return self._or_fail(super().put_many, records)

    def delete_many(self, keys):
        return self._or_fail(super().delete_many, keys)

    def counters(self, names):
        return self._or_fail(super().counters, names)

    def bump(self, names):
        return self._or_fail(super().bump, names)

    def clear(self):
        return self._or_fail(super().clear)


def value_of(outcome):
    """Return what a flow's flight has, or raise what it ended with."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.result()


class Caller:
    """Begins operations on a cache, each as a flow of its own."""

    def __init__(self, cache, scheduler):
        self.cache = cache
        self.scheduler = scheduler
        self.history = {key: [] for key in KEYS}

    def begin(self, flow, write, key, value):
        start = self.scheduler.now

        def done(outcome):
            got = value_of(outcome)
            seen = value if write else (None if got is MISSING else got)
            self.history[key].append(Operation(start, self.scheduler.now, write, seen))

        self.scheduler.begin(flow, done)

    def get(self, key):
        value = self.cache.request(key, MISSING)
        if value is not MISSING:
            now = self.scheduler.now
            self.history[key].append(Operation(now, now, False, value))
        else:
            self.begin(self.cache.finding(key), False, key, None)

    def put(self, key, value, **conditions):
        terms = self.cache.terms(**conditions)
        self.begin(self.cache.storing(key, value, terms, None, 0), True, key, value)

    def invalidate(self, key):
        self.begin(self.cache.forgetting(key), True, key, None)

    def clear(self):
        start = self.scheduler.now

        def done(outcome):
            value_of(outcome)
            for key in KEYS:
                self.history[key].append(Operation(start, self.scheduler.now, True, None))

        self.scheduler.begin(self.cache.forgetting_all(), done)


@pytest.mark.parametrize("tiers", [1, 2])
@pytest.mark.parametrize("clears", [False, True])
def test_each_key_is_a_register(tiers, clears):
    for seed in range(scaled(250, 30)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=ManualClock(),
            tiers=[MemoryTier(name=f"t{number}") for number in range(tiers)],
        )
        caller = Caller(cache, scheduler)
        for number in range(40):
            key = chance.choice(KEYS)
            kind = chance.random()
            if kind < 0.5:
                caller.get(key)
            elif kind < 0.8:
                caller.put(key, number)
            elif kind < 0.97 or not clears:
                caller.invalidate(key)
            else:
                caller.clear()
            for _ in range(chance.randrange(8)):
                if scheduler.strands:
                    scheduler.step()
        scheduler.run()
        for key in KEYS:
            caller.get(key)
            scheduler.run()
            assert unexplained(caller.history[key]) is None, (seed, key, caller.history[key])


class Source:
    """What loaders read: a number for each key, that only rises."""

    def __init__(self):
        self.numbers = dict.fromkeys(KEYS, 0)

    def load(self, key):
        return {key: self.numbers[key]}

    def load_with_parts(self, key):
        return dict(self.numbers)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(way, share):
    """However loads, promotions, evictions and outages interleave with invalidations."""
    served = 0
    for seed in range(scaled(250, 30)):
        chance = random.Random(seed)
        scheduler = Scheduler(chance)
        clock = ManualClock()
        near, far = (Failing(chance, share, name=name) for name in ("near", "far"))
        cache = Cache(max_entries=2, eviction_strategy="lru", clock=clock, tiers=[near, far])
        source = Source()
        known = dict.fromkeys(KEYS, 0)  # by when an invalidation has ended

        def update(key, source=source, known=known, cache=cache, scheduler=scheduler):
            source.numbers[key] += 1
            number = source.numbers[key]

            def done(outcome):
                value_of(outcome)
                known[key] = max(known[key], number)

            if way == "tag":
                scheduler.begin(cache.forgetting_tags(frozenset({key})), done)
            else:
                scheduler.begin(cache.forgetting(key), done)

        def read(key, source=source, known=known, cache=cache, scheduler=scheduler):
            nonlocal served
            least = dict(known)

            def check(value):
                late = {part for part, number in value.items() if number < least[part]}
                assert not late, (value, least)

            if way == "dependency":
                key = ("page", key)
                terms = cache.terms(dependencies=KEYS)
                loader = source.load_with_parts
            else:
                terms = cache.terms(tags={key} if way == "tag" else None)
                loader = source.load
            value = cache.request(key, MISSING)
            if value is not MISSING:
                check(value)
                return
            flow = cache.reading(key, loader, terms)
            scheduler.begin(flow, lambda outcome: check(value_of(outcome)))

        for _ in range(60):
            key = chance.choice(KEYS)
            if chance.random() < 0.8:
                read(key)
            else:
                update(key)
            if chance.random() < 0.1:
                clock.advance(chance.choice([0.5, 2.0, 60.0]))
            for _ in range(chance.randrange(10)):
                if scheduler.strands:
                    scheduler.step()
        scheduler.run()
        near.share = far.share = 0.0
        clock.advance(100.0)
        for key in KEYS:
            read(key)
            scheduler.run()
        served += cache.lower_hits()
    assert served > 0  # or nothing was tested
