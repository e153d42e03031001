"""Timed loops, and rounds of them in turn: the method every speed case shares.

A loop is compiled from a template for each subject separately. The subjects
thus run the same shape of code and differ in one statement, and none of them
shares its bytecode with another: the interpreter specialises bytecode in place,
so a shared loop would be tuned to whichever type ran first.

Subjects are measured in turn, A B C A B C, and compared within a round. Drift
of the machine (frequency, neighbours) then hits a subject and its reference
alike and cancels in their ratio.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import get_clock_info, perf_counter_ns, process_time_ns
from typing import Any

CPU_TIME = get_clock_info("process_time").resolution <= 1e-6
"""Whether processor time is read finely enough here to be the clock.

It leaves out what other processes of the machine take away in between, and counts
what threads of this one do in the background.
"""
LOOP_OVERHEAD = "(empty loop)"
WARM_UP_ROUNDS = 2

_LOOP = """
{define} loop(cache, keys):
    start = clock()
    for k in keys:
        {statement}
    return clock() - start
"""

Loop = Callable[[Any, Sequence[Any]], int]
AsyncLoop = Callable[[Any, Sequence[Any]], Coroutine[Any, Any, int]]
Measure = Callable[[int], float]
"""Takes the round's number, prepares untimed, returns nanoseconds per operation."""


@dataclass(frozen=True)
class Scale:
    """How much to measure.

    Args:
        quick: Whether this is a smoke run, whose figures mean nothing.
    """

    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return ``quick`` in a smoke run, ``full`` otherwise."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Subject:
    """One thing to measure in a case.

    Args:
        name: Its name in tables.
        prepare: Builds and fills what is measured, untimed.
    """

    name: str
    prepare: Callable[[], Measure]


@dataclass
class Outcome:
    """What one process measured in one case.

    Args:
        samples: By subject, one figure a round, in the case's unit.
        facts: By name and subject, figures that are not timings (hit ratios).
        failures: By subject, the error that ended its measurement.
    """

    samples: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def compile_loop(statement: str, **names: object) -> Loop:
    """Compile a timed loop around one statement.

    Args:
        statement: Source using ``cache`` and ``k``, on one or more lines.
        names: Further names that the statement uses.

    Returns:
        ``loop(cache, keys)``, which returns nanoseconds.
    """
    loop: Loop = compile_source(_source("def", statement), **names)
    return loop


def compile_async_loop(statement: str, **names: object) -> AsyncLoop:
    """Compile a timed loop around one statement that awaits; see `compile_loop`."""
    loop: AsyncLoop = compile_source(_source("async def", statement), **names)
    return loop


def compile_source(source: str, **names: object) -> Any:
    """Compile the source of a function ``loop`` that no other subject shares.

    Args:
        source: Defines ``loop``; may call ``clock()``, in nanoseconds.
        names: Names that the source uses; ``clock`` may be among them.
    """
    namespace: dict[str, Any] = {"clock": process_time_ns if CPU_TIME else perf_counter_ns, **names}
    exec(source, namespace)  # noqa: S102 - the source is built from our own templates
    return namespace["loop"]


def _source(define: str, statement: str) -> str:
    return _LOOP.format(define=define, statement=statement.replace("\n", "\n        "))


def empty_loop(keys: Sequence[Any]) -> Subject:
    """Return a subject that measures the loop itself, to be seen beside the rest."""
    loop = compile_loop("pass")
    return Subject(LOOP_OVERHEAD, lambda: lambda _: loop(None, keys) / len(keys))


def interleave(subjects: Sequence[Subject], rounds: int) -> Outcome:
    """Measure all subjects in turn, round by round.

    A subject that raises is reported and left out; the others go on.

    Args:
        subjects: What to measure, in this order within each round.
        rounds: Rounds that count; `WARM_UP_ROUNDS` more come first.

    Returns:
        Nanoseconds per operation, by subject and round.
    """
    outcome = Outcome()
    measures: dict[str, Measure] = {}
    for subject in subjects:
        try:
            measures[subject.name] = subject.prepare()
        except Exception as error:
            outcome.failures[subject.name] = describe(error)
    taken: dict[str, list[float]] = {name: [] for name in measures}
    with collector_at_rest():
        for number in range(rounds + WARM_UP_ROUNDS):
            for name, measure in measures.items():
                if name in outcome.failures:
                    continue
                try:
                    taken[name].append(measure(number))
                except Exception as error:
                    outcome.failures[name] = describe(error)
            gc.collect()
    for name, figures in taken.items():
        if name not in outcome.failures:
            outcome.samples[name] = figures[WARM_UP_ROUNDS:]
    return outcome


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Turn the garbage collector off, and hide from it what is alive by now.

    Without the latter each collection between rounds would walk every cache,
    millions of entries, and leave the CPU's caches full of them.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def describe(error: Exception) -> str:
    """Return an error as one line for the report."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def pin() -> bool:
    """Keep this process on one CPU, where the system can.

    Returns:
        Whether it is pinned.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True
