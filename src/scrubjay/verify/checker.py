"""Whether recorded histories keep what the levels promise.

Each key, and each tag, is a register whose every state has a version, issued by the shared
tier and larger than the one before. So it is enough to compare numbers, in the order of time:

- an operation that begins after another has ended must not have a lower version (STRONG reads
  and all writes; for SESSION and MONOTONIC within a session);
- a version has one value, and that was begun to be written before it was read;
- what was read after it was overtaken is that old, and at EVENTUAL not older than the bound;
- a value that was loaded must not supersede a write that began after the loading had;
- a value must not be read after it has expired.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from math import inf
from pathlib import Path

from scrubjay.verify.findings import Findings
from scrubjay.verify.history import (
    BUCKETS,
    DEPENDS,
    LEVELS,
    MONOTONIC,
    NO_TAG,
    SESSION,
    STRONG,
    TAG_BUCKET,
    Event,
    Kind,
    events,
)
from scrubjay.verify.register import SLACK, Observations, Pauses, check_register

__all__ = ["check"]

# Beyond the time that its storing took: memory's time runs with that of the record, but whoever has
# to wait for a processor between the look at the clock and the note of it is late by as much.
_LATE = 0.05


def check(directory: Path, bound_seconds: float, pauses: Pauses = Pauses()) -> Findings:  # noqa: B008 - it does not change
    """Check the histories in a directory.

    Args:
        directory: where `Recorder` has written them.
        bound_seconds: how old something may be at EVENTUAL.
        pauses: when processes stood still.
    """
    findings = Findings()
    of_tags: dict[int, Observations] = defaultdict(Observations)
    bumps: dict[int, list[Event]] = defaultdict(list)
    fills: dict[int, list[Event]] = defaultdict(list)
    for event in events(directory, TAG_BUCKET, Kind.BEGUN, Kind.MISS):
        findings.by_kind[Kind(event.kind).name.lower()] += event.kind != Kind.BEGUN
        bumps[event.key].append(event)
    for bucket in range(BUCKETS):
        changes: dict[int, list[Event]] = defaultdict(list)
        for event in events(directory, bucket, Kind.BEGUN, Kind.FILL):
            changes[event.key].append(event)
            if event.kind != Kind.BEGUN:
                findings.by_kind[Kind(event.kind).name.lower()] += 1
            if event.kind == Kind.FILL and event.tag != NO_TAG:
                fills[event.tag].append(event)
        keys = {key: _Key(key, mine, findings) for key, mine in changes.items()}
        for event in events(directory, bucket, Kind.READ, Kind.MISS):
            key = keys.get(event.key)
            if key is None:
                key = keys[event.key] = _Key(event.key, [], findings)
            key.take(event, of_tags)
        for number in sorted(keys):
            keys.pop(number).check(bumps, bound_seconds, pauses)
    for tag in sorted(bumps.keys() | of_tags.keys()):
        writes, unknown = _ended(bumps[tag])
        findings.indeterminate += unknown
        check_register(f"tag {tag}", writes, of_tags[tag], bound_seconds, pauses, findings)
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


class _Key:
    """What is known of one key; reads are taken one by one, as there are many.

    Args:
        key: which.
        changes: all that was begun or ended, but for reads.
        findings: where it is counted.
    """

    def __init__(self, key: int, changes: list[Event], findings: Findings) -> None:
        self._name = f"key {key}"
        self._changes = changes
        self._findings = findings
        self._writes, unknown = _ended(changes)
        findings.indeterminate += unknown
        self._begun = {event.value: event for event in changes if event.kind == Kind.BEGUN}
        self._value_of = {event.version: event.value for event in self._writes}
        self._took = {event.value: event.end - event.start for event in self._writes}
        # Of values whose storing has no known end: when each process had first waited for one.
        self._had: dict[tuple[int, int], float] = {}
        self._late: list[tuple[Event, float]] = []
        self._reads = Observations()
        self._misses: list[Event] = []
        self._unversioned: list[Event] = []

    def take(self, event: Event, of_tags: dict[int, Observations]) -> None:
        """Take a read."""
        findings, level = self._findings, LEVELS[event.level].value
        findings.by_kind["read" if event.kind == Kind.READ else "miss"] += 1
        findings.reads[level] += 1
        findings.copies[level] += event.copied
        if event.version:
            self._reads.add(event, event.version)
        if event.tag != NO_TAG and (event.value or event.generation):
            of_tags[event.tag].add(event, event.generation)
        if event.kind == Kind.MISS:
            if event.level == STRONG:
                self._misses.append(event)
            return
        known = event.value
        if event.version:
            known = self._value_of.setdefault(event.version, event.value)
        else:
            self._unversioned.append(event)
        if known != event.value:
            findings.violation("writes", f"{self._name}: two values have version {event.version}")
        written = self._begun.get(event.value)
        if written is None or written.start > event.end:
            findings.violation("writes", f"{self._name}: value {event.value} was never written")
        took = self._took.get(event.value)
        if took is None:
            place = event.value, event.process
            self._had[place] = min(event.end, self._had.get(place, inf))
        late = event.start - event.expires
        # Its time begins somewhere between the beginning and the end of its storing.
        if late > SLACK and late > (took or 0.0) + _LATE:
            self._late.append((event, late))

    def check(self, bumps: dict[int, list[Event]], bound: float, pauses: Pauses) -> None:
        """Check it, when all reads are there."""
        name, findings = self._name, self._findings
        for event, late in self._late:
            # Who waits for a load may have come while its value was still being stored.
            if event.start > self._had.get((event.value, event.process), 0.0):
                what = f"{name}: read {late * 1000:.0f} ms after it had expired"
                findings.violation(LEVELS[event.level].value, what)
        check_register(name, self._writes, self._reads, bound, pauses, findings)
        _check_fills(name, self._writes, findings)
        _check_unversioned(name, self._writes, self._unversioned, bound, pauses, findings)
        findings.unexplained_misses += _unexplained(
            self._misses, self._changes, self._writes, bumps
        )


def _check_fills(name: str, writes: list[Event], findings: Findings) -> None:
    latest = 0.0
    for write in sorted(writes, key=lambda one: one.version):
        if write.kind != Kind.FILL:
            latest = max(latest, write.start)
        elif latest > write.made:
            behind = latest - write.made
            what = f"{name}: a load has superseded what was written {behind:.4f} s after it began"
            findings.violation("writes", what)


def _check_unversioned(
    name: str,
    writes: list[Event],
    reads: list[Event],
    bound: float,
    pauses: Pauses,
    findings: Findings,
) -> None:
    """Check reads of what is not known to have reached the shared tier, as it could not be asked.

    They must not be older, by when they were made, than what the level allows. It may have
    arrived there nevertheless, and be a copy like others.
    """
    if not reads:
        return
    changes = sorted((one.end, one.start) for one in writes if one.kind != Kind.FILL)
    ends = [end for end, _ in changes]
    latest = list(accumulate((start for _, start in changes), max))
    for read in reads:
        level = LEVELS[read.level].value
        allowed = 0.0 if read.level == STRONG else bound + SLACK
        at = bisect_left(ends, read.start - allowed)
        if not at or latest[at - 1] <= read.made:
            continue
        overtaken = next(end for end, start in changes if start > read.made)
        if read.level != STRONG:
            allowed += pauses.within(read.process, overtaken, read.start)
        if read.start - overtaken > allowed:
            findings.violation(level, f"{name}: {read.start - read.made:.3f} s after it was made")
        elif read.level in {SESSION, MONOTONIC} and any(
            write.session == read.session and read.made < write.start and write.end < read.start
            for write in writes
        ):
            findings.violation(level, f"{name}: session {read.session} has written since")


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
        gone = _may_be_gone(live, miss, bumps)
        place = bisect_right(versions, live.version)
        # What comes after one that began too late came too late as well.
        while not gone and place < len(ordered) and ordered[place].start < miss.end:
            gone = _may_be_gone(ordered[place], miss, bumps)
            place += 1
        count += not gone
    return count


def _later(one: Event, two: Event) -> Event:
    return one if one.version > two.version else two


def _may_be_gone(write: Event, miss: Event, bumps: dict[int, list[Event]]) -> bool:
    if write.kind == Kind.DELETE or write.expires < miss.end + SLACK:
        return True
    if DEPENDS <= write.tag < NO_TAG:
        return True  # it has the tags of what it depends on as well
    return write.tag != NO_TAG and any(bump.start < miss.end for bump in bumps[write.tag])
