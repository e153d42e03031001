"""`@cached` with a cache for each function alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from scrubjay.cache import Cache
from scrubjay.decorators import CachedFunction, Decorator, Recipe, checked, suitable, wrap
from scrubjay.options import PER_CALL, PER_FUNCTION, TIMES

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from scrubjay.options import FunctionOptions

__all__ = ["cached"]

P = ParamSpec("P")
R = TypeVar("R")

_MAX_ENTRIES = 1024


@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cached(**options: Unpack[FunctionOptions]) -> Decorator: ...
@overload
def cached(
    function: Callable[P, R], /, **options: Unpack[FunctionOptions]
) -> CachedFunction[P, R]: ...
def cached(function: Any = None, /, **options: Any) -> Any:
    """Keep a function's results; use it bare or with options.

    Works on ``def`` and ``async def``, on functions and on methods. The wrapper has
    ``invalidate``, ``refresh`` and ``key_for``, which take the function's own arguments,
    and ``cache_info``, ``cache_clear``, ``cache_parameters``, ``cache`` and
    ``__wrapped__``, as with `functools.lru_cache`.

    Args:
        function: the function, where the decorator is used bare. Generator functions are
            refused: the first caller would use up what all others get.
        **options: `typed` (results for arguments that are equal but of different types
            differ; False), `ignore` (names of parameters that are no part of the key), the
            conditions of `Cache.put` (`ttl_seconds`, `priority`, `tags`, `idle_seconds`,
            `dependencies`, `cost`) and those arguments of `Cache` that concern memory and
            loads. Of these, `max_entries` is 1,024 unless it or `max_size_mb` is given. For
            tiers, or a file to begin with, make a `Cache` and use its `cached`.

    Raises:
        InvalidArgumentError: an option is unknown or makes no sense.
    """
    settings: dict[str, Any] = {"max_entries": None if "max_size_mb" in options else _MAX_ENTRIES}
    settings.update(
        (name, value) for name, value in options.items() if name in TIMES or name not in PER_CALL
    )
    known = checked(options, PER_FUNCTION)
    # A wrong option is wrong now, not when the decorator is used. The cache that tells is
    # the first function's.
    made: list[Cache[Any, Any]] = [Cache(**settings)]
    made[0].terms(**known.conditions)

    def decorate(function: Any) -> Any:
        fitting = suitable(function)
        try:
            cache = made.pop()
        except IndexError:
            cache = Cache(**settings)
        return wrap(Recipe(cache, fitting, known, True))

    return decorate if function is None else decorate(function)
