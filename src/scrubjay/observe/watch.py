"""What of a cache's events is worth showing: its slowest loads, and what is out of the ordinary."""

from __future__ import annotations

import heapq
import time
from collections import deque
from itertools import count
from typing import Any, TypedDict

from scrubjay._core.section import undisturbed
from scrubjay.events import PROBLEMS, Event, EventKind

_SLOWEST = 10
_RECENT = 30
_LENGTH = 120  # characters of a key
_NOTABLE = PROBLEMS | {EventKind.STALE_SERVED, EventKind.CONFLICT}


class SlowLoad(TypedDict):
    """One of the slowest loads."""

    key: str
    seconds: float
    at: float  # wall time in seconds since the epoch
    outcome: str  # "ok", or the name of an error's class


class Happening(TypedDict):
    """Something out of the ordinary, or the last of several of its kind."""

    kind: str
    tier: str
    detail: str
    at: float
    times: int


def shown(key: Any) -> str:
    """Return a key as people read it, cut short; never fails."""
    try:
        text = key if isinstance(key, str) else repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


class Watch:
    """Listens to one cache.

    Args:
        cache: the store. It is not kept alive.
    """

    def __init__(self, cache: Any) -> None:
        self._numbers = count()
        self._slowest: list[tuple[float, int, SlowLoad]] = []  # a heap, the fastest first
        self._recent: deque[Happening] = deque(maxlen=_RECENT)
        kinds = {EventKind.LOAD, *_NOTABLE}
        self.end = cache.on_event(self._hear, kinds, queued=False)

    def _hear(self, event: Event) -> None:
        if event.kind in {EventKind.LOAD, EventKind.LOAD_ERROR}:
            self._loaded(event)
        if event.kind in _NOTABLE:
            self._note(event)

    def _loaded(self, event: Event) -> None:
        slowest = self._slowest
        if len(slowest) == _SLOWEST and event.seconds <= slowest[0][0]:
            return
        load: SlowLoad = {
            "key": shown(event.key),
            "seconds": event.seconds,
            "at": time.time(),
            "outcome": "ok" if event.error is None else type(event.error).__name__,
        }
        undisturbed(self._enter, (event.seconds, next(self._numbers), load))

    def _enter(self, slow: tuple[float, int, SlowLoad]) -> list[Any]:
        """Keep a load; return those that are too many, to be let go."""
        heapq.heappush(self._slowest, slow)
        return [heapq.heappop(self._slowest) for _ in range(len(self._slowest) - _SLOWEST)]

    def _note(self, event: Event) -> None:
        detail = event.detail or ("" if event.error is None else type(event.error).__name__)
        undisturbed(self._append, (event.kind.value, event.tier, detail))

    def _append(self, alike: tuple[str, str, str]) -> None:
        last = self._recent[-1] if self._recent else None
        times = 1
        if last is not None and (last["kind"], last["tier"], last["detail"]) == alike:
            times += last["times"]
            self._recent.pop()
        kind, tier, detail = alike
        self._recent.append(
            {"kind": kind, "tier": tier, "detail": detail, "at": time.time(), "times": times}
        )

    def slowest(self) -> list[SlowLoad]:
        """Return the slowest loads, the slowest first."""
        found = undisturbed(list, self._slowest)
        return [load for *_, load in sorted(found, reverse=True)]

    def recent(self) -> list[Happening]:
        """Return what was out of the ordinary, the latest first."""
        return undisturbed(list, self._recent)[::-1]
