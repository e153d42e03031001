"""Looks now and then whether the copies of every coherent cache are still told of changes.

One daemon thread serves all caches of a process and holds none alive. A connection that is
silent, or whose event loop runs no more, tells of nothing: what was read by it goes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol
from weakref import WeakKeyDictionary

_log = logging.getLogger("scrubjay")
_LEAST = 0.05  # seconds between two looks, where nothing is due before
_SHORTEST = 0.001
_LONGEST = 3600.0  # the system waits for no number of seconds that is too large


class Kept(Protocol):
    """What it looks after."""

    def look_after(self, now: float) -> float:
        """Give up what nobody would tell of; return when to look again, at the latest."""


class Keeper:
    """The thread, and what it looks after."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may come here in the midst
        self._kept: WeakKeyDictionary[Kept, float] = WeakKeyDictionary()
        self._thread: threading.Thread | None = None
        # Of all that wakes a thread this one may be used by a finalizer that runs within it.
        self._newcomers: SimpleQueue[None] = SimpleQueue()

    def watch(self, one: Kept, seconds: float) -> None:
        """Look after something at least once in so many seconds."""
        with self._lock:
            self._kept[one] = seconds
            self._newcomers.put(None)
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = thread = threading.Thread(
                target=self._run, name="scrubjay-keeper", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the interpreter is shutting down
                self._thread = None

    def _run(self) -> None:
        while True:
            with self._lock:
                kept = dict(self._kept)
                if not kept:
                    self._thread = None
                    return
            due = time.monotonic() + max(_LEAST, min(kept.values()))
            for one in kept:
                try:
                    due = min(due, one.look_after(time.monotonic()))
                except BaseException:  # `SystemExit` of a listener, say: others need the thread
                    _log.exception("looking after copies failed")
            del kept, one
            pause = min(_LONGEST, max(_SHORTEST, due - time.monotonic()))
            with suppress(Empty):
                self._newcomers.get(timeout=pause)

    def after_fork(self) -> None:
        """Begin anew in a child, where the thread is not."""
        self._lock = threading.RLock()
        self._thread = None
        self._newcomers = SimpleQueue()
        if len(self._kept):
            self._start()


keeper = Keeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=keeper.after_fork)
