"""What is loaded ahead, how, and what becomes of it; turn by turn, without threads."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from scrubjay import (
    AdaptiveCache,
    Cache,
    EventKind,
    InvalidArgumentError,
    ManualClock,
    PredictivePrefetcher,
    prefetcher,
)
from scrubjay.prefetch import saving
from scrubjay.prefetch.constants import FIRST_HIT, JOINED, MISS
from scrubjay.prefetch.planner import Planner
from tests.door_helpers import Patient, arun, in_time, spin, wait
from tests.models import scaled
from tests.prefetch_helpers import Manual, Script, scripted, warmed


class Loader:
    """Counts what it loads."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.failing: set[Any] = set()

    def __call__(self, key: Any) -> str:
        self.keys.append(key)
        if key in self.failing:
            raise OSError(key)
        return f"value of {key}"


# When nothing happens


def test_without_a_loader_nothing_is_recorded_and_one_word_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prefetcher, "_told", False)
    with caplog.at_level(logging.INFO, "scrubjay"):
        caches = [Cache[str, int](max_entries=100) for _ in range(2)]
    assert ["no loader" in record.message for record in caplog.records] == [True]
    for cache in caches:
        assert cache.enable_prefetching
        assert cache.prefetcher is None
        cache.get_or_load("a", lambda key: 1)
        cache.get("a")
        assert cache.learner is None
        assert "no loader" in cache.explain_prefetch("a")


@pytest.mark.untraced
@pytest.mark.parametrize(
    "options", [{"enable_prefetching": False}, {"max_entries": 63}, {"max_size_mb": 0.0001}]
)
def test_off_or_too_small_nothing_is_loaded_ahead(options: dict[str, Any]) -> None:
    loader = Loader()
    cache: Cache[Any, Any] = Cache(**{"max_entries": 100, "loader": loader, **options})
    workers = Manual()
    if cache.prefetcher is not None:
        engine: Any = cache.prefetcher._engine
        engine.workers = workers
    for _ in range(scaled(50, 15)):
        for key in range(200):
            cache.get_or_load(key % 90)
            workers.run()
    assert len(loader.keys) == cache.misses


def test_nothing_is_recorded_before_the_loader_is_used() -> None:
    cache, _, workers = scripted({"a": ["b"]}, loader=Loader())
    cache.get("a")
    cache.put("a", 1)
    cache.get("a")
    cache.get_or_load("c", lambda key: 1)
    assert cache.learner is None
    cache.get_or_load("d")
    assert cache.learner is not None
    assert not workers.jobs


# What is loaded


def test_what_follows_is_loaded_ahead_and_its_use_is_counted() -> None:
    loader = Loader()
    cache, script, workers = scripted({"a": ["b"], "b": ["c"]}, loader=loader)
    warmed(cache, "abc", workers)
    del loader.keys[:], script.told[:]
    assert cache.get_or_load("a") == "value of a"
    assert loader.keys == ["a"]
    workers.run()
    assert loader.keys == ["a", "b"]
    assert ("fetched", "b", True) in script.told
    assert cache.entry("b").prefetch_score == 0.75  # type: ignore[union-attr]
    assert "nobody has asked" in cache.explain_prefetch("b")
    assert cache.get("b") == "value of b"
    workers.run()  # the first hit is as good a moment to predict as a miss
    assert loader.keys == ["a", "b", "c"]
    assert cache.entry("b").prefetch_score == 0.0  # type: ignore[union-attr]
    assert ("accessed", "b", FIRST_HIT) in script.told
    statistics = cache.statistics
    assert (statistics.prefetch_hits, statistics.prefetch_misses) == (1, 0)
    assert statistics.prefetch_accuracy == 1.0
    report = cache.get_detailed_statistics()["prefetch"]["details"]
    assert (report["issued"], report["stored"], report["used"]) == (2, 2, 1)
    assert json.loads(json.dumps(report)) == report


def test_only_what_the_caches_own_loader_has_loaded_is_loaded_ahead() -> None:
    loader = Loader()
    cache, _, workers = scripted({"a": ["put", "given", "unknown", "own"]}, loader=loader)
    warmed(cache, ["a", "own"], workers)
    cache.put("put", 1)
    cache.get_or_load("given", lambda key: 2)
    for key in ("put", "given"):
        cache.get(key)
        cache.invalidate(key)
    del loader.keys[:]
    cache.get_or_load("a")
    workers.run()
    assert loader.keys == ["a", "own"]
    assert "own loader has not" in cache.explain_prefetch("put")


