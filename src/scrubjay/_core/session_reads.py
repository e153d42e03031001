"""What one session reads of a store, with all that is known of it at hand.

A read that names its session has its arguments taken apart, and a session found by a name, before
anything is looked up; that took half as long again as the read itself. Here it is known.
"""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.floors import SessionFloors
from scrubjay._core.store import Store


class SessionReads:
    """The reads of one session.

    Args:
        store: of which it reads.
        session: whose floors count, and who is noted to have asked.
        demanded: 0 for whatever is there, 1 for SESSION, 2 for MONOTONIC; -1 if none can be
            answered here.
    """

    def __init__(self, store: Store, session: SessionFloors, demanded: int) -> None:
        self.store = store
        self.floors = session
        self.demanded = demanded

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of `key`, or `default` if it is not there.

        Args:
            key: any hashable.
            default: returned on a miss.

        Raises:
            InvalidKeyError: the key is not hashable.
            ConsistencyError: the level cannot be kept, which is never passed over in silence.
            TierError: the level needs the shared tier, and that cannot be asked.
        """
        if self.demanded >= 0:
            self.floors.wanted = True
            value = self.store.fetch_for(key, self.floors, self.demanded)
            if value is not MISSING:
                return value
        return self.get_elsewhere(key, default)

    def get_at_once(self, key: Any) -> Any:
        """Return a value that may be shown without a look elsewhere; else MISSING, uncounted."""
        if self.demanded < 0:
            return MISSING
        self.floors.wanted = True
        return self.store.fetch_for(key, self.floors, self.demanded)

    def get_elsewhere(self, key: Any, default: Any) -> Any:
        """Read what is not answered here; a door does it."""
        return default
