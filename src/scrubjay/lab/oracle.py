"""libCacheSim's binary traces, oracleGeneral, plain or in zstd frames.

Records of 24 bytes, little-endian::

    u32  time in seconds
    u64  object
    u32  size in bytes
    i64  number of the next request for the object, or -1; not needed here

A file whose name ends in ``.zst`` is compressed, and any other that begins like one.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scrubjay.lab.chunks import CHUNK_REQUESTS, join_chunks
from scrubjay.lab.model import BadLines, ReadOptions, Trace
from scrubjay.lab.zstd import MAGIC_BYTES, open_zstd, starts_as_zstd

_RECORD = struct.Struct("<IQIq")


class OracleGeneral:
    """Reader of oracleGeneral."""

    name = "oracleGeneral"
    suffixes = (
        ".oraclegeneral",
        ".oraclegeneral.bin",
        ".oraclegeneral.zst",
        ".oraclegeneral.bin.zst",
    )

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """The ending is telling enough; see `TraceFormat.recognises`."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        return join_chunks(path.name, self.chunks(path, options))

    def chunks(self, path: Path, options: ReadOptions) -> Iterator[Trace]:
        """Read one file in chunks; see `ChunkedFormat.chunks`."""
        done = 0
        with _open(path) as stream:
            while True:
                wanted = CHUNK_REQUESTS
                if options.limit is not None:
                    wanted = min(wanted, options.limit - done)
                block = _read_fully(stream, wanted * _RECORD.size)
                whole, rest = divmod(len(block), _RECORD.size)
                bad = BadLines()
                if rest:
                    problem = f"{rest} of {_RECORD.size} bytes"
                    bad = bad.plus(done + whole + 1, problem, unit="record")
                yield _decode(path.name, block[: len(block) - rest], bad)
                done += whole
                if whole < wanted or done == options.limit:
                    return


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    # Opened once, and looked at without reading on: a pipe cannot be read twice.
    with path.open("rb") as file:
        if path.name.lower().endswith(".zst") or starts_as_zstd(file.peek(MAGIC_BYTES)):
            with open_zstd(path, file) as stream:
                yield stream
        else:
            yield file


def _read_fully(stream: BinaryIO, count: int) -> bytes:
    parts: list[bytes] = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _decode(name: str, block: bytes, bad: BadLines) -> Trace:
    keys, sizes, seconds = array("Q"), array("Q"), array("d")
    if block:
        times, objects, lengths, _ = zip(*_RECORD.iter_unpack(block), strict=True)
        keys.extend(objects)
        sizes.extend(lengths)
        seconds.extend(times)
    return Trace(name, keys, sizes=sizes, seconds=seconds, bad_lines=bad)


FORMAT = OracleGeneral()
