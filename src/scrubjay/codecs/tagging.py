"""Values that MessagePack alone would give back as something else.

Tags are MessagePack's extension types, which no string, list or dict of a user's can look
like. A container's tag is the first element of the list that stands for it; the rest are
its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from scrubjay._core.plain import DEPTH
from scrubjay.codecs import arrays, times
from scrubjay.errors import EncodeError

_LEAVES = frozenset({str, float, bool, bytes, type(None)})


class Mark:
    """Stands at the head of a list in place of a container's type."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[list[Any]], Any]) -> None:
        self.build = build


def _pairs(parts: list[Any]) -> dict[Any, Any]:
    """Make a dict, whose keys may be anything, of keys and values in turn."""
    if len(parts) % 2:
        raise ValueError("a key without a value")
    return dict(zip(parts[::2], parts[1::2], strict=True))


_BUILDERS: dict[int, Mark] = {
    1: Mark(tuple),
    2: Mark(set),
    3: Mark(frozenset),
    4: Mark(_pairs),
}
_CONTAINERS: dict[type, int] = {tuple: 1, set: 2, frozenset: 3}
_PAIRS = 4


def _text(data: bytes) -> str:
    return data.decode("ascii")


def _write_integer(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _read_timedelta(data: bytes) -> timedelta:
    return timedelta(microseconds=int.from_bytes(data, "big", signed=True))


def _write_complex(value: complex) -> bytes:
    return f"{value.real!r} {value.imag!r}".encode()


def _read_complex(data: bytes) -> complex:
    real, imaginary = _text(data).split(" ")
    return complex(float(real), float(imaginary))


_WRITERS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (16, _write_integer),
    Decimal: (17, lambda value: str(value).encode()),
    UUID: (18, lambda value: value.bytes),
    date: (19, lambda value: value.isoformat().encode()),
    time: (20, times.write),
    datetime: (21, times.write),
    timedelta: (22, lambda value: _write_integer(value // timedelta(microseconds=1))),
    complex: (23, _write_complex),
    bytearray: (24, bytes),
}
_READERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda data: int.from_bytes(data, "big", signed=True),
    17: lambda data: Decimal(_text(data)),
    18: lambda data: UUID(bytes=data),
    19: lambda data: date.fromisoformat(_text(data)),
    20: times.read_time,
    21: times.read_datetime,
    22: _read_timedelta,
    23: _read_complex,
    24: bytearray,
    arrays.CODE: arrays.read,
}


def read_leaf(code: int, data: memoryview) -> Any:
    """Return what an extension type stands for that is no container's.

    Raises:
        ValueError: it stands for nothing here.
    """
    reader = _READERS.get(code)
    if reader is None:
        raise ValueError(f"extension type {code} is none of ours here")
    return reader(bytes(data))


class Tags:
    """Writes and reads tagged values.

    Args:
        ext: msgspec's class for extension types.
    """

    def __init__(self, ext: Callable[[int, bytes], Any]) -> None:
        self._ext = ext
        self._heads = {code: ext(code, b"") for code in _BUILDERS}

    def write(self, value: Any, depth: int = 0) -> Any:
        """Return what MessagePack is to write for a value.

        Args:
            value: anything.
            depth: how many containers it lies in.

        Raises:
            EncodeError: it would not come back as it was.
            RecursionError: it is nested too deeply, or within itself.
        """
        kind = type(value)
        if kind in _LEAVES or (kind is int and -(1 << 63) <= value < 1 << 64):
            return value
        if depth >= DEPTH:
            raise RecursionError("it is nested too deeply, or within itself")
        if kind is list:
            return [self.write(part, depth + 1) for part in value]
        if kind is dict:
            if all(type(key) is str for key in value):
                return {key: self.write(part, depth + 1) for key, part in value.items()}
            parts = [self.write(part, depth + 1) for pair in value.items() for part in pair]
            return [self._heads[_PAIRS], *parts]
        code = _CONTAINERS.get(kind)
        if code is not None:
            return [self._heads[code], *[self.write(part, depth + 1) for part in value]]
        return self.write_leaf(value)

    def write_leaf(self, value: Any) -> Any:
        """Return what MessagePack is to write for a value that is no container.

        Raises:
            EncodeError: it is of an unknown type.
        """
        writer = _WRITERS.get(type(value))
        if writer is not None:
            return self._ext(writer[0], writer[1](value))
        array = arrays.write(value)
        if array is not None:
            return self._ext(arrays.CODE, array)
        name = type(value).__qualname__
        raise EncodeError(
            f"value: a {name} would not come back as one; declare the type of the values, "
            f"as in Serializer(type={name})"
        )

    def read(self, code: int, data: memoryview) -> Any:
        """Return what an extension type stands for, a container's being a `Mark`.

        Raises:
            ValueError: it stands for nothing here.
        """
        mark = _BUILDERS.get(code)
        if mark is None:
            return read_leaf(code, data)
        if data:
            raise ValueError(f"extension type {code} has no data")
        return mark

    def restore(self, value: Any, depth: int = 0) -> Any:
        """Return a value with its containers as they were.

        Args:
            value: as MessagePack read it.
            depth: how many containers it lies in.

        Raises:
            ValueError: it was not written by `write`.
        """
        kind = type(value)
        if kind is list:
            if depth > DEPTH:
                raise ValueError("it is nested too deeply")
            if value and type(value[0]) is Mark:
                return value[0].build([self.restore(part, depth + 1) for part in value[1:]])
            return [self.restore(part, depth + 1) for part in value]
        if kind is dict:
            if depth > DEPTH:
                raise ValueError("it is nested too deeply")
            if not all(type(key) is str for key in value):
                raise ValueError("a key that is no string")
            return {key: self.restore(part, depth + 1) for key, part in value.items()}
        if kind is Mark:
            raise ValueError("a tag where there is no container")
        return value
