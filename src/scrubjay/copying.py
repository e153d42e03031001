"""Caches whose callers never share an object with them: `Cache(copy=...)`.

What is stored is a copy, and so is each value that is returned. A cache that copies is of a
class of its own, made here of the class that it would be of: others do not even ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay.errors import InvalidArgumentTypeError
from scrubjay.observe.views import LiveItems, LiveValues

__all__: list[str] = []

Copier = Callable[[Any], Any]


def copier(copy: Any) -> Copier | None:
    """Return what copies values, or None.

    Args:
        copy: None, "deep" for `copy.deepcopy`, or a function.

    Raises:
        InvalidArgumentTypeError: it is something else.
    """
    if copy is None:
        return None
    if copy == "deep":
        return deepcopy
    if not callable(copy):
        raise InvalidArgumentTypeError(f'copy: {copy!r} is neither "deep" nor a function')
    function: Copier = copy
    return function


@lru_cache(maxsize=64)
def copying(kind: Any) -> Any:
    """Return the class of caches of a kind that copy."""

    class Copying(kind):  # type: ignore[misc]
        __doc__ = kind.__doc__

        def put_under(self, key: Any, value: Any, terms: Any) -> Any:
            """Store a copy of a value under checked conditions."""
            return super().put_under(key, self.copier(value), terms)

        def put_ahead(self, key: Any, value: Any, terms: Any) -> Any:
            """Store a copy of a value that nobody has asked for yet."""
            return super().put_ahead(key, self.copier(value), terms)

        def get(self, key: Any, default: Any = None, **options: Any) -> Any:
            """Return a copy of the value of `key`, or `default` if it is not there."""
            value = super().get(key, MISSING, **options)
            return default if value is MISSING else self.copier(value)

        def __getitem__(self, key: Any) -> Any:
            return self.copier(super().__getitem__(key))

        def setdefault(self, key: Any, default: Any = None) -> Any:
            """Return a copy of the value of a key; store a copy of `default` if it is not there."""
            value = super().setdefault(key, self.copier(default))
            return self.copier(value)

        def get_or_load(self, *args: Any, **options: Any) -> Any:
            """Return a copy of the value of a key, loaded if it is not there."""
            return self.copier(super().get_or_load(*args, **options))

        def refresh(self, *args: Any, **options: Any) -> Any:
            """Load a key anew, and return a copy of its value."""
            return self.copier(super().refresh(*args, **options))

        def get_many(self, *args: Any, **options: Any) -> dict[Any, Any]:
            """Return copies of those of the values that are there."""
            found = super().get_many(*args, **options)
            return {key: self.copier(value) for key, value in found.items()}

        def items(self) -> LiveItems[Any, Any]:
            """Return the live pairs of key and copied value."""
            return _CopiedItems(self)

        def values(self) -> LiveValues[Any]:
            """Return copies of the live values."""
            return _CopiedValues(self)

        def entry(self, key: Any) -> Any:
            """Return what is known of an entry, with a copy of its value."""
            known = super().entry(key)
            return None if known is None else replace(known, value=self.copier(known.value))

    return _named_as(kind, Copying)


@lru_cache(maxsize=64)
def awaited_copying(kind: Any) -> Any:
    """Return the class of asynchronous doors of a kind whose caches copy."""

    class AsyncCopying(kind):  # type: ignore[misc]
        __doc__ = kind.__doc__

        async def get(self, key: Any, *args: Any, default: Any = None, **options: Any) -> Any:
            """Return a copy of the value of `key`, or `default` if it is not there."""
            value = await super().get(key, *args, default=MISSING, **options)
            if value is MISSING:
                return default
            return self.sync.copier(value) if self.sync.layered else value  # that is one already

        async def get_or_load(self, *args: Any, **options: Any) -> Any:
            """Return a copy of the value of a key, loaded if it is not there."""
            return self.sync.copier(await super().get_or_load(*args, **options))

        async def refresh(self, *args: Any, **options: Any) -> Any:
            """Load a key anew, and return a copy of its value."""
            return self.sync.copier(await super().refresh(*args, **options))

        async def get_many(self, *args: Any, **options: Any) -> dict[Any, Any]:
            """Return copies of those of the values that are there."""
            found = await super().get_many(*args, **options)
            return {key: self.sync.copier(value) for key, value in found.items()}

    return _named_as(kind, AsyncCopying)


def _named_as(kind: type, made: type) -> type:
    made.__name__, made.__qualname__, made.__module__ = (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    return made


class _CopiedItems(LiveItems[Any, Any]):
    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        copy = self._mapping.copier
        return ((key, copy(value)) for key, value in super().__iter__())


class _CopiedValues(LiveValues[Any]):
    def __iter__(self) -> Iterator[Any]:
        return map(self._mapping.copier, super().__iter__())


def copied_results(function: Any, copy: Copier, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that returns copies of what another one returns.

    Args:
        function: the other one.
        copy: copies.
        asynchronous: whether it is awaited.
    """
    if asynchronous:

        async def awaited(*args: Any, **named: Any) -> Any:
            return copy(await function(*args, **named))

        return awaited

    def called(*args: Any, **named: Any) -> Any:
        return copy(function(*args, **named))

    return called
