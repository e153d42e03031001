"""The two files of a disk tier, byte by byte.

`data` is an array of segments. A record begins at a multiple of 64 bytes in a segment and
does not leave it: a header, the key, the value. Records are appended to the active segment
and never changed; a segment as a whole is emptied and used again.

`index` is mapped into every process. One page of header, the generations of tags, two
words for each segment, and the table: buckets of 16 slots, each with the hash of a key, a
word that says where its record is, and a count of reads. A slot with the word 0 is empty.
The table is what is true: a record to which no word points does not exist.

A word is 8 bytes, aligned, and written by one store, so that other processes, and those
who come after a kill, see it before or after, never between.
"""

from __future__ import annotations

import sys
import zlib
from struct import Struct
from typing import Literal, NamedTuple

BYTE_ORDER: Literal["little", "big"] = sys.byteorder  # files do not leave the machine
VERSION = 1
INDEX = f"v{VERSION}.index"
DATA = f"v{VERSION}.data"

UNIT = 64  # records begin at its multiples
UNIT_BITS = 6
PAGE = 4096
WAYS = 16  # slots in a bucket
HASHES = WAYS * 8  # bytes of them; the words follow, then the counts
COUNTS = 2 * HASHES
STRIDE = COUNTS + WAYS  # bytes of a bucket

# A word of the table: unit number (30 bits), length in units (18), check (16). The check
# is repeated in the record. A damaged word does not find a record, not even an old one.
LENGTH_MASK = (1 << 18) - 1
CHECK_MASK = 0xFFFF
LARGEST = LENGTH_MASK * UNIT
MOST_UNITS = 1 << 30

# Words of the header, by number.
EPOCH = 16  # the boot in which it was used last, and whether it was closed well
RETIRED = 17  # not 0: another file has taken its place
HEAD = 18  # active segment << 32 | bytes appended to it
SERIAL = 19  # that of the newest segment
PUTS = 20  # records ever appended
ENTRIES = 21  # records that the table knows, for people: a kill may leave it wrong by one
EVICTED = 22
CLEANING = 23  # not 0: free segments are few
DEBT = 24  # bytes stored since segments were emptied last, while it is not 0
VICTIM = 25  # the segment being emptied, plus one; 0 for none
CURSOR = 26  # how far that is
CARRIED = 27  # bytes of it that were kept so far

GENERATIONS = 1 << 16
AT_GENERATIONS = PAGE
AT_SEGMENTS = PAGE + 8 * GENERATIONS
SEGMENT_WORDS = 3  # serial (0: free), live bytes (never too few), bytes used
S_SERIAL, S_LIVE, S_USED = range(SEGMENT_WORDS)

# Checksum of the rest and of the key, serial of the segment, check, length of the key,
# length of the value, checksum of the value, cost, expiry (infinity for never).
RECORD = Struct("=IIHHIIfd")
RECORD_REST = Struct("=IHHIIfd")  # the same without the first
RECORD_BYTES = RECORD.size

_HEADER = Struct("=8sIIQQQ16s")
_CHECKSUM = Struct("=I")
_MAGIC = b"scrubjay"
_ORDER = {"little": 1, "big": 2}[BYTE_ORDER]


class Geometry(NamedTuple):
    """The measures of a pair of files, fixed when they are made.

    Args:
        segment_bytes: of one segment, a multiple of `UNIT`.
        segments: how many there are.
        buckets: of the table.
        salt: 16 random bytes under which keys are hashed.
    """

    segment_bytes: int
    segments: int
    buckets: int
    salt: bytes

    @property
    def at_table(self) -> int:
        """The offset of the table in the index."""
        end = AT_SEGMENTS + 8 * SEGMENT_WORDS * self.segments
        return -(-end // PAGE) * PAGE

    @property
    def index_bytes(self) -> int:
        """The length of the index."""
        return self.at_table + self.buckets * STRIDE

    def pack(self) -> bytes:
        """Return the beginning of an index."""
        packed = _HEADER.pack(
            _MAGIC, VERSION, _ORDER, self.segment_bytes, self.segments, self.buckets, self.salt
        )
        return packed + _CHECKSUM.pack(zlib.crc32(packed))

    @classmethod
    def unpack(cls, page: bytes) -> Geometry | None:
        """Read the beginning of an index; return None if it is damaged or another format."""
        if len(page) < _HEADER.size + _CHECKSUM.size:
            return None
        packed = page[: _HEADER.size]
        magic, version, order, *measures = _HEADER.unpack(packed)
        (checksum,) = _CHECKSUM.unpack_from(page, _HEADER.size)
        if (magic, version, order) != (_MAGIC, VERSION, _ORDER) or checksum != zlib.crc32(packed):
            return None
        return cls(*measures)


def plan(max_bytes: int, max_entries: int, salt: bytes) -> Geometry:
    """Return measures under which both files together take at most `max_bytes`."""
    # A sixth of the slots stays empty on average, so that few buckets overflow early.
    buckets = -(-max_entries * 6 // (5 * WAYS))
    for_data = max_bytes - Geometry(0, 0, buckets, salt).index_bytes
    segment = min(for_data // 16, LARGEST + UNIT) // UNIT * UNIT
    segments = for_data // segment if segment > 0 else 0
    return Geometry(segment, min(segments, MOST_UNITS * UNIT // max(1, segment)), buckets, salt)
