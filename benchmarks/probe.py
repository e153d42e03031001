"""Measure the memory of one cache: `python -m benchmarks.probe PEER ENTRIES READING`.

A program of its own, as what one cache leaves behind in a process (free lists, pages not
given back) would be taken for savings of the next.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import tracemalloc
from pathlib import Path

from benchmarks import peers
from benchmarks.peers import NAMES, Peer
from benchmarks.timing import compile_source

EXPIRING = " (expiring)"
RESIDENT = "resident"
TRACED = "traced"
_FILL = """
def loop(cache, pairs):
    for k, v in pairs:
        {put}
"""


def candidates() -> list[Peer]:
    """Return the caches to measure, scrubjay's default also with an expiry on each entry."""
    expiring = [
        Peer(one.name + EXPIRING, one.package, one.build, put=one.put)
        for one in peers.expiring_stores()
        if one.name == peers.SCRUBJAY
    ]
    return peers.stores() + expiring


def measure(peer: Peer, entries: int, reading: str) -> int:
    """Fill one cache in this process.

    A memoizing cache cannot be told its value and stores the key instead, which
    takes the same space.

    Args:
        peer: What to build and fill.
        entries: Its capacity, and how many it is given.
        reading: `RESIDENT` or `TRACED`.

    Returns:
        Bytes by which the process grew.
    """
    keys = list(range(entries))
    values = list(range(entries, 2 * entries))
    put = peer.put.replace("[k] = k", "[k] = v").replace("(k, k", "(k, v")
    fill = compile_source(_FILL.format(put=put), **NAMES)
    read = _traced if reading == TRACED else _resident
    if reading == TRACED:
        tracemalloc.start()
    # Whatever is made once per process (imports, types, tables) comes first.
    fill(peer.build(100), zip(keys[:100], values[:100], strict=True))
    read()
    before = read()
    cache = peer.build(entries)
    fill(cache, zip(keys, values, strict=True))
    return read() - before


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _resident() -> int:
    gc.collect()
    # Only glibc has it; elsewhere free pages may be counted.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure one cache and print the bytes as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("entries", type=int)
    parser.add_argument("reading", choices=[RESIDENT, TRACED])
    arguments = parser.parse_args()
    peer = next(one for one in candidates() if one.name == arguments.peer)
    print(json.dumps(measure(peer, arguments.entries, arguments.reading)))


if __name__ == "__main__":
    main()
