"""A common scheme with fixed weights: followers, co-occurrence and the next hour, summed."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable

from scrubjay.lab.prefetch.baseline import Baseline

_RECENT_FOLLOWERS = 100
_HOUR = 3600
_DAY = 24


class WeightedSum(Baseline):
    """Followers count 0.7, neighbours 0.5 and the keys of the next hour 0.3.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
        threshold: the least sum that a guess must have.
        horizon: guesses at most after an access.
    """

    def __init__(
        self, capacity: int, budget: float, threshold: float = 0.3, horizon: int = 10
    ) -> None:
        super().__init__(capacity, budget)
        self._threshold = threshold
        self._horizon = horizon
        self._followers: dict[Hashable, deque[Hashable]] = {}
        self._together: dict[Hashable, Counter[Hashable]] = {}
        self._hours: dict[int, set[Hashable]] = defaultdict(set)
        self._last: dict[int, Hashable] = {}
        self._hour = 0
        self._timed = False

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Count the access after the one before it in its stream, and in its hour."""
        self._timed = self._timed or moment > 0.0
        self._hour = int(moment // _HOUR) % _DAY
        if self._timed:
            self._hours[self._hour].add(key)
        before = self._last.get(stream)
        self._last[stream] = key
        if before is not None:
            followers = self._followers.setdefault(before, deque(maxlen=_RECENT_FOLLOWERS))
            followers.append(key)
            self._together.setdefault(before, Counter())[key] += 1

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Guess the keys with the highest sums."""
        scores: dict[Hashable, float] = defaultdict(float)
        followers = self._followers.get(key, ())
        for follower in followers:
            scores[follower] += 0.7 / len(followers)
        together = self._together.get(key, Counter())
        total = together.total()
        for neighbour, count in together.items():
            scores[neighbour] += 0.5 * count / total
        for expected in self._hours.get((self._hour + 1) % _DAY, ()):
            scores[expected] += 0.3
        best = sorted(((score, one) for one, score in scores.items()), key=_score)
        return [pair for pair in best[-self._horizon :] if pair[0] >= self._threshold]


def _score(pair: tuple[float, Hashable]) -> float:
    return pair[0]
