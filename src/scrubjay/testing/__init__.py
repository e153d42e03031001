"""Suites that parts of a cache prove themselves with; they need the extra `testing`.

A tier of your own is proved by a subclass in a test module, which pytest then runs:

    class TestMyTier(TierSuite):
        @staticmethod
        def open_tier(directory, clock):
            return MyTier(directory, clock=clock)
"""

from __future__ import annotations

from scrubjay.testing.awaited import Awaited, AwaitedShared
from scrubjay.testing.cluster import RedisCluster
from scrubjay.testing.coherence import CoherenceSuite
from scrubjay.testing.faults import FaultProxy
from scrubjay.testing.history import Operation, unexplained
from scrubjay.testing.redis import RedisServer
from scrubjay.testing.shared import SharedTierSuite
from scrubjay.testing.shared_memory import SharedMemory, SharedMemoryTier
from scrubjay.testing.tiers import TierSuite

__all__ = [
    "Awaited",
    "AwaitedShared",
    "CoherenceSuite",
    "FaultProxy",
    "Operation",
    "RedisCluster",
    "RedisServer",
    "SharedMemory",
    "SharedMemoryTier",
    "SharedTierSuite",
    "TierSuite",
    "unexplained",
]
