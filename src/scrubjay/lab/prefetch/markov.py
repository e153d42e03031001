"""What came next after the last access, the last two, or as many as were seen before.

Order 1 is D. Joseph and D. Grunwald, "Prefetching using Markov Predictors" (1997); several
orders at once, from the longest that is known down, as in J. Vitter and P. Krishnan,
"Optimal Prefetching via Data Compression" (1996).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable

from scrubjay.lab.prefetch.baseline import Baseline


class Markov(Baseline):
    """Counts of what came next, by the accesses before, within a stream.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
        orders: how many accesses back contexts reach, each taken where longer ones fail.
        threshold: the least share of a context's followers that a guess must have.
    """

    def __init__(
        self, capacity: int, budget: float, orders: tuple[int, ...], threshold: float
    ) -> None:
        super().__init__(capacity, budget)
        self._orders = sorted(orders, reverse=True)
        self._threshold = threshold
        self._followers: dict[tuple[Hashable, ...], Counter[Hashable]] = {}
        self._recent: dict[int, deque[Hashable]] = {}

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Count what came after each context that the stream is in."""
        recent = self._recent.setdefault(stream, deque(maxlen=self._orders[0]))
        past = tuple(recent)
        for order in self._orders:
            if len(past) >= order:
                self._followers.setdefault(past[-order:], Counter())[key] += 1
        recent.append(key)

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Guess the followers of the longest context that is known."""
        past = tuple(self._recent[stream])
        for order in self._orders:
            followers = self._followers.get(past[-order:]) if len(past) >= order else None
            if followers:
                total = followers.total()
                return [
                    (count / total, follower)
                    for follower, count in followers.items()
                    if count >= self._threshold * total
                ]
        return []
