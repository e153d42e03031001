"""Where values are kept outside of the process's own objects: bytes under bytes.

A tier never decides. It stores, fetches, and says honestly what went wrong.
"""

from __future__ import annotations

from scrubjay.tiers.disk import DiskTier
from scrubjay.tiers.events import TierEvent, TierEventKind
from scrubjay.tiers.memory import MemoryTier
from scrubjay.tiers.protocol import AsyncTier, ListedTier, SharedTier, Tier, TierRecord, TierSize
from scrubjay.tiers.redis import RedisTier

__all__ = [
    "AsyncTier",
    "DiskTier",
    "ListedTier",
    "MemoryTier",
    "RedisTier",
    "SharedTier",
    "Tier",
    "TierEvent",
    "TierEventKind",
    "TierRecord",
    "TierSize",
]
