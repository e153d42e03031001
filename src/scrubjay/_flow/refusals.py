"""Keys that could not be loaded ahead, and are not tried again for a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

_MOST = 4096  # keys remembered
_FIRST = 30.0  # seconds for which a key is not tried again; then twice as long
_LAST = 3600.0


class Refusals:
    """Until when each key is refused, in monotonic seconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[Any, tuple[float, float]] = OrderedDict()

    def add(self, key: Any, now: float) -> None:
        """Refuse a key that could not be loaded, each time for twice as long."""
        seconds = min(_LAST, 2.0 * self._until.pop(key, (0.0, _FIRST / 2.0))[1])
        self._until[key] = (now + seconds, seconds)
        if len(self._until) > _MOST:
            self._until.popitem(last=False)

    def remove(self, key: Any) -> None:
        """Forget a key that was loaded after all."""
        self._until.pop(key, None)

    def holds(self, key: Any, now: float) -> bool:
        """Tell whether a key is refused."""
        return self._until.get(key, (0.0, 0.0))[0] > now
