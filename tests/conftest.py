"""What every test of the suite stands on."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import scrubjay
from scrubjay.testing import RedisCluster, RedisServer
from tests.environments import measuring
from tests.models import EFFORT, scaled
from tests.redis_servers import CLUSTER_URL, URL, need_server

settings.register_profile(
    "scrubjay",
    max_examples=scaled(100, 30),
    deadline=None,  # the uncompiled build is fifteen times slower
    derandomize=EFFORT == 1,  # a usual run can be repeated, a long one explores
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("scrubjay")


def pytest_report_header():
    return f"scrubjay {scrubjay.__version__}, {'' if scrubjay.compiled else 'un'}compiled"


@pytest.fixture(autouse=True)
def looking_away(request):
    """Have coverage look away from a test that is marked `untraced`, and from its children.

    And from tests of the core where it is compiled: there is nothing to see.
    """
    unseen = scrubjay.compiled and request.path.name.startswith("test_core_")
    if not unseen and request.node.get_closest_marker("untraced") is None:
        yield
        return
    monkeypatch = request.getfixturevalue("monkeypatch")
    for name in filter(measuring, os.environ):
        monkeypatch.delenv(name)
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    if type(tracer).__module__ == "coverage":  # not a debugger's
        sys.settrace(None)
        threading.settrace(None)
    yield
    sys.settrace(tracer)
    threading.settrace(of_threads)


@pytest.fixture
def eager_switching():
    """Let the interpreter switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def eager_collecting():
    """Let the garbage collector run at nearly every allocation of a container."""
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1, 10, 100)
    yield
    gc.set_threshold(*before)


@pytest.fixture
def interruptible():
    """Have children be interrupted by SIGINT, though a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_collecting():
    """Keep the collector out, so that reference counts alone tell who holds what."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def redis_cluster():
    """Start a cluster of three primaries of this session's own."""
    need_server()
    with tempfile.TemporaryDirectory(prefix="sj") as at, RedisCluster(Path(at)) as cluster:
        os.environ[CLUSTER_URL] = cluster.url
        yield cluster
        del os.environ[CLUSTER_URL]


@pytest.fixture(scope="session")
def redis_server():
    """Start a Redis or Valkey server of this session's own."""
    need_server()
    # Not pytest's own directory: the name of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="sj") as at, RedisServer(Path(at)) as server:
        os.environ[URL] = server.url
        yield server
        del os.environ[URL]
