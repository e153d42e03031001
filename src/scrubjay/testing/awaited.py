"""The awaitable methods of a tier, called as if they were blocking ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from scrubjay.closing import Closing
from scrubjay.errors import TierClosedError
from scrubjay.tiers import AsyncTier, SharedTier, TierRecord
from scrubjay.versions import (
    Count,
    Feed,
    Fetched,
    Lease,
    OnChanges,
    Token,
    Versioned,
    Watch,
)

__all__ = ["Awaited", "AwaitedShared"]

_T = TypeVar("_T")


class Awaited(Closing):
    """Run every operation of a tier by its awaitable method, on an event loop of its own.

    With it the suites prove the other face of an `AsyncTier`.

    Args:
        tier: the tier; it is closed with this.
    """

    blocking = True

    def __init__(self, tier: AsyncTier) -> None:
        self.name = tier.name
        self._tier = tier
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Await `aget_many`."""
        return self._await(self._tier.aget_many(keys))

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Await `aput_many`."""
        return self._await(self._tier.aput_many(records))

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Await `adelete_many`."""
        return self._await(self._tier.adelete_many(keys))

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Await `acounters`."""
        return self._await(self._tier.acounters(names))

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Await `abump`."""
        return self._await(self._tier.abump(names))

    def clear(self) -> None:
        """Await `aclear`."""
        self._await(self._tier.aclear())

    def close(self) -> None:
        """Await `aclose`; then stop the loop."""
        with self._lock:
            if self._loop.is_closed():
                return
            asyncio.run_coroutine_threadsafe(self._tier.aclose(), self._loop).result()
            asyncio.run_coroutine_threadsafe(_rest(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _await(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        with self._lock:
            if self._loop.is_closed():
                coroutine.close()
                raise TierClosedError(f"tier {self.name} is closed")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result()


class AwaitedShared(Awaited):
    """The same for a `SharedTier`.

    Args:
        tier: the tier; it is closed with this.
    """

    def __init__(self, tier: SharedTier) -> None:
        super().__init__(tier)
        self._shared = tier

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Await `afetch`."""
        return self._await(self._shared.afetch(keys, names))

    def read_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Await `aread_many`."""
        return self._await(self._shared.aread_many(keys))

    def write(self, record: TierRecord) -> Versioned:
        """Await `awrite`."""
        return self._await(self._shared.awrite(record))

    def delete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Await `adelete`."""
        return self._await(self._shared.adelete(keys))

    def advance(self, names: Sequence[bytes]) -> list[Count]:
        """Await `aadvance`."""
        return self._await(self._shared.aadvance(names))

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Await `alease`."""
        return self._await(self._shared.alease(key, owner, seconds, void=void, names=names))

    def fill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Await `afill`."""
        return self._await(self._shared.afill(record, token))

    def release(self, key: bytes, token: Token) -> bool:
        """Await `arelease`."""
        return self._await(self._shared.arelease(key, token))

    def barrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """Await `abarrier`."""
        return self._await(self._shared.abarrier(feeds))

    def feed(self) -> Feed:
        """Await `afeed`."""
        return self._await(self._shared.afeed())

    def until_changed(self, watch: Watch, seconds: float) -> bool:
        """Await `auntil_changed`."""
        return self._await(self._shared.auntil_changed(watch, seconds))

    def on_invalidated(self, callback: OnChanges) -> Callable[[], None]:
        """Add a callback; return a function that takes it out again."""
        return self._shared.on_invalidated(callback)


async def _rest() -> None:
    """Let every other task of the loop come to its end."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
