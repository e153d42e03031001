"""A strategy that a user wrote in Python, safely connected to the store.

The store must not run user code while it changes, and several threads may change it in
turn. What happens is therefore noted, and told to the strategy in that order, by one
thread at a time, once the change is complete. If the strategy is busy in another thread
when a victim is needed, or names none, the oldest entry goes.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

from scrubjay._core.columns import Columns, resized
from scrubjay._core.constants import NONE
from scrubjay._core.links import Links
from scrubjay._core.policy import Policy
from scrubjay.errors import InvalidArgumentError

INSERTED = 0
HIT = 1
REMOVED = 2


class Metadata:
    """What a strategy may know about an entry, by its slot number."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def check(self, slot: int) -> Columns:
        """Return the columns if they have a row `slot`."""
        if not 0 <= slot < self.policy.columns.slots:
            raise InvalidArgumentError(f"slot: there is no slot {slot}")
        return self.policy.columns

    def hits(self, slot: int) -> int:
        """Return how often the entry was read."""
        self.check(slot)
        return self.policy.columns.hits[slot]

    def size(self, slot: int) -> int:
        """Return the entry's size in bytes; 0 in a cache without a byte bound."""
        self.check(slot)
        return self.policy.columns.size[slot] if self.policy.columns.has_size else 0

    def priority(self, slot: int) -> float:
        """Return the entry's priority."""
        self.check(slot)
        return self.policy.columns.priority[slot] if self.policy.columns.has_priority else 1.0

    def cost(self, slot: int) -> float:
        """Return the entry's cost as given; 0.0 where none was."""
        self.check(slot)
        return self.policy.columns.cost[slot] if self.policy.columns.has_cost else 0.0

    def deadline(self, slot: int) -> float:
        """Return when the entry expires on the monotonic clock in seconds, or infinity."""
        self.check(slot)
        if not self.policy.columns.has_deadline:
            return float("inf")
        return self.policy.columns.deadline[slot]


class Custom(Policy):
    """Carries events to a user's strategy and its choice back.

    Args:
        factory: called with the `Metadata`; returns the strategy, an object with the
            methods ``on_insert(slot)``, ``on_hit(slot)``, ``on_remove(slot)`` and
            ``victim()``, which returns a slot.
    """

    def __init__(self, factory: Callable[[Metadata], Any]) -> None:
        Policy.__init__(self)
        self.factory = factory
        self.order = Links(1)
        self.present = array("B")
        self.events: deque[int] = deque()
        self.turn = Lock()  # never waited for: who does not get it goes on
        self.choice = NONE
        self.eager = True
        self.chosen = factory(Metadata(self))
        for name in ("on_insert", "on_hit", "on_remove", "victim"):
            if not callable(getattr(self.chosen, name, None)):
                raise InvalidArgumentError(
                    f"eviction_strategy: {type(self.chosen).__name__} has no method {name}"
                )

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.order.grow(slots)
        self.present = resized("B", self.present, slots, 0)
        return 0

    def insert(self, slot: int) -> None:
        """Note the insertion."""
        self.order.append(0, slot)
        self.present[slot] = 1
        self.events.append(slot * 4 + INSERTED)

    def hit(self, slot: int) -> None:
        """Note the hit."""
        self.events.append(slot * 4 + HIT)

    def remove(self, slot: int) -> None:
        """Note the removal."""
        self.order.unlink(0, slot)
        self.present[slot] = 0
        self.events.append(slot * 4 + REMOVED)

    def victim(self) -> int:
        """Return the strategy's choice if it is there, else the oldest entry."""
        choice = self.choice
        self.choice = NONE
        if 0 <= choice < self.columns.slots and self.present[choice]:
            return choice
        return self.order.head[0]

    def victim_but(self, keep: int) -> int:
        """Return the strategy's choice unless that is `keep`, else the oldest other entry."""
        slot = self.victim()
        if slot == keep:
            slot = self.order.head[0]
        if slot == keep:
            slot = self.order.link[2 * keep + 1]
        return slot

    def clear(self) -> None:
        """Note that every entry is gone."""
        for slot in range(self.columns.slots):
            if self.present[slot]:
                self.present[slot] = 0
                self.events.append(slot * 4 + REMOVED)
        self.order.clear()

    def settle(self) -> int:
        """Tell the strategy what has happened, in order."""
        if not self.turn.acquire(False):
            return 0
        try:
            while self.events:
                event = self.events.popleft()
                if event % 4 == INSERTED:
                    self.chosen.on_insert(event // 4)
                elif event % 4 == HIT:
                    self.chosen.on_hit(event // 4)
                else:
                    self.chosen.on_remove(event // 4)
        finally:
            self.turn.release()
        return 0

    def prepare(self) -> int:
        """Ask the strategy for the next victim."""
        self.settle()
        if not self.turn.acquire(False):
            return 0
        try:
            choice = self.chosen.victim()
            if isinstance(choice, int) and 0 <= choice < self.columns.slots:
                self.choice = choice
        finally:
            self.turn.release()
        return 0

    def describe(self) -> dict[str, Any]:
        """Return what the strategy says of itself, if anything."""
        describe = getattr(self.chosen, "describe", None)
        return dict(describe()) if callable(describe) else {}
