"""The blocking methods of the tier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from scrubjay.tiers._redis.faces import PlainWork, ThreadDriver, VersionedWork
from scrubjay.tiers.checks import checked_keys, checked_records
from scrubjay.tiers.protocol import TierRecord
from scrubjay.tiers.watching import Listeners, wait_for_end
from scrubjay.versions import Count, Feed, Fetched, Lease, OnChanges, Token, Versioned, Watch


class BlockingMethods:
    """What threads use."""

    _threads: ThreadDriver
    _operations: PlainWork
    _coherence: VersionedWork
    _listeners: Listeners

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, in their order; None for a key that is not there.

        Raises:
            TierUnavailableError: the server cannot be reached or used now.
        """
        keys = checked_keys(keys)
        return self._threads.run(self._operations.get(keys))

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; return whether each was kept.

        Raises:
            TierFullError: the server has no memory left and gives up nothing.
            TierUnavailableError: the server cannot be reached or used now.
        """
        return self._threads.run(self._operations.put(checked_records(records)))

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there."""
        return self._threads.run(self._operations.delete(checked_keys(keys)))

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order."""
        return self._threads.run(self._operations.counters(checked_keys(names, "names")))

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them."""
        return self._threads.run(self._operations.bump(checked_keys(names, "names")))

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Return records with versions, and generations, and watch them; see `SharedTier`."""
        names = checked_keys(names, "names")
        return self._threads.run(self._coherence.fetch(checked_keys(keys), names))

    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Return records with versions, and watch them; see `SharedTier`."""
        return self.fetch(keys).records

    def write(self, record: TierRecord) -> Versioned:
        """Store a record; return it with its version."""
        (record,) = checked_records([record])
        return self._threads.run(self._coherence.write(record))

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Remove records that have versions; return what is left of them."""
        return self._threads.run(self._coherence.delete(checked_keys(keys)))

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """Begin new generations of names, and watch them; see `SharedTier`."""
        return self._threads.run(self._coherence.advance(checked_keys(names, "names")))

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Ask for the right to load a value; see `SharedTier`."""
        names = checked_keys(names, "names")
        checked_keys([key])
        return self._threads.run(self._coherence.lease(key, owner, seconds, void, names))

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Store what was loaded; return None if something was written since the lease."""
        (record,) = checked_records([record])
        return self._threads.run(self._coherence.fill(record, token))

    def release(self, key: bytes, token: Token) -> bool:
        """Give a lease back unused; return whether it still held."""
        checked_keys([key])
        return self._threads.run(self._coherence.release(key, token))

    def barrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """Return when all changes made before have been told; see `SharedTier`."""
        return self._threads.run(self._coherence.barrier(feeds))

    def feed(self) -> Feed:
        """Return what tells of changes."""
        return self._threads.run(self._coherence.feed())

    def until_changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until a watch ends; return whether it has."""
        return wait_for_end(watch, seconds)

    def on_invalidated(self, callback: OnChanges) -> Callable[[], None]:
        """Have a function called with each change, until what is returned is; see `SharedTier`."""
        return self._listeners.add(callback)

    def clear(self) -> None:
        """Make every record of the namespace void. Generations of names stay.

        The server keeps what is void until it expires, is overwritten or is evicted.
        """
        self._threads.run(self._operations.clear())
