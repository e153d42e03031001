"""When to fetch nothing: after loads that failed, or that take much longer than usual."""

from __future__ import annotations

FAILURES = 4  # in a row, after which there is a pause
SLOWER = 3.0  # times the usual time of a load that loads take longer, likewise
NOTICEABLE = 0.02  # seconds that they take longer at least
FEWEST = 16.0  # loads until it is known what is usual
USUAL = 256.0  # loads over which that is averaged
RECENT = 8.0  # and over which the present time is
SILENCE = 256  # accesses that the first pause lasts
LONGEST_SILENCE = 1 << 14


class Pauses:
    """How long loads take, how many have failed, and until when there is a pause."""

    def __init__(self) -> None:
        self.failed_in_a_row = 0
        self.until = 0  # in accesses
        self.silence = SILENCE
        self.usual_seconds = 0.0
        self.recent_seconds = 0.0
        self.timed = 0.0

    def time(self, seconds: float, now: int) -> None:
        """Learn how long a load takes; make a pause when that becomes much longer."""
        self.failed_in_a_row = 0
        if self.timed < USUAL:
            self.timed += 1.0
        self.usual_seconds += (seconds - self.usual_seconds) / self.timed
        self.recent_seconds += (seconds - self.recent_seconds) / RECENT
        slower = self.recent_seconds - self.usual_seconds
        if self.timed >= FEWEST and slower > max(NOTICEABLE, SLOWER * self.usual_seconds):
            self.begin(now)
            self.recent_seconds = self.usual_seconds
        elif self.silence > SILENCE and self.recent_seconds < 2.0 * self.usual_seconds:
            self.silence //= 2

    def succeed(self) -> None:
        """Learn that a load did not fail."""
        self.failed_in_a_row = 0

    def fail(self, now: int) -> None:
        """Learn that a load failed; make a pause when several did in a row."""
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= FAILURES:
            self.begin(now)

    def begin(self, now: int) -> None:
        """Make a pause, each time twice as long as before."""
        self.until = now + self.silence
        if self.silence < LONGEST_SILENCE:
            self.silence *= 2
