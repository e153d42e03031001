"""Whether recorded histories keep what the levels promise.

Each key, and each tag, is a register whose every state has a version, issued by the shared
tier and larger than the one before. So it is enough to compare numbers, in the order of time:

- an operation that begins after another has ended must not have a lower version (STRONG reads
  and all writes; for SESSION and MONOTONIC within a session);
- a version has one value, and that was begun to be written before it was read;
- what was read after it was overtaken is that old, and at EVENTUAL not older than the bound;
- a value that was loaded must not supersede a write that began after the loading had;
- a value must not be read after it has expired.

Sorting apart, each operation costs a search in a list (Gibbons and Korach 1997 have shown the
problem to be easy where it is known which write a read has seen).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from pathlib import Path
from typing import Any

from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import BUCKETS, NO_TAG, TAG_BUCKET, Event, Kind, events

__all__ = ["Findings", "check", "check_register"]

_LEVELS = tuple(CacheConsistencyLevel)
_EVENTUAL = _LEVELS.index(CacheConsistencyLevel.EVENTUAL)
_SESSION = _LEVELS.index(CacheConsistencyLevel.SESSION)
_MONOTONIC = _LEVELS.index(CacheConsistencyLevel.MONOTONIC)
_STRONG = _LEVELS.index(CacheConsistencyLevel.STRONG)
_EXAMPLES = 10
_SLACK = 0.05  # seconds between clocks: the wall's and the monotonic one, the server's and ours
_BINS = (0.0, 0.001, 0.01, 0.1, 1.0)


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
        bound = next((one for one in _BINS[1:] if seconds <= one), None)
        self.staleness["over 1000 ms" if bound is None else f"up to {bound * 1000:g} ms"] += 1


class Observations:
    """Reads of one register, packed: there are millions."""

    def __init__(self) -> None:
        self.levels = array("B")
        self.sessions = array("i")
        self.starts = array("d")
        self.ends = array("d")
        self.versions = array("Q")

    def add(self, level: int, session: int, start: float, end: float, version: int) -> None:
        """Add one."""
        self.levels.append(level)
        self.sessions.append(session)
        self.starts.append(start)
        self.ends.append(end)
        self.versions.append(version)


def check(directory: Path, bound_seconds: float) -> Findings:
    """Check the histories in a directory.

    Args:
        directory: where `Recorder` has written them.
        bound_seconds: how old something may be at EVENTUAL.
    """
    findings = Findings()
    of_tags: dict[int, Observations] = defaultdict(Observations)
    bumps: dict[int, list[Event]] = defaultdict(list)
    fills: dict[int, list[Event]] = defaultdict(list)
    for event in events(directory, TAG_BUCKET):
        findings.by_kind[Kind(event.kind).name.lower()] += event.kind != Kind.BEGUN
        bumps[event.key].append(event)
    for bucket in range(BUCKETS):
        by_key: dict[int, list[Event]] = defaultdict(list)
        for event in events(directory, bucket):
            by_key[event.key].append(event)
        for key in sorted(by_key):
            _check_key(key, by_key.pop(key), bumps, of_tags, fills, bound_seconds, findings)
    for tag in sorted(bumps.keys() | of_tags.keys()):
        writes, unknown = _ended(bumps[tag])
        findings.indeterminate += unknown
        check_register(f"tag {tag}", writes, of_tags[tag], bound_seconds, findings)
        _check_tags_of_fills(tag, writes, fills[tag], findings)
    findings.by_kind.pop("begun", None)
    findings.operations = sum(findings.by_kind.values())
    return findings


def _ended(changes: Iterable[Event]) -> tuple[list[Event], int]:
    """Return the changes that have ended, and how many have not."""
    begun = 0
    ended = []
    for event in changes:
        if event.kind == Kind.BEGUN:
            begun += 1
        else:
            ended.append(event)
    return ended, begun - len(ended)


def _check_key(
    key: int,
    mine: list[Event],
    bumps: dict[int, list[Event]],
    of_tags: dict[int, Observations],
    fills: dict[int, list[Event]],
    bound: float,
    findings: Findings,
) -> None:
    changes = [event for event in mine if event.kind < Kind.READ]
    writes, unknown = _ended(changes)
    findings.indeterminate += unknown
    begun = {event.value: event for event in changes if event.kind == Kind.BEGUN}
    value_of = {event.version: event.value for event in writes}
    observations = Observations()
    misses = []
    name = f"key {key}"
    for event in mine:
        if event.kind == Kind.BEGUN:
            continue
        findings.by_kind[Kind(event.kind).name.lower()] += 1
        if event.kind == Kind.FILL and event.tag != NO_TAG:
            fills[event.tag].append(event)
        if event.kind < Kind.READ:
            continue
        level = _LEVELS[event.level].value
        findings.reads[level] += 1
        findings.copies[level] += event.copied
        if event.version:
            observations.add(event.level, event.session, event.start, event.end, event.version)
        if event.tag != NO_TAG and (event.value or event.generation):
            of_tags[event.tag].add(
                event.level, event.session, event.start, event.end, event.generation
            )
        if event.kind == Kind.MISS:
            if event.level == _STRONG:
                misses.append(event)
            continue
        known = value_of.setdefault(event.version, event.value)
        if known != event.value:
            findings.violation("writes", f"{name}: two values have version {event.version}")
        written = begun.get(event.value)
        if written is None or written.start > event.end:
            findings.violation("writes", f"{name}: value {event.value} was never written")
        if event.start > event.expires + _SLACK:
            late = event.start - event.expires
            findings.violation(level, f"{name}: read {late * 1000:.0f} ms after it had expired")
    check_register(name, writes, observations, bound, findings)
    _check_fills(name, writes, findings)
    findings.unexplained_misses += _unexplained(misses, changes, writes, bumps)


def check_register(
    name: str,
    writes: list[Event],
    reads: Observations,
    bound: float,
    findings: Findings,
) -> None:
    """Check what was read of one register.

    Args:
        name: of the register, for people.
        writes: those that have ended.
        reads: what was read.
        bound: the seconds by which a read at EVENTUAL may be behind.
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
        if level == _STRONG
    ]
    strong_ends, strong_floors = _floors(acknowledged + strong)
    own: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for at, level in enumerate(reads.levels):
        start, version = reads.starts[at], reads.versions[at]
        place = bisect_left(ends, start)
        if place and floors[place - 1] > version:
            seconds = start - overtaken[bisect_right(versions, version)]
            findings.note_stale(_LEVELS[level].value, seconds)
            if seconds > bound + _SLACK:
                what = f"{name}: {seconds:.3f} s behind, where {bound:g} s are the bound"
                findings.violation(_LEVELS[level].value, what)
        if level == _STRONG:
            place = bisect_left(strong_ends, start)
            if place and strong_floors[place - 1] > version:
                floor = strong_floors[place - 1]
                findings.violation("strong", f"{name}: version {version} was read after {floor}")
        elif level != _EVENTUAL:
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
    level = session % len(_LEVELS)
    floor = 0
    for _, version, read in sorted(steps):
        if read and version < floor:
            findings.violation(
                _LEVELS[level].value,
                f"{name}: version {version} was read by session {session} after {floor}",
            )
        if not read or level == _MONOTONIC:
            floor = max(floor, version)


