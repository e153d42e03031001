"""The monotonic clock, read exactly or cheaply.

An exact reading costs about as much as a whole lookup. Linux also keeps the time of its
last timer tick (``CLOCK_MONOTONIC_COARSE``), which costs a tenth of that and is a few
milliseconds old. Both count from the same origin as `time.monotonic`.
"""

from __future__ import annotations

from time import monotonic

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:

    def scrubjay_clock(coarse: int) -> float:
        """Return a negative time: the C clock is not there."""
        return -1.0


class Ticks:
    """The system's monotonic clock in seconds."""

    def exact(self) -> float:
        """Return the time."""
        now = scrubjay_clock(0)
        if now < 0.0:
            now = monotonic()
        return now

    def coarse(self) -> float:
        """Return the time of the last timer tick: a few milliseconds old, and cheap."""
        now = scrubjay_clock(1)
        if now < 0.0:
            now = monotonic()
        return now
