"""The caches of this process that may be looked at, and what is told of them."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scrubjay.observe.inspecting import inspect
from scrubjay.observe.key_report import KeyReport
from scrubjay.observe.roster import Roster, store_of
from scrubjay.observe.watch import Watch
from scrubjay.types import CacheEvictionStrategy
from scrubjay.web.board import Board
from scrubjay.web.nodes import Nodes
from scrubjay.web.told import AdviceReport, Detail, Round, Row

_ROUNDS = 20  # of optimization told


class Local:
    """What this process tells of its caches.

    Args:
        process: how people tell it from others.
    """

    def __init__(self, process: str) -> None:
        self.process = process
        self.node = f"n{secrets.token_hex(8)}"
        self.nodes = Nodes(self._boards)
        self._roster = Roster()
        self._wanted: Counter[str] = Counter()
        self._watches: dict[str, Watch] = {}
        self._advised: weakref.WeakSet[Any] = weakref.WeakSet()  # that gather because of us

    def add(self, cache: Any) -> str:
        """Let a cache be looked at; return its label."""
        label = self._roster.add(cache, self._begin)
        self._wanted[label] += 1
        return label

    def remove(self, cache: Any) -> None:
        """Take one `add` back; after the last the cache is looked at no more."""
        store = store_of(cache)
        label = self._roster.label(store)
        if label is None:
            return
        self._wanted[label] -= 1
        if self._wanted[label] > 0:
            return
        self._roster.remove(store)
        if store in self._advised:
            self._advised.discard(store)
            store.advise(gather=False)

    def __len__(self) -> int:
        return len(self._roster)

    def _begin(self, store: Any, label: str) -> Any:
        watch = Watch(store)
        self._watches[label] = watch

        def end() -> None:
            watch.end()
            self._wanted.pop(label, None)
            if self._watches.get(label) is watch:
                del self._watches[label]

        return end

    def _boards(self) -> Iterator[tuple[str, Board]]:
        for label, store in self._roster.items():
            board = store.node_board()
            if board is not None:
                yield label, board

    def label(self, store: Any) -> str | None:
        """Return the label of a cache; None if it may not be looked at."""
        return self._roster.label(store)

    def overview(self) -> list[Row]:
        """Return a row for each cache."""
        return [self.row(label, store) for label, store in self._roster.items()]

    def row(self, label: str, store: Any) -> Row:
        """Return the row of one cache."""
        numbers = store.statistics
        lower = store.lower_tiers("memory")
        hits = {"memory": store.requests - store.misses}
        hits.update({name: group["hits"] for name, group in lower.items()})
        return {
            "id": f"{os.getpid()}/{label}",
            "name": label,
            "process": self.process,
            "requests": numbers.total_requests,
            "hits": numbers.cache_hits,
            "tiers": hits,
            "entries": store.count,
            "bytes": numbers.memory_usage_bytes,
            "limit_bytes": store.max_size_bytes,
            "limit_entries": store.max_entries,
            "removals": numbers.removals_by_cause,
            "loads": numbers.loads,
            "load_errors": numbers.load_errors,
            "load_seconds": numbers.load_seconds,
            "p50_ms": numbers.p50_latency_ms,
            "p99_ms": numbers.p99_latency_ms,
            "p999_ms": numbers.p999_latency_ms,
            "prefetch_used": numbers.prefetch_hits,
            "prefetch_wasted": numbers.prefetch_misses,
            "conflicts": numbers.consistency_conflicts,
            "ok": all(group["state"] == "ok" for group in lower.values()),
            "node": self.node,
            "at": time.time(),
            "silent": 0.0,
        }

    def detail(self, label: str, gather: bool = True) -> Detail | None:
        """Return all about one cache, or None if it is gone.

        Args:
            label: of the cache.
            gather: whether evidence for advice is gathered from now on.
        """
        store, watch = self._roster.get(label), self._watches.get(label)
        if store is None or watch is None:
            return None
        explanation = store.explain()
        return {
            "id": f"{os.getpid()}/{label}",
            "statistics": store.get_detailed_statistics(),
            "explanation": {
                "reason": explanation.reason,
                "way": explanation.way,
                "alternatives": explanation.alternatives,
                "changes": explanation.changes,
            },
            "rounds": [_round(each) for each in store.optimization_history[-_ROUNDS:]],
            "advice": self._advice(store) if gather or store.gathers_advice else None,
            "slowest": watch.slowest(),
            "recent": watch.recent(),
        }

    def _advice(self, store: Any) -> AdviceReport | None:
        """Return what more memory would gain; looking begins to gather the evidence."""
        if store.eviction_strategy is not CacheEvictionStrategy.ADAPTIVE:
            return None
        if not store.gathers_advice:
            self._advised.add(store)
        advice = store.advise()
        return {
            "reason": advice.reason,
            "in_bytes": advice.in_bytes,
            "steps": [
                {
                    "factor": step.factor,
                    "memory": step.memory,
                    "miss_ratio": 1.0 - step.hit_ratio,
                    "bound": step.bound,
                    "hits": step.hits,
                }
                for step in advice.steps
            ],
        }

    def inspect(self, label: str, text: str) -> KeyReport | None:
        """Return what is known of a key, or None if the cache is gone."""
        store = self._roster.get(label)
        return None if store is None else inspect(text, store.explain_key)


def _round(note: dict[str, Any]) -> Round:
    """Return what one round of optimization is worth showing of."""
    return {
        "timestamp": note["timestamp"],
        "hit_rate": note["performance"]["hit_rate"],
        "way": note["policy"].get("way"),
        "changed": note["changed"],
    }


def _program() -> str:
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else ""
    return f"{name or 'python'} ({os.getpid()})"


class _Process:
    """What this process lets be looked at; a forked child begins with nothing."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.local = Local(_program())

    def forked(self) -> None:
        """Begin anew in a child: what its parent announced, the parent announces."""
        self.__init__()  # type: ignore[misc]


process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=process.forked)
