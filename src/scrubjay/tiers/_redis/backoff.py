"""When to try again to connect."""

from __future__ import annotations

import random

_SPREAD = 0.5  # a delay is between this share of the full one and all of it


class Backoff:
    """Delays that double with each failure, with jitter so that clients do not come at once.

    Args:
        first_seconds: the delay after the first failure.
        most_seconds: the longest delay.
        draw: a random number from 0 up to 1.
    """

    def __init__(
        self,
        first_seconds: float = 0.05,
        most_seconds: float = 5.0,
        draw: random.Random | None = None,
    ) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._draw = random.Random() if draw is None else draw
        self._failures = 0
        self._until = 0.0
        #: why it was tried in vain the last time
        self.reason = ""

    def left(self, now: float) -> float:
        """Return the seconds until it may be tried; zero or less if it may be now."""
        return self._until - now if self._failures else 0.0

    def failed(self, now: float, reason: str = "") -> None:
        """Note that it was tried in vain, and why."""
        self.reason = reason
        full = min(self._most, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self._until = now + full * (_SPREAD + (1.0 - _SPREAD) * self._draw.random())

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
