"""Reading without a lock: the hot path of the disk tier. Compiled, where there is a compiler."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence

from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import BYTE_ORDER, RECORD

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

# The compiled form takes these from lookup.pxd; see layout.py for what they are.
WAYS = 16
HASHES = 8 * WAYS
COUNTS = 2 * HASHES
STRIDE = COUNTS + WAYS
RECORD_BYTES = 32
RETIRED = 17
LARGE = 32 * 1024  # bytes from which on a value is read by itself, and not copied
MOST_READS = 255
NEVER = float("inf")

_unpack = RECORD.unpack_from
_crc32 = zlib.crc32
_pread = os.pread
_number = int.from_bytes


class Lookup:
    """Finds and reads records, while others write.

    Args:
        files: the open files.
        now: returns the wall time.
    """

    def __init__(self, files: Files, now: Callable[[], float]) -> None:
        self.files = files  # keeps the descriptor open
        self.words = files.words
        self.octets = files.octets
        self.find = files.map.find
        self.hasher = files.hasher.copy
        self.data = files.data
        self.buckets = files.buckets
        self.at_table = files.at_table
        self.now = now

    def read_many(
        self, keys: Sequence[bytes], again: Callable[[bytes], bytes | None]
    ) -> list[bytes | None] | None:
        """Return the values of keys, None for a miss; None if the files were retired.

        Args:
            keys: the keys.
            again: called with a key whose record is not what it is to be: overwritten
                meanwhile, of another key, expired or damaged. Returns its value.
        """
        if self.words[RETIRED]:
            return None
        values: list[bytes | None] = []
        for key in keys:
            hashing = self.hasher()
            hashing.update(key)
            digest = hashing.digest()
            number = _number(digest, BYTE_ORDER)
            bucket = self.at_table + number % self.buckets * STRIDE
            slot = -1
            if cython.compiled:
                first = bucket >> 3
                for at in range(first, first + WAYS):
                    if self.words[at] == number:
                        slot = at + WAYS
                        break
            else:
                at = self.find(digest, bucket, bucket + HASHES)
                while at >= 0 and at & 7:  # the halves of two neighbours
                    at = self.find(digest, at + 1, bucket + HASHES)
                if at >= 0:
                    slot = (at >> 3) + WAYS
            word = self.words[slot] if slot >= 0 else 0
            if not word:
                values.append(None)
                continue
            length = (word >> 16 & 0x3FFFF) << 6
            offset = word >> 34 << 6
            after_key = RECORD_BYTES + len(key)
            record = _pread(self.data, length if length <= LARGE else after_key, offset)
            if len(record) >= after_key:
                checksum, _, check, key_bytes, value_bytes, value_checksum, _, expires_at = _unpack(
                    record
                )
                if length <= LARGE:
                    value = record[after_key : after_key + value_bytes]
                else:
                    value = _pread(self.data, min(value_bytes, length), offset + after_key)
                head = record[4:after_key]
                if (
                    check == word & 0xFFFF
                    and key_bytes == len(key)
                    and head.endswith(key)
                    and _crc32(head) == checksum
                    and _crc32(value) == value_checksum
                    and (expires_at == NEVER or expires_at > self.now())
                ):
                    count = bucket + COUNTS + slot - WAYS - (bucket >> 3)
                    reads = self.octets[count]
                    if reads < MOST_READS:
                        self.octets[count] = reads + 1
                    values.append(value)
                    continue
            values.append(again(key))
        return values
