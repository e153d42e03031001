"""Sessions and their tokens."""

from __future__ import annotations

import multiprocessing
import os
import threading
import weakref
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from scrubjay.codecs.protection import HmacSha256
from scrubjay.consistency import Session
from scrubjay.consistency import sessions as known_sessions
from scrubjay.consistency.sessions import Sessions
from scrubjay.consistency.tokens import place_of
from scrubjay.errors import (
    CacheError,
    ConsistencyError,
    EpochChangedError,
    InvalidArgumentError,
    InvalidTokenError,
)
from tests.door_helpers import ends_among_finalizers

pytestmark = pytest.mark.any_build

EPOCH, OTHER = b"epoch--1", b"epoch--2"
SIGNER = HmacSha256({7: b"s" * 32})


def place(number):
    return place_of(b"key", b"%d" % number)


def session_of(count, **more):
    session = Session(**more)
    for number in range(count):
        session.lift(EPOCH, place(number), 1000 + number)
    return session


def test_floors_only_rise():
    session = Session()
    assert session.floor(place(0)) == 0
    session.lift(EPOCH, place(0), 5)
    session.lift(EPOCH, place(0), 3)
    assert session.floor(place(0)) == 5
    assert session.floor(place(1)) == 0


@pytest.mark.parametrize("signer", [None, SIGNER])
@pytest.mark.parametrize("count", [0, 1, 32])
def test_a_token_carries_everything(signer, count):
    carried = Session.from_token(session_of(count).token(signer), signer)
    assert [carried.floor(place(number)) for number in range(count)] == list(
        range(1000, 1000 + count)
    )
    assert carried.floor(place(99)) == 0
    assert not carried.overflown
    assert carried.epoch == (EPOCH if count else None)


def test_a_token_is_small_and_fit_for_a_cookie():
    token = session_of(500).token(SIGNER)
    assert len(token) <= 800
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_what_is_too_much_is_known_to_be_forgotten():
    carried = Session.from_token(session_of(500).token())
    assert carried.floor(place(499)) == 1499
    assert carried.floor(place(0)) is None
    short = session_of(3, most=2)
    assert short.floor(place(0)) is None
    assert short.floor(place(1)) == 1001
    assert Session.from_token(short.token()).overflown


def test_what_was_lifted_last_is_forgotten_last():
    session = session_of(3, most=3)
    session.lift(EPOCH, place(0), 1)
    session.lift(EPOCH, place(9), 1)
    assert session.floor(place(0)) == 1000
    assert session.floor(place(1)) is None


def test_two_epochs_cannot_be_compared():
    session = session_of(1)
    session.check(EPOCH)
    for call in (lambda: session.check(OTHER), lambda: session.lift(OTHER, place(1), 1)):
        with pytest.raises(EpochChangedError):
            call()
    other = Session()
    other.lift(OTHER, place(0), 1)
    with pytest.raises(EpochChangedError):
        session.merge(other)
    assert session.floor(place(1)) == 0


def test_two_tokens_of_a_session_can_be_joined():
    one, two = session_of(2), session_of(1, most=1)
    two.lift(EPOCH, place(0), 5000)
    one.merge(two)
    assert one.floor(place(0)) == 5000
    assert one.floor(place(1)) == 1001
    two.lift(EPOCH, place(7), 1)
    one.merge(two)
    assert one.overflown
    one.merge(Session())


def test_keys_and_generations_of_one_name_are_apart():
    assert place_of(b"key", b"a") != place_of(b"name", b"a")


@pytest.mark.parametrize("at", [0, 1, 2, 5, 6, 13, 14, 21, 22, 29, -1])
def test_a_signed_token_cannot_be_changed(at):
    token = session_of(2).token(SIGNER)
    data = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    data[at] ^= 1
    with pytest.raises(InvalidTokenError):
        Session.from_token(urlsafe_b64encode(data).decode(), SIGNER)


def test_tokens_are_taken_with_the_right_secret_alone():
    token = session_of(2).token(SIGNER)
    for signer in (HmacSha256({7: b"t" * 32}), HmacSha256({8: b"s" * 32}), None):
        with pytest.raises(InvalidTokenError):
            Session.from_token(token, signer)
    with pytest.raises(InvalidTokenError):
        Session.from_token(session_of(2).token(), SIGNER)
    both = HmacSha256({7: b"s" * 32, 8: b"t" * 32}, current=8)
    assert Session.from_token(token, both).floor(place(1)) == 1001
    assert Session.from_token(session_of(1).token(both), both).floor(place(0)) == 1000


