"""Versions, leases and barriers on the wire, without a server: each reply, push and loss by hand."""

from __future__ import annotations

import struct
import zlib

import hiredis
import pytest

from scrubjay.clock import ManualClock
from scrubjay.errors import ConsistencyUnavailableError, TierError, TierUnavailableError
from scrubjay.tiers import TierRecord
from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.exchange import Exchange, Request, Shared
from scrubjay.tiers._redis.failures import CutOffError, UnsentError
from scrubjay.tiers._redis.operations import CONNECT, Names
from scrubjay.tiers._redis.session import Session
from scrubjay.versions import Token

pytestmark = pytest.mark.any_build

A = TierRecord(b"a", b"A")
NAME = b"sj:x:v:{.a}"
OK = b"+OK\r\n"
NONE = b"_\r\n"
PONG = b"+PONG\r\n"
CLEARED = b">2\r\n+invalidate\r\n*1\r\n$6\r\nsj:x:g\r\n"
CHANGED = b">2\r\n+invalidate\r\n*1\r\n$%d\r\n%b\r\n" % (len(NAME), NAME)
LEARNED = OK + b"$1\r\n8\r\n"
NOSCRIPT = b"-NOSCRIPT No matching script\r\n"
LOADED = b"$1\r\nx\r\n" * 5
FORGOTTEN = OK + NOSCRIPT + OK + b"$0\r\n\r\n"


def bulk(data):
    return b"$%d\r\n%b\r\n" % (len(data), data)


def number(value):
    return b":%d\r\n" % value


def record(value=b"A", version=50, kind=0x11, generation=7, key=b"a"):
    head = struct.pack(">QB3xIQd", version, kind, zlib.crc32(key), generation, float("inf"))
    return bulk(head + value)


def written(version=50, found=None):
    """Return the replies to a write."""
    return OK + number(version) + OK + bulk((found or version).to_bytes(8, "big"))


class Waiting:
    def __init__(self):
        self.result = None

    def done(self):
        return self.result is not None

    def set_result(self, result):
        self.result = result


class Script:
    """Carries an operation out, step by step, against replies that are written down."""

    def __init__(self):
        self.told = []
        names = Names("x")
        self.coherence = Coherence(names, ManualClock(epoch=1e9), 1000, 60.0, self.told.append)
        self.session = Session(names.generation, self.told.append)
        self.session.generation = 7
        self.session.beating = True
        self.session.feed.epoch = b"epoch"

    def begin(self, operation):
        self.operation = operation
        assert next(operation) is CONNECT
        return self.go(self.session)

    def go(self, answer):
        step = self.operation.send(answer)
        while step is CONNECT:
            step = self.operation.send(self.session)
        return self.sent(step)

    def sent(self, step):
        assert isinstance(step, Request)
        self.waiting = Waiting()
        self.session.exchange.submit(step, self.waiting)
        reader = hiredis.Reader()
        reader.feed(self.session.exchange.take(0.0))
        commands = []
        while (command := reader.gets()) is not False:
            commands.append(command)
        assert len(commands) == step.count
        return commands

    def answer(self, data):
        """Let bytes come; return what is sent next."""
        self.session.exchange.receive(data, 0.0)
        return self.go(self.waiting.result)

    def end(self, data):
        """Let bytes come that end the operation; return its result."""
        self.session.exchange.receive(data, 0.0)
        with pytest.raises(StopIteration) as caught:
            self.operation.send(self.waiting.result)
        return caught.value.value

    def lose(self, error):
        """Have the connection lost; return what is sent on the next."""
        step = self.operation.throw(error("lost"))
        assert step is CONNECT
        return self.sent(self.operation.send(self.session))


@pytest.fixture
def script():
    return Script()


def generation_of(command):
    return int.from_bytes(command[2][16:24], "big")


# ---- the order of replies and pushes


def test_a_watch_begins_with_the_reply(script):
    sent = script.begin(script.coherence.fetch([b"a"], []))
    assert sent == [[b"CLIENT", b"CACHING", b"YES"], [b"GET", NAME]]
    fetched = script.end(CHANGED + OK + record())  # before the reply: of no concern
    assert fetched.records[0].watch.live
    script.session.exchange.receive(CHANGED, 0.0)
    assert not fetched.records[0].watch.live


