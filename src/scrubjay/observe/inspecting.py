"""What is known of one key, for people: where it is, how old, why it is kept. No values."""

from __future__ import annotations

import ast
from typing import Any

from scrubjay.observe.watch import shown
from scrubjay.types import CacheEntry

_MOST = 20  # dependencies told
_LONGEST = 1000  # characters of a key that are read


def find_key(cache: Any, text: str) -> Any:
    """Return the key that people mean: the string itself or, if it is not there, a literal.

    ``user:42`` is a string, ``42`` and ``('search', 'tea')`` may be an int and a tuple.
    """
    if cache.contains(text) or len(text) > _LONGEST:
        return text
    try:
        key = ast.literal_eval(text)
        return key if cache.contains(key) else text
    except Exception:  # it is no literal, or one that is no key
        return text


def inspect(cache: Any, text: str) -> dict[str, Any]:
    """Return what is known of a key, ready for JSON. It is no use of it.

    Args:
        cache: the store.
        text: the key as people write it.
    """
    key = find_key(cache, text)
    entry: CacheEntry | None = cache.entry(key)
    graph = cache.dependency_graph()
    node = None if graph is None else graph.find(key)
    dependents = [] if node is None else [each.key for each in cache.nodes_depending_on(node)]
    found: dict[str, Any] = {
        "key": shown(key),
        "type": type(key).__name__,
        "present": entry is not None,
        "loading": cache.flights.get(key) is not None,
        "dependents": [shown(each) for each in dependents[:_MOST]],
        "dependent_count": len(dependents),
    }
    if entry is None:
        return {**found, "why": "it is not in memory"}
    forever = entry.expires_in == float("inf")
    return {
        **found,
        "tier": "memory",
        "value": f"<{type(entry.value).__name__}, not shown>",
        "age_seconds": entry.age_seconds,
        "idle_seconds": entry.idle_time_seconds,
        "expires_in_seconds": None if forever else entry.expires_in,
        "uses": entry.access_count,
        "size_bytes": entry.size_bytes,
        "priority": entry.priority,
        "cost": entry.cost,
        "prefetch_score": entry.prefetch_score,
        "version": entry.consistency_version,
        "tags": sorted(str(tag) for tag in entry.tags)[:_MOST],
        "dependencies": [shown(each) for each in list(entry.dependencies)[:_MOST]],
        "why": _why(cache, entry),
    }


def _why(cache: Any, entry: CacheEntry) -> str:
    """Say what speaks for an entry under the strategy at work."""
    explanation = cache.explain()
    way = explanation.way or explanation.strategy
    uses = "never read since it was stored"
    if entry.access_count > 1:
        uses = f"read {entry.access_count - 1:,} times, last {entry.idle_time_seconds:,.1f} s ago"
    parts = [f"kept under {way!r}", uses]
    if entry.priority != 1.0:
        parts.append(f"priority {entry.priority:g}")
    if entry.cost:
        parts.append(f"loading it again would cost {entry.cost:.3g}")
    if entry.is_expired:
        parts.append("its time is up: it goes next")
    elif entry.expires_in != float("inf"):
        parts.append(f"goes in {entry.expires_in:,.0f} s at the latest")
    return "; ".join(parts)
