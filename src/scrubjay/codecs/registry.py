"""The codecs by name: what turns values into bytes and back."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scrubjay import arguments
from scrubjay.errors import EncodeError, InvalidArgumentError, InvalidArgumentTypeError

OWN_IDS = range(128, 256)


@dataclass(frozen=True)
class Codec:
    """Two functions and what they are known by.

    Attributes:
        name: for `Serializer`.
        identity: stands for it in the envelope.
        encode: returns the bytes of a value; whatever it raises is an `EncodeError`.
        decode: returns the value; whatever it raises makes the blob undecodable.
        runs_code: whether decoding may run code that the bytes name, so that they must be
            signed or encrypted.
    """

    name: str
    identity: int
    encode: Callable[[Any], bytes]
    decode: Callable[[memoryview], Any]
    runs_code: bool = False


def _msgpack(declared: Any) -> Codec:
    from scrubjay.codecs.msgpack import make  # noqa: PLC0415 - needs an extra

    return Codec("msgpack", 1, *make(declared))


def _json(declared: Any) -> Codec:
    from scrubjay.codecs.json import make  # noqa: PLC0415 - needs an extra if typed

    return Codec("json", 2, *make(declared))


def _bytes(declared: Any) -> Codec:
    _untyped("bytes", declared)

    def encode(value: Any) -> bytes:
        if type(value) is not bytes:
            raise EncodeError(f"value: the codec 'bytes' takes no {type(value).__qualname__}")
        return value

    return Codec("bytes", 3, encode, bytes)


def _text(declared: Any) -> Codec:
    _untyped("str", declared)

    def encode(value: Any) -> bytes:
        if type(value) is not str:
            raise EncodeError(f"value: the codec 'str' takes no {type(value).__qualname__}")
        return value.encode()

    return Codec("str", 4, encode, lambda data: str(data, "utf-8"))


def _pickle(declared: Any) -> Codec:
    _untyped("pickle", declared)
    # Only whoever has the secret can make what is loaded here: the serializer sees to it.
    load = pickle.loads
    return Codec("pickle", 5, lambda value: pickle.dumps(value, 5), load, runs_code=True)


_BUILT_IN: dict[str, Callable[[Any], Codec]] = {
    "msgpack": _msgpack,
    "json": _json,
    "bytes": _bytes,
    "str": _text,
    "pickle": _pickle,
}
_registered: dict[str, Codec] = {}


def register_codec(
    name: str,
    identity: int,
    encode: Callable[[Any], bytes],
    decode: Callable[[memoryview], Any],
    *,
    runs_code: bool = False,
) -> None:
    """Make a codec of your own available under a name.

    Args:
        name: for `Serializer`; may replace one that you registered before.
        identity: from 128 to 255, the same in every process and in every version of your
            application: what was written under another is not read.
        encode: called with a value, returns bytes.
        decode: called with a `memoryview` of them, returns an equal value.
        runs_code: whether decoding may run code that the bytes name, as pickle's does.
            Such a codec is used only with signing or encryption.

    Raises:
        InvalidArgumentError: the name is a built-in's, or the identity is another codec's
            or out of range, or a function cannot be called.
    """
    if not isinstance(name, str):
        raise InvalidArgumentTypeError(f"name: {name!r} is not a string")
    if not name or name in _BUILT_IN:
        raise InvalidArgumentError(f"name: {name!r} is empty or a built-in codec")
    if type(identity) is not int or identity not in OWN_IDS:
        raise InvalidArgumentError(f"identity: {identity!r} is not from 128 to 255")
    for other in list(_registered.values()):
        if other.identity == identity and other.name != name:
            raise InvalidArgumentError(f"identity: {identity} is that of {other.name!r}")
    _registered[name] = Codec(
        name,
        identity,
        arguments.function("encode", encode),
        arguments.function("decode", decode),
        bool(runs_code),
    )


def make_codec(name: Any, declared: Any) -> Codec:
    """Return the codec of a name for values of a declared type.

    Args:
        name: a built-in's or a registered one.
        declared: the type; Any for none.

    Raises:
        InvalidArgumentError: there is no such codec, or it knows no types.
        MissingExtraError: its package is not installed.
    """
    if isinstance(name, str):
        if name in _BUILT_IN:
            return _BUILT_IN[name](declared)
        found = _registered.get(name)
        if found is not None:
            _untyped(name, declared)
            return found
    known = ", ".join(repr(one) for one in (*_BUILT_IN, *_registered))
    raise InvalidArgumentError(f"codec: {name!r} is not one of {known}")


def _untyped(name: str, declared: Any) -> None:
    if declared is not Any:
        raise InvalidArgumentError(f"type: the codec {name!r} takes no type")
