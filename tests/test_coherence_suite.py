"""Shared tiers prove themselves with the shipped suite."""

from __future__ import annotations

import threading
import time

import pytest

from scrubjay.testing import (
    AwaitedShared,
    CoherenceSuite,
    SharedMemory,
    SharedMemoryTier,
)
from tests.redis_servers import open_blocking, open_on_cluster

pytestmark = pytest.mark.any_build

WHY = "a test wants it"
stores = {}


def memory_of(directory, clock):
    return stores.setdefault(directory, SharedMemory(clock))


@pytest.fixture(autouse=True)
def forget():
    yield
    stores.clear()


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


class ServerSuite(CoherenceSuite):
    """On a server, by whose time leases end."""

    @staticmethod
    def pass_time(clock, seconds):
        threading.Event().wait(seconds)


class AwaitedSuite(ServerSuite):
    """On a server, by an event loop."""

    @classmethod
    def lose(cls, tier):
        feed = tier.feed()
        (link,) = tier._shared._loops.values()
        cls.cut(tier, link)
        end = time.monotonic() + 10
        while feed.live:
            assert time.monotonic() < end

    @staticmethod
    def cut(tier, link):
        """Have the loop lose its connection before long."""
        raise NotImplementedError


@pytest.mark.usefixtures("redis_server")
class TestRedis(ServerSuite):
    open_shared = staticmethod(open_blocking)

    @staticmethod
    def lose(tier):
        feed = tier.feed()
        tier._threads._lose(tier._settings.gone(WHY))
        assert not feed.live


@pytest.mark.usefixtures("redis_server")
class TestRedisAwaited(AwaitedSuite):
    @staticmethod
    def open_shared(directory, clock):
        return AwaitedShared(open_blocking(directory, clock))

    @staticmethod
    def cut(tier, link):
        error = tier._shared._settings.gone(WHY)
        tier._loop.call_soon_threadsafe(link.session.carrier.lose, error)


@pytest.mark.usefixtures("redis_cluster")
class TestCluster(ServerSuite):
    open_shared = staticmethod(open_on_cluster)

    @staticmethod
    def lose(tier):
        feed = tier.feed()
        for link in tier._threads._links.values():
            with link._lock:
                link._lose(tier._settings.gone(WHY))
        assert not feed.live


@pytest.mark.usefixtures("redis_cluster")
class TestClusterAwaited(AwaitedSuite):
    @staticmethod
    def open_shared(directory, clock):
        return AwaitedShared(open_on_cluster(directory, clock))

    @staticmethod
    def cut(tier, link):
        for one in link._links.values():
            error = tier._shared._settings.gone(WHY)
            tier._loop.call_soon_threadsafe(one.session.carrier.lose, error)
