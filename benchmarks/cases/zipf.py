"""Get or put under zipf(0.99) traffic: time an operation, and hit ratio.

The sequence is read through once per pass, by caches that start empty. It is
cut into chunks, and the subjects take turns chunk by chunk. The first chunks
fill the caches and let the policies learn; they are sent but not counted. The
dict's hit ratio is the most that any cache could reach, as it keeps all.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import peers
from benchmarks.cases._setup import SEED, make_keys
from benchmarks.peers import NAMES, Peer
from benchmarks.timing import Outcome, Scale, collector_at_rest, compile_source, describe

SKEW = 0.99
KEYS = 1_000_000
CAPACITY = 100_000
CHUNK = 250_000
WARM_UP_CHUNKS = 6
CHUNKS = 10
PASSES = 3
HIT_RATIO = "hit ratio"


def sequence(keys: int, requests: int) -> list[str]:
    """Return requests for keys, the n-th most frequent in proportion to n ** -0.99.

    Args:
        keys: Distinct keys to draw from.
        requests: Length of the result.
    """
    generator = random.Random(SEED)
    names = make_keys(keys)
    # Popularity must not follow the order in which the objects lie in memory.
    generator.shuffle(names)
    weights = itertools.accumulate(rank**-SKEW for rank in range(1, keys + 1))
    return generator.choices(names, cum_weights=list(weights), k=requests)


def run(scale: Scale) -> Outcome:
    """Send the same requests through every cache, each starting empty."""
    capacity = scale.of(CAPACITY, 2_000)
    size = scale.of(CHUNK, 4_000)
    requests = sequence(scale.of(KEYS, 20_000), size * (WARM_UP_CHUNKS + CHUNKS))
    chunks = [requests[at : at + size] for at in range(0, len(requests), size)]
    outcome = Outcome(facts={HIT_RATIO: {}})
    for _ in range(scale.of(PASSES, 1)):
        _pass(outcome, chunks, capacity)
    return outcome


class _Run:
    """One subject's way through the sequence.

    Args:
        peer: What to build.
        capacity: In entries.
    """

    def __init__(self, peer: Peer, capacity: int) -> None:
        self.name = peer.name
        self.samples: list[float] = []
        self.hits = 0
        self.requests = 0
        self._peer = peer
        self._cache = peer.build(capacity)
        self._loop = _compile(peer)

    def advance(self, chunk: Sequence[str], *, counts: bool) -> None:
        """Send a chunk of the requests through the cache."""
        before = self._own_misses()
        elapsed, misses = self._loop(self._cache, chunk)
        misses += self._own_misses() - before
        if counts:
            self.samples.append(elapsed / len(chunk))
            self.hits += len(chunk) - misses
            self.requests += len(chunk)

    def _own_misses(self) -> int:
        """Return what a memoizing cache counted itself; the others' loop counts."""
        if self._peer.reads:
            return 0
        counted: int = self._cache.cache_info().misses
        return counted


_LOOP = """
def loop(cache, keys):
    misses = 0
    start = clock()
    for k in keys:
        {statement}
    return clock() - start, misses
"""
_GET_OR_PUT = """if {value} is None:
            {put}
            misses += 1"""


def _compile(peer: Peer) -> Callable[[Any, Sequence[str]], tuple[int, int]]:
    statement = _GET_OR_PUT.format(value=peer.value, put=peer.put) if peer.reads else peer.get
    loop: Callable[[Any, Sequence[str]], tuple[int, int]]
    loop = compile_source(_LOOP.format(statement=statement), **NAMES)
    return loop


def _pass(outcome: Outcome, chunks: Sequence[Sequence[str]], capacity: int) -> None:
    runs = []
    for peer in peers.stores():
        try:
            runs.append(_Run(peer, capacity))
        except Exception as error:
            outcome.failures[peer.name] = describe(error)
    with collector_at_rest():
        for number, chunk in enumerate(chunks):
            for one in runs:
                if one.name in outcome.failures:
                    continue
                try:
                    one.advance(chunk, counts=number >= WARM_UP_CHUNKS)
                except Exception as error:
                    outcome.failures[one.name] = describe(error)
    for one in runs:
        if one.name not in outcome.failures:
            outcome.samples.setdefault(one.name, []).extend(one.samples)
            outcome.facts[HIT_RATIO][one.name] = one.hits / one.requests
