"""The live entries of a store, looked at without counting as a use of them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any, TypeVar

from scrubjay._core.constants import MISSING
from scrubjay._core.store import Store

K = TypeVar("K")
V = TypeVar("V")


def live(store: Store) -> Iterator[tuple[Any, Any]]:
    """Return the live pairs of key and value, in no order, whatever happens meanwhile."""
    slot = 0
    while slot < store.used:
        pair = store.item_at(slot, store.now_seconds())
        if pair is not None:
            yield pair
        slot += 1


class LiveItems(ItemsView[K, V]):
    """The live pairs of key and value of a cache."""

    _mapping: Any

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return live(self._mapping)

    def __contains__(self, pair: object) -> bool:
        if not isinstance(pair, tuple) or len(pair) != 2:
            return False
        key, value = pair
        found = self._mapping.peek(key, MISSING)
        return found is not MISSING and (found is value or bool(found == value))


class LiveValues(ValuesView[V]):
    """The live values of a cache."""

    _mapping: Any

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in live(self._mapping))

    def __contains__(self, value: object) -> bool:
        return any(value is one or value == one for one in self)
