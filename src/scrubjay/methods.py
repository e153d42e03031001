"""`@cached` on methods: results belong to the instance, and go when it goes."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

from scrubjay._core.claims import Claims
from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow.flight import Loader
from scrubjay.hints import signature
from scrubjay.keys import CallKey, InstanceId, Mark
from scrubjay.recipe import Recipe

_numbers = itertools.count(1)
_ANY = Mark("any instance")


def is_in_class_body(function: Callable[..., Any]) -> bool:
    """Tell whether a function was defined directly in the body of a class."""
    outer = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>") and not inspect.ismethod(function)


class CachedMethod:
    """A cached function in a class body: a method, unless it is made a static one.

    Entries are keyed by the instance's identity through a weak reference; when the
    instance is gone, so are they. An instance that cannot be weakly referenced is part of
    the key itself, by its own equality, as with `functools.lru_cache`. Where the parameter
    for the instance is ignored, all instances share their results.

    Args:
        recipe: how results get into the cache.
    """

    def __init__(self, recipe: Recipe) -> None:
        functools.update_wrapper(self, recipe.function)
        recipe.equip(self)
        options = recipe.options
        self.recipe = recipe
        self._plain = recipe.wrapper()
        self._bound_key = CallKey(recipe.function, options.typed, options.ignore, skip=1)
        self._outer = recipe.function.__qualname__.rpartition(".")[0]
        self._is_attribute = False
        self._instances = Claims()

    def __set_name__(self, owner: type, name: str) -> None:
        self._is_attribute = True

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundMethod(self, instance)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the call, kept or new; a method's takes the instance first."""
        bound, args = self._for(args, kwargs)
        return bound(*args, **kwargs)

    def invalidate(self, /, *args: Any, **kwargs: Any) -> int:
        """Forget the result of one call; a method's takes the instance first."""
        bound, args = self._for(args, kwargs)
        return int(bound.invalidate(*args, **kwargs))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function anew, keep the result and return it."""
        bound, args = self._for(args, kwargs)
        return bound.refresh(*args, **kwargs)

    def key_for(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the key of a call in the cache."""
        bound, args = self._for(args, kwargs)
        return bound.key_for(*args, **kwargs)

    def __reduce__(self) -> str:
        return str(self.__qualname__)  # type: ignore[attr-defined]  # by reference, as functions are

    def _for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
        """Return what to call for these arguments, and those that are left."""
        if args and (self._is_attribute or self._is_of_class(args[0])):
            return BoundMethod(self, args[0]), args[1:]
        if self._is_attribute and kwargs:
            first = next(iter(signature(self.recipe.function).parameters), None)
            if first in kwargs:
                return BoundMethod(self, kwargs.pop(first)), args
        return self._plain, args

    def _is_of_class(self, first: Any) -> bool:
        """Tell whether an argument is the instance (or class) that we are a method of.

        Another decorator above (a property, say) is then the attribute, not we.
        """
        for cls in (first if isinstance(first, type) else type(first)).__mro__:
            if cls.__qualname__ == self._outer and cls.__module__ == self.__module__:
                name = self.recipe.function.__name__
                return not isinstance(vars(cls).get(name), staticmethod)
        return False

    def identity(self, instance: Any) -> Any:
        """Return what stands for an instance in keys; `_ANY` where they share their results."""
        if self._bound_key.for_all:
            return _ANY
        number = id(instance)
        known: InstanceId | None = self._instances.get(number)
        if known is not None and known.instance() is instance:
            return known
        try:
            made = InstanceId(instance, self._terms_of_one(), self._gone)
        except TypeError:  # it cannot be weakly referenced
            return instance
        while True:
            known = self._instances.claim(number, made)
            if known.instance() is instance:
                return known
            self._instances.release(number, known)  # of an earlier one in the same place

    def key(self, identity: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the key of a call on an instance."""
        if kwargs or len(args) != self._bound_key.arity:
            args = self._bound_key(args, kwargs)
        if identity is _ANY:
            return (self.recipe.prefix, *args)
        return (self.recipe.prefix, identity, *args)

    def terms(self, identity: Any) -> Terms:
        """Return the terms under which results of an instance are stored."""
        return identity.terms if isinstance(identity, InstanceId) else self.recipe.terms

    def _terms_of_one(self) -> Terms:
        """Return terms with a tag by which one instance's entries are found."""
        terms = self.recipe.terms
        tag = f"instance {next(_numbers)} of {self.recipe.prefix.name}"
        return Terms(
            terms.ttl,
            terms.idle,
            terms.priority,
            terms.cost,
            terms.tags | {tag},
            terms.dependencies,
        )

    def _gone(self, identity: InstanceId) -> None:
        """Forget an instance's results."""
        self._instances.release(identity.number, identity)
        tags = identity.terms.tags - self.recipe.terms.tags
        self.recipe.cache.invalidate_by_tags(tags)


class BoundMethod:
    """A cached method of one instance.

    Args:
        method: the descriptor.
        instance: the instance.
    """

    __slots__ = ("__self__", "_method")

    def __init__(self, method: CachedMethod, instance: Any) -> None:
        self._method = method
        self.__self__ = instance

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the call, kept or new."""
        method = self._method
        recipe = method.recipe
        identity = method.identity(self.__self__)
        key = method.key(identity, args, kwargs)
        value = recipe.cache.get(key, MISSING)
        if value is not MISSING:
            recipe.tally.hits += 1
            return _ready(value) if recipe.asynchronous else value
        recipe.tally.misses += 1
        flow = recipe.cache.reading(
            key, Loader(recipe.function, (self.__self__, *args), kwargs), method.terms(identity)
        )
        return recipe.run(flow)

    def invalidate(self, /, *args: Any, **kwargs: Any) -> int:
        """Forget the result of one call; return how many entries are gone."""
        return self._method.recipe.cache.invalidate(self.key_for(*args, **kwargs))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function anew, keep the result and return it."""
        method = self._method
        identity = method.identity(self.__self__)
        key = method.key(identity, args, kwargs)
        return method.recipe.fresh(key, method.terms(identity), (self.__self__, *args), kwargs)

    def key_for(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the key of a call in the cache."""
        return self._method.key(self._method.identity(self.__self__), args, kwargs)

    # What a bound method looks like

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._method.__doc__

    @property
    def __module__(self) -> str:  # type: ignore[override]
        return self._method.__module__

    @property
    def __signature__(self) -> inspect.Signature:
        whole = inspect.signature(self._method)
        parameters = list(whole.parameters.values())
        if parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            del parameters[0]
        return whole.replace(parameters=parameters)

    def __getattr__(self, name: str) -> Any:
        if name in type(self).__slots__:  # not there yet: it is being copied
            raise AttributeError(name)
        return getattr(self._method, name)  # cache_info, __name__, __wrapped__, ...

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMethod):
            return NotImplemented
        return self._method is other._method and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self._method), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<cached method {self.__qualname__} of {self.__self__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (self.__self__, self.__name__))


async def _ready(value: Any) -> Any:
    return value
