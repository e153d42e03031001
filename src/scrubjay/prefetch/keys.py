"""The keys that are followed, each in a slot, up to a bound.

A slot is a row number in typed arrays. When all are taken, a hand goes round and takes the
next one that was not asked for again since it last came by (F. Corbato, "A Paging Experiment
with the Multics System", 1968). Keys are told apart by 62 bits of their hashes alone: no
``__eq__`` is ever called, and two keys that share them cost a wrong guess.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay.prefetch.constants import FLYING, SEEN, UNUSED

FIRST_SLOTS = 256
GAPS = 8.0  # requests over which the time between them is averaged
ROUNDS = 64  # slots that the hand passes at most before it takes one regardless


class Keys:
    """A table of keys with what is known of each.

    Args:
        most: keys at most.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.slots = 0
        self.used = 0
        self.hand = 0
        self.mask = 0
        self.now = 0  # accesses so far
        self.index = array("i")  # slot by hash, linear probing
        self.hashes = array("Q")
        self.state = array("I")
        self.age = array("B")  # how often the slot was taken, modulo 256
        self.left = array("I")  # when it was evicted
        self.asked = array("I")  # when it was asked for last; 0 for never
        self.gap = array("f")  # accesses from one request to the next, on average; 0 if unknown
        self.objects: list[Any] = []
        self.grow(min(FIRST_SLOTS, most))

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.hashes = resized("Q", self.hashes, slots, 0)
        self.state = resized("I", self.state, slots, 0)
        self.age = resized("B", self.age, slots, 0)
        self.left = resized("I", self.left, slots, 0)
        self.asked = resized("I", self.asked, slots, 0)
        self.gap = resized("f", self.gap, slots, 0.0)
        self.objects.extend([None] * (slots - self.slots))
        self.slots = slots
        length = 8
        while length < 2 * slots:
            length *= 2
        self.mask = length - 1
        self.index = array("i", [NONE]) * length
        for slot in range(self.used):
            self.enter(slot)
        return 0

    def spread(self, key: Hashable) -> int:
        """Return 62 bits that depend on all of the key's hash."""
        h = hash(key)
        wide = (h & 0x7FFFFFFF) * 0x2C1B3C6D
        wide = wide ^ (((h >> 31) & 0x7FFFFFFF) * 0x1E3779B1)
        return wide ^ (wide >> 29)

    def find(self, wide: int) -> int:
        """Return the slot of the key with this spread hash, or NONE."""
        place = (wide >> 29) & self.mask
        while True:
            slot = self.index[place]
            if slot == NONE or self.hashes[slot] == wide:
                return slot
            place = (place + 1) & self.mask

    def enter(self, slot: int) -> None:
        """Let `find` know a slot."""
        place = (self.hashes[slot] >> 29) & self.mask
        while self.index[place] != NONE:
            place = (place + 1) & self.mask
        self.index[place] = slot

    def withdraw(self, slot: int) -> None:
        """Let `find` know a slot no longer; those after it close up."""
        place = (self.hashes[slot] >> 29) & self.mask
        while self.index[place] != slot:
            place = (place + 1) & self.mask
        hole = place
        while True:
            place = (place + 1) & self.mask
            other = self.index[place]
            if other == NONE:
                break
            home = (self.hashes[other] >> 29) & self.mask
            if ((place - home) & self.mask) >= ((place - hole) & self.mask):
                self.index[hole] = other
                hole = place
        self.index[hole] = NONE

    def is_full(self) -> bool:
        """Tell whether a new key needs a slot that another has."""
        return self.used >= self.most

    def oldest(self) -> int:
        """Return the slot to take next: not one that is being fetched or waits to be used."""
        for _ in range(ROUNDS):
            slot = self.hand
            self.hand = slot + 1 if slot + 1 < self.used else 0
            state = self.state[slot]
            if state & SEEN:
                self.state[slot] = state & ~SEEN
            elif not state & (UNUSED | FLYING):
                return slot
        return self.hand

    def take(self, slot: int, wide: int, key: Hashable) -> int:
        """Give a slot to a key; whoever had it is to be withdrawn before."""
        self.hashes[slot] = wide
        self.state[slot] = 0
        self.asked[slot] = 0
        self.gap[slot] = 0.0
        self.age[slot] = (self.age[slot] + 1) & 255
        self.objects[slot] = key
        self.enter(slot)
        return 0

    def ask(self, slot: int) -> None:
        """Note that a key is asked for now."""
        if self.asked[slot]:
            gap = 1.0 * ((self.now - self.asked[slot]) & 0xFFFFFFF)
            if self.gap[slot] > 0.0:
                gap = self.gap[slot] + (gap - self.gap[slot]) / GAPS
            self.gap[slot] = gap
        self.asked[slot] = self.now & 0xFFFFFFF

    def chance(self, slot: int, wait: float) -> float:
        """Return how likely a key is asked for within a time, whatever came before."""
        gap = self.gap[slot]
        return wait / (wait + gap) if gap > 0.0 else 0.0

    def mark(self, slot: int) -> int:
        """Return slot and age in one number, which is void once the slot is taken anew."""
        return slot << 8 | self.age[slot]

    def valid(self, mark: int) -> int:
        """Return the slot of a mark, or NONE if it has been taken anew."""
        slot = mark >> 8
        return slot if self.age[slot] == (mark & 255) else NONE

    def adopt(self, keys: list[Any], known: list[bool], ages: Any) -> int:
        """Begin anew with these keys in these slots; where none is known, nothing is valid."""
        self.used = 0
        self.hand = 0
        length = self.slots
        while length < len(keys):
            length *= 2
        self.grow(min(self.most, length))
        for slot in range(len(keys)):
            wide = self.spread(keys[slot]) if known[slot] else 0
            if not known[slot] or self.find(wide) != NONE:
                # Its followers are those of a key that cannot come again.
                wide = self.spread((slot, "nobody"))
            self.hashes[slot] = wide
            self.state[slot] = 0
            self.asked[slot] = 0
            self.gap[slot] = 0.0
            self.age[slot] = ages[slot]
            self.objects[slot] = keys[slot]
            self.enter(slot)
            self.used = slot + 1
            if not known[slot]:
                self.age[slot] = (self.age[slot] + 1) & 255
        return 0
