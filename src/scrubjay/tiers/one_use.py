"""A lock for what must not be used in the midst of its own use."""

from __future__ import annotations

import threading

from scrubjay.errors import TierUnavailableError


class OneUse:
    """A lock that a finalizer which runs in the midst of its use is refused, not kept waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take the lock.

        Raises:
            TierUnavailableError: this very thread holds it.
        """
        me = threading.get_ident()
        if self._holder == me and blocking:
            raise TierUnavailableError("a finalizer uses the tier in the midst of its use")
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            self._holder = me
        return taken

    def release(self) -> None:
        """Give the lock back."""
        self._holder = 0
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()
