"""What a decorated function is made of.

What callers call is made in `scrubjay._core.memo`; what happens on a miss, and the
methods that the wrapper carries, are here.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
)

from scrubjay._core import memo
from scrubjay._core.terms import Terms
from scrubjay._flow import awaiting, blocking
from scrubjay._flow.asynchronous import is_asynchronous
from scrubjay._flow.effects import Flow
from scrubjay._flow.flight import Loader
from scrubjay.copying import copied_results
from scrubjay.keys import CallKey, Mark, name_of
from scrubjay.types import CacheInfo

if TYPE_CHECKING:
    from scrubjay.cache import Cache

__all__ = ["CachedFunction", "Decorator", "Options", "Recipe"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class CachedFunction(Protocol[P, R_co]):
    """A function whose results are kept, as a type checker sees it."""

    __wrapped__: Callable[..., Any]
    cache: Cache[Any, Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the result of the call, kept or new."""

    @overload
    def __get__(self, instance: None, owner: Any = None) -> CachedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[Any, BoundP], BoundR], instance: object, owner: Any = None
    ) -> CachedFunction[BoundP, BoundR]: ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Forget the result of one call; return how many entries are gone."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function anew, keep the result and return it."""

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the key of a call in the cache."""

    def cache_info(self) -> CacheInfo:
        """Return hits, misses, bound and number of entries."""

    def cache_clear(self) -> None:
        """Forget every result, and the counts."""

    def cache_parameters(self) -> dict[str, Any]:
        """Return what the decorator was given."""


BoundP = ParamSpec("BoundP")
BoundR = TypeVar("BoundR")


class Decorator(Protocol):
    """What a decorator with options returns."""

    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]:
        """Keep the results of a function."""


class Options(NamedTuple):
    """The options of one decorator, checked.

    Attributes:
        given: all that was given, by name.
        conditions: those that entries are stored under.
        typed: whether equal arguments of different types differ.
        ignore: names of parameters that are no part of the key.
    """

    given: Mapping[str, Any]
    conditions: dict[str, Any]
    typed: bool
    ignore: tuple[str, ...]


class Recipe:
    """How one function's results get into a cache, and out of it again.

    Args:
        cache: where they are kept.
        function: the function.
        options: of the decorator.
        own: whether the cache holds nothing else.
    """

    def __init__(
        self, cache: Cache[Any, Any], function: Callable[..., Any], options: Options, own: bool
    ) -> None:
        self.cache = cache
        self.function = function
        self.options = options
        self.own = own
        self.tally = memo.Tally()
        self.asynchronous = is_asynchronous(function)
        self.terms: Terms = cache.terms(**options.conditions)
        self.call_key = CallKey(function, options.typed, options.ignore)
        self.prefix = Mark(name_of(function))

    def key(self, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Return the key of a call."""
        if named or len(args) != self.call_key.arity:
            args = self.call_key(args, named)
        if not self.own:
            return (self.prefix, *args)
        if self.call_key.arity == 1 and (type(args[0]) is str or type(args[0]) is int):
            return args[0]
        return args

    def plan(self, key: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Flow:
        """Return what to run for a result that is not there."""
        loader = Loader(self.function, args, named)
        return self.cache.reading(key, loader, self.terms)

    def fresh(self, key: Any, terms: Terms, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call the function whether a result is there or not."""
        return self.run(self.cache.refreshing(key, Loader(self.function, args, named), terms))

    def run(self, flow: Flow) -> Any:
        """Return what a flow yields, to be awaited if the function is asynchronous."""
        copy = self.cache.copier
        run = awaiting.arun if self.asynchronous else blocking.run
        return (run if copy is None else copied_results(run, copy, self.asynchronous))(flow)

    def wrapper(self) -> Any:
        """Return the function that callers call, with its methods."""
        run = awaiting.arun if self.asynchronous else blocking.run
        if self.own:
            memoize = memo.memoize_async if self.asynchronous else memo.Memoized
            made: Any = memoize(self.cache, self.plan, run, self.call_key.arity, self.key)
        else:
            share = memo.memoize_shared_async if self.asynchronous else memo.memoize_shared
            made = share(self.cache, self.plan, run, self.key, self.tally)
        if self.cache.copier is not None:
            made = copied_results(made, self.cache.copier, self.asynchronous)
        functools.update_wrapper(made, self.function)
        self.equip(made)
        made.invalidate = lambda *args, **named: self.cache.invalidate(self.key(args, named))
        made.refresh = lambda *args, **named: self.fresh(
            self.key(args, named), self.terms, args, named
        )
        made.key_for = lambda *args, **named: self.key(args, named)
        return made

    def equip(self, target: Any) -> None:
        """Give an object what every cached function has, whatever it is called with."""
        target.cache = self.cache
        target.cache_info = self.info
        target.cache_clear = self.clear
        target.cache_parameters = self.parameters
        if self.asynchronous:
            _mark_asynchronous(target)

    def info(self) -> CacheInfo:
        """Return hits, misses, bound and number of entries."""
        cache = self.cache
        if self.own:
            hits = cache.requests - cache.misses
            return CacheInfo(hits, cache.misses, cache.max_entries, len(cache))
        entries = sum(1 for _ in self._mine(cache))
        return CacheInfo(self.tally.hits, self.tally.misses, cache.max_entries, entries)

    def clear(self) -> None:
        """Forget every result of this function, and the counts."""
        if self.own:
            self.cache.clear()
            self.cache.forget_counts()
            return
        # First what is under way: it is then not stored behind our back.
        for keys in (self.cache.unsettled(), self.cache):
            for key in list(self._mine(keys)):
                self.cache.invalidate(key)
        self.tally.hits = self.tally.misses = 0

    def parameters(self) -> dict[str, Any]:
        """Return what the decorator was given, bound and types as `functools` names them."""
        given = {name: value for name, value in self.options.given.items() if name != "max_entries"}
        return {**given, "maxsize": self.cache.max_entries, "typed": self.options.typed}

    def _mine(self, keys: Any) -> Iterator[Any]:
        for key in keys:
            if type(key) is tuple and key and key[0] is self.prefix:
                yield key


def _mark_asynchronous(target: Any) -> None:
    """Let `inspect` and `asyncio` see a coroutine function."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(target)
    marker = getattr(asyncio.coroutines, "_is_coroutine", None)
    if marker is not None:
        with suppress(AttributeError):  # what Cython compiled from `async def` has it already
            target._is_coroutine = marker
