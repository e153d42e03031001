"""Strong reads of one event loop, which share their barriers."""

from __future__ import annotations

import asyncio

import pytest

from scrubjay import AdaptiveCache, ManualClock
from scrubjay.errors import TierUnavailableError
from scrubjay.events import EventKind
from scrubjay.testing import SharedMemory, SharedMemoryTier


class Slow(SharedMemoryTier):
    """Answers barriers when the test says so, or fails."""

    def __init__(self, memory):
        super().__init__(memory)
        self.barriers = 0
        self.gates = None
        self.failing = False

    async def abarrier(self, feeds=()):
        self.barriers += 1
        if self.gates is not None:
            gate = asyncio.get_running_loop().create_future()
            self.gates.append(gate)
            await gate
        if self.failing:
            raise TierUnavailableError("it does not answer")
        return self.barrier()

    async def afetch(self, *given):
        return self.fetch(*given)


def run(work, **options):
    clock = ManualClock(epoch=1e9)
    memory = SharedMemory(clock)
    tier = Slow(memory)
    cache = AdaptiveCache(clock=clock, tiers=[tier], consistency_level="strong", **options)

    async def main():
        await cache.put("a", 1)
        await cache.get("a")  # the first request of all is timed
        tier.barriers = 0
        await work(cache, tier, memory)

    asyncio.run(main())


async def turn(times=5):
    for _ in range(times):
        await asyncio.sleep(0)


def test_those_who_come_meanwhile_share_the_next():
    async def work(cache, tier, memory):
        tier.gates = []
        first = asyncio.create_task(cache.get("a"))
        await turn()
        others = [asyncio.create_task(cache.get("a")) for _ in range(20)]
        await turn()
        assert tier.barriers == 1
        tier.gates.pop().set_result(None)
        await turn()
        assert first.done()
        assert not any(task.done() for task in others)
        assert tier.barriers == 2
        tier.gates.pop().set_result(None)
        assert await asyncio.gather(*others) == [1] * 20
        assert tier.barriers == 2

    run(work)


def test_nobody_shares_one_that_was_sent_before_he_came():
    async def work(cache, tier, memory):
        tier.gates = []
        first = asyncio.create_task(cache.get("a"))
        await turn()
        other = SharedMemoryTier(memory)
        other.delete([cache.sync._shared.lower.name_of("a")])
        late = asyncio.create_task(cache.get("a"))
        await turn()
        gates, tier.gates = tier.gates, None
        gates[0].set_result(None)
        assert await late is None
        await first

    run(work)


def test_an_error_reaches_all_who_share_it_and_is_counted_once():
    async def work(cache, tier, memory):
        failed = []
        cache.on_event(failed.append, EventKind.TIER_ERROR, queued=False)
        tier.gates, tier.failing = [], True
        tasks = [asyncio.create_task(cache.get("a")) for _ in range(4)]
        await turn()
        tier.gates.pop().set_result(None)
        await turn()
        tier.gates.pop().set_result(None)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in outcomes] == [TierUnavailableError] * 4
        assert len({id(one) for one in outcomes}) == 4  # each has a traceback of its own
        assert len(failed) == 2
        tier.failing, tier.gates = False, None
        assert await cache.get("a") == 1

    run(work)


@pytest.mark.parametrize("cancelled", [0, 1, 3])
def test_who_is_cancelled_takes_nobody_along(cancelled):
    async def work(cache, tier, memory):
        tier.gates = []
        tasks = [asyncio.create_task(cache.get("a")) for _ in range(4)]
        await turn()
        tasks[cancelled].cancel()
        await turn()
        while not all(task.done() for task in tasks):
            if tier.gates:
                gate = tier.gates.pop()
                if not gate.done():
                    gate.set_result(None)
            await turn(1)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in outcomes].count(asyncio.CancelledError) == 1
        assert outcomes.count(1) == 3

    run(work)


def test_each_loop_has_its_own():
    clock = ManualClock(epoch=1e9)
    tier = Slow(SharedMemory(clock))
    cache = AdaptiveCache(clock=clock, tiers=[tier], consistency_level="strong")
    for _ in range(3):

        async def main():
            await cache.put("a", 1)
            return await asyncio.gather(*[cache.get("a") for _ in range(5)])

        assert asyncio.run(main()) == [1] * 5
        assert len(cache.sync._gathered) == 1


def test_strong_reads_are_counted_and_timed():
    async def work(cache, tier, memory):
        before, waits = cache.statistics, cache.sync.latency.described()["waits"]["count"]
        await asyncio.gather(*[cache.get("a") for _ in range(10)])
        await cache.get_or_load("a", lambda key: 2)
        after = cache.statistics
        assert after.total_requests - before.total_requests == 11
        assert after.cache_hits - before.cache_hits == 11
        assert cache.sync.latency.described()["waits"]["count"] - waits >= 10

    run(work)


def test_a_session_reads_strongly_what_it_may_be_shown():
    async def work(cache, tier, memory):
        context = {"session_id": "ann"}
        assert await cache.get("a", context) == 1
        assert await cache.get("a", context) == 1
        await cache.put("a", 2, context=context)
        assert await cache.get("a", context) == 2
        assert cache.sync.get("a", context=context) == 2
        assert cache.sync.get("a", consistency_level="strong") == 2
        assert cache.sync.get_or_load("a", context=context) == 2

    run(work)
