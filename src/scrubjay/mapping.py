"""A store as a mutable mapping, typed for its users."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from scrubjay._core.store import Store
from scrubjay.observe.views import LiveItems, LiveValues, live
from scrubjay.types import CacheConsistencyLevel

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")


class StoreMapping(Store, MutableMapping[K, V]):
    """The mapping half of a cache. Looking around in it is no use of its entries."""

    if TYPE_CHECKING:  # what the store does for any object, said for these keys and values

        @overload
        def get(
            self,
            key: K,
            default: None = None,
            *,
            context: Mapping[str, Any] | None = None,
            consistency_check: bool = True,
            consistency_level: CacheConsistencyLevel | str | None = None,
        ) -> V | None: ...
        @overload
        def get(
            self,
            key: K,
            default: V | T,
            *,
            context: Mapping[str, Any] | None = None,
            consistency_check: bool = True,
            consistency_level: CacheConsistencyLevel | str | None = None,
        ) -> V | T: ...
        def get(self, key: Any, default: Any = None, **options: Any) -> Any:
            """See `Store.get`."""

        def put(
            self,
            key: K,
            value: V,
            ttl_seconds: float | None = None,
            priority: float = 1.0,
            tags: Iterable[str] | None = None,
            context: Mapping[str, Any] | None = None,
            *,
            idle_seconds: float | None = None,
            dependencies: Iterable[Hashable] | None = None,
            cost: float | None = None,
        ) -> bool:
            """See `Store.put`."""

        def __getitem__(self, key: K) -> V: ...
        def __setitem__(self, key: K, value: V) -> None: ...
        def __delitem__(self, key: K) -> None: ...

        @overload  # type: ignore[override]  # the store's own is for any object
        def pop(self, key: K) -> V: ...
        @overload
        def pop(self, key: K, default: V | T) -> V | T: ...
        def pop(self, key: Any, default: Any = None) -> Any:
            """See `Store.pop`."""

        def popitem(self) -> tuple[K, V]:
            """See `Store.popitem`."""

        @overload  # type: ignore[override]  # as above
        def setdefault(
            self: StoreMapping[K, T | None], key: K, default: None = None
        ) -> T | None: ...
        @overload
        def setdefault(self, key: K, default: V) -> V: ...
        def setdefault(self, key: Any, default: Any = None) -> Any:
            """See `Store.setdefault`."""

        def contains(self, key: K) -> bool:
            """See `Store.contains`."""

    def __len__(self) -> int:
        if self.next_expiry() != float("inf"):
            self.purge_expired()
            if self.grace > 0.0:  # some that have expired are kept
                return sum(1 for _ in live(self))
        return self.count

    def purge_expired(self) -> int:
        """Remove what has expired, now; return how many entries that were.

        Nobody needs to call this: expired entries are never served, and are collected in
        the background.
        """
        return self.collect(self.now_seconds(), True, 1 << 30)

    def __contains__(self, key: object) -> bool:
        return bool(super().contains(key))

    def __iter__(self) -> Iterator[K]:
        return (key for key, _ in live(self))

    def items(self) -> LiveItems[K, V]:
        """Return the live pairs of key and value. Reading them is no use of them."""
        return LiveItems(self)

    def values(self) -> LiveValues[V]:
        """Return the live values. Reading them is no use of them."""
        return LiveValues(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)
