"""Where values come from: one loader, loaders by prefix, or one that loads many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from scrubjay._flow.asynchronous import is_asynchronous
from scrubjay._flow.flight import Loader
from scrubjay._flow.pace import Pace


class Source:
    """One function that loads.

    Args:
        function: called with a key; or, if `many`, with a list of keys.
        many: whether it returns a mapping of keys to values.
        pace: of its loads ahead.
    """

    def __init__(self, function: Callable[..., Any], many: bool, pace: Pace) -> None:
        self.function = function
        self.many = many
        self.pace = pace
        self.asynchronous = is_asynchronous(function)
        #: of a single load on demand: what loads in `Loader` is known by its identity
        self.single: Callable[[Any], Any] = function if not many else self._one()

    def _one(self) -> Callable[[Any], Any]:
        """Return a function that loads one key by a function that loads many."""
        function = self.function
        if self.asynchronous:

            async def load_one(key: Any) -> Any:
                return (await function([key]))[key]

            return load_one
        return lambda key: function([key])[key]


class Sources:
    """The loaders that a cache was made with; the most special one loads a key.

    Args:
        loader: loads what no other does, or None.
        batch_loader: loads many keys at once, or None; then it is preferred to `loader`
            for loads ahead.
        loaders: by prefix of the keys, which are strings.
        most: loads ahead of each at a time.
        rate: loads ahead of each a second, or None for any number.
    """

    def __init__(
        self,
        loader: Callable[[Any], Any] | None,
        batch_loader: Callable[[list[Any]], Any] | None,
        loaders: Mapping[str, Callable[[Any], Any]],
        most: int,
        rate: float | None,
    ) -> None:
        def source(function: Callable[..., Any], many: bool = False) -> Source:
            return Source(function, many, Pace(most, rate))

        self.most = most
        self._general = None if loader is None else source(loader)
        self._batch = None if batch_loader is None else source(batch_loader, many=True)
        # The longest prefix first: it is the most special one.
        self._by_prefix = [
            (prefix, source(loaders[prefix])) for prefix in sorted(loaders, key=len, reverse=True)
        ]
        several = [self._general, self._batch, *(each for _, each in self._by_prefix)]
        self.all = [each for each in several if each is not None]
        self._by_function = {id(each.single): each for each in self.all}

    def on_demand(self, key: Any) -> Source | None:
        """Return what loads a key that somebody waits for, or None."""
        return self._special(key) or self._general or self._batch

    def ahead(self, key: Any) -> Source | None:
        """Return what loads a key that nobody has asked for yet, or None."""
        return self._special(key) or self._batch or self._general

    def _special(self, key: Any) -> Source | None:
        if self._by_prefix and isinstance(key, str):
            for prefix, source in self._by_prefix:
                if key.startswith(prefix):
                    return source
        return None

    def is_batch_loader(self, function: Any) -> bool:
        """Tell whether a function is the one that loads many keys at once."""
        return self._batch is not None and self._batch.function == function

    def of(self, loader: Loader | None) -> Source | None:
        """Return the source that a loader calls, or None if it is none of these."""
        return None if loader is None else self._by_function.get(id(loader.function))

    @property
    def awaited(self) -> bool:
        """Whether one of them is asynchronous."""
        return any(source.asynchronous for source in self.all)


class NotAlone(BaseException):
    """A load of many keys did not bring this one: who waits for it loads it alone.

    It is no `Exception`: it ends the load like a cancellation, so that nobody is told.
    """


class Batch:
    """One call for many keys, made by the first load that asks for its value.

    Args:
        source: a source of many.
        keys: what to ask it for.
    """

    def __init__(self, source: Source, keys: Iterable[Any]) -> None:
        self._function = source.function
        self._keys = list(keys)
        self._found: Mapping[Any, Any] | None = None
        self._failed = False
        self._turn: Any = None  # of asynchronous loads, made on their loop
        self.called = self.counted = False  # whether the call, which is one for all keys, was
        self.seconds = 0.0  # that it took

    @property
    def share(self) -> float:
        """The seconds of the call for each of its keys."""
        return self.seconds / len(self._keys)

    def take(self, key: Any) -> Any:
        """Return the value of a key; in one thread."""
        if self._found is None and not self._failed:
            self._failed = True  # unless it succeeds
            start = perf_counter()
            try:
                self._found = self._checked(self._function(self._keys))
            finally:
                self.seconds = perf_counter() - start
        return self._value(key)

    async def atake(self, key: Any) -> Any:
        """Return the value of a key; in tasks of one event loop."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            if self._found is None and not self._failed:
                self._failed = True  # unless it succeeds
                start = perf_counter()
                try:
                    self._found = self._checked(await self._function(self._keys))
                finally:
                    self.seconds = perf_counter() - start
        return self._value(key)

    def _checked(self, found: Any) -> Mapping[Any, Any]:
        if not isinstance(found, Mapping):
            raise TypeError(f"batch_loader: it returned {type(found).__name__}, not a mapping")
        return found

    def _value(self, key: Any) -> Any:
        if self._found is None or key not in self._found:
            raise NotAlone
        return self._found[key]
