"""The segments of the data: which is active, which are free, which is to be emptied next."""

from __future__ import annotations

from scrubjay.tiers._disk import layout
from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import HEAD, S_LIVE, S_SERIAL, S_USED, SEGMENT_WORDS, VICTIM

_ROOMY = 0.6  # part of the room up to which nothing alive is given up
_EMPTY = 0.3  # part of a segment below which it is emptied before older ones


class Segments:
    """The rows of the index that tell of segments, for use under the lock.

    Args:
        files: the open files.
    """

    def __init__(self, files: Files) -> None:
        self._words = files.words
        self._bytes = files.geometry.segment_bytes
        self._count = files.geometry.segments
        self._rows = layout.AT_SEGMENTS // 8

    def _row(self, segment: int) -> int:
        return self._rows + SEGMENT_WORDS * segment

    def _seal(self) -> None:
        active, tail = divmod(self._words[HEAD], 1 << 32)
        self._words[self._row(active) + S_USED] = tail

    def _activate(self, segment: int) -> None:
        words = self._words
        row = self._row(segment)
        words[layout.SERIAL] = serial = (words[layout.SERIAL] & 0xFFFFFFFF) + 1
        words[row + S_LIVE] = 0
        words[row + S_USED] = self._bytes
        words[row + S_SERIAL] = serial
        words[HEAD] = segment << 32

    def _free(self) -> list[int]:
        active = self._words[HEAD] >> 32
        return [
            number
            for number in range(self._count)
            if not self._words[self._row(number) + S_SERIAL] and number != active
        ]

    def _choose(self, *, oldest: bool = False) -> int | None:
        """Return the segment to be emptied next; None if there is none but the active one."""
        active = self._words[HEAD] >> 32
        sealed = [
            (self._words[row + S_LIVE], self._words[row + S_SERIAL], number)
            for number in range(self._count)
            if self._words[(row := self._row(number)) + S_SERIAL] and number != active
        ]
        if not sealed:
            return None
        live, _, emptiest = min(sealed)
        if not oldest and (not self._crowded() or live <= _EMPTY * self._bytes):
            return emptiest
        return min(sealed, key=lambda one: one[1])[2]

    def live(self) -> int:
        """Return the bytes of all records that the table knows; rather too many."""
        return sum(self._words[self._row(number) + S_LIVE] for number in range(self._count))

    def _crowded(self) -> bool:
        return self.live() > _ROOMY * self._count * self._bytes

    def _free_up(self, segment: int) -> None:
        words, row = self._words, self._row(segment)
        if words[VICTIM] == segment + 1:
            words[VICTIM] = 0  # first: a segment in use must not be one half emptied
        words[row + S_LIVE] = 0
        words[row + S_SERIAL] = 0
