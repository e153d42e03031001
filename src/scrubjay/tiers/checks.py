"""Checks of what is handed to a tier, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scrubjay import arguments
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.tiers.protocol import TierRecord

LONGEST_KEY = 0xFFFF


def checked_keys(keys: Sequence[bytes], name: str = "keys") -> Sequence[bytes]:
    """Return keys, each of which is bytes of a length that a key may have.

    Raises:
        InvalidArgumentError: `keys` is no sequence of such keys.
    """
    if not isinstance(keys, (list, tuple)):
        if isinstance(keys, (bytes, bytearray, str, memoryview)):
            raise InvalidArgumentTypeError(f"{name}: a sequence of keys, not one key")
        keys = _listed(name, keys)
    for key in keys:
        if type(key) is not bytes or not 0 < len(key) <= LONGEST_KEY:
            raise _bad_key(name, key)
    return keys


def checked_records(records: Iterable[TierRecord]) -> list[TierRecord]:
    """Return a list of records with sound keys, values, times and costs.

    Raises:
        InvalidArgumentError: one of them is not; the message says which part.
    """
    listed: list[TierRecord] = []
    for one in _listed("records", records):
        record = one if type(one) is TierRecord else _record(one)
        key, value, expires_at, cost = record
        if type(key) is not bytes or not 0 < len(key) <= LONGEST_KEY:
            raise _bad_key("key", key)
        if type(value) is not bytes:
            raise InvalidArgumentTypeError(f"value: bytes, not {type(value).__name__}")
        if expires_at is not None:
            arguments.number("expires_at", expires_at)
        if cost:
            arguments.not_negative("cost", cost)
        listed.append(record)
    return listed


def checked_limit(limit: Any) -> int | None:
    """Return a number of records above zero, or None."""
    return None if limit is None else arguments.count("limit", limit)


def _listed(name: str, items: Any) -> list[Any]:
    try:
        return list(items)
    except TypeError:
        raise InvalidArgumentTypeError(f"{name}: {items!r} cannot be iterated") from None


def _record(one: Any) -> TierRecord:
    try:
        return TierRecord(*one)
    except TypeError:
        raise InvalidArgumentTypeError(f"records: {one!r} is no TierRecord") from None


def _bad_key(name: str, key: Any) -> InvalidArgumentError:
    if type(key) is not bytes:
        return InvalidArgumentTypeError(f"{name}: a key is bytes, not {type(key).__name__}")
    return InvalidArgumentError(f"{name}: a key has 1 to {LONGEST_KEY} bytes, not {len(key)}")
