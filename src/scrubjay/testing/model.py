"""Random sequences of calls, on a tier and on the reference at the same time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from scrubjay.clock import Clock, ManualClock
from scrubjay.tiers import ListedTier, MemoryTier, Tier, TierRecord

_KEYS = st.sampled_from([b"%d" % number for number in range(12)])
_VALUES = st.binary(max_size=200) | st.sampled_from([900, 40_000, 90_000]).map(
    lambda n: b"%4d;" % n * (n // 5)
)
_LIVES = st.none() | st.integers(-1, 30)


def check_against_reference(
    open_tier: Callable[[Path, Clock], Tier],
    directory: Path,
    examples: int,
    *,
    lists: bool = True,
    shrink: bool = True,
) -> None:
    """Compare a tier with `MemoryTier`.

    Args:
        open_tier: opens a tier for a directory.
        directory: where each sequence gets a directory of its own.
        examples: how many sequences.
        lists: whether it is a `ListedTier`.
        shrink: whether to look for the shortest sequence that shows a difference.

    Raises:
        AssertionError: they differ; hypothesis prints the sequence that shows it.
    """
    numbers = itertools.count()

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.clock = ManualClock(epoch=1_800_000_000.0)
            self.tier = open_tier(directory / f"model{next(numbers)}", self.clock)
            self.reference = MemoryTier(clock=self.clock)
            self.seen: dict[bytes, set[int]] = {}

        @rule(entries=st.lists(st.tuples(_KEYS, _VALUES, _LIVES), max_size=6))
        def put(self, entries: Sequence[tuple[bytes, bytes, int | None]]) -> None:
            now = self.clock.time()
            records = [
                TierRecord(key, value, None if life is None else now + life)
                for key, value, life in entries
            ]
            assert self.tier.put_many(records) == self.reference.put_many(records)

        @rule(keys=st.lists(_KEYS, max_size=6))
        def get(self, keys: list[bytes]) -> None:
            assert self.tier.get_many(keys) == self.reference.get_many(keys)

        @rule(keys=st.lists(_KEYS, max_size=4))
        def delete(self, keys: list[bytes]) -> None:
            # What has expired may have been noticed by one and not by the other.
            self.get(keys)
            assert self.tier.delete_many(keys) == self.reference.delete_many(keys)

        @rule(names=st.lists(_KEYS, max_size=3))
        def bump(self, names: list[bytes]) -> None:
            for name, generation in zip(names, self.tier.bump(names), strict=True):
                if names.count(name) == 1:
                    assert generation not in self.seen.setdefault(name, set())
                self.seen.setdefault(name, set()).add(generation)

        @rule(seconds=st.integers(1, 20))
        def wait(self, seconds: int) -> None:
            self.clock.advance(seconds)

        @rule()
        def scan(self) -> None:
            if lists:
                listed = cast("ListedTier", self.tier)
                assert sorted(listed.scan()) == sorted(self.reference.scan())

        @rule()
        def clear(self) -> None:
            self.tier.clear()
            self.reference.clear()

        def teardown(self) -> None:
            self.tier.close()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )
