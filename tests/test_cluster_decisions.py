"""What is decided about a cluster, without one: slots, redirects, and whom to ask."""

from __future__ import annotations

import asyncio
import gc
import weakref
from time import monotonic

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import CacheConsistencyLevel, Redis
from scrubjay.clock import ManualClock
from scrubjay.consistency import Replica, Session
from scrubjay.errors import (
    ConsistencyUnavailableError,
    EpochChangedError,
    InvalidArgumentError,
    TierUnavailableError,
)
from scrubjay.events import Events
from scrubjay.tiers import RedisTier, TierRecord
from scrubjay.tiers._redis import topology
from scrubjay.tiers._redis.address import parse
from scrubjay.tiers._redis.buckets import Buckets, ClusterOperations
from scrubjay.tiers._redis.cluster import Course
from scrubjay.tiers._redis.cluster_aio import LoopCluster
from scrubjay.tiers._redis.cluster_threads import ThreadCluster
from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.errands import Connect, Pause, Send
from scrubjay.tiers._redis.exchange import Exchange
from scrubjay.tiers._redis.failures import CutOffError
from scrubjay.tiers._redis.nodes import JointFeed, NodeFeed, NodeSession
from scrubjay.tiers._redis.operations import Operations
from scrubjay.tiers._redis.redirects import Redirect, redirect_of
from scrubjay.tiers._redis.roster import Roster
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.slots import (
    BUCKETS,
    SLOTS,
    bucket_of,
    bucket_slot,
    slot_of,
    tag_of,
)
from scrubjay.tiers._redis.topology import Topology, Where
from scrubjay.versions import Count, Versioned

pytestmark = pytest.mark.any_build

A, B, C = (Where("h", port) for port in (1, 2, 3))
ERROR = hiredis.ReplyError

# ---- slots


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        (b"123456789", 0x31C3),  # these are of the specification
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo", 12182),
        (b"foo{{bar}}zap", slot_of(b"{bar")),
        (b"foo{bar}{zap}", slot_of(b"bar")),
    ],
)
def test_slots_are_those_of_the_specification(name, slot):
    assert slot_of(name) == slot


def test_every_slot_has_a_tag():
    assert [slot_of(b"x{%b}y" % tag_of(slot)) for slot in range(SLOTS)] == list(range(SLOTS))


@pytest.mark.parametrize("namespace", ["x", "default", "a.b-c_d"])
def test_buckets_are_spread_evenly(namespace):
    slots = [bucket_slot(namespace, bucket) for bucket in range(BUCKETS)]
    assert len(set(slots)) == BUCKETS
    for primaries in (3, 5, 16):
        each = [0] * primaries
        for slot in slots:
            each[slot * primaries // SLOTS] += 1
        assert max(each) - min(each) <= 2


def names_of(buckets, key):
    names = buckets.names(bucket_of(key))
    return [
        names.record + key,
        b"%b%b}" % (names.versioned, key),
        b"%b%b}:stage:1" % (names.staging, key),
        names.counter + key,
        names.generation,
    ]


@given(st.binary(min_size=1, max_size=20) | st.sampled_from([b"}", b"{", b"{}", b"}{a}"]))
def test_all_that_one_name_has_is_in_one_slot(key):
    buckets = make_buckets()
    expected = bucket_slot("x", bucket_of(key))
    assert {slot_of(name) for name in names_of(buckets, key)} == {expected}


# ---- what members say

OWNERS = [A] * 8000 + [B] * (SLOTS - 8000)


def slots_reply():
    return [
        [0, 7999, [b"h", 1, b"id1", []], [b"h", 3, b"id3", []]],
        [8000, SLOTS - 1, [None, 2, b"id2"]],
    ]


NODES = b"id1 h:1@9 myself,master - 0 0 1 connected 0-7999\nid2 h:2@9 %b - 0 0 2 connected\n"
INFO = b"cluster_state:%b\r\ncluster_known_nodes:2\r\ncluster_current_epoch:7\r\n"


def test_a_topology_is_read():
    found = topology.read([slots_reply(), NODES % b"master", INFO % b"ok"], "h")
    assert found.owners == OWNERS
    assert found.primaries == {A, B}
    assert not found.replicas
    assert found.epoch == 7
    assert [found.slot_at(where) for where in (A, B, C)] == [0, 8000, None]


@pytest.mark.parametrize("flags", [b"slave", b"slave,fail", b"myself,slave"])
def test_a_replica_counts_even_if_it_has_failed(flags):
    found = topology.read([slots_reply(), NODES % flags, INFO % b"ok"], "h")
    assert found.replicas


@pytest.mark.parametrize(
    "replies",
    [
        [ERROR("ERR This instance has cluster support disabled")] * 3,
        [ERROR("NOPERM this user has no permissions")] * 3,
        [slots_reply(), None, INFO],
        [b"", NODES, INFO],
        [[[0, "x", [b"h", 1]]], NODES, INFO],
        [[[0, 20_000, [b"h", 1]]], NODES % b"master", INFO % b"ok"],
        [slots_reply(), NODES % b"master", b""],
    ],
)
def test_what_is_no_topology(replies):
    with pytest.raises(TierUnavailableError):
        topology.read(replies, "h")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ERROR("MOVED 3999 10.0.0.1:6381"), Redirect("MOVED", Where("10.0.0.1", 6381))),
        (ERROR("ASK 3999 ::1:6381"), Redirect("ASK", Where("::1", 6381))),
        (ERROR("MOVED 3999 :6381"), Redirect("MOVED", Where("asked", 6381))),
        (ERROR("MOVED 3999 ?:6381"), Redirect("MOVED", Where("asked", 6381))),
        (ERROR("MOVED"), None),
        (ERROR("MOVED 1 h:x"), None),
        (ERROR("ERR MOVED 1 h:1"), None),
        (b"MOVED 3999 h:1", None),
        (None, None),
    ],
)
def test_redirects(reply, expected):
    assert redirect_of(reply, "asked") == expected


