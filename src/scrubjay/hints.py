"""Which parameters of a function are annotated with `Ignore`.

Each annotation is looked at alone, and names that do not exist at run time (imported for
type checkers, or local to a function that has returned) are stood in for: they must not
keep an `Ignore` beside them from being seen.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ForwardRef, get_args, get_origin

from scrubjay.types import Ignore


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of the function itself, not of one that it wraps."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415

        return inspect.signature(
            function, follow_wrapped=False, annotation_format=Format.FORWARDREF
        )
    return inspect.signature(function, follow_wrapped=False)


def ignored(
    function: Callable[..., Any], parameters: Iterable[inspect.Parameter]
) -> frozenset[str]:
    """Return the names of the parameters annotated with `Ignore`."""
    names = _Names(function)
    return frozenset(one.name for one in parameters if _is_ignored(one.annotation, names))


def _is_ignored(annotation: Any, names: _Names) -> bool:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        try:
            # It is the user's own annotation, evaluated as `get_type_hints` would.
            annotation = eval(annotation, {}, names)  # noqa: S307
        except Exception:  # what cannot be evaluated is not ours to judge
            return False
    if annotation is Ignore:
        return True
    if isinstance(annotation, _Unknown):
        return annotation.name == "Annotated" and _is_among(annotation.arguments)
    return get_origin(annotation) is Annotated and _is_among(get_args(annotation))


def _is_among(arguments: tuple[Any, ...]) -> bool:
    """Tell whether the arguments of an `Annotated` have an `Ignore` among them."""
    return any(
        one is Ignore
        or isinstance(one, Ignore)
        or (isinstance(one, _Unknown) and (one.name == "Ignore" or _is_among(one.arguments)))
        for one in arguments
    )


class _Unknown:
    """Stands for a name that does not exist at run time, in any expression with it.

    `Annotated` and `Ignore` themselves may be such names: a linter moves imports that only
    annotations use below ``if TYPE_CHECKING``.
    """

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.arguments = arguments

    def __getattr__(self, name: str) -> _Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Unknown(name)

    def __getitem__(self, item: Any) -> _Unknown:
        return _Unknown(self.name, item if isinstance(item, tuple) else (item,))

    def __call__(self, *args: Any, **kwargs: Any) -> _Unknown:
        return self

    def __or__(self, other: Any) -> _Unknown:
        return _Unknown("union")

    __ror__ = __or__


class _Names(Mapping[str, Any]):
    """What a name in an annotation means: as in the function, else something unknown."""

    def __init__(self, function: Callable[..., Any]) -> None:
        while isinstance(function, functools.partial):
            function = function.func
        self._scopes: list[Mapping[str, Any]] = [
            _enclosed(function),
            getattr(function, "__globals__", {}),
            vars(builtins),
        ]

    def __getitem__(self, name: str) -> Any:
        for scope in self._scopes:
            if name in scope:
                return scope[name]
        return _Unknown(name)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _enclosed(function: Any) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function uses."""
    cells = getattr(function, "__closure__", None) or ()
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # it has no value yet
            continue
    return found
