"""What a cache knows of its copies of what nodes share, whatever goes wrong meanwhile."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from scrubjay import Cache, Layer, ManualClock
from scrubjay._flow import copies
from scrubjay._flow.breaker import Breaker
from scrubjay._flow.debts import Debts
from scrubjay._flow.keeper import Keeper
from scrubjay.testing import SharedMemory, SharedMemoryTier
from tests.door_helpers import PATIENCE, wait


@pytest.fixture
def jobs(monkeypatch):
    """Return the work for the background, which is done when the test does it."""
    held = []

    class Held:
        def submit(self, job):
            held.append(job)

    monkeypatch.setattr(copies, "_workers", Held())
    return held


def nodes(**options):
    server = SharedMemory()
    return [
        Cache(max_entries=100, tiers=[Layer(SharedMemoryTier(server))], **options) for _ in range(2)
    ]


def tier_of(cache):
    return cache._stack.shared.tier


def test_what_has_changed_goes_although_no_thread_could_be_started(monkeypatch):
    class Full:
        def submit(self, job):
            raise RuntimeError("can't start new thread")

    here, there = nodes()
    there.put("a", 1)
    assert here.get("a") == 1
    with monkeypatch.context() as patched:
        patched.setattr(copies, "_workers", Full())
        there.put("a", 2)
        tier_of(here).deliver()
    here._stack.look_after(0.0)
    assert here.get("a") == 2


def test_the_next_change_is_removed_although_no_thread_could_be_started_before(monkeypatch, jobs):
    class Full:
        def submit(self, job):
            raise RuntimeError("can't start new thread")

    here, there = nodes()
    there.put("a", 1)
    there.put("b", 1)
    assert here.get("a") == here.get("b") == 1
    with monkeypatch.context() as patched:
        patched.setattr(copies, "_workers", Full())
        there.put("a", 2)
        tier_of(here).deliver()
    there.put("b", 2)
    tier_of(here).deliver()
    for job in jobs:
        job()
    assert here.get("a") == here.get("b") == 2


def test_a_tier_keeps_nothing_of_a_cache_that_is_dropped():
    tier = SharedMemoryTier(SharedMemory())
    cache = Cache(max_entries=10, tiers=[Layer(tier)])
    cache.put("a", 1)
    known = weakref.ref(cache._stack._copies)
    del cache
    gc.collect()
    assert known() is None
    assert tier.read_many([b"a"]) == [None]
    assert not tier._listeners._all


class Ring:
    """Calls something when the collector finds it."""

    def __init__(self, work):
        self.itself = self
        self.work = work

    def __del__(self):
        self.work()


@pytest.mark.parametrize("part", ["debts", "copies"])
def test_no_finalizer_runs_in_the_midst_of_what_is_shared(part):
    ran = []
    cache = nodes()[0]
    cache.put("a", 1, tags=["t"])
    debts, known = Debts(), cache._stack._copies
    debts.add([b"a"], [b"b"])

    class Collecting(dict):
        """Has the collector run, if it may, whenever something is entered."""

        def update(self, *given):
            collect()
            super().update(*given)

        def setdefault(self, *given):
            collect()
            return super().setdefault(*given)

    def collect():
        if gc.isenabled():
            Ring(lambda: ran.append(part))
            gc.collect()

    if part == "debts":
        debts._keys = Collecting(debts._keys)
        debts.add([b"c"], [])
        assert len(debts) == 3
    else:
        known._labelled = Collecting(known._labelled)
        cache.put("b", 1, tags=["t"])
        assert len(known._labelled) == 1
    assert not ran
    collect()
    assert ran == [part]


def test_a_finalizer_may_use_a_breaker_that_is_being_used():
    breaker = Breaker(ManualClock())

    def work():
        with breaker._lock:
            Ring(breaker.failed)
            gc.collect()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it hangs"


def test_copies_go_as_soon_as_silence_has_lasted_for_too_long():
    clock = ManualClock()
    server = SharedMemory(clock)
    here, there = (
        Cache(clock=clock, max_entries=9, tiers=[Layer(SharedMemoryTier(server))]) for _ in range(2)
    )
    assert here._stack.look_after(clock.monotonic()) == float("inf")
    there.put("a", "old")
    assert here.get("a") == "old"
    confirmed = here._stack._copies.of(here._stack.lower.name_of("a")).copy.watch.feed.confirmed
    clock.advance(2)
    due = here._stack.look_after(clock.monotonic())
    assert due == confirmed + 5.0
    assert here._stack.look_after(due) == due
    assert here.contains("a")
    assert here._stack.look_after(due + 0.001) == float("inf")
    assert not here.contains("a")


class Looked:
    """What a keeper looks after, and is to look at again after some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.first = threading.Event()
        self.second = threading.Event()

    def look_after(self, now):
        (self.second if self.first.is_set() else self.first).set()
        return now + self.seconds


@pytest.mark.parametrize("due", ["by itself", "as another comes"])
def test_a_keeper_looks_when_it_is_due_and_not_only_at_its_usual_time(due):
    keeper = Keeper()
    early = Looked(0.01 if due == "by itself" else 3600.0)
    keeper.watch(early, 3600.0)
    wait(early.first)
    if due == "by itself":
        wait(early.second)
    else:
        late = Looked(3600.0)
        keeper.watch(late, 1.0)
        wait(late.first)
    keeper._kept.clear()
    keeper._newcomers.put(None)
    until = time.monotonic() + PATIENCE
    while keeper._thread is not None:  # it ends: it has nothing to look after
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_key_that_cannot_be_hashed_does_not_keep_the_others_from_going():
    clock = ManualClock()
    server = SharedMemory(clock)
    here, there = (
        Cache(clock=clock, max_entries=9, tiers=[Layer(SharedMemoryTier(server))]) for _ in range(2)
    )

    class Key(int):
        def __hash__(self):
            if bad:
                raise ValueError("not now")
            return 1

    key, bad = Key(1), False
    there.put_many({key: 1, "b": 1})
    assert here.get_many([key, "b"]) == {key: 1, "b": 1}
    bad = True
    clock.advance(6)
    here._stack.look_after(clock.monotonic())
    there.put("b", 2)
    assert here.get("b") == 2


def test_a_keeper_outlives_what_raises():
    keeper, other = Keeper(), Looked(3600.0)

    class Ending(Looked):
        def look_after(self, now):
            super().look_after(now)
            raise SystemExit

    ending = Ending(0.0)
    keeper.watch(ending, 1.0)
    wait(ending.first)
    keeper.watch(other, 1.0)
    wait(other.first)


def test_a_keeper_outlives_who_bears_silence_for_ages():
    keeper, patient, other = Keeper(), Looked(1e300), Looked(3600.0)
    keeper.watch(patient, 1e300)
    wait(patient.first)
    keeper.watch(other, 1.0)
    wait(other.first)