# ---- epochs of all primaries


def test_the_epoch_of_a_cluster_is_that_of_all_its_primaries():
    roster = Roster()
    assert roster.epoch == b""
    roster.found(Topology(OWNERS, replicas=False, epoch=1))
    roster.learned(A, b"a")
    assert roster.epoch == b""  # one is not known
    roster.learned(B, b"b")
    epoch = roster.epoch
    assert epoch
    roster.lost(A)
    assert roster.epoch == epoch  # until something else is known
    roster.learned(A, b"a")
    assert roster.epoch == epoch
    roster.learned(A, b"another")
    assert roster.epoch != epoch
    roster.learned(A, b"a")
    roster.learned(C, b"c")
    assert roster.epoch == epoch  # it has no slots
    roster.found(Topology([A] * 8000 + [B] * 8000 + [C] * 384, replicas=False, epoch=2))
    assert roster.epoch not in {b"", epoch}
    roster.learned(C, b"")
    assert roster.epoch == b""


def test_slots_move_between_primaries_within_an_epoch():
    roster = Roster()
    roster.found(Topology(OWNERS, replicas=False, epoch=1))
    roster.learned(A, b"a")
    roster.learned(B, b"b")
    epoch = roster.epoch
    roster.found(Topology(OWNERS[::-1], replicas=False, epoch=2))
    assert roster.epoch == epoch


def test_a_session_notes_nothing_that_it_could_not_hold_against_what_comes():
    """A write under an epoch that is not known yet would be forgotten without a word."""
    roster = Roster()
    roster.found(Topology(OWNERS, replicas=False, epoch=1))
    roster.learned(A, b"a")
    feed = NodeFeed(A, roster, 0.0, bool)
    feed.own_epoch = b"a"
    session = Session()
    written = Versioned(7, b"x", None, None, feed)
    with pytest.raises(ConsistencyUnavailableError, match="all primaries"):
        Replica.wrote(session, b"k", written)
    with pytest.raises(ConsistencyUnavailableError, match="all primaries"):
        Replica().advanced(session, (b"t",), [Count(7, None, feed)])
    for level in (CacheConsistencyLevel.SESSION, CacheConsistencyLevel.MONOTONIC):
        with pytest.raises(ConsistencyUnavailableError, match="all primaries"):
            next(Replica().judge(b"k", written, feed, level, session, lambda _: {}))
    assert session.epoch is None
    roster.learned(B, b"b")
    Replica.wrote(session, b"k", written)
    assert session.epoch == roster.epoch != b""
    roster.found(Topology([A] * 8000 + [C] * (SLOTS - 8000), replicas=False, epoch=2))
    with pytest.raises(ConsistencyUnavailableError):
        Replica.wrote(session, b"k", written)
    roster.learned(C, b"c")
    with pytest.raises(EpochChangedError):
        Replica.wrote(session, b"k", written)


