"""Open files, with what works on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scrubjay.tiers._disk.files import Files
from scrubjay.tiers._disk.layout import COUNTS, STRIDE, WAYS
from scrubjay.tiers._disk.log import Log
from scrubjay.tiers._disk.lookup import Lookup
from scrubjay.tiers._disk.table import Table
from scrubjay.tiers.events import TierEventKind


class Store:
    """The parts of a disk tier over one pair of files.

    Args:
        files: the open files.
        now: returns the wall time.
        tell: announces what happened; called under the lock.
    """

    def __init__(
        self,
        files: Files,
        now: Callable[[], float],
        tell: Callable[[TierEventKind, str], None],
    ) -> None:
        self.files = files
        self.words = files.words
        self.table = Table(files)
        self.log = Log(files, self.table, now, tell)
        self.read_many = Lookup(files, now).read_many

    def slots(self) -> Iterator[tuple[int, int, int]]:
        """Yield reads, word and number of the slots in use."""
        for number in range(self.files.buckets):
            bucket = self.files.at_table + number * STRIDE
            first = (bucket >> 3) + WAYS
            for place, word in enumerate(self.words[first : first + WAYS].tolist()):
                if word:
                    yield self.files.octets[bucket + COUNTS + place], word, first + place
