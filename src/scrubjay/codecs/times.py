"""Dates and times with their zones, as text."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

from scrubjay.errors import EncodeError

_T = TypeVar("_T", datetime, time)


def write(value: datetime | time) -> bytes:
    """Return wall time, fold and zone.

    Raises:
        EncodeError: its zone is of an unknown class.
    """
    plain = value.replace(tzinfo=None, fold=0).isoformat()
    return f"{plain} {value.fold} {_zone(value.tzinfo)}".encode()


def read_datetime(data: bytes) -> datetime:
    """Return the date and time that `write` wrote.

    Raises:
        ValueError: it did not write this.
    """
    return _read(datetime, data)


def read_time(data: bytes) -> time:
    """Return the time of day that `write` wrote.

    Raises:
        ValueError: it did not write this.
    """
    return _read(time, data)


def _read(kind: type[_T], data: bytes) -> _T:
    plain, fold, zone = data.decode("ascii").split(" ")
    return kind.fromisoformat(plain).replace(tzinfo=_zone_of(zone), fold=int(fold))


def _zone(zone: tzinfo | None) -> str:
    """Write a zone: ``-`` for none, its offset, or its name in the tz database."""
    if zone is None:
        return "-"
    if type(zone) is timezone:
        return str(zone.utcoffset(None) // timedelta(microseconds=1))
    if type(zone) is ZoneInfo and zone.key and zone.key.isascii() and " " not in zone.key:
        return "@" + zone.key
    raise EncodeError(f"value: a time zone of class {type(zone).__qualname__} is not kept")


def _zone_of(text: str) -> tzinfo | None:
    if text == "-":
        return None
    if text[0] == "@":
        return ZoneInfo(text[1:])
    offset = timedelta(microseconds=int(text))
    return timezone.utc if not offset else timezone(offset)
