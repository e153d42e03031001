"""Who was given up lately, and by which region: what a little more room would have kept.

A key asked for again soon after a region gave it up is a hit that the region would have
had, had it been larger by `depth` entries. Comparing two regions' counts of such keys
tells which of them room is worth more to.

A table of hashes, overwritten at random, samples the keys: one in eight where there are
many. About a byte a slot.

N. Megiddo and D. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache" (FAST 2003),
compares ghosts of two lists; equal depths make their counts comparable.
"""

from __future__ import annotations

from array import array

from scrubjay._core.constants import NONE


class Ghosts:
    """The last keys given up by each of two regions."""

    def __init__(self) -> None:
        self.table = array("q", bytes(8 * 64))
        self.mask = 63
        self.skip = 0  # bits of the hash that must be zero for a key to be in the sample
        self.depth = 8
        self.gone = array("q", [1, 1])  # entries given up by each region

    def grow(self, slots: int) -> int:
        """Make it fit for `slots` entries; begins anew."""
        self.skip = 7 if slots >= 8192 else 0
        length = 64
        while length < slots // (self.skip + 1):
            length *= 2
        self.table = array("q", bytes(8 * length))
        self.mask = length - 1
        self.depth = max(8, slots // 8)
        return 0

    def remember(self, h: int, region: int) -> None:
        """Note that a region (0 or 1) has given up the key with hash `h`."""
        self.gone[region] += 1
        if h & self.skip == 0:
            self.table[(h >> 3) & self.mask] = (
                ((self.gone[region] & 0x3FFFFFFF) << 32) | (h << 1) | region
            )

    def recall(self, h: int) -> int:
        """Return the region that gave the key up a little while ago, or -1; forgets it."""
        if h & self.skip != 0:
            return NONE
        ghost = self.table[(h >> 3) & self.mask]
        if ((ghost >> 1) & 0x7FFFFFFF) != h or ghost == 0:
            return NONE
        self.table[(h >> 3) & self.mask] = 0
        region = ghost & 1
        if (((self.gone[region] & 0x3FFFFFFF) - (ghost >> 32)) & 0x3FFFFFFF) > self.depth:
            return NONE
        return region
