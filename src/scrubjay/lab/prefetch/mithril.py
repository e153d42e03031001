"""Mithril: keys of middling popularity that are asked for at about the same times.

J. Yang et al., "Mithril: mining sporadic associations for cache prefetching" (SoCC 2017),
with the constants of its authors: the times of the first requests of a key are noted; when
a table of such keys is full, it is sorted, and keys whose times differ by at most
`LOOK_AHEAD`, time for time, are associated.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from scrubjay.lab.prefetch.baseline import Baseline

LOOK_AHEAD = 20  # requests that the times may differ by
LEAST = 2  # requests noted of a key, at least
MOST = 8  # and at most: more popular keys are left to the cache
ROWS = 1250  # keys in the table that is mined
WIDTH = 2  # keys associated with one


class Mithril(Baseline):
    """Associations mined from the times of requests.

    Args:
        capacity: size of the cache in entries.
        budget: keys loaded ahead at most for each miss there would be without prefetch.
    """

    def __init__(self, capacity: int, budget: float) -> None:
        super().__init__(capacity, budget)
        self._now = 0
        self._times: dict[Hashable, list[int]] = {}
        self._ready: dict[Hashable, list[int]] = {}
        self._associated: dict[Hashable, list[Hashable]] = {}

    def learn(self, key: Hashable, stream: int, moment: float) -> None:
        """Note the time of the request; mine when the table is full."""
        self._now += 1
        ready = self._ready.get(key)
        if ready is not None:
            ready.append(self._now)
            if len(ready) > MOST:
                del self._ready[key]
            return
        times = self._times.setdefault(key, [])
        times.append(self._now)
        if len(times) >= LEAST:
            self._ready[key] = self._times.pop(key)
            if len(self._ready) >= ROWS:
                self._mine()

    def propose(self, key: Hashable, stream: int) -> Iterable[tuple[float, Hashable]]:
        """Guess what is associated with the key."""
        return [(1.0, one) for one in self._associated.get(key, ())]

    def _mine(self) -> None:
        rows = sorted(self._ready.items(), key=_first_time)
        for line, (key, times) in enumerate(rows):
            for other, others in rows[line + 1 :]:
                if others[0] - times[0] > LOOK_AHEAD:
                    break
                if len(times) == len(others) and all(
                    abs(one - two) <= LOOK_AHEAD for one, two in zip(times, others, strict=True)
                ):
                    known = self._associated.setdefault(key, [])
                    if other not in known:
                        known.append(other)
                        del known[:-WIDTH]
        self._ready.clear()


def _first_time(row: tuple[Hashable, list[int]]) -> int:
    return row[1][0]
