"""The compiled and the uncompiled build keep and give up the same entries."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

import scrubjay
from scrubjay import Cache
from scrubjay._core.section import indivisible
from scrubjay._core.terms import Terms

SOURCES = Path(__file__).resolve().parent.parent / "src"
SEEDS = 12


class Learner:
    """Learns nothing, and is no fence that keeps anything out."""

    void = False

    def wake(self, urgent):
        pass


def play(seed):
    """Return a digest of what a cache, used at random, did."""
    random = Random(seed)
    sized, costs, priorities, sessions = (random.random() < 0.5 for _ in range(4))
    cache = Cache(
        random.choice([0.0001, 0.01]) if sized else None,
        max_entries=None if sized else random.choice([3, 33, 300]),
        objective=random.choice([None, "hits", "bytes", "cost"]),
        max_value_fraction=1.0,
        sizer=lambda value: value,
    )
    seen = sha256()
    cache.on_removal(lambda *removed: seen.update(repr(removed).encode()))
    keys = random.choice([40, 1000])
    ahead = random.random() < 0.5
    if ahead:
        cache.bound_prefetched(random.choice([2, 30]), 1 << 60, random.choice([10, 1 << 60]))
        cache.teach(Learner(), 64)
    for number in range(1500):
        key = int(random.paretovariate(0.8)) % keys
        terms = {}
        if costs and number > 500:
            terms["cost"] = random.choice([0, 0.5, 1, 100])
        if priorities:
            terms["priority"] = random.choice([0, 0.5, 1, 2, 4])
        if sessions:
            terms["context"] = {"session_id": random.randrange(20)}
        value = cache.get(key, context=terms.get("context"))
        seen.update(repr(value).encode())
        if value is None or random.random() < 0.05:
            seen.update(b"%d" % cache.put(key, random.choice([1, 10, 100]), **terms))
        if ahead and random.random() < 0.2:
            prefetched = Terms(fence=Learner(), ahead=True)
            key = random.randrange(keys)
            seen.update(b"%d" % cache.put_ahead(key, random.choice([1, 10, 100]), prefetched))
        if ahead and random.random() < 0.05:
            rows, lost = cache.take_accesses()
            seen.update(repr(([row[:2] for row in rows], lost, cache.drop_overdue())).encode())
        if random.random() < 0.01:
            cache.invalidate(random.randrange(keys))
        if random.random() < 0.001:
            cache.clear()
        if random.random() < 0.002:
            bound = random.choice([1, 20, 500])
            cache.resize(**({"max_size_mb": bound / 10_000} if sized else {"max_entries": bound}))
        if random.random() < 0.01:
            seen.update(str(cache.advise()).encode())
    seen.update(repr((sorted(cache), cache.describe_policy())).encode())
    return seen.hexdigest()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not scrubjay.compiled, reason="there is no compiled build here")
def test_both_builds_keep_the_same_entries():
    from tests.environments import untraced  # the child, a script, does without

    found = subprocess.run(
        [sys.executable, __file__],
        env=untraced(PYTHONPATH=str(SOURCES)),
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert found.stdout.split() == ["False", *map(play, range(SEEDS))]


def test_only_a_class_with_the_method_can_declare_it_one_step():
    class Table:
        def __init__(self):
            pass

        def find(self):
            return "found"

    class Ledger(Table):
        def take(self):
            return "taken"

    indivisible(Ledger, "take")
    assert hasattr(Ledger.take, "__wrapped__")
    assert Ledger().take() == "taken"
    with pytest.raises(KeyError, match="find"):
        indivisible(Ledger, "find")
    assert not hasattr(Ledger.find, "__wrapped__")


if __name__ == "__main__":
    sys.stdout.write(" ".join([str(scrubjay.compiled), *map(play, range(SEEDS))]))
