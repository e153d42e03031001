"""What reading a blob yields: a value with its conditions, or the reason for a miss."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[Any, int] = MappingProxyType({})


class Meta(NamedTuple):
    """The conditions under which a value is stored in a lower tier.

    Attributes:
        created: when the value was made, in seconds since the epoch.
        expires: when its time is up, in seconds since the epoch; None for never.
        idle_seconds: how long it lives without being read, None for ever.
        version: the number of the write that stored it, from 0 to 2 ** 64 - 1.
        priority: how much it matters.
        cost: what loading it costs, 0.0 if unknown.
        tags: each with the count of invalidations it had when the value was made.
        dependencies: encoded keys that it was made from, each with such a count.
    """

    created: float
    expires: float | None = None
    idle_seconds: float | None = None
    version: int = 0
    priority: float = 1.0
    cost: float = 0.0
    tags: Mapping[str, int] = NOTHING
    dependencies: Mapping[bytes, int] = NOTHING


class Reason(Enum):
    """Why a blob cannot be read. The values suit the labels of metrics."""

    DAMAGED = "damaged"  # cut short, altered, or of another key: the checksum is wrong
    FORGED = "forged"  # the same, where it was to be signed or encrypted
    PROTECTION = "protection"  # protected otherwise than this serializer is told to ask for
    KEY_ID = "key_id"  # protected by a secret that this serializer does not have
    ENVELOPE = "envelope"  # an envelope of another version, or none
    CODEC = "codec"  # written by another codec
    SCHEMA = "schema"  # written under another schema number
    SIZE = "size"  # larger than this serializer reads
    COMPRESSION = "compression"  # not decompressible here
    VALUE = "value"  # the codec cannot make a value of the declared type from it


class Loaded(NamedTuple):
    """A value that was read.

    Attributes:
        value: equal to what was stored.
        meta: as stored. Whether it has expired or was overtaken is the reader's to decide.
    """

    value: Any
    meta: Meta


class Undecodable(NamedTuple):
    """A blob that is to be treated as a miss.

    Attributes:
        reason: the kind of trouble.
        detail: more of it, for logs. May quote the blob, so keep it from the public.
    """

    reason: Reason
    detail: str
