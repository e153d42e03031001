"""What happens to caches over tiers in an order that chance finds, and what must hold then.

Every order is one of flows, carried out effect by effect by a `Scheduler`.
"""

from __future__ import annotations

import random

from scrubjay import ManualClock
from scrubjay._core.constants import MISSING
from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.testing import Operation, unexplained
from scrubjay.tiers import MemoryTier
from tests.flow_scheduler import Scheduler

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
    """Begins operations on a cache, each as a flow of its own, and writes down what each saw."""

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

    def check(self, seed):
        """Let everything end, and see that every key was a register."""
        self.scheduler.run()
        for key in KEYS:
            self.get(key)
            self.scheduler.run()
            assert unexplained(self.history[key]) is None, (seed, key, self.history[key])


class Source:
    """What loaders read: a number for each key, that only rises."""

    def __init__(self):
        self.numbers = dict.fromkeys(KEYS, 0)

    def load(self, key):
        return {key: self.numbers[key]}

    def load_with_parts(self, key):
        return dict(self.numbers)


class Freshness:
    """Loads of what a source has, and invalidations: nothing older than the last may be shown.

    Args:
        seed: of chance.
        way: what is invalidated: "key", "tag" or "dependency".
    """

    def __init__(self, seed, way):
        self.chance = random.Random(seed)
        self.scheduler = Scheduler(self.chance)
        self.clock = ManualClock()
        self.way = way
        self.source = Source()
        self.known = dict.fromkeys(KEYS, 0)  # by when an invalidation has ended
        # Many changes collide; only where there are few, much is found below.
        self.reads = self.chance.choice((0.75, 0.9, 0.97))

    def tiers(self, share, *names):
        """Return tiers of which that share of the calls fails."""
        return [Failing(self.chance, share, name=name) for name in names]

    def change(self, cache, key, number):
        """Return the flow that tells a cache that the source has changed."""
        if self.way == "tag":
            return cache.forgetting_tags(frozenset({key}))
        return cache.forgetting(key)

    def update(self, cache, key):
        """Change the source, and begin to tell a cache."""
        self.source.numbers[key] += 1
        number = self.source.numbers[key]

        def done(outcome):
            value_of(outcome)
            self.known[key] = max(self.known[key], number)

        self.scheduler.begin(self.change(cache, key, number), done)

    def read(self, cache, key, may_be_late=False):
        """Begin to read from a cache, or to load, what depends on one key or on all."""
        least = dict(self.known)

        def check(value):
            late = {part for part, number in value.items() if number < least[part]}
            assert may_be_late or not late, (value, least)

        loader, tags, needs = self.source.load, None, None
        if self.way in {"dependency", "put"}:
            key, loader, needs = ("page", key), self.source.load_with_parts, KEYS
        elif self.way == "tag":
            tags = {key}
        value = cache.request(key, MISSING)
        if value is not MISSING:
            check(value)
            return
        flow = cache.reading(key, loader, cache.terms(tags=tags, dependencies=needs))
        self.scheduler.begin(flow, lambda outcome: check(value_of(outcome)))

    def use(self, cache):
        """Do one of both."""
        key = self.chance.choice(KEYS)
        (self.read if self.chance.random() < self.reads else self.update)(cache, key)

    def pass_time(self):
        """Let time pass now and then."""
        if self.chance.random() < 0.1:
            self.clock.advance(self.chance.choice([0.5, 2.0, 60.0]))
