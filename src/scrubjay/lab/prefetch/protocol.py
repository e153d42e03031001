"""What takes part in a replay with prefetch: `scrubjay.prefetch.planner.Planner` does."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

from scrubjay.prefetch.guess import Guess


class Prefetcher(Protocol):
    """Learns from accesses and tells what to load; see `Planner` for each method."""

    def accessed(self, key: Hashable, stream: int, moment: float, outcome: int) -> None:
        """Learn from an access."""

    def plan(self, most: int) -> Sequence[Guess]:
        """Return keys to load now, the best first."""

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        """Note that a key has been loaded."""

    def dropped(self, key: Hashable) -> None:
        """Note that an entry has left unused."""

    def evicted(self, key: Hashable) -> None:
        """Note that an entry that had been asked for has left."""

    def room(self) -> int:
        """Return how many entries may wait to be used."""

    def lifetime(self) -> float:
        """Return how many accesses an entry may wait."""
