"""What a check of histories has found, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Findings"]

_EXAMPLES = 10
_BINS = (0.001, 0.01, 0.1, 1.0)  # seconds


@dataclass
class Findings:
    """What a check has found.

    Attributes:
        operations: how many have ended.
        by_kind: the same, by the name of what was done.
        reads: by level.
        copies: reads that a copy has served, by level.
        violations: by level, and under "writes" what no level excuses.
        stale: reads of something overtaken, by level.
        staleness: of these the seconds, as counts up to each of the bounds.
        stalest: seconds, by level.
        unexplained_misses: strong reads of nothing, where something should have been.
        indeterminate: writes whose outcome is unknown.
        examples: the first violations, for a person to read.
    """

    operations: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    stale: Counter[str] = field(default_factory=Counter)
    staleness: Counter[str] = field(default_factory=Counter)
    stalest: dict[str, float] = field(default_factory=dict)
    unexplained_misses: int = 0
    indeterminate: int = 0
    examples: list[str] = field(default_factory=list)

    def violation(self, level: str, what: str) -> None:
        """Count a violation."""
        self.violations[level] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{level}: {what}")

    def note_stale(self, level: str, seconds: float) -> None:
        """Count a read of something that had been overtaken for some time."""
        self.stale[level] += 1
        self.stalest[level] = max(seconds, self.stalest.get(level, 0.0))
        bound = next((one for one in _BINS if seconds <= one), None)
        self.staleness["over 1000 ms" if bound is None else f"up to {bound * 1000:g} ms"] += 1
