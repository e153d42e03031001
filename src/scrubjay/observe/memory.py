"""How much memory entries take, where it is not counted."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from scrubjay._core.store import Store

_SAMPLE = 64  # entries looked at
_LONGEST = 0.002  # seconds after which those looked at must do
_GROWTH = 0.1  # share of writes since the last look after which it is time for another


class Estimate:
    """The mean size of an entry, from a sample, looked at again as entries change."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._writes = -1

    def total(self, store: Store) -> int:
        """Return the bytes that the entries of a store take, about."""
        writes = store.writes
        if self._writes < 0 or writes - self._writes > _GROWTH * store.count:
            self._look(store)
            self._writes = writes
        return int(self._mean * store.count)

    def _look(self, store: Store) -> None:
        """Measure entries evenly spread over the store."""
        used, total, looked_at = store.used, 0, 0
        end = perf_counter() + _LONGEST
        for number in range(min(used, _SAMPLE)):
            pair = store.item_at(number * used // min(used, _SAMPLE), store.now_seconds())
            if pair is None:
                continue
            with suppress(Exception):  # a sizer that fails says nothing of this entry
                total += store.measure_entry(*pair)
                looked_at += 1
            if perf_counter() > end:
                break
        if looked_at:
            self._mean = total / looked_at
