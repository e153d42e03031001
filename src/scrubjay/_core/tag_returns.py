"""How many of the keys with a tag come back: tags as a signal.

A tag under which few come back, beside all keys, is *cold*. An entry with a cold tag is marked,
and what such entries are worth is learned as of any mark (see `scrubjay._core.prospects`): a
tag that is cold by chance does no harm, as what carries it is found to be worth as much.

Tags are counted in rows, by their hashes. Of an entry's tags one is counted, its coldest or
else any of them, so that each of them has its turn.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from scrubjay._core.constants import NONE

ROWS = 1024  # of 24 bytes
KNOWN = 16.0  # keys of a tag that are seen before it says anything
COLD_SHARE = 0.5  # of the share of all keys that come back


class TagReturns:
    """What came of watched keys, by tag; not of all of them, but of as many as are kept."""

    def __init__(self) -> None:
        self.returned = array("d", bytes(8 * ROWS))
        self.lost = array("d", bytes(8 * ROWS))
        self.waiting = array("d", bytes(8 * ROWS))
        self.all_returned = 0.0
        self.all_lost = 0.0
        self.all_waiting = 0.0
        self.draws = 1

    def row_of(self, tags: Iterable[str]) -> int:
        """Return the row of the tag that an entry is counted under; -1 if it has none."""
        row = NONE
        limit = self.limit()
        coldest = limit
        number = 0
        for tag in tags:
            other = hash(tag) & (ROWS - 1)
            share = self.share(other)
            if share < coldest:
                row = other
                coldest = share
            elif coldest == limit:  # none is cold so far
                number += 1
                self.draws = (self.draws * 1103515245 + 12345) & 0x7FFFFFFF
                if (self.draws >> 8) % number == 0:
                    row = other
        return row

    def is_cold(self, row: int) -> bool:
        """Tell whether few of the keys come back that are counted in a row."""
        return row != NONE and self.share(row) < self.limit()

    def limit(self) -> float:
        """Return the share of keys that come back below which a tag is cold."""
        known = self.all_returned + self.all_lost + self.all_waiting
        return COLD_SHARE * self.all_returned / known if known > 0.0 else 0.0

    def share(self, row: int) -> float:
        """Return the share of keys that come back of those in a row; 1 if there were few."""
        known = self.returned[row] + self.lost[row] + self.waiting[row]
        return self.returned[row] / known if known >= KNOWN else 1.0

    def came_back(self, row: int) -> None:
        """Count a key that was asked for again; of no tag if its row is -1."""
        self.all_returned += 1.0
        if row != NONE:
            self.returned[row] += 1.0

    def gave_up(self, row: int) -> None:
        """Count a key that was not asked for as long as it was watched."""
        self.all_lost += 1.0
        if row != NONE:
            self.lost[row] += 1.0

    def begin_waiting(self) -> None:
        """Forget which keys are still watched: they are counted anew."""
        self.all_waiting = 0.0
        for row in range(ROWS):
            self.waiting[row] = 0.0

    def waits(self, row: int) -> None:
        """Count a key that is still watched."""
        self.all_waiting += 1.0
        if row != NONE:
            self.waiting[row] += 1.0

    def fade(self, share: float) -> None:
        """Let what has been count as much less."""
        self.all_returned *= share
        self.all_lost *= share
        for row in range(ROWS):
            self.returned[row] *= share
            self.lost[row] *= share
