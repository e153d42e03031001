"""From a trace and prices to advice: what to replay, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab import recording
from scrubjay.lab.advice import Option, Traffic, Weighing, choose, plan_capacities
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.grid import Cell, Job, load_trace
from scrubjay.lab.lifetimes import Lifetimes, try_lifetimes
from scrubjay.lab.model import ReadOptions, TraceError
from scrubjay.lab.prices import Prices
from scrubjay.lab.timed import with_times
from scrubjay.types import CacheEvictionStrategy


@dataclass(frozen=True)
class Question:
    """What is asked about each trace.

    Attributes:
        prices: what memory and loads cost.
        strategies: the strategies to choose from, those preferred in a tie first.
        steps: how many capacities to choose from.
        present: the capacity in use; None if it is not known.
        present_strategy: the strategy in use.
        entry_bytes: mean size of an entry, in place of what the trace says.
        rate: requests a second, in place of what the trace says.
        sample: the share of the keys that a trace holds, where it does not know.
        lifetimes: whether times to live are asked about.
    """

    prices: Prices
    strategies: tuple[str, ...] = ("adaptive", "lru", "lfu")
    steps: int = 16
    present: Capacity | None = None
    present_strategy: str = CacheEvictionStrategy.ADAPTIVE.value
    entry_bytes: float | None = None
    rate: float | None = None
    sample: float | None = None
    lifetimes: bool = True

    @property
    def tried(self) -> tuple[str, ...]:
        """The strategies to replay: the one in use is among them, and preferred."""
        first = (self.present_strategy,) if self.present is not None else ()
        return tuple(dict.fromkeys((*first, *self.strategies)))


@dataclass(frozen=True)
class Plan:
    """What is to be replayed for one trace.

    Attributes:
        path: its file.
        weighing: how its costs are counted.
        capacities: the capacities for the keys of the sample, and each for all keys.
        jobs: the replays.
    """

    path: Path
    weighing: Weighing
    capacities: dict[Capacity, int]
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Advice:
    """What to do about one cache.

    Attributes:
        weighing: how costs are counted; the traffic is in it.
        options: all that was tried.
        best: what costs least.
        present: what is in use; None if it is not known.
        without_cache: what loads would cost without a cache.
        lifetimes: what is to be said of times to live; None where nothing is known.
        replaced: how many values were stored anew while the old ones were kept.
        replaced_seconds: their median age at that; None if there were none.
    """

    weighing: Weighing
    options: tuple[Option, ...]
    best: Option
    present: Option | None
    without_cache: float
    lifetimes: Lifetimes | None = None
    replaced: int = 0
    replaced_seconds: float | None = None


def make_plan(path: Path, options: ReadOptions, question: Question) -> Plan:
    """Read a trace and list what is to be replayed.

    Args:
        path: its file.
        options: how to read it.
        question: what is asked.

    Returns:
        The plan.

    Raises:
        TraceError: the trace cannot be read, or lacks what the costs need.
    """
    trace = load_trace(path, options)
    traffic = Traffic.of(
        trace, sample=question.sample, rate=question.rate, entry_bytes=question.entry_bytes
    )
    weighing = Weighing(traffic, question.prices)
    question.prices.check(trace)
    weighing.check()
    present = question.present
    in_bytes = traffic.unique_bytes > 0 and question.entry_bytes is None
    if present is not None:
        in_bytes = present.in_bytes
        if in_bytes and not traffic.unique_bytes:
            raise TraceError(f"{trace.name}: a capacity in bytes needs a trace with sizes")
    capacities = plan_capacities(traffic, question.steps, present, in_bytes=in_bytes)
    jobs = tuple(
        Job(path, capacity, strategy, options)
        for capacity in capacities
        for strategy in question.tried
    )
    return Plan(path, weighing, capacities, jobs)


def advise(plan: Plan, cells: Iterable[Cell], question: Question) -> Advice:
    """Choose from what was replayed.

    Args:
        plan: the plan.
        cells: the replays, in any order, also those of other traces.
        question: what is asked.

    Returns:
        The advice.

    Raises:
        InvalidArgumentError: None of the replays is of this trace.
    """
    weighing, tried = plan.weighing, question.tried
    jobs = set(plan.jobs)
    own = [cell for cell in cells if cell.job in jobs]
    if not own:
        raise InvalidArgumentError(f"{weighing.traffic.name}: nothing was replayed")
    own.sort(key=lambda cell: (cell.amount, tried.index(cell.job.strategy)))
    options = {
        cell.job: weighing.option(
            cell.job.strategy,
            plan.capacities[cell.job.capacity],
            cell.result,
            in_bytes=cell.job.capacity.in_bytes,
        )
        for cell in own
    }
    without = weighing.without_cache(own[0].result)
    best = choose(tuple(options.values()), without, weighed=weighing.weighed)
    present = None
    if question.present is not None:
        traffic = weighing.traffic
        total = traffic.total(in_bytes=question.present.in_bytes)
        whole = question.present.of(round(total / traffic.sample))
        present = next(
            (
                option
                for option in options.values()
                if (option.amount, option.strategy) == (whole, question.present_strategy)
            ),
            None,
        )
    advice = Advice(weighing, tuple(options.values()), best, present, without)
    job = next(job for job, option in options.items() if option is best)
    return _with_lifetimes(advice, job, question) if question.lifetimes else advice


def _with_lifetimes(advice: Advice, job: Job, question: Question) -> Advice:
    """Add what times to live come to at the best capacity."""
    traffic = advice.weighing.traffic
    lifetimes = try_lifetimes(
        with_times(
            load_trace(job.path, job.options), traffic.expected / traffic.sample, question.rate
        ),
        job.capacity.amount or 1,
        job.strategy,
        advice.weighing,
        in_bytes=job.capacity.in_bytes,
    )
    known = question.rate is None and is_recording(job.path, job.options)
    ages = recording.replaced_ages(job.path) if known else ()
    return replace(
        advice,
        lifetimes=lifetimes,
        replaced=len(ages),
        replaced_seconds=median(ages) if ages else None,
    )


def is_recording(path: Path, options: ReadOptions) -> bool:
    """Whether a trace is a recording of a cache, which tells of stores as well."""
    name = options.format_name
    return name == recording.FORMAT.name if name else path.name.endswith(recording.FORMAT.suffixes)
