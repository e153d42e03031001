"""The awaitable methods of a shared tier that never has to wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from scrubjay.tiers import TierRecord
from scrubjay.versions import Count, Feed, Fetched, Lease, Token, Versioned

__all__ = ["Immediate"]


class Immediate(ABC):
    """Awaits nothing: each method does what the one without the `a` does."""

    @abstractmethod
    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched: ...

    @abstractmethod
    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]: ...

    @abstractmethod
    def write(self, record: TierRecord) -> Versioned: ...

    @abstractmethod
    def delete(self, keys: Sequence[bytes]) -> list[Versioned]: ...

    @abstractmethod
    def advance(self, names: Sequence[bytes]) -> list[Count]: ...

    @abstractmethod
    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease: ...

    @abstractmethod
    def fill(self, record: TierRecord, token: Token) -> Versioned | None: ...

    @abstractmethod
    def release(self, key: bytes, token: Token) -> bool: ...

    @abstractmethod
    def barrier(self, feeds: Sequence[Feed] = ()) -> Feed: ...

    @abstractmethod
    def feed(self) -> Feed: ...

    @abstractmethod
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]: ...

    @abstractmethod
    def put_many(self, records: Iterable[TierRecord]) -> list[bool]: ...

    @abstractmethod
    def delete_many(self, keys: Sequence[bytes]) -> int: ...

    @abstractmethod
    def counters(self, names: Sequence[bytes]) -> list[int]: ...

    @abstractmethod
    def bump(self, names: Sequence[bytes]) -> list[int]: ...

    @abstractmethod
    def clear(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    async def afetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """See `fetch`."""
        return self.fetch(keys, names)

    async def aread_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """See `read_many`."""
        return self.read_many(keys)

    async def awrite(self, record: TierRecord) -> Versioned:
        """See `write`."""
        return self.write(record)

    async def adelete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """See `delete`."""
        return self.delete(keys)

    async def aadvance(self, names: Sequence[bytes]) -> list[Count]:
        """See `advance`."""
        return self.advance(names)

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
        return self.lease(key, owner, seconds, void=void, names=names)

    async def afill(self, record: TierRecord, token: Token) -> Versioned | None:
        """See `fill`."""
        return self.fill(record, token)

    async def arelease(self, key: bytes, token: Token) -> bool:
        """See `release`."""
        return self.release(key, token)

    async def abarrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """See `barrier`."""
        return self.barrier(feeds)

    async def afeed(self) -> Feed:
        """See `feed`."""
        return self.feed()

    async def aget_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `get_many`."""
        return self.get_many(keys)

    async def aput_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """See `put_many`."""
        return self.put_many(records)

    async def adelete_many(self, keys: Sequence[bytes]) -> int:
        """See `delete_many`."""
        return self.delete_many(keys)

    async def acounters(self, names: Sequence[bytes]) -> list[int]:
        """See `counters`."""
        return self.counters(names)

    async def abump(self, names: Sequence[bytes]) -> list[int]:
        """See `bump`."""
        return self.bump(names)

    async def aclear(self) -> None:
        """See `clear`."""
        self.clear()

    async def aclose(self) -> None:
        """See `close`."""
        self.close()
