"""The tiers that are shipped, through the suite that is shipped."""

from __future__ import annotations

import pytest

from scrubjay.testing import SharedTierSuite, TierSuite
from scrubjay.tiers import DiskTier, MemoryTier
from tests.models import scaled
from tests.redis_servers import (
    open_awaited,
    open_awaited_on_cluster,
    open_blocking,
    open_on_cluster,
)


class TestMemoryTier(TierSuite):
    @staticmethod
    def open_tier(directory, clock):
        return MemoryTier(clock=clock)


class TestDiskTier(SharedTierSuite):
    operations = scaled(10_000, 1500)

    @staticmethod
    def open_tier(directory, clock):
        return DiskTier(directory, 64 << 20, clock=clock)


@pytest.mark.any_build
@pytest.mark.usefixtures("redis_server")
class TestRedisTier(SharedTierSuite):
    lists = False
    operations = 3000
    open_tier = staticmethod(open_blocking)


@pytest.mark.any_build
@pytest.mark.usefixtures("redis_server")
class TestRedisTierAwaited(SharedTierSuite):
    lists = False
    operations = 3000
    open_tier = staticmethod(open_awaited)


@pytest.mark.any_build
@pytest.mark.usefixtures("redis_cluster")
class TestClusterTier(SharedTierSuite):
    lists = False
    operations = 1000
    examples = 8
    open_tier = staticmethod(open_on_cluster)


@pytest.mark.any_build
@pytest.mark.usefixtures("redis_cluster")
class TestClusterTierAwaited(SharedTierSuite):
    lists = False
    operations = 1000
    examples = 8
    open_tier = staticmethod(open_awaited_on_cluster)
