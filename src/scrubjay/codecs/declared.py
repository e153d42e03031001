"""Values of a declared type: what msgspec alone does not write or read."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from scrubjay.codecs import arrays
from scrubjay.codecs.tagging import Tags
from scrubjay.errors import InvalidArgumentError


class Hooks:
    """What msgspec calls for types that it does not know.

    Args:
        tags: writes numpy's arrays and the like.
    """

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    def write(self, value: Any) -> Any:
        """Return something that msgspec can write in place of a value.

        Raises:
            EncodeError: there is nothing.
        """
        if _is_model(type(value)):
            # By its fields' names, as aliases for reading and for writing may differ.
            return value.__pydantic_serializer__.to_json(value, by_alias=False, round_trip=True)
        return self._tags.write_leaf(value)

    def read(self, declared: Any, value: Any) -> Any:
        """Return a value of a type from what was written in its place.

        Raises:
            ValueError: it is not of that type.
        """
        if _is_model(declared) and isinstance(value, bytes):
            return declared.model_validate_json(value, by_alias=False, by_name=True)
        if isinstance(value, typing.get_origin(declared) or declared):
            return value
        raise ValueError(f"not a {declared!r}")


def _is_model(cls: Any) -> bool:
    return hasattr(cls, "__pydantic_serializer__") and hasattr(cls, "model_validate_json")


def check(msgspec: Any, declared: Any, models: bool) -> None:
    """Refuse a type whose values would not come back whole.

    Args:
        msgspec: the package.
        declared: the type.
        models: whether `Hooks` are there to write and read what msgspec does not know.

    Raises:
        InvalidArgumentError: it cannot be read, or is written but in part.
    """
    try:
        msgspec.msgpack.Decoder(declared)
        waiting: list[Any] = [msgspec.inspect.type_info(declared)]
    except Exception as error:  # of its annotations, too, which may name what is not there
        raise InvalidArgumentError(f"type: {type(error).__name__}: {error}") from error
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
        elif isinstance(part, msgspec.Struct) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(getattr(part, name) for name in part.__struct_fields__)
            if isinstance(part, msgspec.inspect.CustomType):
                _check_custom(part.cls, models)
            elif hasattr(getattr(part, "cls", None), "__attrs_attrs__"):
                _check_attrs(part)


def _check_custom(cls: type, models: bool) -> None:
    """Refuse a class that neither msgspec nor `Hooks` know."""
    if cls is object or (models and (cls is complex or _is_model(cls) or arrays.is_kept(cls))):
        return
    raise InvalidArgumentError(f"type: values of {cls!r} cannot be read from bytes here")


def _check_attrs(part: Any) -> None:
    """Refuse an attrs class with private fields, which msgspec passes over."""
    for field in part.fields:
        if field.name.startswith("_"):
            raise InvalidArgumentError(
                f"type: msgspec would leave out {part.cls.__qualname__}.{field.name}"
            )


def accepts(declared: Any) -> Callable[[Any], bool]:
    """Return a test that a value is of a type at all; its parts are not looked at.

    Args:
        declared: the type; one that is no class lets everything pass.
    """
    origin = typing.get_origin(declared) or declared
    if origin is typing.Union or origin is types.UnionType:
        members = [accepts(member) for member in typing.get_args(declared)]
        return lambda value: any(fits(value) for fits in members)
    if origin is typing.Annotated:
        return accepts(typing.get_args(declared)[0])
    if typing.is_typeddict(origin):
        origin = dict
    if not isinstance(origin, type):
        return lambda value: True
    if origin is float:  # for which a whole number will do, but none of numpy's
        return lambda value: type(value) in (float, int)
    cls: type = origin
    if cls is object or inspect.isabstract(cls):
        return lambda value: isinstance(value, cls)
    return lambda value: type(value) is cls  # one of a subclass would come back as its base
