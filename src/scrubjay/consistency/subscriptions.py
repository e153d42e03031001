"""Who wants to know that a key has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from scrubjay._core.claims import Claims

_log = logging.getLogger("scrubjay")

Subscriber = Callable[[Any, int], object]


class Subscriptions:
    """Callbacks by key and name of the subscriber."""

    def __init__(self) -> None:
        self._by_key = Claims()

    def add(self, key: Any, name: str, callback: Subscriber | None) -> None:
        """Enter a subscription; it replaces one of the same key and name."""
        entered = False
        while not entered:
            named = self._by_key.claim(key, {})
            named[name] = callback
            # The last one of others may have left between the two.
            entered = self._by_key.get(key) is named

    def remove(self, key: Any, name: str) -> None:
        """End a subscription, if there is one."""
        named = self._by_key.get(key)
        if named is not None:
            named.pop(name, None)
            if not named and self._by_key.release(key, named):
                for other, callback in list(named.items()):  # who came between the two
                    self.add(key, other, callback)

    def tell(self, key: Any, version: int) -> None:
        """Call who has subscribed to a key; what a callback raises is logged."""
        named = self._by_key.get(key) if self._by_key.count else None
        for callback in list((named or {}).values()):
            if callback is not None:
                try:
                    callback(key, version)
                except Exception:
                    _log.exception("a callback on an invalidation failed")
