"""A tier that is written behind: who stores waits for memory, and a thread writes later.

What waits is one record a key, the last one, so that what is stored again and again is written once
("coalescing"). Who looks through this cache finds what waits before he asks the tier. Removals do
not wait: they let what is being written come to its end, go to the tier, and then take out what
waits, which is shown until then and not written. So nothing comes back; what a crash loses are
stores of the last seconds, in place of which the tier has what it had before. See
`docs/decisions/0030-write-behind.md`.
"""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from scrubjay._core.section import undisturbed
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking
from scrubjay._flow.effects import Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight
from scrubjay._flow.queued import QueuedLevel
from scrubjay._flow.workers import Workers
from scrubjay.clock import Clock
from scrubjay.errors import TierError
from scrubjay.events import Event, EventKind
from scrubjay.tiers.protocol import TierRecord

_NONE = Terms()


class BehindLevel(QueuedLevel):
    """A lower tier of one cache that is written behind.

    Args:
        seconds: how long a record waits at most, while the tier answers.
        entries: how many wait at most; beyond, they are written through.
        clock: tells the time.
        alone: whether a thread writes by itself; not where time does not go on by itself.
        *given, **named: as for `Level`.
    """

    def __init__(
        self,
        seconds: float,
        entries: int,
        clock: Clock,
        alone: bool,
        *given: Any,
        **named: Any,
    ) -> None:
        super().__init__(entries, clock, *given, **named)
        self._seconds = seconds
        self._alone = alone
        self._due = threading.Event()
        # Of its own: what others wait for must not make this one late.
        self._workers = Workers(1)

    def _begin(self) -> None:
        super()._begin()
        self._called = False  # whether a thread will come
        self._full = False

    def waited(self, seconds: float) -> None:
        """Forget how long somebody waited."""

    def after_fork(self) -> None:
        """Leave what waits to the parent, who writes it."""
        super().after_fork()
        self._due = threading.Event()
        self._begin()

    # Asking

    def get(self, names: Sequence[bytes]) -> Generator[Effect, Any, list[bytes | None]]:
        """Return the blobs of records, first of those that wait."""
        found: dict[bytes, bytes | None] = {}
        for name in names:
            record = self._waiting(name)
            if record is not None:  # if its time is up, what the tier has is even older
                ends = record.expires_at
                over = ends is not None and ends <= self._clock.time()
                found[name] = None if over else record.value
        rest = [name for name in names if name not in found]
        if rest:
            blobs = yield from super().get(rest)
            found.update((name, blob) for name, blob in zip(rest, blobs, strict=True))
        return [found.get(name) for name in names]

    def put(self, records: list[TierRecord]) -> Generator[Effect, Any, list[bool]]:
        """Let records wait; those for which there is no room are written now."""
        beyond: list[TierRecord] = undisturbed(self._enter, records)
        kept: dict[bytes, bool] = {}
        if beyond:
            if not self._full:
                self._full = True
                self._tell(EventKind.FULL, f"{len(self._queue)} writes wait: it is written through")
            names = [record.key for record in beyond]
            yield from self._let_end(names)
            stored = yield from super().put(beyond)
            kept = dict(zip(names, stored, strict=True))
        else:
            self._full = False
        self._call()
        return [kept.get(record.key, True) for record in records]

    def bump(self, names: Sequence[bytes]) -> Generator[Effect, Any, Sequence[int]]:
        """Let counters move on with the records that wait; who asks for one has it move first."""
        undisturbed(self._changed.update, {name: object() for name in names})
        self._call()
        yield from ()
        return ()

    def ask(self, method: str, *given: Any, **named: Any) -> Generator[Effect, Any, Any]:
        """Call a method of the tier; what waits and is concerned comes first, or goes."""
        if method == "delete_many":
            return (yield from self._remove(given[0], method, *given, **named))
        if method == "clear":
            waiting = undisturbed(self._under_way, None)
            return (yield from self._remove(waiting, method, *given, **named))
        if method == "counters":
            late = {
                name: change for name in given[0] if (change := self._changed.get(name)) is not None
            }
            if late:
                yield from super().ask("bump", list(late))
                undisturbed(self._bumped, late)
        return (yield from super().ask(method, *given, **named))

    def owe(self, keys: Sequence[bytes], names: Sequence[bytes]) -> None:
        """Note that records and counters there may be of the past: nothing waits of them."""
        undisturbed(self._drop, keys)
        undisturbed(self._disown, keys)
        super().owe(keys, names)

    def _remove(
        self, names: Sequence[bytes], method: str, *given: Any, **named: Any
    ) -> Generator[Effect, Any, Any]:
        """Remove records; until then who looks finds what waits, not what the tier has."""
        undisturbed(self._going.update, names)
        try:
            yield from self._let_end(names)
            return (yield from super().ask(method, *given, **named))
        finally:
            undisturbed(self._drop, names)
            undisturbed(self._going.difference_update, names)

    def _let_end(self, names: Sequence[bytes]) -> Generator[Effect, Any, None]:
        """Wait until nothing is being written under some names."""
        for name in names:
            writing = self._writing.get(name)
            if writing is not None:
                writing[1].refuse_circle()
                yield Wait(writing[1], False)
                self._bury(writing[1])

    # Writing

    def write(self) -> Generator[Effect, Any, Flight | None]:
        """Begin to write the oldest records, apart; return the flight, or None if none waits."""
        flight = Flight(self, "what is written behind", _NONE, None)
        records, changed = undisturbed(self._take, flight)
        if not records and not changed:
            return None
        work = self._write(flight, records, changed)
        try:
            yield Start(work, flight, lambda _: self._give_up(flight, records), apart=True)
        except RuntimeError:  # there is no room for a thread
            yield from work
        except BaseException:
            if not flight.done:
                work.close()
                self._give_up(flight, records)
            raise
        return flight

    def _write(
        self, flight: Flight, records: list[TierRecord], changed: Mapping[bytes, object]
    ) -> Flow:
        try:
            try:
                if records:
                    yield from super().put(records)
                if changed:
                    yield from super().ask("bump", list(changed))
                    undisturbed(self._bumped, changed)
            except TierError:  # it was told
                self._lose(records, changed)
        except BaseException:
            self._lose(records, changed)
            raise
        finally:
            self._conclude(flight, records)

    def _conclude(self, flight: Flight, records: Sequence[TierRecord]) -> None:
        disowned = undisturbed(self._end, records)
        if disowned:
            super().owe(disowned, ())
        self._flights.pop(flight, None)
        flight.complete(None)

    def _give_up(self, flight: Flight, records: Sequence[TierRecord]) -> None:
        """Owe what nobody writes any more."""
        self._lose(records, {})
        undisturbed(self._end, records)
        self._flights.pop(flight, None)
        flight.complete(error=CancelledError())

    def _bury(self, flight: Flight) -> None:
        """Give up what a loop was writing that does not run any more, once somebody has seen that.

        Who comes to an end by himself ends to write before his flight is done.
        """
        if not flight.done:
            return
        self._flights.pop(flight, None)
        records: list[TierRecord] = undisturbed(self._carried, flight)
        if records:
            self._give_up(flight, records)

    def _lose(self, records: Sequence[TierRecord], changed: Mapping[bytes, object]) -> None:
        """Have the tier forget what it was not given: its keys must not have what was before."""
        super().owe([record.key for record in records], list(changed))
        undisturbed(self._bumped, changed)
        if records:
            self.counts.lost += len(records)
            if EventKind.OVERFLOW in self._events.wanted:
                detail = "what waited to be written is lost"
                self._events.publish(
                    Event(EventKind.OVERFLOW, tier=self.name, amount=len(records), detail=detail)
                )

    def flush(self, until: float | None, last: bool = False) -> Generator[Effect, Any, bool]:
        """Write what waits; return whether all was.

        Args:
            until: the monotonic time of the system at which to end; None for none.
            last: whether what is left then is given up.
        """
        self._due.set()
        while True:
            yield from self.write()
            # Those of others, too: a tier must not be closed while its counters are bumped.
            under_way: list[Flight] = undisturbed(list, self._flights)
            if not under_way:
                return True
            for one in under_way:
                left = None if until is None else until - time.monotonic()
                if not one.done and (left is None or left > 0.0):
                    one.refuse_circle()
                    yield Wait(one, False, left)
                self._bury(one)
                if not one.done:
                    if last:
                        left_over = undisturbed(self._drop_all, None)
                        self._lose([waiting.record for waiting in left_over.values()], {})
                    return False

    # By itself

    def _call(self) -> None:
        """Have a thread come, if there is something to be written and none will."""
        if not self._alone:
            return
        if 2 * len(self._queue) >= self._entries:
            self._due.set()
        if not undisturbed(self._set_called, True):
            try:
                self._workers.submit(self._work)
            except RuntimeError:  # there is no room for a thread: the next one that stores tries
                self._called = False

    def _set_called(self, called: bool) -> bool:
        before, self._called = self._called, called
        return before

    def _work(self) -> None:
        """Write what waits when it is due, until nothing does."""
        try:
            while self._queue or self._changed:
                self._due.wait(self._pause())
                self._due.clear()
                blocking.run(self._write_all())
        finally:
            self._called = False
            if self._queue or self._changed:
                self._call()

    def _pause(self) -> float:
        """Return for how many seconds there is nothing to be written."""
        if not self._changed and self._going.issuperset(undisturbed(list, self._queue)):
            return self._seconds  # what comes now is due after that
        return max(0.0, self._seconds - self.oldest)

    def _write_all(self) -> Flow:
        own = Flight(self, "all that waits", _NONE, None)
        yield from self.flush(None)
        self._due.clear()
        own.complete(None)
        return own