def test_what_is_loaded_ahead_has_the_terms_that_were_asked_for() -> None:
    clock = ManualClock()
    cache, _, workers = scripted({"a": ["b"]}, loader=Loader(), clock=clock)
    warmed(cache, "ab", workers, tags={"t"}, ttl_seconds=5, dependencies=["d"], priority=3)
    cache.get_or_load("a")
    workers.run()
    entry = cache.entry("b")
    assert entry is not None
    assert (entry.tags, entry.ttl_seconds, entry.priority) == (frozenset({"t"}), 5.0, 3.0)
    assert entry.dependencies == frozenset({"d"})
    assert cache.invalidate_by_tags({"t"}) >= 1
    assert not cache.contains("b")


def test_what_is_there_is_not_loaded_again() -> None:
    loader = Loader()
    cache, script, workers = scripted({"a": ["b"]}, loader=loader)
    warmed(cache, "a", workers)
    cache.get_or_load("b")
    cache.get_or_load("a")
    workers.run()
    assert loader.keys == ["a", "b", "a"]
    assert ("fetched", "b", False) in script.told


def test_the_planner_hears_of_what_leaves() -> None:
    cache, script, workers = scripted({0: [1, 2, 3]}, room=2, loader=Loader(), max_entries=64)
    warmed(cache, range(4), workers)
    cache.get_or_load(0)
    workers.run()
    cache.get("wake up the learner")
    workers.run()
    assert ("dropped", 1) in script.told  # there was room for two
    for key in range(100, 200):
        cache.put(key, key)
    cache.get("wake up the learner")
    workers.run()
    assert ("evicted", 0) in script.told
    assert cache.statistics.prefetch_misses == 1


def test_the_planner_hears_of_what_was_lost_sight_of() -> None:
    """What is lost when nobody takes the list in time is found out by looking."""
    cache, script, workers = scripted({0: [1]}, loader=Loader())
    warmed(cache, range(2), workers)
    cache.get_or_load(0)
    workers.run()
    cache.put("x", 1)
    for _ in range(1000):
        cache.get("x")
    cache.invalidate(1)
    cache.get("wake up the learner")
    workers.run()
    assert ("dropped", 1) in script.told


# Single flight


def test_a_demand_joins_the_load_under_way_and_is_counted() -> None:
    loader = Loader()
    cache, script, workers = scripted({"a": ["b"]}, loader=loader)
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.step()  # the turn: b is claimed
    assert "being loaded" in cache.explain_prefetch("b")
    asked = in_time_later(cache, "b")
    del loader.keys[:]
    workers.run()
    assert asked() == "value of b"
    assert loader.keys == ["b"]
    assert ("accessed", "b", JOINED) in script.told
    assert not cache.waits("b")  # it has been asked for
    assert cache.get_detailed_statistics()["prefetch"]["details"]["joined"] == 1


def in_time_later(cache: Cache[Any, Any], key: Any) -> Any:
    """Ask for a key in a thread of its own, and come back when it waits."""
    asking = Patient(cache.get_or_load, key)
    spin(lambda: cache.flights.get(key).joined)
    return asking.result


def test_a_demand_that_came_first_is_not_disturbed() -> None:
    loader = Loader()
    cache, script, workers = scripted({"a": ["b"]}, loader=loader)
    warmed(cache, "ab", workers)
    del loader.keys[:]

    def load_meanwhile(key: Any) -> str:
        cache.get("a")
        workers.run()
        return loader(key)

    cache.invalidate("a")
    assert cache.get_or_load("b", load_meanwhile) == "value of b"
    assert loader.keys == ["b"]
    assert ("fetched", "b", False) in script.told


@pytest.mark.parametrize("how", ["invalidate", "put", "tags", "clear"])
def test_what_overtakes_a_load_keeps_its_value_out(how: str) -> None:
    cache, script, workers = scripted({"a": ["b"]}, loader=Loader())
    warmed(cache, "ab", workers, tags={"t"})
    cache.get_or_load("a", tags={"t"})
    workers.step()
    if how == "invalidate":
        cache.invalidate("b")
    elif how == "put":
        cache.put("b", "newer")
    elif how == "tags":
        cache.invalidate_by_tags({"t"})
    else:
        cache.clear()
    workers.run()
    assert cache.get("b") == ("newer" if how == "put" else None)
    assert ("fetched", "b", False) in script.told


