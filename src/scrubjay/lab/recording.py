"""Recordings that `Cache.record` has written; `scrubjay.observe.recorder` tells the format.

A recording holds requests and stores. The trace has the requests; what the stores tell of
sizes and costs goes to the request of the key that came before, which had missed.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scrubjay.lab.model import BadLines, ReadOptions, Trace, TraceError
from scrubjay.observe.recorder import COLUMNS, HEADER, HIT, LENGTHS, MAGIC, MISS, STORED, TOTAL

_DAMAGES = (ValueError, struct.error, zlib.error)
_LONGEST = 1 << 26  # bytes of a chunk: the writer's are far shorter


class Recordings:
    """Reader of recordings."""

    name = "recording"
    suffixes = (".recording", ".rec")

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """The ending is telling enough; see `TraceFormat.recognises`."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        columns = _Columns()
        bad = BadLines()
        with path.open("rb") as stream:
            sample = _sample(read_header(stream, path), path)
            number = 0
            while head := stream.read(LENGTHS.size):
                number += 1
                try:
                    columns.extend(*_chunk(stream, head), options.limit)
                except _DAMAGES as error:
                    bad = bad.plus(number, str(error), unit="chunk")
                    break  # where the next one begins is not known
                if options.limit is not None and len(columns.keys) >= options.limit:
                    break
        # With fewer requests than the file holds, the total says nothing of them.
        cut = options.limit is not None and len(columns.keys) >= options.limit
        return Trace(
            path.name,
            columns.keys,
            sizes=columns.sizes if any(columns.sizes) else None,
            seconds=columns.seconds,
            clients=columns.clients if any(columns.clients) else None,
            costs=columns.costs if any(columns.costs) else None,
            bad_lines=bad,
            sample=sample,
            total_requests=None if cut else columns.total,
        )


@dataclass(frozen=True)
class Counts:
    """How much is in a recording.

    Attributes:
        hits: requests that the cache answered.
        misses: those that it could not.
        stores: values stored.
    """

    hits: int = 0
    misses: int = 0
    stores: int = 0

    @property
    def requests(self) -> int:
        """Hits and misses together."""
        return self.hits + self.misses


def count_rows(path: Path) -> Counts:
    """Count what is in a recording, without taking it apart.

    Args:
        path: the file.

    Returns:
        The counts; up to the damage, where the file is damaged.

    Raises:
        TraceError: the file is no recording.
        OSError: it cannot be read.
    """
    counts = [0, 0, 0]
    with path.open("rb") as stream:
        read_header(stream, path)
        with suppress(*_DAMAGES):
            while head := stream.read(LENGTHS.size):
                rows, data = _chunk(stream, head)
                for kind in (MISS, HIT, STORED):
                    counts[kind] += data.count(kind, 0, rows)  # the first column, a byte a row
    return Counts(counts[HIT], counts[MISS], counts[STORED])


def replaced_ages(path: Path) -> array[float]:
    """How old values were when new ones were stored in their place.

    A value that is stored after a miss was loaded; one that is stored without,
    while the old one may still be there, tells that the source has changed.

    Args:
        path: the file of the recording.

    Returns:
        For each such store the seconds since the one before.

    Raises:
        TraceError: the file is no recording.
        OSError: it cannot be read.
    """
    ages = array("d")
    stored: dict[int, int] = {}
    with path.open("rb") as stream:
        read_header(stream, path)
        with suppress(*_DAMAGES):
            while head := stream.read(LENGTHS.size):
                for kind, moment, key, *_ in _unpacked(*_chunk(stream, head)):
                    if kind == MISS:
                        stored.pop(key, None)
                    elif kind == STORED:
                        before = stored.get(key)
                        if before is not None:
                            ages.append((moment - before) / 1e6)
                        stored[key] = moment
    return ages


def read_header(stream: BinaryIO, path: Path) -> dict[str, Any]:
    """Return the header of a recording and leave the stream at its first chunk.

    Raises:
        TraceError: the file is no recording.
    """
    if stream.read(len(MAGIC)) != MAGIC:
        raise TraceError(f"{path}: not a recording, or of another version")
    try:
        (length,) = HEADER.unpack(stream.read(HEADER.size))
        header = json.loads(stream.read(length) if length <= _LONGEST else b"")
    except (struct.error, ValueError, RecursionError) as error:
        raise TraceError(f"{path}: the header of the recording is damaged: {error}") from error
    if not isinstance(header, dict):
        raise TraceError(f"{path}: the header of the recording is damaged")
    return header


def _sample(header: dict[str, Any], path: Path) -> float:
    sample = header.get("sample", 1.0)
    if not isinstance(sample, (int, float)) or not 0 < sample <= 1:
        raise TraceError(f"{path}: the header of the recording is damaged: sample {sample!r}")
    return float(sample)


def _chunk(stream: BinaryIO, head: bytes) -> tuple[int, bytes]:
    rows, length = LENGTHS.unpack(head)
    width = sum(struct.calcsize(f"<{code}") for code in COLUMNS)
    if max(length, rows * width) > _LONGEST:
        raise ValueError(f"{rows} rows in {length} bytes cannot be")
    body = stream.read(length)
    if len(body) < length:
        raise ValueError(f"{len(body)} of {length} bytes")
    decompressor = zlib.decompressobj()
    data = decompressor.decompress(body, rows * width + 1)
    if len(data) != rows * width or not decompressor.eof:
        raise ValueError(f"{rows} rows do not have {len(data)} bytes")
    return rows, data


def _unpacked(rows: int, data: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of a chunk, which holds them column by column."""
    start = 0
    columns = []
    for code in COLUMNS:
        end = start + rows * struct.calcsize(f"<{code}")
        columns.append(struct.unpack(f"<{rows}{code}", data[start:end]))
        start = end
    return zip(*columns, strict=True)


class _Columns:
    """The columns of the trace so far."""

    def __init__(self) -> None:
        self.keys, self.sizes, self.clients = array("Q"), array("Q"), array("Q")
        self.seconds, self.costs = array("d"), array("d")
        self.total: int | None = None
        self._known: dict[int, tuple[int, float]] = {}
        self._unknown: dict[int, list[int]] = {}

    def extend(self, rows: int, data: bytes, limit: int | None) -> None:
        """Add the rows of a chunk, up to `limit` requests in all."""
        for kind, moment, key, size, cost, client in _unpacked(rows, data):
            if kind == STORED:
                self._learn(key, size, cost)
            elif kind == TOTAL:
                self.total = key
            elif limit is None or len(self.keys) < limit:
                if size:
                    self._learn(key, size, cost)
                size, cost = self._known.get(key, (0, 0.0))  # noqa: PLW2901 - as last told
                if key not in self._known:
                    self._unknown.setdefault(key, []).append(len(self.keys))
                self.keys.append(key)
                self.sizes.append(size)
                self.seconds.append(moment / 1e6)
                self.clients.append(client)
                self.costs.append(cost)

    def _learn(self, key: int, size: int, cost: float) -> None:
        """Remember what is told of a key, and tell the requests that came too early."""
        old = self._known.get(key, (0, 0.0))
        self._known[key] = (size or old[0], cost or old[1])
        for request in self._unknown.pop(key, ()):
            self.sizes[request], self.costs[request] = self._known[key]


FORMAT = Recordings()
