"""Strong reads of one event loop, which share their barriers."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest

from scrubjay import AdaptiveCache, ManualClock, Redis
from scrubjay.errors import ConsistencyUnavailableError, TierUnavailableError
from scrubjay.events import EventKind
from scrubjay.testing import RedisServer, SharedMemory, SharedMemoryTier
from scrubjay.tiers._redis.aio import Wire
from scrubjay.tiers._redis.session import Session
from tests.redis_servers import Client, need_server


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
        assert len(cache.sync._shared._gathered) == 1


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


def test_who_may_not_wait_longer_is_let_go_at_once():
    async def work(cache, tier, memory):
        tier.gates = []
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(cache.get("a"), 0.01)
        tier.gates.pop().set_result(None)
        await turn()
        tier.gates = None
        assert await cache.get("a") == 1

    run(work)


def test_an_interrupted_loop_goes_on_with_those_who_wait():
    loop = asyncio.new_event_loop()
    clock = ManualClock(epoch=1e9)
    tier = Slow(SharedMemory(clock))
    cache = AdaptiveCache(clock=clock, tiers=[tier], consistency_level="strong")

    async def interrupted():
        await cache.get("a")
        raise KeyboardInterrupt

    async def main():
        await cache.put("a", 1)
        await cache.get("a")
        tier.gates = []
        tasks = [loop.create_task(cache.get("a"))]
        await turn()
        tasks += [loop.create_task(one) for one in (cache.get("a"), interrupted(), cache.get("a"))]
        await turn()
        for _ in range(2):
            tier.gates.pop().set_result(None)
            await turn()
        return tasks

    async def rest(tasks):
        return await asyncio.gather(*tasks, return_exceptions=True)

    waiting = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(waiting)
    tasks = loop.run_until_complete(waiting)
    first, second, broken, fourth = loop.run_until_complete(rest(tasks))
    assert (first, second, fourth) == (1, 1, 1)
    assert isinstance(broken, KeyboardInterrupt)
    loop.close()


class OfItsOwn(TierUnavailableError):
    """Is not made of a message alone."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")


def test_an_error_that_cannot_be_made_again_reaches_all():
    async def work(cache, tier, memory):
        async def abarrier(feeds=()):
            raise OfItsOwn(7, "away")

        tier.abarrier = abarrier
        tasks = [asyncio.create_task(cache.get("a")) for _ in range(3)]
        done, waiting = await asyncio.wait(tasks, timeout=10.0)
        assert not waiting
        assert [type(task.exception()) for task in done] == [OfItsOwn] * 3

    run(work)


def test_a_short_way_that_fails_is_an_error_of_ours_and_not_the_end():
    async def work(cache, tier, memory):
        def begin_barrier(told):
            if failing:
                raise ValueError("not now")
            return False

        failing = [True]
        tier.begin_barrier = begin_barrier
        coherent = cache.sync._shared
        coherent._gathered.clear()
        task = asyncio.create_task(cache.get("a"))
        done, _ = await asyncio.wait([task], timeout=10.0)
        assert done
        assert type(task.exception()) is TierUnavailableError
        failing.clear()
        assert await asyncio.wait_for(cache.get("a"), 10.0) == 1

    run(work)


# ---- on a server


@pytest.fixture
def server():
    need_server()
    with tempfile.TemporaryDirectory(prefix="sj") as at, RedisServer(Path(at)) as server:
        yield server


async def opened(url, **options):
    cache = AdaptiveCache(consistency_level="strong", tiers=[Redis(url, **options)])
    await cache.put("a", 1)
    assert await cache.get("a") == 1
    assert await cache.get("a") == 1
    return cache


def pings(client):
    for line in client("INFO", "commandstats").split(b"\r\n"):
        if b"cmdstat_ping" in line:
            return int(line.partition(b"calls=")[2].partition(b",")[0])
    return 0


