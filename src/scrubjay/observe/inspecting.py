"""What is known of one key, for people: where it is, how old, why it is kept. No values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from scrubjay.observe.key_report import KeyReport, MemoryReport, TierReport
from scrubjay.observe.watch import shown
from scrubjay.types import CacheEntry

_MOST = 20  # dependencies told
_LONGEST = 1000  # characters of a key that are read


def candidates(text: str) -> list[Any]:
    """Return the keys that people may mean: the string itself, and what it is as a literal.

    ``user:42`` is a string, ``42`` and ``('search', 'tea')`` may be an int and a tuple.
    """
    if len(text) > _LONGEST:
        return [text]
    try:
        key = ast.literal_eval(text)
        hash(key)
    except Exception:  # it is no literal, or one that is no key
        return [text]
    return [text, key]


def inspect(text: str, explain: Callable[[Any], KeyReport]) -> KeyReport:
    """Return what is known of a key that somebody has written down.

    Args:
        text: the key as people write it.
        explain: tells what is known of a key.
    """
    first, *others = candidates(text)
    report = explain(first)
    for key in others:
        if report["where"] or report["loading"]:
            break
        other = explain(key)
        if other["where"] or other["loading"]:
            report = other
    return report


def describe_key(cache: Any, key: Any, tiers: list[TierReport]) -> KeyReport:
    """Return what is known of a key, ready for JSON. It is no use of it.

    Args:
        cache: the store.
        key: the key.
        tiers: what the tiers below memory have of it.
    """
    entry: CacheEntry | None = cache.entry(key)
    graph = cache.dependency_graph()
    node = None if graph is None else graph.find(key)
    dependents = [] if node is None else [each.key for each in cache.nodes_depending_on(node)]
    where = [] if entry is None else ["memory"]
    where += [each["tier"] for each in tiers if each["state"] == "valid"]
    return {
        "key": shown(key),
        "type": type(key).__name__,
        "where": where,
        "why": _absence(where, tiers) if entry is None else _why(cache, entry),
        "loading": cache.flights.get(key) is not None,
        "memory": None if entry is None else _memory(entry),
        "tiers": tiers,
        "dependents": [shown(each) for each in dependents[:_MOST]],
        "dependent_count": len(dependents),
    }


def _memory(entry: CacheEntry) -> MemoryReport:
    forever = entry.expires_in == float("inf")
    return {
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
    }


def _absence(where: list[str], tiers: list[TierReport]) -> str:
    """Say why an entry is not in memory, as far as the tiers tell."""
    if where:
        return f"not in memory; the next request finds it in {where[0]}"
    if any(each["state"] == "unreachable" for each in tiers):
        return "not in memory; a tier could not be asked"
    if any(each["state"] == "void" for each in tiers):
        return "it was invalidated: a tag, or something it was made from, has changed"
    if any(each["state"] == "expired" for each in tiers):
        return "its time is up"
    return "it is in no tier" if tiers else "it is not in memory"


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
