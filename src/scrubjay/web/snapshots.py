"""What a node tells the others of one cache: a row and its detail, compact and bounded.

It is JSON, compressed. What is read back was written by anybody who may write to the shared
tier, so its size, its shape and its numbers are checked before it goes anywhere.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

from scrubjay.web.shapes import fits, printable
from scrubjay.web.told import Detail, Row

MOST_BYTES = 8192  # of a snapshot
_MOST_PLAIN = 64 * 1024  # bytes that it may become
_MOST_VALUES = 5000  # in it; one may be two bytes of text, and 64 in memory
_FORMAT = 1
_NODE = re.compile(r"n[0-9a-f]{16}")
_DIGITS = 19  # of a count
_FACTORS = frozenset({0.5, 1.0, 2.0})  # sizes that are spoken of where there is advice
_NAME = 200  # characters of a name


class Snapshot(TypedDict):
    """One cache of one node."""

    format: int
    host: str
    row: Row
    detail: Detail | None  # None: it would be too large


def pack(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes, `MOST_BYTES` at most; what it can do without goes first.

    Raises:
        ValueError: not even the row is small enough.
    """
    for shed in (None, *_SHEDDING):
        if shed is not None:
            snapshot = shed(snapshot)
        text = json.dumps(snapshot, default=str, separators=(",", ":"), allow_nan=False)
        body = zlib.compress(text.encode(), 6)
        if len(body) <= MOST_BYTES and len(text) <= _MOST_PLAIN:
            return body
    raise ValueError(f"a snapshot of {len(body):,} bytes is too large")


def _without(*names: str) -> Callable[[Snapshot], Snapshot]:
    def shed(snapshot: Snapshot) -> Snapshot:
        detail = snapshot["detail"]
        assert detail is not None
        less: Any = {**detail, **{name: [] for name in names}}
        return {**snapshot, "detail": less}

    return shed


def _without_further_numbers(snapshot: Snapshot) -> Snapshot:
    detail = snapshot["detail"]
    assert detail is not None
    statistics = dict(detail["statistics"])
    statistics["hot"] = {"sampled": 0, "tags": [], "namespaces": []}
    statistics["prefetch"] = {**detail["statistics"]["prefetch"], "details": {}}
    optimization = detail["statistics"]["optimization"]
    statistics["optimization"] = {**optimization, "current_strategy_performance": {}}
    less: Any = {**detail, "statistics": statistics}
    return {**snapshot, "detail": less}


def _without_detail(snapshot: Snapshot) -> Snapshot:
    return {**snapshot, "detail": None}


_SHEDDING = (
    _without("recent", "rounds"),
    _without("slowest"),
    _without_further_numbers,
    _without_detail,
)


def unpack(body: bytes) -> Snapshot | None:
    """Return the snapshot in some bytes; None if it is none that can be shown."""
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(body, _MOST_PLAIN)
        if not reader.eof:
            return None
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
        found = _printable(found, iter(range(_MOST_VALUES)))
        known = isinstance(found, dict) and found.get("format") == _FORMAT
        if not known or not fits(found, Snapshot):
            return None
    except (zlib.error, ValueError, RecursionError):
        return None
    row = found["row"]
    if not _NODE.fullmatch(row["node"]) or not row["tiers"] or "evicted" not in row["removals"]:
        return None
    if found["detail"] is not None and found["detail"]["advice"] is not None:
        factors = {step["factor"] for step in found["detail"]["advice"]["steps"]}
        if factors and not factors >= _FACTORS:
            return None
    row["name"] = row["name"][:_NAME]
    row["process"] = f"{row['process'][:_NAME]} on {found['host'][:_NAME]}"
    row["id"] = f"{row['node']}/{row['name']}"
    if found["detail"] is not None:
        found["detail"]["id"] = row["id"]
    snapshot: Snapshot = found
    return snapshot


def _printable(value: Any, left: Iterator[int]) -> Any:
    """Return a value out of JSON with nothing in its texts that a terminal or a URL would not take.

    Args:
        value: the value.
        left: has an item for each value that there may be.

    Raises:
        ValueError: there are more.
    """
    if next(left, None) is None:
        raise ValueError("there is more in it than can be shown")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(name): _printable(each, left) for name, each in value.items()}
    if isinstance(value, list):
        return [_printable(each, left) for each in value]
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"{text} is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def make(host: str, row: Row, detail: Detail | None) -> Snapshot:
    """Return a snapshot of a cache."""
    return {"format": _FORMAT, "host": host, "row": row, "detail": detail}
