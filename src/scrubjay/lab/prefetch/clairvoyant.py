"""A bound: guesses that are always right, among keys that followed before.

It may load a key only if that key has followed the present one within a few accesses of the
same stream before; of those it loads just the ones that will be asked for soon and are not
there, the soonest first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Hashable, Iterable, Sequence

from scrubjay.lab.prefetch.baseline import Baseline


class Clairvoyant(Baseline):
    """Knows when each key will be asked for again.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
        keys: the keys of all requests, in order.
        window: accesses within which a key counts as having followed.
    """

    def __init__(
        self, capacity: int, budget: float, keys: Sequence[Hashable], window: int = 8
    ) -> None:
        super().__init__(capacity, budget)
        self._times: dict[Hashable, list[int]] = {}
        for time, key in enumerate(keys):
            self._times.setdefault(key, []).append(time)
        self._window = window
        self._now = -1
        self._followers: dict[Hashable, dict[Hashable, None]] = {}
        self._recent: dict[int, deque[Hashable]] = {}

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Note what the key followed."""
        self._now += 1
        recent = self._recent.setdefault(stream, deque(maxlen=self._window))
        for before in recent:
            if before != key:
                self._followers.setdefault(before, {})[key] = None
        recent.append(key)

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Return what will be asked for before it would leave, the soonest likeliest."""
        found = []
        for follower in self._followers.get(key, ()):
            times = self._times[follower]
            place = bisect_right(times, self._now)
            if place < len(times):
                ahead = times[place] - self._now
                if ahead <= self._capacity:
                    found.append((1.0 / ahead, follower))
        return found
