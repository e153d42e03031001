"""Memory is restored while everything else happens: flows in every order that chance finds."""

from __future__ import annotations

import pytest

from scrubjay import Cache
from scrubjay._flow import warm_reading
from tests.flow_orders import KEYS, Freshness, value_of
from tests.models import scaled

pytestmark = [pytest.mark.any_build, pytest.mark.untraced]


class Restarting(Freshness):
    """Processes one after the other, over the same tiers.

    Args:
        seed: of chance.
        way: what is invalidated.
        share: of the calls to tiers that fail.
        count: of the tiers.
    """

    def __init__(self, seed, way, share, count):
        super().__init__(seed, way)
        self.share = share
        self.lower = self.tiers(share, *(f"t{number}" for number in range(count)))

    def cache(self):
        return Cache(
            max_entries=4,
            eviction_strategy="lru",
            clock=self.clock,
            tiers=self.lower or None,
        )

    def update(self, cache, key):
        if cache.layered:
            super().update(cache, key)
            return
        self.source.numbers[key] += 1
        cache.invalidate_by_tags({key}) if self.way == "tag" else cache.invalidate(key)
        self.known[key] = self.source.numbers[key]

    def save(self, path):
        """Use a cache, and save it in the midst of that; what comes later is known to tiers alone."""
        cache = self.cache()
        for turn in range(20):
            self.use(cache)
            if turn == 17:
                self.scheduler.begin(cache.saving(path), value_of)
                if not self.lower:
                    break
            self.scheduler.go_on(8)
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
        self.scheduler.go_on(20)
        for _ in range(25):
            self.use(cache)
            self.pass_time()
            self.scheduler.go_on(6)
        self.scheduler.run()
        assert not cache._loads._restorations
        return sum(restored)


@pytest.mark.parametrize(("tiers", "share"), [(0, 0.0), (2, 0.0), (2, 0.03)])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
def test_nothing_is_older_than_the_last_invalidation(monkeypatch, tmp_path, way, share, tiers):
    """Before the process ended, while it was down, or since it runs again."""
    monkeypatch.setattr(warm_reading, "BATCH", 1)
    restored = 0
    for seed in range(scaled(60, 30)):
        run = Restarting(seed, way, share, tiers)
        before = run.save(tmp_path / "warm")
        if tiers:
            run.be_down(before)
        restored += run.restore(tmp_path / "warm")
    assert restored > 0 or share  # or nothing was tested
