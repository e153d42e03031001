"""The place in a shared tier where nodes leave what they tell of their caches.

It is a fixed number of records of short life, so that it needs nothing that not every tier
can do, is bounded whatever happens, and is read in one call. A node takes a free one; two that
have taken the same notice it when they write again, and the later one moves.
"""

from __future__ import annotations

from typing import Any

from scrubjay.clock import Clock
from scrubjay.codecs import Loaded, Meta, Serializer
from scrubjay.tiers.protocol import TierRecord
from scrubjay.web.snapshots import MOST_BYTES

SLOTS = 128
LIFE = 15.0  # seconds after which what is not written again is gone
_ENVELOPE = 512  # bytes that protection may add


class Board:
    """The place of one namespace.

    Args:
        tier: that nodes share.
        prefix: what the names of the namespace begin with.
        serializer: of the values there: what is told is signed or encrypted as they are.
        clock: tells the wall time.
    """

    def __init__(self, tier: Any, prefix: bytes, serializer: Serializer, clock: Clock) -> None:
        self.tier_name: str = tier.name
        self._tier = tier
        self._serializer = serializer.for_bytes()
        self._clock = clock
        # No key is written like this: behind the prefix of one there is = or #.
        self._names = [b"%b!node:%d" % (prefix, slot) for slot in range(SLOTS)]

    def read(self) -> tuple[dict[int, bytes], int]:
        """Return what is there, by slot, and how many records could not be read.

        Raises:
            TierError: the tier cannot be asked.
        """
        found: dict[int, bytes] = {}
        unreadable = 0
        blobs = self._tier.get_many(self._names)
        for slot, (name, blob) in enumerate(zip(self._names, blobs, strict=True)):
            if blob is None:
                continue
            body = self._opened(name, blob)
            if body is None:
                unreadable += 1
            else:
                found[slot] = body
        return found, unreadable

    def taken(self) -> set[int]:
        """Return the slots in which there is something, be it legible or not."""
        blobs = self._tier.get_many(self._names)
        return {slot for slot, blob in enumerate(blobs) if blob is not None}

    def get(self, slot: int) -> bytes | None:
        """Return what is in a slot; an empty string for what cannot be read."""
        name = self._names[slot]
        (blob,) = self._tier.get_many([name])
        return None if blob is None else self._opened(name, blob) or b""

    def put(self, slot: int, body: bytes) -> None:
        """Leave something in a slot, for a short time."""
        now = self._clock.time()
        blob = self._serializer.dump(self._names[slot], body, Meta(now, now + LIFE))
        self._tier.put_many([TierRecord(self._names[slot], blob, now + LIFE)])

    def take_down(self, slot: int) -> None:
        """Empty a slot."""
        self._tier.delete_many([self._names[slot]])

    def _opened(self, name: bytes, blob: bytes) -> bytes | None:
        if len(blob) > MOST_BYTES + _ENVELOPE:
            return None
        loaded = self._serializer.load(name, blob)
        return loaded.value if isinstance(loaded, Loaded) else None
