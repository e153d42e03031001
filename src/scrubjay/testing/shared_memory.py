"""A shared tier within one process: a reference, and a stand-in where there is no server.

`SharedMemory` is the server, `SharedMemoryTier` a connection to it. What is told of changes
waits in line until the connection is next read, be it for a reply, as on a wire: `deliver`
reads it. So tests decide when a node hears of what another has done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scrubjay.clock import Clock, SystemClock
from scrubjay.closing import Closing
from scrubjay.errors import InvalidArgumentError, TierClosedError, TierUnavailableError
from scrubjay.testing.immediate import Immediate
from scrubjay.tiers import MemoryTier, TierRecord
from scrubjay.tiers.checks import checked_keys, checked_records
from scrubjay.tiers.watching import Listeners, ended, wait_for_end
from scrubjay.versions import (
    Changes,
    Count,
    Feed,
    Fetched,
    Lease,
    OnChanges,
    Token,
    Versioned,
    Watch,
)

__all__ = ["SharedMemory", "SharedMemoryTier"]

_RECORD = b"r"  # what the names begin with that a feed knows of
_COUNTER = b"c"
_LONGEST_OWNER = 64


@dataclass
class _Mark:
    """What is under a key: a value, a tombstone, or a lease with its owner."""

    version: int
    generation: int
    value: bytes | None = None
    expires_at: float | None = None
    owner: bytes | None = None
    until: float = 0.0


class SharedMemory:
    """What several tiers share.

    Args:
        clock: tells the wall time, of which versions are made; None for the system's.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = SystemClock() if clock is None else clock
        self.lock = threading.RLock()
        self.plain = MemoryTier(clock=self.clock)
        self.marks: dict[bytes, _Mark] = {}
        self.tiers: list[SharedMemoryTier] = []
        self.generation = 1
        self.starts = 0
        #: whether it is a primary, and whether another may take its place
        self.primary = True
        self.failover = False
        self.watched: dict[bytes, set[SharedMemoryTier]] = {}
        self.restart()

    def restart(self) -> None:
        """Lose everything, as a server does that keeps nothing on disk."""
        with self.lock:
            self.starts += 1
            self.epoch = b"epoch%03d" % self.starts
            self.marks.clear()
            self.plain = MemoryTier(clock=self.clock)
            self.plain.bump([b"counters"])
            for tier in self.tiers:
                tier.lose()
            self.watched.clear()

    def tell(self, names: list[bytes] | None) -> None:
        """Put word of a change in line on each connection that it concerns."""
        if names is None:
            self.watched.clear()
            for tier in self.tiers:
                tier.pending.append(None)
            return
        for name in names:
            for tier in self.watched.pop(name, ()):
                tier.pending.append([name])

    def next_version(self, key: bytes) -> int:
        """Return a version that is larger than all that the key had."""
        last = self.marks[key].version if key in self.marks else 0
        return max(int(self.clock.time() * 1e6), last + 1)


