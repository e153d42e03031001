"""Lowest versions that may still be shown; they only rise."""

from __future__ import annotations

import os
import threading
from typing import Any

from scrubjay._core.policies.lru import LRU
from scrubjay._core.store import Store

_MOST = 100_000  # remembered at most, the least recently used forgotten first


class _Guard:
    """The lock for rising: held while two numbers are compared, never while keys are."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


_guard = _Guard()
if hasattr(os, "register_at_fork"):  # a thread of the parent may have held it
    os.register_at_fork(after_in_child=_guard.__init__)  # type: ignore[misc]


class _Floor:
    """A version that only rises."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


class _Untimed:
    """Where a store that nobody watches reports its latencies to."""

    def record(self, seconds: float, times: int) -> None:
        """Forget it."""


class Floors:
    """The floors of many places: any hashables."""

    def __init__(self) -> None:
        self._store = Store(LRU(), None, _MOST, None, 0, None, _Untimed())

    def of(self, place: Any) -> int:
        """Return a floor; 0 where there is none."""
        floor: _Floor | None = self._store.get(place)
        return 0 if floor is None else floor.version

    def lift(self, place: Any, version: int | None) -> int:
        """Lift a floor to at least a version, by one if it is None; return the floor."""
        floor: _Floor = self._store.setdefault(place, _Floor())
        with _guard.lock:
            if version is None:
                version = floor.version + 1
            floor.version = max(floor.version, version)
            return floor.version
