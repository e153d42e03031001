"""Copies that were served, looked at again: the last there is, as was claimed?

A small share of hits is checked against the shared tier, in the background and in production,
as Meta does with Polaris ("Cache made consistent", 2022). Tests can only show the faults that
somebody thought of; this shows those that there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

from scrubjay._core.constants import SAMPLING
from scrubjay._flow import awaiting, blocking
from scrubjay._flow.coherent_reading import CoherentReading
from scrubjay._flow.effects import Effect
from scrubjay._flow.workers import Workers
from scrubjay.errors import CacheError
from scrubjay.tiers import forks
from scrubjay.types import CacheConsistencyLevel

TIMED = SAMPLING + 1  # one request in so many is timed, and may be checked
_MOST = 4  # checks under way, more are left out

_workers = Workers(1)


class Sampler:
    """Checks a share of hits, at equal distances.

    Args:
        stack: whose copies are checked.
        share: of hits, 1 / `TIMED` at most.
        found: told the key and the level of a copy that was not the last there is.
    """

    def __init__(
        self,
        stack: CoherentReading,
        share: float,
        found: Callable[[Any, CacheConsistencyLevel], object],
    ) -> None:
        self._stack = stack
        self._step = share * TIMED
        self._due = 0.0
        self._found = found
        self._under_way: set[object] = set()  # loops do not hold their tasks
        forks.watch(self)

    def hit(self, key: Any, level: CacheConsistencyLevel | None) -> None:
        """Note one hit of `TIMED`; check it if it is its turn.

        Args:
            key: what was read.
            level: how fresh it was to be; None for EVENTUAL.
        """
        self._due += self._step
        if self._due < 1.0 or self._busy():
            self._due = min(self._due, 1.0)
            return
        self._due -= 1.0
        check = self._check(key, CacheConsistencyLevel.EVENTUAL if level is None else level)
        # By the connection that watches the copy; another could prove nothing.
        loop = asyncio._get_running_loop()
        if loop is not None:
            task = loop.create_task(self._acarry_out(check))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            return
        job = partial(self._carry_out, check)
        self._under_way.add(check)
        try:
            _workers.submit(job)
        except RuntimeError:  # there is no thread for it
            self._under_way.discard(check)

    def _busy(self) -> bool:
        """Tell whether as many checks are under way as may be."""
        if len(self._under_way) < _MOST:
            return False
        # A loop that is closed in the midst of one never ends it.
        over = [one for one in list(self._under_way) if _is_left_behind(one)]
        self._under_way.difference_update(over)
        return len(self._under_way) >= _MOST

    def after_fork(self) -> None:
        """Wait for nothing that the parent has begun."""
        self._under_way = set()

    def _check(self, key: Any, level: CacheConsistencyLevel) -> Generator[Effect, Any, None]:
        if (yield from self._stack.recheck(key, level)):
            self._found(key, level)

    def _carry_out(self, check: Generator[Effect, Any, None]) -> None:
        try:
            with suppress(CacheError):  # it was told by the level
                blocking.ask(check)
        finally:
            self._under_way.discard(check)

    async def _acarry_out(self, check: Generator[Effect, Any, None]) -> None:
        with suppress(CacheError):
            await awaiting.aask(check)


def _is_left_behind(check: object) -> bool:
    return isinstance(check, asyncio.Task) and check.get_loop().is_closed()
