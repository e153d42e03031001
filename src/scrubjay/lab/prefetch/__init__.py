"""Replaying requests with prefetch: what it gains, what it loads, and how others would do."""

from __future__ import annotations

from scrubjay.lab.prefetch.contestants import (
    contestant_names,
    make_prefetcher,
    register_contestant,
)
from scrubjay.lab.prefetch.replaying import PrefetchReplay, replay_prefetch
from scrubjay.lab.prefetch.result import PrefetchResult

__all__ = [
    "PrefetchReplay",
    "PrefetchResult",
    "contestant_names",
    "make_prefetcher",
    "register_contestant",
    "replay_prefetch",
]
