"""How long requests take: reads sampled, waits for loads each."""

from __future__ import annotations

from scrubjay.observe.histogram import Histogram
from scrubjay.observe.statistics import LatencyGroup, Quantiles


class Latency:
    """Latencies of requests.

    Reads of the store are timed one in 1,024, and stand for all reads there were; a
    request that waits for a load is timed each time, beyond the read that missed.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._reads = Histogram()
        self._waits = Histogram()

    def record(self, seconds: float, times: int) -> None:
        """Count a sampled read; `times` says how many it was drawn from."""
        self._reads.record(seconds)

    def record_wait(self, seconds: float, times: int = 1) -> None:
        """Count a request that waited for a load, or several that waited alike."""
        self._waits.record(seconds, times)

    def total_seconds(self, requests: int) -> float:
        """Return the estimated time of all `requests` together."""
        return self._reads.mean() * requests + self._waits.seconds

    def percentile_ms(self, share: float, requests: int) -> float:
        """Return the latency in milliseconds that `share` of the requests keep below.

        Args:
            share: from 0 to 1.
            requests: how many there were, those that waited included.
        """
        reads = max(0, requests - self._waits.count)
        weight = reads / self._reads.count if self._reads.count else 0.0
        return 1e3 * self._waits.percentile(share, self._reads, weight)

    def histograms(self) -> tuple[Histogram, Histogram]:
        """Return the histograms of reads, of which one in 1,024 is timed, and of waits."""
        return self._reads, self._waits

    def described(self) -> LatencyGroup:
        """Return reads and waits apart."""
        return {"reads": _quantiles(self._reads), "waits": _quantiles(self._waits)}


def _quantiles(durations: Histogram) -> Quantiles:
    return {
        "count": durations.count,
        "mean_ms": 1e3 * durations.mean(),
        "p50_ms": 1e3 * durations.percentile(0.5),
        "p90_ms": 1e3 * durations.percentile(0.9),
        "p99_ms": 1e3 * durations.percentile(0.99),
        "p999_ms": 1e3 * durations.percentile(0.999),
    }
