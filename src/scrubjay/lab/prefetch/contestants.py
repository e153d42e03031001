"""The registry of prefetchers that a replay may be asked for: one line each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.model import Trace
from scrubjay.lab.prefetch.association import Association
from scrubjay.lab.prefetch.clairvoyant import Clairvoyant
from scrubjay.lab.prefetch.markov import Markov
from scrubjay.lab.prefetch.mithril import Mithril
from scrubjay.lab.prefetch.protocol import Prefetcher
from scrubjay.lab.prefetch.weighted_sum import WeightedSum
from scrubjay.prefetch.planner import Planner

Factory = Callable[[Trace, int, float | None, float], Prefetcher]
OURS = "scrubjay"
DEFAULT_BUDGET = 1.0


def _planner(trace: Trace, capacity: int, budget: float | None, cost_ratio: float) -> Prefetcher:
    return Planner(capacity, cost_ratio=cost_ratio, budget=budget)


def _baseline(make: Callable[[int, float], Prefetcher]) -> Factory:
    def factory(trace: Trace, capacity: int, budget: float | None, cost_ratio: float) -> Prefetcher:
        return make(capacity, DEFAULT_BUDGET if budget is None else budget)

    return factory


def _clairvoyant(
    trace: Trace, capacity: int, budget: float | None, cost_ratio: float
) -> Prefetcher:
    return Clairvoyant(capacity, DEFAULT_BUDGET if budget is None else budget, trace.keys)


_contestants: dict[str, Factory] = {
    OURS: _planner,
    "weighted-sum": _baseline(WeightedSum),
    "mithril": _baseline(Mithril),
    "markov-1": _baseline(partial(Markov, orders=(1,), threshold=0.1)),
    "markov-1-sure": _baseline(partial(Markov, orders=(1,), threshold=0.3)),
    "markov-2": _baseline(partial(Markov, orders=(2, 1), threshold=0.1)),
    "markov-2-sure": _baseline(partial(Markov, orders=(2, 1), threshold=0.3)),
    "ppm-3": _baseline(partial(Markov, orders=(3, 2, 1), threshold=0.1)),
    "ppm-3-sure": _baseline(partial(Markov, orders=(3, 2, 1), threshold=0.3)),
    "association-8": _baseline(partial(Association, window=8, threshold=0.1)),
    "association-8-sure": _baseline(partial(Association, window=8, threshold=0.3)),
    "clairvoyant": _clairvoyant,
}


def register_contestant(name: str, factory: Factory) -> None:
    """Let a prefetcher take part under a name.

    Args:
        name: its name; one of the same name is replaced.
        factory: called with the trace, the capacity in entries, the budget in loads for each
            miss without prefetch (or None), and the ratio of loads allowed.
    """
    _contestants[name] = factory


def contestant_names() -> tuple[str, ...]:
    """Return the names of all prefetchers."""
    return tuple(_contestants)


def make_prefetcher(
    name: str,
    trace: Trace,
    capacity: int,
    *,
    budget: float | None = None,
    cost_ratio: float = 1.3,
) -> Prefetcher:
    """Return a new prefetcher.

    Args:
        name: its name.
        trace: what will be replayed.
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss without prefetch; by default one for
            baselines, and no such bound for ours.
        cost_ratio: loads allowed for each without prefetch; baselines take no notice.

    Raises:
        InvalidArgumentError: there is no such prefetcher.
    """
    factory = _contestants.get(name)
    if factory is None:
        known = ", ".join(_contestants)
        raise InvalidArgumentError(f"prefetcher: {name!r} is not one of {known}")
    return factory(trace, capacity, budget, cost_ratio)
