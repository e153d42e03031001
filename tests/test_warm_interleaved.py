"""Memory is restored while everything else happens: flows in every order that chance finds."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay._flow import warm_reading
from tests.flow_scheduler import Scheduler
from tests.models import scaled
from tests.test_layers_interleaved import KEYS, Failing, Source, value_of


class Run:
    """Processes one after the other, over the same tiers.

    Args:
        seed: of chance.
        way: what is invalidated: "key", "tag" or "dependency".
        share: of the calls to tiers that fail.
        tiers: how many there are.
    """

    def __init__(self, seed, way, share, tiers):
        self.chance = random.Random(seed)
        self.scheduler = Scheduler(self.chance)
        self.way = way
        self.share = share
        self.lower = [Failing(self.chance, share, name=f"t{number}") for number in range(tiers)]
        self.clock = ManualClock()
        self.source = Source()
        self.known = dict.fromkeys(KEYS, 0)  # by when an invalidation has ended

    def cache(self):
        return Cache(
            max_entries=4,
            eviction_strategy="lru",
            clock=self.clock,
            tiers=self.lower or None,
        )

    def update(self, cache, key):
        self.source.numbers[key] += 1
        number = self.source.numbers[key]

        def done(outcome):
            value_of(outcome)
            self.known[key] = max(self.known[key], number)

        if cache.layered and self.way == "tag":
            self.scheduler.begin(cache.forgetting_tags(frozenset({key})), done)
        elif cache.layered:
            self.scheduler.begin(cache.forgetting(key), done)
        else:
            cache.invalidate_by_tags({key}) if self.way == "tag" else cache.invalidate(key)
            self.known[key] = number

    def read(self, cache, key):
        least = dict(self.known)

        def check(value):
            late = {part for part, number in value.items() if number < least[part]}
            assert not late, (value, least)

        loader, tags, needs = self.source.load, None, None
        if self.way == "dependency":
            key, loader, needs = ("page", key), self.source.load_with_parts, KEYS
        elif self.way == "tag":
            tags = {key}
        value = cache.request(key, MISSING)
        if value is not MISSING:
            check(value)
            return
        flow = cache.reading(key, loader, cache.terms(tags=tags, dependencies=needs))
        self.scheduler.begin(flow, lambda outcome: check(value_of(outcome)))

    def use(self, cache, reads):
        key = self.chance.choice(KEYS)
        (self.read if self.chance.random() < reads else self.update)(cache, key)

    def steps(self, most):
        for _ in range(self.chance.randrange(most)):
            if self.scheduler.strands:
                self.scheduler.step()

    def save(self, path):
        """Use a cache, and save it in the midst of that; what comes later is known to tiers alone."""
        cache = self.cache()
        for turn in range(20):
            self.use(cache, 0.8)
            if turn == 17:
                self.scheduler.begin(cache.saving(path), value_of)
                if not self.lower:
                    break
            self.steps(8)
        self.scheduler.run()
        return cache

    def be_down(self, before):
        """Let another process change things, and all be told what tiers have missed."""
        other = self.cache()
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            self.update(other, self.chance.choice(KEYS))
        self.scheduler.run()
        for tier in self.lower:  # who ends with removals untold leaves them untold
            tier.share = 0.0
        self.clock.advance(100.0)
        for cache in (before, other):
            self.scheduler.begin(cache.finding("nothing"))
        self.scheduler.run()
        for tier in self.lower:
            tier.share = self.share

    def restore(self, path):
        """Restore while the cache is used; return how many entries came back."""
        cache = self.cache()
        restored = []
        flow = cache.restoring(path, self.chance.choice([None, 4.0]))
        self.scheduler.begin(flow, lambda outcome: restored.append(value_of(outcome)))
        self.scheduler.step()
        self.steps(20)
        for _ in range(25):
            self.use(cache, 0.7)
            if self.chance.random() < 0.1:
                self.clock.advance(self.chance.choice([0.5, 2.0, 60.0]))
            self.steps(6)
        self.scheduler.run()
        assert not cache._loads._restorations
        return sum(restored)


@pytest.mark.parametrize(("tiers", "share"), [(0, 0.0), (2, 0.0), (2, 0.03)])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(monkeypatch, tmp_path, way, share, tiers):
    """Before the process ended, while it was down, or since it runs again."""
    monkeypatch.setattr(warm_reading, "BATCH", 1)
    restored = 0
    for seed in range(scaled(150, 30)):
        run = Run(seed, way, share, tiers)
        before = run.save(tmp_path / "warm")
        if tiers:
            run.be_down(before)
        restored += run.restore(tmp_path / "warm")
    assert restored > 0 or share  # or nothing was tested
