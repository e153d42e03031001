"""Versions, sessions and subscriptions within one process.

All doors of a process share one store, so a read always finds the last completed write:
EVENTUAL and STRONG hold as they stand. For SESSION and MONOTONIC the manager keeps, per
session and key, the lowest version that the session may still be shown; a copy below it
is refused and counted as a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from scrubjay import arguments
from scrubjay.consistency.floors import Floors
from scrubjay.consistency.subscriptions import Subscriptions
from scrubjay.types import CacheConsistencyLevel

__all__ = ["ConsistencyManager"]

_BY_SESSION = (CacheConsistencyLevel.SESSION, CacheConsistencyLevel.MONOTONIC)


class ConsistencyManager:
    """Decides whether a version may be shown, and remembers what was.

    100,000 pairs of a session and a key are remembered, the least recently used forgotten
    first: the session may then be shown what any new session may.

    Args:
        consistency_level: the level to keep.
    """

    def __init__(
        self,
        consistency_level: CacheConsistencyLevel | str = CacheConsistencyLevel.EVENTUAL,
    ) -> None:
        self.consistency_level = arguments.member(
            "consistency_level", CacheConsistencyLevel, consistency_level
        )
        self.consistency_conflicts = 0
        #: whether the level depends on who is reading
        self.keeps_sessions = self.consistency_level in _BY_SESSION
        #: whether writes are to be registered: somebody depends on it
        self.listens = self.keeps_sessions
        #: called at each new subscription
        self.subscribed: Callable[[], object] = bool
        self._versions = Floors()
        self._floors = Floors()
        self._subscriptions = Subscriptions()

    def validate_read(self, key: Hashable, version: int, node_id: str | None = None) -> bool:
        """Tell whether a copy of `key` at `version` may be shown.

        Args:
            key: the key.
            version: of the copy at hand.
            node_id: the session that reads; None for nobody in particular.
        """
        valid = True
        if self.consistency_level is CacheConsistencyLevel.STRONG:
            valid = version >= self._versions.of(key)
        elif self.keeps_sessions and node_id is not None:
            place = (str(node_id), key)
            valid = version >= self._floors.of(place)
            if valid and self.consistency_level is CacheConsistencyLevel.MONOTONIC:
                self._floors.lift(place, version)
        if not valid:
            self.consistency_conflicts += 1
        return valid

    def register_write(
        self, key: Hashable, node_id: str | None = None, version: int | None = None
    ) -> int:
        """Note a write, tell subscribers, and return its version.

        Args:
            key: the key written.
            node_id: the session that wrote; it will be shown nothing older.
            version: the version that the store gave it; the next one if None.
        """
        version = self._versions.lift(key, version)
        if node_id is not None:
            self._floors.lift((str(node_id), key), version)
        self.tell(key, version)
        return version

    def tell(self, key: Hashable, version: int) -> None:
        """Tell the subscribers of a key that what they know of it is of the past."""
        self._subscriptions.tell(key, version)

    def session_floor(self, key: Hashable, node_id: str) -> int:
        """Return the lowest version of `key` that the session may be shown.

        Args:
            key: the key.
            node_id: the session.
        """
        return self._floors.of((str(node_id), key))

    def subscribe_to_invalidation(
        self,
        key: Hashable,
        subscriber_id: Hashable,
        callback: Callable[[Any, int], object] | None = None,
    ) -> None:
        """Have `callback(key, version)` called when `key` is written or invalidated.

        It runs in the thread that made the change, which is complete by then. What it
        raises is logged.

        Args:
            key: the key.
            subscriber_id: names the subscription; a second one of that name replaces it.
            callback: the function.

        Raises:
            InvalidArgumentError: `callback` cannot be called, or `key` not be hashed.
        """
        arguments.function_or_none("callback", callback)
        self._subscriptions.add(key, str(subscriber_id), callback)
        self.listens = True
        self.subscribed()

    def unsubscribe_from_invalidation(self, key: Hashable, subscriber_id: Hashable) -> None:
        """End a subscription, if there is one.

        Args:
            key: the key.
            subscriber_id: names the subscription.
        """
        self._subscriptions.remove(key, str(subscriber_id))
