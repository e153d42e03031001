"""Several nodes over one shared tier while everything happens at once, in orders of chance."""

from __future__ import annotations

import random

import pytest

from scrubjay import Cache, ManualClock
from scrubjay._core.constants import MISSING
from scrubjay._flow import copies
from scrubjay.errors import ConsistencyError, TierError
from scrubjay.testing import Operation, SharedMemory, SharedMemoryTier, unexplained
from scrubjay.tiers import MemoryTier
from tests.flow_scheduler import Scheduler
from tests.models import scaled

pytestmark = [pytest.mark.any_build, pytest.mark.untraced]

KEYS = ("a", "b", "c")


class Jobs(list):
    """The work of the background, done when the test says so."""

    submit = list.append

    def run(self):
        while self:
            self.pop(0)()


@pytest.fixture
def jobs(monkeypatch):
    made = Jobs()
    monkeypatch.setattr(copies, "_workers", made)
    return made


class Recorded(SharedMemory):
    """A shared memory that remembers what was under each key, in order."""

    def __init__(self, clock):
        self.order = {}  # (key, version) to a place in the order
        super().__init__(clock)


class Node:
    """One cache with a connection of its own."""

    def __init__(self, memory, scheduler, clock, local, **options):
        self.tier = SharedMemoryTier(memory)
        tiers = [MemoryTier(name="near", clock=clock)] if local else []
        self.cache = Cache(
            max_entries=2,
            eviction_strategy="lru",
            clock=clock,
            tiers=[*tiers, self.tier],
            **options,
        )
        self.scheduler = scheduler

    def begin(self, flow, done):
        self.scheduler.begin(flow, done)


def outcome_of(outcome):
    """Return what a flow's flight has; MISSING and an error for what failed."""
    try:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.result(), None
    except (TierError, ConsistencyError) as error:
        return MISSING, error


class Run:
    """One order of events: nodes, and whatever happens in between."""

    def __init__(self, seed, jobs, local=False, nodes=2, faults=False, **options):
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = ManualClock(epoch=1e9)
        self.scheduler = Scheduler(self.chance)
        self.memory = SharedMemory(self.clock)
        self.nodes = [
            Node(self.memory, self.scheduler, self.clock, local, **options) for _ in range(nodes)
        ]
        self.jobs = jobs
        self.jobs.clear()
        self.faults = faults
        self.history = {key: [] for key in KEYS}

    def pause(self):
        """Let some steps be done, and some word of changes arrive."""
        for _ in range(self.chance.randrange(8)):
            if self.scheduler.strands:
                self.scheduler.step()
            if self.chance.random() < 0.2:
                self.chance.choice(self.nodes).tier.deliver()
            if self.chance.random() < 0.2:
                self.jobs.run()
            if self.faults and self.chance.random() < 0.03:
                tier = self.chance.choice(self.nodes).tier
                if self.chance.random() < 0.5:
                    tier.lose()
                else:
                    tier.reachable = not tier.reachable
        if self.chance.random() < 0.1:
            self.clock.advance(self.chance.choice([0.01, 1.0, 20.0]))

    def settle(self):
        """Let everything end and be told."""
        for node in self.nodes:
            node.tier.reachable = True
        self.scheduler.run()
        self.clock.advance(100.0)
        for node in self.nodes:
            node.tier.deliver()
        self.jobs.run()

    def note(self, key, write, value):
        """Return what writes an operation down when its outcome comes."""
        start = self.scheduler.now

        def done(outcome):
            got, error = outcome_of(outcome)
            end = self.scheduler.now
            if error is not None:
                if write:  # it may have happened, and what was there is removed some time
                    for late in (value, None):
                        self.history[key].append(Operation(start, float("inf"), True, late))
                return
            seen = value if write else (None if got is MISSING else got)
            self.history[key].append(Operation(start, end, write, seen))

        return done

    def put(self, node, key, number, context=None):
        cache = node.cache
        session = None if context is None else context["session_id"]
        flow = cache.storing(key, number, cache.terms(), session, 0)
        node.begin(flow, self.note(key, True, number))

    def invalidate(self, node, key, context=None):
        node.begin(node.cache.forgetting(key, context), self.note(key, True, None))

    def read(self, node, key, level, context=None, done=None):
        demand = node.cache.demand(context, level)
        node.begin(node.cache.reading_at(key, demand), done or self.note(key, False, None))


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("faults", [False, True])
def test_strong_reads_see_one_register(jobs, local, faults):
    reads = 0
    rounds = scaled(80, 25)
    for seed in range(rounds):
        run = Run(seed, jobs, local, faults=faults, consistency_level="strong")
        for number in range(1, 40):
            node, key = run.chance.choice(run.nodes), run.chance.choice(KEYS)
            kind = run.chance.random()
            if kind < 0.55:
                run.read(node, key, "strong")
            elif kind < 0.7:
                node.cache.finding(key)
                node.begin(node.cache.finding(key), None)  # leaves copies, as EVENTUAL does
            elif kind < 0.9:
                run.put(node, key, number)
            else:
                run.invalidate(node, key)
            run.pause()
        run.settle()
        for key in KEYS:
            for node in run.nodes:
                run.read(node, key, "strong")
                run.scheduler.run()
            history = run.history[key]
            assert unexplained(history) is None, (seed, key, history)
            reads += sum(not operation.write for operation in history)
    assert reads > 5 * rounds or faults


