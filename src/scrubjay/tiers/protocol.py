"""What every tier can do. `scrubjay.testing.TierSuite` tells whether one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scrubjay.versions import Count, Feed, Fetched, Lease, OnChanges, Token, Versioned, Watch

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncTier", "ListedTier", "SharedTier", "Tier", "TierRecord", "TierSize"]


class TierRecord(NamedTuple):
    """A key with its value.

    Args:
        key: 1 to 65,535 bytes.
        value: any bytes.
        expires_at: wall time from which on it is not returned, in seconds since the
            epoch; None for never.
        cost: what making the value again costs, not negative; a hint for eviction.
    """

    key: bytes
    value: bytes
    expires_at: float | None = None
    cost: float = 0.0


class TierSize(NamedTuple):
    """How full a tier is.

    Args:
        entries: how many records it holds; those may count that have expired unnoticed.
        bytes: what these take.
        capacity: the bytes it may take; None if it has no bound of its own.
        evicted: how many records it gave up for want of room.
    """

    entries: int
    bytes: int
    capacity: int | None
    evicted: int


class Tier(Protocol):
    """A store of bytes under bytes, shared by threads and perhaps by processes.

    Each operation on a key takes effect at one moment between its call and its return,
    for everybody who shares the store. A call on several keys is several operations.

    Every method may raise `TierUnavailableError` (an outage) and `TierClosedError`. A
    record which turns out to be damaged is a miss and an event, never an error.
    """

    #: names the tier in events and statistics
    name: str
    #: whether a call may wait for a device, the network or another process
    blocking: bool

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, in their order; None for a key that is not there.

        Args:
            keys: each of 1 to 65,535 bytes, as are those of the other methods.

        Raises:
            InvalidArgumentError: one is no such key; nothing has been read.
        """

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records, in their order, in place of what their keys had.

        Args:
            records: the records; of several with one key, the last stays.

        Returns:
            Whether each was kept. One that is not, as it is too large or has expired, has
            removed what its key had before: that is out of date.

        Raises:
            TierFullError: there is no room, not even after giving up others. Some of the
                records are not stored, and their keys have no older value either.
        """

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there.

        Args:
            keys: the keys; those that are not there do no harm.
        """

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order, for names never bumped too.

        Args:
            names: as long as keys may be, and apart from them.
        """

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them.

        A generation is a number that no generation of the name has been before, and
        larger than these. Beginning one of one name may begin others of other names. What
        remembers an older generation is void.

        Args:
            names: the names.
        """

    def clear(self) -> None:
        """Remove every record. Generations stay."""

    def close(self) -> None:
        """Give back files and connections; calls that are running may still end well."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class ListedTier(Tier, Protocol):
    """A tier that knows what it holds. A server shared with others does not."""

    def scan(self, limit: int | None = None) -> Iterator[TierRecord]:
        """Yield records, those read most first, as far as that is known.

        What is stored or removed meanwhile may be seen or not.

        Args:
            limit: how many at most; None for all.
        """

    def size(self) -> TierSize:
        """Tell how full it is."""


class AsyncTier(Tier, Protocol):
    """A tier that can also be awaited, with the same results and errors.

    Its methods may be used by several event loops and by threads at the same time.
    """

    async def aget_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `get_many`."""

    async def aput_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """See `put_many`."""

    async def adelete_many(self, keys: Sequence[bytes]) -> int:
        """See `delete_many`."""

    async def acounters(self, names: Sequence[bytes]) -> list[int]:
        """See `counters`."""

    async def abump(self, names: Sequence[bytes]) -> list[int]:
        """See `bump`."""

    async def aclear(self) -> None:
        """See `clear`."""

    async def aclose(self) -> None:
        """See `close`; the connection of the running loop is closed when it returns."""


class SharedTier(AsyncTier, Protocol):
    """A tier whose records have versions, and which tells of changes to what was read.

    It is what several nodes share that keep copies. Records with versions are apart from
    those of `put_many`; generations are the same. Each record is a register of its own: every
    operation on one key takes effect at one moment, and nothing is promised of several keys.

    A version is issued by the tier, larger than any that the key had before, for removals
    too. A reply that has a `Watch` was registered with the connection it came by, a `Feed`;
    the watch ends at the place among the replies where word of a change came, or the loss of
    the connection. Only what was read by the same feed is covered by a barrier.
    """

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Read records and generations at once, and watch them.

        Args:
            keys: of records.
            names: of generations.
        """

    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Read records and watch them. None for a key of which nothing is known.

        Args:
            keys: of records.
        """

    def write(self, record: TierRecord) -> Versioned:
        """Store a record in place of whatever there is; it voids the key's lease.

        Args:
            record: the record.

        Returns:
            The record with its version. It has no value if it was not kept, as it is too large
            or has expired, and no watch if something else has been written since.

        Raises:
            TierFullError: there is no room; what the key had before is gone.
        """

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Remove records, and void leases, also of keys that have none.

        Args:
            keys: of records.

        Returns:
            What is left of each: its version, and no value.
        """

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """Begin new generations of names, as `bump` does; return them, watched.

        Args:
            names: the names.
        """

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Read a record, and ask for the right to load it if there is none, in one visit.

        Args:
            key: of the record.
            owner: stands for who asks, 1 to 64 bytes; asking again, it is granted anew.
            seconds: after which others need wait no more for this one.
            void: the version of a value that is of no use, although the tier has it.
            names: of generations to read in the same visit, before anything is loaded.
        """

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Store what was loaded, if nothing has been written since the lease was granted.

        Args:
            record: the record.
            token: of the lease.

        Returns:
            The record with its version; None if the lease was void, or the record not kept.
        """

    def release(self, key: bytes, token: Token) -> bool:
        """Give a lease back unused, so that others need not wait; return whether it held.

        Args:
            key: of the record.
            token: of the lease.
        """

    def barrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """Return when everything that was acknowledged before the call has been told.

        Args:
            feeds: those whose word is wanted, where there are several servers; none for all.

        Returns:
            The feed by which it was told, or one that covers several. Copies that were read
            by what it covers and are still watched are the last ones.

        Raises:
            ConsistencyUnavailableError: the tier cannot promise that.
        """

    def feed(self) -> Feed:
        """Return what tells the caller of changes."""

    def until_changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until a watch ends; return whether it has.

        Args:
            watch: from a reply.
            seconds: for how long at most.
        """

    def on_invalidated(self, callback: OnChanges) -> Callable[[], None]:
        """Have a function called with all changes to what was read, None for everything.

        It is called in order with the replies, in whatever thread reads them. It must not wait
        and must not use the tier. In a child after a fork it is not called: all watches have
        ended there.

        Args:
            callback: the function.

        Returns:
            A function that ends it. Called in the midst of a change that is being told, it
            may be too late for that one.
        """

    async def afetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """See `fetch`."""

    async def aread_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """See `read_many`."""

    async def awrite(self, record: TierRecord) -> Versioned:
        """See `write`."""

    async def adelete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """See `delete`."""

    async def aadvance(self, names: Sequence[bytes]) -> list[Count]:
        """See `advance`."""

    async def alease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """See `lease`."""

    async def afill(self, record: TierRecord, token: Token) -> Versioned | None:
        """See `fill`."""

    async def arelease(self, key: bytes, token: Token) -> bool:
        """See `release`."""

    async def abarrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """See `barrier`."""

    async def afeed(self) -> Feed:
        """See `feed`."""

    async def auntil_changed(self, watch: Watch, seconds: float) -> bool:
        """See `until_changed`."""
