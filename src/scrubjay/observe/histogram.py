"""A latency histogram of fixed size.

Buckets grow by a fifth each, from ten nanoseconds to beyond an hour, so a percentile is
right to within ten per cent and recording is one logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_FIRST = 1e-8
_GROWTH = math.log(1.2)
_BUCKETS = 160
_NONE = [0] * _BUCKETS


class Histogram:
    """Counts of durations, for percentiles."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._counts = [0] * _BUCKETS

    def record(self, seconds: float, times: int = 1) -> None:
        """Count a duration, or several of the same length."""
        if seconds <= _FIRST:
            bucket = 0
        else:
            bucket = min(_BUCKETS - 1, int(math.log(seconds / _FIRST) / _GROWTH))
        self._counts[bucket] += times
        self.count += times
        self.seconds += seconds * times

    def mean(self) -> float:
        """Return the mean duration in seconds; 0.0 without any."""
        return self.seconds / self.count if self.count else 0.0

    def cumulative(self, bounds: Iterable[float]) -> list[int]:
        """Return for each bound, in seconds and ascending, how many durations are below it.

        A bucket counts as below a bound if its middle is.
        """
        counts: list[int] = []
        bucket = seen = 0
        for bound in bounds:
            while bucket < _BUCKETS - 1 and _FIRST * math.exp((bucket + 0.5) * _GROWTH) <= bound:
                seen += self._counts[bucket]
                bucket += 1
            counts.append(seen)
        return counts

    def percentile(
        self, share: float, other: Histogram | None = None, weight: float = 0.0
    ) -> float:
        """Return the duration in seconds that `share` of all do not exceed.

        Args:
            share: from 0 to 1.
            other: durations that count, too.
            weight: how much each of those counts.
        """
        others = _NONE if other is None else other._counts
        wanted = share * (self.count + (0.0 if other is None else weight * other.count))
        seen = 0.0
        for bucket in range(_BUCKETS):
            seen += self._counts[bucket] + weight * others[bucket]
            if seen > 0.0 and seen >= wanted:
                return _FIRST * math.exp((bucket + 0.5) * _GROWTH)
        return 0.0
