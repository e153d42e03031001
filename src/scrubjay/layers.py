"""The layers of a cache, as its users name them: memory, disk, Redis or Valkey.

A layer says what is to be kept where; nothing is opened before a cache is made of it. One
description may serve several caches.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from scrubjay import arguments
from scrubjay._flow.behind import BehindLevel
from scrubjay._flow.breaker import Breaker
from scrubjay._flow.level import Level
from scrubjay.clock import Clock, SystemClock
from scrubjay.errors import ConfigurationError, InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.events import Events
from scrubjay.tiers.disk import DiskTier, absolute
from scrubjay.tiers.protocol import Tier
from scrubjay.tiers.redis import RedisTier

__all__ = ["Disk", "Layer", "LowerLayer", "Memory", "Redis"]

_MB = 1 << 20
_WRITES = ("through", "behind", "demoted")
_METHODS = ("get_many", "put_many", "delete_many", "counters", "bump", "clear")
_SHARED_METHODS = ("fetch", "write", "delete", "lease", "fill", "barrier", "on_invalidated")


@dataclass(frozen=True)
class Memory:
    """The first layer: the process's own objects.

    Args:
        max_size_mb: bound on the sum of the entries' sizes, in units of 1,048,576 bytes.
        max_entries: bound on the number of entries.
        ttl_seconds: how long an entry stays in memory at most, whatever its own time to
            live: what another process has changed is seen no later than that. None for as
            long as it lives.
    """

    max_size_mb: float | None = None
    _: KW_ONLY
    max_entries: int | None = None
    ttl_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class LowerLayer:
    """What all layers below memory have in common.

    Args:
        ttl_seconds: how long a record stays there at most; None for as long as it lives.
        failures: that many failures in a row have it left alone for a while.
        retry_seconds: how long at first; then twice as long each time, 30 at most.
        max_silence_seconds: of a tier that nodes share: how long a node serves what it has of
            its own when it hears nothing of changes.
        lease_seconds: likewise: how long the others wait for the one that loads a key, before
            they load it themselves. Loads should take less.
        writes: what is written there: all that is stored or loaded, before the call returns
            ("through") or later ("behind"); or only what memory evicts and is worth it
            ("demoted").
        demote: whether what memory evicts is written there also where all is, if the tier has
            given it up itself.
        behind_seconds: how long a write waits at most: what a crash loses.
        behind_entries: how many wait at most; beyond, they are written through.
    """

    ttl_seconds: float | None = None
    failures: int = 3
    retry_seconds: float = 1.0
    max_silence_seconds: float = 5.0
    lease_seconds: float = 10.0
    writes: Literal["through", "behind", "demoted"] = "through"
    demote: bool = False
    behind_seconds: float = 1.0
    behind_entries: int = 1000

    def tier_for(self, scope: str, clock: Clock | None, events: Events) -> Tier:
        """Return the tier that a cache uses; the arguments are those of `level`.

        Raises:
            InvalidArgumentError: what the layer was made with makes no sense.
        """
        raise NotImplementedError

    def level(self, scope: str, clock: Clock | None, events: Events, last: bool = False) -> Level:
        """Return the tier as a cache uses it.

        Args:
            scope: what tells the cache's records from those of others.
            clock: tells the time; None for the system's.
            events: where it is told what happens.
            last: whether it is the farthest, so that it may be the one that nodes share.

        Raises:
            InvalidArgumentError: an argument of the layer makes no sense.
        """
        ttl = arguments.positive_or_none("ttl_seconds", self.ttl_seconds)
        breaker = Breaker(
            SystemClock() if clock is None else clock,
            arguments.count("failures", self.failures),
            arguments.positive("retry_seconds", self.retry_seconds),
        )
        writes = arguments.word("writes", self.writes, _WRITES)
        tier = self.tier_for(scope, clock, events)
        if last and is_shared(tier) and (writes != "through" or self.demote):
            raise ConfigurationError(
                f"writes: {tier.name} issues the versions of all nodes, so it must be written through"
            )
        kind: Callable[..., Level] = Level
        seconds = arguments.positive("behind_seconds", self.behind_seconds)
        entries = arguments.count("behind_entries", self.behind_entries)
        if writes == "behind":
            if self.demote:
                raise ConfigurationError("demote: it is for a layer that is written through")
            time = SystemClock() if clock is None else clock
            kind = partial(BehindLevel, seconds, entries, time, clock is None)
        return kind(
            tier,
            breaker,
            events,
            ttl,
            owned=not isinstance(self, Layer),
            versioned=last and is_shared(tier),
            demotes=self.demote,
            demoted=writes == "demoted",
        )


@dataclass(frozen=True)
class Layer(LowerLayer):
    """Any tier below memory. It is the caller's: it stays open when the cache is closed.

    Args:
        tier: the tier. `Cache.clear` empties all of it.
    """

    tier: Tier

    def tier_for(self, scope: str, clock: Clock | None, events: Events) -> Tier:
        """Return the tier."""
        missing = [name for name in _METHODS if not callable(getattr(self.tier, name, None))]
        if isinstance(self.tier, type) or missing:
            raise InvalidArgumentTypeError(f"tiers: {self.tier!r} is no tier")
        return self.tier


@dataclass(frozen=True)
class Disk(LowerLayer):
    """A directory of the local disk, shared by the processes of one machine.

    Each namespace and tenant has a directory of its own in it.

    Args:
        path: the directory; it is made if missing.
        max_size_mb: what the files of a namespace may take, in units of 1,048,576 bytes.
        max_entries: see `scrubjay.tiers.DiskTier`.
        name: names the tier in events and statistics.
    """

    path: str | os.PathLike[str]
    _: KW_ONLY
    max_size_mb: float = 1024
    max_entries: int | None = None
    name: str = "disk"

    def tier_for(self, scope: str, clock: Clock | None, events: Events) -> Tier:
        """Return the tier; its files are opened at its first use."""
        size = int(arguments.positive("max_size_mb", self.max_size_mb) * _MB)
        return DiskTier(
            Path(absolute(self.path)) / scope,
            size,
            max_entries=self.max_entries,
            name=self.name,
            on_event=events.relay,
            clock=clock,
        )


@dataclass(frozen=True)
class Redis(LowerLayer):
    """A Redis or Valkey server or cluster, shared by processes and machines.

    Args:
        url: `redis://user:password@host:port/database`; `rediss://` for TLS; `unix://path`.
        cluster: whether that is a member of a cluster, from which the others are learned.
        tls: how to encrypt; None for `rediss://` to trust the system's authorities.
        timeout_seconds: how long an operation may take.
        connect_timeout_seconds: how long of that connecting may take.
        strong: whether strong reads are refused where another server may take the place of
            this one, or given until that happens.
        name: names the tier in events and statistics.
    """

    url: str = "redis://localhost:6379/0"
    _: KW_ONLY
    cluster: bool = False
    tls: ssl.SSLContext | None = None
    timeout_seconds: float = 1.0
    connect_timeout_seconds: float = 1.0
    strong: Literal["primary", "until-failover"] = "primary"
    name: str = "redis"

    def tier_for(self, scope: str, clock: Clock | None, events: Events) -> Tier:
        """Return the tier; it connects at its first use."""
        return RedisTier(
            self.url,
            cluster=self.cluster,
            namespace=scope,
            tls=self.tls,
            timeout_seconds=self.timeout_seconds,
            connect_timeout_seconds=self.connect_timeout_seconds,
            heartbeat_seconds=min(1.0, self.max_silence_seconds / 3.0),
            strong=self.strong,
            name=self.name,
            on_event=events.relay,
            clock=clock,
        )


def is_shared(tier: Any) -> bool:
    """Tell whether nodes can share a tier: its records have versions, and it tells of changes."""
    return all(callable(getattr(tier, name, None)) for name in _SHARED_METHODS)


def split(tiers: Any) -> tuple[Memory, list[LowerLayer]]:
    """Return the memory and what is below it, of the tiers that a cache is made with.

    Args:
        tiers: layers, or tiers as such, the nearest first; memory may be left out.

    Raises:
        InvalidArgumentError: memory is not the first, or something is no layer.
    """
    listed = list(arguments.several("tiers", tiers, "layers"))
    memory = Memory()
    if listed and isinstance(listed[0], Memory):
        memory = listed.pop(0)
    lower = []
    for one in listed:
        if isinstance(one, Memory):
            raise InvalidArgumentError("tiers: memory is the first one, and there is one of it")
        lower.append(one if isinstance(one, LowerLayer) else Layer(one))
    return memory, lower
