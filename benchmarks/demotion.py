"""What a disk is spared, and what it still hits, if only what memory evicts is written there.

    python -m benchmarks.demotion [TRACE...] [--memory 0.01] [--disk 0.1]

Each trace, a file or a workload as ``scrubjay replay`` takes it, goes through a cache over a disk: once
written through, once demoted, once demoted without regard to what an entry is worth. Memory and
disk have room for a share of the keys; values have 4,000 bytes. What is told of writing is deterministic.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from typing import Any

from scrubjay import Cache, Disk, Memory
from scrubjay._flow.demotion import Demotion
from scrubjay.lab import read_trace
from scrubjay.lab.generate import from_text

WORKLOADS = (
    "gen:zipf:keys=20000,requests=200000",
    "gen:scan:keys=20000,requests=200000",
    "gen:phases:keys=20000,requests=200000",
    "gen:loop:keys=2000,requests=40000",
)
VALUE = b"x" * 4000
_EACH = 200  # requests after which what waits is written


def replay(keys: Sequence[Any], memory: int, disk: int, options: dict[str, Any]) -> dict[str, Any]:
    """Return what was counted while keys were asked for in turn.

    Args:
        keys: the keys.
        memory: entries that memory has room for.
        disk: records that the disk has room for, about.
        options: of the layer.
    """
    size = max(4.0, disk * 4150 / 2**20)
    with tempfile.TemporaryDirectory() as directory:
        layers = [Memory(max_entries=memory), Disk(directory, max_size_mb=size, **options)]
        with Cache(tiers=layers, enable_prefetching=False) as cache:
            demotion = cache._stack.demotion if cache._stack is not None else None
            if demotion is not None:
                demotion._called = True  # written here, so that each run is the same
            for number, key in enumerate(keys):
                cache.get_or_load(key, lambda _: VALUE)
                if demotion is not None and number % _EACH == 0:
                    demotion.drain()
                    demotion._called = True
            tiers = cache.get_detailed_statistics()["tiers"]
            lost = 0 if demotion is None else demotion.lost
            return {
                "memory": tiers["memory"]["hits"] / len(keys),
                "disk": tiers["disk"]["hits"] / len(keys),
                "writes": tiers["disk"]["writes"],
                "lost": lost,
            }


def run(name: str, memory_share: float, disk_share: float) -> None:
    """Replay one trace in each of the ways, and print a row for each."""
    trace = from_text(name) if name.startswith("gen:") else read_trace(name)
    keys = list(trace.keys)
    different = len(set(keys))
    memory, disk = max(10, int(different * memory_share)), int(different * disk_share)
    print(f"\n{name}: {len(keys):,} requests, {different:,} keys, {memory:,} and {disk:,} kept")
    selective = Demotion._returns
    for way in ("through", "demoted", "demoted, all"):
        if way == "demoted, all":
            Demotion._returns = lambda self, name: True  # type: ignore[method-assign]
        options = {"writes": "through" if way == "through" else "demoted"}
        try:
            found = replay(keys, memory, disk, options)
        finally:
            Demotion._returns = selective  # type: ignore[method-assign]
        total = found["memory"] + found["disk"]
        print(
            f"  {way:13} memory {found['memory']:6.1%}  disk {found['disk']:6.1%}  "
            f"together {total:6.1%}  writes {found['writes']:8,}  not queued {found['lost']:,}"
        )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="*", default=WORKLOADS)
    parser.add_argument("--memory", type=float, default=0.01)
    parser.add_argument("--disk", type=float, default=0.1)
    arguments = parser.parse_args()
    for name in arguments.traces:
        run(name, arguments.memory, arguments.disk)


if __name__ == "__main__":
    main()
