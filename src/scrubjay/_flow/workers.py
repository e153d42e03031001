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
    threads and to start one.

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
        self._idle = 0

    def submit(self, job: Job) -> None:
        """Have a job done soon. What it raises is logged.

        Raises:
            RuntimeError: no thread can be started, and there is none.
        """
        with self._lock:
            if self._threads < self._most and self._jobs.qsize() >= self._idle:
                self._threads += 1
                thread = threading.Thread(target=self._run, name="scrubjay-worker", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    self._threads -= 1
                    if not self._threads:
                        raise
            self._jobs.put(job)

    def close(self) -> None:
        """Let threads that are idle end now, and the others once they are."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _run(self) -> None:
        while True:
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
            if job is not None:
                try:
                    job()
                except BaseException:  # `SystemExit` of a loader, say: the thread is reckoned with
                    _log.exception("work in the background failed")
                finally:
                    del job

    def after_fork(self) -> None:
        """Begin anew in a child process, where the threads are not."""
        self._renew()


_all: WeakSet[Workers] = WeakSet()


def _after_fork() -> None:
    for workers in list(_all):
        workers.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
