"""JSON, for tiers that other programs read; slower than MessagePack, and knows fewer types."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from scrubjay._core.plain import is_plain
from scrubjay.codecs.declared import accepts, check
from scrubjay.codecs.extras import require
from scrubjay.errors import EncodeError

# The standard library's, as msgspec's writes nan as null, and reads large integers as floats.
_write = json.JSONEncoder(
    allow_nan=False, check_circular=False, ensure_ascii=False, separators=(",", ":")
).encode


def make(declared: Any) -> tuple[Callable[[Any], bytes], Callable[[memoryview], Any]]:
    """Return the functions for values of a type.

    Args:
        declared: the type; Any for none, and then values are made of None, bool, int,
            float, str, list, and dict with strings for keys.

    Raises:
        InvalidArgumentError: msgspec cannot read values of this type, or not all of them.
        MissingExtraError: a type is declared and msgspec is not installed.
    """
    if declared in (Any, object):
        return _encode, _decode
    msgspec = require("msgspec", "codecs", "the codec 'json' with a type")
    check(msgspec, declared, models=False)
    fits = accepts(declared)

    def encode(value: Any) -> bytes:
        if not fits(value):
            raise EncodeError(f"value: a {type(value).__qualname__} is no {declared!r}")
        return _write(msgspec.to_builtins(value, str_keys=True)).encode()

    def decode(data: memoryview) -> Any:
        return msgspec.convert(_decode(data), declared, str_keys=True)

    return encode, decode


def _encode(value: Any) -> bytes:
    if not is_plain(value, True):
        raise EncodeError(
            "value: JSON would not give it back as it was; declare the type of the values"
        )
    return _write(value).encode()


def _decode(data: memoryview) -> Any:
    return json.loads(str(data, "utf-8"), parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
