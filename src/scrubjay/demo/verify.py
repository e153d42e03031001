"""Proof that nothing stale is served once an invalidation is acknowledged.

Every read is checked against what was acknowledged before it began, and after
every write the answers that it changed are compared with the database.
"""

from __future__ import annotations

from bisect import bisect_right

from scrubjay.demo.queries import Answer

_EXAMPLES_KEPT = 10
_TOLERANCE_SECONDS = 3.0
"""An answer lives from when it is stored, on a busy machine a while after it was loaded."""


class Ledger:
    """What has been written and acknowledged, and what was served against it.

    A write is acknowledged when its invalidation has returned.  A read that
    begins after that must see it; one that began before may or may not.

    Attributes:
        checked_reads: how many reads were checked.
        stale_reads: how many of them saw less than what was acknowledged.
        overdue_reads: how many were served past their time to live.
        compared: how many answers were compared with the database.
        different: how many of them were not the same.
        examples: the first few faults, for a person to read.
    """

    def __init__(self) -> None:
        self.checked_reads = 0
        self.stale_reads = 0
        self.overdue_reads = 0
        self.compared = 0
        self.different = 0
        self.examples: list[str] = []
        self._acknowledged = 0
        # For each thing: at which acknowledgement it had reached which revision.
        self._floors: dict[str, tuple[list[int], list[int]]] = {}

    @property
    def faults(self) -> int:
        """How many checks failed, of any kind."""
        return self.stale_reads + self.overdue_reads + self.different

    def acknowledge(self, revisions: dict[str, int]) -> None:
        """Note that a write is done and its invalidation has returned.

        Args:
            revisions: the new revision of each thing written.
        """
        number = self._acknowledged + 1
        for thing, revision in revisions.items():
            numbers, reached = self._floors.setdefault(thing, ([], []))
            reached.append(revision)
            numbers.append(number)
        # Last, for reads in other threads take it without a lock.
        self._acknowledged = number

    def begin(self) -> int:
        """Take the mark to hand to `check` once the read that begins now is done."""
        return self._acknowledged

    def check(self, key: str, answer: Answer, mark: int, began: float, ttl_seconds: float) -> None:
        """Check what a read was given.

        Args:
            key: what was read.
            answer: what was given.
            mark: what `begin` returned before the read.
            began: when the read began, by `perf_counter`.
            ttl_seconds: how long the answer may be served.
        """
        self.checked_reads += 1
        for thing, revision in answer["revisions"].items():
            floor = self._floor(thing, mark)
            if revision < floor:
                self.stale_reads += 1
                self._note(f"{key} was served from {thing} at {revision}, after {floor}")
        age = began - answer["loaded_at"]
        if age > ttl_seconds + _TOLERANCE_SECONDS:
            self.overdue_reads += 1
            self._note(f"{key} was served {age:.1f} s old, with {ttl_seconds} s to live")

    def compare(self, key: str, answer: Answer, truth: Answer) -> None:
        """Compare an answer of the cache with the database's own.

        Args:
            key: what was read; no write to it may be under way.
            answer: what the cache gave.
            truth: what the database says.
        """
        self.compared += 1
        if answer["rows"] != truth["rows"] or answer["revisions"] != truth["revisions"]:
            self.different += 1
            self._note(f"{key} differs from the database")

    def _floor(self, thing: str, mark: int) -> int:
        history = self._floors.get(thing)
        if history is None:
            return 0
        numbers, reached = history
        position = bisect_right(numbers, mark)
        return reached[position - 1] if position else 0

    def _note(self, fault: str) -> None:
        if len(self.examples) < _EXAMPLES_KEPT:
            self.examples.append(fault)
