"""`scrubjay verify` on a cluster: it runs, its faults are made, and bugs are found by it."""

from __future__ import annotations

import random

import pytest

from scrubjay import CacheConsistencyLevel
from scrubjay.errors import InvalidArgumentError
from scrubjay.verify.cluster import ClusterServers
from scrubjay.verify.run import verify

pytestmark = pytest.mark.any_build


SECONDS = (2, 6, 12, 24, 48)  # of runs, until one has done enough: a busy machine does little


@pytest.mark.timeout(240)
@pytest.mark.parametrize("caches", [False, True])
def test_a_short_run_on_a_cluster_finds_nothing_wrong(redis_server, caches):
    for seconds in SECONDS[1:]:  # none has faults in its last 3.5 seconds
        result = verify(seconds=seconds, processes=3, seed=2, caches=caches, cluster=True)
        found = result.findings
        assert found.examples == []
        if found.operations > 500 and sum(result.faults.values()) >= 1:
            break
    else:
        pytest.fail("it has done too little")
    assert "cluster of 3" in result.server
    for level in CacheConsistencyLevel:
        assert found.reads[level.value]
        assert found.copies[level.value]


@pytest.mark.timeout(240)
def test_a_known_bug_is_found_on_a_cluster(redis_server):
    for attempt, seconds in enumerate(SECONDS):
        if verify(
            seconds=seconds, processes=3, bug="no-barrier", seed=attempt, caches=False, cluster=True
        ).violations:
            return
    pytest.fail("it was not found")


def test_a_url_of_no_cluster_is_refused(redis_server):
    with pytest.raises(InvalidArgumentError, match="url"):
        verify(redis_server.tcp_url, seconds=1, processes=1, caches=False, cluster=True)


def test_the_members_of_a_cluster_are_found(redis_cluster):
    with ClusterServers(redis_cluster.url, random.Random(1)) as servers:
        assert not servers.stoppable
        assert not servers.proxies
        assert "3 primaries" in servers.version()
        servers.kill_clients()
        servers.stop()  # not ours: nothing happens
        servers.resume()
        servers.move_slots("x")
