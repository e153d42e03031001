"""Changes of one key below memory, one after the other.

What is written to several tiers by two writers at once might end up as the one's in one
tier and the other's in the next. So each takes its turn; a value that was loaded or found
is written in turn as well, and only while nothing has overtaken it.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

from scrubjay._core.claims import Claims
from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Effect, Flow, Start, Wait
from scrubjay._flow.flight import Flight, Part, under_way

ALL_KEYS: Any = object()  # stands for every key

_NONE = Terms()


class Keyed(Protocol):
    """What concerns one key."""

    @property
    def key(self) -> Any:
        """The key."""


E = TypeVar("E", bound=Keyed)


class Turns:
    """Whose turn it is, by key."""

    def __init__(self) -> None:
        self._claims = Claims()

    def waited(self, seconds: float) -> None:
        """Forget how long somebody waited."""

    def take(self, key: Any, work: Flow) -> Flow:
        """Do work of one's own when nobody else works on the key; return its flight.

        It goes on by itself once begun: whoever asked for it may stop waiting.

        Args:
            key: the key, or ALL_KEYS.
            work: the work.
        """
        own: Flight | None = None
        try:
            own = yield from self._claim(key)
            waiting = _waits_for(own)
        except BaseException:
            if own is not None:
                own.dead = True  # who waits for it goes on
            work.close()
            raise
        try:
            try:
                yield Start(self._carry_out(own, work), own, self._abandon)
            except BaseException:
                if not own.done:
                    work.close()
                    self._abandon(own)
                raise
            if not own.done:
                yield Wait(own, False)
        finally:
            _waits_no_more(waiting, own)
        return own

    def take_many(self, entries: Sequence[E], work: Callable[[list[E]], Flow]) -> Flow:
        """Do work of one's own on several keys as `take` does; return its flight.

        Args:
            entries: what concerns one key each, every key once.
            work: makes the work for some of them, which returns a number; called until all
                are done. The flight has the sum.
        """
        whole = Flight(self, ALL_KEYS, _NONE, None)
        waiting = _waits_for(whole)
        try:
            try:
                yield Start(
                    self._carry_out(whole, self.within_many(entries, work, whole)), whole, _drop
                )
            except BaseException:
                if not whole.done:
                    _drop(whole)
                raise
            if not whole.done:
                yield Wait(whole, False)
        finally:
            _waits_no_more(waiting, whole)
        return whole

    def within_many(
        self, entries: Sequence[E], work: Callable[[list[E]], Flow], whole: Flight
    ) -> Generator[Effect, Any, int]:
        """Do work on several keys when nobody else works on them; return the sum.

        What waits for the turn of a key holds no other: two who want the same keys in
        another order would wait for each other.

        Args:
            entries: what concerns one key each.
            work: as for `take_many`.
            whole: the flight that this is a part of.
        """
        total = 0
        rest = list(entries)
        while rest:
            turns: list[Flight] = []
            try:
                turns.append((yield from self._claim(rest[0].key, whole)))
                taken, left = rest[:1], []
                for entry in rest[1:]:
                    turn = self._claim_now(entry.key, whole)
                    if turn is None:
                        left.append(entry)
                    else:
                        turns.append(turn)
                        taken.append(entry)
                total += yield from work(taken)
            finally:
                for turn in turns:
                    self._finish(turn, None, None)
            rest = left
        return total

    def _claim_now(self, key: Any, whole: Flight) -> Flight | None:
        """Return the flight that holds one's turn, or None if one would have to wait."""
        own = Part(whole, key, _NONE, None)
        try:
            held: Flight = self._claims.claim(key, own)
            if held is not own:
                return None
            clearing = self._claims.get(ALL_KEYS)
            if clearing is None or self._is_awaited():
                return own
            self._finish(own, None, None)
        except BaseException:
            whole.dead = True  # who waits for it goes on
            raise
        return None

    def _claim(self, key: Any, whole: Flight | None = None) -> Generator[Effect, Any, Flight]:
        """Wait for one's turn; return the flight that holds it."""
        while True:
            own = Flight(self, key, _NONE, None) if whole is None else Part(whole, key, _NONE, None)
            try:
                other: Flight | None = self._claims.claim(key, own)
                if other is own:
                    # Whoever changes all keys claims that before it looks for other claims.
                    other = None if key is ALL_KEYS else self._claims.get(ALL_KEYS)
                    if other is None or self._is_awaited():
                        return own
                    self._finish(own, None, None)
            except BaseException:
                (own if whole is None else whole).dead = True  # who waits for it goes on
                raise
            assert other is not None
            if other.done:
                self._claims.release(other.key, other)
                continue
            waiting = _waits_for(other)  # before looking: of two who meet, one sees the circle
            try:
                other.refuse_circle()
                yield Wait(other, False)
            finally:
                _waits_no_more(waiting, other)

    def _is_awaited(self) -> bool:
        """Tell whether a turn that is held needs what is under way here.

        Who changes all keys waits for that turn: who waited for him would never go on.
        """
        turns = self._claims.values()
        return any(turn.needs_us for turn in turns if turn.key is not ALL_KEYS)

    def others(self) -> Flow:
        """Wait for the changes that have begun, but for those that wait for this one."""
        for other in self._claims.values():
            if other.key is ALL_KEYS or other.done:
                continue
            waiting = _waits_for(other)  # before looking, as above
            try:
                if not other.needs_us:
                    yield Wait(other, False)
            finally:
                _waits_no_more(waiting, other)

    def within(self, key: Any, work: Flow, load: Flight) -> Flow:
        """Do a part of a load's work when nobody else works on the key.

        Args:
            key: the key.
            work: the work.
            load: the load, or what looks for the key: if it is given up, so is the turn.
        """
        own: Flight | None = None
        try:
            own = yield from self._claim(key, load)
            yield from work
        finally:
            work.close()
            if own is not None:
                self._finish(own, None, None)

    def _carry_out(self, own: Flight, work: Flow) -> Flow:
        try:
            value = yield from work
        except Exception as error:
            self._finish(own, None, error)
        except BaseException as error:
            self._finish(own, None, error)
            raise
        else:
            self._finish(own, value, None)

    def _abandon(self, own: Flight) -> None:
        self._finish(own, None, CancelledError())

    def _finish(self, own: Flight, value: Any, error: BaseException | None) -> None:
        try:
            self._claims.release(own.key, own)
        finally:
            own.complete(value, error)


def _waits_for(flight: Flight) -> tuple[Flight, ...]:
    """Note that what is under way here waits for a flight; return what does."""
    waiting = under_way.get()[-1:]
    for one in waiting:
        one.waits_for.append(flight)
    return waiting


def _waits_no_more(waiting: tuple[Flight, ...], flight: Flight) -> None:
    for one in waiting:
        one.waits_for.remove(flight)


def _drop(whole: Flight) -> None:
    whole.complete(error=CancelledError())
