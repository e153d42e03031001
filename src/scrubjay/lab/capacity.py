"""Sizes of caches as people write them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from scrubjay.errors import InvalidArgumentError

_UNITS = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_BY_NAME = {name.lower(): size for name, size in _UNITS.items()}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)\s*([A-Za-z]*)", re.ASCII)


@dataclass(frozen=True)
class Capacity:
    """The size of a cache, absolute or relative to what a trace asks for.

    Attributes:
        text: the capacity as it was written, such as ``10%``, ``500`` or ``64MB``.
        amount: the size in entries or in bytes, when absolute.
        percent: the size in percent of what a trace asks for, when relative.
        in_bytes: whether it is in bytes.
    """

    text: str
    amount: int | None = None
    percent: float | None = None
    in_bytes: bool = False

    @classmethod
    def parse(cls, text: str) -> Capacity:
        """Read a capacity.

        Args:
            text: a whole number of entries; a number with a unit of bytes; or
                a percentage of the unique keys (``10%``) or of the sum of
                their sizes (``10%B``).

        Returns:
            The capacity.

        Raises:
            InvalidArgumentError: it is none of these, or not above zero.
        """
        text = text.strip()
        match = _PATTERN.fullmatch(text)
        if match:
            number, percent, unit = float(match[1]), match[2], match[3].lower()
            if percent and unit in ("", "b") and 0 < number <= 100:
                return cls(text, percent=number, in_bytes=bool(unit))
            size = number * _BY_NAME.get(unit, 0)
            if not percent and 1 <= size < math.inf:
                return cls(text, amount=int(size), in_bytes=True)
            if not percent and not unit and 1 <= number < math.inf and "." not in match[1]:
                return cls(text, amount=int(match[1]))
        raise InvalidArgumentError(
            f"capacity must be a number of entries from 1, a size such as 64MB, or a percentage "
            f"above 0% and up to 100% (of the bytes: 10%B), not {text!r}"
        )

    def of(self, total: int) -> int:
        """The size for a trace.

        Args:
            total: its unique keys, or the sum of their sizes for a capacity
                in bytes.

        Returns:
            The size in entries or bytes; at least one.
        """
        if self.percent is None:
            return self.amount or 1
        return max(1, round(total * self.percent / 100))


def in_words(amount: int, *, in_bytes: bool) -> str:
    """Write an amount of entries or bytes for a person to read."""
    if not in_bytes:
        return f"{amount:,}"
    for name in ("GB", "MB", "kB"):
        if amount >= _UNITS[name]:
            return f"{amount / _UNITS[name]:.3g} {name}"
    return f"{amount} B"
