"""The planner learns what follows, and plans it within its budget."""

from __future__ import annotations

from scrubjay.prefetch.constants import MISS
from scrubjay.prefetch.planner import Planner


def test_what_always_follows_is_planned() -> None:
    planner = Planner(1000)
    planned = 0
    for turn in range(200):
        planner.accessed(f"first {turn % 20}", 1, float(turn), MISS)
        planned += any(guess.key == f"second {turn % 20}" for guess in planner.plan(4))
        planner.accessed(f"second {turn % 20}", 1, float(turn), MISS)
        planner.plan(4)
    assert planned > 20


def test_a_small_cache_plans_nothing() -> None:
    planner = Planner(63)
    for turn in range(2000):
        planner.accessed(turn % 200, 1, float(turn), MISS)
        assert not planner.plan(4)
    assert planner.room() == 0
