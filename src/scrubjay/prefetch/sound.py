"""Whether saved tables hold what was saved: compiled code follows their numbers unchecked.

A digest finds accidents. Whoever writes a file can write a digest as well.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from math import isfinite

from scrubjay.prefetch.constants import FULL, MOST_CONFIDENCE

_DOUBLE = ("last", "tries", "right", "lately", "worth")
_SHARES = ("lately", "worth")


def are_sound(tables: Mapping[str, bytes], slots: int) -> bool:
    """Tell whether all that tables refer to is there.

    Args:
        tables: their bytes, by name.
        slots: how many keys there are; marks begin with the slot of one.
    """
    try:
        return all(_is_sound(name, table, slots) for name, table in tables.items())
    except ValueError:  # a part of a number
        return False


def _is_sound(name: str, table: bytes, slots: int) -> bool:
    part, kind = name.split(".")[-2:] if "." in name else ("", name)
    if kind == "asked":
        return max(table, default=0) <= FULL
    if kind == "entries" and part != "contexts":
        return _largest(table) >> 24 < max(1, slots)
    if part == "contexts":
        lowest = table[0 if sys.byteorder == "little" else 7 :: 8]
        if any(byte & 15 > MOST_CONFIDENCE for byte in set(lowest)):
            return False
        return _largest(table) >> (28 if kind == "entries" else 12) < max(1, slots)
    if kind in _DOUBLE or kind == "period":
        numbers = array("d" if kind in _DOUBLE else "f", table)
        shares = kind in _SHARES
        return all(isfinite(one) and one >= 0.0 and (one <= 1.0 or not shares) for one in numbers)
    return True


def _largest(table: bytes) -> int:
    return max(array("Q", table), default=0)
