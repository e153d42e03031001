"""Worker processes that may die without taking the others' work with them.

An executor of the standard library is broken for good when one of its
processes dies.  Policies of other libraries are foreign native code and do
die, so here a dead worker costs the one task it had, and is replaced.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Generic, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Died:
    """What there is instead of a result when a worker died.

    Attributes:
        exit_code: the status of the process; negative for a signal.
        overdue: whether it was stopped because it took too long.
    """

    exit_code: int | None
    overdue: bool = False

    def __str__(self) -> str:
        if self.overdue:
            return "it took too long and was stopped"
        if self.exit_code is not None and self.exit_code < 0:
            return f"its process died of signal {-self.exit_code}"
        return f"its process ended with status {self.exit_code}"


class _Worker(Generic[T, R]):
    """One process, and the task it has at present."""

    def __init__(self, function: Callable[[T], R], task: T) -> None:
        # Spawned, not forked: the caller may have threads, such as a progress bar's.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_work, args=(function, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.give(task)

    def give(self, task: T) -> None:
        """Have the next task done."""
        self.task = task
        self.since = monotonic()
        # One that died while idle is found out when its result is waited for.
        with suppress(OSError):
            self.connection.send(task)

    def result(self) -> R | Died:
        """The result of the task; waits for it."""
        try:
            result: R = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Died(self.process.exitcode)
        return result

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self.process.terminate()
        self.process.join()
        self.connection.close()


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    processes: int,
    seconds: Callable[[T], float] = lambda _: inf,
) -> Iterator[tuple[T, R | Died]]:
    """Do tasks in worker processes.

    Args:
        function: what to do; must be importable by name, and raise nothing.
        tasks: what to do it to.
        processes: how many processes to use.
        seconds: how long a task may take.

    Yields:
        Each task and its result, as soon as it is there.
    """
    waiting = deque(tasks)
    busy: dict[Connection, _Worker[T, R]] = {}
    try:
        while waiting and len(busy) < processes:
            _start(function, waiting, busy)
        while busy:
            worker, overdue = _next_worker(busy, seconds)
            task = worker.task
            result = Died(None, overdue=True) if overdue else worker.result()
            if not isinstance(result, Died) and waiting:
                worker.give(waiting.popleft())
                busy[worker.connection] = worker
            else:
                worker.stop()
                if waiting:
                    _start(function, waiting, busy)
            yield task, result
    finally:
        for worker in busy.values():
            worker.stop()


def _next_worker(
    busy: dict[Connection, _Worker[T, R]], seconds: Callable[[T], float]
) -> tuple[_Worker[T, R], bool]:
    """Wait for a worker that is done, or overdue; it is busy no more."""
    while True:
        due = {place: worker.since + seconds(worker.task) for place, worker in busy.items()}
        patience = min(due.values()) - monotonic()
        if ready := wait(list(busy), None if patience == inf else max(0, patience)):
            return busy.pop(cast("Connection", ready[0])), False
        first = min(due, key=due.__getitem__)
        if due[first] <= monotonic():
            return busy.pop(first), True


def _start(
    function: Callable[[T], R], waiting: deque[T], busy: dict[Connection, _Worker[T, R]]
) -> None:
    worker = _Worker(function, waiting.popleft())
    busy[worker.connection] = worker


def _work(function: Callable[[T], R], connection: Connection) -> None:
    """The life of a worker."""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            connection.send(function(connection.recv()))
