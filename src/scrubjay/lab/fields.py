"""The columns of a delimited trace besides its keys: how each is read and kept."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from scrubjay.lab.model import ReadOptions

_USUAL_NAMES = {
    "sizes": ("size", "size_bytes", "bytes"),
    "seconds": ("time", "timestamp", "seconds"),
    "clients": ("client", "session", "user"),
    "costs": ("cost", "latency"),
}
_MOST = (1 << 63) - 1  # what the cache can count
_FARTHEST = 1e100  # of times and costs: sums of any number of them, and spans, stay finite


@dataclass
class Field:
    """One column: its values so far in a compact array.

    Attributes:
        name: the column of the trace that it becomes.
        typecode: the kind of array that holds it.
        parse: turns a field's text into its value; a ValueError says why not.
    """

    name: str
    typecode: str
    parse: Callable[[str], Any]
    column: array[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.column = array(self.typecode)

    def take(self) -> array[Any]:
        """Hand out the values so far and start anew."""
        taken, self.column = self.column, array(self.typecode)
        return taken


def make_fields(header: list[str], options: ReadOptions) -> list[tuple[str, Field]]:
    """Choose the columns to read.

    Args:
        header: the names of all columns.
        options: the columns asked for.

    Returns:
        The name of each column to be read, which may be missing from the
        header if it was asked for by name, and the field that reads it.
    """
    asked = {
        "sizes": options.size_column,
        "seconds": options.time_column,
        "clients": options.client_column,
        "costs": options.cost_column,
    }
    numbers: dict[str, int] = {}
    fields = {
        "sizes": Field("sizes", "Q", _parse_size),
        "seconds": Field("seconds", "d", _parse_time),
        # Clients are told apart, nothing else; a number in order of appearance will do.
        "clients": Field("clients", "Q", lambda text: numbers.setdefault(text, len(numbers))),
        "costs": Field("costs", "d", _parse_cost),
    }
    chosen: list[tuple[str, Field]] = []
    for name, reader in fields.items():
        usual = (column for column in _USUAL_NAMES[name] if column in header)
        column = asked[name] or next(usual, None)
        if column is not None and (asked[name] or column != options.key_column):
            chosen.append((column, reader))
    return chosen


def _parse_size(text: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = -1
    if not 0 <= size <= _MOST:
        raise ValueError(f"the size is {text!r}, not a number of bytes")
    return size


def _parse_time(text: str) -> float:
    try:
        return _finite(text)
    except ValueError:
        pass
    try:
        # Python 3.10 does not know that Z means UTC.
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"the time is {text!r}, neither seconds nor ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()


def _parse_cost(text: str) -> float:
    try:
        cost = _finite(text)
    except ValueError:
        cost = -1.0
    if cost < 0:
        raise ValueError(f"the cost is {text!r}, not a number from 0 up")
    return cost


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) <= _FARTHEST:  # nor is NaN
        raise ValueError(text)
    return number
