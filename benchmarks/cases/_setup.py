"""Keys and filled caches, as the cases need them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from benchmarks.peers import NAMES, Peer
from benchmarks.timing import compile_loop

SEED = 20_240_229


def make_keys(count: int, *, prefix: str = "key", start: int = 0) -> list[str]:
    """Return distinct strings, new objects whose hash is not computed yet."""
    return [f"{prefix}:{number}" for number in range(start, start + count)]


def shuffled(keys: Sequence[str]) -> list[str]:
    """Return the keys in a fixed random order.

    Reading in the order of insertion would walk memory in sequence, which
    flatters every cache and the dict most.
    """
    mixed = list(keys)
    random.Random(SEED).shuffle(mixed)
    return mixed


def filled(peer: Peer, keys: Sequence[Any], capacity: int | None = None) -> Any:
    """Return a new cache that took every key, by the peer's own put.

    Args:
        peer: What to build.
        keys: Stored in this order.
        capacity: In entries; as many as keys when omitted.
    """
    cache = peer.build(len(keys) if capacity is None else capacity)
    compile_loop(peer.put, **NAMES)(cache, keys)
    return cache
