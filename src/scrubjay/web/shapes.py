"""What another process wrote: whether it has the shape that it should, and text fit to be shown."""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict


def fits(value: Any, shape: Any) -> bool:
    """Tell whether a value out of JSON has a shape. Further keys of a record are no matter.

    Args:
        value: as `json.loads` returned it.
        shape: a `TypedDict`, `dict[str, X]`, `list[X]`, a union, a plain type, None or Any.
    """
    if shape is Any:
        return True
    if shape is None or shape is type(None):
        return value is None
    if is_typeddict(shape):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], own) for name, own in _fields(shape).items()
        )
    origin, parts = get_origin(shape), get_args(shape)
    if origin in {Union, UnionType}:
        return any(fits(value, part) for part in parts)
    if origin is dict:
        return isinstance(value, dict) and all(fits(each, parts[1]) for each in value.values())
    if origin is list:
        return isinstance(value, list) and all(fits(each, parts[0]) for each in value)
    if shape is float:
        return type(value) in {int, float}
    return type(value) is shape


def printable(text: str) -> str:
    """Return a text with a mark in place of what is not to be seen: control characters, say.

    A terminal would do as they say. Halves of surrogate pairs cannot even be encoded.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


@lru_cache(maxsize=64)
def _fields(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)
