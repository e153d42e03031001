"""Code of the user that uses a cache over tiers while that is at work: nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from scrubjay import AdaptiveCache, Cache, Layer, ReentrantLoadError
from scrubjay.codecs import Serializer
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier

PATIENCE = 10  # seconds until something that should have ended is taken to hang


def ended(work):
    """Return what a function returns, in a thread of its own that must end."""
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(work()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it hangs"
    return outcome[0]


def until(condition):
    """Return when a condition holds."""
    while not condition():
        threading.Event().wait(0.001)


def attempt(work):
    """Return what a function returns, or that it was refused."""
    try:
        return work()
    except ReentrantLoadError:
        return "refused"


class Hooked(Serializer):
    """A serializer that calls something once."""

    before_dump = before_load = None

    def dump(self, *given):
        hook, self.before_dump = self.before_dump, None
        if hook is not None:
            hook()
        return super().dump(*given)

    def load(self, *given):
        hook, self.before_load = self.before_load, None
        if hook is not None:
            hook()
        return super().load(*given)


class Gate:
    """Holds up one call of a tier that is awaited."""

    def __init__(self):
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_through(self):
        self.reached.set()
        await self.opened.wait()


class Awaited(MemoryTier):
    """A tier whose writes are awaited."""

    gate = None

    async def aput_many(self, records):
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.pass_through()
        return self.put_many(records)


class AwaitedShared(SharedMemoryTier):
    """A shared tier whose reads are awaited."""

    gate = None

    async def afetch(self, *given):
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.pass_through()
        return self.fetch(*given)


def test_a_blocking_call_does_not_stop_the_loop_that_writes_what_was_loaded():
    tier = Awaited()
    cache = AdaptiveCache(max_entries=10, tiers=[Layer(tier)])

    async def main():
        tier.gate = gate = Gate()
        load = asyncio.create_task(cache.get_or_load("a", lambda key: 1))
        await gate.reached.wait()
        with pytest.raises(ReentrantLoadError):
            cache.sync.invalidate("a")
        gate.opened.set()
        await load
        return await cache.invalidate("a")

    assert ended(lambda: asyncio.run(main())) == 1


def test_what_a_loop_was_writing_when_it_ended_stands_in_nobodys_way():
    tier = Awaited()
    cache = AdaptiveCache(max_entries=10, tiers=[Layer(tier)])
    tasks = []

    async def main():
        tier.gate = gate = Gate()
        tasks.append(asyncio.create_task(cache.get_or_load("a", lambda key: 1)))
        await gate.reached.wait()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert ended(lambda: cache.sync.put("a", 2))
    assert cache.sync.get("a") == 2


def test_a_serializer_changes_the_key_that_it_is_called_for():
    serializer = Hooked()
    cache = Cache(max_entries=10, tiers=[Layer(MemoryTier())], serializer=serializer)
    answers = []
    serializer.before_dump = lambda: answers.append(attempt(lambda: cache.invalidate("a")))
    assert ended(lambda: cache.get_or_load("a", lambda key: 1)) == 1
    assert answers == ["refused"]


def test_a_serializer_loads_the_key_that_is_read_strongly():
    server = SharedMemory()
    serializer = Hooked()
    cache = Cache(
        max_entries=10,
        tiers=[Layer(SharedMemoryTier(server))],
        serializer=serializer,
        consistency_level="strong",
    )
    Cache(max_entries=10, tiers=[Layer(SharedMemoryTier(server))]).put("a", 1)
    answers = []
    serializer.before_load = lambda: answers.append(
        attempt(lambda: cache.get_or_load("a", lambda key: 2, consistency_level="eventual"))
    )
    assert ended(lambda: cache.get("a")) == 1
    assert answers == ["refused"]


def test_a_blocking_call_does_not_stop_the_loop_that_reads_strongly():
    tier = AwaitedShared(SharedMemory())
    cache = AdaptiveCache(max_entries=10, tiers=[Layer(tier)], consistency_level="strong")

    async def main():
        tier.gate = gate = Gate()
        read = asyncio.create_task(cache.get("a"))
        await gate.reached.wait()
        with pytest.raises(ReentrantLoadError):
            cache.sync.get_or_load("a", lambda key: 2, consistency_level="eventual")
        gate.opened.set()
        return await read

    assert ended(lambda: asyncio.run(main())) is None


def test_a_strong_read_on_a_loop_that_has_ended_stands_in_nobodys_way():
    tier = AwaitedShared(SharedMemory())
    cache = AdaptiveCache(max_entries=10, tiers=[Layer(tier)], consistency_level="strong")
    tasks = []

    async def main():
        tier.gate = gate = Gate()
        tasks.append(asyncio.create_task(cache.get("a")))
        await gate.reached.wait()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    eventual = {"consistency_level": "eventual"}
    assert ended(lambda: cache.sync.get_or_load("a", lambda key: 2, **eventual)) == 2


@pytest.mark.parametrize("tier", [MemoryTier, lambda: SharedMemoryTier(SharedMemory())])
def test_a_listener_clears_the_cache_within_a_put(tier):
    cache = Cache(max_entries=10, tiers=[Layer(tier())])
    answers = []
    cache.put("a", 1)
    cache.put("b", 1)
    cache.on_removal(lambda *given: answers.append(cache.clear()), "replaced")
    ended(lambda: cache.put("a", 2))
    assert answers == [None]
    assert cache.get("b") is None


def held_up(cache, within):
    """Begin to replace "a", and do something within that when the answer is called."""
    begun, going_on = threading.Event(), threading.Event()

    def replaced(*given):
        begun.set()
        assert going_on.wait(PATIENCE)
        within()

    cache.put("a", 1)
    cache.on_removal(replaced, "replaced")
    thread = threading.Thread(target=cache.put, args=("a", 2), daemon=True)
    thread.start()
    assert begun.wait(PATIENCE)

    def go_on(*others):
        going_on.set()
        for one in (thread, *others):
            one.join(PATIENCE)
            assert not one.is_alive(), "it hangs"

    return go_on


def test_a_listener_stores_while_another_thread_clears():
    cache = Cache(max_entries=10, tiers=[Layer(MemoryTier())])
    answers = []
    go_on = held_up(cache, lambda: answers.append(cache.put("b", 1)))
    other = threading.Thread(target=cache.clear, daemon=True)
    other.start()
    turns = cache._stack._turns
    ended(lambda: until(lambda: any(turn.waits_for for turn in turns._claims.values())))
    go_on(other)
    assert answers == [True]


def test_a_listener_loads_what_waits_for_the_put():
    cache = Cache(max_entries=10, tiers=[Layer(MemoryTier())])
    answers = []

    def load(key):
        cache.put("a", 3)
        return 4

    def both():
        answers.append(attempt(lambda: cache.get_or_load("b", load)))

    go_on = held_up(cache, both)
    other = threading.Thread(target=both, daemon=True)
    other.start()
    ended(lambda: until(lambda: any(one.waits_for for one in cache.flights.values())))
    go_on(other)
    assert "refused" in answers


class Stuck(MemoryTier):
    """A tier that never answers while it is stuck."""

    stuck = False

    async def adelete_many(self, keys):
        if self.stuck:
            await asyncio.Event().wait()
        return self.delete_many(keys)


def test_a_loop_that_is_closed_leaves_nothing_behind():
    tier = Stuck()
    cache = AdaptiveCache(max_entries=10, tiers=[Layer(tier)])

    async def main():
        asyncio.get_running_loop().create_task(cache.put("a", 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    cache.sync._stack.levels[0].owe((b"old",), ())  # told first, which takes for ever
    tier.stuck = True
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    tier.stuck = False
    del loop
    assert ended(lambda: cache.sync.put("b", 1))
    counted = cache.sync.lower_tiers()["memory"]
    assert (counted["skipped"], counted["owed"]) == (0, 0)
    gone = weakref.ref(cache.sync)
    cache = None
    gc.collect()
    assert gone() is None


def test_a_finalizer_in_the_midst_of_a_call_of_a_tier_is_refused():
    class Ring:
        def __init__(self):
            self.itself = self

        def __del__(self):
            answers.append(cache.invalidate("a"))

    def work():
        with tier._lock:
            Ring()
            gc.collect()

    answers = []
    tier = MemoryTier()
    cache = Cache(max_entries=10, tiers=[Layer(tier)])
    cache.put("a", 1)
    ended(work)
    assert answers == [1]
    assert cache.lower_tiers()["memory"]["errors"] == 1
    assert cache.get("a") is None  # the tier is told first
