"""LFU with dynamic ageing: give up what was used least often, lately.

An entry's rank is its number of uses plus the age of the cache when it was last used; the
age is the rank of the last victim. What was popular once and is not any more is therefore
overtaken. Ranks lie within `MOST` of the age, so a ring of lists holds them all and every
operation is O(1).

M. Arlitt, L. Cherkasova, J. Dilley, R. Friedrich and T. Jin, "Evaluating Content
Management Techniques for Web Proxy Caches" (2000): LFU-DA.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay._core.links import Links
from scrubjay._core.policy import Policy

MOST = 255  # uses that count
RING = 256  # lists, one per rank from age to age + MOST


class LFU(Policy):
    """Least frequently used, ties to the least recently used."""

    def __init__(self) -> None:
        Policy.__init__(self)
        self.rings = Links(RING)
        self.key = array("I")
        self.uses = array("H")
        self.age = 0
        self.eager = True

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.rings.grow(slots)
        self.key = resized("I", self.key, slots, 0)
        self.uses = resized("H", self.uses, slots, 0)
        return 0

    def place(self, slot: int) -> None:
        """Enter the entry at the recent end of its rank."""
        key = self.age + self.uses[slot]
        self.key[slot] = key
        self.rings.append(key % RING, slot)

    def insert(self, slot: int) -> None:
        """A new entry has no use yet."""
        self.uses[slot] = 0
        self.place(slot)

    def restore(self, slot: int, uses: int) -> None:
        """Enter the entry at the old end of the rank that its uses give it."""
        if uses > MOST:
            uses = MOST
        self.uses[slot] = uses
        key = self.age + self.uses[slot]
        self.key[slot] = key
        self.rings.prepend(key % RING, slot)

    def hit(self, slot: int) -> None:
        """One more use, counted from the present age."""
        self.rings.unlink(self.key[slot] % RING, slot)
        uses = self.uses[slot] + 1
        if uses > MOST:
            uses = MOST
        self.uses[slot] = uses
        self.place(slot)

    def remove(self, slot: int) -> None:
        """Forget the entry."""
        self.rings.unlink(self.key[slot] % RING, slot)

    def victim(self) -> int:
        """Return the entry of the lowest rank and raise the age to it."""
        for _ in range(RING):
            slot = self.rings.head[self.age % RING]
            if slot != NONE:
                return slot
            self.age += 1
        return NONE

    def victim_but(self, keep: int) -> int:
        """Return the victim among all entries but `keep`, whose uses still count."""
        self.rings.unlink(self.key[keep] % RING, keep)
        slot = self.victim()
        self.place(keep)
        return slot

    def rank(self, found: Any) -> bool:
        """The lowest rank first."""
        for step in range(RING):
            self.rings.collect((self.age + step) % RING, found)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.rings.clear()
        self.age = 0