def test_a_push_right_behind_the_reply_ends_it_before_anybody_has_it(script):
    script.begin(script.coherence.fetch([b"a"], []))
    assert not script.end(OK + record() + CHANGED).records[0].watch.live


def test_a_value_of_ones_own_is_watched_if_nothing_came_in_between(script):
    sent = script.begin(script.coherence.write(A))
    assert [command[0] for command in sent] == [b"SET", b"EVALSHA", b"CLIENT", b"GETRANGE"]
    # The change of one's own is told before the last reply, and concerns an older watch.
    before = script.session.feed.watch(NAME)
    done = script.end(OK + number(50) + CHANGED + OK + bulk((50).to_bytes(8, "big")))
    assert done.version == 50
    assert done.watch.live
    assert not before.live


def test_a_value_that_was_overtaken_at_once_is_not_watched(script):
    script.begin(script.coherence.write(A))
    assert script.end(written(50, found=51)).watch is None
    script.begin(script.coherence.write(A))
    assert script.end(OK + number(60) + OK + bulk(b"")).watch is None  # it is gone


def test_what_was_written_after_a_clear_is_written_again(script):
    sent = script.begin(script.coherence.write(A))
    assert generation_of(sent[0]) == 7
    asked = script.answer(OK + CLEARED + number(50) + OK + bulk(b""))
    assert asked[1] == [b"GET", b"sj:x:g"]
    assert generation_of(script.answer(LEARNED)[0]) == 8
    assert script.end(written(60)).watch.live


def test_what_was_written_before_a_clear_is_not_watched(script):
    script.begin(script.coherence.write(A))
    done = script.end(OK + number(50) + CLEARED + OK + bulk((50).to_bytes(8, "big")))
    assert done.version == 50
    assert done.watch is None


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_clear_voids_what_is_being_filled(script, at):
    script.begin(script.coherence.fill(A, Token(40, 7, b"me")))
    replies = [OK, number(50), OK + bulk((50).to_bytes(8, "big"))]
    replies.insert(at, CLEARED)
    assert script.end(b"".join(replies)) is None


def test_a_lease_from_before_a_clear_fills_nothing(script):
    sent = script.begin(script.coherence.fill(A, Token(40, 6, b"me")))
    assert generation_of(sent[0]) == 6  # so what is stored is void whatever comes of it
    assert script.end(written(50)) is None


def test_a_lease_that_a_clear_crosses_is_asked_for_again(script):
    script.begin(script.coherence.lease(b"a", b"me", 5.0))
    granted = b"*3\r\n:2\r\n:50\r\n:0\r\n" + OK + record(b"me", 50, 0x13)
    asked = script.answer(CLEARED + granted)
    assert asked[1] == [b"GET", b"sj:x:g"]
    assert script.answer(LEARNED)[0][0] == b"EVALSHA"
    granted = b"*3\r\n:2\r\n:60\r\n:0\r\n" + OK + record(b"me", 60, 0x13, generation=8)
    lease = script.end(granted)
    assert lease.token == Token(60, 8, b"me")
    assert lease.found.watch.live


def test_what_was_read_before_a_clear_counts_by_the_generation_after_it(script):
    script.begin(script.coherence.fetch([b"a"], []))
    asked = script.answer(OK + record() + CLEARED)
    assert asked[1] == [b"GET", b"sj:x:g"]
    fetched = script.end(LEARNED)
    assert fetched.records[0].value is None
    assert not fetched.records[0].watch.live


def test_a_generation_that_is_missing_is_made(script):
    script.begin(script.coherence.fetch([], [b"t"]))
    made = script.answer(OK + NONE)
    assert made[0][:2] == [b"SET", b"sj:x:c:t"]
    assert made[0][-1] == b"NX"
    assert script.answer(OK)[1] == [b"GET", b"sj:x:c:t"]
    (count,) = script.end(OK + b"$2\r\n99\r\n").counts
    assert count.value == 99
    assert count.watch.live


def test_a_generation_begun_by_another_just_after_ours_is_not_watched(script):
    script.begin(script.coherence.advance([b"t"]))
    (count,) = script.end(OK + number(8) + OK + bulk(b"9"))
    assert (count.value, count.watch) == (8, None)


# ---- losses


