"""What goes first of a chain of dependencies: its end.

Of a chain, as of the blocks of a prompt or of a page and what it was made from, whoever reads
an entry reads first what that depends on, and stops where something is missing. What is past
a gap is dead weight, so a chain must not lose its beginning before its end.

Whether it is such a chain is seen from how it was read: then what depends on an entry was
neither read later than that nor more often. Dependencies of other kinds show it by themselves,
and change nothing: a template that nobody reads is not spared for the pages made from it.
"""

from __future__ import annotations

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.constants import COUNT, NONE
from scrubjay._core.graph import Graph

LINKS = 256  # of a chain that are followed at most: bounds the time of one eviction
SIDES = 8  # dependents of one entry that are looked at
TOGETHER = 4  # what was left alone for all but a quarter of the time was read with the other


class Chains:
    """Tells what goes first of what depends on a victim.

    Args:
        live: the entries.
    """

    def __init__(self, live: Arrangement) -> None:
        self.live = live

    def end(self, slot: int, keep: int, graph: Graph) -> int:
        """Return the end of the chain that a victim begins, or the victim itself.

        Args:
            slot: the victim.
            keep: an entry that must not go, or -1.
            graph: of the dependencies.
        """
        node = graph.node_of(slot)
        age = self.live.outlook.age(slot)
        age -= age // TOGETHER
        for _ in range(LINKS):
            before = node
            looks = SIDES
            for dependent in before.dependents:  # type: ignore[union-attr]
                other = dependent.slot
                if other != NONE and other != keep and self.is_further(slot, other, age):
                    node = dependent
                    slot = other
                    break
                looks -= 1
                if looks == 0:
                    break
            if node is before:
                break
        return slot

    def is_further(self, slot: int, other: int, age: int) -> bool:
        """Tell whether an entry seems to be read whenever, and before, another is.

        Args:
            slot: the entry.
            other: what depends on it.
            age: the requests for which that must have been left alone.
        """
        outlook = self.live.outlook
        if outlook.counts[other] == 0 or self.live.was_read(other):
            return False  # it waits for its first request, or was read by itself
        hits = self.live.columns.hits
        if hits[other] & COUNT > hits[slot] & COUNT:
            return False
        further: bool = outlook.age(other) >= age
        return further
