"""Eight threads on one cache against one thread, for the same operations in sum.

Under the interpreter's lock eight threads cannot be faster than one; what is
seen here is what a cache loses to its own locking and to switches. The dict
beside it shows what the interpreter alone loses. Not pinned and by the wall
clock: threads are free to run on all CPUs, as they do for users, and waiting counts.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from benchmarks import peers
from benchmarks.cases._setup import SEED, filled, make_keys
from benchmarks.peers import NAMES, Peer
from benchmarks.timing import (
    Loop,
    Measure,
    Outcome,
    Scale,
    Subject,
    compile_loop,
    compile_source,
    interleave,
)

THREADS = 8
CAPACITY = 10_000
ROUNDS = 11
SLICE_NS = 120_000_000
ONE = ", 1 thread"
ALL = f", {THREADS} threads"
_MIXED_LOOP = """
def loop(cache, groups):
    start = clock()
    for j, nine in groups:
        for k in nine:
            {get}
        k = j
        {put}
    return clock() - start
"""


@dataclass(frozen=True)
class _Work:
    """What the threads do: a loop, and for each thread the items it goes through."""

    loop: Loop
    items: list[Sequence[Any]]
    operations_an_item: int = 1


def gets(scale: Scale) -> Outcome:
    """Only hits, each thread in an order of its own."""
    keys = make_keys(scale.of(CAPACITY, 500))

    def prepare(peer: Peer) -> _Work:
        loop = compile_loop(peer.get, clock=perf_counter_ns, **NAMES)
        return _Work(loop, [_mixed(keys, n) for n in range(THREADS)])

    return _measure(scale, keys, prepare)


def mixed(scale: Scale) -> Outcome:
    """Nine gets to one put, over a quarter more keys than fit."""
    keys = make_keys(scale.of(CAPACITY, 500))
    universe = make_keys(len(keys) * 5 // 4)

    def prepare(peer: Peer) -> _Work:
        loop = compile_source(
            _MIXED_LOOP.format(get=peer.get, put=peer.put), clock=perf_counter_ns, **NAMES
        )
        return _Work(loop, [_groups(_mixed(universe, n)) for n in range(THREADS)], 10)

    return _measure(scale, keys, prepare)


def _mixed(keys: Sequence[str], number: int) -> list[str]:
    return random.Random(SEED + number).sample(keys, len(keys))


def _groups(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [(keys[at], list(keys[at + 1 : at + 10])) for at in range(0, len(keys) - 9, 10)]


def _measure(scale: Scale, keys: Sequence[str], prepare: Callable[[Peer], _Work]) -> Outcome:
    subjects = []
    for peer in peers.stores(strategies=False):
        contest = _Contest(peer, keys, prepare, scale.of(SLICE_NS, 1_000_000))
        subjects.append(Subject(peer.name + ONE, contest.alone))
        subjects.append(Subject(peer.name + ALL, contest.together))
    return interleave(subjects, scale.of(ROUNDS, 1))


class _Contest:
    """One cache, worked on by one thread and by eight.

    Slow caches get fewer operations, fast ones enough for many switches of
    threads; each is only compared with itself.

    Args:
        peer: What to build.
        keys: What it is filled with.
        prepare: Makes the work.
        slice_ns: About how long one thread should take.
    """

    def __init__(
        self, peer: Peer, keys: Sequence[str], prepare: Callable[[Peer], _Work], slice_ns: int
    ) -> None:
        self._peer = peer
        self._keys = keys
        self._prepare = prepare
        self._slice_ns = slice_ns

    def alone(self) -> Measure:
        """Fill the cache, size the work, and return the measurement by one thread."""
        self._cache = filled(self._peer, self._keys)
        work = self._prepare(self._peer)
        self._loop = work.loop
        once = min(work.loop(self._cache, work.items[0]) for _ in range(3))
        passes = max(1, self._slice_ns // (once * THREADS))
        self._shares = [list(items) * passes for items in work.items]
        self._operations = sum(map(len, self._shares)) * work.operations_an_item
        return lambda _: (
            sum(self._loop(self._cache, share) for share in self._shares) / self._operations
        )

    def together(self) -> Measure:
        """Return the measurement by eight threads; `alone` comes first."""
        return lambda _: _race(self._cache, self._loop, self._shares) / self._operations


def _race(cache: Any, loop: Loop, shares: Sequence[Sequence[Any]]) -> int:
    """Return nanoseconds from the common start to the end of the last thread."""
    errors: list[Exception] = []
    ends: list[int] = []
    gate = threading.Barrier(len(shares) + 1)

    def work(share: Sequence[Any]) -> None:
        gate.wait()
        try:
            loop(cache, share)
        except Exception as error:
            errors.append(error)
        ends.append(perf_counter_ns())

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    # Read before the gate opens: after it, this thread would have to win the
    # interpreter's lock back first, and would start its watch late.
    start = perf_counter_ns()
    gate.wait()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return max(ends) - start