@pytest.mark.parametrize("name", ["fetch", "lease", "release", "advance", "barrier"])
def test_what_does_no_harm_is_repeated_once_after_a_cut(script, name):
    given = {
        "fetch": ([b"a"], []),
        "lease": (b"a", b"me", 5.0),
        "release": (b"a", Token(40, 7, b"me")),
        "advance": ([b"t"],),
        "barrier": (),
    }[name]
    sent = script.begin(getattr(script.coherence, name)(*given))
    script.session.exchange.receive(b"", 0.0)
    script.session.exchange._sent.clear()
    script.session.exchange._joined = None
    again = script.lose(CutOffError)
    assert [command[:2] for command in again] == [command[:2] for command in sent]
    with pytest.raises(CutOffError):
        script.operation.throw(CutOffError("lost again"))


@pytest.mark.parametrize("name", ["write", "delete", "fill"])
def test_a_write_that_may_have_been_done_is_not_repeated(script, name):
    given = {"write": (A,), "delete": ([b"a"],), "fill": (A, Token(40, 7, b"me"))}[name]
    operation = getattr(script.coherence, name)
    script.begin(operation(*given))
    with pytest.raises(CutOffError):
        script.operation.throw(CutOffError("lost"))
    sent = script.begin(operation(*given))
    assert len(script.lose(UnsentError)) == len(sent)  # none of it was written
    with pytest.raises(UnsentError):
        script.operation.throw(UnsentError("lost again"))


def test_scripts_that_the_server_has_forgotten_are_told_it_once(script):
    script.begin(script.coherence.write(A))
    loading = script.answer(FORGOTTEN)
    assert [command[:2] for command in loading] == [[b"SCRIPT", b"LOAD"]] * 5
    assert script.answer(LOADED)[0][0] == b"SET"
    script.session.exchange.receive(FORGOTTEN, 0.0)
    with pytest.raises(TierError, match="NOSCRIPT"):
        script.operation.send(script.waiting.result)


def test_a_replica_takes_no_writes(script):
    script.begin(script.coherence.delete([b"a"]))
    script.session.exchange.receive(b"-READONLY You can't write\r\n", 0.0)
    with pytest.raises(TierUnavailableError, match="replica"):
        script.operation.send(script.waiting.result)


@pytest.mark.parametrize("reply", [b"-ERR no\r\n", b"$3\r\nabc\r\n", b"*0\r\n"])
@pytest.mark.parametrize("name", ["delete", "lease", "release", "advance"])
def test_replies_that_make_no_sense(script, name, reply):
    given = {
        "delete": ([b"a"],),
        "lease": (b"a", b"me", 5.0),
        "release": (b"a", Token(40, 7, b"me")),
        "advance": ([b"t"],),
    }[name]
    after = {"lease": OK + NONE, "advance": OK + bulk(b"9")}.get(name, b"")
    before = OK if name == "advance" else b""
    script.begin(getattr(script.coherence, name)(*given))
    script.session.exchange.receive(before + reply + after, 0.0)
    with pytest.raises(TierError):
        script.operation.send(script.waiting.result)


def test_nothing_is_asked_for_nothing(script):
    for operation in (script.coherence.delete([]), script.coherence.advance([])):
        with pytest.raises(StopIteration) as caught:
            next(operation)
        assert caught.value.value == []
    operation = script.coherence.fetch([], [])
    assert next(operation) is CONNECT
    with pytest.raises(StopIteration) as caught:
        operation.send(script.session)
    assert caught.value.value == ([], [], script.session.feed)


def test_a_value_that_is_too_large_removes_what_there_was(script):
    (command,) = script.begin(script.coherence.write(TierRecord(b"a", b"x" * 1001)))
    assert command[3] == NAME
    assert script.end(number(50)).version == 50
    (command,) = script.begin(
        script.coherence.fill(TierRecord(b"a", b"x" * 1001), Token(40, 7, b"me"))
    )
    assert command[4] == (40).to_bytes(8, "big")
    assert script.end(number(1)) is None


# ---- what a connection tells of its server

STANDING = b"role:%b\r\nconnected_slaves:%d\r\nmaster_replid:%b\r\n"


