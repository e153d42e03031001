"""The envelope, version 1: what stands around a value in a lower tier.

    offset  bytes
         0      2  magic, no beginning of any text
         2      1  version of the envelope
         3      1  flags: 1 compressed
         4      1  protection: 0 checksum, 1 HMAC-SHA256, 2 AES-256-GCM
         5      1  codec
         6      4  number of the secret that protects it, 0 for a checksum
        10      4  schema number
        14      4  length of the labels
        18      4  length of the body
        22     40  created, expires, idle seconds, priority, cost: IEEE 754 doubles;
                   infinity for never
        62      8  version of the value
        70         labels, body, and what the protection adds

Labels are tags, then dependencies: a count in two bytes, then for each a length in two
bytes, its bytes, and a counter in eight. No labels at all take no bytes. Numbers are
unsigned and big-endian.

The lengths must add up to the size of the blob, whatever reads it; nothing is allocated by
a length that was not compared with what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from struct import Struct, error

from scrubjay.codecs.results import NOTHING, Meta, Reason, Undecodable
from scrubjay.errors import InvalidArgumentError

MAGIC = b"\xf5j"
VERSION = 1
COMPRESSED = 1

_HEAD = Struct(">2sBBBBIIII")
_CONDITIONS = Struct(">dddddQ")
_WHOLE = Struct(">2sBBBBIIIIdddddQ")
_COUNT = Struct(">H")
_COUNTER = Struct(">Q")
HEAD_SIZE = _WHOLE.size
_LEAST_LABEL = _COUNT.size + _COUNTER.size


#: Magic, version, flags, protection, codec, number of the secret, schema, and two lengths.
#: A plain tuple, as each read makes one.
Head = tuple[bytes, int, int, int, int, int, int, int, int]


def write_head(
    flags: int,
    protection: int,
    codec: int,
    key_id: int,
    schema: int,
    meta: Meta,
    labels_length: int,
    body_length: int,
) -> bytes:
    """Return the fixed part.

    Raises:
        InvalidArgumentError: `meta` holds a number that does not fit.
    """
    created, expires, idle, version, priority, cost, _, _ = meta
    try:
        if not isfinite(created + priority + cost) or expires != expires or idle != idle:  # noqa: PLR0124 - nan
            raise InvalidArgumentError(f"meta: {meta!r} has a number that is not finite")
        return _WHOLE.pack(
            MAGIC,
            VERSION,
            flags,
            protection,
            codec,
            key_id,
            schema,
            labels_length,
            body_length,
            created,
            inf if expires is None else expires,
            inf if idle is None else idle,
            priority,
            cost,
            version,
        )
    except (error, TypeError, OverflowError) as cause:
        raise InvalidArgumentError(f"meta: {meta!r}: {cause}") from cause


def read_head(blob: bytes, protection: int, overhead: int, most: int) -> Head | Undecodable:
    """Read what the check needs, and hold the lengths against the size of the blob.

    Args:
        blob: the whole of it.
        protection: the one that it must have.
        overhead: bytes that this adds.
        most: bytes that a blob may have.
    """
    size = len(blob)
    if size > most:
        return Undecodable(Reason.SIZE, f"{size} bytes, and {most} are the most")
    if size < HEAD_SIZE:
        return Undecodable(Reason.DAMAGED, f"{size} bytes are no envelope")
    head: Head = _HEAD.unpack_from(blob)
    magic, version, _, found, _, _, _, labels_length, body_length = head
    if magic != MAGIC or version != VERSION:
        return Undecodable(Reason.ENVELOPE, "no envelope, or of another version")
    if found != protection:
        return Undecodable(Reason.PROTECTION, f"it has protection {found}, not {protection}")
    if HEAD_SIZE + labels_length + body_length + overhead != size:
        return Undecodable(Reason.DAMAGED, "its lengths do not add up to its size")
    return head


def read_meta(blob: bytes, labels: memoryview | None) -> Meta:
    """Return the conditions in an envelope whose protection was found intact.

    Args:
        blob: the whole of it.
        labels: the labels; None if there are none.

    Raises:
        ValueError: they make no sense.
        struct.error: the labels are cut short.
    """
    created, expires, idle, priority, cost, version = _CONDITIONS.unpack_from(blob, _HEAD.size)
    if not isfinite(created + priority + cost) or expires != expires or idle != idle:  # noqa: PLR0124 - nan
        raise ValueError("a number is not finite")
    tags: Mapping[str, int] = NOTHING
    dependencies: Mapping[bytes, int] = NOTHING
    if labels is not None:
        named, position = _read_labels(labels, 0)
        dependencies, position = _read_labels(labels, position)
        if position != len(labels):
            raise ValueError("bytes are left over behind the labels")
        tags = {name.decode(): counter for name, counter in named.items()}
    return Meta(
        created,
        None if expires == inf else expires,
        None if idle == inf else idle,
        version,
        priority,
        cost,
        tags,
        dependencies,
    )


def write_labels(meta: Meta) -> bytes:
    """Return tags and dependencies with their counters.

    Raises:
        InvalidArgumentError: there are too many, one is too long, or no string or bytes.
    """
    if not meta.tags and not meta.dependencies:
        return b""
    try:
        parts = [_COUNT.pack(len(meta.tags))]
        for tag, counter in meta.tags.items():
            name = tag.encode()
            parts += (_COUNT.pack(len(name)), name, _COUNTER.pack(counter))
        parts.append(_COUNT.pack(len(meta.dependencies)))
        for key, counter in meta.dependencies.items():
            parts += (_COUNT.pack(len(key)), key, _COUNTER.pack(counter))
        return b"".join(parts)
    except (error, TypeError, AttributeError, UnicodeEncodeError) as cause:
        raise InvalidArgumentError(f"meta: tags or dependencies: {cause}") from cause


def _read_labels(data: memoryview, position: int) -> tuple[dict[bytes, int], int]:
    """Return labels with their counters, and where they end."""
    (count,) = _COUNT.unpack_from(data, position)
    position += _COUNT.size
    if count * _LEAST_LABEL > len(data) - position:
        raise ValueError("more labels are announced than there is room for")
    found: dict[bytes, int] = {}
    for _ in range(count):
        (length,) = _COUNT.unpack_from(data, position)
        position += _COUNT.size
        label = bytes(data[position : position + length])
        position += length
        (found[label],) = _COUNTER.unpack_from(data, position)  # an error if it was cut short
        position += _COUNTER.size
    if len(found) != count:
        raise ValueError("a label occurs twice")
    return found, position
