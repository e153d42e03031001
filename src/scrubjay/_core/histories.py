"""The keys of a sample, remembered well past their eviction; a cache kept by their prospects.

What `scrubjay._core.prospects` learns from. A key is watched from one request for it to the
next, or until eight times as many others as the cache holds were asked for; whether it is in
the cache does not matter, so that what is learned does not depend on what is kept.

Some of the keys watched are the entries of a small cache, as in `scrubjay._core.simulation`,
which gives up what is worth least. Its misses tell what that way of keeping would yield.
"""

from __future__ import annotations

from array import array

from scrubjay._core.constants import (
    BINS,
    COLD,
    FADING,
    FOLLOWED,
    GAP,
    INFINITE,
    LOOKS,
    NONE,
    SHARED,
)
from scrubjay._core.links import Links
from scrubjay._core.prospects import Prospects
from scrubjay._core.tag_returns import TagReturns

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.prospects import scrubjay_bin

DEPTH = 8  # keys watched for each entry of the small cache
MANY = 16384  # keys of which no more are watched, unless twice the entries are
LEAST = 512  # keys watched at least: where 8 entries are kept, 64 would tell nothing
SOON = 64  # requests after which is learned first
OFTEN = 256  # requests between two lessons at least; for large samples, as many as entries
MEMORY = 16.0  # how many times as many requests as an entry outlives are remembered, about
FEWEST = 1000.0  # requests remembered at least


