"""Where the tests of the Redis tier find their server; importable by new processes."""

from __future__ import annotations

import os
import socket
import zlib

import hiredis
import pytest

from scrubjay.testing import Awaited, RedisServer
from scrubjay.tiers import RedisTier

URL = "SCRUBJAY_TEST_REDIS"  # of the environment; children inherit it
CLUSTER_URL = "SCRUBJAY_TEST_REDIS_CLUSTER"


def need_server():
    """Leave a test out where there is no server, but for CI."""
    if RedisServer.program() is None:
        if os.environ.get("CI") and os.name == "posix":
            pytest.fail("no redis-server here, and CI leaves nothing out")
        pytest.skip("no redis-server here; on Debian: apt-get install redis-server")


def namespace_of(directory):
    """Return a namespace that belongs to a directory."""
    return f"d{zlib.crc32(str(directory).encode()):08x}"


def open_blocking(directory, clock):
    return RedisTier(
        os.environ[URL], namespace=namespace_of(directory), clock=clock, timeout_seconds=20
    )


def open_awaited(directory, clock):
    return Awaited(open_blocking(directory, clock))


def open_on_cluster(directory, clock):
    return RedisTier(
        os.environ[CLUSTER_URL],
        cluster=True,
        namespace=namespace_of(directory),
        clock=clock,
        timeout_seconds=20,
    )


def open_awaited_on_cluster(directory, clock):
    return Awaited(open_on_cluster(directory, clock))


class Client:
    """A bare client: a call sends a command and returns the reply."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.reader = hiredis.Reader()

    def __call__(self, *command):
        self.socket.sendall(hiredis.pack_command(command))
        while (reply := self.reader.gets()) is False:
            self.reader.feed(self.socket.recv(65536))
        if isinstance(reply, Exception):
            raise reply
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
