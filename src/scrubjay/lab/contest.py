"""Who may take part in a table: the shipped strategies, and what they are held against."""

from __future__ import annotations

from scrubjay.lab.beside import PREFIX, run_libcachesim
from scrubjay.lab.model import Trace
from scrubjay.lab.optimum import belady
from scrubjay.lab.replay import ReplayResult, replay_chunks

BASELINE = "lru"
"""What reductions of the miss ratio are measured against."""

OPTIMUM = "belady"
"""What no policy can beat; it knows the future and has no rank among policies."""


def is_foreign(policy: str) -> bool:
    """Whether a policy is not ours: native code that may take its process down."""
    return policy.startswith(PREFIX)


def compete(
    trace: Trace, capacity: int, policy: str, *, in_bytes: bool = False, sessions: bool = True
) -> ReplayResult:
    """Let one policy answer the requests of a trace.

    Args:
        trace: the requests.
        capacity: size of the cache in entries, or in bytes.
        policy: a strategy of the cache, ``belady``, or ``libcachesim:NAME``.
        in_bytes: whether the capacity is in bytes.
        sessions: whether a strategy of the cache is told the clients as sessions.

    Returns:
        What came of it.

    Raises:
        CacheError: there is no such policy, or the trace lacks what it needs.
    """
    if policy == OPTIMUM:
        return belady(trace, capacity, in_bytes=in_bytes)
    if is_foreign(policy):
        return run_libcachesim(trace, capacity, policy, in_bytes=in_bytes)
    return replay_chunks([trace], capacity, policy, in_bytes=in_bytes, sessions=sessions)
