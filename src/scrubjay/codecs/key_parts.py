"""Keys as bytes: equal keys are the same bytes, and different keys never are.

Memory finds keys by Python's equality, so a lower tier has to, too. If 1, 1.0 and True,
one key in memory, were three in a tier, invalidating one would leave the others' values
there to be served. Numbers are therefore written by value, not by type, and a subclass
that compares as its base does is written as its base. What Python holds apart stays apart:
each part begins with a letter for its kind and tells its own end.

Nothing here depends on the process, its hash seed, or the version of Python.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from numbers import Integral, Real
from operator import index
from typing import Any
from uuid import UUID

from scrubjay.errors import InvalidKeyError
from scrubjay.keys import InstanceId, Mark

DEPTH = 32  # tuples within tuples
DIGITS = 400  # a decimal's exponent: beyond it the number itself would fill memory
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are subtracted by hand
_MICROSECOND = timedelta(microseconds=1)


def write(key: Any, depth: int = 0) -> bytes:
    """Return the bytes of one key.

    Args:
        key: made of strings, bytes, numbers, None, tuples, frozensets, dates, times,
            UUIDs, enumeration members, classes and the marks of function calls.
        depth: how many tuples it lies in.

    Raises:
        InvalidKeyError: it is made of something else as well.
    """
    if depth > DEPTH:
        raise InvalidKeyError("key: tuples are nested too deeply")
    exact = _EXACT.get(type(key))
    if exact is not None:
        return exact(key, depth)
    for base, writer in _EXACT.items():
        # `bool` and `NoneType` have no subclasses; a date is no datetime: the order matters.
        if isinstance(key, base):
            if _compares_as(type(key), base):
                return writer(key, depth)
            break
    if isinstance(key, Enum):
        return _member(key)
    if isinstance(key, type):
        return _framed(b"c", _name_of(key))
    if isinstance(key, Mark):
        return _mark(key)
    if isinstance(key, InstanceId):
        raise InvalidKeyError(
            "key: results of a method belong to an instance, which other processes do not know; "
            "cache a function of what tells instances apart"
        )
    try:
        if isinstance(key, Integral) and index(key) == key:  # numpy's, but no span of time
            return _integer(index(key), depth)
        if isinstance(key, Real) and float(key) == key:
            return _float(float(key), depth)
    except (TypeError, ValueError, ArithmeticError):
        pass  # it calls itself a number, and is none
    raise InvalidKeyError(
        f"key: a {type(key).__qualname__} cannot be written for a lower tier; "
        "use strings, numbers, or a tuple of what tells it from others"
    )


def _compares_as(cls: type, base: type) -> bool:
    """Tell whether a subclass left equality and hash as they are."""
    return cls.__eq__ is base.__eq__ and cls.__hash__ is base.__hash__


def _framed(letter: bytes, text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%b%d:%b" % (letter, len(data), data)


def _text(key: str, depth: int) -> bytes:
    data = str.encode(key, "utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def _bytes(key: bytes, depth: int) -> bytes:
    data = bytes.__getitem__(key, slice(None))
    return b"b%d:%b" % (len(data), data)


def _none(key: None, depth: int) -> bytes:
    return b"n"


def _integer(key: int, depth: int) -> bytes:
    number = int.__index__(key)
    if -(1 << 64) < number < 1 << 64:
        return b"i%d;" % number
    return b"I%x;" % number  # decimal would take quadratic time


def _float(key: float, depth: int) -> bytes:
    if float.is_integer(key):
        return _integer(int(key), depth)
    return b"f%b;" % repr(_checked(float.__add__(key, 0.0))).encode()


def _checked(number: float) -> float:
    if math.isnan(number):
        raise InvalidKeyError("key: nan does not equal itself, so nothing would ever find it")
    return number


def _decimal(key: Decimal, depth: int) -> bytes:
    if not key.is_finite():
        if key.is_snan():
            raise InvalidKeyError("key: a signaling nan is no key")
        return _float(float(key), depth)
    exponent = key.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > DIGITS or key.adjusted() > DIGITS:
        raise InvalidKeyError(f"key: a decimal of more than {DIGITS} digits")
    return _ratio(*key.as_integer_ratio())


def _fraction(key: Fraction, depth: int) -> bytes:
    return _ratio(key.numerator, key.denominator)


def _ratio(numerator: int, denominator: int) -> bytes:
    """Write a number that equals a float as the float, any other by its ratio."""
    if denominator == 1:
        return _integer(numerator, 0)
    try:
        number = numerator / denominator
    except OverflowError:
        number = math.inf
    if math.isfinite(number) and number.as_integer_ratio() == (numerator, denominator):
        return _float(number, 0)
    return b"q%x/%x;" % (numerator, denominator)


def _tuple(key: tuple[Any, ...], depth: int) -> bytes:
    parts = [write(part, depth + 1) for part in tuple.__iter__(key)]
    return b"(%b)" % b"".join(parts)


def _frozenset(key: frozenset[Any], depth: int) -> bytes:
    parts = sorted(write(part, depth + 1) for part in frozenset.__iter__(key))
    return b"<%b>" % b"".join(parts)


def _date(key: date, depth: int) -> bytes:
    return b"d%b;" % date.isoformat(key).encode()


def _datetime(key: datetime, depth: int) -> bytes:
    """Write an aware time as its instant, which is what equality goes by."""
    plain = datetime(  # noqa: DTZ001 - see below
        key.year, key.month, key.day, key.hour, key.minute, key.second, key.microsecond
    )
    offset = key.utcoffset()
    if offset is None:
        return b"D%b;" % plain.isoformat().encode()
    if offset != key.replace(fold=1 - key.fold).utcoffset():
        raise InvalidKeyError(f"key: {key} is in the hour in which the clocks change")
    return b"Z%d;" % ((plain - _EPOCH - offset) // _MICROSECOND)


def _time(key: time, depth: int) -> bytes:
    if key.tzinfo is not None:
        raise InvalidKeyError(f"key: {key!r} has a time zone but no date")
    return b"t%b;" % time(key.hour, key.minute, key.second, key.microsecond).isoformat().encode()


def _timedelta(key: timedelta, depth: int) -> bytes:
    return b"e%d;" % (key // _MICROSECOND)


def _uuid(key: UUID, depth: int) -> bytes:
    return b"u%032x;" % key.int


def _member(key: Enum) -> bytes:
    """Write a member by its class and name; one of a Flag, whose names vary, by its value."""
    cls = type(key)
    if cls.__eq__ is not object.__eq__ or cls.__hash__ is not Enum.__hash__:
        raise InvalidKeyError(f"key: {cls.__qualname__} has an equality of its own")
    name = _framed(b"e", _name_of(cls))
    if isinstance(key, Flag):
        return b"E%b%b" % (name, _integer(key._value_, 0))
    return b"E%b%b" % (name, _framed(b"s", key._name_))


def _name_of(cls: type) -> str:
    """Return a name by which any process finds the class, and no other class."""
    if cls is type(None):  # which the module it names does not know
        return "builtins:NoneType"
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is not cls:
        raise InvalidKeyError(f"key: {cls!r} cannot be found by its name")
    return f"{cls.__module__}:{cls.__qualname__}"


def _mark(key: Mark) -> bytes:
    """Write what stands for a function, or for a place in its call, by its name."""
    if "<" in key.name:
        raise InvalidKeyError(
            f"key: {key.name} has no name of its own that other processes would know; "
            "define the function in a module"
        )
    return _framed(b"m", key.name)


_EXACT: dict[type, Callable[[Any, int], bytes]] = {
    str: _text,
    int: _integer,
    bytes: _bytes,
    bool: _integer,
    float: _float,
    type(None): _none,
    tuple: _tuple,
    frozenset: _frozenset,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _timedelta,
    Decimal: _decimal,
    Fraction: _fraction,
    UUID: _uuid,
}
