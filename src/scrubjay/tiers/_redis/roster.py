"""What a tier knows of its cluster: whose slots are whose, and which history each primary has.

All faces of a tier share it. What it knows is replaced piece by piece, so who reads needs no lock.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from hashlib import blake2b

from scrubjay.tiers._redis.topology import Topology, Where
from scrubjay.versions import Feed

_AGAIN_SECONDS = 0.1  # between two looks at the slots, unless somebody has told of a change
_ACQUAINT_SECONDS = 1.0  # between two attempts to ask those who could not be asked


class Roster:
    """The primaries, their slots and their epochs."""

    def __init__(self) -> None:
        self.topology: Topology | None = None
        #: whether it may have changed
        self.stale = False
        self._looked_at = -math.inf
        self._epochs: dict[Where, bytes] = {}
        self._unsure: set[Where] = set()
        self._asked_at = -math.inf
        #: of the cluster
        self.epoch = b""
        self._feeds: weakref.WeakSet[Feed] = weakref.WeakSet()
        self._lock = threading.RLock()  # over the feeds and their epoch

    def after_fork(self) -> None:
        """In a child: take a lock that no thread of the parent holds."""
        self._lock = threading.RLock()

    # ---- slots

    def suspect(self, *, surely: bool = False) -> None:
        """Note that the slots may be elsewhere, or surely are."""
        self.stale = True
        if surely:
            self._looked_at = -math.inf

    @property
    def due(self) -> bool:
        """Whether somebody is to look at the slots."""
        if self.topology is None:
            return True
        return self.stale and time.monotonic() - self._looked_at >= _AGAIN_SECONDS

    def looking(self) -> None:
        """Note that somebody looks; others need not."""
        self.stale = False
        self._looked_at = time.monotonic()

    def found(self, topology: Topology) -> None:
        """Take what was found."""
        if self.topology is None or topology.primaries != self.topology.primaries:
            self._asked_at = -math.inf  # who has come is to be asked at once
        self.topology = topology
        for where in [one for one in list(self._epochs) if one not in topology.primaries]:
            self._epochs.pop(where, None)  # it is asked again, should it come back
        self._unsure.intersection_update(topology.primaries)
        self._change()

    def configured(self, epoch: int, members: int) -> None:
        """Note what a member says of the cluster.

        Args:
            epoch: the number of the configuration.
            members: how many it knows.
        """
        known = self.topology
        if known is not None and (
            epoch > known.epoch or (not known.replicas and members > len(known.primaries))
        ):
            self.suspect()

    @property
    def replicas(self) -> bool:
        """Whether another server may take a primary's place."""
        return self.topology is None or self.topology.replicas

    # ---- epochs

    def tell(self, feed: Feed) -> None:
        """Have a feed know the epoch of the cluster, whenever it changes."""
        with self._lock:
            self._feeds.add(feed)
            feed.epoch = self.epoch

    def learned(self, where: Where, epoch: bytes) -> None:
        """Note the epoch of one primary; b"" if it does not say."""
        self._epochs[where] = epoch
        self._unsure.discard(where)
        self._change()

    def _change(self) -> None:
        """Find the epoch of the cluster, and tell it.

        It is a digest of the epochs of all primaries; b"" while one of them is not known. A
        record moves from one primary to another and takes its version along, so versions can
        be compared for as long as none of the primaries has lost its history, and no other
        has joined them.
        """
        with self._lock:
            primaries = frozenset() if self.topology is None else self.topology.primaries
            epochs = [self._epochs.get(where, b"") for where in primaries]
            self.epoch = b""
            if epochs and all(epochs):
                self.epoch = blake2b(b"".join(sorted(epochs)), digest_size=8).digest()
            for feed in list(self._feeds):
                feed.epoch = self.epoch

    def lost(self, where: Where) -> None:
        """Note that a primary may have another epoch by now."""
        self._unsure.add(where)

    def unacquainted(self) -> list[Where]:
        """Return the primaries whose epochs are to be asked for now."""
        if self.topology is None:
            return []
        missing = [
            where
            for where in self.topology.primaries
            if where in self._unsure or where not in self._epochs
        ]
        if not missing or time.monotonic() - self._asked_at < _ACQUAINT_SECONDS:
            return []
        self._asked_at = time.monotonic()
        return missing
