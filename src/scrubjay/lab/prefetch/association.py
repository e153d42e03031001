"""What is asked for within a few accesses of a key, whatever comes between.

J. Griffioen and R. Appleton, "Reducing File System Latency using a Predictive Approach"
(USENIX Summer 1994): a graph of keys whose edges count how often one came soon after another.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable

from scrubjay.lab.prefetch.baseline import Baseline


class Association(Baseline):
    """Counts of what came within a window, within a stream.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
        window: accesses that count as soon.
        threshold: the least chance that a guess must have.
    """

    def __init__(self, capacity: int, budget: float, window: int, threshold: float) -> None:
        super().__init__(capacity, budget)
        self._window = window
        self._threshold = threshold
        self._asked: Counter[Hashable] = Counter()
        self._followers: dict[Hashable, Counter[Hashable]] = {}
        self._recent: dict[int, deque[Hashable]] = {}

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Count the access with each of those shortly before it."""
        recent = self._recent.setdefault(stream, deque(maxlen=self._window))
        for before in set(recent):
            if before != key:
                self._followers.setdefault(before, Counter())[key] += 1
        self._asked[key] += 1
        recent.append(key)

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Guess what often came soon after the key."""
        asked = self._asked[key]
        return [
            (min(count / asked, 1.0), follower)
            for follower, count in self._followers.get(key, Counter()).items()
            if count >= self._threshold * asked
        ]
