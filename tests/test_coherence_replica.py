"""What a node serves at each level, over a shared tier that tests hold in their hands."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scrubjay.clock import ManualClock
from scrubjay.consistency import Copy, Replica, Session
from scrubjay.errors import (
    ConsistencyUnavailableError,
    EpochChangedError,
    InvalidArgumentError,
    StaleReadError,
    TierUnavailableError,
)
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import TierRecord
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import NO_TAG
from scrubjay.verify.node import Node, encode, run
from scrubjay.versions import Feed, Versioned
from tests.models import scaled

pytestmark = pytest.mark.any_build

EVENTUAL = CacheConsistencyLevel.EVENTUAL
SESSION = CacheConsistencyLevel.SESSION
MONOTONIC = CacheConsistencyLevel.MONOTONIC
STRONG = CacheConsistencyLevel.STRONG
LEVELS = list(CacheConsistencyLevel)


class Nodes:
    """Two nodes over one memory, with a clock that stands."""

    def __init__(self, monkeypatch=None, count=2):
        self.clock = ManualClock(start=1000.0, epoch=1_800_000_000.0)
        self.memory = SharedMemory(self.clock)
        self.nodes = [
            Node(SharedMemoryTier(self.memory), 5.0, number + 1) for number in range(count)
        ]

    def tier(self, number):
        return self.nodes[number].tier

    def get(self, number, level=EVENTUAL, session=None, key=b"k"):
        node = self.nodes[number]
        outcome, _ = run(node.tier, node.get(key, level, session))
        return outcome

    def put(self, number, session=None, tag=NO_TAG, key=b"k", ttl=None):
        node = self.nodes[number]
        return run(node.tier, node.put(key, session, tag, ttl, 60, lambda *_: None))

    def delete(self, number, session=None, key=b"k"):
        node = self.nodes[number]
        return run(node.tier, node.delete(key, session))

    def bump(self, number, session=None, tag=0):
        node = self.nodes[number]
        return run(node.tier, node.bump(tag, session))

    def load(self, number, level=EVENTUAL, session=None, tag=NO_TAG, key=b"k"):
        node = self.nodes[number]
        loaded = run(node.tier, node.load(key, level, session, tag, None, 0.0, lambda *_: None))
        return loaded and loaded[0]


@pytest.fixture
def nodes(monkeypatch):
    made = Nodes()
    monkeypatch.setattr("scrubjay.verify.node.time", made.clock)
    return made


def test_a_copy_is_served_until_word_of_a_change_comes(nodes):
    first = nodes.put(0)
    assert not nodes.get(1).copied
    assert nodes.get(1).copied
    second = nodes.put(0)
    late = nodes.get(1)
    assert (late.value, late.copied) == (first.value, True)
    nodes.tier(1).deliver()
    now = nodes.get(1)
    assert (now.value, now.copied) == (second.value, False)


def test_strong_reads_are_of_the_last_write(nodes):
    nodes.put(0)
    nodes.get(1)
    second = nodes.put(0)
    now = nodes.get(1, STRONG)
    assert (now.value, now.copied) == (second.value, False)
    assert nodes.get(1, STRONG).copied


def test_a_session_reads_what_it_has_written_elsewhere(nodes):
    mine, of_another = Session(), Session()
    first = nodes.put(0)
    nodes.get(1)
    second = nodes.put(0, mine)
    assert nodes.get(1, SESSION, of_another).value == first.value
    assert nodes.get(1, SESSION, mine).value == second.value


@pytest.mark.parametrize("carried", [False, True])
def test_monotonic_reads_do_not_go_back(nodes, carried):
    session = Session()
    nodes.put(0)
    nodes.get(1)
    second = nodes.put(0)
    assert nodes.get(0, MONOTONIC, session).value == second.value
    if carried:
        session = Session.from_token(session.token())
    assert nodes.get(1, MONOTONIC, session).value == second.value


def test_session_reads_may_go_back_where_monotonic_ones_may_not(nodes):
    session = Session()
    first = nodes.put(0)
    nodes.get(1)
    second = nodes.put(0)
    assert nodes.get(0, SESSION, session).value == second.value
    assert nodes.get(1, SESSION, session).value == first.value


def test_a_removal_counts_as_a_version(nodes):
    session = Session()
    nodes.put(0)
    nodes.get(1)
    nodes.delete(0, session)
    assert nodes.get(1).value
    assert not nodes.get(1, SESSION, session).value


@pytest.mark.parametrize("level", LEVELS)
def test_tags_are_as_fresh_as_values(nodes, level):
    session = Session()
    put = nodes.put(0, tag=3)
    assert nodes.get(1).value == put.value
    generation = nodes.bump(0, session, tag=3)
    found = nodes.get(1, level, session)
    if level is EVENTUAL:
        assert found.value == put.value
        nodes.tier(1).deliver()
        found = nodes.get(1, level, session)
    assert (found.value, found.generation) == (0, generation)


def test_a_void_value_is_loaded_again(nodes):
    nodes.put(0, tag=3)
    nodes.bump(1, tag=3)
    loaded = nodes.load(0, STRONG, tag=3)
    assert loaded.value
    assert nodes.get(1, STRONG).value == loaded.value


def test_what_was_written_before_it_was_known_of_a_tag_is_void_at_once(nodes):
    nodes.put(0, tag=3)
    nodes.bump(1, tag=3)
    put = nodes.put(0, tag=3)  # asks for the generation again
    assert nodes.get(1, STRONG).value == put.value


def test_a_silent_link_ends_what_may_be_served(nodes):
    put = nodes.put(0)
    nodes.get(1)
    nodes.tier(1).reachable = False
    nodes.clock.advance(5.0)
    assert nodes.get(1).value == put.value
    nodes.clock.advance(0.001)
    with pytest.raises(TierUnavailableError):
        nodes.get(1)
    nodes.tier(1).reachable = True
    assert nodes.get(1).value == put.value
    nodes.tier(1).reachable = False
    assert nodes.get(1).copied


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_served_from_before_a_loss(nodes, level):
    nodes.put(0)
    nodes.get(1)
    nodes.tier(1).lose()
    assert not nodes.get(1, level, Session()).copied


def test_an_old_epoch_is_an_error_for_sessions_alone(nodes):
    session = Session()
    nodes.put(0, session)
    nodes.memory.restart()
    put = nodes.put(1)
    assert nodes.get(0).value == put.value
    assert nodes.get(0, STRONG).value == put.value
    for level in (SESSION, MONOTONIC):
        with pytest.raises(EpochChangedError):
            nodes.get(0, level, session)


def test_what_is_lost_without_a_new_epoch_is_an_error(nodes):
    session = Session()
    written = nodes.put(0, session)
    mark = nodes.memory.marks[b"k"]
    mark.version = written.version - 1  # an old backup has been put back, say
    nodes.tier(1).deliver()
    with pytest.raises(StaleReadError):
        nodes.get(1, SESSION, session)
    assert nodes.get(1).version == written.version - 1


def test_replicas_give_sessions_what_they_have_or_an_error(nodes):
    session = Session()
    nodes.put(0, session)
    del nodes.memory.marks[b"k"]
    nodes.memory.primary = False
    with pytest.raises(StaleReadError):
        nodes.get(1, SESSION, session)
    with pytest.raises(ConsistencyUnavailableError):
        nodes.get(1, STRONG)


@pytest.mark.parametrize("there", [False, True])
def test_strong_reads_are_refused_where_another_may_take_over(nodes, there):
    if there:
        nodes.put(1)
        nodes.get(1)
    nodes.memory.failover = True
    with pytest.raises(ConsistencyUnavailableError):
        nodes.get(1, STRONG)
    willing = Node(SharedMemoryTier(nodes.memory, until_failover=True), 5.0, 9)
    outcome, _ = run(willing.tier, willing.get(b"k", STRONG, None))
    assert bool(outcome.value) == there


def test_without_an_epoch_there_are_no_sessions(nodes):
    nodes.put(0)
    nodes.memory.epoch = b""
    nodes.tier(1).lose()
    assert nodes.get(1).value
    for _ in range(2):
        with pytest.raises(ConsistencyUnavailableError, match="sessions"):
            nodes.get(1, SESSION, Session())


@pytest.mark.parametrize("failover", [False, True])
def test_what_a_session_has_forgotten_is_asked_for(nodes, failover):
    session = Session(most=1)
    nodes.put(0)
    nodes.get(1)
    second = nodes.put(0, session)
    nodes.put(0, session, key=b"other")
    assert session.floor(b"anything") is None
    nodes.memory.failover = failover  # then there is no barrier, and so no copy
    assert nodes.get(1, SESSION, session).value == second.value
    assert nodes.get(1, SESSION, session).copied is not failover


def test_a_copy_that_nobody_watches_is_not_served(nodes):
    replica = Replica()
    put = nodes.put(0)
    for level in LEVELS:
        reading = replica.read(b"k", Copy(put.version, None, {}), level, None, 1000.0, lambda _: {})
        found = run(nodes.tier(0), reading)
        assert not found.copied
        assert found.record.version == put.version


def test_a_load_that_was_overtaken_is_not_kept(nodes):
    node = nodes.nodes[0]
    flow = node.load(b"k", STRONG, None, NO_TAG, None, 1.0, lambda *_: None)
    answer = None
    while True:
        step = flow.send(answer)
        if type(step).__name__ == "Pause":
            break
        answer = run(node.tier, one_step(step))
    put = nodes.put(1)
    loaded, written = run(node.tier, rest_of(flow))
    assert written is None
    assert loaded.value == put.value


def one_step(step):
    return (yield step)


def rest_of(flow):
    answer = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as end:
            return end.value
        answer = yield step


def test_a_sampler_finds_a_copy_that_should_not_be(nodes):
    node = nodes.nodes[1]
    first = nodes.put(0)
    nodes.get(1)
    copy = node.copies[b"k"].copy
    assert not run(node.tier, node.replica.recheck(b"k", copy, STRONG))
    assert node.replica.rechecked == 1
    nodes.put(0)
    assert not run(node.tier, node.replica.recheck(b"k", copy, STRONG))  # told with the reply
    assert node.replica.rechecked == 1
    nodes.get(1)
    forged = Copy(first.version, node.copies[b"k"].copy.watch, {})
    assert run(node.tier, node.replica.recheck(b"k", forged, STRONG))
    assert node.replica.conflicts[STRONG] == 1
    assert node.replica.conflicts[EVENTUAL] == 0


@pytest.mark.parametrize("bound", [0, -1.0, float("nan"), "5"])
def test_a_bound_that_is_no_time(bound):
    with pytest.raises(InvalidArgumentError, match="max_silence_seconds"):
        Replica(bound)


def test_what_changes_between_a_reply_and_its_keeping_is_not_kept(nodes):
    node = nodes.nodes[0]
    record = node.tier.write(TierRecord(b"k", encode(1, NO_TAG, 0, 0.0)))
    nodes.put(1)
    node.tier.deliver()
    node.keep(b"k", record, {})
    assert b"k" not in node.copies


def test_a_callback_that_fails_stops_nothing(caplog):
    def fail(_):
        raise RuntimeError("mine")

    feed = Feed(b"", 0.0, fail)
    watch = feed.watch(b"a")
    feed.changed([b"a"])
    assert not watch.live
    assert "callback on invalidations" in caplog.text
    feed.lose()
    assert not Versioned(1, b"", None, feed.watch(b"b"), feed).watch.live


class Machine(RuleBasedStateMachine):
    """Nodes and sessions in any order, against what was acknowledged."""

    @initialize()
    def begin(self):
        self.patch = pytest.MonkeyPatch()
        self.nodes = Nodes()
        self.patch.setattr("scrubjay.verify.node.time", self.nodes.clock)
        self.sessions = {
            level: [Session(most=1 if small else 9) for small in (0, 1)] for level in LEVELS
        }
        self.floors = {}  # by session, of what it must not be shown older versions than
        self.values = {}  # by key: version, value, tag, generation
        self.generations = {}

    def teardown(self):
        self.patch.undo()

    keys = st.sampled_from([b"k", b"k", b"l"])
    tags = st.sampled_from([NO_TAG, 0, 1])
    places = st.integers(0, 1)
    who = st.tuples(st.sampled_from(LEVELS), st.sampled_from([0, 0, 0, 1]))

    def lift(self, who, place, version):
        floors = self.floors.setdefault(who, {})
        floors[place] = max(floors.get(place, 0), version)

    def session(self, who):
        return self.sessions[who[0]][who[1]]

    def truth(self, key):
        _, value, tag, generation = self.values.get(key, (0, 0, NO_TAG, 0))
        void = tag != NO_TAG and self.generations.get(tag, generation) != generation
        return 0 if void else value

    @rule(place=places, key=keys, tag=tags, who=who)
    def put(self, place, key, tag, who):
        done = self.nodes.put(place, self.session(who), tag, key)
        self.wrote(who, key, done)

    def wrote(self, who, key, done):
        assert done.version > self.values.get(key, (0,))[0]
        self.values[key] = (done.version, done.value, done.tag, done.generation)
        self.lift(who, key, done.version)

    @rule(place=places, key=keys, who=who)
    def delete(self, place, key, who):
        version = self.nodes.delete(place, self.session(who), key)
        assert version > self.values.get(key, (0,))[0]
        self.values[key] = (version, 0, NO_TAG, 0)
        self.lift(who, key, version)

    @rule(place=places, tag=st.integers(0, 1), who=who)
    def bump(self, place, tag, who):
        generation = self.nodes.bump(place, self.session(who), tag)
        assert generation > self.generations.get(tag, 0)
        self.generations[tag] = generation
        self.lift(who, tag, generation)

    @rule(place=places, key=keys, who=who)
    def get(self, place, key, who):
        self.seen(self.nodes.get(place, who[0], self.session(who), key), key, who)

    @rule(place=places, key=keys, tag=tags, who=who)
    def load(self, place, key, tag, who):
        before = self.truth(key)
        node = self.nodes.nodes[place]
        outcome, written = run(
            node.tier,
            node.load(key, who[0], self.session(who), tag, None, 0.0, lambda *_: None),
        )
        if written is not None:
            assert not before  # what is there is not loaded
            self.wrote(who, key, written)
        else:
            self.seen(outcome, key, who)

    def seen(self, outcome, key, who):
        level, floors = who[0], self.floors.get(who, {})
        if level is STRONG:
            assert outcome.value == self.truth(key)
        if level is not EVENTUAL and outcome.version:
            assert outcome.version >= floors.get(key, 0)
            if outcome.tag != NO_TAG:
                assert outcome.generation >= floors.get(outcome.tag, 0)
        if level in {MONOTONIC, STRONG}:
            self.lift(who, key, outcome.version)
            if outcome.tag != NO_TAG:
                self.lift(who, outcome.tag, outcome.generation)

    @rule(place=places, key=keys, who=who, times=st.integers(1, 3))
    def get_again(self, place, key, who, times):
        for _ in range(times):
            self.get(place, key, who)

    @rule(what=st.sampled_from(["deliver", "lose", "carry", "wait"]), place=places, who=who)
    def meanwhile(self, what, place, who):
        if what == "deliver":
            self.nodes.tier(place).deliver()
        elif what == "lose":
            self.nodes.tier(place).lose()
        elif what == "carry":
            sessions = self.sessions[who[0]]
            sessions[who[1]] = Session.from_token(sessions[who[1]].token())
        else:
            self.nodes.clock.advance(1.0)

    @precondition(lambda self: hasattr(self, "nodes"))
    @rule(key=keys)
    def settle(self, key):
        for place in range(2):
            self.nodes.tier(place).deliver()
            assert self.nodes.get(place, EVENTUAL, None, key).value == self.truth(key)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=scaled(100, 40), stateful_step_count=60)