# Failures


def test_what_cannot_be_loaded_is_let_alone_for_a_while() -> None:
    clock, loader = ManualClock(), Loader()
    cache, script, workers = scripted(
        {"a": ["b"]}, loader=loader, clock=clock, negative_ttl_seconds=1000
    )
    warmed(cache, "ab", workers)
    loader.failing.add("b")

    def round_of_a() -> int:
        before = len(loader.keys)
        cache.invalidate("a")
        cache.get_or_load("a")
        workers.run()
        return loader.keys[before:].count("b")

    assert round_of_a() == 1
    assert ("failed", "b") in script.told
    assert "could not" in cache.explain_prefetch("b")
    assert round_of_a() == 0
    clock.advance(31)
    assert round_of_a() == 1
    clock.advance(31)
    assert round_of_a() == 0  # the second time it is let alone for longer
    # It has failed for nobody: who asks tries for itself.
    loader.failing.clear()
    assert cache.get_or_load("b") == "value of b"


def test_a_failure_that_is_remembered_is_not_loaded_ahead() -> None:
    loader = Loader()
    cache, _, workers = scripted(
        {"a": ["b"]}, loader=loader, clock=ManualClock(), negative_ttl_seconds=60
    )
    warmed(cache, "ab", workers)
    loader.failing.add("b")
    with pytest.raises(OSError):
        cache.get_or_load("b")
    workers.run()
    del loader.keys[:]
    cache.get_or_load("a")
    workers.run()
    assert loader.keys == ["a"]


def test_who_has_joined_a_load_that_fails_hears_of_it() -> None:
    loader = Loader()
    cache, _, workers = scripted({"a": ["b"]}, loader=loader)
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.step()
    asked = in_time_later(cache, "b")
    loader.failing.add("b")
    workers.run()
    with pytest.raises(OSError, match="b"):
        asked()


def test_a_source_that_fails_is_left_in_peace() -> None:
    clock, loader = ManualClock(), Loader()
    follows = {f"a{number}": [f"b{number}"] for number in range(40)}
    cache, _, workers = scripted(follows, loader=loader, clock=clock)
    warmed(cache, [*follows, *(key for (key,) in follows.values())], workers)
    loader.failing.update(key for (key,) in follows.values())
    del loader.keys[:]
    for key in follows:
        cache.get_or_load(key)
        workers.run()
    assert sum(key.startswith("b") for key in loader.keys) <= 3
    (source,) = cache.get_detailed_statistics()["prefetch"]["details"]["sources"]
    assert source["paused"]


# Many at once


def test_a_batch_loader_is_called_once_for_many() -> None:
    calls: list[list[Any]] = []

    def load_many(keys: list[Any]) -> dict[Any, str]:
        calls.append(list(keys))
        return {key: f"value of {key}" for key in keys if key != "absent"}

    cache, script, workers = scripted({"a": ["b", "c", "absent", "d"]}, batch_loader=load_many)
    warmed(cache, "abcd", workers)
    with pytest.raises(KeyError):
        cache.get_or_load("absent")
    del calls[:], script.told[:]
    before = cache.statistics.loads
    cache.get_or_load("a")
    workers.run()
    assert calls == [["a"], ["b", "c", "absent", "d"]]
    assert cache.statistics.loads == before + 2
    assert [cache.get(key) for key in "bcd"] == [f"value of {key}" for key in "bcd"]
    assert ("failed", "absent") in script.told


def test_the_batch_loader_teaches_on_demand_as_well() -> None:
    calls: list[list[Any]] = []

    def load_many(keys: list[Any]) -> dict[Any, Any]:
        calls.append(list(keys))
        return {key: f"value of {key}" for key in keys}

    cache, _, workers = scripted({"a": ["b", "c"]}, batch_loader=load_many)
    assert len(cache.get_many([*"abc"], load_many)) == 3
    assert len(cache.get_many([*"xyz"], dict.fromkeys)) == 3
    workers.run()
    cache.invalidate_many([*"abc"])
    cache.get_many(["a"], load_many)
    cache.get("wake up the learner")
    workers.step()
    asked = Patient(cache.get_many, [*"abc"], load_many)
    spin(lambda: cache.flights.get("b").joined)
    workers.run()
    assert asked.result() == {key: f"value of {key}" for key in "abc"}
    assert calls == [["a", "b", "c"], ["a"], ["b", "c"]]
    assert "own loader has not" in cache.explain_prefetch("x")


