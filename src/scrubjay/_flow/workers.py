"""A few threads for work that nobody waits for: started when there is some, ended when not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from weakref import WeakSet

_log = logging.getLogger("scrubjay")
_IDLE = 5.0  # seconds without work after which a thread ends

Job = Callable[[], object]


class Workers:
    """Threads that do jobs in the order in which they come, each in an empty context.

    The queue may be used from finalizers, at any moment; the lock is only held to count
    threads.

    Args:
        most: threads at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = 0
        self._starting = 0
        self._idle = 0

    def submit(self, job: Job) -> None:
        """Have a job done soon. What it raises is logged.

        Raises:
            RuntimeError: no thread can be started, and there is none.
        """
        with self._lock:
            room = self._most - self._threads - self._starting
            if room <= 0 or self._jobs.qsize() < self._idle:
                self._jobs.put(job)
                return
            self._starting += 1
        # Not under the lock: a finalizer that runs in here may wait for a job of its own.
        started = True  # also if it is interrupted on its way
        try:
            thread = threading.Thread(
                target=self._run, args=([job],), name="scrubjay-worker", daemon=True
            )
            thread.start()
        except RuntimeError:
            started = False
            if not self._threads:
                raise
            self._jobs.put(job)
        finally:
            with self._lock:
                self._starting -= 1
                self._threads += started

    def close(self) -> None:
        """Let threads that are idle end now, and the others once they are."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _run(self, first: list[Job]) -> None:
        job: Job | None = first.pop()  # or the thread would hold it until it ends
        while True:
            if job is not None:
                try:
                    job()
                except BaseException:  # `SystemExit` of a loader, say: the thread is reckoned with
                    _log.exception("work in the background failed")
                finally:
                    del job
            with self._lock:
                self._idle += 1
            try:
                job = self._jobs.get(timeout=_IDLE)
                ending = job is None
            except Empty:
                job = None
                ending = True
            with self._lock:
                self._idle -= 1
                if ending and self._jobs.empty():  # else somebody reckons with this thread
                    self._threads -= 1
                    return

    def after_fork(self) -> None:
        """Begin anew in a child process, where the threads are not."""
        self._renew()


_all: WeakSet[Workers] = WeakSet()


def _after_fork() -> None:
    for workers in list(_all):
        workers.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
