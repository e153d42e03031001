"""What happens in a cache, as records, and the hub that hands them to whoever wants them.

Every part of a cache may publish here, and nothing here knows any of them. A hit in memory
is no event: it is counted, and costs what it cost before. Where nobody listens, whatever
else happens costs its producer the test of one attribute::

    if EventKind.LOAD in events.wanted:
        events.publish(Event(EventKind.LOAD, key, seconds=seconds))
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from scrubjay.types import RemovalCause

__all__ = ["Event", "EventCallback", "EventKind", "Events"]

_log = logging.getLogger("scrubjay")
_MOST = 10_000  # events that wait for one subscriber


class EventKind(Enum):
    """What has happened. The fields of `Event` that a kind fills in stand beside it."""

    # Requests; all have a key
    MISS = "miss"  # not in memory: lower tiers and the loader are asked
    TIER_HIT = "tier_hit"  # tier; a lower tier had it
    TIER_MISS = "tier_miss"  # tier
    STALE_SERVED = "stale_served"  # an old value was better than none; detail says why
    CONFLICT = "conflict"  # a value was there, and too old for who asked, or for its level

    # Loads; all have the number of the load, and a key, or an amount of keys if of several
    LOAD_START = "load_start"  # in the context that the loader is called in
    LOAD = "load"  # seconds
    LOAD_ERROR = "load_error"  # seconds, error
    LOAD_CANCEL = "load_cancel"  # seconds, error; the loader was stopped
    WAIT = "wait"  # seconds that somebody waited for a load of somebody else
    REFRESH = "refresh"  # it is about to be loaded although it is there

    # Removals from memory; all have a key and a cause
    EVICT = "evict"
    EXPIRE = "expire"
    INVALIDATE = "invalidate"
    REPLACE = "replace"
    REJECT = "reject"

    # Lower tiers; all have a tier
    PROMOTE = "promote"  # key; found below, it is kept above
    DEMOTE = "demote"  # key; evicted above, it is kept below for as long as there is room
    TIER_CALL = "tier_call"  # seconds, error; detail: the method. Several keys may be in it
    TIER_ERROR = "tier_error"  # error, detail; a call failed
    BREAKER = "breaker"  # detail: "open", "half_open" or "closed"
    DEGRADED = "degraded"  # detail; the cache goes on without it, or with less of it
    RECOVERED = "recovered"  # detail
    UNDECODABLE = "undecodable"  # key, detail; bytes that are damaged, forged or outdated
    OVERFLOW = "overflow"  # key, amount; writes were given up, too many were waiting
    CORRUPTION = "corruption"  # detail; these four are `TierEventKind`, word for word
    QUARANTINE = "quarantine"  # detail
    DISCARD = "discard"  # detail
    FULL = "full"  # detail

    # Prefetching; all have a key
    PREFETCH = "prefetch"  # one was begun
    PREFETCH_USED = "prefetch_used"  # somebody asked for it
    PREFETCH_WASTED = "prefetch_wasted"  # it went before anybody asked

    # A warm restart
    SAVE = "save"  # amount, seconds, detail; memory was saved to a file
    RESTORE = "restore"  # amount, seconds, detail; entries came back from a file

    # The optimization loop
    TUNE = "tune"  # detail: what it decided and why


REMOVALS = {
    RemovalCause.EVICTED: EventKind.EVICT,
    RemovalCause.EXPIRED: EventKind.EXPIRE,
    RemovalCause.INVALIDATED: EventKind.INVALIDATE,
    RemovalCause.TAG: EventKind.INVALIDATE,
    RemovalCause.DEPENDENCY: EventKind.INVALIDATE,
    RemovalCause.CLEARED: EventKind.INVALIDATE,
    RemovalCause.REPLACED: EventKind.REPLACE,
    RemovalCause.REJECTED: EventKind.REJECT,
}


#: what somebody should look at, or that it is over
PROBLEMS = frozenset(
    {
        EventKind.LOAD_ERROR,
        EventKind.TIER_ERROR,
        EventKind.BREAKER,
        EventKind.DEGRADED,
        EventKind.RECOVERED,
        EventKind.UNDECODABLE,
        EventKind.OVERFLOW,
        EventKind.CORRUPTION,
        EventKind.QUARANTINE,
        EventKind.DISCARD,
        EventKind.FULL,
    }
)


class Event(NamedTuple):
    """Something that happened in a cache. `EventKind` tells which fields mean something.

    Args:
        kind: what.
        key: the key that it is about, as the caller gave it.
        tier: the name of a tier.
        seconds: how long it took.
        cause: why an entry is gone.
        error: what was raised. It is the very error: do not keep it.
        load: tells loads of one process apart; a wait has the number of the load waited for.
        amount: how many, where one record stands for several.
        detail: for people. No value, and no key but where the kind has one.
    """

    kind: EventKind
    key: Any = None
    tier: str = ""
    seconds: float = 0.0
    cause: RemovalCause | None = None
    error: BaseException | None = None
    load: int = 0
    amount: int = 1
    detail: str = ""


EventCallback = Callable[[Event], object]


class _Kind(Protocol):
    @property
    def value(self) -> str: ...


class TierTelling(Protocol):
    """What a tier tells of: `scrubjay.tiers.events.TierEvent`, which knows nothing of us."""

    @property
    def kind(self) -> _Kind: ...
    @property
    def tier(self) -> str: ...
    @property
    def detail(self) -> str: ...


class _Subscriber:
    """Calls a function with events, at once, in the thread that they happen in.

    What it raises is logged: the first time, and whenever there are twice as many by then.
    It is not told of what it causes itself while it is being called, or it might never end.
    """

    dropped = 0

    def __init__(self, callback: EventCallback) -> None:
        self._callback = callback
        self._failures = 0
        self._here = threading.local()
        self.ended = False

    def tell(self, event: Event) -> None:
        """Call the function, unless it is being called in this thread."""
        if self.ended or getattr(self._here, "busy", False):
            return
        self._here.busy = True
        try:
            self._callback(event)
        except Exception:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:
                with suppress(RecursionError):  # the stack may be at its end here
                    _log.exception("a subscriber failed on %s", event.kind.value)
        finally:
            self._here.busy = False

    def end(self) -> None:
        """Call it no more."""
        self.ended = True


class _QueuedSubscriber(_Subscriber):
    """Calls a function with events from a thread of its own, as fast as it can take them.

    Events beyond those that may wait are dropped and counted. The thread holds nothing of
    the cache while it waits; it ends with the subscription, or with the hub.
    """

    def __init__(self, callback: EventCallback, most: int) -> None:
        super().__init__(callback)
        self._most = most
        self._begin()

    def _begin(self) -> None:
        """Begin anew, in the process that made it or in a child, where its thread is not."""
        self._process = os.getpid()
        # Of all queues this one may be filled by a finalizer that runs while it is filled.
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()  # reentrant, for the same reason

    def tell(self, event: Event) -> None:
        """Let the event wait for the thread."""
        if self.ended or threading.current_thread() is self._thread:
            return
        if self._process != os.getpid():
            self._begin()
        if self._queue.qsize() >= self._most:
            with self._lock:
                self.dropped += 1
            return
        self._queue.put(event)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(
            target=_deliver,
            args=(self._queue, weakref.ref(self)),
            name="scrubjay-events",
            daemon=True,
        )
        with self._lock:
            if self._thread is None:
                self._thread = thread
                with suppress(RuntimeError):  # the interpreter is shutting down
                    thread.start()

    def end(self) -> None:
        """Call it no more, and let the thread go."""
        super().end()
        self._queue.put(None)

    def __del__(self) -> None:
        self._queue.put(None)


def _deliver(queue: SimpleQueue[Event | None], reference: weakref.ref[_QueuedSubscriber]) -> None:
    """Call a subscriber with what is in its queue, until there is None."""
    while True:
        event = queue.get()
        subscriber = reference()
        if event is None or subscriber is None:
            return
        try:
            _Subscriber.tell(subscriber, event)
        except BaseException:  # `SystemExit`, say: there is more to be told of
            _log.exception("a subscriber ended on %s", event.kind.value)
        del event, subscriber  # nothing is held while waiting


class Events:
    """The hub of one cache.

    Attributes:
        wanted: the kinds that somebody listens for; empty, and so false, for nobody.
    """

    def __init__(self) -> None:
        self.wanted: frozenset[EventKind] = frozenset()
        # Reentrant: a finalizer may subscribe or end a subscription here.
        self._lock = threading.RLock()
        self._subscriptions: dict[_Subscriber, frozenset[EventKind]] = {}
        self._by_kind: dict[EventKind, tuple[_Subscriber, ...]] = {}
        self._dropped = 0  # of subscriptions that have ended

    def subscribe(
        self,
        callback: EventCallback,
        kinds: Iterable[EventKind] | None = None,
        *,
        queued: bool = False,
        most: int = _MOST,
    ) -> Callable[[], None]:
        """Call ``callback(event)`` from now on; return a function that ends it.

        What it raises is logged and goes no further. It is not told of events that it
        causes itself.

        Args:
            callback: the function.
            kinds: what it wants to hear of; None for all.
            queued: whether it is called from a thread of its own, for whatever may take
                long. Otherwise it is called where the event happens, which waits for it.
            most: events that may wait for it if `queued`; those beyond are dropped.
        """
        subscriber = _QueuedSubscriber(callback, most) if queued else _Subscriber(callback)
        with self._lock:
            self._subscriptions[subscriber] = frozenset(EventKind if kinds is None else kinds)
            self._arrange()

        def unsubscribe() -> None:
            with self._lock:
                if self._subscriptions.pop(subscriber, None) is not None:
                    self._dropped += subscriber.dropped
                    self._arrange()
            subscriber.end()

        return unsubscribe

    def _arrange(self) -> None:
        table: dict[EventKind, list[_Subscriber]] = {}
        for subscriber, kinds in self._subscriptions.items():
            for kind in kinds:
                table.setdefault(kind, []).append(subscriber)
        self._by_kind = {kind: tuple(several) for kind, several in table.items()}
        self.wanted = frozenset(table)

    def publish(self, event: Event) -> None:
        """Hand an event to those who want it; it never raises what they raise."""
        for subscriber in self._by_kind.get(event.kind, ()):
            subscriber.tell(event)

    def relay(self, told: TierTelling) -> None:
        """Publish what a tier tells of; log it if nobody wants it. For `on_event` of tiers."""
        event = Event(EventKind(told.kind.value), tier=told.tier, detail=told.detail)
        if event.kind in self.wanted:
            self.publish(event)
        else:
            _log.warning("tier %s: %s: %s", event.tier, event.kind.value, event.detail)

    @property
    def dropped(self) -> int:
        """How many events were dropped because a queued subscriber did not keep up."""
        with self._lock:
            return self._dropped + sum(each.dropped for each in self._subscriptions)