def _floors(acknowledged: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Return times, and the highest version that was known up to each."""
    ordered = sorted(acknowledged)
    return [end for end, _ in ordered], list(accumulate((one for _, one in ordered), max))


def _check_fills(name: str, writes: list[Event], findings: Findings) -> None:
    latest = 0.0
    for write in sorted(writes, key=lambda one: one.version):
        if write.kind != Kind.FILL:
            latest = max(latest, write.start)
        elif latest > write.made:
            behind = latest - write.made
            what = f"{name}: a load has superseded what was written {behind:.4f} s after it began"
            findings.violation("writes", what)


def _check_tags_of_fills(
    tag: int, bumps: list[Event], fills: list[Event], findings: Findings
) -> None:
    ordered = sorted(bumps, key=lambda one: one.version)
    generations = [bump.version for bump in ordered]
    latest = list(accumulate((bump.start for bump in ordered), max))
    for fill in fills:
        at = bisect_right(generations, fill.generation)
        if at and latest[at - 1] > fill.made:
            findings.violation(
                "writes", f"tag {tag}: a load has taken a generation that began after itself"
            )


def _unexplained(
    misses: list[Event],
    changes: list[Event],
    writes: list[Event],
    bumps: dict[int, list[Event]],
) -> int:
    """Count strong reads of nothing where the last write should have been there still.

    A cache may forget. So this is no violation, but it should have a reason.
    """
    if not misses:
        return 0
    ordered = sorted(writes, key=lambda one: one.version)
    ended = sorted(writes, key=lambda one: one.end)
    ends = [one.end for one in ended]
    last = list(accumulate(ended, _later))
    versions = [one.version for one in ordered]
    finished = {(one.session, one.start) for one in writes}
    unfinished = [
        one.start
        for one in changes
        if one.kind == Kind.BEGUN and (one.session, one.start) not in finished
    ]
    open_from = min(unfinished, default=inf)
    count = 0
    for miss in misses:
        at = bisect_left(ends, miss.start)
        if not at or open_from < miss.end or miss.generation:
            continue
        live = last[at - 1]
        later = ordered[bisect_right(versions, live.version) :]
        candidates: list[Any] = [live, *(one for one in later if one.start < miss.end)]
        if not any(_may_be_gone(one, miss, bumps) for one in candidates):
            count += 1
    return count


def _later(one: Event, two: Event) -> Event:
    return one if one.version > two.version else two


def _may_be_gone(write: Event, miss: Event, bumps: dict[int, list[Event]]) -> bool:
    if write.kind == Kind.DELETE or write.expires < miss.end + _SLACK:
        return True
    return write.tag != NO_TAG and any(bump.start < miss.end for bump in bumps[write.tag])
