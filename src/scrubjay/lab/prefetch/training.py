"""Training a model of what follows from a recorded trace, before a cache runs."""

from __future__ import annotations

from collections.abc import Iterable

from scrubjay.lab.model import Trace
from scrubjay.lab.prefetch.replaying import PrefetchReplay
from scrubjay.prefetch.planner import Planner


def train(chunks: Iterable[Trace], capacity: int, *, cost_ratio: float = 1.3) -> Planner:
    """Replay a trace with prefetch, and return what learned from it.

    Args:
        chunks: the trace, in order. Keys must be those that the cache will use.
        capacity: size of the cache in entries.
        cost_ratio: loads allowed for each without prefetch.

    Returns:
        The planner; `Planner.save` makes bytes of what it knows.
    """
    planner = Planner(capacity, cost_ratio=cost_ratio)
    run = PrefetchReplay(capacity, planner)
    for chunk in chunks:
        run.feed(chunk)
    return planner
