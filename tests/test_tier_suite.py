"""The suites find what they look for: histories and tiers with a fault in them."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.testing import Operation, unexplained
from scrubjay.testing.model import check_against_reference
from scrubjay.testing.shared import record_history
from scrubjay.tiers import DiskTier, MemoryTier

pytestmark = pytest.mark.any_build

# ---- histories


def read(start, end, value):
    return Operation(start, end, write=False, value=value)


def write(start, end, value):
    return Operation(start, end, write=True, value=value)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [read(0, 1, None)],
        [write(0, 1, "a"), read(2, 3, "a")],
        [write(0, 5, "a"), read(1, 2, None), read(3, 4, "a")],
        [write(0, 5, "a"), write(0, 5, "b"), read(6, 7, "a"), read(6, 7, "a")],
        [write(0, 5, "a"), write(1, 2, "b"), read(3, 4, "b"), read(6, 7, "a")],
        [write(0, math.inf, "a"), read(1, 2, None), read(3, 4, None)],
        [write(0, math.inf, "a"), read(1, 2, None), read(3, 4, "a")],
        [write(0, 1, "a"), write(2, 3, None), read(4, 5, None)],
    ],
)
def test_histories_with_an_order(history):
    assert unexplained(history) is None


@pytest.mark.parametrize(
    ("history", "blamed"),
    [
        ([read(0, 1, "a")], read(0, 1, "a")),
        ([write(0, 1, "a"), read(2, 3, None)], read(2, 3, None)),
        ([write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "a")], read(4, 5, "a")),
        ([write(0, 1, "a"), write(2, 3, None), read(4, 5, "a")], read(4, 5, "a")),
        # Seen, and then not seen any more, while it was being written.
        ([write(0, 9, "a"), read(1, 2, "a"), read(3, 4, None)], read(3, 4, None)),
        # Two readers who disagree about the order of two writes.
        (
            [write(0, 1, "a"), write(0, 1, "b"), read(2, 3, "a"), read(4, 5, "b")],
            read(4, 5, "b"),
        ),
    ],
)
def test_histories_without_an_order(history, blamed):
    assert unexplained(history) == blamed


@st.composite
def histories(draw):
    operations = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, 8))
        end = start + 0.5 + draw(st.integers(0, 4))
        value = draw(st.sampled_from([None, "a", "b"]))
        operations.append(Operation(start, end, draw(st.booleans()), value))
    return operations


def some_order_explains(history):
    for order in itertools.permutations(history):
        value = None
        if any(later.end < earlier.start for earlier, later in itertools.combinations(order, 2)):
            continue
        for one in order:
            if one.write:
                value = one.value
            elif one.value != value:
                break
        else:
            return True
    return False


@given(histories())
def test_finds_an_order_exactly_if_there_is_one(history):
    assert (unexplained(history) is None) == some_order_explains(history)


class Stale(DiskTier):
    """Reads a key from its own memory, and asks the disk every tenth time."""

    def get_many(self, keys):
        memory = self.__dict__.setdefault("memory", {})
        count = self.__dict__["count"] = self.__dict__.get("count", 0) + 1
        if count % 10 == 0 or any(key not in memory for key in keys):
            memory.update(zip(keys, super().get_many(keys), strict=True))
        return [memory[key] for key in keys]


def open_stale(directory, clock):
    return Stale(directory, 64 << 20, clock=clock)


def test_processes_that_remember_are_found_out(tmp_path):
    history = record_history(open_stale, tmp_path / "tier", 2, 300)
    assert any(unexplained(operations) is not None for operations in history.values())


# ---- tiers


class KeepsForEver(MemoryTier):
    def put_many(self, records):
        return super().put_many([one._replace(expires_at=None) for one in records])


class StandsStill(MemoryTier):
    def bump(self, names):
        return self.counters(names)


class FirstOneWins(MemoryTier):
    def put_many(self, records):
        return super().put_many(reversed(list(records)))


class ForgetsLarge(MemoryTier):
    def get_many(self, keys):
        found = super().get_many(keys)
        return [None if value and len(value) > 50_000 else value for value in found]


class ClearsNothing(MemoryTier):
    def clear(self):
        pass


@pytest.mark.parametrize(
    "kind", [KeepsForEver, StandsStill, FirstOneWins, ForgetsLarge, ClearsNothing]
)
def test_a_tier_with_a_fault_differs_from_the_reference(tmp_path, kind):
    with pytest.raises(AssertionError):
        check_against_reference(lambda _, clock: kind(clock=clock), tmp_path, 100, shrink=False)
