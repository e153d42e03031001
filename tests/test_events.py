"""The hub: who is told of what, and that nobody is hurt by those who listen."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scrubjay import AdaptiveCache, Cache, InvalidArgumentError, RemovalCause
from scrubjay.errors import TierUnavailableError
from scrubjay.events import REMOVALS, Event, EventKind, Events
from scrubjay.tiers.events import TierEvent, TierEventKind
from scrubjay.tiers.memory import MemoryTier

KINDS = st.sampled_from(EventKind)


class HubMachine(RuleBasedStateMachine):
    """Subscriptions that come and go hear exactly what they asked for, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Events()
        self.live: list[tuple[frozenset[EventKind], list[Event], list[Event], Any]] = []

    @rule(kinds=st.none() | st.sets(KINDS), raises=st.booleans())
    def subscribe(self, kinds: set[EventKind] | None, raises: bool) -> None:
        heard: list[Event] = []

        def callback(event: Event) -> None:
            heard.append(event)
            if raises:
                raise ValueError("mine")

        wanted = frozenset(EventKind if kinds is None else kinds)
        self.live.append((wanted, heard, [], self.hub.subscribe(callback, kinds)))

    @rule(kind=KINDS, key=st.integers())
    def publish(self, kind: EventKind, key: int) -> None:
        event = Event(kind, key)
        for wanted, _, expected, _ in self.live:
            if kind in wanted:
                expected.append(event)
        self.hub.publish(event)

    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        if self.live:
            number = data.draw(st.integers(0, len(self.live) - 1))
            _, heard, expected, end = self.live.pop(number)
            end()
            end()  # once more does nothing
            self.hub.publish(Event(EventKind.MISS, "late"))
            for wanted, _, others, _ in self.live:
                if EventKind.MISS in wanted:
                    others.append(Event(EventKind.MISS, "late"))
            assert heard == expected

    @invariant()
    def everyone_heard_what_they_wanted(self) -> None:
        for _, heard, expected, _ in self.live:
            assert heard == expected
        assert self.hub.wanted == frozenset().union(*(wanted for wanted, *_ in self.live))


TestHub = HubMachine.TestCase


def test_nobody_is_an_attribute_that_is_false() -> None:
    assert not Events().wanted


def test_what_a_subscriber_raises_is_logged_ever_more_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = Events()

    def fail(event: Event) -> None:
        raise ValueError("mine")

    hub.subscribe(fail)
    with caplog.at_level(logging.ERROR, "scrubjay"):
        for _ in range(100):
            hub.publish(Event(EventKind.MISS))
    assert len(caplog.records) == 7  # the 1st, 2nd, 4th ... 64th


def test_a_subscriber_is_not_told_of_what_it_causes() -> None:
    hub = Events()
    told: list[Any] = []
    others: list[Any] = []

    def cause_more(event: Event) -> None:
        told.append(event.key)
        hub.publish(Event(EventKind.MISS, event.key + 1))

    hub.subscribe(cause_more)
    hub.subscribe(lambda event: others.append(event.key))
    hub.publish(Event(EventKind.MISS, 1))
    assert told == [1]
    assert others == [2, 1]


def test_a_stalled_subscriber_costs_only_its_own_events() -> None:
    hub = Events()
    begun, go = threading.Event(), threading.Event()
    heard: list[Any] = []

    def stall(event: Event) -> None:
        begun.set()
        go.wait()
        heard.append(event.key)
        if len(heard) == 6:
            done.set()

    done = threading.Event()
    hub.subscribe(stall, queued=True, most=5)
    hub.publish(Event(EventKind.MISS, 0))
    assert begun.wait(30)
    for key in range(1, 101):
        hub.publish(Event(EventKind.MISS, key))  # returns, though nobody listens
    assert hub.dropped == 95
    go.set()
    assert done.wait(30)
    assert heard == [0, 1, 2, 3, 4, 5]


def test_a_queued_subscriber_runs_in_a_daemon_thread_and_in_order() -> None:
    hub = Events()
    heard: list[tuple[Any, bool, str]] = []
    done = threading.Event()

    def note(event: Event) -> None:
        thread = threading.current_thread()
        heard.append((event.key, thread.daemon, thread.name))
        if event.key == 99:
            done.set()

    hub.subscribe(note, queued=True)
    for key in range(100):
        hub.publish(Event(EventKind.MISS, key))
    assert done.wait(30)
    assert heard == [(key, True, "scrubjay-events") for key in range(100)]


