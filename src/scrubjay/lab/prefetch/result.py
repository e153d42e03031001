"""What a replay with prefetch came to, beside one without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PrefetchResult:
    """Counts of a replay with prefetch.

    Attributes:
        requests: number of requests replayed.
        hits: how many of them the cache answered.
        plain_hits: how many it answers without prefetch.
        issued: how many keys were loaded ahead.
        used: how many of those were asked for while they were there.
        late: how many were asked for while they were being loaded.
        waited: the part of their loads that had to be waited for, summed.
        seconds: wall time of the replay.
    """

    requests: int
    hits: int
    plain_hits: int
    issued: int
    used: int
    late: int
    waited: float
    seconds: float

    @property
    def hit_ratio(self) -> float:
        """Share of the requests that hit, from 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def plain_hit_ratio(self) -> float:
        """Likewise without prefetch."""
        return self.plain_hits / self.requests if self.requests else 0.0

    @property
    def gain(self) -> float:
        """What prefetch adds to the hit ratio, in percentage points."""
        return 100.0 * (self.hit_ratio - self.plain_hit_ratio)

    @property
    def gain_of_waiting(self) -> float:
        """The gain if a load that is joined counts as a hit as far as it was over."""
        if not self.requests:
            return 0.0
        return self.gain + 100.0 * (self.late - self.waited) / self.requests

    @property
    def precision(self) -> float:
        """Share of the keys loaded ahead that were asked for while they were there."""
        return self.used / self.issued if self.issued else 0.0

    @property
    def coverage(self) -> float:
        """Share of the misses without prefetch that it turned into hits, net of new ones."""
        misses = self.requests - self.plain_hits
        return (self.hits - self.plain_hits) / misses if misses else 0.0

    @property
    def loads_ratio(self) -> float:
        """Loads for each load without prefetch. A load that is joined is one load."""
        misses = self.requests - self.plain_hits
        loads = self.requests - self.hits - self.late + self.issued
        return loads / misses if misses else 1.0

    @property
    def lateness(self) -> float:
        """Share of the keys asked for in the end that were still being loaded."""
        came_true = self.used + self.late
        return self.late / came_true if came_true else 0.0