def beginning(session, role=b"master", replicas=0, history=b"h", sentinels=0):
    handshake = session.watching()
    waiting = Waiting()
    session.exchange.submit(next(handshake), waiting)
    session.exchange.take(0.0)
    session.exchange.receive(
        bulk(STANDING % (role, replicas, history)) + b"*2\r\n+x\r\n" + number(sentinels), 0.0
    )
    with pytest.raises(StopIteration):
        handshake.send(waiting.result)


@pytest.mark.parametrize(
    ("what", "fine"),
    [
        ({}, True),
        ({"role": b"slave"}, False),
        ({"replicas": 1}, False),
        ({"sentinels": 2}, False),
        ({"history": b""}, False),
    ],
)
def test_whom_barriers_are_refused(what, fine):
    session = Session(b"g")
    session.run_id = b"run"
    beginning(session, **what)
    if fine:
        session.feed.check_strong()
    else:
        with pytest.raises(ConsistencyUnavailableError):
            session.feed.check_strong()


@pytest.mark.parametrize(
    ("role", "history", "same"),
    [(b"master", b"h", True), (b"slave", b"h", False), (b"master", b"other", False)],
)
def test_a_heartbeat_notices_another_role_or_history(role, history, same):
    times = iter([10.0, 20.0])
    session = Session(b"g", now=lambda: next(times))
    session.run_id = b"run"
    beginning(session)
    watch = session.feed.watch(b"a")
    session.exchange.submit(session.heartbeat(99.0), Waiting())
    session.exchange.take(0.0)
    session.exchange.receive(bulk(STANDING % (role, 0, history)), 0.0)
    assert watch.live is session.feed.live is same
    assert session.outdated is not same
    assert session.feed.confirmed == (20.0 if same else 10.0)


# ---- requests that several share


def exchange():
    return Exchange(list, 0.0)


def join(one, deadline=5.0):
    waiting = Waiting()
    one.submit(Shared(b"*1\r\n$4\r\nPING\r\n", 1, deadline), waiting)
    return waiting


def test_all_who_come_before_it_is_written_share_one():
    one = exchange()
    waiting = [join(one) for _ in range(3)]
    assert one.take(0.0).count(b"PING") == 1
    one.receive(PONG, 0.0)
    assert [len(each.result) for each in waiting] == [1] * 3


def test_who_comes_later_gets_the_next_which_is_held_back():
    one = exchange()
    first = join(one)
    one.take(0.0)
    later = [join(one) for _ in range(3)]
    assert one.take(0.0) == b""
    one.receive(PONG, 0.0)
    assert first.result
    assert not any(each.done() for each in later)
    assert one.take(0.0).count(b"PING") == 1
    one.receive(PONG, 0.0)
    assert all(each.result for each in later)


def test_other_requests_are_not_held_back():
    one = exchange()
    join(one)
    one.take(0.0)
    join(one)
    other = Waiting()
    one.submit(Request(b"other", 1, 5.0), other)
    assert one.take(0.0) == b"other"


def test_what_nobody_waits_for_any_more_is_not_sent():
    one = exchange()
    gone = join(one)
    gone.set_result("gone")
    one.abandoned = True
    assert one.take(0.0) == b""
    waiting = join(one)
    assert one.take(0.0).count(b"PING") == 1
    one.receive(PONG, 0.0)
    assert waiting.result


@pytest.mark.parametrize("written", [False, True])
def test_a_loss_is_told_to_all(written):
    one = exchange()
    first = join(one)
    if written:
        one.take(0.0)
    second = join(one)
    one.lose(lambda: TierUnavailableError("lost"))
    assert isinstance(first.result, CutOffError if written else UnsentError)
    assert isinstance(second.result, UnsentError)
    assert isinstance(join(one).result, UnsentError)


def test_the_one_that_is_held_back_has_a_deadline_too():
    one = exchange()
    join(one, 9.0)
    one.take(0.0)
    late = join(one, 5.0)
    assert one.expire(4.0, lambda: TierUnavailableError("late")) == 5.0
    assert one.expire(6.0, lambda: TierUnavailableError("late")) == 9.0
    assert isinstance(late.result, TierUnavailableError)
    new = join(one, 20.0)
    one.receive(PONG, 7.0)
    assert one.take(7.0).count(b"PING") == 1
    one.receive(PONG, 7.0)
    assert new.result