class Histories:
    """Watched keys, some of them kept.

    Args:
        prospects: learns what comes of them.
    """

    def __init__(self, prospects: Prospects) -> None:
        self.prospects = prospects
        self.rows = 0
        self.used = 0
        self.mask = 0
        self.hashes = array("I")
        self.first = array("i")  # of the rows with the same last bits of the hash
        self.after = array("i")  # the next of them
        self.since = array("I")  # the time of the last request
        self.counts = array("B")  # requests while watched
        self.marks = array("B")  # see `scrubjay._core.sessions` and `tag_returns`
        self.social = False  # whether sessions have been told of
        self.sessions = array("I")  # the one that asked last, 0 if not known; empty until then
        self.tags: TagReturns | None = None  # nobody has told any
        self.tag_rows = array("h")  # the tag that a key is counted under, -1 if none
        self.order = Links(1)  # by the time of the last request
        self.place = array("i")  # in the small cache, or -1
        self.kept = array("i")  # the rows that are in it
        self.count = 0
        self.weighted = False
        self.density = array("d")  # what a hit is worth, by byte
        self.sizes = array("q")
        self.bytes = 0
        self.draws = 1
        self.requests = 0.0
        self.misses = 0.0
        self.asked = 0  # requests since the last lesson
        self.wait = SOON  # requests until the next

    def grow(self, entries: int, weighted: bool) -> int:
        """Make room for a small cache of so many entries and begin anew.

        Args:
            entries: the number of entries.
            weighted: whether they may differ in size, or hits of them in worth.
        """
        rows = max(min(DEPTH * entries, MANY), 2 * entries, LEAST)
        length = 8
        while 2 * length < rows:
            length *= 2
        hashes = array("I", bytes(4 * rows))  # all that may fail comes first
        first = array("i", [NONE]) * length
        after = array("i", [NONE]) * rows
        since = array("I", bytes(4 * rows))
        counts = array("B", bytes(rows))
        marks = array("B", bytes(rows))
        sessions = array("I", bytes(4 * rows if self.social else 0))
        tag_rows = array("h", [NONE]) * (rows if self.tags is not None else 0)
        order = Links(1)
        order.grow(rows)
        place = array("i", [NONE]) * rows
        kept = array("i", [NONE]) * max(entries, 1)
        density = array("d", [1.0]) * (rows if weighted else 0)
        sizes = array("q", bytes(8 * rows if weighted else 0))
        self.hashes = hashes
        self.first = first
        self.after = after
        self.since = since
        self.counts = counts
        self.marks = marks
        self.sessions = sessions
        self.tag_rows = tag_rows
        self.order = order
        self.place = place
        self.kept = kept
        self.density = density
        self.sizes = sizes
        self.rows = rows
        self.mask = length - 1
        self.weighted = weighted
        self.clear()
        return 0

    def clear(self) -> None:
        """Forget the keys, not what was learned from them."""
        self.order.clear()
        self.used = 0
        self.count = 0
        self.bytes = 0
        for line in range(self.mask + 1 if self.rows > 0 else 0):
            self.first[line] = NONE

    def find(self, h: int) -> int:
        """Return the row of the key with hash `h`, or -1."""
        row = self.first[h & self.mask]
        while row != NONE and self.hashes[row] != h:
            row = self.after[row]
        return row

    def request(self, h: int, count: int, room: int, most: int, worth: float, size: int) -> bool:
        """Ask for a key; tell whether it is in the small cache. If not, it is stored.

        What the live cache forgets of an evicted entry is forgotten here too: its sessions,
        and how often it was asked for, beyond what a sketch can tell.

        Args:
            h: the key's hash.
            count: how often it was asked for, as a sketch tells.
            room: entries kept at most.
            most: bytes kept at most.
            worth: of a hit.
            size: in bytes; 0 where sizes are not kept.
        """
        row = self.find(h)
        if row == NONE:
            row = self.watch(h)
        else:
            self.prospects.came_back(self.counts[row], self.marks[row], self.since[row])
            if self.tags is not None:
                self.tags.came_back(self.tag_rows[row])
            if self.place[row] == NONE:
                self.counts[row] = count if count > 1 else 1
                self.marks[row] &= COLD
                if self.social:
                    self.sessions[row] = 0
            else:
                if self.counts[row] < 255:
                    self.counts[row] += 1
                gap = self.prospects.gap((self.prospects.clock - self.since[row]) & 0x7FFFFFFF)
                self.marks[row] = (self.marks[row] & (SHARED | COLD)) | gap
            self.order.unlink(0, row)
            self.order.append(0, row)
        self.since[row] = self.prospects.clock
        self.requests += 1.0
        self.asked += 1
        if self.asked >= self.wait:
            self.learn(room)
        if self.place[row] != NONE:
            return True
        self.misses += 1.0
        if size > most:
            size = most  # as in `scrubjay._core.simulation`
        while self.count >= room or (self.count > 0 and self.bytes > most - size):
            self.leave(self.worst())
        self.keep(row, worth, size)
        return False

    def adopt(
        self,
        h: int,
        since: int,
        count: int,
        marks: int,
        session: int,
        room: int,
        most: int,
        worth: float,
        size: int,
    ) -> None:
        """Watch and keep, while there is room, a key that is known already.

        Args:
            h: its hash.
            since: when it was asked for last.
            count: how often it was asked for.
            marks: see `scrubjay._core.constants`.
            session: the one that asked last, or 0.
            room: entries kept at most.
            most: bytes kept at most.
            worth: of a hit.
            size: in bytes; 0 where sizes are not kept.
        """
        if self.find(h) != NONE:
            return
        row = self.watch(h)
        self.since[row] = since
        self.counts[row] = count
        # Simulations of other sizes may tell fewer kinds apart than the live cache does.
        self.marks[row] = marks & (self.prospects.marks - 1)
        if self.social:
            self.sessions[row] = session
        if self.count < room and self.bytes <= most - size:
            self.keep(row, worth, size)

    def keep(self, row: int, worth: float, size: int) -> None:
        """Put a key into the small cache, where there is room."""
        if self.weighted:
            self.density[row] = worth / size if size > 1 else worth
            self.sizes[row] = size
            self.bytes += size
        self.place[row] = self.count
        self.kept[self.count] = row
        self.count += 1

    def heed_sessions(self) -> int:
        """Make room for what sessions tell."""
        if not self.social:
            sessions = array("I", bytes(4 * self.rows))
            self.prospects.heed_sessions()
            self.sessions = sessions
            self.social = True
        return 0

    def ascribe(self, h: int, session: int) -> None:
        """Note which session has just asked for a key."""
        row = self.find(h)
        if row != NONE:
            if self.sessions[row] != 0 and self.sessions[row] != session:
                self.marks[row] |= SHARED
            self.marks[row] &= GAP | SHARED | COLD
            self.sessions[row] = session

    def follow(self, h: int) -> None:
        """Note that the session which asked for a key has gone on to another."""
        row = self.find(h)
        if row != NONE:
            self.marks[row] |= FOLLOWED

    def heed_tags(self) -> int:
        """Make room for what tags tell."""
        tags = TagReturns()
        tag_rows = array("h", [NONE]) * self.rows
        self.prospects.heed_tags()
        self.tag_rows = tag_rows
        self.tags = tags
        return 0

    def tag(self, h: int, tag: int, mark: int) -> None:
        """Note which tag a key is counted under, by its row, and what mark that gives it."""
        row = self.find(h)
        if row != NONE:
            self.tag_rows[row] = tag
            self.marks[row] = (self.marks[row] & ~COLD) | mark

    def watch(self, h: int) -> int:
        """Take a row for a key, from the one asked for least recently if need be."""
        if self.used < self.rows:
            row = self.used
            self.used += 1
        else:
            row = self.order.head[0]
            self.order.unlink(0, row)
            self.prospects.gave_up(self.counts[row], self.marks[row], self.since[row])
            if self.tags is not None:
                self.tags.gave_up(self.tag_rows[row])
            if self.place[row] != NONE:
                self.leave(row)
            self.forget(row)
        line = h & self.mask
        self.hashes[row] = h
        self.after[row] = self.first[line]
        self.first[line] = row
        self.counts[row] = 1
        self.marks[row] = 0
        if self.social:
            self.sessions[row] = 0
        if self.tags is not None:
            self.tag_rows[row] = NONE
        self.place[row] = NONE
        self.order.append(0, row)
        return row

    def forget(self, row: int) -> None:
        """Take a row out of its chain."""
        line = self.hashes[row] & self.mask
        before = self.first[line]
        if before == row:
            self.first[line] = self.after[row]
        else:
            while self.after[before] != row:
                before = self.after[before]
            self.after[before] = self.after[row]

    def leave(self, row: int) -> None:
        """Take an entry out of the small cache; its key is still watched."""
        if self.weighted:
            self.bytes -= self.sizes[row]
        self.count -= 1
        last = self.kept[self.count]
        self.kept[self.place[row]] = last
        self.place[last] = self.place[row]
        self.place[row] = NONE

    def worst(self) -> int:
        """Return the entry worth least among some, of those the one left alone for longest."""
        worst = NONE
        least = INFINITE
        oldest = 0
        count = self.count
        looks = LOOKS if count > LOOKS else count
        clock = self.prospects.clock
        draws = self.draws  # in a register: the next draw need not wait for memory
        for look in range(looks):
            at = look
            if count > LOOKS:
                draws = (draws * 1103515245 + 12345) & 0x7FFFFFFF
                wide = draws
                at = (wide * count) >> 31
            row = self.kept[at]
            age = (clock - self.since[row]) & 0x7FFFFFFF
            # As in `Prospects.cell`: a call of it takes longer than all the rest of a look.
            kind = self.prospects.kinds[self.counts[row]] * self.prospects.marks + self.marks[row]
            worth = self.prospects.worth[kind * BINS + scrubjay_bin(age)]
            if self.weighted:
                worth *= self.density[row]
            if worth < least or (worth == least and age > oldest):
                worst = row
                least = worth
                oldest = age
        self.draws = draws
        return worst

    def learn(self, room: int) -> None:
        """Let what has come of the keys be learned, and what is to come of them wait."""
        self.prospects.wait_for(self.counts, self.marks, self.since, self.used)
        if self.tags is not None:
            self.tags.begin_waiting()
            for row in range(self.used):
                self.tags.waits(self.tag_rows[row])
        self.prospects.learn()
        memory = MEMORY * room * self.requests / (self.misses + 1.0)
        if self.prospects.events > memory and self.prospects.events > FEWEST:
            self.prospects.fade()
            if self.tags is not None:
                self.tags.fade(FADING)
        self.misses *= 0.9
        self.requests *= 0.9
        self.wait = min(2 * self.wait, max(OFTEN, room))
        self.asked = 0
