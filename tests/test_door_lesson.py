"""The usual life of an asynchronous cache: filled, read by rounds, invalidated, reported."""

from __future__ import annotations

import json
import random
from typing import Any

from scrubjay import AdaptiveCache, CacheConsistencyLevel, CacheEvictionStrategy
from tests.door_helpers import arun


def profile(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Person {number}",
        "settings": {"colour": "black" if number % 2 else "white"},
        "history": list(range(100)),
    }


def test_a_day_in_the_life_of_a_cache() -> None:
    choose = random.Random(7)

    async def main() -> None:
        cache: AdaptiveCache[str, Any] = AdaptiveCache(
            max_size_mb=256,
            eviction_strategy=CacheEvictionStrategy.ADAPTIVE,
            consistency_level=CacheConsistencyLevel.EVENTUAL,
            enable_prefetching=True,
            optimization_interval=60,
        )
        await cache.start()
        try:
            people = {f"person_{number}": profile(number) for number in range(1000)}
            names = list(people)
            for number, (key, value) in enumerate(people.items()):
                if number < 200:
                    stored = await cache.put(
                        key=key,
                        value=value,
                        ttl_seconds=3600,
                        priority=2.0 if number < 50 else 1.0,
                        tags={"people", "first"} if number < 50 else {"people"},
                    )
                    assert stored is True
            assert len(cache) == 200
            assert all([await cache.get(key) is people[key] for key in names[:200]])

            requests, hits = 200, 200
            for turn in range(5):
                for group, times in ((names[:50], 400), (names[50:200], 75), (names[200:300], 25)):
                    for _ in range(times):
                        found = await cache.get(choose.choice(group))
                        requests += 1
                        hits += found is not None
                        assert (found is not None) == (group[0] != names[200])
                for number in range(5):
                    assert await cache.put(
                        f"late_{turn}_{number}", {"id": number, "turn": turn}, priority=1.5
                    )
            assert len(cache) == 225
            assert await cache.invalidate_by_tags({"first"}) == 50

            assert sorted(cache.sync) == sorted(
                names[50:200] + [f"late_{turn}_{n}" for turn in range(5) for n in range(5)]
            )
            report = json.loads(json.dumps(cache.get_detailed_statistics(), indent=2))
            performance = report["performance"]
            assert performance["total_requests"] == requests == 2700
            assert performance["cache_hits"] == hits
            assert performance["cache_misses"] == requests - hits == 125
            assert performance["hit_rate"] == hits / requests
            assert performance["evictions"] == performance["consistency_conflicts"] == 0
            assert performance["average_latency_ms"] > 0
            assert performance["prefetch_accuracy"] == 0.0
            memory = report["memory"]
            assert memory["entry_count"] == 175
            assert memory["max_size_mb"] == 256
            assert 0 < memory["current_size_mb"] < 2
            assert 0 < memory["utilization_percentage"] < 1
            assert report["configuration"] == {
                "eviction_strategy": "adaptive",
                "consistency_level": "eventual",
                "prefetching_enabled": True,
            }
            assert report["optimization"]["optimization_cycles"] == 0
        finally:
            await cache.stop()

    arun(main())


def test_positional_order_of_get_and_put() -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, int] = AdaptiveCache(64)
        context = {"session_id": "s", "user_id": 7}
        assert await cache.put("key", 1, 60, 2.5, {"tag"}, context) is True
        entry = cache.entry("key")
        assert entry is not None
        assert entry.ttl_seconds == 60
        assert entry.priority == 2.5
        assert entry.tags == {"tag"}
        assert await cache.get("key", context, True) == 1
        assert await cache.get("key", context, False) == 1
        assert await cache.get("absent", context) is None

    arun(main())


def test_positional_order_of_the_constructor() -> None:
    cache: AdaptiveCache[str, int] = AdaptiveCache(
        8, CacheEvictionStrategy.LRU, CacheConsistencyLevel.SESSION, False, 60
    )
    assert cache.max_size_bytes == 8 * 1024 * 1024
    assert cache.eviction_strategy is CacheEvictionStrategy.LRU
    assert cache.consistency_level is CacheConsistencyLevel.SESSION
    assert cache.enable_prefetching is False
    assert cache.sync.optimization_interval == 60
    assert cache.max_entries is None
    assert cache.consistency_manager.consistency_level is CacheConsistencyLevel.SESSION
    assert cache.optimization_history == []


def test_names_and_values_of_the_enumerations() -> None:
    assert {one.name: one.value for one in CacheEvictionStrategy} == {
        "LRU": "lru",
        "LFU": "lfu",
        "TTL": "ttl",
        "ADAPTIVE": "adaptive",
        "PRIORITY_BASED": "priority",
    }
    assert {one.name: one.value for one in CacheConsistencyLevel} == {
        "EVENTUAL": "eventual",
        "STRONG": "strong",
        "SESSION": "session",
        "MONOTONIC": "monotonic",
    }
