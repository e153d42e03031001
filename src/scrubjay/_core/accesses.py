"""The latest accesses in order, until whoever learns from them comes and takes them.

A request appends a row, which is all that learning costs it. Where nobody comes in time,
what no longer fits is lost and counted: learning never slows a request down.

A row holds the key itself, so that it outlives the entry, and in 32 bits what came of the
request and whose it was. Its place was empty: appending drops no reference.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.constants import OUTCOMES

LATER = 4095  # requests between two reminders of who is late


class Accesses:
    """Rows of key, outcome and stream."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.marks = array("I")
        self.size = 0  # rows at most; 0 while nobody learns
        self.filled = 0
        self.lost = 0

    def append(self, key: Any, outcome: int, stream: int) -> bool:
        """Append a row; tell whether it is time to come, unless it is time anyway.

        Args:
            key: what was asked for.
            outcome: what came of it.
            stream: a number for who asked, of which 29 bits are kept.
        """
        place = self.filled
        if place >= self.size:
            self.lost += 1
            return (self.lost & LATER) == 0
        self.keys[place] = key
        self.marks[place] = ((stream & 0x1FFFFFFF) << OUTCOMES) | outcome
        self.filled = place + 1
        return place + 1 == self.size

    def exchange(self, keys: list[Any], marks: Any, size: int) -> tuple[Any, Any, int, int]:
        """Go on with empty rows; return those that there were, and how many were lost."""
        before = (self.keys, self.marks, self.filled, self.lost)
        self.keys = keys
        self.marks = marks
        self.size = size
        self.filled = 0
        self.lost = 0
        return before
