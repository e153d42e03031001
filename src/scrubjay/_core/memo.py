# cython: annotation_typing=True, binding=True
"""The functions that callers of a decorated function really call.

They make the key, ask the store and return. Where nothing is stored they run the plan of
loading it, with no function in between: each would be one more of Python's frames at each
level of a recursion. Calls with few positional arguments, the usual ones, have functions
of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from pickle import PicklingError
from types import MethodType
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.store import Store

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:

    def accept_vectorcall(memoized: Any) -> None:
        """Do nothing: only a compiled call can do without a tuple of arguments."""


class Tally:
    """Hits and misses of one function in a cache that it shares."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0


class Memoized:
    """The memoized form of a function that has a store to itself.

    Compiled, a call with one or two positional arguments makes neither a tuple of arguments
    nor a dictionary of named ones: see ``memo.pxd``.

    Args:
        store: the store.
        plan: returns what to run for a result that the store does not have; called with
            key, positional and named arguments.
        run: runs that and returns the result.
        arity: positional arguments of a call that are its key as they stand, or -1.
        key_of: returns the key of any call.
    """

    # In slots, as those of the compiled class are: the attributes of a decorated function
    # are its own affair.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_arity",
        "_key_of",
        "_plan",
        "_run",
        "_store",
    )

    def __init__(self, store: Any, plan: Any, run: Any, arity: int, key_of: Any) -> None:
        self._store = store
        self._plan = plan
        self._run = run
        self._arity = arity
        self._key_of = key_of
        accept_vectorcall(self)

    def __call__(self, /, *args: Any, **named: Any) -> Any:
        """Return the result of the call, kept or new."""
        key = self._key_of(args, named)
        value = self._store.fetch(key, MISSING)
        return self._run(self._plan(key, args, named)) if value is MISSING else value

    def __get__(self, instance: Any, owner: Any) -> Any:
        """Return the function bound to an instance, as functions do."""
        return self if instance is None else MethodType(self, instance)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> str:
        """Say where the function is found."""
        try:
            name: str = self.__qualname__  # type: ignore[attr-defined]
        except AttributeError:
            raise PicklingError(f"{self!r} has no name to be found by") from None
        return name

    def __repr__(self) -> str:
        name = getattr(self, "__qualname__", "?")
        return f"<cached function {name} at {id(self):#x}>"


def memoize_async(store: Any, plan: Any, arun: Any, arity: int, key_of: Any) -> Callable[..., Any]:
    """Return the memoized form of a coroutine function with a store to itself.

    The arguments are those of `Memoized`; what `arun` returns is awaited.
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

    The arguments are those of `Memoized`, and the tally of the function's own requests.
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
