"""A small cache without values, kept in one way, to see how often that would miss.

It is fed the keys of a sample, by their hashes, and has room for the same share of the
live cache's entries: its miss ratio is then close to what the live cache's would be
(C. Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations",
ATC 2017).
"""

from __future__ import annotations

from array import array

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.columns import Columns
from scrubjay._core.constants import NONE
from scrubjay._core.sketch import Sketch


class Simulation:
    """An arrangement with keys of its own.

    Args:
        sketch: common to all simulations, which is told elsewhere.
        way: the way in which entries are kept.
    """

    def __init__(self, sketch: Sketch, way: int) -> None:
        self.arrangement = Arrangement(sketch, False, way)
        self.slots = 0
        self.mask = 0
        self.hashes = array("I")
        self.first = array("i")  # of the slots with the same last bits of the hash
        self.after = array("i")  # the next of them; of an empty slot, the next empty one
        self.free = NONE
        self.bytes = 0

    def grow(self, slots: int, weighted: bool, sized: bool) -> int:
        """Make room for `slots` entries and begin anew.

        Args:
            slots: the number of entries.
            weighted: whether hits of them may be worth more or less.
            sized: whether they have sizes.
        """
        self.slots = slots
        length = 8
        while 2 * length < slots:
            length *= 2
        self.mask = length - 1
        self.hashes = array("I", bytes(4 * slots))
        self.first = array("i", [NONE]) * length
        self.after = array("i", [NONE]) * slots
        columns = Columns(has_times=False)
        columns.grow(slots)
        if weighted:
            columns.want_priority()  # which stands for all that a hit is worth
        if sized:
            columns.want_size()
        self.arrangement.attach(columns)
        self.arrangement.grow(slots, self.hashes)
        self.clear(slots)
        return 0

    def clear(self, room: int) -> None:
        """Forget the entries; there will be so many at most."""
        self.arrangement.clear()
        if self.arrangement.remembers:
            self.arrangement.ghosts.clear(room)
        self.bytes = 0
        self.free = NONE
        for slot in range(self.slots):
            self.after[slot] = self.free
            self.free = slot
        for line in range(self.mask + 1):
            self.first[line] = NONE

    def request(self, h: int, room: int, most: int, worth: float, size: int) -> bool:
        """Ask for a key; tell whether that was a hit. What was missed is stored.

        Args:
            h: its hash.
            room: entries at most.
            most: bytes at most.
            worth: of a hit.
            size: in bytes; 0 where sizes are not kept.
        """
        slot = self.first[h & self.mask]
        while slot != NONE:
            if self.hashes[slot] == h:
                self.arrangement.columns.hits[slot] += 1
                return True
            slot = self.after[slot]
        if size > most:
            size = most  # else what displaces much would seem to displace nothing
        lacking = self.bytes - (most - size)
        if lacking > 0 and self.arrangement.declines(h, worth, size, lacking):
            return False
        while self.arrangement.count >= room or self.bytes > most - size:
            self.drop(self.arrangement.victim())
        slot = self.free
        self.free = self.after[slot]
        self.hashes[slot] = h
        self.after[slot] = self.first[h & self.mask]
        self.first[h & self.mask] = slot
        columns = self.arrangement.columns
        columns.hits[slot] = 0
        if columns.has_priority:
            columns.priority[slot] = worth
        if columns.has_size:
            columns.size[slot] = size
            self.bytes += size
        self.arrangement.insert(slot)
        return False

    def drop(self, slot: int) -> None:
        """Take an entry out."""
        if self.arrangement.columns.has_size:
            self.bytes -= self.arrangement.columns.size[slot]
        self.arrangement.remove(slot)
        line = self.hashes[slot] & self.mask
        before = self.first[line]
        if before == slot:
            self.first[line] = self.after[slot]
        else:
            while self.after[before] != slot:
                before = self.after[before]
            self.after[before] = self.after[slot]
        self.after[slot] = self.free
        self.free = slot
