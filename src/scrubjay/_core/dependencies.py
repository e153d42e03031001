"""The steps along tags and dependencies: what goes with an entry, and what is tied to it.

See `scrubjay._core.ledger` for what a step is, and `docs/decisions/0005-fences-and-dependencies.md`
for what goes when.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrubjay._core.constants import DEPENDENCY, NONE, TAG
from scrubjay._core.eviction import Eviction
from scrubjay._core.section import indivisible


class Dependencies(Eviction):
    """Taking out what carries a tag or depends on what goes, and knowing what does.

    The arguments are those of `Ledger`.
    """

    def remove_with_dependents(
        self,
        slot: int,
        node: Any,
        nodes: int,
        cause: int,
        garbage: list[Any],
        flight: Any,
        claims: int,
        stamp: int,
    ) -> int:
        """Take `slot` (unless -1) and all that depends on `node` (unless None) out.

        The arguments are those of `commit`. False if anything has changed since.
        """
        if self.stamp != stamp or self.flights.stamp != claims:
            return False
        if self.graph is not None and self.graph.nodes.stamp != nodes:
            return False
        if flight is not None:
            flight.void = True
        paused = self.pause()
        if slot != NONE:
            self.collect_garbage((slot,), cause, garbage)
        if node is not None and self.graph is not None:
            self.remove_dependents((node,), garbage)
        self.resume(paused)
        return True

    def remove_tagged(self, tags: Iterable[str], garbage: list[Any]) -> int:
        """Take out what carries one of the tags, and all that depends on it."""
        paused = self.pause()
        roots: list[Any] = []
        for flight in self.flights.values():
            if flight.terms.tags & tags:
                flight.void = True
                roots.extend(flight.pinned[:1])
        if self.labels is not None:
            slots = self.labels.carriers(tags)
            roots.extend(self.nodes_of(slots))
            self.collect_garbage(slots, TAG, garbage)
        if roots:
            self.remove_dependents(roots, garbage)
        self.resume(paused)
        return 0

    def remove_dependents(self, roots: Iterable[Any], garbage: list[Any]) -> int:
        """Take out what depends on the nodes, and void what is being loaded from them.

        Part of a step: a load that began before it is void, one that begins after it
        reads what is there after it.
        """
        found = self.graph.closure(roots)  # type: ignore[union-attr]
        slots = [node.slot for node in found if node.slot != NONE]
        for node in found:
            if node.flight is not None:
                node.flight.void = True
        self.collect_garbage(slots, DEPENDENCY, garbage)
        return 0

    def nodes_of(self, slots: Iterable[int]) -> list[Any]:
        """Return the nodes of those entries that have one. Part of a step."""
        roots: list[Any] = []
        if self.graph is not None:
            for slot in slots:
                node = self.graph.node_of(slot)
                if node is not None:
                    roots.append(node)
        return roots

    def bind(self, slot: int, node: Any, stamp: int) -> int:
        """Tie the entry in `slot` to its node unless the table has changed."""
        if self.stamp != stamp or self.graph is None:
            return False
        paused = self.pause()
        self.graph.bind(slot, node)
        self.resume(paused)
        return True

    def link(self, node: Any, needs: Any) -> int:
        """Let `node` depend on these nodes as well as on those it does."""
        paused = self.pause()
        if self.graph is not None:
            self.graph.set_needs(node, (*node.needs, *needs))
        self.resume(paused)
        return 0

    def dependents(self, node: Any) -> list[Any]:
        """Return the nodes that depend on `node`."""
        if self.graph is None:
            return []
        paused = self.pause()
        found = self.graph.closure((node,))
        self.resume(paused)
        return list(found)

    def tagged_dependents(self, tags: Iterable[str]) -> list[Any]:
        """Return the nodes that depend on an entry with one of the tags."""
        if self.graph is None or self.labels is None:
            return []
        paused = self.pause()
        found = self.graph.closure(self.nodes_of(self.labels.carriers(tags)))
        self.resume(paused)
        return list(found)


indivisible(
    Dependencies,
    "bind",
    "dependents",
    "link",
    "remove_tagged",
    "remove_with_dependents",
    "tagged_dependents",
)
