"""Dates and times with their zones, as text."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from scrubjay.errors import EncodeError


def write_datetime(value: datetime) -> bytes:
    """Return wall time, fold and zone.

    Raises:
        EncodeError: its zone is of an unknown class.
    """
    plain = value.replace(tzinfo=None, fold=0).isoformat()
    return f"{plain} {value.fold} {_zone(value.tzinfo)}".encode()


def read_datetime(data: bytes) -> datetime:
    """Return what `write_datetime` wrote.

    Raises:
        ValueError: it did not write this.
    """
    plain, fold, zone = data.decode("ascii").split(" ")
    return datetime.fromisoformat(plain).replace(tzinfo=_zone_of(zone), fold=int(fold))


def write_time(value: time) -> bytes:
    """Return wall time, fold and zone.

    Raises:
        EncodeError: its zone is of an unknown class.
    """
    plain = value.replace(tzinfo=None, fold=0).isoformat()
    return f"{plain} {value.fold} {_zone(value.tzinfo)}".encode()


def read_time(data: bytes) -> time:
    """Return what `write_time` wrote.

    Raises:
        ValueError: it did not write this.
    """
    plain, fold, zone = data.decode("ascii").split(" ")
    return time.fromisoformat(plain).replace(tzinfo=_zone_of(zone), fold=int(fold))


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
