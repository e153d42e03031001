"""The awaitable methods of a shared tier that never has to wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scrubjay.tiers import SharedTier, TierRecord
from scrubjay.versions import Count, Feed, Fetched, Lease, Token, Versioned

__all__ = ["Immediate"]


class Immediate:
    """Awaits nothing: each method does what the one without the `a` does."""

    async def afetch(
        self: SharedTier, keys: Sequence[bytes], names: Sequence[bytes] = ()
    ) -> Fetched:
        """See `fetch`."""
        return self.fetch(keys, names)

    async def aread_many(self: SharedTier, keys: Sequence[bytes]) -> list[Versioned | None]:
        """See `read_many`."""
        return self.read_many(keys)

    async def awrite(self: SharedTier, record: TierRecord) -> Versioned:
        """See `write`."""
        return self.write(record)

    async def adelete(self: SharedTier, keys: Sequence[bytes]) -> list[Versioned]:
        """See `delete`."""
        return self.delete(keys)

    async def aadvance(self: SharedTier, names: Sequence[bytes]) -> list[Count]:
        """See `advance`."""
        return self.advance(names)

    async def alease(
        self: SharedTier,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """See `lease`."""
        return self.lease(key, owner, seconds, void=void, names=names)

    async def afill(self: SharedTier, record: TierRecord, token: Token) -> Versioned | None:
        """See `fill`."""
        return self.fill(record, token)

    async def arelease(self: SharedTier, key: bytes, token: Token) -> bool:
        """See `release`."""
        return self.release(key, token)

    async def abarrier(self: SharedTier, feeds: Sequence[Feed] = ()) -> Feed:
        """See `barrier`."""
        return self.barrier(feeds)

    async def afeed(self: SharedTier) -> Feed:
        """See `feed`."""
        return self.feed()

    async def aget_many(self: SharedTier, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `get_many`."""
        return self.get_many(keys)

    async def aput_many(self: SharedTier, records: Iterable[TierRecord]) -> list[bool]:
        """See `put_many`."""
        return self.put_many(records)

    async def adelete_many(self: SharedTier, keys: Sequence[bytes]) -> int:
        """See `delete_many`."""
        return self.delete_many(keys)

    async def acounters(self: SharedTier, names: Sequence[bytes]) -> list[int]:
        """See `counters`."""
        return self.counters(names)

    async def abump(self: SharedTier, names: Sequence[bytes]) -> list[int]:
        """See `bump`."""
        return self.bump(names)

    async def aclear(self: SharedTier) -> None:
        """See `clear`."""
        self.clear()

    async def aclose(self: SharedTier) -> None:
        """See `close`."""
        self.close()
