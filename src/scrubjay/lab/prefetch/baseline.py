"""What every baseline shares: a budget, room for what waits, and no judgement of itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from math import inf

from scrubjay.prefetch.constants import HIT, SMALLEST
from scrubjay.prefetch.guess import Guess

_FIRST_TOKENS = 16.0


class Baseline:
    """A prefetcher that guesses after each access and loads what its budget allows.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
    """

    def __init__(self, capacity: int, budget: float) -> None:
        self._capacity = capacity
        self._budget = budget
        self._tokens = _FIRST_TOKENS
        self._most_tokens = 64.0 + capacity / 32.0
        self._candidates: list[tuple[float, Hashable]] = []

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Learn from an access."""
        raise NotImplementedError

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Return what may come after the access learned last, each with its confidence."""
        raise NotImplementedError

    def accessed(self, key: Hashable, stream: int, moment: float, outcome: int) -> None:
        """Learn from an access, and guess what comes next."""
        if outcome != HIT:
            self._tokens = min(self._tokens + self._budget, self._most_tokens)
        self.learn(key, stream, moment)
        self._candidates = []
        if self._capacity >= SMALLEST and self._tokens >= 1.0:
            self._candidates = sorted(self.propose(key, stream), key=_confidence)

    def plan(self, most: int) -> list[Guess]:
        """Return keys to load now, the likeliest first."""
        planned: list[Guess] = []
        while self._candidates and len(planned) < most and self._tokens >= 1.0:
            confidence, key = self._candidates.pop()
            planned.append(Guess(key, confidence, type(self).__name__, 0))
            self._tokens -= 1.0
        return planned

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        """Take the price back for what was there already."""
        if not stored:
            self._tokens += 1.0

    def dropped(self, key: Hashable) -> None:
        """Take no notice."""

    def evicted(self, key: Hashable) -> None:
        """Take no notice."""

    def room(self) -> int:
        """Return a quarter of the capacity."""
        return self._capacity // 4

    def lifetime(self) -> float:
        """Return that an entry may wait until it is displaced."""
        return inf


def _confidence(candidate: tuple[float, Hashable]) -> float:
    return candidate[0]
