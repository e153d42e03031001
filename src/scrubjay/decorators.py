"""Decorators that keep a function's results: what they are given, and what they return."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scrubjay import arguments
from scrubjay._flow.asynchronous import method_called
from scrubjay.errors import InvalidArgumentTypeError
from scrubjay.methods import CachedMethod, is_in_class_body
from scrubjay.options import PER_CALL, PER_ENTRY
from scrubjay.recipe import CachedFunction, Decorator, Options, Recipe

if TYPE_CHECKING:
    from scrubjay.cache import Cache

__all__ = ["CachedFunction", "Decorator", "Recipe", "checked", "shared", "suitable", "wrap"]


def wrap(recipe: Recipe) -> Any:
    """Return the wrapper for a function, or the descriptor for one in a class body."""
    return CachedMethod(recipe) if is_in_class_body(recipe.function) else recipe.wrapper()


def shared(cache: Cache[Any, Any], function: Any, given: dict[str, Any]) -> Any:
    """Decorate a function so that its results are kept in a cache with others.

    Args:
        cache: the cache.
        function: the function, or None: then a decorator is returned.
        given: the options of the decorator.
    """
    options = checked(given, PER_CALL)
    cache.terms(**options.conditions)  # a wrong option is wrong now, not when it is used

    def decorate(function: Any) -> Any:
        return wrap(Recipe(cache, suitable(function), options, False))

    return decorate if function is None else decorate(function)


def checked(given: dict[str, Any], known: frozenset[str]) -> Options:
    """Return the options of a decorator; those that exist nowhere are refused."""
    for name in given:
        if name not in known:
            raise InvalidArgumentTypeError(f"{name}: there is no such option of cached()")
    ignore = given.get("ignore", ())
    named = (ignore,) if isinstance(ignore, str) else arguments.words("ignore", ignore)
    conditions = {name: given[name] for name in given if name in PER_ENTRY}
    for name in ("tags", "dependencies"):  # once: it may be an iterator
        if conditions.get(name) is not None:
            conditions[name] = tuple(arguments.several(name, conditions[name], "values"))
    return Options(dict(given), conditions, bool(given.get("typed", False)), named)


def suitable(function: Any) -> Callable[..., Any]:
    """Return a function whose results can be kept."""
    arguments.function("function", function)
    if isinstance(function, staticmethod):
        raise InvalidArgumentTypeError("function: put @cached below @staticmethod, not above it")
    if any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, method_called(function))
    ):
        raise InvalidArgumentTypeError(
            f"function: {function!r} makes a generator, which only one caller could use"
        )
    suited: Callable[..., Any] = function
    return suited