def test_a_joint_feed_is_as_good_as_the_worst_of_its_feeds():
    roster = Roster()
    roster.found(Topology(OWNERS, replicas=False, epoch=1))
    one, two, three = (NodeFeed(where, roster, 5.0, bool) for where in (A, B, C))
    joint = JointFeed([one, two])
    assert joint.covers(one)
    assert joint.covers(two)
    assert not joint.covers(three)
    assert joint.covers(JointFeed([two]))
    assert not joint.covers(JointFeed([one, three]))
    two.confirmed = 3.0
    assert joint.confirmed == 3.0
    assert joint.live
    two.lose()
    assert not joint.live
    assert not JointFeed([]).live
    assert not JointFeed([]).covers(one)


# ---- courses, step by step


class Link:
    """A connection that is open; what is sent on it is answered by hand."""

    def __init__(self, where, roster):
        self.session = NodeSession(where, roster, bool, lambda: 0.0)
        self.left = False

    def current(self):
        return self.session

    def retire(self, reason):
        self.left = True


class Links(dict):
    def __init__(self, roster):
        self.roster = roster

    def of(self, where):
        return self.setdefault(where, Link(where, self.roster))

    def leave(self, those):
        for where in those:
            self.of(where).retire("")


def make_buckets():
    clock = ManualClock(epoch=1e9)

    def fail(detail):
        raise AssertionError(detail)

    return Buckets(
        "x",
        lambda names: Operations(names, clock, 1000, fail),
        lambda names: Coherence(names, clock, 1000, 60.0, fail),
    )


class Member:
    """Carries a course out against replies that are written down, by the place of a command."""

    def __init__(self):
        self.roster = Roster()
        self.roster.found(Topology(OWNERS, replicas=False, epoch=1))
        self.links = Links(self.roster)
        self.course = Course(self.roster, [A], self.links, self.no_epoch)
        self.operations = ClusterOperations(make_buckets())
        self.log = []
        self.paused = 0.0
        self.looks = 0

    @staticmethod
    def no_epoch():
        raise AssertionError

    def carry_out(self, split, answer):
        """Have `answer(where, command)` reply to each command; log all but the introduction."""
        steps = self.course.run(split, 1e12)
        sent = None
        while True:
            try:
                step = steps.send(sent)
            except StopIteration as end:
                return end.value
            assert not isinstance(step, Connect)
            if isinstance(step, Pause):
                self.paused += step.seconds
                sent = None
                continue
            assert isinstance(step, Send)
            sent = [self.outcome(session, request, answer) for session, request in step.requests]

    def outcome(self, session, request, answer):
        reader = hiredis.Reader()
        reader.feed(request.payload)
        replies = []
        asking = False
        for _ in range(request.count):
            command = reader.gets()
            if command[0] == b"CLIENT":
                replies.append(b"OK")
            elif command[0] == b"ASKING":
                asking = True
                replies.append(b"OK")
                continue
            elif command[0] == b"CLUSTER":
                self.looks += command[1] == b"SLOTS"
                replies.append(answer(session.where, command))
            elif b":g:" in command[1] and command[0] == b"GET":
                replies.append(b"7")
            else:
                self.log.append((session.where, [b"ASKING"] * asking + command[:2]))
                reply = answer(session.where, command)
                if isinstance(reply, CutOffError):
                    return reply
                replies.append(reply)
            asking = False
        if request.on_replies is not None:
            request.on_replies(replies)
        return replies


@pytest.fixture
def member():
    return Member()


def key_of(where, start=0):
    """Return a key that a primary has, by `OWNERS`."""
    number = start
    while OWNERS[bucket_slot("x", bucket_of(b"%d" % number))] is not where:
        number += 1
    return b"%d" % number


def cluster_answers(command):
    return {
        b"SLOTS": slots_reply(),
        b"NODES": NODES % b"master",
        b"INFO": INFO % b"ok",
    }[command[1]]


