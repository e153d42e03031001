"""numpy's arrays and scalars as bytes; numpy itself is imported only by those who have it."""

from __future__ import annotations

import math
import re
import sys
from struct import Struct
from typing import Any

from scrubjay.errors import EncodeError

CODE = 32

# Numbers, dates and fixed strings: nothing that holds pointers, or names of fields.
_DTYPE = re.compile(r"[<>|=][biufcmMSU]\d{1,9}(\[\d{0,9}[a-zA-Z]{1,2}\])?")
_START = Struct(">BBB")  # whether it is a scalar, dimensions, length of the dtype's name
_LENGTH = Struct(">Q")


def is_kept(cls: type) -> bool:
    """Tell whether values of a class are arrays or scalars of numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and (cls is numpy.ndarray or issubclass(cls, numpy.generic))


def write(value: Any) -> bytes | None:
    """Return an array or scalar as bytes, or None if it is neither.

    Raises:
        EncodeError: its elements are no plain numbers, dates or strings.
    """
    cls = type(value)
    if not is_kept(cls):
        return None
    name = value.dtype.str
    if _DTYPE.fullmatch(name) is None:
        raise EncodeError(f"value: an array of {value.dtype!r} is not kept")
    lengths = [_LENGTH.pack(length) for length in value.shape]
    return b"".join(
        (
            _START.pack(cls is not sys.modules["numpy"].ndarray, len(lengths), len(name)),
            name.encode(),
            *lengths,
            value.tobytes(),
        )
    )


def read(data: bytes) -> Any:
    """Return an array, writable and with memory of its own, or a scalar.

    Raises:
        ValueError: `write` did not write this.
        ImportError: numpy is not installed.
    """
    import numpy  # noqa: PLC0415, ICN001 - only where there are arrays

    scalar, dimensions, length = _START.unpack_from(data)
    position = _START.size + length
    name = data[_START.size : position].decode("ascii")
    if _DTYPE.fullmatch(name) is None or scalar > 1 or (scalar and dimensions):
        raise ValueError("no array of ours")
    shape = []
    for _ in range(dimensions):
        shape.append(_LENGTH.unpack_from(data, position)[0])
        position += _LENGTH.size
    dtype = numpy.dtype(name)
    if math.prod(shape) * dtype.itemsize != len(data) - position:
        raise ValueError("an array's shape and size do not agree")
    array = numpy.frombuffer(data, dtype, offset=position) if len(data) > position else None
    array = numpy.empty(shape, dtype) if array is None else array.reshape(shape).copy()
    return array[()] if scalar else array