def test_a_barrier_for_all_readers_is_one_command(server):
    async def reader(cache):
        for _ in range(10):
            assert await cache.get("a") == 1

    async def main():
        cache = await opened(server.url)
        with Client(server.socket) as client:
            client("CONFIG", "RESETSTAT")
            await asyncio.gather(*[reader(cache) for _ in range(64)])
            assert 10 <= pings(client) <= 12
        await cache.close()

    asyncio.run(main())


def test_what_another_has_written_before_is_never_missed(server):
    async def main():
        cache = await opened(server.url)
        other = await opened(server.url)

        async def reader():
            while not over:
                begun = written
                assert await cache.get("a") >= begun

        over, written = [], 1
        readers = [asyncio.create_task(reader()) for _ in range(8)]
        for number in range(2, 200):
            await other.put("a", number)
            written = number
        over.append(True)
        await asyncio.gather(*readers)
        await cache.close()
        await other.close()

    asyncio.run(main())


def test_a_connection_that_is_lost_meanwhile_is_made_anew(server):
    async def main():
        cache = await opened(server.url)
        with Client(server.socket) as client:
            for _ in range(5):
                tasks = [asyncio.create_task(cache.get("a")) for _ in range(8)]
                await asyncio.sleep(0)
                client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                assert await asyncio.gather(*tasks) == [1] * 8
        assert cache.sync._shared.shared.counts.errors == 0
        await cache.close()

    asyncio.run(main())


def test_no_answer_is_an_error_for_each_and_counted_once(server):
    async def main():
        cache = await opened(server.url, timeout_seconds=0.3)
        server.stop()
        tasks = [asyncio.create_task(cache.get("a")) for _ in range(4)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        server.resume()
        assert [type(one) for one in outcomes] == [TierUnavailableError] * 4
        assert cache.sync._shared.shared.counts.errors == 2  # one had come before the others
        while True:
            with contextlib.suppress(TierUnavailableError):
                assert await cache.get("a") == 1
                break
        await cache.close()

    asyncio.run(main())


def test_a_replica_that_joins_meanwhile_is_noticed(server):
    async def main():
        cache = await opened(server.url)
        assert await cache.get("a") == 1
        (feed,) = {feed for _, feed in cache.sync._shared._gathered}
        task = asyncio.create_task(cache.get("a"))
        await asyncio.sleep(0)  # it has been sent
        feed.failover = True  # as a heartbeat says
        with pytest.raises(ConsistencyUnavailableError):
            await task
        with pytest.raises(ConsistencyUnavailableError):
            await cache.get("a")
        feed.failover = False
        assert await cache.get("a") == 1
        await cache.close()

    asyncio.run(main())


def test_a_barrier_whose_task_is_cancelled_keeps_nobody_waiting(server):
    async def main():
        cache = await opened(server.url)
        tier = cache.sync._shared.shared.tier
        reading = asyncio.create_task(cache.get("a"))
        await asyncio.sleep(0)
        link = tier._loops[asyncio.get_running_loop()]
        link.session.carrier.lose(TierUnavailableError("it is cut off"))
        await turn(2)
        (barrier,) = tier._barriers
        barrier.cancel()  # as by who ends all tasks but his own
        done, _ = await asyncio.wait([reading], timeout=10.0)
        assert done
        assert type(reading.exception()) is TierUnavailableError
        assert await asyncio.wait_for(cache.get("a"), 10.0) == 1
        await cache.close()

    asyncio.run(main())


def test_an_interrupted_loop_tells_the_other_callers():
    loop = asyncio.new_event_loop()
    heard = []

    def interrupted(_):
        raise KeyboardInterrupt

    async def main():
        wire = Wire(None, Session(b"generation"))
        wire.tell_later(interrupted, None)
        wire.tell_later(heard.append, "the outcome")
        await turn(3)

    waiting = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(waiting)
    loop.run_until_complete(waiting)
    loop.close()
    assert heard == ["the outcome"]
