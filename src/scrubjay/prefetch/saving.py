"""What was learned, as bytes: a header, the keys, and the tables they are the rows of.

Layout: ``SJPF``, a version, a digest of all that follows; then, compressed, a header in JSON
with its length, and the tables one after the other. No code is ever read from it. Keys that
are not made of strings, bytes, numbers, None and tuples are left out: what followed them, and
what they followed, is forgotten.
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
_MOST = 1 << 32  # bytes that it may unpack to


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


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the header and the tables.

    Args:
        data: what `pack` returned.

    Raises:
        InvalidArgumentError: it is something else, damaged, or of another version or machine.
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
    try:
        machine = zlib.decompressobj()
        body = machine.decompress(packed, _MOST)
        length = int.from_bytes(body[:8], "little")
        header = json.loads(body[8 : 8 + length])
        at = 8 + length
        tables = {}
        for name, size in header["tables"]:
            tables[name] = body[at : at + size]
            at += size
        byteorder = header["byteorder"]
    except (zlib.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidArgumentError("data: the saved model is damaged") from error
    if byteorder != sys.byteorder or at != len(body):
        raise InvalidArgumentError("data: the model was saved on another kind of machine")
    return header, tables


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
