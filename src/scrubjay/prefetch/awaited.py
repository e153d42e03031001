"""Guesses that are followed up: the class of each, when it was made, and a ring of them by age."""

from __future__ import annotations

from array import array

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay.prefetch.calibration import Calibration
from scrubjay.prefetch.constants import AWAITED, OVERDUE
from scrubjay.prefetch.keys import Keys

RING = 1 << 15  # guesses awaited at a time


class Awaited:
    """The last guess of each key.

    Args:
        keys: the keys.
        calibration: what is told whether guesses came true.
    """

    def __init__(self, keys: Keys, calibration: Calibration) -> None:
        self.keys = keys
        self.calibration = calibration
        self.kind = array("H")
        self.since = array("I")
        self.first_kind = array("H")  # of the earliest guess, which looked farthest ahead
        self.first_since = array("I")
        self.ring = array("Q", bytes(8 * RING))
        self.first = 0
        self.last = 0
        self.lag = 0.0  # accesses that pass while a key is fetched

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.kind = resized("H", self.kind, slots, 0)
        self.since = resized("I", self.since, slots, 0)
        self.first_kind = resized("H", self.first_kind, slots, 0)
        self.first_since = resized("I", self.first_since, slots, 0)
        return 0

    def is_full(self) -> bool:
        """Tell whether no guess can be followed up beside those that are."""
        return self.last - self.first >= RING

    def remember(self, slot: int, kind: int) -> None:
        """Follow a guess up, in place of the last one of the same key."""
        keys = self.keys
        began = keys.now & 0xFFFFFFF
        self.ring[self.last & (RING - 1)] = keys.mark(slot) << 28 | began
        self.last += 1
        state = keys.state[slot]
        if not state & AWAITED:
            self.first_kind[slot] = kind
            self.first_since[slot] = began
        keys.state[slot] = (state & ~OVERDUE) | AWAITED
        self.kind[slot] = kind
        self.since[slot] = began

    def age(self, slot: int) -> int:
        """Return how many accesses ago the last guess of a key was made, or fetched."""
        return (self.keys.now - self.since[slot]) & 0xFFFFFFF

    def part(self, age: int) -> float:
        """Return how much of a load is saved if it began so many accesses ago."""
        if age >= self.lag:
            return 1.0
        return age / self.lag

    def judge_first(self, slot: int, right: bool) -> None:
        """Note what became of the earliest guess of a key, if a later one took its place.

        While a load takes time, the later one may have been right and yet too late.
        """
        kind = self.first_kind[slot]
        if self.lag < 0.5 or kind == self.kind[slot]:
            return
        age = (self.keys.now - self.first_since[slot]) & 0xFFFFFFF
        self.calibration.judge(kind, self.part(age) if right else 0.0)

    def expire(self, limit: int) -> None:
        """Count guesses made more than so many accesses ago as wrong."""
        keys = self.keys
        while self.first != self.last:
            entry = self.ring[self.first & (RING - 1)]
            began = entry & 0xFFFFFFF
            if (keys.now - began) & 0xFFFFFFF <= limit:
                return
            self.first += 1
            slot = keys.valid(entry >> 28)
            if slot != NONE and keys.state[slot] & AWAITED and self.since[slot] == began:
                keys.state[slot] = (keys.state[slot] & ~AWAITED) | OVERDUE
                self.calibration.judge(self.kind[slot], 0.0)
                self.judge_first(slot, False)
