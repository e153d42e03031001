"""A load under way, and everyone who waits for it.

Nothing here holds a lock: waiters leave a callback, whoever completes the flight calls
them. `list.append` and `list.pop` are atomic, so each callback is called exactly once,
whichever thread comes first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from itertools import count
from threading import get_ident
from types import TracebackType
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.section import undisturbed
from scrubjay._core.terms import Terms
from scrubjay.errors import ReentrantLoadError

under_way: ContextVar[tuple[Flight, ...]] = ContextVar("scrubjay_under_way", default=())

LOOK = 1.0  # seconds between two looks whether the loop of a load that is waited for still runs

#: what blocking calls on the thread of an event loop wait for: so does all that it runs
blocked: dict[Any, list[Flight]] = {}


def enter(flight: Flight) -> Token[tuple[Flight, ...]]:
    """Note that a load is under way in this context; return what `leave` takes.

    Until Python 3.12 the collector may run within `ContextVar.set` and `reset`, and a
    finalizer that loads something there leaves the variable with a value that does not
    exist any more.
    """
    chain = (*under_way.get(), flight)
    return undisturbed(under_way.set, chain)


def leave(token: Token[tuple[Flight, ...]]) -> None:
    """Forget that a load is under way in this context."""
    undisturbed(under_way.reset, token)


class _Process:
    """Counts forks: the threads and loops of the parent do not run in the child."""

    number = 0

    def forked(self) -> None:
        """Begin a new life, in which nobody else waits or loads."""
        self.number += 1
        blocked.clear()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


_orders = count(1)


def next_order() -> int:
    """Return a number larger than all before: flights and readers are ordered by them."""
    return next(_orders)


class Loader:
    """A function that loads a value, and what to call it with.

    Args:
        function: the function; it may be asynchronous.
        args: its positional arguments.
        named: its named arguments.
    """

    __slots__ = ("args", "function", "named")

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        self.function = function
        self.args = args
        self.named = named


class Flight:
    """One load of one key.

    Args:
        owner: the loads of one cache, of which this is one.
        key: what is loaded.
        terms: under which the value will be stored.
        loader: what loads it; None for a flight that is complete as soon as it is made.
    """

    void = False  # overtaken: the value must not be stored
    done = False
    dead = False  # who loaded it has failed, perhaps too deep down to tell anybody
    abandoned = False  # nobody loads it any more: who waits must see to it anew
    value: Any = MISSING
    error: BaseException | None = None
    ahead = False  # nobody has asked for it: it is loaded ahead
    uses = -1  # how often it was read, if it is restored; see `Terms`
    joined = False  # somebody who did not begin it waits for it
    seconds = 0.0  # that the loader took
    began: float | None = None  # when that was prepared, if it matters
    number = 0  # told to those who listen for events; 0 if nobody did
    holder = 0  # the thread that claims its key, until what loads it is on its way
    loop: Any = None  # the event loop that runs it, if one does
    task: Any = None  # what runs it apart from who began it
    stale: Any = None  # an old value that a lower tier had
    unread: tuple[Any, ...] = ()  # lower tiers that failed to tell what they have
    demand: Any = None  # how fresh it must be, if memory and local tiers cannot tell
    unfit: int | None = None  # the version of a value there that is of no use
    record: Any = None  # what the shared tier has of the value, if that is known
    asked = 0  # the moment before the shared tier was asked; see `OwnChanges`
    labels: Any = ()  # its tags and dependencies there, with the generations that it was made of
    pinned: tuple[Any, ...] | list[Any] = ()  # nodes in the dependency graph, its own first
    _traceback: TracebackType | None = None

    def __init__(self, owner: Any, key: Any, terms: Terms, loader: Loader | None) -> None:
        self.owner = owner
        self.key = key
        self.terms = terms
        self.loader = loader
        self.order = next_order()
        self.loads = loader is not None  # or only looks into lower tiers
        self.waits_for: list[Flight] = []
        self._process = _process.number
        self._callbacks: list[Callable[[], object]] = []

    def hold(self) -> None:
        """Claim a key: from now on code within this thread must not wait for the load.

        Until that is under way, a finalizer may run here which asks for the same key.
        """
        self.holder = get_ident()

    def release(self) -> None:
        """Let anybody wait: the load is under way here, or another thread or a loop has it."""
        self.holder = 0

    @property
    def unasked(self) -> bool:
        """Whether nobody has asked for it so far: it is loaded ahead."""
        return self.ahead and not self.joined

    def complete(
        self, value: Any = MISSING, error: BaseException | None = None, *, abandoned: bool = False
    ) -> None:
        """Give everyone the outcome; the first one counts."""
        if self.done:
            return
        self.value = value
        self.error = error
        if error is not None:
            self._traceback = _behind_us(error.__traceback__)
        self.abandoned = abandoned
        self.loader = None  # nobody needs its arguments any more
        self.done = True
        self._call_back()

    def when_done(self, callback: Callable[[], object]) -> None:
        """Have `callback` called once, at once if the flight is done."""
        self._callbacks.append(callback)
        if self.done:
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:  # another thread took the last one
                return
            callback()

    def result(self) -> Any:
        """Return the value or raise the loader's error."""
        if self.error is None:
            return self.value
        try:
            # Raised again and again, it would grow by the traceback of each time.
            raise self.error.with_traceback(self._traceback)
        finally:
            del self  # or error, traceback, frame and flight would keep each other alive

    @property
    def stranded(self) -> bool:
        """Whether the loop or the thread that loads it does not run, and may never."""
        return (
            self.dead
            or self._process != _process.number
            or (self.loop is not None and not self.loop.is_running())
        )

    def leave_if_stranded(self) -> None:
        """Have the load begun anew if what carries it out does not run any more."""
        if not self.done and self.stranded:
            self.void = True
            self.complete(abandoned=True)

    def refuse_circle(self) -> None:
        """Raise if who waits for this flight would wait for itself.

        Raises:
            ReentrantLoadError: a loader under way here, or about to be, is needed, directly or
                through other loaders, to complete this flight.
        """
        chain = under_way.get()
        for flight in self._needed():
            if flight in chain:
                needed = "it" if flight is self else repr(flight.key)
                raise ReentrantLoadError(
                    f"loading {chain[-1].key!r} waits for {self.key!r}, "
                    f"which waits for {needed}: it would never end"
                )
            if flight._is_held_here():
                raise ReentrantLoadError(
                    f"what waits for {self.key!r} keeps this thread from loading "
                    f"{flight.key!r}: it would never end"
                )

    @property
    def needs_us(self) -> bool:
        """Whether a load under way here is needed, directly or not, to complete this flight."""
        chain = under_way.get()
        return bool(chain) and any(flight in chain for flight in self._needed())

    def _is_held_here(self) -> bool:
        return self.holder == get_ident() and not self.done and not self.stranded

    def refuse_loop(self, loop: Any) -> None:
        """Raise if a blocking wait would stop an event loop that this flight needs.

        Raises:
            ReentrantLoadError: the loop would have to run for the wait to end.
        """
        for flight in self._needed():
            if flight.loop is loop and not flight.done:
                raise ReentrantLoadError(
                    f"loading {flight.key!r} runs on this thread's event loop, which a "
                    f"blocking call for {self.key!r} would stop: await it instead"
                )

    def _needed(self) -> Iterable[Flight]:
        """Return this flight and those that it waits for, directly or not."""
        needed = [self]
        seen = {self}
        for flight in needed:
            further = list(flight.waits_for)
            if flight.loop is not None:
                further.extend(blocked.get(flight.loop, ()))
            for one in further:
                if one not in seen:
                    seen.add(one)
                    needed.append(one)
        return needed


class Part(Flight):
    """What one of several keys has, for those who want just that; all are loaded as a whole.

    Args:
        whole: the load of all of them.
        key: the key.
        terms: under which the value will be stored.
        loader: None if it is only looked for in lower tiers.
    """

    anew = False  # whether it is loaded even if it is there
    elsewhere = False  # whether another node is loading it

    def __init__(self, whole: Flight, key: Any, terms: Terms, loader: Loader | None) -> None:
        super().__init__(whole.owner, key, terms, loader)
        self.whole = whole
        self.waits_for.append(whole)

    @property
    def stranded(self) -> bool:
        """Whether what loads the whole does not run, and may never."""
        return self.whole.stranded


def _behind_us(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the loader on, without the frames that called it."""
    while traceback is not None and traceback.tb_frame.f_globals.get("__package__") == __package__:
        traceback = traceback.tb_next
    return traceback
