"""The tiers that are shipped, through the suite that is shipped."""

from __future__ import annotations

from scrubjay.testing import SharedTierSuite, TierSuite
from scrubjay.tiers import DiskTier, MemoryTier


class TestMemoryTier(TierSuite):
    @staticmethod
    def open_tier(directory, clock):
        return MemoryTier(clock=clock)


class TestDiskTier(SharedTierSuite):
    @staticmethod
    def open_tier(directory, clock):
        return DiskTier(directory, 64 << 20, clock=clock)
