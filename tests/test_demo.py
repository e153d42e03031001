"""The demonstration: its parts, and a small run of the whole."""

from __future__ import annotations

import io
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest
from rich.console import Console

from scrubjay import Disk, InvalidArgumentError, Redis
from scrubjay.demo import DemoResult, run_demo
from scrubjay.demo.compare import (
    StrategyOutcome,
    compare_strategies,
    prefetch_outcome,
    small_capacity,
)
from scrubjay.demo.pages import Page, Pages, topic_tag
from scrubjay.demo.recording import Recording
from scrubjay.demo.report import print_result
from scrubjay.demo.result import Latencies
from scrubjay.demo.schema import REGIONS, TOPICS, Catalogue, create_database, seeded_random
from scrubjay.demo.source import Source, Write
from scrubjay.demo.verify import Ledger
from scrubjay.demo.workload import TASKS, Action, Workload, users_for

pytestmark = pytest.mark.any_build

USERS = 40
KINDS = ("user:1", "history:1", "recommend:1", "feed:1", "team:1", "region:1", "digest:1")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def source(directory):
    with closing(Source(directory, USERS, seed=5)) as made:
        yield made


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_the_database_is_the_same_for_the_same_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        create_database(tmp_path / name, Catalogue.for_users(3), seed)
    assert dump(tmp_path / "a") == dump(tmp_path / "b")
    assert dump(tmp_path / "a") != dump(tmp_path / "c")


@pytest.mark.parametrize("key", [*KINDS, "search:maple", "ticker:1"])
def test_every_question_has_an_answer_and_a_cost(source, key):
    before = source.costs.loads
    answer = source.load(key)
    assert answer["rows"]
    assert source.costs.loads == before + 1
    assert source.costs.by_key[key] > 0
    assert source.costs.mean_seconds > 0
    assert source.look_up(key)["rows"] == answer["rows"]
    assert source.costs.loads == before + 1


def test_a_write_changes_what_it_says_and_nothing_else(source):
    random = seeded_random("writes")
    everything = [
        *(f"{kind}:{user}" for kind in ("user", "history", "feed") for user in range(USERS)),
        *(f"team:{team}" for team in range(source.catalogue.teams)),
        *(f"region:{region}" for region in range(REGIONS) if region < source.catalogue.teams),
        *(f"digest:{topic}" for topic in range(TOPICS)),
        "search:maple",
    ]
    pages = Pages(source.catalogue, source.followed_topics())
    for write in (
        lambda: source.place_order(7, random),
        lambda: source.edit_document(random),
        lambda: source.rename_documents(random),
    ):
        before = {key: source.look_up(key) for key in everything}
        done = write()
        after = {key: source.look_up(key) for key in everything}
        for key in everything:
            page, names = pages[key], set(done.keys)
            if not (key in names or page.tags & done.tags or page.dependencies & names):
                assert before[key] == after[key], (key, done)
        for thing, revision in done.revisions.items():
            seen = {answer["revisions"].get(thing, revision) for answer in after.values()}
            assert seen == {revision}
        changed = {key for key in everything if before[key]["rows"] != after[key]["rows"]}
        assert changed & set(done.affected)


def test_pages_know_what_undoes_them(source):
    pages = Pages(source.catalogue, {1: (3, 4)})
    assert pages["feed:1"].tags == {topic_tag(3), topic_tag(4)}
    assert pages["history:1"].dependencies == {"user:1"}
    assert "user:1" in pages[f"team:{source.catalogue.team_of(1)}"].dependencies
    assert pages["region:0"].dependencies >= {"team:0"}
    assert pages["ticker:0"].ttl_seconds < pages["user:0"].ttl_seconds
    assert pages["user:0"] is pages["user:0"]


@pytest.mark.parametrize("operations", [1, 47, 1000, 20_000])
def test_the_tasks_make_exactly_the_operations_asked_for(operations):
    workload = Workload(Catalogue.for_users(users_for(operations)), operations, seed=1)
    sessions = [session for task in range(TASKS) for session in workload.sessions(task)]
    assert sum(len(session.operations) for session in sessions) == operations
    assert len({session.name for session in sessions}) == len(sessions)
    actions = Counter(operation.action for s in sessions for operation in s.operations)
    if operations == 20_000:
        assert actions[Action.ORDER] == 25
        assert actions[Action.EDIT] == 8
        assert actions[Action.RENAME] == 4
        assert {session.phase for session in sessions} == {0, 1, 2, 3}
        assert any(session.is_batch for session in sessions)


def test_the_workload_follows_from_the_seed():
    def keys(seed):
        return list(Workload(Catalogue.for_users(60), 5000, seed).reads(3))

    assert keys(1) == keys(1)
    assert keys(1) != keys(2)


