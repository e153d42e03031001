"""Caches that somebody watches, each under a label of its own, none kept alive."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from scrubjay.errors import InvalidArgumentTypeError


def store_of(cache: Any) -> Any:
    """Return the store behind a door: a `Cache`, an `AdaptiveCache` or a cached function.

    Raises:
        InvalidArgumentTypeError: it is none of them.
    """
    store = getattr(cache, "sync", cache)
    store = getattr(store, "cache", store)
    if isinstance(store, type) or not hasattr(store, "get_detailed_statistics"):
        raise InvalidArgumentTypeError(f"cache: {type(cache).__name__} is not a cache")
    return store


class Roster:
    """Labels and caches.

    Two series of metrics with the same labels would be an error at whoever reads them, so
    a second cache of the same name is ``name-2``.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a cache may go while one is added
        self._caches: dict[str, weakref.ref[Any]] = {}
        self._ends: dict[str, Callable[[], None]] = {}

    def add(self, cache: Any, begin: Callable[[Any, str], Callable[[], None]]) -> str:
        """Add a cache unless it is there; return its label.

        Args:
            cache: a door, or what `store_of` takes.
            begin: called with the store and its label; returns what ends the watching.
        """
        store = store_of(cache)
        with self._lock:
            known = self.label(store)
            if known is not None:
                return known
            self._sweep()
            name = store.name or "cache"
            label, number = name, 1
            while label in self._caches:
                number += 1
                label = f"{name}-{number}"
            self._caches[label] = weakref.ref(store)
            self._ends[label] = begin(store, label)
            return label

    def _sweep(self) -> None:
        for label, reference in list(self._caches.items()):
            if reference() is None:
                del self._caches[label]
                self._ends.pop(label)()

    def items(self) -> list[tuple[str, Any]]:
        """Return labels and caches that are still there."""
        with self._lock:
            self._sweep()
            pairs = [(label, reference()) for label, reference in self._caches.items()]
        return [(label, store) for label, store in pairs if store is not None]

    def label(self, cache: Any) -> str | None:
        """Return the label of a cache, or None if it is not watched."""
        store = store_of(cache)
        with self._lock:
            for label, reference in self._caches.items():
                if reference() is store:
                    return label
        return None

    def get(self, label: str) -> Any:
        """Return the cache of a label, or None."""
        reference = self._caches.get(label)
        return None if reference is None else reference()

    def remove(self, cache: Any) -> None:
        """Watch a cache no more."""
        with self._lock:
            label = self.label(cache)
            if label is not None:
                del self._caches[label]
                self._ends.pop(label)()

    def clear(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            ends = list(self._ends.values())
            self._caches.clear()
            self._ends.clear()
        for end in ends:
            end()

    def __len__(self) -> int:
        return len(self.items())
