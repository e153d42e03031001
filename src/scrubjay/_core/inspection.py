"""Looking at entries and at the store itself, without counting as a use of it."""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import COUNT, EMPTY, NONE, PER_SECOND
from scrubjay._core.steps import Steps
from scrubjay._core.terms import Terms


class Inspection(Steps):
    """What a store tells."""

    def contains(self, key: Any) -> bool:
        """Tell whether `key` is there, without counting as a use of it."""
        return self.peek(key, EMPTY) is not EMPTY

    def peek(self, key: Any, default: Any = None) -> Any:
        """Return the value of `key` without counting as a use of it."""
        facts = self.facts(key)
        return default if facts is None else facts["value"]

    def facts(self, key: Any) -> dict[str, Any] | None:
        """Return all that is known of a live entry, or None. Not a use of it."""
        return self.facts_at(key, self.now())

    def stale(self, key: Any) -> dict[str, Any] | None:
        """Return all that is known of an entry, even if it has expired, or None."""
        return self.facts_at(key, float("-inf"))

    def facts_at(self, key: Any, now: float) -> dict[str, Any] | None:
        """Return all that is known of an entry which lives at some time, or None."""
        h = self.spread(key)
        while True:
            stamp = self.stamp
            slot = self.find(key, h)
            if slot == NONE:
                return None
            found = self.row(slot, now)
            if self.stamp == stamp:
                return found

    def row(self, slot: int, now: float) -> dict[str, Any] | None:
        """Return what is known of the live entry in `slot`, or None."""
        if slot >= self.used or self.cell(2 * slot) is EMPTY:
            return None
        key = self.cell(2 * slot)  # what allocates below may let finalizers in
        value = self.cell(2 * slot + 1)
        columns = self.columns
        if columns.has_deadline and columns.deadline[slot] <= now:
            return None
        expires = columns.has_deadline
        node = None if self.graph is None else self.graph.node_of(slot)
        return {
            "key": key,
            "value": value,
            "created": self.origin + columns.created[slot] / PER_SECOND,
            "accessed": self.origin + columns.accessed[slot] / PER_SECOND,
            "hits": columns.hits[slot] & COUNT,
            "size": columns.size[slot] if columns.has_size else None,
            "ttl": columns.span[slot] if expires and columns.span[slot] >= 0.0 else None,
            "idle": columns.idle[slot] if columns.has_idle and columns.idle[slot] > 0.0 else None,
            "deadline": columns.deadline[slot] if expires else float("inf"),
            "hard": self.hard_deadline(slot),
            "priority": columns.priority[slot] if columns.has_priority else 1.0,
            "cost": columns.cost[slot] if columns.has_cost else 0.0,
            "version": columns.version[slot] if columns.has_version else 0,
            "tags": frozenset() if self.labels is None else self.labels.of(slot),
            "dependencies": [] if node is None else [other.key for other in node.needs],
        }

    def hard_deadline(self, slot: int) -> float:
        """Return when the entry in `slot` expires however often it is read, or infinity."""
        columns = self.columns
        if columns.has_idle and columns.idle[slot] > 0.0:
            return columns.hard[slot]
        return columns.deadline[slot] if columns.has_deadline else float("inf")

    def item_at(self, slot: int, now: float) -> tuple[Any, Any] | None:
        """Return key and value of the live entry in `slot`, or None."""
        stamp = self.stamp
        if slot >= self.used:
            return None
        key = self.cell(2 * slot)
        value = self.cell(2 * slot + 1)
        columns = self.columns
        if key is EMPTY or (columns.has_deadline and columns.deadline[slot] <= now):
            return None
        return (key, value) if self.stamp == stamp else None

    def keep_versions(self) -> None:
        """Give every entry, from now on, the number of the write that stored it."""
        self.provide(Terms(), True)

    def removals(self) -> list[int]:
        """Return how many entries went, by cause."""
        return list(self.removed)

    def next_expiry(self) -> float:
        """Return when to look for expired entries next, in monotonic seconds, or infinity."""
        if self.wheel is None or self.wheel.count == 0:
            return float("inf")
        return self.wheel.next_turn()

    def dependency_graph(self) -> Any:
        """Return the dependency graph, or None before the first dependency."""
        return self.graph

    def describe_policy(self) -> dict[str, Any]:
        """Return what the policy does at present."""
        return self.policy.describe()

    def now_seconds(self) -> float:
        """Return the monotonic time in seconds."""
        return self.now()

    def prepared_graph(self, terms: Terms) -> Any:
        """Return the dependency graph, made if it is not there yet."""
        self.provide(terms, False)
        graph: Any = self.graph
        return graph

    def nodes_depending_on_tags(self, tags: frozenset[str]) -> list[Any]:
        """Return the nodes that depend on an entry with one of the tags."""
        return self.tagged_dependents(tags)

    def nodes_depending_on(self, node: Any) -> list[Any]:
        """Return the nodes that depend on a node."""
        return self.dependents(node)
