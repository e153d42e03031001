"""The decisions of the Redis tier, without a server: each reply, push and loss by hand."""

from __future__ import annotations

import hiredis
import pytest

from scrubjay.clock import ManualClock
from scrubjay.errors import TierError, TierFullError, TierUnavailableError
from scrubjay.tiers import TierRecord
from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.exchange import NOBODY, Request
from scrubjay.tiers._redis.failures import CutOffError, UnsentError
from scrubjay.tiers._redis.operations import CONNECT, Names, Operations
from scrubjay.tiers._redis.session import Session

pytestmark = pytest.mark.any_build

A, B, C = (TierRecord(key, key.upper()) for key in (b"a", b"b", b"c"))
CLEARED = b">2\r\n+invalidate\r\n*1\r\n$6\r\nsj:x:g\r\n"
NONE = b"_\r\n"
OK = b"+OK\r\n"
LEARNED = OK + b"$1\r\n8\r\n"


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
        names = Names("x")
        self.operations = Operations(names, ManualClock(epoch=1e9), 1000, self.fail)
        self.session = Session(names.generation)
        self.session.generation = 7

    @staticmethod
    def fail(detail):
        raise AssertionError(detail)

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
        self.commands = []
        while (command := reader.gets()) is not False:
            self.commands.append(command)
        assert len(self.commands) == step.count
        return self.commands

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
    return int.from_bytes(command[2][8:16], "little")


def test_what_was_put_after_a_clear_is_put_again(script):
    sent = script.begin(script.operations.put([A, B, C]))
    assert [generation_of(command) for command in sent] == [7, 7, 7]
    asked = script.answer(OK + CLEARED + OK + OK)
    assert asked == [[b"CLIENT", b"CACHING", b"YES"], [b"GET", b"sj:x:g"]]
    again = script.answer(LEARNED)
    assert [command[1] for command in again] == [b"sj:x:r:b", b"sj:x:r:c"]
    assert [generation_of(command) for command in again] == [8, 8]
    assert script.end(OK + OK) == [True] * 3


def test_what_was_put_before_a_clear_is_not_put_again(script):
    script.begin(script.operations.put([A]))
    assert script.end(OK + CLEARED) == [True]
    assert script.session.generation is None


def test_a_clear_before_the_request_is_written_counts_too(script):
    operation = script.operations.put([A])
    assert next(operation) is CONNECT
    request = operation.send(script.session)
    waiting = Waiting()
    script.session.exchange.submit(request, waiting)
    script.session.exchange.receive(CLEARED, 0.0)
    assert script.session.exchange.take(0.0) == request.payload
    script.session.exchange.receive(OK, 0.0)
    script.operation = operation
    assert script.go(waiting.result)[1] == [b"GET", b"sj:x:g"]


def test_a_read_after_a_clear_judges_by_the_new_generation(script):
    (command,) = script.begin(script.operations.put([A]))
    old = command[2]
    script.end(OK)
    script.begin(script.operations.get([b"a", b"a"]))
    new = old[:8] + (8).to_bytes(8, "little") + old[16:]
    both = b"".join([b"$%d\r\n%b\r\n" % (len(one), one) for one in (old, new)])
    asked = script.answer(CLEARED + b"*2\r\n" + both)
    assert asked[1] == [b"GET", b"sj:x:g"]
    assert script.end(LEARNED) == [None, b"A"]


def test_many_are_read_in_commands_of_a_bounded_size(script):
    keys = [b"%d" % number for number in range(300)]
    sent = script.begin(script.operations.get(keys))
    assert [len(command) - 1 for command in sent] == [128, 128, 44]
    assert [name for command in sent for name in command[1:]] == [b"sj:x:r:" + key for key in keys]
    nothing = b"".join([b"*%d\r\n" % count + NONE * count for count in (128, 128, 44)])
    assert script.end(nothing) == [None] * 300


