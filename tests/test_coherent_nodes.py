"""Caches as nodes over a real server: what each sees of what others do."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading

import pytest

from scrubjay import AdaptiveCache, Cache, Disk, Memory, Redis
from scrubjay.errors import TierUnavailableError
from tests.door_helpers import PATIENCE, Patient, arun, spin
from tests.redis_servers import Client

pytestmark = pytest.mark.any_build


@pytest.fixture
def url(redis_server):
    with Client(redis_server.socket) as client:
        client("FLUSHALL")
    return redis_server.url


@pytest.fixture
def node(url, tmp_path):
    made = []

    def make(disk=False, silence=5.0, **options):
        lower = [Disk(tmp_path / f"disk{len(made)}", max_size_mb=8)] if disk else []
        shared = Redis(url, max_silence_seconds=silence, lease_seconds=60, timeout_seconds=10)
        cache = Cache(max_entries=100, tiers=[Memory(), *lower, shared], **options)
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.close()


def test_what_one_node_changes_goes_from_the_memory_of_others(node):
    first, second = node(), node()
    first.put("a", 1)
    assert second.get("a") == 1
    assert "a" in second
    first.put("a", 2)
    spin(lambda: "a" not in second)
    assert second.get("a") == 2
    first.invalidate("a")
    spin(lambda: "a" not in second)
    assert second.get("a") is None


def test_tags_and_dependencies_reach_other_nodes(node):
    first, second = node(), node()
    first.put("a", 1, tags={"red"})
    first.put("b", 2, dependencies={"base"})
    first.put("c", 3, dependencies={"b"})
    assert [second.get(key) for key in "abc"] == [1, 2, 3]
    second.invalidate_by_tags({"red"})
    spin(lambda: "a" not in first)
    assert first.get("a") is None
    second.invalidate("base")
    spin(lambda: not {"b", "c"} & set(first))
    assert [first.get(key) for key in "bc"] == [None, None]


def test_clearing_one_node_clears_all(node):
    first, second = node(disk=True), node(disk=True)
    first.put("a", 1)
    second.get("a")
    first.clear()
    spin(lambda: "a" not in second)
    assert second.get("a") is None


def test_tenants_see_nothing_of_each_other(node):
    first, second = node(tenant="x"), node(tenant="y")
    first.put("a", 1)
    assert second.get("a") is None
    second.clear()
    assert first.get("a", consistency_level="strong") == 1


def test_strong_reads_see_every_write_that_has_returned(node):
    first, second = node(disk=True), node(disk=True)
    for number in range(50):
        first.put("a", number)
        assert second.get("a", consistency_level="strong") == number
        assert second.get_or_load("a", lambda key: -1, consistency_level="strong") == number


def test_a_session_carries_what_it_has_written_to_another_node(node):
    first, second = node(), node()
    who = {"session_id": "s"}
    second.put("a", 0)
    for number in range(50):
        assert second.get("a") is not None  # a copy, perhaps an old one
        first.put("a", number, context=who)
        second.session("s", first.session("s").token())
        assert second.get("a", context=who, consistency_level="session") == number


def test_a_disk_copy_is_served_while_nothing_has_changed(node):
    first, second = node(disk=True), node(disk=True)
    for number in range(300):  # more than memory holds
        first.put(number, number)
    before = first.get_detailed_statistics()["tiers"]
    assert [first.get(number) for number in range(100)] == list(range(100))
    tiers = first.get_detailed_statistics()["tiers"]
    assert tiers["disk"]["hits"] - before["disk"]["hits"] == 100
    assert tiers["redis"]["hits"] == before["redis"]["hits"]
    second.put(0, "new")
    for number in range(100, 300):  # push it out of memory
        first.get(number)
    spin(lambda: first.get(0) == "new")


def test_one_node_loads_and_the_others_wait(node):
    nodes = [node() for _ in range(4)]
    calls = []
    gate = threading.Event()

    def load(key):
        calls.append(key)
        assert gate.wait(PATIENCE)
        return "loaded"

    waiting = [Patient(cache.get_or_load, "a", load) for cache in nodes for _ in range(3)]
    spin(lambda: calls)
    gate.set()
    assert [one.result() for one in waiting] == ["loaded"] * 12
    assert calls == ["a"]


def test_a_load_that_fails_lets_another_node_try(node):
    first, second = node(), node()
    entered, leave = threading.Event(), threading.Event()

    def fail(key):
        entered.set()
        assert leave.wait(PATIENCE)
        raise RuntimeError("no")

    failing = Patient(first.get_or_load, "a", fail)
    assert entered.wait(PATIENCE)
    other = Patient(second.get_or_load, "a", lambda key: 2)
    leave.set()
    with pytest.raises(RuntimeError):
        failing.result()
    assert other.result() == 2


@pytest.fixture
def forgiven():
    """Have what a loop has left open closed, with a warning, before the test ends."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:Exception ignored")