class SharedMemoryTier(Immediate, Closing):
    """A connection to a `SharedMemory`.

    Args:
        memory: what it is shared with.
        until_failover: see `RedisTier`.
    """

    name = "shared"
    blocking = False

    def __init__(self, memory: SharedMemory, *, until_failover: bool = False) -> None:
        self._memory = memory
        self._until_failover = until_failover
        self._listeners = Listeners()
        self._feed: Feed | None = None
        self._closed = False
        #: whether its calls get through
        self.reachable = True
        #: what has been told and not been read yet
        self.pending: deque[list[bytes] | None] = deque()
        memory.tiers.append(self)

    # ---- the connection

    def lose(self) -> None:
        """Lose the connection; the next call makes another."""
        feed, self._feed = self._feed, None
        self.pending.clear()
        if feed is not None:
            feed.lose()

    def deliver(self) -> None:
        """Read what has been told so far."""
        with self._memory.lock:
            while self.pending:
                names = self.pending.popleft()
                if self._feed is not None:
                    self._feed.changed(names)

    def _connected(self) -> Feed:
        if self._closed:
            raise TierClosedError(f"tier {self.name} is closed")
        if not self.reachable:
            raise TierUnavailableError(f"tier {self.name} cannot be reached")
        memory = self._memory
        if self._feed is None:
            self._feed = Feed(memory.epoch, memory.clock.monotonic(), self._told)
            self._feed.until_failover = self._until_failover
        self._feed.primary, self._feed.failover = memory.primary, memory.failover
        self.deliver()  # a reply comes behind what was told before
        self._feed.confirmed = memory.clock.monotonic()
        return self._feed

    def _told(self, names: Sequence[bytes] | None) -> None:
        if names is None:
            self._listeners.tell(None)
            return
        keys = tuple(name[1:] for name in names if name.startswith(_RECORD))
        self._listeners.tell(
            Changes(keys, tuple(name[1:] for name in names if name.startswith(_COUNTER)))
        )

    def _watch(self, feed: Feed, name: bytes) -> Watch:
        self.deliver()
        self._memory.watched.setdefault(name, set()).add(self)
        return feed.watch(name)

    # ---- reading

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """See `SharedTier`."""
        keys, names = checked_keys(keys), checked_keys(names, "names")
        with self._memory.lock:
            feed = self._connected()
            records = [self._read(feed, key) for key in keys]
            return Fetched(records, self._counts(feed, names), feed)

    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """See `SharedTier`."""
        return self.fetch(keys).records

    def _read(self, feed: Feed, key: bytes) -> Versioned | None:
        watch = self._watch(feed, _RECORD + key)
        mark = self._memory.marks.get(key)
        if mark is None:
            return None
        if mark.value is None or not self._useful(mark):
            return Versioned(mark.version, None, None, watch, feed)
        return Versioned(mark.version, mark.value, mark.expires_at, watch, feed)

    def _useful(self, mark: _Mark) -> bool:
        now = self._memory.clock.time()
        expired = mark.expires_at is not None and mark.expires_at <= now
        return mark.generation == self._memory.generation and not expired

    def _counts(self, feed: Feed, names: Sequence[bytes]) -> list[Count]:
        watches = [self._watch(feed, _COUNTER + name) for name in names]
        values = self._memory.plain.counters(names)
        return [Count(value, watch, feed) for value, watch in zip(values, watches, strict=True)]

    # ---- writing

    def write(self, record: TierRecord) -> Versioned:
        """See `SharedTier`."""
        (record,) = checked_records([record])
        with self._memory.lock:
            return self._store(self._connected(), record)

    def _store(self, feed: Feed, record: TierRecord) -> Versioned:
        memory, key = self._memory, record.key
        mark = _Mark(memory.next_version(key), memory.generation, record.value, record.expires_at)
        if not self._useful(mark):
            mark.value = None
        memory.marks[key] = mark
        memory.tell([_RECORD + key])
        if mark.value is None:
            return Versioned(mark.version, None, None, None, feed)
        watch = self._watch(feed, _RECORD + key)
        return Versioned(mark.version, mark.value, mark.expires_at, watch, feed)

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """See `SharedTier`."""
        keys = checked_keys(keys)
        memory = self._memory
        with memory.lock:
            feed = self._connected()
            removed = []
            for key in keys:
                mark = memory.marks[key] = _Mark(memory.next_version(key), memory.generation)
                memory.tell([_RECORD + key])
                removed.append(Versioned(mark.version, None, None, None, feed))
            return removed

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """See `SharedTier`."""
        names = checked_keys(names, "names")
        with self._memory.lock:
            feed = self._connected()
            self.bump(names)
            return self._counts(feed, names)

    # ---- loading

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """See `SharedTier`."""
        checked_keys([key])
        if not 0 < len(owner) <= _LONGEST_OWNER:
            raise InvalidArgumentError(f"owner: 1 to {_LONGEST_OWNER} bytes, not {len(owner)}")
        memory = self._memory
        with memory.lock:
            feed = self._connected()
            now, mark = memory.clock.time(), memory.marks.get(key)
            current = mark is not None and self._useful(mark)
            token, left = None, 0.0
            if mark is not None and current and mark.value is not None and mark.version != void:
                pass
            elif mark is not None and current and mark.until > now and mark.owner != owner:
                left = mark.until - now
            else:
                token = Token(memory.next_version(key), memory.generation, owner)
                memory.marks[key] = _Mark(
                    token.version, token.generation, owner=owner, until=now + seconds
                )
                memory.tell([_RECORD + key])
            found = self._read(feed, key)
            return Lease(token, found, left, self._counts(feed, checked_keys(names, "names")), feed)

    def _held(self, key: bytes, token: Token) -> bool:
        mark = self._memory.marks.get(key)
        return (
            mark is not None
            and mark.owner is not None
            and mark.version == token.version
            and self._memory.generation == token.generation
        )

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """See `SharedTier`."""
        (record,) = checked_records([record])
        with self._memory.lock:
            feed = self._connected()
            if not self._held(record.key, token):
                return None
            stored = self._store(feed, record)
            return None if stored.value is None else stored

    def release(self, key: bytes, token: Token) -> bool:
        """See `SharedTier`."""
        memory = self._memory
        with memory.lock:
            self._connected()
            if not self._held(key, token):
                return False
            memory.marks[key] = _Mark(token.version, token.generation)
            memory.tell([_RECORD + key])
            return True

    # ---- order

    def barrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """See `SharedTier`."""
        with self._memory.lock:
            feed = self._connected()
            feed.check_strong()
            return feed

    def feed(self) -> Feed:
        """See `SharedTier`."""
        with self._memory.lock:
            return self._connected()

    def until_changed(self, watch: Watch, seconds: float) -> bool:
        """See `SharedTier`."""
        self.deliver()
        return wait_for_end(watch, seconds)

    def on_invalidated(self, callback: OnChanges) -> Callable[[], None]:
        """See `SharedTier`."""
        return self._listeners.add(callback)

    # ---- what every tier can do

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            return self._memory.plain.get_many(keys)

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            return self._memory.plain.put_many(records)

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            return self._memory.plain.delete_many(keys)

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            return self._memory.plain.counters(names)

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            bumped = self._memory.plain.bump(names)
            self._memory.tell([_COUNTER + name for name in names])
            return bumped

    def clear(self) -> None:
        """See `Tier`."""
        with self._memory.lock:
            self._connected()
            self._memory.generation += 1
            self._memory.plain.clear()
            self._memory.tell(None)

    def close(self) -> None:
        """See `Tier`."""
        with self._memory.lock:
            self._closed = True
            self.lose()

    async def auntil_changed(self, watch: Watch, seconds: float) -> bool:
        """See `SharedTier`."""
        self.deliver()
        return await ended(watch, seconds)
