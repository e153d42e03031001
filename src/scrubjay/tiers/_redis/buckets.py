"""The operations of the tier on a cluster: split by buckets, and put together again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.errands import Errand, Split
from scrubjay.tiers._redis.operations import Names, Operation, Operations
from scrubjay.tiers._redis.slots import BUCKETS, bucket_of, bucket_slot, tag_of
from scrubjay.tiers.protocol import TierRecord

_T = TypeVar("_T")


class Buckets:
    """The buckets of a namespace, each with the operations of a tier on its own.

    Args:
        namespace: of the tier.
        operations: makes those of a tier by the names of a bucket.
        coherence: likewise those on records with versions.
    """

    def __init__(
        self,
        namespace: str,
        operations: Callable[[Names], Operations],
        coherence: Callable[[Names], Coherence],
    ) -> None:
        self._namespace = namespace
        self._make_operations = operations
        self._make_coherence = coherence
        self._names: dict[int, Names] = {}
        self._operations: dict[int, Operations] = {}
        self._coherence: dict[int, Coherence] = {}

    def names(self, bucket: int) -> Names:
        """Return the names of a bucket's keys on the server."""
        names = self._names.get(bucket)
        if names is None:
            tag = tag_of(bucket_slot(self._namespace, bucket))
            names = self._names[bucket] = Names(self._namespace, tag)
        return names

    def operations(self, bucket: int) -> Operations:
        """Return the plain operations on a bucket."""
        found = self._operations.get(bucket)
        if found is None:
            found = self._operations.setdefault(bucket, self._make_operations(self.names(bucket)))
        return found

    def coherence(self, bucket: int) -> Coherence:
        """Return the operations on records with versions in a bucket."""
        found = self._coherence.get(bucket)
        if found is None:
            found = self._coherence.setdefault(bucket, self._make_coherence(self.names(bucket)))
        return found

    def errand(self, bucket: int, operation: Operation[Any]) -> Errand:
        """Return an operation on a bucket as an errand."""
        slot = bucket_slot(self._namespace, bucket)
        return Errand(operation, slot, self.names(bucket).generation)

    def probe(self, slot: int) -> bytes:
        """Return a key of the namespace that is in a slot."""
        return Names(self._namespace, tag_of(slot)).generation

    def after_fork(self) -> None:
        """In a child: begin anew."""
        for one in self._coherence.values():
            one.after_fork()


def parted(names: Iterable[bytes]) -> dict[int, list[int]]:
    """Return the places of names in their sequence, by their buckets."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[bucket_of(name)].append(place)
    return places


def joined(places: dict[int, list[int]], results: Iterable[Sequence[_T]], count: int) -> list[_T]:
    """Return the results of parts in the order of the whole."""
    whole: list[Any] = [None] * count
    for own, found in zip(places.values(), results, strict=True):
        for place, one in zip(own, found, strict=True):
            whole[place] = one
    return whole


class ClusterOperations:
    """The plain operations of a tier on a cluster; see `Operations`.

    Args:
        buckets: of the namespace.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def get(self, keys: Sequence[bytes]) -> Split[list[bytes | None]]:
        """Read records; return their values."""
        return (yield from self._by_bucket(keys, lambda one, own: one.get(own), keys))

    def put(self, records: Sequence[TierRecord]) -> Split[list[bool]]:
        """Store records; return whether each was kept."""
        keys = [record.key for record in records]
        return (yield from self._by_bucket(keys, lambda one, own: one.put(own), records))

    def delete(self, keys: Sequence[bytes]) -> Split[int]:
        """Remove records; return how many were there."""
        places = parted(keys)
        removed = yield [
            self._buckets.errand(
                bucket, self._buckets.operations(bucket).delete([keys[place] for place in own])
            )
            for bucket, own in places.items()
        ]
        return sum(removed)

    def counters(self, names: Sequence[bytes]) -> Split[list[int]]:
        """Read generations, and make those that are missing."""
        return (yield from self._by_bucket(names, lambda one, own: one.counters(own), names))

    def bump(self, names: Sequence[bytes]) -> Split[list[int]]:
        """Begin new generations; return them."""
        return (yield from self._by_bucket(names, lambda one, own: one.bump(own), names))

    def clear(self) -> Split[None]:
        """Begin a new generation of each bucket: one after the other, though all at once sent."""
        yield [
            self._buckets.errand(bucket, self._buckets.operations(bucket).clear())
            for bucket in range(BUCKETS)
        ]

    def _by_bucket(
        self,
        keys: Sequence[bytes],
        operation: Callable[[Operations, list[Any]], Operation[list[Any]]],
        items: Sequence[Any],
    ) -> Split[list[Any]]:
        places = parted(keys)
        results = yield [
            self._buckets.errand(
                bucket,
                operation(self._buckets.operations(bucket), [items[place] for place in own]),
            )
            for bucket, own in places.items()
        ]
        return joined(places, results, len(keys))