@pytest.mark.parametrize("how", ["unsubscribed", "hub is gone"])
def test_the_thread_ends_with_its_subscription(how: str) -> None:
    hub: Events | None = Events()
    assert hub is not None
    threads: list[threading.Thread] = []
    told = threading.Event()

    def note(event: Event) -> None:
        threads.append(threading.current_thread())
        told.set()

    end: Callable[[], None] | None = hub.subscribe(note, queued=True)
    hub.publish(Event(EventKind.MISS))
    assert told.wait(30)
    if how == "unsubscribed" and end is not None:
        end()
    del end, hub
    gc.collect()
    threads[0].join(30)
    assert not threads[0].is_alive()


def test_a_queued_subscriber_that_holds_its_cache_does_not_keep_it_alive() -> None:
    cache: Cache[int, int] = Cache(max_entries=2)
    told = threading.Event()

    def note(event: Event, cache: Any = cache) -> None:
        told.set()

    cache.on_event(note, "evict")
    for key in range(5):
        cache[key] = key
    assert told.wait(30)
    gone = weakref.ref(cache)
    del cache, note
    for _ in range(100):  # the thread may be about to let go of it
        gc.collect()
        if gone() is None:
            break
        threading.Event().wait(0.01)
    assert gone() is None


@given(kind=st.sampled_from(TierEventKind), detail=st.text())
def test_what_a_tier_tells_of_is_an_event(kind: TierEventKind, detail: str) -> None:
    hub = Events()
    heard: list[Event] = []
    hub.subscribe(heard.append)
    hub.relay(TierEvent(kind, "disk", detail))
    assert heard == [Event(EventKind[kind.name], tier="disk", detail=detail)]


def test_what_a_tier_tells_of_is_logged_where_nobody_listens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = Events()
    hub.relay(TierEvent(TierEventKind.FULL, "disk", "no room on the device"))
    assert "tier disk: full: no room on the device" in caplog.text


# What a cache tells of


def listened(cache: Any, kinds: Any = None) -> list[Event]:
    heard: list[Event] = []
    cache.on_event(heard.append, kinds, queued=False)
    return heard


def names(heard: list[Event]) -> list[str]:
    return [event.kind.value for event in heard]


def test_every_cause_of_removal_is_a_kind() -> None:
    assert set(REMOVALS) == set(RemovalCause)


def test_removals_are_told_with_their_cause() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=2, eviction_strategy="lru")
    heard = listened(cache)
    cache.put("a", 1, tags={"t"})
    cache["a"] = 2
    cache["b"] = 2
    cache["c"] = 3
    cache.invalidate("b")
    cache.put("d", 4, tags={"t"})
    cache.invalidate_by_tags({"t"})
    cache.clear()
    assert [(event.kind.value, event.key, event.cause) for event in heard] == [
        ("replace", "a", RemovalCause.REPLACED),
        ("evict", "a", RemovalCause.EVICTED),
        ("invalidate", "b", RemovalCause.INVALIDATED),
        ("invalidate", "d", RemovalCause.TAG),
        ("invalidate", "c", RemovalCause.CLEARED),
    ]


class Failing(MemoryTier):
    """A tier that can be told to fail."""

    failing = False

    def get_many(self, keys: Any) -> Any:
        if self.failing:
            raise TierUnavailableError("gone for lunch")
        return super().get_many(keys)


def test_tiers_are_told_of_by_name() -> None:
    near, far = Failing(name="near"), MemoryTier(name="far")
    cache: Cache[Any, Any] = Cache(max_entries=2, tiers=[near, far], eviction_strategy="lru")
    cache.put("a", 1)
    near.clear()
    heard = listened(cache)

    def told() -> list[tuple[str, Any, str]]:
        found = [
            (event.kind.value, event.key, event.tier)
            for event in heard
            if event.kind is not EventKind.TIER_CALL
        ]
        heard.clear()
        return found

    cache.put("b", 1)
    cache.put("c", 1)
    assert told() == [("evict", "a", ""), ("demote", "a", "near")]
    assert cache.get("a") == 1
    assert [each for each in told() if each[0] not in {"evict", "demote"}] == [
        ("miss", "a", ""),
        ("tier_miss", "a", "near"),
        ("tier_hit", "a", "far"),
        ("promote", "a", "far"),
    ]
    near.failing = True
    assert cache.get("b") == 1
    kinds = told()
    assert ("tier_error", None, "near") in kinds
    assert ("tier_hit", "b", "far") in kinds
    cache.get("nothing")
    assert ("tier_miss", "nothing", "far") in told()
    cache.invalidate("a")
    assert [each for each in told() if each[0] in {"invalidate", "demote"}] == [
        ("invalidate", "a", "")
    ]


def test_without_tiers_nothing_is_demoted() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=1)
    heard = listened(cache, "demote")
    cache.put("a", 1)
    cache.put("b", 1)
    assert heard == []


