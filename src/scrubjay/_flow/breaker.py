"""A circuit breaker: what fails again and again is left alone, and tried now and then."""

from __future__ import annotations

import threading
from enum import Enum
from typing import Protocol


class Monotonic(Protocol):
    """Tells the time."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class BreakerState(Enum):
    """Whether calls are let through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one, whose outcome decides


class Breaker:
    """Lets calls through until several in a row have failed, then one at a time.

    After `failures` it opens for `retry_seconds`; then one call is let through. If that
    fails, it opens for twice as long as before, up to `longest_seconds`; if it succeeds,
    all are let through again. May be shared by threads.

    Args:
        clock: tells the time.
        failures: that many in a row open it.
        retry_seconds: how long it is open at first.
        longest_seconds: how long it is open at most.
    """

    def __init__(
        self,
        clock: Monotonic,
        failures: int = 3,
        retry_seconds: float = 1.0,
        longest_seconds: float = 30.0,
    ) -> None:
        self._clock = clock
        self._most = failures
        self._first = retry_seconds
        self._longest = longest_seconds
        self._pause = retry_seconds
        self._failed = 0
        self._until: float | None = None  # when a call may be tried; None while closed
        self._trying = False
        self._lock = threading.RLock()  # a finalizer may come here in the midst

    @property
    def state(self) -> BreakerState:
        """The state as it is now."""
        if self._until is None:
            return BreakerState.CLOSED
        if self._trying or self._clock.monotonic() >= self._until:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    @property
    def untroubled(self) -> bool:
        """Whether nothing has failed since a call went well, or ever."""
        return self._until is None and not self._failed

    def admits(self) -> bool:
        """Tell whether a call may be made; if so, its outcome must be told."""
        if self._until is None:
            return True
        with self._lock:
            if self._until is None:
                return True
            if self._trying or self._clock.monotonic() < self._until:
                return False
            self._trying = True
            return True

    def succeeded(self) -> bool:
        """Note that a call went well; tell whether that has closed the breaker."""
        if self._until is None and not self._failed:
            return False
        with self._lock:
            closed = self._until is not None
            self._until = None
            self._failed = 0
            self._trying = False
            self._pause = self._first
            return closed

    def failed(self) -> bool:
        """Note that a call failed; tell whether that has opened the breaker."""
        with self._lock:
            self._failed += 1
            if self._until is None:
                if self._failed < self._most:
                    return False
                self._until = self._clock.monotonic() + self._pause
                return True
            if self._trying:
                self._trying = False
                self._pause = min(2.0 * self._pause, self._longest)
                self._until = self._clock.monotonic() + self._pause
            return False

    def gave_up(self) -> None:
        """Note that a call ended without an outcome."""
        with self._lock:
            self._trying = False

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._lock = threading.RLock()
        self._trying = False
