"""Replaying many traces at many capacities under many strategies, in parallel."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from math import inf
from pathlib import Path

from scrubjay.errors import CacheError
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.contest import OPTIMUM, compete, is_foreign
from scrubjay.lab.model import BadLines, ReadOptions, Trace, TraceError
from scrubjay.lab.replay import ReplayResult, replay_chunks
from scrubjay.lab.traces import read_with, stream_trace
from scrubjay.lab.workers import Died, run_tasks


@dataclass(frozen=True)
class Job:
    """One replay to be done.

    Attributes:
        path: file of the trace.
        capacity: size of the cache.
        strategy: how the cache chooses what to evict.
        options: how to read the trace.
        stream: whether to read it in chunks, so that it may be larger than memory.
        sessions: whether the cache is told the clients as the sessions that ask.
    """

    path: Path
    capacity: Capacity
    strategy: str
    options: ReadOptions = field(default_factory=ReadOptions)
    stream: bool = False
    sessions: bool = True


@dataclass(frozen=True)
class Cell:
    """One replay done.

    Attributes:
        job: what was asked for.
        trace: name of the trace.
        unique_keys: how many different keys it asks for.
        amount: the capacity in entries, or in bytes.
        objects: about how many objects find room, in entries the same.
        result: what came of it.
        bad_lines: what the trace's file held besides requests.
    """

    job: Job
    trace: str
    unique_keys: int
    amount: int
    objects: float
    result: ReplayResult
    bad_lines: BadLines


@dataclass(frozen=True)
class Totals:
    """What a whole trace comes to.

    Attributes:
        name: name of the trace.
        unique_keys: how many different keys it asks for.
        unique_bytes: the sum of their sizes.
        bad_lines: what its file held besides requests.
    """

    name: str
    unique_keys: int
    unique_bytes: int
    bad_lines: BadLines


@dataclass(frozen=True)
class Failure:
    """One replay that could not be done.

    Attributes:
        job: what was to be replayed.
        reason: why it could not be, for a person to read.
    """

    job: Job
    reason: str


def plan_jobs(
    paths: Iterable[Path],
    capacities: Sequence[Capacity],
    strategies: Sequence[str],
    options: ReadOptions | None = None,
    *,
    stream: bool = False,
    sessions: bool = True,
) -> list[Job]:
    """List the replays of a grid, those of one trace together.

    Args:
        paths: files of the traces.
        capacities: sizes of the cache.
        strategies: eviction strategies.
        options: how to read the traces.
        stream: whether to read them in chunks.
        sessions: whether the cache is told the clients as the sessions that ask.

    Returns:
        One job for each trace, capacity and strategy.
    """
    return [
        Job(path, capacity, strategy, options or ReadOptions(), stream, sessions)
        for path in paths
        for capacity in capacities
        for strategy in strategies
    ]


def run_jobs(
    jobs: Sequence[Job], processes: int = 1, timeout_seconds: float = inf
) -> Iterator[Cell | Failure]:
    """Do the replays, several at a time.

    Args:
        jobs: what to replay.
        processes: how many processes to use; 1 stays in this one, unless a
            policy is not ours and might crash.
        timeout_seconds: how long a replay under a policy that is not ours may
            take; some of them hang on some traces.

    Yields:
        Each outcome as soon as it is there, in no particular order.  A worker
        process that dies costs the replay that it was at.
    """
    if processes <= 1 and not any(is_foreign(job.strategy) for job in jobs):
        yield from map(_run_job, jobs)
        return

    def patience(job: Job) -> float:
        return timeout_seconds if is_foreign(job.strategy) else inf

    for job, outcome in run_tasks(_run_job, jobs, processes, patience):
        if isinstance(outcome, Died):
            reason = f"{job.path.name} at {job.capacity.text}: {job.strategy}: {outcome}"
            yield Failure(job, reason)
        else:
            yield outcome


def _run_job(job: Job) -> Cell | Failure:
    try:
        return _replay_chunks(job) if job.stream else _replay_whole(job)
    except CacheError as error:
        return Failure(job, str(error))
    except MemoryError:
        return Failure(job, f"{job.path}: there is too little memory; it may be streamed")


def _replay_whole(job: Job) -> Cell:
    trace = load_trace(job.path, job.options)
    in_bytes = job.capacity.in_bytes
    if in_bytes and trace.sizes is None:
        raise TraceError(f"{job.path}: a capacity in bytes needs a trace with sizes")
    amount = job.capacity.of(trace.unique_bytes if in_bytes else trace.unique_keys)
    result = compete(trace, amount, job.strategy, in_bytes=in_bytes, sessions=job.sessions)
    totals = Totals(trace.name, trace.unique_keys, trace.unique_bytes, trace.bad_lines)
    return _make_cell(job, totals, amount, result)


def _replay_chunks(job: Job) -> Cell:
    if job.strategy == OPTIMUM or is_foreign(job.strategy):
        raise TraceError(f"{job.path}: {job.strategy} needs the whole trace, and cannot stream")
    totals = _count(job.path, job.options)
    in_bytes = job.capacity.in_bytes
    amount = job.capacity.of(totals.unique_bytes if in_bytes else totals.unique_keys)
    chunks = stream_trace(job.path, job.options)
    result = replay_chunks(chunks, amount, job.strategy, in_bytes=in_bytes, sessions=job.sessions)
    return _make_cell(job, totals, amount, result)


def _make_cell(job: Job, totals: Totals, amount: int, result: ReplayResult) -> Cell:
    objects = float(amount)
    if job.capacity.in_bytes:
        objects *= totals.unique_keys / (totals.unique_bytes or 1)
    return Cell(job, totals.name, totals.unique_keys, amount, objects, result, totals.bad_lines)


@lru_cache(maxsize=1)
def load_trace(path: Path, options: ReadOptions) -> Trace:
    """Read a trace, or return the one that was read last, which it mostly is.

    Args:
        path: its file.
        options: how to read it.

    Returns:
        The trace.

    Raises:
        TraceError: see `read_trace`.
    """
    return read_with(path, options)


@lru_cache(maxsize=16)
def _count(path: Path, options: ReadOptions) -> Totals:
    """What a capacity in percent needs to know; one reading, and a set of the keys."""
    first_sizes: dict[Hashable, int] = {}
    bad = BadLines()
    name = path.name
    for chunk in stream_trace(path, options):
        name, bad = chunk.name, bad.merged(chunk.bad_lines)
        for key, size in zip(chunk.keys, chunk.sizes or repeat(1), strict=False):
            first_sizes.setdefault(key, size)
    if not first_sizes:
        raise TraceError(f"{path}: there is no request in it")
    return Totals(name, len(first_sizes), sum(first_sizes.values()), bad)