def test_keys_go_to_those_who_have_their_slots(member):
    mine, yours = key_of(A), key_of(B)

    def answer(where, command):
        return [None] * (len(command) - 1) if command[0] == b"MGET" else None

    assert member.carry_out(member.operations.get([mine, yours, mine]), answer) == [None] * 3
    assert {where for where, command in member.log if command[1].endswith(b"}" + mine)} == {A}
    assert {where for where, command in member.log if command[1].endswith(b"}" + yours)} == {B}


def test_a_command_that_was_moved_is_done_once_and_the_rest_are_not_done_again(member):
    first = key_of(A)
    beside = next(
        b"%d" % number
        for number in range(10**6)
        if bucket_of(b"%d" % number) == bucket_of(first) and b"%d" % number != first
    )

    def answer(where, command):
        if command[0] == b"CLUSTER":
            return cluster_answers(command)
        if where == A and command[1].endswith(b"}" + beside):
            return ERROR("MOVED 1 h:2")
        return b"OK"

    records = [TierRecord(first, b"1"), TierRecord(beside, b"2")]
    assert member.carry_out(member.operations.put(records), answer) == [True, True]
    assert [where for where, command in member.log if command[1].endswith(b"}" + first)] == [A]
    assert [where for where, command in member.log if command[1].endswith(b"}" + beside)] == [A, B]
    assert member.roster.due  # somebody looks next


def test_ask_is_followed_for_this_once(member):
    key = key_of(A)

    def answer(where, command):
        return ERROR("ASK 1 h:2") if where == A else None

    for _ in range(2):
        assert member.carry_out(member.operations.get([key]), answer) == [None]
    assert [(where, command[0]) for where, command in member.log] == [
        (A, b"GET"),
        (B, b"ASKING"),
    ] * 2
    assert not member.roster.due


def test_members_that_disagree_for_ever_are_given_up(member):
    key = key_of(A)

    def answer(where, command):
        if command[0] == b"CLUSTER":
            return cluster_answers(command)
        return ERROR(f"MOVED 1 h:{2 if where == A else 1}")

    with pytest.raises(TierUnavailableError, match="to and fro"):
        member.carry_out(member.operations.get([key]), answer)
    assert len(member.log) < 20
    assert 0.5 < member.paused < 10.0


def test_mget_of_a_slot_on_its_way_is_taken_apart(member):
    keys = [key_of(A)]
    keys += [
        b"%d" % number
        for number in range(10**5)
        if bucket_of(b"%d" % number) == bucket_of(keys[0]) and b"%d" % number != keys[0]
    ][:2]

    def answer(where, command):
        if command[0] == b"MGET":
            return ERROR("TRYAGAIN Multiple keys request during rehashing of slot")
        if where == A and command[1].endswith(b"}" + keys[1]):
            return ERROR("ASK 1 h:2")
        return None

    assert member.carry_out(member.operations.get(keys), answer) == [None] * 3
    assert [where for where, _ in member.log] == [A, A, A, A, B]


def test_what_was_cut_off_behind_a_redirect_may_have_been_done(member):
    key = key_of(A)

    def answer(where, command):
        return ERROR("ASK 1 h:2") if where == A else CutOffError("cut")

    with pytest.raises(CutOffError):
        member.carry_out(member.operations.put([TierRecord(key, b"1")]), answer)
    assert [where for where, _ in member.log] == [A, B]  # and not once more


def test_all_parts_are_done_though_one_fails(member):
    mine, yours = key_of(A), key_of(B)

    def answer(where, command):
        return ERROR("CLUSTERDOWN it is") if where == A else b"OK"

    with pytest.raises(TierUnavailableError, match="CLUSTERDOWN"):
        member.carry_out(
            member.operations.put([TierRecord(mine, b"1"), TierRecord(yours, b"2")]), answer
        )
    assert {where for where, _ in member.log} == {A, B}


def test_who_is_behind_the_others_is_not_believed(member):
    asked = []

    def answer(where, command):
        if command[0] == b"CLUSTER":
            asked.append(where)
            found = cluster_answers(command)
            return (
                INFO.replace(b"7", b"0") % b"ok" if where == A and command[1] == b"INFO" else found
            )
        return None

    member.roster.suspect(surely=True)
    for where in (A, B):
        member.links.of(where)
    member.links[A].session.exchange.heard += 100  # so that it is asked first
    member.carry_out(member.operations.get([key_of(B)]), answer)
    assert asked[:3] == [A] * 3
    assert asked[3:] == [B] * 3
    assert member.roster.topology.epoch == 7