def test_who_waits_for_a_batch_that_fails_loads_alone() -> None:
    calls: list[Any] = []

    def load_many(keys: list[Any]) -> dict[Any, str]:
        calls.append(keys)
        raise OSError("too many at once")

    loader = Loader()
    cache, _, workers = scripted({"a": ["b", "c"]}, loader=loader, batch_loader=load_many)
    warmed(cache, "abc", workers)
    cache.get_or_load("a")
    workers.step()
    del loader.keys[:]
    asked = in_time_later(cache, "c")
    workers.run()
    assert asked() == "value of c"
    assert loader.keys == ["c"]
    assert calls == [["b", "c"]]


def test_a_batch_loader_that_returns_no_mapping_harms_nobody() -> None:
    loader = Loader()
    cache, script, workers = scripted({"a": ["b"]}, loader=loader, batch_loader=list)
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.run()
    assert ("failed", "b") in script.told
    assert cache.get_or_load("b") == "value of b"


def test_each_prefix_has_its_own_loader() -> None:
    cache: Cache[Any, Any] = Cache(
        max_entries=100,
        loader=lambda key: ("any", key),
        loaders={"user:": lambda key: ("user", key), "user:vip:": lambda key: ("vip", key)},
    )
    assert cache.get_or_load("user:1") == ("user", "user:1")
    assert cache.get_or_load("user:vip:1") == ("vip", "user:vip:1")
    assert cache.get_or_load(("user:", 1)) == ("any", ("user:", 1))
    only: Cache[Any, Any] = Cache(max_entries=100, loaders={"a": str.upper})
    assert only.get_or_load("abc") == "ABC"
    with pytest.raises(InvalidArgumentError, match="loader"):
        only.get_or_load("b")


@pytest.mark.parametrize(
    "options",
    [
        {"loaders": ["a"]},
        {"loaders": {1: str}},
        {"loaders": {"": str}},
        {"loaders": {"a": 1}},
        {"batch_loader": 1},
        {"prefetch_cost_ratio": 0.9},
        {"prefetch_cost_ratio": "much"},
        {"prefetch_concurrency": 0},
        {"prefetch_rate": 0},
    ],
)
@pytest.mark.parametrize("door", [Cache, AdaptiveCache])
def test_bad_arguments_are_named(door: Any, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InvalidArgumentError, match=name):
        door(**options)


# The end


def test_after_close_nothing_is_loaded_ahead_until_it_is_opened() -> None:
    loader = Loader()
    cache, _, workers = scripted({"a": ["b"]}, loader=loader)
    prefetcher = cache.prefetcher
    assert prefetcher is not None
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.step()  # b is claimed, and on its way
    prefetcher.close()
    del loader.keys[:]
    workers.run()
    assert not cache.contains("b")  # what could not be stopped was let go
    cache.invalidate("a")
    cache.get_or_load("a")
    workers.run()
    assert loader.keys == ["b", "a"]
    assert cache.learner is None
    prefetcher.open()
    cache.invalidate("a")
    cache.get_or_load("a")
    workers.run()
    assert cache.contains("b")


def test_what_happened_while_it_was_closed_is_found_out() -> None:
    cache, script, workers = scripted({"a": ["b"]}, loader=Loader())
    warmed(cache, "ab", workers)
    cache.get_or_load("a")
    workers.run()
    cache.prefetcher.close()  # type: ignore[union-attr]
    cache.invalidate("b")
    cache.prefetcher.open()  # type: ignore[union-attr]
    cache.get("wake up the learner")
    workers.run()
    assert ("dropped", "b") in script.told


