"""The shape of what is known of one key, ready for JSON. It has no value in it."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["KeyReport", "TierReport"]


class TierReport(TypedDict):
    """What one tier below memory has of a key.

    Its state is "valid"; "expired"; "void": a tag or something it was made from has changed
    since; "absent"; "removed", or being loaded; "unreadable"; or "unreachable".
    """

    tier: str
    state: str
    detail: str
    size_bytes: int | None  # of the record; None if there is none
    age_seconds: float | None  # since the value was made
    expires_in_seconds: float | None  # negative if it has; None for never, or not known
    version: int | None  # as the tier issued it, or the number it was stored under
    tags: list[str]
    dependencies: list[str]


class MemoryReport(TypedDict):
    """What memory has of a key."""

    value: str  # its type, nothing more
    age_seconds: float
    idle_seconds: float
    expires_in_seconds: float | None
    uses: int
    size_bytes: int
    priority: float
    cost: float
    prefetch_score: float
    version: int
    tags: list[str]
    dependencies: list[str]


class KeyReport(TypedDict):
    """What `Cache.explain_key` returns."""

    key: str
    type: str
    where: list[str]  # the tiers that have it, so that it can be served, the nearest first
    why: str  # what speaks for keeping it, or why it is not there
    loading: bool  # whether a load is under way
    memory: MemoryReport | None  # None: it is not in memory
    tiers: list[TierReport]  # those below memory, the nearest first
    dependents: list[str]  # entries in memory that depend on it
    dependent_count: int
