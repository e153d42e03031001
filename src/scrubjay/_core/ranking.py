"""In what order entries would go, for whoever asks at one time for all of them."""

from __future__ import annotations

from typing import Any

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.constants import NONE
from scrubjay._core.ways import PROBATION, PROTECTED, WINDOW


class Ranking:
    """Tells the order.

    Args:
        live: the entries.
    """

    def __init__(self, live: Arrangement) -> None:
        self.live = live

    def collect(self, found: Any) -> int:
        """Append all slots to an array: about in the order in which they would go.

        What was read since it was looked at last is kept before what was not.
        """
        for segment in (PROBATION, WINDOW):
            self.collect_segment(segment, False, found)
        for segment in (PROBATION, WINDOW):
            self.collect_segment(segment, True, found)
        self.collect_segment(PROTECTED, False, found)
        self.collect_segment(PROTECTED, True, found)
        self.collect_values(False, found)
        self.collect_values(True, found)
        return 0

    def collect_segment(self, segment: int, read: bool, found: Any) -> int:
        """Append those of a segment that were read since the last look, or those that were not."""
        slot = self.live.segments.head[segment]
        while slot != NONE:
            if self.live.was_read(slot) == read:
                found.append(slot)
            slot = self.live.segments.link[2 * slot + 1]
        return 0

    def collect_values(self, read: bool, found: Any) -> int:
        """Likewise of those that are ordered by value."""
        values = self.live.values
        values.begin_walk()
        slot = values.walk()
        while slot != NONE:
            if self.live.was_read(slot) == read:
                found.append(slot)
            slot = values.walk()
        return 0
