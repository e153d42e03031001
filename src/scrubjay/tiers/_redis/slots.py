"""Slots of a cluster, and the buckets that a namespace has in them.

A record, its lease and the generation by which it is void or not must be in one slot: they
move together from one primary to another, and one script may touch them. A generation for
each of the 16,384 slots would make `clear` slow, one for each primary would have no slot of
its own. So a namespace has 1,024 buckets, each with a hash tag, in slots that are sixteen
apart. Whatever has a name is in the bucket that the checksum of the name tells.
"""

from __future__ import annotations

import binascii
import functools
import zlib
from typing import Final

SLOTS: Final = 16_384
BUCKETS: Final = 1024
_APART: Final = SLOTS // BUCKETS


def slot_of(name: bytes) -> int:
    """Return the slot of a server's key: CRC-16 (XMODEM) of it, or of its hash tag if it has one.

    Source: the Redis Cluster specification, "Key distribution model".
    """
    begin = name.find(b"{")
    if begin >= 0:
        end = name.find(b"}", begin + 1)
        if end > begin + 1:
            name = name[begin + 1 : end]
    return binascii.crc_hqx(name, 0) & (SLOTS - 1)


def bucket_of(name: bytes) -> int:
    """Return the bucket of a key or of a name that has generations."""
    return zlib.crc32(name) & (BUCKETS - 1)


def bucket_slot(namespace: str, bucket: int) -> int:
    """Return the slot of a bucket; namespaces are spread over different ones."""
    return bucket * _APART + zlib.crc32(namespace.encode()) % _APART


def tag_of(slot: int) -> bytes:
    """Return the smallest number whose digits are in a slot, to be put between braces."""
    return _tags()[slot]


@functools.cache
def _tags() -> list[bytes]:
    """Return such a number for each slot; takes 0.1 s, once in a process."""
    tags: list[bytes] = [b""] * SLOTS
    missing, number = SLOTS, 0
    while missing:
        tag = b"%d" % number
        slot = binascii.crc_hqx(tag, 0) & (SLOTS - 1)
        if not tags[slot]:
            tags[slot] = tag
            missing -= 1
        number += 1
    return tags
