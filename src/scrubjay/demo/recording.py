"""What happened in a run, kept so that it can happen again to another cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter

from scrubjay.demo.pages import Page
from scrubjay.demo.source import Write


@dataclass
class Recording:
    """The traffic of a run, in the order in which it came.

    Attributes:
        events: time since the start in seconds, the page read or the write
            whose invalidation was made, and the session.
        read_seconds: how long each read took.
        sizes: size of the answer to each key in bytes, as the cache measured it.
        costs: what loading each key took, in seconds.
    """

    events: list[tuple[float, Page | Write, str]] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)

    @property
    def footprint_bytes(self) -> int:
        """What keeping every answer at once would take."""
        return sum(self.sizes.values())

    def finish(self, costs: dict[str, float]) -> None:
        """Complete the recording once the run is over.

        Args:
            costs: what loading each key took, in seconds.
        """
        self.costs = costs
        # What threads did was noted when they were done with it.
        self.events.sort(key=itemgetter(0))