def test_the_hot_users_make_most_of_the_sessions_and_change_with_the_phase():
    workload = Workload(Catalogue.for_users(600), 200_000, seed=1)
    by_phase = [Counter(), Counter()]
    everyone = set()
    for task in range(TASKS):
        for session in workload.sessions(task):
            everyone.add(session.user)
            if session.phase < 2:
                by_phase[session.phase][session.user] += 1
    hot = [{user for user, _ in counts.most_common(30)} for counts in by_phase]
    for counts, users in zip(by_phase, hot, strict=True):
        share = sum(counts[user] for user in users) / counts.total()
        assert 0.75 < share < 0.85
    assert len(everyone) > 500
    assert not hot[0] & hot[1]


def answer(revision, loaded_at=0.0, rows=()):
    return {"rows": list(rows), "revisions": {"user:1": revision}, "loaded_at": loaded_at}


def test_the_ledger_finds_what_was_stale_when_the_read_began():
    ledger = Ledger()
    early = ledger.begin()
    ledger.check("user:1", answer(0), early, 0.0, 10.0)
    ledger.acknowledge({"user:1": 1})
    # A read that began before the write may see either.
    ledger.check("user:1", answer(0), early, 0.0, 10.0)
    ledger.check("user:1", answer(1), early, 0.0, 10.0)
    assert ledger.faults == 0
    late = ledger.begin()
    ledger.acknowledge({"user:1": 2})
    ledger.check("user:1", answer(1), late, 0.0, 10.0)
    assert ledger.faults == 0
    ledger.check("user:1", answer(0), late, 0.0, 10.0)
    ledger.check("user:1", answer(1), ledger.begin(), 0.0, 10.0)
    assert (ledger.checked_reads, ledger.stale_reads, ledger.faults) == (6, 2, 2)
    assert ledger.examples[0] == "user:1 was served from user:1 at 0, after 1"


def test_the_ledger_finds_what_outlived_its_time():
    ledger = Ledger()
    ledger.check("ticker:1", answer(0, loaded_at=10.0), 0, 12.0, 2.0)
    assert ledger.overdue_reads == 0
    ledger.check("ticker:1", answer(0, loaded_at=10.0), 0, 16.0, 2.0)
    assert (ledger.overdue_reads, ledger.faults) == (1, 1)


def test_the_ledger_finds_what_differs_from_the_database():
    ledger = Ledger()
    ledger.compare("user:1", answer(1, 5.0, "ab"), answer(1, 6.0, "ab"))
    assert (ledger.compared, ledger.faults) == (1, 0)
    ledger.compare("user:1", answer(1, rows="ab"), answer(1, rows="ac"))
    ledger.compare("user:1", answer(1), answer(2))
    assert (ledger.compared, ledger.different, ledger.faults) == (3, 2, 2)


def test_the_ledger_quotes_only_some_faults():
    ledger = Ledger()
    for _ in range(100):
        ledger.compare("user:1", answer(1), answer(2))
    assert ledger.faults == 100
    assert len(ledger.examples) == 10


def recording_of(*events):
    recording = Recording([(at, event, "session") for at, event in events])
    keys = [event.key for _, event in events if isinstance(event, Page)]
    recording.sizes = dict.fromkeys(keys, 1000)
    recording.finish(dict.fromkeys(keys, 0.5))
    return recording


def test_every_strategy_sees_the_recorded_traffic():
    page, dependent = Page("a", 10.0), Page("b", 1e6, dependencies=frozenset({"a"}))
    tagged = Page("c", 1e6, tags=frozenset({"t"}))
    recording = recording_of(
        (0.0, page),
        (1.0, page),  # hit
        (9.0, page),  # hit
        (10.5, page),  # expired
        (11.0, dependent),
        (11.0, tagged),
        (12.0, Write({}, keys=("a",))),
        (13.0, page),  # invalidated
        (14.0, dependent),  # invalidated with it
        (15.0, tagged),  # hit
        (16.0, Write({}, tags=frozenset({"t"}))),
        (17.0, tagged),  # invalidated
        (18.0, tagged),  # hit
    )
    capacity = small_capacity(recording)
    outcomes = list(compare_strategies(recording, capacity))
    assert len(outcomes) == 5
    for outcome in outcomes:
        assert outcome == StrategyOutcome(outcome.strategy, 11, 4, 0, 3.5, 7)
        assert outcome.hit_rate == 4 / 11


