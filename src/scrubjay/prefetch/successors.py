"""What has followed each key lately: up to ten keys, each with how often it did.

An entry is one number: the mark of the follower, its count, and how many accesses it came
later. A follower that is new takes the place of the one that came least often, once that has
been worn down. All counts of a key are halved when it was asked for often, so that what is
true today outweighs what was true. 80 bytes a key, and one for how often it was asked.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay.prefetch.constants import FULL
from scrubjay.prefetch.scene import Scene

WIDTH = 16  # followers of a key
CONFIDENCE = array("B", [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7])  # of sixteenths
EXPERIENCE = array("B", [0, 0, 1, 2, 2, 3, 3, 3, 3]) + array("B", [4]) * (FULL - 8)


class Successors:
    """Followers by slot."""

    def __init__(self) -> None:
        self.slots = 0
        self.entries = array("Q")
        self.asked = array("B")

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.entries = resized("Q", self.entries, WIDTH * slots, 0)
        self.asked = resized("B", self.asked, slots, 0)
        self.slots = slots
        return 0

    def forget(self, slot: int) -> None:
        """Begin anew with a slot that another key has taken."""
        self.asked[slot] = 0
        for place in range(WIDTH * slot, WIDTH * slot + WIDTH):
            self.entries[place] = 0

    def parts(self, name: str) -> dict[str, Any]:
        """Return the tables, by name."""
        return {name + ".entries": self.entries, name + ".asked": self.asked}

    def ask(self, slot: int) -> None:
        """Count an access, that others may follow."""
        asked = self.asked[slot] + 1
        if asked >= FULL:
            asked //= 2
            for place in range(WIDTH * slot, WIDTH * slot + WIDTH):
                entry = self.entries[place]
                count = (entry >> 8) & 255
                if count <= 1:
                    self.entries[place] = 0
                else:
                    self.entries[place] = entry - ((count - count // 2) << 8)
        self.asked[slot] = asked

    def follow(self, slot: int, mark: int, distance: int) -> None:
        """Count that a key came so many accesses after the one in `slot`."""
        least = WIDTH * slot
        fewest = 256
        for place in range(WIDTH * slot, WIDTH * slot + WIDTH):
            entry = self.entries[place]
            if entry >> 16 == mark:
                if (entry >> 8) & 255 < FULL:
                    entry += 256
                self.entries[place] = (entry & ~255) | distance
                return
            count = (entry >> 8) & 255
            if count < fewest:
                fewest = count
                least = place
        if fewest <= 1:
            self.entries[least] = mark << 16 | 256 | distance
        else:
            self.entries[least] -= 256

    def propose(self, scene: Scene, slot: int, base: int) -> None:
        """Guess all that has followed a key; the bands begin at class `base`."""
        asked = self.asked[slot]
        if asked == 0:
            return
        experience = EXPERIENCE[asked]
        for place in range(WIDTH * slot, WIDTH * slot + WIDTH):
            entry = self.entries[place]
            if entry == 0:
                continue
            follower = scene.keys.valid(entry >> 16)
            if follower < 0:
                self.entries[place] = 0
                continue
            confidence = ((entry >> 8) & 255) * 16 // asked
            confidence = min(confidence, 16)
            band = 10 * CONFIDENCE[confidence] + 2 * experience
            scene.guess(follower, base + band + (1 if entry & 255 > 1 else 0))
