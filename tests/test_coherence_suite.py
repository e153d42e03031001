"""Shared tiers prove themselves with the shipped suite."""

from __future__ import annotations

import os
import threading
import time

import pytest

from scrubjay.testing import (
    AwaitedShared,
    CoherenceSuite,
    SharedMemory,
    SharedMemoryTier,
)
from scrubjay.tiers import RedisTier
from tests.redis_servers import URL, namespace_of, open_on_cluster

pytestmark = pytest.mark.any_build

stores = {}


def memory_of(directory, clock):
    return stores.setdefault(directory, SharedMemory(clock))


@pytest.fixture(autouse=True)
def forget():
    yield
    stores.clear()


def open_redis(directory, clock):
    return RedisTier(
        os.environ[URL], namespace=namespace_of(directory), clock=clock, timeout_seconds=20
    )


def kill(tier):
    feed = tier.feed()
    tier._threads._lose(tier._settings.gone("a test wants it"))
    assert not feed.live


class TestMemory(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return SharedMemoryTier(memory_of(directory, clock))

    @staticmethod
    def lose(tier):
        tier.lose()

    @staticmethod
    def hears(tier, record):
        tier.deliver()
        return CoherenceSuite.hears(tier, record)


class TestMemoryAwaited(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return AwaitedShared(SharedMemoryTier(memory_of(directory, clock)))

    @staticmethod
    def lose(tier):
        tier._shared.lose()


@pytest.mark.usefixtures("redis_server")
class TestRedis(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return open_redis(directory, clock)

    @staticmethod
    def lose(tier):
        kill(tier)

    @staticmethod
    def pass_time(clock, seconds):
        threading.Event().wait(seconds)  # leases end by the time of the server


@pytest.mark.usefixtures("redis_server")
class TestRedisAwaited(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return AwaitedShared(open_redis(directory, clock))

    @staticmethod
    def lose(tier):
        feed = tier.feed()
        (link,) = tier._shared._loops.values()
        error = tier._shared._settings.gone("a test wants it")
        tier._loop.call_soon_threadsafe(link.session.carrier.lose, error)
        end = time.monotonic() + 10
        while feed.live:
            assert time.monotonic() < end

    @staticmethod
    def pass_time(clock, seconds):
        threading.Event().wait(seconds)


@pytest.mark.usefixtures("redis_cluster")
class TestCluster(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return open_on_cluster(directory, clock)

    @staticmethod
    def lose(tier):
        feed = tier.feed()
        for link in tier._threads._links.values():
            link.leave("a test wants it")
        assert not feed.live

    @staticmethod
    def pass_time(clock, seconds):
        threading.Event().wait(seconds)


@pytest.mark.usefixtures("redis_cluster")
class TestClusterAwaited(CoherenceSuite):
    @staticmethod
    def open_shared(directory, clock):
        return AwaitedShared(open_on_cluster(directory, clock))

    @staticmethod
    def lose(tier):
        feed = tier.feed()
        (cluster,) = tier._shared._loops.values()
        for link in cluster._links.values():
            tier._loop.call_soon_threadsafe(link.leave, "a test wants it")
        end = time.monotonic() + 10
        while feed.live:
            assert time.monotonic() < end

    @staticmethod
    def pass_time(clock, seconds):
        threading.Event().wait(seconds)