def test_a_generation_that_changes_while_it_is_asked_for_is_asked_for_again(script):
    script.session.generation = None
    script.begin(script.operations.put([A]))
    asked = script.answer(OK + b"$1\r\n8\r\n" + CLEARED)
    assert asked[1] == [b"GET", b"sj:x:g"]
    asked = script.answer(OK + NONE)  # the server has dropped it
    assert [command[0] for command in asked] == [b"SET", b"CLIENT", b"GET"]
    assert asked[0][-1] == b"NX"
    (command,) = script.answer(OK + OK + b"$2\r\n30\r\n")
    assert generation_of(command) == 30


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (OK * 5, "no server of Redis"),
        (b"-ERR unknown command `HELLO`\r\n" + OK * 4, "Redis 6"),
        (b"-NOPROTO unsupported protocol version\r\n" + OK * 4, "Redis 6"),
        (b"-LOADING Redis is loading\r\n" * 5, "LOADING"),
        (OK + b"-ERR DB index is out of range\r\n" + OK * 3, "refuses: ERR DB"),
    ],
)
def test_servers_that_do_not_let_us_begin(reply, expected):
    session = Session(b"sj:x:g")
    handshake = session.begin(Address("h", database=1), "me", None)
    waiting = Waiting()
    session.exchange.submit(next(handshake), waiting)
    session.exchange.take(0.0)
    session.exchange.receive(reply, 0.0)
    with pytest.raises(TierUnavailableError, match=expected):
        handshake.send(waiting.result)


@pytest.mark.parametrize("name", ["get", "counters", "bump"])
def test_what_does_no_harm_is_repeated_once_after_a_cut(script, name):
    sent = script.begin(getattr(script.operations, name)([b"a"]))
    again = script.lose(CutOffError)
    assert [command[:2] for command in again] == [command[:2] for command in sent]
    with pytest.raises(CutOffError):
        script.operation.throw(CutOffError("lost again"))


@pytest.mark.parametrize(
    ("name", "arguments"), [("put", ([A],)), ("delete", ([b"a"],)), ("clear", ())]
)
def test_a_write_that_may_have_been_done_is_not_repeated(script, name, arguments):
    operations = script.operations
    script.begin(getattr(operations, name)(*arguments))
    with pytest.raises(CutOffError):
        script.operation.throw(CutOffError("lost"))
    sent = script.begin(getattr(operations, name)(*arguments))
    assert len(script.lose(UnsentError)) == len(sent)  # none of it was written
    with pytest.raises(UnsentError):
        script.operation.throw(UnsentError("lost again"))


@pytest.mark.parametrize("name", ["get", "counters", "bump", "delete", "put", "clear"])
def test_nothing_is_repeated_after_a_timeout(script, name):
    operation = getattr(script.operations, name)
    script.begin(operation() if name == "clear" else operation([A] if name == "put" else [b"a"]))
    with pytest.raises(TierUnavailableError):
        script.operation.throw(TierUnavailableError("late"))


def test_the_generation_is_read_now_and_then_or_the_server_would_evict_it(script):
    session = script.session
    assert session.touch_at == float("inf")  # not before the connection is ready
    request = session.touch(50.0)
    assert session.touch_at == 51.0
    session.exchange.submit(request, NOBODY)
    session.exchange.take(0.0)
    session.exchange.receive(OK + b"$1\r\n9\r\n", 0.0)
    assert session.generation == 9
    session.exchange.submit(session.touch(60.0), NOBODY)
    session.exchange.take(0.0)
    session.exchange.receive(OK + NONE, 0.0)
    assert session.generation is None


def test_no_memory_leaves_nothing_out_of_date(script):
    script.begin(script.operations.put([A, B]))
    sent = script.answer(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" + OK)
    assert [command[:2] for command in sent[1::2]] == [
        [b"UNLINK", b"sj:x:r:a"],
        [b"UNLINK", b"sj:x:r:b"],
    ]
    script.session.exchange.receive(b"$0\r\n\r\n:0\r\n$0\r\n\r\n:1\r\n", 0.0)
    with pytest.raises(TierFullError):
        script.operation.send(script.waiting.result)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", TierUnavailableError),
        (b"-READONLY You can't write against a read only replica.\r\n", TierUnavailableError),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", TierUnavailableError),
        (b"-MASTERDOWN Link with MASTER is down\r\n", TierUnavailableError),
        (b"-OOM command not allowed\r\n", TierUnavailableError),
        (b"-ERR something new\r\n", TierError),
        (b"*0\r\n", TierError),
        (b"$3\r\nabc\r\n", TierError),
    ],
)
def test_replies_that_are_errors(script, reply, error):
    script.begin(script.operations.bump([b"t"]))
    script.session.exchange.receive(OK + reply, 0.0)
    with pytest.raises(error) as caught:
        script.operation.send(script.waiting.result)
    assert isinstance(caught.value, TierUnavailableError) == (error is TierUnavailableError)
