"""Structured logs of what happens, by the standard library's logging.

Quiet unless asked: of all kinds of events only those that somebody may have to act on, and
of each at most one a second, which says how many were left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from scrubjay import arguments
from scrubjay.events import PROBLEMS, Event, EventKind
from scrubjay.observe.hottest import namespace
from scrubjay.observe.sinks.sink import Sink

__all__ = ["PROBLEMS", "LoggingSink"]

_WARNED_OF = PROBLEMS - {EventKind.RECOVERED}
_QUOTED = frozenset(" \n\r\t\"'=")
_LENGTH = 200  # characters of a key, or of what an error says


class LoggingSink(Sink):
    """Logs events of caches.

    A record's message has names and values, ``load_error cache=users namespace=user
    seconds=0.012 error=TimeoutError``; the same is in its attribute ``scrubjay``, a dict, for
    formatters that write JSON. Handlers are called from a thread of its own, so that a slow
    one holds nobody up. No value of the cache is logged.

    Args:
        logger: the logger, or its name.
        kinds: what is logged: members of `EventKind` or their values; None for `PROBLEMS`.
        keys: whether keys are logged. If not, only what they have in common is.
        interval: seconds in which one record of a kind is enough; 0 for no such limit.
        clock: returns monotonic seconds.

    Raises:
        InvalidArgumentError: an argument makes no sense.
    """

    def __init__(
        self,
        logger: logging.Logger | str = "scrubjay.events",
        kinds: Iterable[EventKind | str] | None = None,
        *,
        keys: bool = False,
        interval: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        chosen = PROBLEMS if kinds is None else arguments.several("kinds", kinds, "kinds")
        self._kinds = [arguments.member("kinds", EventKind, kind) for kind in chosen]
        self._keys = keys
        self._interval = arguments.not_negative("interval", interval)
        self._clock = clock
        super().__init__()
        self._lock = threading.Lock()
        self._last: dict[tuple[str, EventKind, str], tuple[float, int]] = {}

    def _begin(self, store: Any, label: str) -> Callable[[], None]:
        end: Callable[[], None] = store.on_event(lambda event: self._log(label, event), self._kinds)

        def leave() -> None:
            end()
            with self._lock:
                for place in [one for one in self._last if one[0] == label]:
                    del self._last[place]

        return leave

    def _log(self, label: str, event: Event) -> None:
        level = logging.WARNING if event.kind in _WARNED_OF else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        place = (label, event.kind, event.tier)
        now = self._clock()
        with self._lock:
            last, left_out = self._last.get(place, (-float("inf"), 0))
            if now - last < self._interval:
                self._last[place] = (last, left_out + 1)
                return
            self._last[place] = (now, 0)
        fields = self._fields(label, event)
        if left_out:
            fields["left_out"] = left_out
        text = " ".join(f"{name}={_plain(value)}" for name, value in fields.items())
        self._logger.log(
            level,
            "%s %s",
            event.kind.value,
            text,
            extra={"scrubjay": {"kind": event.kind.value, **fields}},
        )

    def _fields(self, label: str, event: Event) -> dict[str, Any]:
        fields: dict[str, Any] = {"cache": label}
        if event.tier:
            fields["tier"] = event.tier
        if event.key is not None:
            fields["namespace"] = namespace(event.key)
            if self._keys:
                fields["key"] = repr(event.key)[:_LENGTH]
        if event.seconds:
            fields["seconds"] = round(event.seconds, 6)
        if event.cause is not None:
            fields["cause"] = event.cause.value
        if event.error is not None:
            fields["error"] = type(event.error).__name__
        if event.amount != 1:
            fields["amount"] = event.amount
        if event.detail:
            fields["detail"] = event.detail[:_LENGTH]
        return fields


def _plain(value: Any) -> str:
    """Return a value as it stands in a message, in one line and without a doubt where it ends."""
    text = str(value)
    return text if _QUOTED.isdisjoint(text) and text.isprintable() else repr(text)