def test_prefetching_sees_it_too_and_asks_hardly_more():
    walk = [Page(f"page {number % 60}", 1e6) for number in range(3000)]
    recording = recording_of(*((float(at), page) for at, page in enumerate(walk)))
    recording.sizes = dict.fromkeys(recording.sizes, 20_000)
    (plain,) = (
        outcome
        for outcome in compare_strategies(recording, 1_000_000)
        if outcome.strategy == "adaptive"
    )
    assert plain.loads == plain.requests - plain.hits
    # A cache of 50 entries is too small to prefetch; one of 100 holds all of them.
    assert prefetch_outcome(recording, 1_000_000).loads <= 1.05 * plain.loads
    large = recording_of(*((float(at), Page(f"page {at % 300}", 1e6)) for at in range(5000)))
    (plain,) = (
        outcome for outcome in compare_strategies(large, 200_000) if outcome.strategy == "lru"
    )
    prefetched = prefetch_outcome(large, 200_000)
    assert plain.hits == 0  # a walk around, longer than the cache
    assert prefetched.hit_rate > 0.3
    assert prefetched.loads <= 1.3 * plain.loads
    assert prefetched.source_seconds < plain.source_seconds


def test_the_comparison_evicts_by_size():
    recording = recording_of(*((float(i), Page(f"k{i % 100}")) for i in range(1000)))
    for outcome in compare_strategies(recording, 50_000):
        assert outcome.evictions > 0
        assert outcome.hits < 900


def test_events_of_threads_are_put_in_order():
    recording = recording_of((2.0, Page("b")), (1.0, Page("a")))
    assert [event.key for _, event, _ in recording.events] == ["a", "b"]
    assert recording.footprint_bytes == 2000


def test_latencies():
    latency = Latencies.of([0.001] * 98 + [0.1, 0.2])
    assert latency == Latencies(pytest.approx(3.98), 1.0, 100.0, 200.0)
    assert Latencies.of([]).mean_ms == 0.0


@pytest.fixture(scope="module")
def run() -> DemoResult:
    return run_demo(4000, seed=2)


def test_a_small_run_serves_nothing_stale(run):
    assert run.operations == 4000
    assert run.writes == 11
    assert run.checked_reads >= run.operations - run.writes
    assert run.requests >= run.checked_reads
    assert run.sync_reads > 0
    assert run.compared > 30
    assert (run.faults, run.fault_examples) == (0, ())
    assert run.removals["tag"] > 0
    assert run.removals["dependency"] > 0
    assert 0 < run.memory_bytes <= run.budget_bytes
    assert run.hits < run.requests
    assert run.saved_calls > 0
    assert run.saved_seconds > 0


def test_a_small_run_compares_the_strategies(run):
    assert {outcome.strategy for outcome in run.comparison} == {
        "lru",
        "lfu",
        "ttl",
        "adaptive",
        "priority",
    }
    for outcome in run.comparison:
        assert outcome.requests == run.checked_reads
        assert 0 < outcome.hits < outcome.requests
    assert run.prefetching.requests == run.checked_reads
    assert 0 < run.prefetching.hits < run.prefetching.requests


def test_a_run_is_plain_data(run):
    data = json.loads(json.dumps(run.to_json()))
    assert data["hit_rate"] == run.hit_rate
    assert data["reached"] is run.reached
    assert data["comparison"][0]["hit_rate"] == run.comparison[0].hit_rate


def test_targets(run):
    good = replace(run, requests=1000, hits=951, faults=0)
    good = replace(good, latency=Latencies(4.9, 0, 0, 0))
    assert good.reached
    assert not replace(good, hits=950).reached
    assert not replace(good, faults=1).reached
    assert not replace(good, checked_reads=0).reached
    assert not replace(good, latency=Latencies(5.0, 0, 0, 0)).reached
    assert replace(good, requests=0).hit_rate == 0.0


def test_progress_is_told():
    told = []
    run_demo(500, 1, told.append)
    stages = list(dict.fromkeys(progress.stage.partition(",")[0] for progress in told))
    assert stages == ["creating the database", "traffic", "comparing strategies", "prefetching"]
    assert told[-2].done == told[-2].total == 5
    traffic = [progress for progress in told if progress.stage.startswith("traffic")]
    assert traffic[-1].done == 500
    assert traffic[-1].source_calls > 0
    assert 0 < traffic[-1].hit_rate < 1


def test_there_must_be_something_to_do():
    with pytest.raises(InvalidArgumentError, match="operations"):
        run_demo(0)


def test_it_runs_over_lower_tiers(tmp_path, redis_server):
    tiers = [Disk(tmp_path, max_size_mb=16), Redis(redis_server.url)]
    for _ in range(2):  # what the first has left there is not found by the second
        result = run_demo(3000, seed=3, tiers=tiers)
        assert result.faults == 0, result.fault_examples
        assert result.budget_bytes == 1 << 18
        assert list(result.tiers) == ["disk", "redis"]
        assert result.tiers["disk"] > 0
        assert sum(result.shares.values()) == pytest.approx(1.0)
        assert min(result.shares.values()) >= 0.0
    buffer = io.StringIO()
    print_result(result, Console(file=buffer, width=200))
    assert "answered by" in buffer.getvalue()
