"""Reading a record with nothing taken for granted."""

from __future__ import annotations

import os
import zlib
from typing import NamedTuple

from scrubjay.tiers._disk import layout
from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import CHECK_MASK, RECORD, RECORD_BYTES


class Read(NamedTuple):
    """What a record says, when both checksums are right."""

    key: bytes
    value: bytes
    cost: float
    expires_at: float


def read(files: Files, word: int) -> Read | None:
    """Return the record that a word of the table points to; None if it is damaged."""
    record = os.pread(
        files.data,
        (word >> 16 & layout.LENGTH_MASK) << layout.UNIT_BITS,
        (word >> 34) << layout.UNIT_BITS,
    )
    if len(record) < RECORD_BYTES:
        return None
    checksum, _, check, key_length, value_length, value_checksum, cost, expires_at = (
        RECORD.unpack_from(record)
    )
    after_key = RECORD_BYTES + key_length
    value = record[after_key : after_key + value_length]
    if (
        check != word & CHECK_MASK
        or zlib.crc32(record[4:after_key]) != checksum
        or len(value) != value_length
        or zlib.crc32(value) != value_checksum
    ):
        return None
    return Read(record[RECORD_BYTES:after_key], value, cost, expires_at)