def test_a_subscriber_that_stalls_holds_nobody_up() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=1)
    stalled, go = threading.Event(), threading.Event()

    def stall(event: Event) -> None:
        stalled.set()
        assert go.wait(60)

    end = cache.on_event(stall)
    for number in range(50):
        cache.put(number, number)  # it would hang here
    assert stalled.wait(60)
    end()
    go.set()


def test_a_load_is_told_from_its_start_to_its_end() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=2)
    heard = listened(cache)
    cache.get_or_load("a", str.upper)
    assert names(heard) == ["miss", "load_start", "load"]
    assert heard[1].load == heard[2].load > 0
    assert heard[2].seconds > 0.0
    heard.clear()
    cache.get_or_load("a", str.upper)
    assert heard == []  # a hit in memory
    cache.refresh("a", str.lower)
    assert names(heard) == ["refresh", "load_start", "load", "replace"]
    heard.clear()
    with pytest.raises(ZeroDivisionError) as caught:
        cache.get_or_load("b", lambda key: 1 // 0)
    assert names(heard) == ["miss", "load_start", "load_error"]
    assert heard[2].error is caught.value


def test_a_stopped_loader_is_told() -> None:
    cache: Cache[Any, Any] = Cache(max_entries=2)
    heard = listened(cache, ["load_cancel", "load_error"])

    def stop(key: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_or_load("a", stop)
    assert names(heard) == ["load_cancel"]


async def _two_waiters(cache: AdaptiveCache[str, str]) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def load(key: str) -> str:
        started.set()
        await go.wait()
        return key

    first = asyncio.create_task(cache.get_or_load("a", load))
    await started.wait()
    second = asyncio.create_task(cache.get_or_load("a", load))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, second)


def test_who_waits_for_the_load_of_another_is_told_with_its_number() -> None:
    cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=2)
    heard = listened(cache, ["load", "wait"])
    asyncio.run(_two_waiters(cache))
    assert sorted(names(heard)) == ["load", "wait"]
    assert heard[0].load == heard[1].load > 0


def test_threads_that_wait_are_told_too() -> None:
    cache: Cache[str, str] = Cache(max_entries=2)
    heard = listened(cache, ["load", "wait"])
    started, go = threading.Event(), threading.Event()

    def load(key: str) -> str:
        started.set()
        go.wait()
        return key

    threads = [threading.Thread(target=cache.get_or_load, args=("a", load)) for _ in range(2)]
    threads[0].start()
    assert started.wait(30)
    flight = cache._loads._flights.get("a")
    threads[1].start()
    while not flight._callbacks:  # until the second one waits
        threading.Event().wait(0.001)
    go.set()
    for thread in threads:
        thread.join(30)
    assert sorted(names(heard)) == ["load", "wait"]
    assert {event.load for event in heard} == {flight.number}


def test_a_stale_read_of_a_session_is_told() -> None:
    cache: Cache[str, int] = Cache(max_entries=2, consistency_level="session")
    heard = listened(cache, "conflict")
    cache.put("a", 1, context={"session_id": "s"})
    cache.consistency_manager.register_write("a", "s", 1_000)
    assert cache.get("a", context={"session_id": "s"}) is None
    assert names(heard) == ["conflict"]


def test_an_optimization_round_is_told_with_its_reason() -> None:
    cache: Cache[str, int] = Cache(max_entries=2)
    heard = listened(cache, EventKind.TUNE)
    cache.optimize()
    assert heard == [Event(EventKind.TUNE, detail=cache.explain().reason)]


@pytest.mark.parametrize("kinds", ["hit", ["miss", "nonsense"], 7])
def test_kinds_that_do_not_exist_are_refused(kinds: Any) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=2)
    with pytest.raises(InvalidArgumentError, match="kinds"):
        cache.on_event(print, kinds)
    assert not cache.events.wanted


def test_a_callback_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="callback"):
        Cache(max_entries=2).on_event(None)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_queued_subscriber_goes_on_in_a_forked_child() -> None:
    hub = Events()
    told = threading.Event()
    hub.subscribe(lambda event: told.set(), queued=True)
    hub.publish(Event(EventKind.MISS))
    assert told.wait(30)
    told.clear()
    number = os.fork()
    if number == 0:
        code = 1
        try:
            hub.publish(Event(EventKind.MISS))
            code = 0 if told.wait(30) else 2
        finally:
            os._exit(code)
    assert os.waitpid(number, 0)[1] == 0
    assert not told.is_set()


def test_a_queued_subscriber_that_ends_its_thread_is_told_of_the_next_all_the_same() -> None:
    hub, twice = Events(), threading.Event()
    told: list[Event] = []

    def end(event: Event) -> None:
        told.append(event)
        if len(told) == 2:
            twice.set()
        raise SystemExit

    hub.subscribe(end, queued=True)
    hub.publish(Event(EventKind.MISS))
    hub.publish(Event(EventKind.MISS))
    assert twice.wait(30)
