"""What tiers tell of: nothing that a caller must handle, all that an operator wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

_log = logging.getLogger("scrubjay")


class TierEventKind(Enum):
    """What has happened."""

    CORRUPTION = "corruption"  # a record was damaged; it is a miss, and removed
    QUARANTINE = "quarantine"  # a file was damaged or not ours; it was put aside and replaced
    DISCARD = "discard"  # everything stored was given up: it might be out of date
    FULL = "full"  # the device took no more; older records were given up for new ones


class TierEvent(NamedTuple):
    """Something that happened within a tier.

    Args:
        kind: what.
        tier: the name of the tier.
        detail: for people. Names files and reasons, no keys and no values.
    """

    kind: TierEventKind
    tier: str
    detail: str


OnEvent = Callable[[TierEvent], object]


class Announcer:
    """Hands events to a callback, or to the log if there is none.

    Args:
        tier: the name of the tier.
        callback: called with each event, outside of all locks. What it raises is logged.
    """

    def __init__(self, tier: str, callback: OnEvent | None) -> None:
        self._tier = tier
        self._callback = callback

    def tell(self, kind: TierEventKind, detail: str) -> None:
        """Announce an event."""
        if self._callback is None:
            _log.warning("tier %s: %s: %s", self._tier, kind.value, detail)
            return
        try:
            self._callback(TierEvent(kind, self._tier, detail))
        except Exception:
            _log.exception("a callback on an event of tier %s failed", self._tier)
