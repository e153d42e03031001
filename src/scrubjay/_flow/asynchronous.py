"""What is to be awaited, of functions and of what they return, and what only one could use."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any

from scrubjay.errors import InvalidArgumentTypeError

_PLAIN = frozenset({str, int, float, bool, type(None), bytes, list, tuple, dict, set})


def is_asynchronous(function: Any) -> bool:
    """Tell whether a function is a coroutine function, or marked as one; objects are called."""
    if inspect.iscoroutinefunction(function):
        return True
    marker = getattr(asyncio.coroutines, "_is_coroutine", None)
    if marker is not None and getattr(function, "_is_coroutine", None) is marker:
        return True
    return inspect.iscoroutinefunction(method_called(function))


def method_called(function: Any) -> Any:
    """Return the method that a call of an object runs; of a function, what Python runs it by."""
    while isinstance(function, partial):
        function = function.func
    return getattr(type(function), "__call__", None)  # noqa: B004 - it is looked at, not tested for


def is_awaitable(value: Any) -> bool:
    """Tell whether a value is to be awaited; of the usual kinds that is known at once."""
    return type(value) not in _PLAIN and inspect.isawaitable(value)


def refuse_generator(value: Any) -> None:
    """Raise an error if what a loader returned is used up by whoever goes through it first."""
    if type(value) not in _PLAIN and isinstance(value, (Generator, AsyncGenerator)):
        raise InvalidArgumentTypeError(
            "loader: it returned a generator, which only one caller could use; return what it "
            "yields, as a list say"
        )
