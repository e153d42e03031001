"""Dependencies: what must go when a key changes.

A node stands for a key, cached or not: an entry may depend on a key that nobody has
stored yet, and what depends on an evicted entry still depends on what that entry was made
from. Nodes are compared by identity, so that walking the graph runs no user code; keys
are compared only when a node is looked up (`find`, `pin`) or dropped (`unpin`,
`forget_idle`), before or after a change. The other methods are steps or parts of steps.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from scrubjay._core.claims import Claims
from scrubjay._core.constants import NONE
from scrubjay._core.section import indivisible


class Node:
    """A key that depends on others or that others depend on."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.slot = NONE
        self.stored = False  # it was cached at least once since the node exists
        self.gone = False  # taken out of the graph; another stands for the key
        self.flight: Any = None  # the load under way for the key, if it has dependencies
        self.pins = 0  # operations under way that hold the node
        self.needs: set[Node] = set()
        self.dependents: set[Node] = set()


class Graph:
    """The dependency graph of one store."""

    def __init__(self) -> None:
        self.nodes = Claims()
        self.of_slot: dict[int, Node] = {}
        self.idle: list[Node] = []

    def reset(self) -> None:
        """Forget everything after a torn step."""
        self.nodes = Claims()
        self.of_slot = {}
        self.idle = []

    # Looking up and letting go: these run the keys' `__eq__`

    def find(self, key: Any) -> Node | None:
        """Return the node of `key` if there is one."""
        node: Node | None = self.nodes.get(key)
        return node

    def pin(self, keys: Iterable[Any]) -> list[Node]:
        """Return the nodes of `keys`, made if need be, to be unpinned later."""
        pinned: list[Node] = []
        try:
            for key in keys:
                while True:
                    node = self.nodes.claim(key, Node(key))
                    if self.hold(node):
                        break
                    # Whoever took it out has yet to release it, and may be waiting for us.
                    self.nodes.release(key, node)
                pinned.append(node)
        except BaseException:
            self.unpin(pinned)
            raise
        return pinned

    def unpin(self, nodes: list[Node]) -> None:
        """Let nodes go that an operation no longer holds."""
        self.let_go(nodes)
        self.forget_idle()

    def forget_idle(self) -> None:
        """Drop nodes that no cached entry needs."""
        while self.idle:
            for node in self.useless():
                self.nodes.release(node.key, node)

    # Steps

    def hold(self, node: Node) -> int:
        """Keep a node while an operation needs it; False if it is gone already."""
        if node.gone:
            return False
        node.pins += 1
        return True

    def let_go(self, nodes: list[Node]) -> int:
        """Keep nodes no longer."""
        for node in nodes:
            node.pins -= 1
            self.idle.append(node)
        return 0

    def useless(self) -> list[Node]:
        """Take those idle nodes out of the graph that serve nobody, and return them."""
        collecting = gc.isenabled()
        gc.disable()
        gone: list[Node] = []
        while self.idle:
            node = self.idle.pop()
            if node.gone or self.serves(node):
                continue
            node.gone = True
            for need in node.needs:
                need.dependents.discard(node)
                self.idle.append(need)
            for dependent in node.dependents:  # as useless: they may form a circle
                dependent.needs.discard(node)
                self.idle.append(dependent)
            node.needs = set()
            node.dependents = set()
            if node.slot != NONE:
                self.of_slot.pop(node.slot, None)
                node.slot = NONE
            gone.append(node)
        if collecting:
            gc.enable()
        return gone

    # Parts of steps

    def serves(self, node: Node) -> bool:
        """Tell whether a node is held, cached with edges, or has a cached dependent."""
        if node.pins > 0 or (node.slot != NONE and (node.needs or node.dependents)):
            return True
        seen = {node}
        stack = [node]
        while stack:
            top = stack.pop()
            for other in top.dependents:
                if other.slot != NONE or other.pins > 0:
                    return True
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        return False

    def bind(self, slot: int, node: Node) -> int:
        """The entry in `slot` is `node`."""
        self.leave(slot)
        if node.slot != NONE:
            self.of_slot.pop(node.slot, None)
        self.of_slot[slot] = node
        node.slot = slot
        node.stored = True
        return 0

    def set_needs(self, node: Node, needs: Iterable[Node]) -> int:
        """Let `node` depend on exactly these nodes, itself left out."""
        wanted = set(needs)
        wanted.discard(node)
        for gone in node.needs:
            if gone not in wanted:
                gone.dependents.discard(node)
                self.idle.append(gone)
        for need in wanted:
            need.dependents.add(node)
        node.needs = wanted
        return 0

    def leave(self, slot: int) -> int:
        """The entry in `slot` is going; its edges stay while others need them."""
        node = self.of_slot.pop(slot, None)
        if node is not None:
            node.slot = NONE
            self.idle.append(node)
        return 0

    def node_of(self, slot: int) -> Node | None:
        """Return the node of the entry in `slot`, if it has one."""
        return self.of_slot.get(slot)

    def is_needed(self, slot: int) -> bool:
        """Tell whether anything depends on the entry in `slot`."""
        node = self.of_slot.get(slot)
        return node is not None and len(node.dependents) > 0

    def closure(self, roots: Iterable[Node]) -> list[Node]:
        """Return what depends on the roots, directly or not, the roots left out."""
        stack = list(roots)
        seen = set(stack)
        found: list[Node] = []
        while stack:
            top = stack.pop()
            for node in top.dependents:
                if node not in seen:
                    seen.add(node)
                    found.append(node)
                    stack.append(node)
        return found

    def clear(self) -> int:
        """Forget every entry; operations under way keep what they hold."""
        for node in self.of_slot.values():
            node.slot = NONE
            self.idle.append(node)
        self.of_slot.clear()
        return 0


indivisible(Graph, "hold", "let_go", "useless")
