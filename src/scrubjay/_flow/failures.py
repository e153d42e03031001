"""Errors of loaders, remembered for a time of their own."""

from __future__ import annotations

from typing import Any

from scrubjay._core.policies.lru import LRU
from scrubjay._core.store import Store
from scrubjay._core.terms import Terms
from scrubjay._flow.flight import Flight
from scrubjay.errors import CacheError
from scrubjay.observe.latency import Latency
from scrubjay.observe.views import live

_MOST = 1024  # remembered at most


class Failures:
    """What failed lately, by key. It is forgotten as a value of that key would be.

    Args:
        clock: an object with ``monotonic()`` in seconds, or None for the system's.
        seconds: how long a failure is remembered.
        kinds: the kinds of errors that are.
    """

    def __init__(self, clock: Any, seconds: float, kinds: tuple[type[BaseException], ...]) -> None:
        self._seconds = seconds
        self._kinds = kinds
        self._store = Store(LRU(), clock, _MOST, None, 0, None, Latency())

    def remember(self, flight: Flight, error: Exception) -> None:
        """Remember a failure, unless something has overtaken the load.

        Our own refusals are mistakes of the program: they say nothing of the key.
        """
        if not isinstance(error, self._kinds) or isinstance(error, CacheError):
            return
        failed = Flight(flight.owner, flight.key, flight.terms, None)
        failed.complete(error=error)
        terms = Terms(
            ttl=self._seconds,
            tags=flight.terms.tags,
            dependencies=flight.terms.dependencies,
            fence=flight,
        )
        self._store.put_under(flight.key, failed, terms)

    def of(self, key: Any) -> Flight | None:
        """Return the failed load of a key, or None."""
        failed: Flight | None = self._store.peek(key)
        return failed

    def keys(self) -> list[Any]:
        """Return the keys that failed."""
        return [key for key, _ in live(self._store)]

    def forget(self, key: Any) -> None:
        """Forget the failure of a key and of what depends on it."""
        self._store.remove(key)

    def forget_tags(self, tags: frozenset[str], store: Store) -> None:
        """Forget what carries one of the tags, or depends on an entry that does.

        Args:
            tags: the tags.
            store: where such entries are.
        """
        self._store.remove_by_tags(tags)
        for key in self.keys():
            facts = self._store.facts(key)
            needs = () if facts is None else facts["dependencies"]
            if any(_tags_of(store, need) & tags for need in needs):
                self._store.remove(key)

    def clear(self) -> None:
        """Forget every failure."""
        self._store.empty()


def _tags_of(store: Store, key: Any) -> frozenset[str]:
    facts = store.facts(key)
    return frozenset() if facts is None else facts["tags"]
