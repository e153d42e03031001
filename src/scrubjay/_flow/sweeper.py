"""Collects expired entries of every cache of the process, without being asked.

One daemon thread serves all caches. It is started by the first entry that expires, looks
at least once a second while any do, and holds no cache alive.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Protocol
from weakref import WeakSet

_log = logging.getLogger("scrubjay")
_LONGEST = 1.0  # seconds between two looks: a new entry may expire sooner than all others
_SHORTEST = 0.02
_BATCH = 256  # entries between two chances for other threads


class Expiring(Protocol):
    """A cache with entries that expire."""

    swept: bool

    def collect(self, now: float, exactly: bool, most: int) -> int:
        """Take up to `most` expired entries out."""

    def next_expiry(self) -> float:
        """Return when to look again, in monotonic seconds, or infinity."""


class Sweeper:
    """The thread and the caches that it looks after."""

    def __init__(self) -> None:
        # Reentrant: the garbage collector may run a finalizer that stores an entry here.
        self._lock = threading.RLock()
        self._caches: WeakSet[Expiring] = WeakSet()
        self._thread: threading.Thread | None = None

    def watch(self, cache: Expiring) -> None:
        """Look after a cache until none of its entries expires."""
        with self._lock:
            cache.swept = True
            self._caches.add(cache)
            self._start()

    def _start(self) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name="scrubjay-sweeper", daemon=True)
        if self._thread is None:  # still: making one may have let a finalizer in
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # the interpreter is shutting down: all entries go anyway
                self._thread = None

    def _run(self) -> None:
        while True:
            soonest = self._sweep_all()
            with self._lock:
                if not len(self._caches):
                    self._thread = None
                    return
            time.sleep(min(_LONGEST, max(_SHORTEST, soonest - time.monotonic())))

    def _sweep_all(self) -> float:
        with self._lock:
            caches = list(self._caches)
        soonest = float("inf")
        for cache in caches:
            try:
                while cache.collect(time.monotonic(), False, _BATCH) == _BATCH:
                    time.sleep(0)
                due = cache.next_expiry()
            except BaseException:  # `SystemExit` of a listener, say: others need the thread
                _log.exception("collecting expired entries failed")
                due = float("inf")
            if due == float("inf"):
                self._dismiss(cache)
            soonest = min(soonest, due)
        return soonest

    def _dismiss(self, cache: Expiring) -> None:
        with self._lock:
            self._caches.discard(cache)
            cache.swept = False
        if cache.next_expiry() != float("inf"):  # an entry came in between
            self.watch(cache)

    def after_fork(self) -> None:
        """Begin anew in a child process, where the thread is not."""
        self._lock = threading.RLock()
        self._thread = None
        if len(self._caches):
            self._start()


sweeper = Sweeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=sweeper.after_fork)
