# cython: annotation_typing=True, binding=True
"""The functions that callers of a decorated function really call.

They make the key, ask the store and return. Where nothing is stored they run the plan of
loading it, with no function in between: each would be one more of Python's frames at each
level of a recursion. Calls with few positional arguments, the usual ones, have functions
of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.store import Store


class Tally:
    """Hits and misses of one function in a cache that it shares."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0


def memoize(store: Any, plan: Any, run: Any, arity: int, key_of: Any) -> Callable[..., Any]:
    """Return the memoized form of a function that has a store to itself.

    Args:
        store: the store.
        plan: returns what to run for a result that the store does not have; called with
            key, positional and named arguments.
        run: runs that and returns the result.
        arity: positional arguments of a call that are its key as they stand, or -1.
        key_of: returns the key of any call.
    """
    own: Store = store

    def one(a: Any = MISSING, /, *rest: Any, **named: Any) -> Any:
        key: Any
        if a is MISSING or rest or named:
            args = rest if a is MISSING else (a, *rest)
            key = key_of(args, named)
            value = own.fetch(key, MISSING)
            return run(plan(key, args, named)) if value is MISSING else value
        key = a if type(a) is str or type(a) is int else (a,)
        value = own.fetch(key, MISSING)
        return run(plan(key, (a,), named)) if value is MISSING else value

    def two(a: Any = MISSING, b: Any = MISSING, /, *rest: Any, **named: Any) -> Any:
        args: Any
        if b is MISSING or rest or named:
            if b is not MISSING:
                args = (a, b, *rest)
            else:
                args = rest if a is MISSING else (a, *rest)
            key: Any = key_of(args, named)
        else:
            args = key = (a, b)
        value = own.fetch(key, MISSING)
        return run(plan(key, args, named)) if value is MISSING else value

    def many(*args: Any, **named: Any) -> Any:
        key: Any = key_of(args, named) if named or len(args) != arity else args
        value = own.fetch(key, MISSING)
        return run(plan(key, args, named)) if value is MISSING else value

    if arity == 1:
        return one
    if arity == 2:
        return two
    return many


def memoize_async(store: Any, plan: Any, arun: Any, arity: int, key_of: Any) -> Callable[..., Any]:
    """Return the memoized form of a coroutine function with a store to itself.

    The arguments are those of `memoize`; what `arun` returns is awaited.
    """
    own: Store = store

    async def one(a: Any = MISSING, /, *rest: Any, **named: Any) -> Any:
        if a is MISSING or rest or named:
            args = rest if a is MISSING else (a, *rest)
            key = key_of(args, named)
        else:
            args = (a,)
            key = a if type(a) is str or type(a) is int else args
        value = own.fetch(key, MISSING)
        return await arun(plan(key, args, named)) if value is MISSING else value

    async def many(*args: Any, **named: Any) -> Any:
        key = key_of(args, named) if named or len(args) != arity else args
        value = own.fetch(key, MISSING)
        return await arun(plan(key, args, named)) if value is MISSING else value

    return one if arity == 1 else many


def memoize_shared(store: Any, plan: Any, run: Any, key_of: Any, tally: Any) -> Callable[..., Any]:
    """Return the memoized form of a function that shares a store with others.

    The arguments are those of `memoize`, and the tally of the function's own requests.
    """
    own: Store = store
    count: Tally = tally

    def shared(*args: Any, **named: Any) -> Any:
        key = key_of(args, named)
        value = own.fetch(key, MISSING)
        if value is MISSING:
            count.misses += 1
            return run(plan(key, args, named))
        count.hits += 1
        return value

    return shared


def memoize_shared_async(
    store: Any, plan: Any, arun: Any, key_of: Any, tally: Any
) -> Callable[..., Any]:
    """Return the memoized form of a coroutine function that shares a store."""
    own: Store = store
    count: Tally = tally

    async def shared(*args: Any, **named: Any) -> Any:
        key = key_of(args, named)
        value = own.fetch(key, MISSING)
        if value is MISSING:
            count.misses += 1
            return await arun(plan(key, args, named))
        count.hits += 1
        return value

    return shared
