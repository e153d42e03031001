"""What a thread waits with for replies that another may read for it."""

from __future__ import annotations

import threading
from typing import Any


class Ticket:
    """What a thread waits with; it is woken with a result, or to read for all."""

    __slots__ = ("_woken", "gone", "reads", "result")

    def __init__(self) -> None:
        self._woken = threading.Lock()
        self._woken.acquire()
        self.result: Any = None
        self.reads = False
        self.gone = False

    def done(self) -> bool:
        """Tell whether the outcome is known, or not wanted any more."""
        return self.gone or self.result is not None

    def set_result(self, result: Any, /) -> None:
        """Take the outcome."""
        self.result = result
        if not self.reads:
            self._woken.release()

    def appoint(self) -> None:
        """Have this one read."""
        self.reads = True
        self._woken.release()

    def wait(self, seconds: float) -> bool:
        """Wait to be woken; return whether it was."""
        return self._woken.acquire(timeout=max(0.0, seconds))
