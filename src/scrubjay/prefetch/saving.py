"""What was learned, as bytes: a header, the keys, and the tables they are the rows of.

Layout: ``SJPF``, a version, a digest of all that follows; then, compressed, a header in JSON
with its length, and the tables one after the other. No code is ever read from it. Keys that
are not made of strings, bytes, numbers, None and tuples are left out, and so are those for which
there is no room, as what can be read again is bounded: what followed them, and what they
followed, is forgotten.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Hashable
from hashlib import blake2b
from typing import Any

from scrubjay.errors import InvalidArgumentError

MAGIC = b"SJPF"
VERSION = 1
_DIGEST = 16

KEY_BYTES = 512  # of JSON that a key may take, on average
_MARKS = 16  # bytes of JSON around it
_TABLE_BYTES = 1280  # that a key may take in tables: ours take 600, and there may be spare rows
_BASE = 1 << 20  # bytes for all that does not grow with the keys


def pack(header: dict[str, Any], tables: dict[str, Any]) -> bytes:
    """Return a header and tables as bytes.

    Args:
        header: fit for JSON.
        tables: buffers by name.
    """
    shapes = [[name, memoryview(table).nbytes] for name, table in tables.items()]
    head = json.dumps({**header, "byteorder": sys.byteorder, "tables": shapes}).encode()
    body = len(head).to_bytes(8, "little") + head
    body += b"".join(memoryview(table).tobytes() for table in tables.values())
    packed = zlib.compress(body, 1)
    lead = MAGIC + bytes([VERSION])
    return lead + blake2b(packed, digest_size=_DIGEST).digest() + packed


def unpack(data: bytes, keys: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the header and the tables.

    Args:
        data: what `pack` returned.
        keys: for how many there is room: what would take more memory than they may is not
            unpacked.

    Raises:
        InvalidArgumentError: it is something else, damaged, too large, or of another version
            or machine.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidArgumentError("data: a saved model is bytes")
    data = bytes(data)
    start = len(MAGIC) + 1 + _DIGEST
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise InvalidArgumentError("data: this is no saved model")
    if data[len(MAGIC)] != VERSION:
        raise InvalidArgumentError(f"data: version {data[len(MAGIC)]} is not {VERSION}")
    packed = data[start:]
    if blake2b(packed, digest_size=_DIGEST).digest() != data[len(MAGIC) + 1 : start]:
        raise InvalidArgumentError("data: the saved model is damaged")
    most_head = _BASE + (KEY_BYTES + _MARKS) * keys
    most = most_head + _TABLE_BYTES * keys
    machine = zlib.decompressobj()
    try:
        body = machine.decompress(packed, most + 1)
    except zlib.error as error:
        raise InvalidArgumentError("data: the saved model is damaged") from error
    length = int.from_bytes(body[:8], "little")
    if length > most_head or len(body) > most:
        raise InvalidArgumentError(f"data: the saved model takes more room than {keys} keys may")
    try:
        header = json.loads(body[8 : 8 + length])
        tables, at = _cut(body, 8 + length, header["tables"])
        byteorder = header["byteorder"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidArgumentError("data: the saved model is damaged") from error
    if byteorder != sys.byteorder or at != len(body):
        raise InvalidArgumentError("data: the model was saved on another kind of machine")
    return header, tables


def _cut(body: bytes, at: int, shapes: Any) -> tuple[dict[str, bytes], int]:
    """Return the tables that begin at a place, and where the last one ends."""
    tables = {}
    for name, size in shapes:
        if not isinstance(name, str) or size < 0:
            raise ValueError("no table")
        tables[name] = body[at : at + size]
        at += size
    return tables, at


class Room:
    """What keys may take in a header: `KEY_BYTES`, and what others before them have spared.

    Args:
        spare: how many more keys there might be.
    """

    def __init__(self, spare: int) -> None:
        self._left = KEY_BYTES * spare

    def takes(self, written: Any) -> bool:
        """Tell whether there is room for what is to be written of the next key."""
        size = len(json.dumps(written))
        self._left += KEY_BYTES
        fits = size <= self._left
        if fits:
            self._left -= size
        return fits


def write_key(key: Hashable) -> Any:
    """Return a key as JSON has it; raises TypeError if it has no such form."""
    if key is None or type(key) in {bool, str, int}:
        return key
    if type(key) is float:
        return {"f": key.hex()}
    if type(key) is bytes:
        return {"b": key.hex()}
    if type(key) is tuple:
        return [write_key(part) for part in key]
    raise TypeError(type(key).__name__)


def read_key(written: Any) -> Hashable:
    """Return the key that was written so."""
    if isinstance(written, list):
        return tuple(read_key(part) for part in written)
    if isinstance(written, dict):
        if "f" in written:
            return float.fromhex(written["f"])
        return bytes.fromhex(written["b"])
    return written  # type: ignore[no-any-return]
