"""A hit in memory where there are tiers below it: it must cost what it costs without."""

from __future__ import annotations

import tempfile
import weakref
from typing import Any

from benchmarks import peers
from benchmarks.cases._setup import make_keys, shuffled
from benchmarks.cases.lookup import CAPACITY, PASSES, measure_reads
from benchmarks.peers import DICT, SCRUBJAY, Peer
from benchmarks.timing import Outcome, Scale

LOCAL = f"{SCRUBJAY} over a disk"
SHARED = f"{SCRUBJAY} over a disk and a server"


def hit(scale: Scale) -> Outcome:
    """Read every key, in random order, by the objects that were stored."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    plain = [peer for peer in peers.stores(strategies=False) if peer.name in {DICT, SCRUBJAY}]
    put = "cache.put(k, k)"
    tiered = peers.present(
        [
            Peer(LOCAL, SCRUBJAY, _over_disk, put=put),
            Peer(SHARED, SCRUBJAY, _over_disk_and_server, put=put),
        ]
    )
    return measure_reads(scale, plain + tiered, keys, lambda: wanted)


def _over_disk(capacity: int) -> Any:
    return _over(capacity)


def _over_disk_and_server(capacity: int) -> Any:
    # In this process, as a hit asks no server, whatever it is.
    from scrubjay.testing import SharedMemory, SharedMemoryTier

    return _over(capacity, SharedMemoryTier(SharedMemory()))


def _over(capacity: int, *more: Any) -> Any:
    from scrubjay import Cache, Disk, Memory

    folder = tempfile.TemporaryDirectory(prefix="scrubjay-bench-")
    tiers = [Memory(max_entries=capacity), Disk(folder.name, max_size_mb=64), *more]
    cache: Cache[Any, Any] = Cache(tiers=tiers)
    weakref.finalize(cache, folder.cleanup)
    return cache
