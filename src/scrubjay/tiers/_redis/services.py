"""A server alone, or a cluster: what a tier is made of in either case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scrubjay.clock import Clock
from scrubjay.errors import InvalidArgumentError
from scrubjay.tiers._redis.aio import LoopLink
from scrubjay.tiers._redis.buckets import Buckets, ClusterOperations
from scrubjay.tiers._redis.cluster import Course
from scrubjay.tiers._redis.cluster_aio import LoopCluster
from scrubjay.tiers._redis.cluster_coherence import ClusterCoherence
from scrubjay.tiers._redis.cluster_threads import ThreadCluster
from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.errands import Links
from scrubjay.tiers._redis.faces import LoopDriver, PlainWork, ThreadDriver, VersionedWork
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.operations import Names, Operations
from scrubjay.tiers._redis.roster import Roster
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.slots import tag_of
from scrubjay.tiers._redis.threads import ThreadLink
from scrubjay.tiers._redis.topology import Where


@dataclass(frozen=True)
class Kept:
    """How records are kept; see `RedisTier`."""

    clock: Clock
    max_value_bytes: int
    tombstone_seconds: float
    damaged: Callable[[str], None]
    until_failover: bool

    def operations(self, names: Names) -> Operations:
        """Return the operations on what has these names."""
        return Operations(names, self.clock, self.max_value_bytes, self.damaged)

    def coherence(self, names: Names) -> Coherence:
        """Return the operations on records with versions."""
        return Coherence(
            names,
            self.clock,
            self.max_value_bytes,
            self.tombstone_seconds,
            self.damaged,
            until_failover=self.until_failover,
        )


class Alone:
    """One server.

    Args:
        settings: how to connect.
        namespace: of the tier.
        kept: how records are kept.

    Raises:
        InvalidArgumentError: the URL names several.
    """

    def __init__(self, settings: Settings, namespace: str, kept: Kept) -> None:
        if settings.address.more:
            raise InvalidArgumentError("url: several hosts are members of a cluster: cluster=True")
        self._settings = settings
        names = Names(namespace)
        self._plain, self._versioned = kept.operations(names), kept.coherence(names)
        self.operations: PlainWork = self._plain
        self.coherence: VersionedWork = self._versioned

    @property
    def short_ways(self) -> tuple[Operations | None, Coherence | None]:
        """What may go to the one connection as it is."""
        return self._plain, self._versioned

    def for_threads(self) -> ThreadDriver:
        """Return the driver of all threads."""
        return ThreadLink(self._settings)

    def for_loop(self) -> LoopDriver:
        """Return a driver for the running event loop."""
        return LoopLink(self._settings)


class Clustered:
    """The primaries of a cluster; the arguments are those of `Alone`.

    Raises:
        InvalidArgumentError: the URL names something that no cluster has.
    """

    def __init__(self, settings: Settings, namespace: str, kept: Kept) -> None:
        if settings.address.path:
            raise InvalidArgumentError("url: members of a cluster are reached by TCP")
        if settings.address.database:
            raise InvalidArgumentError("url: a cluster has the database 0 and no other")
        tag_of(0)  # now: it takes time, once, and an event loop should not be made to wait
        self._settings = settings
        named = [(settings.address.host, settings.address.port), *settings.address.more]
        self._seeds = [Where(host, port) for host, port in named]
        self._roster = Roster()
        buckets = Buckets(namespace, kept.operations, kept.coherence)
        self.operations: PlainWork = ClusterOperations(buckets)
        self._versioned = ClusterCoherence(
            buckets, self._roster, until_failover=kept.until_failover
        )
        self.coherence: VersionedWork = self._versioned

    @property
    def short_ways(self) -> tuple[Operations | None, Coherence | None]:
        """Nothing: each operation has to find its primaries."""
        return None, None

    def for_threads(self) -> ThreadDriver:
        """Return the driver of all threads."""
        return ThreadCluster(self._settings, self._settings_of, self._course)

    def for_loop(self) -> LoopDriver:
        """Return a driver for the running event loop."""
        return LoopCluster(self._settings, self._settings_of, self._course)

    def _course(self, links: Links) -> Course:
        return Course(self._roster, self._seeds, links, self._versioned.feed_of)

    def _settings_of(self, where: Where) -> Settings:
        settings = self._settings
        address = replace(settings.address, host=where.host, port=where.port)
        return replace(
            settings,
            address=address,
            opens=lambda: NodeSession(where, self._roster, settings.tell, settings.now),
        )
