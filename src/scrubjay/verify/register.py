"""Whether what was read of one register keeps the levels: a key's versions, or a tag's.

Sorting apart, each operation costs a search in a list (Gibbons and Korach 1997 have shown the
problem to be easy where it is known which write a read has seen).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate

from scrubjay.verify.findings import Findings
from scrubjay.verify.history import EVENTUAL, LEVELS, MONOTONIC, STRONG, Event

__all__ = ["Observations", "Pauses", "check_register"]

SLACK = 0.05  # seconds between clocks: the wall's and the monotonic one, the server's and ours


class Observations:
    """Reads of one register, packed: there are millions."""

    def __init__(self) -> None:
        self.levels = array("B")
        self.sessions = array("i")
        self.starts = array("d")
        self.ends = array("d")
        self.versions = array("Q")
        self.processes = array("H")

    def add(self, event: Event, version: int) -> None:
        """Add what a read has seen of the register."""
        self.levels.append(event.level)
        self.sessions.append(event.session)
        self.starts.append(event.start)
        self.ends.append(event.end)
        self.versions.append(version)
        self.processes.append(event.process)


class Pauses:
    """When processes stood still, for whom no time has passed.

    Args:
        pauses: from when to when, by the number of the process. For those that look at the
            time with each read there is no need to make allowances: leave it out.
    """

    def __init__(self, pauses: Mapping[int, Sequence[tuple[float, float]]] | None = None) -> None:
        self._of = {} if pauses is None else pauses

    def within(self, process: int, start: float, end: float) -> float:
        """Return how many seconds of a time a process stood still."""
        pauses = self._of.get(process, ())
        return sum(max(0.0, min(end, until) - max(start, since)) for since, until in pauses)


def check_register(
    name: str,
    writes: list[Event],
    reads: Observations,
    bound: float,
    pauses: Pauses,
    findings: Findings,
) -> None:
    """Check what was read of one register.

    Args:
        name: of the register, for people.
        writes: those that have ended.
        reads: what was read.
        bound: the seconds by which a read at EVENTUAL may be behind.
        pauses: when processes stood still.
        findings: where it is counted.
    """
    by_version = sorted(writes, key=lambda write: write.version)
    versions = [write.version for write in by_version]
    # For each version: when the first of all later writes had ended.
    overtaken = list(accumulate((write.end for write in reversed(by_version)), min))[::-1]
    acknowledged = [(write.end, write.version) for write in writes]
    ends, floors = _floors(acknowledged)
    for write in writes:
        at = bisect_left(ends, write.start)
        if at and floors[at - 1] >= write.version:
            findings.violation(
                "writes", f"{name}: a write has version {write.version}, after {floors[at - 1]}"
            )
    strong = [
        (reads.ends[at], reads.versions[at])
        for at, level in enumerate(reads.levels)
        if level == STRONG
    ]
    strong_ends, strong_floors = _floors(acknowledged + strong)
    own: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for at, level in enumerate(reads.levels):
        start, version = reads.starts[at], reads.versions[at]
        place = bisect_left(ends, start)
        if place and floors[place - 1] > version:
            seconds = start - overtaken[bisect_right(versions, version)]
            findings.note_stale(LEVELS[level].value, seconds)
            allowed = bound + SLACK
            if seconds > allowed:
                allowed += pauses.within(reads.processes[at], start - seconds, start)
            if seconds > allowed:
                what = f"{name}: {seconds:.3f} s behind, where {bound:g} s are the bound"
                findings.violation(LEVELS[level].value, what)
        if level == STRONG:
            place = bisect_left(strong_ends, start)
            if place and strong_floors[place - 1] > version:
                floor = strong_floors[place - 1]
                findings.violation("strong", f"{name}: version {version} was read after {floor}")
        elif level != EVENTUAL:
            own[reads.sessions[at]].append((start, version, True))
    if own:
        for write in writes:
            if write.session in own:
                own[write.session].append((write.start, write.version, False))
        for session, steps in own.items():
            _check_session(name, session, steps, findings)


def _check_session(
    name: str, session: int, steps: list[tuple[float, int, bool]], findings: Findings
) -> None:
    """Check one session, whose operations do not overlap."""
    level = session % len(LEVELS)
    floor = 0
    for _, version, read in sorted(steps):
        if read and version < floor:
            findings.violation(
                LEVELS[level].value,
                f"{name}: version {version} was read by session {session} after {floor}",
            )
        if not read or level == MONOTONIC:
            floor = max(floor, version)


def _floors(acknowledged: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Return times, and the highest version that was known up to each."""
    ordered = sorted(acknowledged)
    return [end for end, _ in ordered], list(accumulate((one for _, one in ordered), max))
