"""Which values come back as they were from a format that knows few types.

MessagePack and JSON know lists and dicts, but neither tuples nor sets nor subclasses, and
their encoders turn those into what they know without a word. Whoever stores a value
without declaring its type must therefore look first. The walk takes a tenth of the
encoder's own time where it is compiled; it calls no code but our own.
"""

from __future__ import annotations

from typing import Any

DEPTH = 400  # containers within containers; also what ends a walk over a cycle
_DEPTH = DEPTH  # in C


def is_plain(value: Any, named: bool) -> bool:
    """Tell whether a value is made of nothing but plain types, and of these exactly.

    They are None, bool, int, float, str, bytes, list, and dict with keys of the former.

    Args:
        value: anything.
        named: whether keys of dicts must be strings, as in JSON.

    Raises:
        RecursionError: it is nested too deeply, or within itself.
    """
    return _walk(value, named, 0)


def _walk(value: Any, named: bool, depth: int) -> bool:
    kind = type(value)
    if kind is dict:
        if depth >= _DEPTH:
            raise RecursionError("it is nested too deeply, or within itself")
        mapping: dict[Any, Any] = value
        for key, part in mapping.items():
            inner = type(key)
            if inner is not str and (named or not _is_leaf(inner)):
                return False
            inner = type(part)
            if inner is not str and not _is_leaf(inner) and not _walk(part, named, depth + 1):
                return False
        return True
    if kind is list:
        if depth >= _DEPTH:
            raise RecursionError("it is nested too deeply, or within itself")
        sequence: list[Any] = value
        for part in sequence:
            inner = type(part)
            if inner is not str and not _is_leaf(inner) and not _walk(part, named, depth + 1):
                return False
        return True
    return _is_leaf(kind)


def _is_leaf(kind: Any) -> bool:
    return (
        kind is str
        or kind is int
        or kind is float
        or kind is bool
        or kind is bytes
        or kind is type(None)
    )
