"""What is known of values on a shared tier: their versions, and whether they still hold.

A tier tells of a change on the connection by which the value was read, in order with the
replies. A `Watch` stands for one such registration. It is made while the reply is taken
from the wire and ends when word of a change is, so that whoever holds a copy and its watch
can tell at any later moment whether the copy was overtaken, whatever ran in between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from scrubjay._core.watches import Link, Watch
from scrubjay.errors import ConsistencyUnavailableError

__all__ = ["Changes", "Count", "Feed", "Fetched", "Lease", "Token", "Versioned", "Watch"]

_log = logging.getLogger("scrubjay")


class Changes(NamedTuple):
    """What was changed on a shared tier.

    Args:
        keys: of records.
        names: of generations, see `Tier.counters`.
    """

    keys: tuple[bytes, ...]
    names: tuple[bytes, ...]


OnChanges = Callable[["Changes | None"], object]


class Feed(Link):
    """What one connection tells of changes. It is used by one thread at a time.

    Args:
        epoch: stands for the server and its history; versions of two epochs cannot be
            compared. b"" if the server does not tell.
        now: monotonic time.
        tell: called with the names that have changed, None for all, in the order of the wire.
        primary: whether the server takes writes itself.
        failover: whether another server may take its place.
    """

    def __init__(
        self,
        epoch: bytes,
        now: float,
        tell: Callable[[Sequence[bytes] | None], object],
        *,
        primary: bool = True,
        failover: bool = False,
    ) -> None:
        super().__init__(epoch, now)
        self.primary = primary
        self.failover = failover
        #: whether strong reads are wanted nevertheless, until that happens
        self.until_failover = False
        #: whether the connection is of use
        self.live = True
        self._tell = tell
        self._watches: WeakValueDictionary[bytes, Watch] = WeakValueDictionary()

    @property
    def own_epoch(self) -> bytes:
        """The epoch of the server alone; `epoch` is that of all, where there are several."""
        return self.epoch

    @own_epoch.setter
    def own_epoch(self, epoch: bytes) -> None:
        self.epoch = epoch

    def covers(self, feed: Feed) -> bool:
        """Tell whether what this one has told includes what another was to tell."""
        return feed is self

    def check_strong(self) -> None:
        """See that strong reads can be had.

        Raises:
            ConsistencyUnavailableError: they cannot.
        """
        if self.weakness:
            raise ConsistencyUnavailableError(f"no strong reads: {self.weakness}")

    @property
    def weakness(self) -> str:
        """Why strong reads cannot be had; empty if they can."""
        if not self.primary:
            return "the server is a replica"
        if not self.own_epoch:
            return "the server does not let us read INFO server and INFO replication"
        if self.failover and not self.until_failover:
            return (
                "the server has replicas or Sentinels, or does not let us ask for them (PUBSUB "
                "NUMSUB), so another may take its place and lack what "
                'was acknowledged; strong="until-failover" accepts that'
            )
        return ""

    def watch(self, name: bytes) -> Watch:
        """Return the watch over what a reply that comes just now has told of."""
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = Watch(self)
            watch.live = self.live
        return watch

    def changed(self, names: Sequence[bytes] | None) -> None:
        """Note that something has changed; everything for None."""
        if names is None:
            watches = list(self._watches.values())
            self._watches.clear()
        else:
            found = [self._watches.pop(name, None) for name in names]
            watches = [watch for watch in found if watch is not None]
        for watch in watches:
            watch.end()
        try:
            self._tell(names)
        except Exception:
            _log.exception("a callback on invalidations failed")

    def forget(self) -> None:
        """In a child after a fork: take nothing for watched. Nobody is called, as locks may be held."""
        self.live = False
        for watch in list(self._watches.values()):
            watch.live = False
        self._watches = WeakValueDictionary()

    def lose(self) -> None:
        """Note that the connection tells nothing more."""
        if self.live:
            self.live = False
            self.changed(None)


class Versioned(NamedTuple):
    """A record of a shared tier, or what is left of one.

    Args:
        version: issued by the tier; larger than that of anything the key had before.
        value: None if there is none: it was removed, or somebody is making it.
        expires_at: wall time from which on it must not be returned; None for never.
        watch: ends when the record changes; None if nobody would tell.
        feed: of the connection by which it came.
    """

    version: int
    value: bytes | None
    expires_at: float | None
    watch: Watch | None
    feed: Feed


class Count(NamedTuple):
    """A generation of a name, see `Tier.counters`.

    Args:
        value: the generation.
        watch: ends when another begins; None if nobody would tell.
        feed: of the connection by which it came.
    """

    value: int
    watch: Watch | None
    feed: Feed


class Fetched(NamedTuple):
    """What one visit to a shared tier has brought.

    Args:
        records: in the order of the keys; None for a key of which nothing is known.
        counts: in the order of the names.
        feed: of the connection that was asked.
    """

    records: list[Versioned | None]
    counts: list[Count]
    feed: Feed


class Token(NamedTuple):
    """The right to fill one key with what is loaded from now on, until anything is written there.

    Args:
        version: of the mark that stands for it on the tier.
        generation: of all records, when it was granted.
        owner: whom it was granted.
    """

    version: int
    generation: int
    owner: bytes


class Lease(NamedTuple):
    """The answer to who wants to load a value.

    Args:
        token: the right to do so; None if there is a value, or somebody else has the right.
        found: what the key has.
        seconds: how long to wait for somebody else at most.
        counts: the generations that were asked for, as they were before the loading began.
        feed: of the connection that was asked.
    """

    token: Token | None
    found: Versioned | None
    seconds: float
    counts: list[Count]
    feed: Feed
