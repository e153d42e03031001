"""Which capacity and strategy cost least, for the traffic in a trace.

What is minimised is the price of the memory plus the cost of the loads, each
for the same time.  Where the two cannot be weighed against each other, because
loads have no price or the trace no times, it is the smallest capacity whose
loads cost within a hundredth of the least.

A trace that holds a sample of the keys stands for the whole: a cache of the
sample's share of the size hits about as often (Waldspurger et al., Efficient
MRC Construction with SHARDS, FAST 2015), so capacities and requests are
multiplied and hit ratios are not.  Where it is known how many requests there
were for all keys, those that the sample has too many or too few count as hits:
they are for the few keys asked for most, which any cache holds (SHARDS-adj).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.capacity import Capacity, in_words
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.prices import PERIODS, Prices
from scrubjay.lab.replay import ReplayResult
from scrubjay.lab.summary import LEAST_OBJECTS

OVERHEAD_BYTES = 60
"""What the cache needs for each entry besides what it counts."""

NEAR_LEAST = 0.01
"""How near the least cost the smallest capacity must come where memory has no price."""

_SMALLEST_SHARE = 1000  # the smallest capacity is this part of what the trace asks for
_PER_REQUESTS = 1000.0  # what costs are told for where nobody knows how long requests take


@dataclass(frozen=True)
class Traffic:
    """What the requests of a trace are in all, as far as its sample tells.

    Attributes:
        name: name of the trace.
        requests: requests in the trace.
        sample: the share of the keys that it holds.
        expected: that share of the requests for all keys, which a sample's own
            are near; those in the trace where they are not known.
        unique_keys: how many different keys it asks for.
        unique_bytes: the sum of their sizes; 0 where not known.
        first_requests: the share of the requests that no cache can answer.
        span_seconds: from its first to its last request; None without times.
        rate: requests a second for all keys; None where not known.
        entry_bytes: mean size of an entry; None where not known.
    """

    name: str
    requests: int
    sample: float
    expected: float
    unique_keys: int
    unique_bytes: int
    first_requests: float
    span_seconds: float | None
    rate: float | None
    entry_bytes: float | None

    @classmethod
    def of(
        cls,
        trace: Trace,
        *,
        sample: float | None = None,
        rate: float | None = None,
        entry_bytes: float | None = None,
    ) -> Traffic:
        """Measure a trace.

        Args:
            trace: the trace.
            sample: the share of the keys that it holds, where it does not know.
            rate: requests a second for all keys, in place of what its times say.
            entry_bytes: mean size of an entry, in place of what its sizes say.
        """
        share = sample or trace.sample
        span = max(trace.seconds) - min(trace.seconds) if trace.seconds else 0.0
        total = trace.total_requests
        expected = total * share if total and share < 1 else float(len(trace))
        if rate is None and span > 0:
            rate = expected / share / span
        # Where all are 0 they were not known to who wrote the trace.
        unique_bytes = trace.unique_bytes if trace.sizes is not None else 0
        if entry_bytes is None and unique_bytes:
            entry_bytes = unique_bytes / trace.unique_keys
        return cls(
            trace.name,
            len(trace),
            share,
            expected,
            trace.unique_keys,
            unique_bytes,
            trace.unique_keys / len(trace),
            span or None,
            rate,
            entry_bytes,
        )

    def total(self, *, in_bytes: bool) -> int:
        """All entries of the trace, or their bytes."""
        return self.unique_bytes if in_bytes else self.unique_keys


@dataclass(frozen=True)
class Option:
    """A capacity and a strategy, and what they would cost.

    Attributes:
        strategy: the strategy.
        amount: the capacity, for all keys, in entries or bytes.
        in_bytes: whether it is in bytes.
        memory_bytes: the memory that takes; None where sizes are not known.
        hit_ratio: the share of the requests that hit.
        memory_cost: what the memory costs; 0 where it has no price.
        load_cost: what the loads cost, in money or seconds.
    """

    strategy: str
    amount: int
    in_bytes: bool
    memory_bytes: float | None
    hit_ratio: float
    memory_cost: float
    load_cost: float

    @property
    def total(self) -> float:
        """Memory and loads together."""
        return self.memory_cost + self.load_cost


@dataclass(frozen=True)
class Weighing:
    """How costs are counted for one trace.

    Attributes:
        traffic: what the trace holds.
        prices: what memory and loads cost.
    """

    traffic: Traffic
    prices: Prices

    @property
    def weighed(self) -> bool:
        """Whether memory can be weighed against loads."""
        return self.prices.memory is not None and self.traffic.rate is not None

    @property
    def requests(self) -> float:
        """The requests that costs are told for: those of a period, or a thousand."""
        rate = self.traffic.rate
        return _PER_REQUESTS if rate is None else rate * PERIODS[self.prices.period]

    def check(self) -> None:
        """Check that sizes are known where memory has a price.

        Raises:
            TraceError: they are not.
        """
        if self.weighed and self.traffic.entry_bytes is None:
            raise TraceError(
                f"{self.traffic.name}: sizes were not recorded; say the mean with --entry-size"
            )

    def option(self, strategy: str, amount: int, result: ReplayResult, *, in_bytes: bool) -> Option:
        """What a capacity and a strategy cost, from the replay of the sample under them."""
        memory = self._memory(amount, in_bytes=in_bytes)
        return Option(
            strategy,
            amount,
            in_bytes,
            memory,
            self.hit_ratio(result),
            self.of_memory(memory or 0.0),
            self.of_loads(result),
        )

    def of_loads(self, result: ReplayResult) -> float:
        """What the misses of a replay come to."""
        return self.prices.of_misses(result) / self.traffic.expected * self.requests

    def hit_ratio(self, result: ReplayResult) -> float:
        """The share of the requests for all keys that hit."""
        return max(0.0, 1 - result.misses / self.traffic.expected)

    def without_cache(self, result: ReplayResult) -> float:
        """What loading for every request comes to."""
        return self.prices.of_all(result) / result.requests * self.requests

    def of_memory(self, size: float) -> float:
        """What so many bytes of memory cost; nothing where that cannot be weighed."""
        memory = self.prices.memory
        if memory is None or not self.weighed:
            return 0.0
        return size * memory.per_byte_second * PERIODS[memory.period]

    def _memory(self, amount: int, *, in_bytes: bool) -> float | None:
        entry = self.traffic.entry_bytes
        if entry is None:
            return None
        if in_bytes:
            return amount * (1 + OVERHEAD_BYTES / max(entry, 1.0))
        return amount * (entry + OVERHEAD_BYTES)


def plan_capacities(
    traffic: Traffic, steps: int, present: Capacity | None = None, *, in_bytes: bool
) -> dict[Capacity, int]:
    """Choose the capacities to replay: a geometric series, and the present one.

    Args:
        traffic: what the trace holds.
        steps: how many capacities in the series, the largest with room for all.
        present: the capacity that is in use, for all keys.
        in_bytes: whether capacities are in bytes.

    Returns:
        The capacities for the keys of the sample, and each for all keys.

    Raises:
        InvalidArgumentError: there are fewer than two steps.
    """
    if steps < 2:
        raise InvalidArgumentError(f"steps must be at least 2, not {steps}")
    total = traffic.total(in_bytes=in_bytes)
    least = LEAST_OBJECTS * max(1, round(total / traffic.unique_keys))
    lowest = min(total, max(total / _SMALLEST_SHARE, least))
    amounts = [
        round(lowest * (total / lowest) ** (step / (steps - 1))) or 1 for step in range(steps)
    ]
    planned = {amount: round(amount / traffic.sample) for amount in amounts}
    if present is not None:
        whole = present.of(round(total / traffic.sample))
        planned[max(1, round(whole * traffic.sample))] = whole
    return {
        Capacity(in_words(whole, in_bytes=in_bytes), amount=amount, in_bytes=in_bytes): whole
        for amount, whole in sorted(planned.items())
    }


def choose(options: Sequence[Option], without_cache: float, *, weighed: bool) -> Option:
    """Choose what costs least.

    Args:
        options: what there is to choose from, those preferred in a tie first.
        without_cache: what the loads cost without a cache.
        weighed: whether memory has a price.

    Returns:
        The option with the least total; of several the smallest.  Without a
        price of memory the smallest that is near the least, of several the best.
    """
    if weighed:
        return min(options, key=lambda option: (option.total, option.amount))
    least = min(option.load_cost for option in options)
    enough = least + NEAR_LEAST * (without_cache - least)
    near: Iterable[Option] = (option for option in options if option.load_cost <= enough)
    return min(near, key=lambda option: (option.amount, option.load_cost))
