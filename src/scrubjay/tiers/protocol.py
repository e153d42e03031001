"""What every tier can do. `scrubjay.testing.TierSuite` tells whether one does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncTier", "ListedTier", "Tier", "TierRecord", "TierSize"]


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
        """Return the values of keys, in their order; None for a key that is not there."""

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records, in their order, in place of what their keys had.

        Returns:
            Whether each was kept. One that is not, as it is too large or has expired, has
            removed what its key had before: that is out of date.

        Raises:
            TierFullError: there is no room, not even after giving up others. Some of the
                records are not stored, and their keys have no older value either.
        """

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there."""

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order, for names never bumped too."""

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them.

        A generation is a number that no generation of the name has been before, and
        larger than these. Beginning one of one name may begin others of other names. What
        remembers an older generation is void.
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