class Source:
    """What loaders read: a number for each key, that only rises."""

    def __init__(self):
        self.numbers = dict.fromkeys(KEYS, 0)
        self.loads = 0

    def load(self, key):
        self.loads += 1
        return {key: self.numbers[key]}

    def load_all(self, key):
        self.loads += 1
        return dict(self.numbers)


@pytest.mark.parametrize("faults", [False, True])
@pytest.mark.parametrize("way", ["key", "tag", "dependency"])
@pytest.mark.parametrize("level", ["strong", "session"])
def test_nothing_is_older_than_what_another_node_has_invalidated(jobs, way, level, faults):
    """Loads, promotions and evictions on all nodes, interleaved with invalidations on any."""
    loads = reads = 0
    for seed in range(scaled(40, 10)):
        run = Run(seed, jobs, seed % 2 == 0, faults=faults, consistency_level=level)
        order = Invalidated(run, way, level)
        for _ in range(40):
            node, key = run.chance.choice(run.nodes), run.chance.choice(KEYS)
            if run.chance.random() < 0.8:
                reads += 1
                order.read(node, key)
            else:
                order.update(node, key)
            run.pause()
        run.settle()
        for key in KEYS:
            for node in run.nodes:
                order.read(node, key)
                run.scheduler.run()
        loads += order.source.loads
    assert loads < reads  # some were served


class Invalidated:
    """Loads of what a source has, which changes, and invalidations of it.

    Args:
        run: the order of events.
        way: whether by the key, by a tag, or by a dependency.
        level: of the reads.
    """

    def __init__(self, run, way, level):
        self.run = run
        self.way = way
        self.level = level
        self.source = Source()
        self.known = dict.fromkeys(KEYS, 0)  # by when an invalidation has ended
        self.context = {"session_id": "s"}
        self.sessions = [node.cache.session("s").session for node in run.nodes]

    def update(self, node, key):
        self.source.numbers[key] += 1
        number = self.source.numbers[key]

        def done(outcome):
            _, error = outcome_of(outcome)
            if error is None:
                carry(self.sessions)
                self.known[key] = max(self.known[key], number)

        who = self.context if self.level == "session" else None
        if self.way == "tag":
            node.begin(node.cache.forgetting_tags(frozenset({key}), who), done)
        else:
            node.begin(node.cache.forgetting(key, who), done)

    def read(self, node, key):
        least = dict(self.known)

        def check(outcome):
            value, error = outcome_of(outcome)
            if error is None:
                late = {part for part, number in value.items() if number < least[part]}
                assert not late, (self.run.seed, key, value, least)

        loader = self.source.load
        terms = node.cache.terms(tags={key} if self.way == "tag" else None)
        if self.way == "dependency":
            key = ("page", key)
            terms = node.cache.terms(dependencies=KEYS)
            loader = self.source.load_all
        demand = node.cache.demand(self.context, self.level)
        node.begin(node.cache.reading(key, loader, terms, None, demand), check)


def carry(sessions):
    """Take what each node knows of the session to the others, as a cookie would."""
    for session in sessions:
        for other in sessions:
            if other is not session:
                session.merge(type(other).from_token(other.token(most=1000)))


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("faults", [False, True])
def test_in_the_end_every_node_has_the_last_value(jobs, local, faults):
    for seed in range(scaled(80, 25)):
        run = Run(seed, jobs, local, nodes=3, faults=faults)
        for number in range(1, 40):
            node, key = run.chance.choice(run.nodes), run.chance.choice(KEYS)
            kind = run.chance.random()
            if kind < 0.6:
                if node.cache.request(key, MISSING) is MISSING:
                    node.begin(node.cache.finding(key), outcome_of)
            elif kind < 0.85:
                run.put(node, key, number)
            else:
                run.invalidate(node, key)
            run.pause()
        run.settle()
        for node in run.nodes:  # whatever is owed is paid
            for _ in range(2):
                node.begin(node.cache.finding("other"), outcome_of)
                run.scheduler.run()
                run.clock.advance(100.0)
            node.tier.deliver()
        for node in run.nodes:
            node.tier.deliver()
        run.jobs.run()
        for key in KEYS:
            found = [node.cache.get(key) for node in run.nodes]
            run.read(run.nodes[0], key, "strong", done=found.append)
            run.scheduler.run()
            found[-1] = outcome_of(found[-1])[0]
            found[-1] = None if found[-1] is MISSING else found[-1]
            assert len(set(found)) == 1, (seed, key, found)


def test_one_load_however_many_nodes_miss(jobs):
    for seed in range(scaled(60, 25)):
        run = Run(seed, jobs, nodes=4)
        source = Source()
        got = []
        for _ in range(12):
            node = run.chance.choice(run.nodes)
            flow = node.cache.reading("a", source.load, node.cache.terms())
            node.begin(flow, got.append)
            for _ in range(run.chance.randrange(6)):
                if run.scheduler.strands:
                    run.scheduler.step()
                if run.chance.random() < 0.5:
                    run.chance.choice(run.nodes).tier.deliver()
        while run.scheduler.strands:
            run.scheduler.step()
            for node in run.nodes:
                node.tier.deliver()
        assert source.loads == 1, seed
        assert [outcome_of(outcome)[0] for outcome in got] == [{"a": 0}] * 12
