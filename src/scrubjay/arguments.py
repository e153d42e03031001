"""Checks of what users pass in: a clear error that names the argument, before any change."""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from numbers import Number
from typing import Any, TypeVar

from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError, InvalidKeyError

E = TypeVar("E", bound=Enum)

_EXACT = 1 << 53  # whole numbers up to here are floats, too
_SEVERAL = (set, frozenset, tuple, list)


def number(name: str, value: Any) -> float:
    """Return a finite number."""
    if type(value) is float and -math.inf < value < math.inf:  # as nearly all are
        return value
    if type(value) is int and -_EXACT < value < _EXACT:
        return float(value)
    if type(value) is not float:
        # Numbers of other kinds (decimals, fractions, numpy's) say that they are numbers.
        if isinstance(value, bool) or not isinstance(value, Number):
            raise InvalidArgumentTypeError(
                f"{name}: {value!r} is not a number but {type(value).__name__}"
            )
        try:
            value = float(value)  # type: ignore[arg-type]
        except OverflowError:
            raise InvalidArgumentError(f"{name}: it is too large") from None
        except ValueError:
            raise InvalidArgumentError(f"{name}: {value!r} is not finite") from None
        except TypeError:
            raise InvalidArgumentTypeError(f"{name}: {value!r} is not a real number") from None
    if not math.isfinite(value):
        raise InvalidArgumentError(f"{name}: {value!r} is not finite")
    return value  # type: ignore[no-any-return]


def positive(name: str, value: Any) -> float:
    """Return a number above zero."""
    checked = number(name, value)
    if checked <= 0.0:
        raise InvalidArgumentError(f"{name}: {value!r} is not above zero")
    return checked


def positive_or_none(name: str, value: Any) -> float | None:
    """Return a number above zero, or None for None."""
    return None if value is None else positive(name, value)


def not_negative(name: str, value: Any) -> float:
    """Return a number from zero up."""
    checked = number(name, value)
    if checked < 0.0:
        raise InvalidArgumentError(f"{name}: {value!r} is negative")
    return checked


def fraction(name: str, value: Any) -> float:
    """Return a number above zero and up to one."""
    checked = positive(name, value)
    if checked > 1.0:
        raise InvalidArgumentError(f"{name}: {value!r} is above one")
    return checked


def count(name: str, value: Any) -> int:
    """Return a whole number above zero."""
    try:
        checked = operator.index(value)
    except TypeError:
        checked = None
    if checked is None or isinstance(value, bool):
        raise InvalidArgumentTypeError(f"{name}: {value!r} is not a whole number")
    if checked <= 0:
        raise InvalidArgumentError(f"{name}: {value!r} is not above zero")
    return checked


def member(name: str, kind: type[E], value: Any) -> E:
    """Return a member of an enumeration, given as itself or by its value."""
    if isinstance(value, kind):
        return value
    for known in kind:
        if isinstance(value, str) and value == known.value:
            return known
    known_values = ", ".join(repr(known.value) for known in kind)
    raise InvalidArgumentError(f"{name}: {value!r} is not one of {known_values}")


def word(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Return one of some words."""
    if not isinstance(value, str) or value not in known:
        words = ", ".join(map(repr, known))
        raise InvalidArgumentError(f"{name}: {value!r} is not one of {words}")
    return value


def label(name: str, value: Any) -> str:
    """Return a name for people, which metrics, logs and pages can show."""
    if not isinstance(value, str):
        raise InvalidArgumentTypeError(f"{name}: {value!r} is not a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{name}: {value!r} has half of a surrogate pair") from None
    return value


def several(name: str, value: Any, what: str) -> Iterable[Any]:
    """Return an iterable that is not a string: that would be taken for its letters."""
    if type(value) in _SEVERAL:  # as nearly all are: asking what is iterable takes longer
        return value  # type: ignore[no-any-return]
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise InvalidArgumentTypeError(f"{name}: {value!r} is not a set of {what}")
    return value


def words(name: str, value: Any) -> tuple[str, ...]:
    """Return strings from an iterable of them."""
    checked = tuple(several(name, value, "strings"))
    for word in checked:
        if not isinstance(word, str):
            raise InvalidArgumentTypeError(f"{name}: {word!r} is not a string")
    return checked


def tags(value: Any) -> frozenset[str]:
    """Return a set of tags from an iterable of strings."""
    return frozenset(map(str, words("tags", value)))


def keys(name: str, value: Any) -> tuple[Any, ...]:
    """Return keys from an iterable of hashables, each once."""
    try:
        return tuple(dict.fromkeys(several(name, value, "keys")))
    except InvalidArgumentError:
        raise
    except TypeError as error:
        raise InvalidKeyError(f"{name}: {error}") from error


def pairs(name: str, value: Any) -> list[tuple[Any, Any]]:
    """Return pairs of a key, which can be hashed, and a value."""
    given = value.items() if isinstance(value, Mapping) else several(name, value, "pairs")
    checked: list[tuple[Any, Any]] = []
    for pair in given:
        if isinstance(pair, (str, bytes)):
            raise InvalidArgumentTypeError(f"{name}: {pair!r} is not a key and a value")
        try:
            key, one = pair
        except (TypeError, ValueError):
            raise InvalidArgumentTypeError(f"{name}: {pair!r} is not a key and a value") from None
        try:
            hash(key)
        except TypeError as error:
            raise InvalidKeyError(f"{name}: a key: {error}") from error
        checked.append((key, one))
    return checked


def function(name: str, value: Any) -> Callable[..., Any]:
    """Return something that can be called."""
    if not callable(value):
        raise InvalidArgumentTypeError(f"{name}: {value!r} cannot be called")
    checked: Callable[..., Any] = value
    return checked


def function_or_none(name: str, value: Any) -> Callable[..., Any] | None:
    """Return something that can be called, or None for None."""
    return None if value is None else function(name, value)


def asker(context: Any) -> int:
    """Return a number of 30 bits for the session, or else the user, that a context names.

    0 if it names neither. The same name has the same number in every process.
    """
    if context is None:
        return 0
    named = context.get("session_id")
    if named is None:
        named = context.get("user_id")
        if named is None:
            return 0
    return zlib.crc32(str(named).encode("utf-8", "surrogatepass")) & 0x3FFFFFFF or 1


def session(context: Any) -> str | None:
    """Return the session that a context names, if it names one."""
    if context is None:
        return None
    if not isinstance(context, Mapping):
        raise InvalidArgumentTypeError(f"context: {context!r} is not a mapping")
    named = context.get("session_id")
    return None if named is None else str(named)