def test_a_learner_that_could_not_be_woken_is_woken_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, _, workers = scripted({"a": ["b"]}, loader=Loader())
    warmed(cache, "ab", workers)

    def refuse(job: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(workers, "submit", refuse)
        assert cache.get_or_load("a") == "value of a"
    cache.get("wake up the learner")
    workers.run()
    assert cache.contains("b")


def test_join_waits_until_all_is_loaded() -> None:
    loader = Loader()
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=loader)
    assert cache.prefetcher is not None
    assert cache.prefetcher.join()
    engine: Any = cache.prefetcher._engine
    engine.planner = Script({"a": ["b"], "b": []})
    for key in "ab":
        cache.get_or_load(key)
        cache.prefetcher.join()
        cache.invalidate(key)
    cache.invalidate("b")
    cache.get_or_load("a")
    assert cache.prefetcher.join(5.0)
    assert cache.waits("b")
    assert PredictivePrefetcher().join()
    cache.invalidate("a")
    cache.get_or_load("a")
    cache.prefetcher.close()
    assert in_time(cache.prefetcher.join)


def test_join_waits_no_longer_than_told() -> None:
    gate, began = threading.Event(), threading.Event()

    def load(key: Any) -> Any:
        if key == "b" and not began.is_set() and cache.learner is not None and slow:
            began.set()
            wait(gate)
        return key

    slow: list[bool] = []
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=load)
    assert cache.prefetcher is not None
    engine: Any = cache.prefetcher._engine
    engine.planner = Script({"a": ["b"]})
    for key in "ab":
        cache.get_or_load(key)
        cache.prefetcher.join()
        cache.invalidate(key)
    cache.invalidate("b")
    slow.append(True)
    cache.get_or_load("a")
    wait(began)
    assert not cache.prefetcher.join(0.001)
    gate.set()
    assert cache.prefetcher.join(10)


def test_events_tell_what_is_loaded_ahead() -> None:
    cache, _, workers = scripted({"a": ["b", "c"]}, loader=Loader())
    warmed(cache, "abc", workers)
    told: list[tuple[str, Any]] = []
    kinds = [EventKind.PREFETCH, EventKind.PREFETCH_USED, EventKind.PREFETCH_WASTED]
    cache.events.subscribe(lambda event: told.append((event.kind.value, event.key)), kinds)
    cache.get_or_load("a")
    workers.run()
    cache.get("b")
    cache.invalidate("c")
    workers.run()
    assert sorted(told) == [
        ("prefetch", "b"),
        ("prefetch", "c"),
        ("prefetch_used", "b"),
        ("prefetch_wasted", "c"),
    ]


# The model


def test_the_lessons_vocabulary() -> None:
    alone = PredictivePrefetcher(learning_window=50, prediction_horizon=3)
    for key in [*range(100)] * 10:
        alone.record_access(key, context={"session_id": "s"})
    assert len(alone.access_history) == 50
    predicted = arun(alone.predict_next_accesses(99, {"session_id": "s"}))
    assert 1 <= len(predicted) <= 3
    assert {key for key, _ in predicted} <= set(range(9))
    assert all(0.0 <= probability <= 1.0 for _, probability in predicted)
    wanted = {"last_accessed_key": 99, "session_id": "s"}
    assert set(alone.get_prefetch_recommendations(wanted, 1.0)) <= set(range(9))
    assert len(alone.get_prefetch_recommendations(wanted, 0.1)) == 1
    assert alone.get_prefetch_recommendations(wanted, 0.05) == []
    assert alone.get_prefetch_recommendations({}, 1.0) == []
    assert arun(alone.predict_next_accesses("never seen")) == []
    alone.update_prediction_accuracy(["a", "b"], "a")
    assert alone.prediction_accuracy == pytest.approx(0.1)
    alone.update_prediction_accuracy(["b"], "a")
    assert alone.prediction_accuracy == pytest.approx(0.09)
    assert "nothing is known" in alone.explain("never seen")


def test_predictions_of_a_cache() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=100, loader=Loader())
    assert cache.prefetcher is not None
    engine: Any = cache.prefetcher._engine
    engine.workers = Manual()
    for _ in range(10):
        for key in range(150):
            cache.get_or_load(key, context={"user_id": 1})
            engine.workers.run()
    predicted = arun(cache.prefetcher.predict_next_accesses(70, {"user_id": 1}))
    assert 71 in [key for key, _ in predicted]
    assert cache.statistics.prefetch_hits > 200


def test_what_was_learned_is_saved_and_loaded(tmp_path: Path) -> None:
    taught = PredictivePrefetcher()
    for key in [*range(100)] * 10:
        taught.record_access(key)
    path = tmp_path / "model"
    taught.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    fresh = PredictivePrefetcher()
    fresh.load(path)
    after = {"last_accessed_key": 40}
    recommended = fresh.get_prefetch_recommendations(after, 1.0)
    assert recommended == taught.get_prefetch_recommendations(after, 1.0)
    assert recommended
    with pytest.raises(OSError):
        fresh.load(tmp_path / "absent")
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(InvalidArgumentError):
        fresh.load(tmp_path / "other")
    with pytest.raises(OSError):
        fresh.save(tmp_path / "no" / "directory")


