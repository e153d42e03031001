"""What a tier must do that several processes share, as tests to be inherited."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scrubjay.clock import Clock, ManualClock, SystemClock
from scrubjay.testing.history import Operation, unexplained
from scrubjay.testing.tiers import TierSuite
from scrubjay.tiers import Tier, TierRecord

__all__ = ["SharedTierSuite", "record_history"]

OpenTier = Callable[[Path, Clock], Tier]
History = dict[bytes, list[Operation]]

_KEYS = [b"key:%d" % number for number in range(6)]


class SharedTierSuite(TierSuite):
    """Tests of a tier whose store outlives it, and is shared by processes.

    `open_tier` must be importable by a new process: a static method of a class at the top
    of a module, with nothing but its arguments.
    """

    #: processes that work at the same time
    processes = 4
    #: operations of each of them
    operations = 10_000

    @pytest.fixture
    def other(self, tmp_path: Path, clock: ManualClock, tier: Tier) -> Iterator[Tier]:
        """Yield a second tier over the store of the first."""
        with self.open_tier(tmp_path / "tier", clock) as other:
            yield other

    def test_one_sees_at_once_what_another_does(self, tier: Tier, other: Tier) -> None:
        for turn in range(100):
            value = b"%d" % turn
            tier.put_many([TierRecord(b"a", value)])
            assert other.get_many([b"a"]) == [value]
            other.put_many([TierRecord(b"a", b"x" + value)])
            assert tier.get_many([b"a"]) == [b"x" + value]
            assert other.delete_many([b"a"]) == 1
            assert tier.get_many([b"a"]) == [None]
            bumped = other.bump([b"tag"])
            assert tier.counters([b"tag"]) == bumped
        tier.put_many([TierRecord(b"a", b"1")])
        other.clear()
        assert tier.get_many([b"a"]) == [None]

    def test_what_is_stored_outlives_a_close(self, tmp_path: Path, clock: ManualClock) -> None:
        with self.open_tier(tmp_path / "tier", clock) as tier:
            tier.put_many([TierRecord(b"a", b"1", clock.time() + 10), TierRecord(b"b", b"2")])
            bumped = tier.bump([b"tag"])
        with self.open_tier(tmp_path / "tier", clock) as tier:
            assert tier.get_many([b"a", b"b"]) == [b"1", b"2"]
            assert tier.counters([b"tag"]) == bumped
            self.check_entries(tier, {b"a", b"b"})
            clock.advance(10)
            assert tier.get_many([b"a", b"b"]) == [None, b"2"]

    def test_processes_read_what_was_current(self, tmp_path: Path) -> None:
        history = record_history(self.open_tier, tmp_path / "tier", self.processes, self.operations)
        everything = sorted(one[:2] for operations in history.values() for one in operations)
        overlaps = sum(next_[0] < one[1] for one, next_ in itertools.pairwise(everything))
        print(f"{len(everything)} operations; {overlaps} began while another was running")
        for key, operations in history.items():
            assert unexplained(operations) is None, key

    def test_processes_never_begin_the_same_generation(self, tmp_path: Path) -> None:
        bumped = _in_processes(_bump, self.open_tier, tmp_path / "tier", self.processes, 200)
        for mine in bumped:
            assert mine == sorted(set(mine))
        everyone = [generation for mine in bumped for generation in mine]
        assert len(set(everyone)) == len(everyone)


def record_history(
    open_tier: OpenTier, directory: Path, processes: int, operations: int
) -> History:
    """Let processes read, write and remove some keys; return what they saw, by key.

    Args:
        open_tier: opens the tier in each process.
        directory: of the store.
        processes: how many.
        operations: of each of them, half of them reads.
    """
    together: History = {key: [] for key in _KEYS}
    for mine in _in_processes(_work, open_tier, directory, processes, operations):
        for key, operation in mine:
            together[key].append(operation)
    return together


def _in_processes(
    work: Callable[..., Any], open_tier: OpenTier, directory: Path, processes: int, times: int
) -> list[Any]:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(processes)
    results = context.SimpleQueue()
    children = [
        context.Process(
            target=_child, args=(work, open_tier, directory, number, times, gate, results)
        )
        for number in range(processes)
    ]
    for child in children:
        child.start()
    returned = [results.get() for _ in children]
    for child in children:
        child.join()
    for one in returned:
        assert not isinstance(one, str), one
    return returned


def _child(
    work: Callable[..., Any],
    open_tier: OpenTier,
    directory: Path,
    number: int,
    times: int,
    gate: Any,
    results: Any,
) -> None:
    try:
        with open_tier(directory, SystemClock()) as tier:
            tier.get_many(_KEYS)  # opened now
            gate.wait()
            done = work(tier, number, times)
            gate.wait()  # who closes first must not be waited for
    except BaseException as error:
        gate.abort()
        done = f"process {number} failed: {error!r}"
    results.put(done)


def _work(tier: Tier, number: int, times: int) -> list[tuple[bytes, Operation]]:
    draw = random.Random(number)
    seen = []
    for turn in range(times):
        key = draw.choice(_KEYS)
        kind = draw.random()
        reads, removes = kind < 0.5, kind >= 0.9
        value: bytes | None = None
        if not removes:
            # Of many sizes, and none twice.
            value = b"%s of %d, %d:" % (key, number, turn) + b"." * draw.choice((0, 900, 40_000))
        start = time.monotonic()
        if reads:
            (value,) = tier.get_many([key])
        elif value is None:
            tier.delete_many([key])
        else:
            tier.put_many([TierRecord(key, value)])
        end = time.monotonic()
        seen.append((key, Operation(start, end, not reads, value and value[:40])))
    return seen


def _bump(tier: Tier, number: int, times: int) -> list[int]:
    return [tier.bump([b"tag"])[0] for _ in range(times)]
