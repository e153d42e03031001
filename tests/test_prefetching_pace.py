"""How many loads ahead a source bears."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import pytest

from scrubjay._flow.pace import Pace
from scrubjay._flow.workers import Workers
from tests.door_helpers import spin, wait


def learned(pace: Pace, seconds: float, times: int, now: float = 0.0, failed: bool = False) -> None:
    for _ in range(times):
        pace.learn(seconds, failed, now)


def test_as_many_as_are_allowed_at_a_time() -> None:
    pace = Pace(3, None)
    assert pace.room(0.0) == 3
    pace.begin("a", 0.0)
    pace.begin("b", 0.0)
    pace.begin("b", 0.0)  # of the same call
    assert pace.room(0.0) == 1
    pace.end("a")
    assert pace.room(0.0) == 2


def test_as_many_as_are_allowed_in_a_second() -> None:
    pace = Pace(10, 2.0)
    assert pace.room(100.0) == 2
    pace.begin("a", 100.0)
    pace.begin("b", 100.0)
    assert pace.room(100.0) == 0
    assert pace.room(100.5) == 1
    assert pace.room(200.0) == 2  # they are not saved up
    slow = Pace(10, 0.1)
    assert slow.room(0.0) == 1
    slow.begin("a", 0.0)
    assert (slow.room(9.0), slow.room(11.0)) == (0, 1)


def test_a_source_that_slows_down_gets_fewer() -> None:
    pace = Pace(8, None)
    learned(pace, 0.01, 100)
    learned(pace, 0.04, 6)
    assert 1 <= pace.room(0.0) < 8
    learned(pace, 0.01, 60)
    assert pace.room(0.0) == 8


def test_a_source_that_is_stuck_gets_none_and_then_one_to_see() -> None:
    pace = Pace(8, None)
    learned(pace, 0.01, 100)
    learned(pace, 1.0, 1)
    assert pace.room(0.5) == 4  # once is no proof
    learned(pace, 1.0, 2)
    assert pace.room(0.5) == 0
    assert pace.room(1.5) == 1
    pace.begin("probe", 1.5)
    assert pace.room(1.5) == 0
    pace.end("probe")
    pace.learn(1.0, False, 2.5)  # it is still: the next pause is longer
    assert (pace.room(3.6), pace.room(5.0)) == (0, 1)
    learned(pace, 0.01, 60, now=6.0)
    assert pace.room(6.0) == 8


def test_a_load_that_does_not_come_back_holds_the_others_up() -> None:
    pace = Pace(8, None)
    learned(pace, 0.01, 100)
    pace.begin("a", 0.0)
    assert pace.room(0.01) == 7
    assert pace.room(0.1) == 7  # one may be late
    assert pace.room(0.3) == 0
    pace.begin("b", 0.01)
    assert pace.room(0.1) == 0  # not two
    pace.end("a")
    assert pace.room(0.1) == 7
    pace.forget()  # as in a child process
    assert pace.room(9.0) == 8


def test_what_is_slow_for_good_becomes_usual() -> None:
    pace = Pace(4, None)
    learned(pace, 0.01, 200)
    now = 0.0
    for _ in range(2000):
        now += 1.0
        pace.learn(0.2, False, now)
    assert pace.room(now + 100.0) == 4


def test_loads_that_fail_open_the_breaker() -> None:
    pace = Pace(4, None)
    learned(pace, 0.01, 10)
    learned(pace, 0.01, 1, failed=True)
    assert pace.room(0.0) == 4  # once is nothing
    learned(pace, 0.01, 1, failed=True)
    assert pace.room(0.0) == 0
    assert pace.describe(0.0)["paused"]
    assert pace.room(1.5) == 1
    pace.learn(0.01, True, 1.5)
    assert (pace.room(3.0), pace.room(4.0)) == (0, 1)
    learned(pace, 0.01, 20, now=4.0)
    assert pace.room(4.0) == 4


# Workers


def test_there_are_no_more_threads_than_allowed_and_all_jobs_are_done() -> None:
    workers = Workers(2)
    gate, lock = threading.Event(), threading.Lock()
    running, most, done = [0], [0], [0]

    def job() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        wait(gate)
        with lock:
            running[0] -= 1
            done[0] += 1

    for _ in range(6):
        workers.submit(job)
    spin(lambda: running[0] == 2)
    gate.set()
    spin(lambda: done[0] == 6)
    assert most[0] == 2
    workers.close()
    spin(lambda: workers._threads == workers._idle)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_a_job_that_raises_is_logged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    workers, done = Workers(1), threading.Event()

    def fail() -> None:
        raise kind("of the job")

    workers.submit(fail)
    workers.submit(done.set)
    wait(done)
    assert "work in the background failed" in caplog.text
    workers.close()


def test_without_any_thread_the_caller_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers = Workers(2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            workers.submit(print)
    done = threading.Event()
    workers.submit(done.set)
    wait(done)
    workers.close()


def test_a_job_that_is_waited_for_where_a_thread_is_being_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers, done, outer = Workers(2), threading.Event(), threading.Event()
    inner: list[bool] = []

    class Interrupted(threading.Thread):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            if not inner:  # as a finalizer that the collector runs here
                inner.append(False)
                workers.submit(done.set)
                inner[0] = done.wait(5)

    monkeypatch.setattr(threading, "Thread", Interrupted)
    workers.submit(outer.set)
    wait(outer)
    assert inner == [True]
    workers.close()


def test_a_job_is_let_go_as_soon_as_it_is_done() -> None:
    workers, done = Workers(1), threading.Event()
    jobs: list[weakref.ref[Any]] = []

    class Job:
        def __call__(self) -> None:
            done.set()

    for _ in range(2):  # of a thread that begins with it, and of one that is there
        done.clear()
        job = Job()
        jobs.append(weakref.ref(job))
        workers.submit(job)
        del job
        wait(done)
        spin(lambda: jobs[-1]() is None)
    workers.close()
