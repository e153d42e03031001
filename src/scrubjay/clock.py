"""Time, from the system or by hand."""

from __future__ import annotations

import time
from typing import Protocol

from scrubjay import arguments
from scrubjay.errors import InvalidArgumentError

__all__ = ["Clock", "ManualClock"]


class Clock(Protocol):
    """Where a cache gets the time from.

    The background thread that collects expired entries waits in the system's time; it
    leaves caches with a clock of their own alone. What has expired is not served there
    either, and goes when room is needed or by `Cache.purge_expired`.
    """

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def time(self) -> float:
        """Return seconds since the epoch."""


class SystemClock:
    """The system's own clock."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()


class ManualClock:
    """A clock that stands until it is advanced, for tests.

    Args:
        start: the monotonic time at first, in seconds.
        epoch: the wall time at first, in seconds since the epoch; now if not given.

    Raises:
        InvalidArgumentError: a time is not a finite number.
    """

    def __init__(self, start: float = 0.0, epoch: float | None = None) -> None:
        self._now = arguments.number("start", start)
        wall = time.time() if epoch is None else arguments.number("epoch", epoch)
        self._offset = wall - self._now

    def monotonic(self) -> float:
        """Return the seconds advanced so far, plus the start."""
        return self._now

    def time(self) -> float:
        """Return seconds since the epoch, moving with the monotonic time."""
        return self._now + self._offset

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: how much, not negative.

        Raises:
            InvalidArgumentError: the time would go back, or to no finite time.
        """
        passed = arguments.number("seconds", seconds)
        if passed < 0.0:
            raise InvalidArgumentError(f"seconds: {seconds!r} would turn the clock back")
        self._now += passed
