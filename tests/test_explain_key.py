"""Where a key is, in every tier, how old it is there and what it is worth; never its value."""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_type_hints

import pytest

from scrubjay import AdaptiveCache, Cache, InvalidKeyError, Layer, ManualClock, Memory
from scrubjay.codecs import AesGcm, Serializer
from scrubjay.errors import TierUnavailableError
from scrubjay.observe.inspecting import inspect
from scrubjay.observe.key_report import KeyReport, TierReport
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers.memory import MemoryTier


class Door:
    """A cache over two tiers, the second one perhaps shared, by either door."""

    def __init__(self, door: str, far: Any, **options: Any) -> None:
        self.clock = ManualClock()
        self.near = MemoryTier(name="near", clock=self.clock)
        tiers = [Memory(max_entries=10), Layer(self.near), far]
        kind = Cache if door == "sync" else AdaptiveCache
        self.cache: Any = kind(tiers=tiers, clock=self.clock, **options)
        self._sync = door == "sync"
        self.store: Cache[Any, Any] = self.cache if self._sync else self.cache.sync

    def explain(self, key: Any) -> KeyReport:
        told = self.cache.explain_key(key)
        report: KeyReport = told if self._sync else asyncio.run(told)
        assert json.loads(json.dumps(report)) == report
        assert set(report) == set(get_type_hints(KeyReport))
        for tier in report["tiers"]:
            assert set(tier) == set(get_type_hints(TierReport))
        assert "secret" not in json.dumps(report)
        return report


@pytest.fixture(params=["sync", "async"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["plain", "shared"])
def far(request: pytest.FixtureRequest) -> Any:
    return MemoryTier(name="far") if request.param == "plain" else SharedMemoryTier(SharedMemory())


def states(report: KeyReport) -> list[str]:
    return [tier["state"] for tier in report["tiers"]]


def test_every_tier_that_has_a_key_is_named(door: str, far: Any) -> None:
    one = Door(door, far)
    far_name = far.name
    one.store.put("user:1", "a secret", ttl_seconds=60, tags={"team"}, dependencies={"org:7"})
    one.clock.advance(10)
    before = one.store.statistics
    report = one.explain("user:1")
    assert report["where"] == ["memory", "near", far_name]
    for tier in report["tiers"]:
        assert tier["size_bytes"] is not None
        assert tier["size_bytes"] > len("a secret")
        assert tier["age_seconds"] == pytest.approx(10)
        assert tier["expires_in_seconds"] == pytest.approx(50)
        assert tier["version"]
    assert report["tiers"][0]["tags"] == ["team"]
    assert "org:7" in report["tiers"][0]["dependencies"]
    assert one.store.statistics == before  # looking is no request


def test_what_memory_has_given_up_is_found_below(door: str, far: Any) -> None:
    one = Door(door, far)
    one.store.put("user:0", "a secret")
    for number in range(1, 30):
        one.store.put(f"user:{number}", "a secret")
    report = one.explain("user:0")
    assert report["memory"] is None
    assert report["where"] == ["near", far.name]
    assert report["why"] == "not in memory; the next request finds it in near"
    assert not one.store.contains("user:0")  # it was not promoted by the look


def test_what_was_invalidated_is_void_or_gone(door: str, far: Any) -> None:
    one = Door(door, far)
    one.store.put("user:1", "a secret", tags={"team"})
    one.store.invalidate_by_tags({"team"})
    report = one.explain("user:1")
    assert report["where"] == []
    assert "void" in states(report)
    assert report["why"].startswith("it was invalidated")
    one.store.put("user:2", "a secret")
    one.store.invalidate("user:2")
    assert one.explain("user:2")["where"] == []


def test_a_key_that_nobody_has(door: str, far: Any) -> None:
    report = Door(door, far).explain("nothing")
    assert states(report) == ["absent", "absent"]
    assert report["why"] == "it is in no tier"


def test_a_record_whose_time_is_up() -> None:
    clock = ManualClock()
    tier = MemoryTier(name="far", clock=clock)
    cache: Cache[str, str] = Cache(
        max_entries=5, tiers=[Layer(tier)], clock=clock, stale_if_error_seconds=100
    )
    cache.put("a", "a secret", ttl_seconds=10)
    clock.advance(20)
    cache.purge_expired()
    report = cache.explain_key("a")
    assert states(report) == ["expired"]
    assert report["tiers"][0]["expires_in_seconds"] == pytest.approx(-10)
    assert report["where"] == []


class Away(MemoryTier):
    """A tier that cannot be reached."""

    def get_many(self, keys: Any) -> Any:
        raise TierUnavailableError("gone for lunch")


def test_a_tier_that_is_away_hides_nothing_of_the_others(door: str) -> None:
    one = Door(door, Away(name="far"))
    one.store.put("a", "a secret")
    report = one.explain("a")
    assert report["where"] == ["memory", "near"]
    assert states(report) == ["valid", "unreachable"]
    assert "gone for lunch" in report["tiers"][1]["detail"]
    for _ in range(5):
        one.explain("b")
    assert "left alone" in one.explain("b")["tiers"][1]["detail"]  # it is not asked in vain
    assert one.explain("b")["why"] == "not in memory; a tier could not be asked"


def test_what_another_secret_has_written_is_unreadable() -> None:
    tier = MemoryTier(name="far")
    written: Cache[str, str] = Cache(
        max_entries=5, tiers=[Layer(tier)], serializer=Serializer(encrypt=AesGcm({1: b"k" * 32}))
    )
    written.put("a", "a secret")
    other: Cache[str, str] = Cache(max_entries=5, tiers=[Layer(tier)])
    report = other.explain_key("a")
    assert states(report) == ["unreadable"]
    assert report["tiers"][0]["detail"] == "protection"


def test_a_key_without_bytes_is_in_memory_alone(door: str) -> None:
    one = Door(door, MemoryTier(name="far"))

    class Odd:
        pass

    report = one.explain(Odd())
    assert report["where"] == report["tiers"] == []


def test_what_is_no_key_is_refused(door: str) -> None:
    with pytest.raises(InvalidKeyError):
        Door(door, MemoryTier(name="far")).explain([1])


def test_a_literal_is_looked_for_below_too() -> None:
    cache: Cache[Any, str] = Cache(max_entries=1, tiers=[MemoryTier(name="far")])
    cache.put(("search", 1), "a secret")
    cache.put("other", "a secret")
    report = inspect("('search', 1)", cache.explain_key)
    assert (report["type"], report["where"]) == ("tuple", ["far"])
    assert inspect("('search', 2)", cache.explain_key)["type"] == "str"


def test_no_value_is_decoded_to_tell_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    cache: Cache[str, str] = Cache(max_entries=5, tiers=[MemoryTier(name="far")])
    cache.put("a", "a secret")
    serializer = cache._stack.lower._serializer  # type: ignore[union-attr]
    monkeypatch.setattr(serializer, "_decode", lambda body: pytest.fail("a value was decoded"))
    assert cache.explain_key("a")["where"] == ["memory", "far"]
