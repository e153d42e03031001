"""One entry, described for people."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from scrubjay._core.store import Store
from scrubjay.clock import Clock
from scrubjay.types import CacheEntry


def describe(
    store: Store, key: Any, clock: Clock, prefetch_score: float = 0.0
) -> CacheEntry | None:
    """Return what is known of an entry, or None. Not a use of it.

    Args:
        store: where it is.
        key: its key.
        clock: relates the store's monotonic seconds to the wall time.
        prefetch_score: of the entry.
    """
    store.keep_versions()
    facts = store.facts(key)
    if facts is None:
        return None
    now, wall = clock.monotonic(), clock.time()

    def moment(monotonic: float) -> datetime:
        return datetime.fromtimestamp(wall - now + monotonic, timezone.utc)

    size = facts["size"]
    if size is None:
        size = store.measure_entry(facts["key"], facts["value"])
    return CacheEntry(
        key=facts["key"],
        value=facts["value"],
        created_at=moment(facts["created"]),
        last_accessed=moment(facts["accessed"]),
        access_count=facts["hits"] + 1,
        size_bytes=size,
        ttl_seconds=facts["ttl"],
        priority=facts["priority"],
        tags=facts["tags"],
        dependencies=frozenset(facts["dependencies"]),
        prefetch_score=prefetch_score,
        consistency_version=facts["version"],
        cost=facts["cost"],
        idle_seconds=facts["idle"],
        expires_in=facts["deadline"] - now,
        looked_at=moment(now),
    )
