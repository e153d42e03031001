"""What the store knows about each entry, one typed array per attribute.

An entry is a *slot*: a row number. No object exists per entry, so a million entries cost
the garbage collector nothing. Attributes that few entries use (sizes, priorities, costs,
deadlines, versions, sessions, tags) are not even allocated before the first entry wants them.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.constants import NEVER, NOTES, SOCIAL


def resized(typecode: str, old: Any, length: int, fill: Any) -> Any:
    """Return an array of `length` that starts like `old` and goes on with `fill`.

    Args:
        typecode: of the `array` module.
        old: a buffer of the same type.
        length: rows wanted.
        fill: the value of each new row.
    """
    new = array(typecode, [fill]) * length
    kept = min(len(old), length)
    if kept:
        memoryview(new)[:kept] = memoryview(old)[:kept]
    return new


class Columns:
    """The per-slot attributes shared by a store, its policy and its timer wheel.

    Args:
        has_times: whether it is kept when entries were stored and read.
    """

    def __init__(self, has_times: bool = True) -> None:
        self.has_times = has_times
        self.slots = 0
        self.hits = array("I")
        self.notes = array("i")  # slots read whose counters ask for it
        self.most_notes = 0
        self.noted = 0
        self.accessed = array("I")
        self.created = array("I")
        self.size = array("q")
        self.priority = array("d")
        self.cost = array("d")
        self.deadline = array("d")
        self.span = array("d")
        self.hard = array("d")
        self.idle = array("d")
        self.version = array("q")
        self.session = array("I")  # who asked last, times four, plus two marks
        self.tagged = array("B")  # the mark that its tags give an entry
        self.has_size = False
        self.has_priority = False
        self.has_cost = False
        self.has_deadline = False
        self.has_idle = False
        self.has_version = False
        self.has_session = False
        self.has_tagged = False

    def grow(self, slots: int) -> int:
        """Make room for `slots` rows; never shrinks."""
        if slots <= self.slots:
            return 0
        self.hits = resized("I", self.hits, slots, 0)
        if self.has_times:
            self.accessed = resized("I", self.accessed, slots, 0)
            self.created = resized("I", self.created, slots, 0)
        if self.has_size:
            self.size = resized("q", self.size, slots, 0)
        if self.has_priority:
            self.priority = resized("d", self.priority, slots, 1.0)
        if self.has_cost:
            self.cost = resized("d", self.cost, slots, 0.0)
        if self.has_deadline:
            self.deadline = resized("d", self.deadline, slots, NEVER)
            self.span = resized("d", self.span, slots, -1.0)
        if self.has_idle:
            self.hard = resized("d", self.hard, slots, NEVER)
            self.idle = resized("d", self.idle, slots, 0.0)
        if self.has_version:
            self.version = resized("q", self.version, slots, 0)
        if self.has_session:
            self.session = resized("I", self.session, slots, 0)
        if self.has_tagged:
            self.tagged = resized("B", self.tagged, slots, 0)
        self.slots = slots
        return 0

    def note(self, slot: int) -> None:
        """Note a hit of a slot whose counter asks for it, while there is room for notes."""
        if self.noted < self.most_notes:
            self.notes[self.noted] = slot
            self.noted += 1

    def want_notes(self) -> int:
        """Allocate notes of hits, for a policy which asks for them."""
        self.notes = resized("i", self.notes, NOTES, 0)
        self.most_notes = NOTES
        return 0

    def want_size(self) -> int:
        """Allocate sizes in bytes."""
        if not self.has_size:
            self.size = resized("q", self.size, self.slots, 0)
            self.has_size = True
        return 0

    def want_priority(self) -> int:
        """Allocate priorities, 1.0 until told otherwise."""
        if not self.has_priority:
            self.priority = resized("d", self.priority, self.slots, 1.0)
            self.has_priority = True
        return 0

    def want_cost(self) -> int:
        """Allocate load costs in seconds (or the user's own unit), 0.0 when unknown."""
        if not self.has_cost:
            self.cost = resized("d", self.cost, self.slots, 0.0)
            self.has_cost = True
        return 0

    def want_deadline(self) -> int:
        """Allocate deadlines on the monotonic clock and the seconds to live as given."""
        if not self.has_deadline:
            self.deadline = resized("d", self.deadline, self.slots, NEVER)
            self.span = resized("d", self.span, self.slots, -1.0)
            self.has_deadline = True
        return 0

    def want_idle(self) -> int:
        """Allocate idle times in seconds and the deadlines they may not pass."""
        self.want_deadline()
        if not self.has_idle:
            self.hard = resized("d", self.hard, self.slots, NEVER)
            self.idle = resized("d", self.idle, self.slots, 0.0)
            self.has_idle = True
        return 0

    def want_version(self, version: int) -> int:
        """Allocate write versions; entries already there get `version`."""
        if not self.has_version:
            self.version = resized("q", self.version, self.slots, version)
            self.has_version = True
        return 0

    def want_session(self) -> int:
        """Allocate the sessions that asked last, 0 when unknown."""
        if not self.has_session:
            self.session = resized("I", self.session, self.slots, 0)
            self.has_session = True
        return 0

    def want_tagged(self) -> int:
        """Allocate the marks that tags give, 0 until told otherwise."""
        if not self.has_tagged:
            self.tagged = resized("B", self.tagged, self.slots, 0)
            self.has_tagged = True
        return 0

    def marks(self, slot: int) -> int:
        """Return all marks of an entry but how soon it came back."""
        marks: int = (self.session[slot] & 3) << SOCIAL if self.has_session else 0
        return marks | self.tagged[slot] if self.has_tagged else marks
