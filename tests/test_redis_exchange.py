"""The core of a connection without any socket: every request gets its own answer, or none."""

from __future__ import annotations

import random

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.errors import TierClosedError, TierUnavailableError
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.backoff import Backoff
from scrubjay.tiers._redis.exchange import Exchange, Request
from scrubjay.tiers._redis.failures import CutOffError, UnsentError

pytestmark = pytest.mark.any_build


class Waiting:
    def __init__(self):
        self.cancelled = False
        self.results = []

    def done(self):
        return self.cancelled or bool(self.results)

    def set_result(self, result):
        assert not self.done()
        self.results.append(result)


class Server:
    """Answers every command with what it was asked; knows nothing of requests."""

    def __init__(self):
        self.reader = hiredis.Reader(notEnoughData=wire.MORE)
        self.output = b""
        self.seen = []

    def take(self, data):
        self.reader.feed(data)
        while (command := self.reader.gets()) is not wire.MORE:
            self.seen.append(command[1])
            self.output += b"$%d\r\n%b\r\n" % (len(command[1]), command[1])

    def push(self, text):
        self.output += b">2\r\n+invalidate\r\n*1\r\n$%d\r\n%b\r\n" % (len(text), text)


def late():
    return TierUnavailableError("late")


def gone():
    return TierUnavailableError("gone")


class Play:
    """An exchange and a server, driven step by step."""

    def __init__(self):
        self.now = 0.0
        self.pushes = []
        self.exchange = Exchange(self.pushes.append, self.now)
        self.server = Server()
        self.asked = []

    def ask(self, count, patience):
        number = len(self.asked)
        words = [b"%d.%d" % (number, part) for part in range(count)]
        request = Request(
            wire.encode([(b"ECHO", one) for one in words]), count, self.now + patience
        )
        waiter = Waiting()
        self.asked.append((words, waiter))
        self.exchange.submit(request, waiter)
        return waiter

    def deliver(self, size):
        data, self.server.output = self.server.output[:size], self.server.output[size:]
        if data:
            self.exchange.receive(data, self.now)

    def check(self):
        for words, waiter in self.asked:
            for result in waiter.results:
                if isinstance(result, list):
                    assert result == words
                else:
                    assert isinstance(result, TierUnavailableError)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 4), st.integers(1, 10)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("write")),
        st.tuples(st.just("deliver"), st.integers(1, 60)),
        st.tuples(st.just("push")),
        st.tuples(st.just("wait"), st.integers(1, 5)),
    ),
    max_size=60,
)


@given(steps, st.booleans())
def test_every_request_gets_its_own_answer(played, cut):
    play = Play()
    pushed = 0
    for step, *more in played:
        if step == "ask":
            play.ask(*more)
        elif step == "cancel" and play.asked:
            play.asked[more[0] % len(play.asked)][1].cancelled = True
            play.exchange.abandoned = True
        elif step == "write":
            play.server.take(play.exchange.take(play.now))
        elif step == "deliver":
            play.deliver(more[0])
        elif step == "push":
            play.server.push(b"%d" % pushed)
            pushed += 1
        elif step == "wait":
            play.now += more[0]
            play.exchange.expire(play.now, late)
        play.check()
    if cut:
        play.exchange.lose(gone)
    else:
        play.server.take(play.exchange.take(play.now))
        play.deliver(1 << 20)
        assert play.exchange.idle
        assert [push[1] for push in play.pushes] == [[b"%d" % number] for number in range(pushed)]
    play.check()
    for words, waiter in play.asked:
        assert waiter.done()
        if not cut and not waiter.cancelled and isinstance(waiter.results[0], list):
            assert all(word in play.server.seen for word in words)


def test_what_was_given_up_before_it_was_written_never_happens():
    play = Play()
    play.ask(1, 5)
    play.ask(1, 1)
    play.ask(1, 5).cancelled = True
    play.exchange.abandoned = True
    play.now = 2.0
    assert play.exchange.expire(play.now, late) == 5.0
    play.server.take(play.exchange.take(play.now))
    assert play.server.seen == [b"0.0"]


def test_a_late_reply_is_dropped_and_the_next_goes_to_the_next():
    play = Play()
    first, second = play.ask(1, 1), play.ask(1, 9)
    play.server.take(play.exchange.take(play.now))
    play.now = 1.0
    assert play.exchange.expire(play.now, late) == 9.0
    assert str(first.results[0]) == "late"
    play.deliver(1000)
    assert (len(first.results), second.results) == (1, [[b"1.0"]])


def test_a_loss_tells_the_written_from_the_unwritten():
    play = Play()
    written = play.ask(1, 9)
    play.exchange.take(play.now)
    unwritten = play.ask(1, 9)
    play.exchange.lose(gone)
    play.exchange.lose(late)  # has no effect
    assert type(written.results[0]) is CutOffError
    assert type(unwritten.results[0]) is UnsentError
    after = play.ask(1, 9)
    assert type(after.results[0]) is UnsentError
    assert str(after.results[0]) == "gone"
    assert play.exchange.take(play.now) == b""


def test_a_closed_tier_is_no_outage():
    play = Play()
    waiter = play.ask(1, 9)
    play.exchange.take(play.now)
    play.exchange.lose(lambda: TierClosedError("closed"))
    assert type(waiter.results[0]) is TierClosedError


@pytest.mark.parametrize("junk", [b"HTTP/1.1 400 Bad Request\r\n", b"+OK\r\n+OK\r\n", b"\0\r\n"])
def test_what_nobody_asked_for_ends_the_connection(junk):
    play = Play()
    waiter = play.ask(1, 9)
    play.exchange.take(play.now)
    play.exchange.receive(junk, play.now)
    assert play.exchange.lost
    assert waiter.done()


def test_a_push_between_replies_marks_where_it_came():
    play = Play()
    words = [b"a", b"b", b"c"]
    request = Request(wire.encode([(b"ECHO", one) for one in words]), 3, 9.0)
    unwritten = Request(wire.encode([(b"ECHO", b"d")]), 1, 9.0)
    play.exchange.submit(request, Waiting())
    data = play.exchange.take(play.now)
    play.exchange.submit(unwritten, Waiting())
    play.server.take(data)
    play.exchange._on_push = lambda push: play.exchange.cross()
    first, rest = play.server.output[:7], play.server.output[7:]
    play.server.output = first
    play.server.push(b"key")
    play.server.output += rest
    play.deliver(1000)
    assert (request.crossed, unwritten.crossed) == (1, 0)
    assert request.replies == words


def test_a_connection_is_stalled_only_while_something_is_awaited():
    play = Play()
    play.now = 100.0
    assert not play.exchange.stalled(play.now, 2.0)
    play.ask(1, 9)
    play.exchange.take(play.now)
    assert not play.exchange.stalled(101.9, 2.0)
    assert play.exchange.stalled(102.0, 2.0)


def test_delays_double_up_to_a_bound_and_are_spread():
    backoff = Backoff(0.1, 1.0, random.Random(1))
    assert backoff.left(0.0) == 0.0
    seen = []
    for _ in range(8):
        backoff.failed(50.0)
        seen.append(backoff.left(50.0))
    for number, delay in enumerate(seen):
        full = min(1.0, 0.1 * 2**number)
        assert full / 2 <= delay <= full
    assert len(set(seen)) == 8
    assert backoff.left(51.0) <= 0.0
    backoff.succeeded()
    assert backoff.left(50.0) == 0.0
