"""Memory of a cache at a million ints to ints, each in a process of its own.

Keys and values exist before the first reading and stay alive after the second,
so that the difference is the cache's structure alone. Two readings are offered:

- resident: pages of the process, after a collection and after the allocator
  gave back what is free. What a user pays, whoever allocates it, to the page.
- traced: bytes that Python's allocators know of. Exact, yet blind to what a
  library allocates on its own (the peers in Rust), so taken only where a cache
  is known to use Python's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.peers import Peer
from benchmarks.probe import RESIDENT, TRACED, candidates
from benchmarks.timing import Outcome, Scale, describe

ENTRIES = 1_000_000
REPEATS = 3
_OWN_ALLOCATOR = {"cachebox", "moka_py", "theine"}


def run(scale: Scale) -> Outcome:
    """Measure every cache, in turn, `REPEATS` times over."""
    entries = scale.of(ENTRIES, 20_000)
    outcome = Outcome(facts={TRACED: {}})
    for peer, reading in _readings(scale.of(REPEATS, 1)):
        if peer.name in outcome.failures:
            continue
        try:
            figure = _probe(peer, entries, reading)
        except (OSError, RuntimeError) as error:
            outcome.failures[peer.name] = describe(error)
            outcome.samples.pop(peer.name, None)
            continue
        if reading == TRACED:
            outcome.facts[TRACED][peer.name] = figure
        else:
            outcome.samples.setdefault(peer.name, []).append(figure)
    return outcome


def _readings(repeats: int) -> Iterator[tuple[Peer, str]]:
    for _ in range(repeats):
        for peer in candidates():
            yield peer, RESIDENT
    for peer in candidates():
        if peer.package not in _OWN_ALLOCATOR:
            yield peer, TRACED


def _probe(peer: Peer, entries: int, reading: str) -> float:
    command = [sys.executable, "-m", "benchmarks.probe", peer.name, str(entries), reading]
    # This interpreter and our own module, nothing from outside.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode < 0:
        raise RuntimeError(f"process ended by signal {-done.returncode}")
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    return float(json.loads(done.stdout)) / entries
