"""Callbacks on removals."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from scrubjay.types import RemovalCause

_log = logging.getLogger("scrubjay")
CAUSES = tuple(RemovalCause)  # in the order of the core's numbering

RemovalListener = Callable[[Any, Any, RemovalCause], object]


class Listeners:
    """Who wants to know of removals, and of which.

    A callback runs after the change is complete, in the thread that made it; it may use
    the cache. What it raises is logged and goes no further, because the removal has
    happened already. Only a `RecursionError` goes on, once everyone is told: a callback
    whose removals call it would otherwise begin again at every level that it has reached.
    """

    def __init__(self) -> None:
        # Each under an object of its own: entering and leaving are one step each.
        self._listeners: dict[object, tuple[RemovalListener, frozenset[RemovalCause]]] = {}

    def add(
        self, callback: RemovalListener, causes: Iterable[RemovalCause] | None
    ) -> Callable[[], None]:
        """Call `callback` from now on; return a function that ends it."""
        token = object()
        self._listeners[token] = (callback, frozenset(CAUSES if causes is None else causes))

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def announce(self, key: Any, value: Any, cause: RemovalCause) -> None:
        """Tell everyone who wants to know."""
        deepest: RecursionError | None = None
        for callback, causes in list(self._listeners.values()):
            if cause in causes:
                try:
                    callback(key, value, cause)
                except RecursionError as error:
                    deepest = error
                except Exception:
                    _log.exception("a removal callback failed")
        if deepest is not None:
            try:
                raise deepest
            finally:
                deepest = None  # or error, traceback and frame would keep each other alive