def test_connections_to_those_who_lost_their_slots_end(member):
    member.roster.found(Topology([A] * 8000 + [C] * (SLOTS - 8000), replicas=False, epoch=1))
    member.roster.suspect(surely=True)

    def answer(where, command):
        return cluster_answers(command) if command[0] == b"CLUSTER" else None

    member.carry_out(member.operations.get([key_of(A)]), answer)
    assert member.links.of(C).left
    assert not member.links.of(A).left


def test_what_a_lost_connection_knew_of_buckets_is_let_go():
    session = NodeSession(A, Roster(), bool, lambda: 0.0)
    view = weakref.ref(session.view(b"sj:x:g{1}"))
    session.exchange.lose(lambda: TierUnavailableError("it is gone"))
    gc.collect()
    assert view() is None


def test_a_message_about_one_bucket_voids_that_alone():
    roster = Roster()
    told = []
    session = NodeSession(A, roster, told.append, lambda: 0.0)
    one, two = session.view(b"g1"), session.view(b"g2")
    session._pushed([b"invalidate", [b"g1"]])  # it was not known: nothing goes by it
    assert told == []
    session._pushed([b"invalidate", [b"g1", b"key"]])
    assert told == [[b"key"]]
    one.generation = two.generation = 7
    assert isinstance(session.exchange, Exchange)
    watch = session.feed.watch(b"anything")
    session._pushed([b"invalidate", [b"g1"]])
    assert (one.generation, two.generation) == (None, 7)
    assert not watch.live
    session._pushed([b"invalidate", None])
    assert two.generation is None


# ---- arguments


@pytest.mark.parametrize(
    "url", ["unix:///run/redis.sock", "redis://h/1", "unix://u:p@/r.sock?db=0"]
)
def test_what_no_cluster_has(url):
    with pytest.raises(InvalidArgumentError, match="cluster"):
        RedisTier(url, cluster=True)


def test_several_hosts_are_members_of_a_cluster():
    with pytest.raises(InvalidArgumentError, match="cluster=True"):
        RedisTier("redis://one,two")
    with RedisTier("redis://u:p@one:1,two", cluster=True) as tier:
        assert tier._service._seeds == [Where("one", 1), Where("two", 6379)]


def test_a_layer_on_a_cluster_makes_such_a_tier():
    with pytest.raises(InvalidArgumentError, match="cluster"):
        Redis("redis://h/1", cluster=True).tier_for("x", None, Events())


# ---- members that have left


def settings():
    return Settings(parse("redis://localhost:1", None), "redis", "test", b"x", 1.0, 1.0)


def test_connections_to_members_that_have_left_are_forgotten():
    cluster = ThreadCluster(settings(), lambda _: settings(), lambda _: None)
    link = cluster.of(A)
    cluster.of(B)
    cluster.leave([A, C])
    assert set(cluster._links) == {B}
    with pytest.raises(TierUnavailableError, match="no slots"):
        link.connected(monotonic() + 1.0)
    assert cluster.of(A) is not link
    cluster.close()


def test_those_of_an_event_loop_are_forgotten_too():
    async def main():
        cluster = LoopCluster(settings(), lambda _: settings(), lambda _: None)
        link = cluster.of(A)
        waiting = asyncio.create_task(link.connected(monotonic() + 5.0))
        await asyncio.sleep(0)  # it is being opened
        cluster.of(B)
        cluster.leave([A, C])
        assert set(cluster._links) == {B}
        with pytest.raises(TierUnavailableError, match="no slots"):
            await waiting
        assert link.session is None
        assert cluster.of(A) is not link
        cluster.close()
        await cluster.closed()

    asyncio.run(main())


def test_epochs_of_members_that_have_left_are_asked_for_again():
    roster = Roster()
    roster.found(Topology([A, B], replicas=False, epoch=1))
    roster.learned(A, b"a")
    roster.learned(B, b"b")
    before = roster.epoch
    assert before
    roster.found(Topology([B, B], replicas=False, epoch=2))
    assert roster.epoch not in {before, b""}
    roster.found(Topology([A, B], replicas=False, epoch=3))
    assert roster.epoch == b""
    assert roster.unacquainted() == [A]
    roster.learned(A, b"a")
    assert roster.epoch == before
