"""What waits to be written to a tier: one record a key, and counters that are to move on.

Who changes something here does it undisturbed: no code of others runs in the midst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scrubjay._core.section import undisturbed
from scrubjay._flow.flight import Flight
from scrubjay._flow.level import Level
from scrubjay.clock import Clock
from scrubjay.tiers.protocol import TierRecord

_BATCH = 64  # records that are written in one go


class Waiting(NamedTuple):
    """A record that is to be written.

    Attributes:
        record: the record.
        since: the monotonic time from which on its key has had something to be written.
    """

    record: TierRecord
    since: float


class QueuedLevel(Level):
    """A lower tier of one cache, with what waits to be written there.

    Args:
        entries: how many records wait at most.
        clock: tells the time.
        *given, **named: as for `Level`.
    """

    def __init__(self, entries: int, clock: Clock, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._entries = entries
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self._queue: dict[bytes, Waiting] = {}  # the oldest first
        # Counters that are to be bumped, each with what tells one change of its key from the next.
        self._changed: dict[bytes, object] = {}
        self._writing: dict[bytes, tuple[TierRecord, Flight]] = {}
        self._flights: dict[Flight, None] = {}  # what is under way: records, or counters alone
        self._disowned: set[bytes] = set()  # of these, what must go when it is written
        self._going: set[bytes] = set()  # what is being removed, shown until then, not written

    @property
    def queued(self) -> int:
        """How many records wait, or are being written."""
        return len(self._queue) + len(self._writing)

    @property
    def oldest(self) -> float:
        """For how many seconds the oldest record has been waiting."""
        since = [one.since for one in undisturbed(list, self._queue.values())[:1]]
        return max(0.0, self._clock.monotonic() - since[0]) if since else 0.0

    def _waiting(self, name: bytes) -> TierRecord | None:
        writing = self._writing.get(name)  # first: it goes from the queue to there
        waiting = self._queue.get(name)
        if waiting is not None:
            return waiting.record
        if writing is not None:
            return writing[0]
        written = self._writing.get(name)
        return None if written is None else written[0]

    # Done undisturbed

    def _enter(self, records: list[TierRecord]) -> list[TierRecord]:
        """Let records wait; return those for which there is no room."""
        beyond = []
        for record in records:
            before = self._queue.get(record.key)
            if before is None and self.queued >= self._entries:
                beyond.append(record)
            else:
                since = self._clock.monotonic() if before is None else before.since
                self._queue[record.key] = Waiting(record, since)
        return beyond

    def _drop(self, names: Sequence[bytes]) -> list[Waiting | None]:
        return [self._queue.pop(name, None) for name in names]

    def _drop_all(self, _: None) -> dict[bytes, Waiting]:
        before, self._queue = self._queue, {}
        return before

    def _carried(self, flight: Flight) -> list[TierRecord]:
        return [record for record, carrier in self._writing.values() if carrier is flight]

    def _under_way(self, _: None) -> list[bytes]:
        return [*self._queue, *self._writing]

    def _disown(self, names: Sequence[bytes]) -> None:
        self._disowned.update(name for name in names if name in self._writing)

    def _bumped(self, changed: Mapping[bytes, object]) -> None:
        """Forget changes; a key that has changed again meanwhile is to be bumped again."""
        for name, change in changed.items():
            if self._changed.get(name) is change:
                del self._changed[name]

    def _take(self, flight: Flight) -> tuple[list[TierRecord], dict[bytes, object]]:
        """Begin to write the oldest records, and what has changed: the flight is under way now."""
        free = [
            name for name in self._queue if name not in self._writing and name not in self._going
        ]
        names = free[:_BATCH]
        records = [self._queue[name].record for name in names]
        for name, record in zip(names, records, strict=True):
            self._writing[name] = record, flight
            del self._queue[name]
        changed = dict(self._changed)
        if records or changed:
            self._flights[flight] = None
        return records, changed

    def _end(self, records: Sequence[TierRecord]) -> list[bytes]:
        """End to write records; return the names of those that must go."""
        gone = []
        for record in records:
            writing = self._writing.get(record.key)
            if writing is None or writing[0] is not record:  # given up: who knows what is there
                gone.append(record.key)
                continue
            del self._writing[record.key]
            if record.key in self._disowned:
                self._disowned.discard(record.key)
                gone.append(record.key)
        return gone
