"""When there is no memory left in the middle of a change."""

from __future__ import annotations

import gc

import pytest

import scrubjay
from scrubjay import Cache
from scrubjay.clock import ManualClock

testcapi = pytest.importorskip("_testcapi")
pytestmark = [
    pytest.mark.skipif(
        not scrubjay.compiled, reason="the interpreter itself allocates while it runs a step"
    ),
    pytest.mark.untraced,  # the tracer crashes where it is given no memory
]


def fails(function, allocation):
    """Call a function in which one allocation, by its number, fails; tell whether it did."""
    testcapi.set_nomemory(allocation, allocation + 1)
    try:
        function()
    except MemoryError:
        return True
    finally:
        testcapi.remove_mem_hooks()
    return False


def play(cache, keys):
    for number in range(4 * keys):
        if cache.get(number % keys) is None:
            cache.put(number % keys, number)


@pytest.mark.parametrize(
    ("entries", "change"),
    [
        (8, lambda cache: cache.put("x", 1, priority=2.0)),
        (8, lambda cache: cache.put("x", 1, cost=2.0)),
        (8, lambda cache: cache.put("x", 1, ttl_seconds=60)),
        (8, lambda cache: cache.get(0, context={"session_id": "a"})),
        (64, lambda cache: cache.put("x", 1)),
        (64, lambda cache: cache.advise()),
        (64, lambda cache: cache.clear()),
    ],
    ids=["priority", "cost", "time to live", "session", "growth", "advice", "clearing"],
)
def test_whatever_allocation_fails_the_cache_works_and_garbage_is_collected(entries, change):
    failed = 0
    for allocation in range(0, 3000, 7):
        # A clock of its own, as else a thread is started to collect what expires.
        cache = Cache(max_entries=entries if entries == 8 else 5000, clock=ManualClock())
        for key in range(entries):
            cache.put(key, key)
        if fails(lambda cache=cache: change(cache), allocation):
            failed += 1
            assert gc.isenabled()
        elif allocation > 100:
            break
        cache.resize(max_entries=entries)
        for keys in (25, 80, 150):
            play(cache, keys)
        assert len(cache) == entries
        cache.describe_policy()
    assert failed
