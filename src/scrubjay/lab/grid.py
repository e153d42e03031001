"""Replaying many traces at many capacities under many strategies, in parallel."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab.model import BadLines, ReadOptions, Trace
from scrubjay.lab.replay import ReplayResult, replay
from scrubjay.lab.traces import read_with


@dataclass(frozen=True)
class Capacity:
    """The size of a cache, absolute or relative to what a trace asks for.

    Attributes:
        text: The capacity as it was written, such as ``10%`` or ``500``.
        entries: The size in entries, when absolute.
        percent: The size in percent of the trace's unique keys, when relative.
    """

    text: str
    entries: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str) -> Capacity:
        """Read a capacity.

        Args:
            text: A whole number of entries, or a number followed by ``%``.

        Returns:
            The capacity.

        Raises:
            InvalidArgumentError: It is neither, or not above zero.
        """
        text = text.strip()
        try:
            if text.endswith("%"):
                percent = float(text[:-1])
                if 0 < percent <= 100:
                    return cls(text, percent=percent)
            elif int(text) > 0:
                return cls(text, entries=int(text))
        except ValueError:
            pass
        raise InvalidArgumentError(
            f"capacity must be a number of entries from 1, or a percentage above 0% "
            f"and up to 100%, not {text!r}"
        )

    def of(self, unique_keys: int) -> int:
        """The size in entries for a trace with so many unique keys; at least one."""
        if self.percent is None:
            return self.entries or 1
        return max(1, round(unique_keys * self.percent / 100))


@dataclass(frozen=True)
class Job:
    """One replay to be done.

    Attributes:
        path: File of the trace.
        capacity: Size of the cache.
        strategy: How the cache chooses what to evict.
        options: How to read the trace.
    """

    path: Path
    capacity: Capacity
    strategy: str
    options: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True)
class Cell:
    """One replay done.

    Attributes:
        job: What was asked for.
        trace: Name of the trace.
        unique_keys: How many different keys it asks for.
        entries: The capacity in entries.
        result: What came of it.
        bad_lines: What the trace's file held besides requests.
    """

    job: Job
    trace: str
    unique_keys: int
    entries: int
    result: ReplayResult
    bad_lines: BadLines


@dataclass(frozen=True)
class Failure:
    """One replay that could not be done.

    Attributes:
        job: What was to be replayed.
        reason: Why it could not be, for a person to read.
    """

    job: Job
    reason: str


def plan_jobs(
    paths: Iterable[Path],
    capacities: Sequence[Capacity],
    strategies: Sequence[str],
    options: ReadOptions | None = None,
) -> list[Job]:
    """List the replays of a grid, those of one trace together.

    Args:
        paths: Files of the traces.
        capacities: Sizes of the cache.
        strategies: Eviction strategies.
        options: How to read the traces.

    Returns:
        One job for each trace, capacity and strategy.
    """
    return [
        Job(path, capacity, strategy, options or ReadOptions())
        for path in paths
        for capacity in capacities
        for strategy in strategies
    ]


def run_jobs(jobs: Sequence[Job], processes: int = 1) -> Iterator[Cell | Failure]:
    """Do the replays, several at a time.

    Args:
        jobs: What to replay.
        processes: How many processes to use; 1 stays in this one.

    Yields:
        Each outcome as soon as it is there, in no particular order.

    Raises:
        CacheError: A worker process died.
    """
    if processes <= 1:
        yield from map(_run_job, jobs)
        return
    # Spawned, not forked: the caller may have threads, such as a progress bar's.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)) or 1, mp_context=context) as pool:
        pending: list[Future[Cell | Failure]] = [pool.submit(_run_job, job) for job in jobs]
        try:
            for done in as_completed(pending):
                yield done.result()
        except BrokenProcessPool as error:
            raise CacheError("a replay process died; there may be too little memory") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _run_job(job: Job) -> Cell | Failure:
    try:
        trace = _load(job.path, job.options)
        entries = job.capacity.of(trace.unique_keys)
        result = replay(trace.keys, entries, job.strategy)
    except CacheError as error:
        return Failure(job, str(error))
    return Cell(job, trace.name, trace.unique_keys, entries, result, trace.bad_lines)


@lru_cache(maxsize=1)
def _load(path: Path, options: ReadOptions) -> Trace:
    """The trace a worker reads is mostly the one that it read last."""
    return read_with(path, options)
