"""The awaitable methods of the tier."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

from scrubjay.errors import CacheError, TierUnavailableError
from scrubjay.tiers._redis.coherence import PING, Coherence
from scrubjay.tiers._redis.exchange import Request, Shared
from scrubjay.tiers._redis.faces import LoopDriver, PlainWork, VersionedWork
from scrubjay.tiers._redis.failures import CutOffError, UnsentError
from scrubjay.tiers._redis.operations import Operations
from scrubjay.tiers.checks import checked_keys, checked_records
from scrubjay.tiers.protocol import TierRecord
from scrubjay.tiers.watching import ended
from scrubjay.versions import Count, Feed, Fetched, Lease, Token, Versioned, Watch

_running_loop = asyncio.get_running_loop


class AwaitedMethods:
    """What tasks use; each event loop by a connection of its own."""

    _timeout: float
    _loops: dict[asyncio.AbstractEventLoop, LoopDriver]
    _operations: PlainWork
    _coherence: VersionedWork
    #: those of a server alone, for short ways; None on a cluster
    _plain: Operations | None
    _versioned: Coherence | None
    #: barriers that took more than a PING: loops do not hold their tasks
    _barriers: set[asyncio.Task[None]]

    def _link(self) -> LoopDriver:
        """Return what the running loop is connected by."""
        raise NotImplementedError

    async def aget_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys; see `get_many`."""
        plain = self._plain
        if plain is None:
            return await self._link().run(self._operations.get(checked_keys(keys)))
        try:
            payload, count = plain.reading(keys)
        except TypeError:
            keys = checked_keys(keys)
            payload, count = plain.reading(keys)
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        if link is not None and link.session is not None and keys:
            # The usual case, the short way; `Operations.get` is the long one.
            session = link.session
            request = Request(payload, count, deadline)
            replies = await session.carrier.submit(request)
            generation = session.generation
            if type(replies) is list and generation is not None:
                return plain.values(keys, replies, generation)
            if not isinstance(replies, (list, UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._operations.get(keys), deadline)

    async def aput_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; see `put_many`."""
        return await self._link().run(self._operations.put(checked_records(records)))

    async def adelete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; see `delete_many`."""
        return await self._link().run(self._operations.delete(checked_keys(keys)))

    async def acounters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names; see `counters`."""
        return await self._link().run(self._operations.counters(checked_keys(names, "names")))

    async def abump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; see `bump`."""
        return await self._link().run(self._operations.bump(checked_keys(names, "names")))

    async def afetch(self, keys: Sequence[bytes], names: Sequence[bytes] = ()) -> Fetched:
        """Return records with versions, and generations; see `fetch`."""
        keys, names = checked_keys(keys), checked_keys(names, "names")
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        session = None if link is None else link.session
        versioned = self._versioned
        if (
            versioned is not None
            and session is not None
            and session.beating
            and not session.outdated
            and keys
        ):
            # The usual case, the short way; `Coherence.fetch` is the long one.
            request, watches = versioned.reading(session, keys, names)
            request.deadline = deadline
            replies = await session.carrier.submit(request)
            if type(replies) is list:
                fetched = versioned.fetched(session, keys, replies, watches)
                if fetched is not None:
                    return fetched
            elif not isinstance(replies, (UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._coherence.fetch(keys, names), deadline)

    async def aread_many(self, keys: Sequence[bytes]) -> list[Versioned | None]:
        """Return records with versions; see `read_many`."""
        return (await self.afetch(keys)).records

    async def awrite(self, record: TierRecord) -> Versioned:
        """Store a record; see `write`."""
        (record,) = checked_records([record])
        return await self._link().run(self._coherence.write(record))

    async def adelete(self, keys: Sequence[bytes]) -> list[Versioned]:
        """Remove records; see `delete`."""
        return await self._link().run(self._coherence.delete(checked_keys(keys)))

    async def aadvance(self, names: Sequence[bytes]) -> list[Count]:
        """Begin new generations of names; see `advance`."""
        return await self._link().run(self._coherence.advance(checked_keys(names, "names")))

    async def alease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        *,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Lease:
        """Ask for the right to load a value; see `lease`."""
        names = checked_keys(names, "names")
        checked_keys([key])
        return await self._link().run(self._coherence.lease(key, owner, seconds, void, names))

    async def afill(self, record: TierRecord, token: Token) -> Versioned | None:
        """Store what was loaded; see `fill`."""
        (record,) = checked_records([record])
        return await self._link().run(self._coherence.fill(record, token))

    async def arelease(self, key: bytes, token: Token) -> bool:
        """Give a lease back unused; see `release`."""
        checked_keys([key])
        return await self._link().run(self._coherence.release(key, token))

    async def abarrier(self, feeds: Sequence[Feed] = ()) -> Feed:
        """Return when all changes made before have been told; see `barrier`."""
        link = self._loops.get(_running_loop())
        deadline = monotonic() + self._timeout
        session = None if link is None else link.session
        if session is not None and session.beating and not session.outdated:
            session.feed.check_strong()
            replies = await session.carrier.submit(Shared(PING, 1, deadline))
            if type(replies) is list and not isinstance(replies[0], Exception):
                feed: Feed = session.feed
                feed.check_strong()
                return feed
            if type(replies) is not list and not isinstance(replies, (UnsentError, CutOffError)):
                raise replies
        return await self._link().run(self._coherence.barrier(feeds), deadline)

    def begin_barrier(self, told: Callable[[Feed | CacheError], object]) -> bool:
        """Send what `abarrier` sends, at once, and have a function called with what it returns.

        Args:
            told: called by the event loop, later, with what `abarrier` would return or raise.

        Returns:
            False if there is more to do than to send it: then nothing was done.
        """
        link = self._loops.get(_running_loop())
        session = None if link is None else link.session
        if session is None or not session.beating or session.outdated or session.exchange.lost:
            return False
        feed: Feed = session.feed
        deadline = monotonic() + self._timeout

        def take(replies: Any) -> None:
            answered = type(replies) is list
            if answered and not isinstance(replies[0], Exception) and not feed.weakness:
                told(feed)
            elif answered or isinstance(replies, (UnsentError, CutOffError)):
                task = asyncio.get_running_loop().create_task(self._barrier(deadline, told))
                self._barriers.add(task)
                task.add_done_callback(self._barriers.discard)
            else:
                told(replies)

        session.carrier.call(PING, deadline, take)
        return True

    async def _barrier(self, deadline: float, told: Callable[[Feed | CacheError], object]) -> None:
        """Do what `abarrier` does where there is more to do."""
        outcome: Feed | CacheError = TierUnavailableError("the barrier was cancelled")
        try:
            outcome = await self._link().run(self._coherence.barrier(), deadline)
        except CacheError as error:
            outcome = error
        finally:  # whoever cancels this task may go on, with others who wait
            with contextlib.suppress(RuntimeError):  # the loop is closed
                asyncio.get_running_loop().call_soon(told, outcome)

    async def afeed(self) -> Feed:
        """Return what tells of changes; see `feed`."""
        return await self._link().run(self._coherence.feed())

    async def auntil_changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until a watch ends; see `until_changed`."""
        return await ended(watch, seconds)

    async def aclear(self) -> None:
        """Make every record of the namespace void; see `clear`."""
        await self._link().run(self._operations.clear())
