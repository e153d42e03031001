"""What a task awaits until it is woken, together with others, in one turn of the event loop.

An `asyncio.Future` has the loop call each task that waits for it by a handle of its own: most
of what it costs, where sixty-four wait for the same. A `Turn` is a future as far as tasks ask
(`_asyncio_future_blocking`, by which `asyncio.isfuture` knows one): who makes it come calls
the task. That must be the event loop, and no task: none may be woken from within another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Turn:
    """The turn of one task.

    Args:
        loop: the running event loop.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_context",
        "_error",
        "_loop",
        "_result",
        "_wake",
        "over",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._wake: Callable[[Turn], object] | None = None
        self._context: Context | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        #: whether it has come, or nobody waits for it any more
        self.over = False

    def come(self, result: Any, error: BaseException | None = None) -> None:
        """Have the task go on, now, with a result or an error; called by the event loop."""
        if self.over:
            return
        self.over = True
        self._result = result
        self._error = error
        if self._wake is not None:
            self._context.run(self._wake, self)  # type: ignore[union-attr]

    # What tasks ask

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.over:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop."""
        return self._loop

    def add_done_callback(
        self, wake: Callable[[Turn], object], *, context: Context | None = None
    ) -> None:
        """Have the task be called."""
        self._wake = wake
        self._context = context

    def result(self) -> Any:
        """Return the result, or raise the error."""
        error = self._error
        if error is None:
            return self._result
        self._error = None  # its traceback will lead here
        raise error

    def cancel(self, msg: Any = None) -> bool:
        """Have the task go on, soon, with a `CancelledError`; False if it does anyway."""
        if self.over:
            return False
        self.over = True
        self._error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        if self._wake is not None:
            self._loop.call_soon(self._wake, self, context=self._context)
        return True