def test_what_was_read_on_a_loop_that_has_ended_goes(url, forgiven):
    cache = AdaptiveCache(max_entries=10, tiers=[Redis(url, max_silence_seconds=0.5)])

    async def read():
        await cache.put("a", 1)
        assert await cache.get("a") == 1

    arun(read())
    spin(lambda: "a" not in cache)
    cache.sync.close()


def test_a_link_that_is_lost_empties_memory(node, redis_server):
    first = node()
    first.put("a", 1)
    assert "a" in first
    with Client(redis_server.socket) as client:
        client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    spin(lambda: "a" not in first)
    assert first.get("a") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_begins_with_an_empty_memory(node):
    first, second = node(), node()
    first.put("a", 1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(read, 1)
            found = first.get("a")
            os._exit(7 if found == 2 else 1)
        finally:
            os._exit(2)
    second.put("a", 2)
    os.write(write, b".")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    spin(lambda: first.get("a") == 2)


def test_without_the_server_eventual_goes_on_and_strong_says_so(url, redis_server):
    with Cache(max_entries=10, tiers=[Redis("unix:///nowhere.sock")]) as cache:
        assert cache.put("a", 1)
        assert cache.get("a") == 1
        with pytest.raises(TierUnavailableError):
            cache.get("a", consistency_level="strong")
        assert cache.get_or_load("b", lambda key: 2) == 2
        assert cache.invalidate("a") == 1
    with (
        Cache(
            max_entries=10, consistency_level="strong", tiers=[Redis("unix:///nowhere.sock")]
        ) as cache,
        pytest.raises(TierUnavailableError),
    ):
        cache.put("a", 1)


def work(url, path, seconds, results):
    """Load 20 keys by 50 tasks; write down each load."""

    async def load(key):
        with path.open("a") as file:
            file.write(f"{key}\n")
        await asyncio.sleep(seconds)
        return key

    async def main():
        async with AdaptiveCache(max_entries=1000, tiers=[Redis(url, lease_seconds=3)]) as cache:
            tasks = [cache.get_or_load(f"k{number % 20}", load) for number in range(50)]
            got = await asyncio.gather(*tasks)
            assert got == [f"k{number % 20}" for number in range(50)]
            results.put("done")

    asyncio.run(main())


def stampede(url, path, victims):
    """Have several processes load the same keys, after others that never get to an end."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    stuck = [context.Process(target=work, args=(url, path, 600, results)) for _ in range(victims)]
    for process in stuck:
        process.start()
    spin(lambda: not victims or (path.exists() and len(path.read_text().split()) >= 20))
    processes = [context.Process(target=work, args=(url, path, 0.2, results)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in stuck:
        process.kill()
        process.join()
    for _ in processes:
        assert results.get(timeout=60) == "done"
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return path.read_text().split()


def test_a_stampede_of_processes_makes_one_load_of_each_key(url, tmp_path):
    loads = stampede(url, tmp_path / "loads", 0)
    assert sorted(loads) == sorted(f"k{number}" for number in range(20))


def test_what_a_killed_process_was_loading_is_loaded_by_one_other(url, tmp_path):
    loads = stampede(url, tmp_path / "loads", 1)
    assert sorted(loads) == sorted(f"k{number}" for number in range(20) for _ in range(2))
