"""Indivisible steps of the uncompiled core.

The core changes its state in *steps*: short methods that call no user code, drop no
reference to a user's object and therefore finish before anybody else runs. Compiled, a
step is a C function and the interpreter lock alone makes it indivisible. Uncompiled, the
interpreter may switch threads, or collect garbage and run a finalizer, between any two
bytecodes; `indivisible` then wraps each step in one lock and pauses the collector.

Keys' ``__eq__`` and ``__hash__``, values' ``__del__``, callbacks, sizers and loaders are
never called from inside a step, so no user code ever runs under this lock.
"""

from __future__ import annotations

import functools
import gc
import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from scrubjay.errors import CacheError

__all__ = ["InterruptedStepError", "indivisible", "is_uncompiled", "undisturbed"]

T = TypeVar("T")


class InterruptedStepError(CacheError, RuntimeError):
    """A signal handler used the cache while this very thread was changing it.

    Only the uncompiled build can be interrupted between two bytecodes of a step.
    """


class _Turn:
    """Whose turn it is: one lock for every store, and the thread that holds it."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        # Reentrant: a finalizer may run, and use a store, before the step itself begins.
        self.lock = threading.RLock()
        self.owner = 0


_turn = _Turn()
if hasattr(os, "register_at_fork"):  # a thread of the parent may have held it
    os.register_at_fork(after_in_child=_turn.renew)


def undisturbed(function: Callable[[Any], T], argument: Any) -> T:
    """Call a function while no garbage collector runs, nor an uncompiled step elsewhere.

    The lock's own context manager cannot be interrupted between taking and holding it.
    """
    with _turn.lock:
        collecting = gc.isenabled()
        try:
            gc.disable()
            return function(argument)
        finally:
            if collecting:
                gc.enable()


def _step(method: Any) -> Any:
    @functools.wraps(method)
    def step(self: Any, *args: Any) -> Any:
        me = threading.get_ident()
        if _turn.owner == me:
            raise InterruptedStepError(
                "the cache was used from a signal handler while this thread was changing it"
            )
        with _turn.lock:
            collecting = gc.isenabled()
            try:
                gc.disable()
                _turn.owner = me
                try:
                    return method(self, *args)
                except BaseException:
                    # An interrupt may have torn the step: an empty cache loses entries but
                    # never tells a lie.
                    self.reset()
                    raise
            finally:
                _turn.owner = 0
                if collecting:
                    gc.enable()

    return step


def is_uncompiled(cls: type) -> bool:
    """Tell whether a class of the core runs as plain Python."""
    return any(isinstance(vars(base).get("__init__"), FunctionType) for base in cls.__mro__)


def indivisible(cls: type, *names: str) -> None:
    """Make methods of an uncompiled class indivisible; a compiled one is left alone.

    Args:
        cls: the class, with a method ``reset`` that empties it.
        names: methods of its own, none inherited, that never call one another.

    Raises:
        KeyError: the class has no such method of its own. Passed over, it would be divisible.
    """
    if is_uncompiled(cls):
        for name in names:
            setattr(cls, name, _step(vars(cls)[name]))
