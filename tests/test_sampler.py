"""Hits that are looked at again in the background."""

from __future__ import annotations

import asyncio

import pytest

from scrubjay import AdaptiveCache, Cache, ManualClock
from scrubjay._flow import sampler
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.events import EventKind
from scrubjay.testing import SharedMemory, SharedMemoryTier

ALL = 1 / 1024
ANN = {"session_id": "ann"}


class Jobs(list):
    """The work of the background, done when the test says so."""

    submit = list.append

    def run(self):
        while self:
            self.pop(0)()


@pytest.fixture
def jobs(monkeypatch):
    made = Jobs()
    monkeypatch.setattr(sampler, "_workers", made)
    return made


def shared(share=ALL, **options):
    clock = ManualClock(epoch=1e9)
    tier = SharedMemoryTier(SharedMemory(clock))
    cache = Cache(clock=clock, tiers=[tier], consistency_check_share=share, **options)
    return cache, tier


def forge(cache, tier, key="a"):
    """Let another value be there of which nobody is told."""
    memory = tier._memory
    name = cache._shared.lower.name_of(key)
    before = memory.watched.pop(b"r" + name, None)
    SharedMemoryTier(memory).delete([name])
    if before is not None:
        memory.watched[b"r" + name] = before


def read(cache, times, **options):
    for _ in range(times):
        cache.get("a", **options)


def conflicts(cache):
    group = cache.get_detailed_statistics()["consistency"]
    return group["checked"], {level: n for level, n in group["conflicts_by_level"].items() if n}


@pytest.mark.parametrize(
    ("level", "options"),
    [
        ("eventual", {}),
        ("eventual", {"context": ANN}),
        ("session", {"context": ANN, "consistency_level": "session"}),
        ("monotonic", {"context": ANN, "consistency_level": "monotonic"}),
        ("strong", {"consistency_level": "strong"}),
        ("strong", {"context": ANN, "consistency_level": "strong"}),
    ],
)
def test_one_hit_in_a_thousand_is_checked(jobs, level, options):
    cache, tier = shared()
    cache.put("a", 1)
    told = []
    cache.on_event(told.append, EventKind.CONFLICT, queued=False)
    read(cache, 3 * 1024, **options)
    assert len(jobs) == 3
    jobs.run()
    assert conflicts(cache) == (3, {})
    read(cache, 1024, **options)
    forge(cache, tier)
    jobs.run()
    assert conflicts(cache) == (4, {level: 1})
    assert cache.statistics.consistency_conflicts == 1
    (event,) = told
    assert event.key == "a"
    assert level in event.detail
    assert cache.get("a") is None  # it was let go


def test_a_generation_that_nobody_told_of_is_found_too(jobs):
    cache, tier = shared()
    cache.put("a", 1, tags={"t"})
    read(cache, 1024)
    memory = tier._memory
    name = cache._shared.lower.names.of_tag("t")
    before = memory.watched.pop(b"c" + name, None)
    SharedMemoryTier(memory).advance([name])
    if before is not None:
        memory.watched[b"c" + name] = before
    jobs.run()
    assert conflicts(cache) == (1, {"eventual": 1})


def test_what_was_told_meanwhile_proves_nothing(jobs):
    cache, tier = shared()
    cache.put("a", 1)
    read(cache, 1024)
    other = SharedMemoryTier(tier._memory)
    other.delete([cache._shared.lower.name_of("a")])
    jobs.run()
    assert conflicts(cache) == (0, {})


@pytest.mark.parametrize(("share", "checks"), [(0.0, 0), (ALL / 4, 2), (ALL / 3, 2), (ALL, 8)])
def test_the_share_is_kept_at_equal_distances(monkeypatch, share, checks):
    monkeypatch.setattr(sampler, "_MOST", 100)
    jobs = Jobs()
    monkeypatch.setattr(sampler, "_workers", jobs)
    cache, _ = shared(share)
    cache.put("a", 1)
    read(cache, 8 * 1024)
    assert len(jobs) == checks


def test_no_more_than_a_few_are_under_way(jobs):
    cache, _ = shared()
    cache.put("a", 1)
    read(cache, 20 * 1024)
    assert len(jobs) == sampler._MOST
    jobs.run()
    read(cache, 1024)
    assert len(jobs) == 1


def test_a_tier_that_cannot_be_asked_is_no_conflict(jobs):
    cache, tier = shared()
    cache.put("a", 1)
    read(cache, 1024)
    tier.reachable = False
    jobs.run()
    assert conflicts(cache) == (0, {})


def test_no_thread_to_check_is_no_harm(monkeypatch):
    class Full:
        def submit(self, job):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sampler, "_workers", Full())
    cache, _ = shared()
    cache.put("a", 1)
    read(cache, 20 * 1024)
    assert cache.checker._under_way == set()


def test_on_an_event_loop_it_is_a_task_there(jobs):
    clock = ManualClock(epoch=1e9)
    tier = SharedMemoryTier(SharedMemory(clock))
    cache = AdaptiveCache(clock=clock, tiers=[tier], consistency_check_share=ALL)

    async def main():
        await cache.put("a", 1)
        for _ in range(1024):
            await cache.get("a")
        forge(cache.sync, tier)
        tasks = list(cache.sync.checker._under_way)
        assert len(tasks) == 1
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert jobs == []
    assert conflicts(cache) == (1, {"eventual": 1})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_checks_on_loops_that_were_closed_keep_nobody_from_checking(jobs, monkeypatch):
    cache, tier = shared()
    cache.put("a", 1)

    async def never(*_):
        await asyncio.get_running_loop().create_future()

    async def work(turns):
        read(cache, 1024)
        for _ in range(turns):
            await asyncio.sleep(0)

    def run(turns):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # of tasks that were pending
        loop.run_until_complete(work(turns))
        loop.close()

    monkeypatch.setattr(tier, "afetch", never, raising=False)
    for _ in range(6):
        run(2)
    monkeypatch.undo()
    before = conflicts(cache)[0]
    for _ in range(3):
        run(20)
    assert conflicts(cache)[0] >= before + 3


def test_a_cache_of_its_own_checks_nothing():
    cache = Cache(consistency_check_share=ALL)
    cache.put("a", 1)
    read(cache, 2048)
    assert cache.checker is None
    assert conflicts(cache) == (0, {})


@pytest.mark.parametrize("share", [-0.1, 0.001, 1, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(InvalidArgumentError, match="consistency_check_share"):
        Cache(consistency_check_share=share)
    with pytest.raises(InvalidArgumentTypeError):
        Cache(consistency_check_share="all")
