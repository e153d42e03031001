"""What a cache says of itself, and what a round of optimization changes."""

from __future__ import annotations

import json

import pytest

from scrubjay import AdaptiveCache, Cache
from tests.models import scaled


def loop(cache, keys, requests):
    """Ask for the same keys in the same order again and again: LRU never hits."""
    for number in range(requests):
        if cache.get(number % keys) is None:
            cache.put(number % keys, "a load would be timed, and its time weighed")


def test_a_fixed_strategy_has_no_alternatives():
    explanation = Cache(max_entries=10, eviction_strategy="lru").explain()
    assert (explanation.strategy, explanation.way) == ("lru", None)
    assert explanation.alternatives == {}
    assert "fixed" in str(explanation)


def test_without_evidence_nothing_is_claimed():
    explanation = Cache(max_entries=10).explain()
    assert explanation.strategy == "adaptive"
    assert explanation.way is not None
    assert explanation.changes == 0
    assert "yet" in explanation.reason


@pytest.mark.untraced
def test_the_present_way_and_its_rivals_are_told_with_figures():
    cache = Cache(max_entries=100)
    loop(cache, 150, scaled(15_000, 6000))
    explanation = cache.explain()
    assert explanation.changes >= 1
    assert explanation.way in explanation.alternatives
    ratios = list(explanation.alternatives.values())
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 0.4 > ratios[-1]
    assert explanation.alternatives[explanation.way] == ratios[0]
    text = str(explanation)
    assert "(now)" in text
    assert f"{ratios[0]:.2%}" in text
    assert len(text.splitlines()) == 1 + len(ratios)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("objective", "put", "told"),
    [
        ("hits", {}, "would have hit "),
        ("hits", {"priority": 3.0}, "% of the worth of the last "),
        ("bytes", {}, "% of the bytes of the last "),
        ("cost", {"cost": 2.0}, "% of the cost of the last "),
        (None, {"cost": 2.0}, "% of the cost of the last "),
        (None, {}, "would have hit "),
    ],
)
def test_what_is_weighed_is_not_told_as_requests(objective, put, told):
    cache = Cache(max_entries=100, objective=objective)
    for number in range(scaled(4000, 2000)):
        if cache.get(number % 150) is None:
            cache.put(number % 150, "page", **put)
    reason = cache.explain().reason
    assert told in reason
    assert ("would have saved " in reason) is (told != "would have hit ")


@pytest.mark.untraced
def test_the_history_says_what_was_measured_and_what_changed():
    cache = Cache(max_entries=100)
    cache.optimize()
    before = cache.explain().way
    loop(cache, 150, scaled(15_000, 6000))
    cache.optimize()
    cache.optimize()
    first, second, third = cache.optimization_history
    assert first["changed"] == third["changed"] == {}
    assert second["changed"] == {"way": [before, cache.explain().way]}
    assert second["policy"]["hit_ratios"] == cache.explain().alternatives
    assert second["performance"]["hit_rate"] == pytest.approx(cache.statistics.hit_rate)
    assert json.dumps(cache.optimization_history)


def test_a_round_of_optimization_changes_the_way_where_the_evidence_says_so():
    """Few misses: the policy itself would not compare again for a long time."""
    cache = Cache(max_entries=200)
    for number in range(400):
        cache.put(("once", number), number)
    policy = cache.describe_policy()
    cache.optimize()
    assert cache.describe_policy()["way"] in policy["hit_ratios"]
    assert cache.describe_policy()["requests"] == policy["requests"]  # nothing aged


def test_the_asynchronous_door_explains_too():
    cache = AdaptiveCache(max_entries=10)
    assert cache.explain() == cache.sync.explain()


def test_it_says_that_sessions_are_known():
    cache = Cache(max_entries=20)
    cache.put("a", 1)
    assert "sessions" not in cache.explain().reason
    assert "tags" not in cache.explain().reason
    cache.put("tagged", 1, tags={"a"})
    assert cache.explain().reason.endswith("it is told tags")
    cache.get("a", context={"session_id": "s"})
    assert "; it is told which sessions ask" in cache.explain().reason