@pytest.mark.parametrize("token", ["", "!", "AAAA", "A" * 40, "ü", "AQ" * 400, "A" * 5])
def test_what_is_no_token(token):
    for signer in (None, SIGNER):
        with pytest.raises(InvalidTokenError) as caught:
            Session.from_token(token, signer)
        assert isinstance(caught.value, (ConsistencyError, InvalidArgumentError, CacheError))


def test_arguments_that_make_no_sense():
    with pytest.raises(InvalidArgumentError):
        Session.from_token(b"bytes")
    with pytest.raises(InvalidArgumentError):
        Session(most=0)


def test_threads_share_a_session(eager_switching):
    session = session_of(1)
    running = True
    low = []

    def look():
        while running:
            floor = session.floor(place(0))
            if floor is None or floor < 1000:
                low.append(floor)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(3000):
        session.lift(EPOCH, place(0), 1000 + turn)
    running = False
    for thread in threads:
        thread.join()
    assert low == []


@pytest.mark.parametrize("where", ["sessions", "session"])
def test_a_finalizer_that_runs_in_the_midst_does_not_wait_for_ever(where):
    sessions, shared = Sessions(), Session(8)

    def use(name):
        if where == "sessions":
            sessions.of(name, None)
        else:
            shared.lift(b"12345678", name.encode(), 1)

    def work(number):
        use(str(number))

    def finalizer(number):
        use(f"of a finalizer {number}")

    assert ends_among_finalizers(work, finalizer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_waits_for_no_thread_of_its_parent():
    sessions = Sessions()
    session = sessions.of("known", None)
    held, free = threading.Event(), threading.Event()

    def hold():
        with sessions._lock, session._lock:
            held.set()
            free.wait(30.0)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30.0)

    def use():
        sessions.of("new", None)
        session.lift(b"12345678", b"87654321", 1)

    context = multiprocessing.get_context("fork")
    child = context.Process(target=use)
    child.start()
    child.join(30.0)
    alive = child.is_alive()
    child.kill()
    free.set()
    thread.join()
    assert not alive


def test_sessions_whose_floors_are_to_go_are_waited_for_by_nobody(monkeypatch):
    monkeypatch.setattr(known_sessions, "_MOST_FLOORS", 8)
    sessions = Sessions()
    busy, other = sessions.of("busy", None), sessions.of("other", None)
    busy.lift(EPOCH, place(0), 1)
    held, free = threading.Event(), threading.Event()

    def lift():
        with busy._lock:  # as in `lift`, where a finalizer that asks for a session may run
            held.set()
            free.wait(30.0)
            sessions.of("of a finalizer", None)

    def work():
        for number in range(20):
            other.lift(EPOCH, place(number), 1)

    threads = [threading.Thread(target=one, daemon=True) for one in (lift, work)]
    threads[0].start()
    assert held.wait(30.0)
    threads[1].start()
    threads[1].join(10.0)
    alone = not threads[1].is_alive()
    free.set()
    for thread in threads:
        thread.join(10.0)
    assert alone
    assert busy.floors
    assert len(busy.floors) + len(other.floors) <= 9


@pytest.mark.parametrize("where", ["made", "forgotten"])
def test_a_session_that_a_finalizer_asks_for_meanwhile_is_the_same(monkeypatch, where):
    monkeypatch.setattr(known_sessions, "_MOST", 2)
    sessions = Sessions()
    found = []

    class Held(weakref.WeakValueDictionary):
        def __setitem__(self, name, session):
            found.append(sessions.of(name, None))  # as a finalizer may
            super().__setitem__(name, session)

    def asker(context):
        if len(found) < 1:
            found.append(None)
            found[0] = sessions.of("ann", None)
        return 1

    if where == "made":
        monkeypatch.setattr(known_sessions.arguments, "asker", asker)
        assert sessions.of("ann", None) is found[0]
    else:
        mine = sessions.of("ann", None)
        sessions.of("bob", None)
        sessions._held = Held()
        sessions.of("cid", None)
        assert found == [mine]
    assert sessions.of("ann", None) is found[0]


def test_a_token_of_which_all_floors_were_forgotten_is_still_of_its_server():
    session = session_of(3)
    session.forget_all()
    elsewhere = Sessions().of("ann", session.token())
    assert elsewhere.overflown
    with pytest.raises(EpochChangedError):
        elsewhere.check(OTHER)
    elsewhere.check(EPOCH)