def test_a_model_that_was_trained_is_taken_by_a_cache_with_a_loader(tmp_path: Path) -> None:
    taught = Planner(1000)
    for key in [*range(100)] * 10:
        taught.accessed(key, 0, 0.0, MISS)
    (tmp_path / "model").write_bytes(taught.save())
    cache: Cache[Any, Any] = Cache(max_entries=1000, loader=str)
    assert cache.prefetcher is not None
    cache.prefetcher.load(tmp_path / "model")
    assert cache.prefetcher.statistics()["model"]["keys"] == 100


def test_a_model_whose_conditions_are_damaged_changes_nothing(tmp_path: Path) -> None:
    taught = Planner(1000)
    for key in range(100):
        taught.accessed(key, 0, 0.0, MISS)
    data = saving.pack({"known": [True]}, {"planner": taught.save()})
    (tmp_path / "model").write_bytes(data)
    cache: Cache[Any, Any] = Cache(max_entries=1000, loader=str)
    assert cache.prefetcher is not None
    with pytest.raises(InvalidArgumentError):
        cache.prefetcher.load(tmp_path / "model")
    assert cache.prefetcher.statistics()["model"]["keys"] == 0


def test_a_file_that_would_fill_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = Planner(1000)
    for key in range(100):
        taught.accessed(key, 0, 0.0, MISS)
    model = taught.save()
    monkeypatch.setattr(saving, "KEY_BYTES", 1)  # or it would take a vast file to tell
    monkeypatch.setattr(saving, "_TABLE_BYTES", 1)
    path = tmp_path / "model"
    cache: Cache[Any, Any] = Cache(max_entries=1000, loader=str)
    assert cache.prefetcher is not None
    for tables in ({"planner": model, "more": bytes(1 << 23)}, {"more": bytes(1 << 23)}):
        path.write_bytes(saving.pack({"known": []}, tables))
        with pytest.raises(InvalidArgumentError, match="room"):
            cache.prefetcher.load(path)
    assert cache.prefetcher.statistics()["model"]["keys"] == 0
    path.write_bytes(saving.pack({"known": []}, {"planner": model}))
    cache.prefetcher.load(path)
    assert cache.prefetcher.statistics()["model"]["keys"] == 100


def test_a_process_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    def used(cache: Cache[Any, Any], rounds: int) -> int:
        engine: Any = cache.prefetcher._engine  # type: ignore[union-attr]
        engine.workers = Manual()
        for _ in range(rounds):
            for key in range(200):
                cache.get_or_load(("page", key), tags={"t"}, ttl_seconds=1e6, dependencies=["d"])
                engine.workers.run()
        return cache.statistics.prefetch_hits

    first: Cache[Any, Any] = Cache(max_entries=100, loader=str)
    assert used(first, 6) > 200
    assert first.prefetcher is not None
    first.prefetcher.save(tmp_path / "model")
    second: Cache[Any, Any] = Cache(max_entries=100, loader=str)
    assert second.prefetcher is not None
    second.prefetcher.load(tmp_path / "model")
    assert used(second, 1) > 0
    assert used(Cache(max_entries=100, loader=str), 1) == 0
    waiting = [key for key, _ in second.items() if second.waits(key)]
    assert waiting
    entry = second.entry(waiting[0])
    assert entry is not None
    assert (entry.tags, entry.ttl_seconds) == (frozenset({"t"}), 1e6)
    assert entry.dependencies == frozenset({"d"})


def test_a_turn_that_comes_in_between_is_made_up_for() -> None:
    cache, script, workers = scripted({"a": ["b"]}, loader=Loader())
    warmed(cache, "ab", workers)
    engine: Any = cache.prefetcher._engine  # type: ignore[union-attr]

    def turn_meanwhile(planner: Any) -> None:
        cache.get_or_load("a")
        in_time(workers.run)  # another thread, which does not wait for us

    engine.use(turn_meanwhile)
    assert ("fetched", "b", True) not in script.told
    workers.run()
    assert cache.contains("b")
