"""What loading has cost."""

from __future__ import annotations


class Loads:
    """Counts of loader calls."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.seconds = 0.0
        self.stale = 0  # old values that were served

    def record(self, seconds: float, failed: bool) -> None:
        """Count one call of a loader, and the seconds that it took."""
        self.count += 1
        self.seconds += seconds
        if failed:
            self.errors += 1
