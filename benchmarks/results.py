"""From samples to figures: medians, spreads, and ratios within rounds."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.timing import CPU_TIME, Outcome


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles and extremes."""

    median: float
    lower: float
    upper: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Summarise at least one figure."""
        ordered = sorted(figures)
        middle = statistics.median(ordered)
        lower = upper = middle
        if len(ordered) > 1:
            lower, _, upper = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(middle, lower, upper, ordered[0], ordered[-1], len(ordered))


@dataclass
class Measured:
    """All that was measured of one case, over its processes.

    Args:
        case: Its name.
        samples: By subject, figures in the order of rounds, process by process.
        facts: By name and subject, the median over processes.
        failures: By subject, why it has no samples.
    """

    case: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def pool(cls, case: str, outcomes: Sequence[Outcome]) -> Measured:
        """Put the outcomes of several processes together.

        A subject that failed in any of them has no samples, as its rounds
        would no longer line up with those of the others.
        """
        measured = cls(case)
        for outcome in outcomes:
            measured.failures.update(outcome.failures)
        for outcome in outcomes:
            for name, figures in outcome.samples.items():
                if name not in measured.failures:
                    measured.samples.setdefault(name, []).extend(figures)
        for name in dict.fromkeys(name for outcome in outcomes for name in outcome.facts):
            of_all = [outcome.facts.get(name, {}) for outcome in outcomes]
            subjects = dict.fromkeys(subject for facts in of_all for subject in facts)
            measured.facts[name] = {
                subject: statistics.median(facts[subject] for facts in of_all if subject in facts)
                for subject in subjects
            }
        return measured

    def spread(self, subject: str) -> Spread | None:
        """Return the spread of a subject's samples, or None if it has none."""
        figures = self.samples.get(subject)
        return Spread.of(figures) if figures else None

    def ratio(self, subject: str, reference: str, overhead: str | None = None) -> Spread | None:
        """Compare two subjects round by round.

        Args:
            subject: The dividend.
            reference: The divisor.
            overhead: A subject to subtract from both first, if it was measured.

        Returns:
            The spread of the rounds' ratios, or None if either has no samples.
        """
        pairs = self._rounds(subject, reference)
        if overhead in self.samples and pairs:
            idle = self.samples[overhead]
            pairs = [(a - idle[n], b - idle[n]) for n, (a, b) in enumerate(pairs)]
        return Spread.of(a / b for a, b in pairs if b > 0) if pairs else None

    def difference(self, subject: str, reference: str) -> Spread | None:
        """Subtract a reference from a subject round by round; see `ratio`."""
        pairs = self._rounds(subject, reference)
        return Spread.of(a - b for a, b in pairs) if pairs else None

    def _rounds(self, subject: str, reference: str) -> list[tuple[float, float]]:
        mine, theirs = self.samples.get(subject), self.samples.get(reference)
        return list(zip(mine, theirs, strict=True)) if mine and theirs else []

    def to_json(self, references: Sequence[str], overhead: str) -> dict[str, Any]:
        """Return the figures as they are written to a file."""
        subjects: dict[str, Any] = {}
        for name in self.samples:
            entry: dict[str, Any] = {"figure": _rounded(self.spread(name))}
            for reference in references:
                entry[f"ratio to {reference}"] = _rounded(self.ratio(name, reference))
                net = self.ratio(name, reference, overhead) if overhead in self.samples else None
                entry[f"ratio to {reference}, loop subtracted"] = net and round(net.median, 4)
            for fact, values in self.facts.items():
                if name in values:
                    entry[fact] = round(values[name], 4)
            subjects[name] = {key: value for key, value in entry.items() if value is not None}
        return {"subjects": subjects, "failures": self.failures}


def _rounded(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {key: round(value, 3) for key, value in asdict(spread).items()}


def environment() -> dict[str, Any]:
    """Describe what was measured on, without naming the machine or its paths."""
    scrubjay = peers.load("scrubjay")
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "clock": "processor time" if CPU_TIME else "wall time",
        "pinned": hasattr(os, "sched_setaffinity"),
        "scrubjay_compiled": getattr(scrubjay, "compiled", None),
        "packages": peers.versions(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "unknown")


def file_name(date: str, described: dict[str, Any]) -> str:
    """Return a name for a result file that tells Python and CPU, not the machine."""
    major, minor = sys.version_info[:2]
    threading = "t" if described["free_threaded"] else ""
    return f"{date}-{sys.implementation.name}{major}.{minor}{threading}-{platform.machine()}"
