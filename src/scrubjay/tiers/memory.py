"""The protocol at its plainest: a dict. A reference for tests, and a stand-in for a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scrubjay import arguments
from scrubjay.clock import Clock, SystemClock
from scrubjay.closing import Closing
from scrubjay.errors import TierClosedError
from scrubjay.tiers import forks
from scrubjay.tiers.checks import checked_keys, checked_limit, checked_records
from scrubjay.tiers.one_use import OneUse
from scrubjay.tiers.protocol import TierRecord, TierSize


class MemoryTier(Closing):
    """Keep records in a dict of this process, the least recently used given up first.

    A fork continues with a copy. A record takes the bytes of its key and its value.

    Args:
        max_bytes: bound on what the records take; None for no bound.
        name: names the tier in statistics.
        clock: tells the wall time; None for the system's.

    Raises:
        InvalidArgumentError: an argument makes no sense.
    """

    blocking = False

    def __init__(
        self, max_bytes: int | None = None, *, name: str = "memory", clock: Clock | None = None
    ) -> None:
        self.name = arguments.label("name", name)
        self._capacity = None if max_bytes is None else arguments.count("max_bytes", max_bytes)
        self._clock = SystemClock() if clock is None else clock
        self._lock = OneUse()
        self._records: dict[bytes, TierRecord] | None = {}
        self._reads: dict[bytes, int] = {}
        self._generations: dict[bytes, int] = {}
        self._bytes = 0
        self._evicted = 0
        forks.watch(self)

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._lock = OneUse()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, in their order; None for a key that is not there."""
        keys = checked_keys(keys)
        with self._lock:
            return [self._read(key) for key in keys]

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; return whether each was kept."""
        records = checked_records(records)
        with self._lock:
            return [self._store(record) for record in records]

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there."""
        keys = checked_keys(keys)
        with self._lock:
            return sum([self._remove(key) for key in keys])

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order."""
        names = checked_keys(names, "names")
        with self._lock:
            self._held()
            return [self._generations.get(name, 0) for name in names]

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them."""
        names = checked_keys(names, "names")
        with self._lock:
            self._held()
            for name in names:
                self._generations[name] = self._generations.get(name, 0) + 1
            return [self._generations[name] for name in names]

    def clear(self) -> None:
        """Remove every record. Generations stay."""
        with self._lock:
            self._held().clear()
            self._reads.clear()
            self._bytes = 0

    def scan(self, limit: int | None = None) -> Iterator[TierRecord]:
        """Yield records, those read most first."""
        limit = checked_limit(limit)
        with self._lock:
            held = self._held()
            now = self._clock.time()
            found = [record for record in held.values() if not _expired(record, now)]
            found.sort(key=lambda record: -self._reads[record.key])
        return iter(found[:limit])

    def size(self) -> TierSize:
        """Tell how full it is."""
        with self._lock:
            return TierSize(len(self._held()), self._bytes, self._capacity, self._evicted)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records = None

    def _held(self) -> dict[bytes, TierRecord]:
        if self._records is None:
            raise TierClosedError(f"tier {self.name} is closed")
        return self._records

    def _read(self, key: bytes) -> bytes | None:
        held = self._held()
        record = held.get(key)
        if record is None:
            return None
        if _expired(record, self._clock.time()):
            self._remove(key)
            return None
        held[key] = held.pop(key)  # to the end: the most recently used
        self._reads[key] += 1
        return record.value

    def _store(self, record: TierRecord) -> bool:
        self._remove(record.key)
        size = len(record.key) + len(record.value)
        if _expired(record, self._clock.time()):
            return False
        if self._capacity is not None and size > self._capacity:
            return False
        held = self._held()
        while self._capacity is not None and self._bytes + size > self._capacity:
            self._remove(next(iter(held)))
            self._evicted += 1
        held[record.key] = record
        self._reads[record.key] = 0
        self._bytes += size
        return True

    def _remove(self, key: bytes) -> bool:
        record = self._held().pop(key, None)
        if record is None:
            return False
        del self._reads[key]
        self._bytes -= len(key) + len(record.value)
        return True


def _expired(record: TierRecord, now: float) -> bool:
    return record.expires_at is not None and record.expires_at <= now
