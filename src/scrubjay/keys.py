"""Keys of function calls: equal calls have equal keys, different ones never do."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from scrubjay import hints
from scrubjay.errors import InvalidArgumentError


class Mark:
    """An object in keys that stands for one thing; equal to itself alone."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


_KEYWORDS = Mark("keywords")
_TYPES = Mark("types")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_EMPTY = inspect.Parameter.empty


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in keys.

    In angle brackets, which lower tiers refuse, if another one may be called the same: the
    name of a method that is bound to an instance is that of all instances.
    """
    name = getattr(function, "__qualname__", None)
    owner = getattr(function, "__self__", None)
    if name is not None and not isinstance(function, functools.partial):
        if isinstance(owner, type):  # a class method, which subclasses share
            return f"{owner.__module__}.{owner.__qualname__}.{function.__name__}"
        if owner is None or inspect.ismodule(owner):
            return f"{getattr(function, '__module__', '')}.{name}"
    text = repr(function)
    return text if "<" in text else f"<{text}>"


class InstanceId:
    """Stands for an instance in keys without keeping it alive.

    Args:
        instance: an object that can be weakly referenced.
        terms: under which its entries are stored; they tell them from others'.
        gone: called with this id once the instance is gone.
    """

    __slots__ = ("__weakref__", "_reference", "number", "terms")

    def __init__(self, instance: Any, terms: Any, gone: Callable[[InstanceId], object]) -> None:
        own = weakref.ref(self)

        def call_back(_: Any) -> None:
            identity = own()
            if identity is not None:
                gone(identity)

        self.number = id(instance)
        self.terms = terms
        self._reference = weakref.ref(instance, call_back)

    def instance(self) -> Any:
        """Return the instance, or None once it is gone."""
        return self._reference()


class CallKey:
    """Makes the key of a call of one function.

    Arguments are bound to the function's signature and defaults are filled in, so that
    ``f(1, 2)``, ``f(1, b=2)`` and ``f(b=2, a=1)`` are one call.

    Args:
        function: the function.
        typed: whether arguments that are equal but of different types differ.
        ignore: names of parameters that are no part of the key.
        skip: leading parameters that the caller of this leaves out (the instance).

    Raises:
        InvalidArgumentError: `ignore` names no parameter.
    """

    def __init__(
        self, function: Callable[..., Any], typed: bool, ignore: Iterable[str], skip: int = 0
    ) -> None:
        parameters = _parameters(function)
        names = {one.name for one in parameters}
        unknown = frozenset(ignore) - names
        if unknown:
            raise InvalidArgumentError(
                f"ignore: {function!r} has no parameter {', '.join(sorted(unknown))}"
            )
        ignored = frozenset(ignore) | hints.ignored(function, parameters)
        #: whether results are the same for all instances, if it is a method
        self.for_all = bool(parameters) and parameters[0].name in ignored
        if skip and parameters and parameters[0].kind in _POSITIONAL:
            del parameters[:skip]  # an instance that arrives in *args is left out by the caller
        self.typed = typed
        self._signature = inspect.Signature(
            [one.replace(annotation=_EMPTY, default=_default(one)) for one in parameters]
        )
        self._ignored = ignored & {one.name for one in parameters}
        self._simple = (
            not typed and not self._ignored and all(one.kind in _POSITIONAL for one in parameters)
        )
        #: positional arguments of a call whose tuple is its key as it stands, or -1
        self.arity = len(parameters) if self._simple else -1
        self._names = tuple(one.name for one in parameters)
        self._defaults = tuple(one.default for one in self._signature.parameters.values())
        self._by_name = self._simple and all(
            one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for one in parameters
        )

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the key of a call.

        Raises:
            TypeError: the function cannot be called like that.
        """
        if self._simple and len(args) <= self.arity and (self._by_name or not kwargs):
            key = self._filled_in(args, kwargs)
            if key is not None:
                return key
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self._key(bound.arguments)

    def _filled_in(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """Return the key of a usual call; None if something is wrong with it."""
        key = list(args)
        left = len(kwargs)
        for position in range(len(args), self.arity):
            name = self._names[position]
            if name in kwargs:
                key.append(kwargs[name])
                left -= 1
            elif self._defaults[position] is not _EMPTY:
                key.append(self._defaults[position])
            else:
                return None
        return None if left else tuple(key)

    def _key(self, arguments: dict[str, Any]) -> tuple[Any, ...]:
        key: list[Any] = []
        named: list[tuple[str, Any]] = []
        for name, value in arguments.items():
            if name in self._ignored:
                continue
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                key.extend(value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                named.extend(value.items())
            elif kind is inspect.Parameter.KEYWORD_ONLY:
                named.append((name, value))
            else:
                key.append(value)
        named.sort(key=lambda pair: pair[0])
        types: list[Any] = []
        if self.typed:
            types = [_TYPES, *map(type, key), *(type(value) for _, value in named)]
        if named:
            key.append(_KEYWORDS)
            for name, value in named:
                key.extend((name, value))
        return (*key, *types)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return what the function itself takes, whatever it wraps."""
    try:
        return list(hints.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-ins do not tell their signature
        return [
            inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
            inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
        ]


def _default(parameter: inspect.Parameter) -> Any:
    """Return a default, or a stand-in for one that cannot be hashed (``options=[]``)."""
    try:
        hash(parameter.default)
    except TypeError:
        return Mark(f"default of {parameter.name}")
    return parameter.default
