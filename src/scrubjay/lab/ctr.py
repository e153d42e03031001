"""Compact traces: one zstd frame around little-endian columns (``.ctr.zst``).

Payload::

    4 bytes  magic b"CTR1"
    u32      flags: bit 0 sizes, bit 1 seconds, bit 2 clients
    u64      number of requests n
    u64[n]   keys
    u32[n]   one column for each flag set, in the order of the bits

The payload is read as a stream and checked against what the header promises,
so a truncated or hostile file costs an error and not the machine's memory.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import BinaryIO

from scrubjay.lab.model import ReadOptions, Trace, TraceError
from scrubjay.lab.zstd import open_zstd

_MAGIC = b"CTR1"
_HEADER = struct.Struct("<4sIQ")
_COLUMN_NAMES = ("sizes", "seconds", "clients")
_CHUNK_BYTES = 1 << 22


class CompactTrace:
    """Reader of ``CTR1`` columns in a zstd frame."""

    name = "ctr"
    suffixes = (".ctr.zst",)

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """The ending is telling enough; see `TraceFormat.recognises`."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        with open_zstd(path) as stream:
            return _read_payload(path, stream, options.limit)


def _read_payload(path: Path, stream: BinaryIO, limit: int | None) -> Trace:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise TraceError(f"{path}: the payload ends inside its header")
    magic, flags, count = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise TraceError(f"{path}: the payload starts with {magic!r}, not {_MAGIC!r}")
    if flags >> len(_COLUMN_NAMES):
        raise TraceError(f"{path}: flags {flags:#x} name columns that are not known")
    keep = count if limit is None else min(limit, count)
    keys = _read_column(path, stream, "Q", "keys", count, keep)
    columns = {
        name: _read_column(path, stream, "I", name, count, keep)
        for bit, name in enumerate(_COLUMN_NAMES)
        if flags >> bit & 1
    }
    if stream.read(1):
        raise TraceError(f"{path}: there is more after the last of {count} requests")
    return Trace(
        path.name,
        keys,
        sizes=columns.get("sizes"),
        seconds=columns.get("seconds"),
        clients=columns.get("clients"),
    )


def _read_column(
    path: Path, stream: BinaryIO, typecode: str, name: str, count: int, keep: int
) -> array[int]:
    """Read a column of ``count`` numbers and return the first ``keep``."""
    column: array[int] = array(typecode)
    wanted = count * column.itemsize
    kept = keep * column.itemsize
    seen = 0
    # A chunk may be short without being the last, and may end inside a number.
    pending = bytearray()
    while seen < wanted:
        chunk = stream.read(min(_CHUNK_BYTES, wanted - seen))
        if not chunk:
            raise TraceError(
                f"{path}: the column {name} ends after {seen // column.itemsize} "
                f"of the {count} requests that the header promises"
            )
        pending += chunk[: max(0, kept - seen)]
        seen += len(chunk)
        whole = len(pending) - len(pending) % column.itemsize
        column.frombytes(pending[:whole])
        del pending[:whole]
    if sys.byteorder == "big":
        column.byteswap()
    return column


FORMAT = CompactTrace()
