"""What to fetch ahead, within a budget, and an account of what came of it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Any

from scrubjay.prefetch.constants import FIRST_HIT, HIT, JOINED
from scrubjay.prefetch.guess import Guess

SMALLEST = 64  # entries: a smaller cache has none to spare


class Planner:
    """Learns from accesses which keys follow, and tells which are worth fetching.

    Not safe for several threads at once: its owner calls it under one lock.

    Args:
        capacity: Entries that the cache holds.
        cost_ratio: Loads allowed for each load there would be without prefetch.
        most_keys: Keys of which something is remembered, at most.
        seed: Of what is left to chance.
    """

    def __init__(
        self, capacity: int, *, cost_ratio: float = 1.3, most_keys: int = 1 << 18, seed: int = 0
    ) -> None:
        self._capacity = capacity
        self._cost_ratio = cost_ratio
        self._most_keys = most_keys
        self._last: dict[int, Hashable] = {}
        self._next: OrderedDict[Hashable, tuple[Hashable, int]] = OrderedDict()
        self._found: deque[Guess] = deque(maxlen=64)
        self._unused: set[Hashable] = set()
        self._tokens = 0.0
        self._counts = dict.fromkeys(("issued", "used", "late", "wasted", "accesses", "misses"), 0)

    def accessed(self, key: Hashable, stream: int, moment: float, outcome: int) -> None:
        """Learn from an access.

        Args:
            key: What was asked.
            stream: A number for the session, user or thread that asked; 0 if unknown.
            moment: When, in seconds of the wall clock.
            outcome: One of `scrubjay.prefetch.constants`.
        """
        self._counts["accesses"] += 1
        if outcome != HIT:
            # A first hit would have been a miss, too.
            self._tokens = min(self._tokens + self._cost_ratio - 1.0, 64.0)
            self._counts["misses"] += 1
        if outcome in {FIRST_HIT, JOINED}:
            self._counts["used" if outcome == FIRST_HIT else "late"] += 1
        self._unused.discard(key)
        before = self._last.get(stream)
        if before is not None and before != key:
            old, count = self._next.pop(before, (key, 0))
            count = min(count + 1, 3) if old == key else count - 1
            self._next[before] = (key, 1) if count < 0 else (old, count)
            if len(self._next) > self._most_keys:
                self._next.popitem(last=False)
        self._last[stream] = key
        if len(self._last) > 1024:
            self._last.pop(next(iter(self._last)))
        if self._capacity >= SMALLEST:
            after, count = self._next.get(key, (None, 0))
            if count and after not in self._unused:
                self._found.append(Guess(after, min(0.25 * count, 1.0), "sequence", count))

    def plan(self, most: int) -> list[Guess]:
        """Return keys that are worth fetching now, the best first.

        The budget is charged for them. The cache may hold some of them already, which
        costs nothing: for those, call `fetched` with `stored` false.

        Args:
            most: How many keys at most.
        """
        planned: list[Guess] = []
        while self._found and len(planned) < most and self._tokens >= 1.0:
            guess = self._found.pop()
            if guess.key not in self._unused:
                self._unused.add(guess.key)
                planned.append(guess)
                self._tokens -= 1.0
                self._counts["issued"] += 1
        self._found.clear()
        return planned

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        """Note that a planned key has been loaded.

        Args:
            guess: As `plan` returned it.
            seconds: How long the load took.
            stored: Whether it is an entry now; else it was there already, or overtaken.
        """
        if not stored:
            self._unused.discard(guess.key)

    def failed(self, guess: Guess) -> None:
        """Note that a planned key could not be loaded.

        Args:
            guess: As `plan` returned it.
        """
        self._unused.discard(guess.key)

    def dropped(self, key: Hashable) -> None:
        """Note that an entry that was fetched ahead has left without having been used.

        Args:
            key: Its key.
        """
        self._unused.discard(key)
        self._counts["wasted"] += 1

    def evicted(self, key: Hashable) -> None:
        """Note that an entry that had been asked for was given up to make room.

        Without this the planner cannot know of the misses that prefetch causes.

        Args:
            key: Its key.
        """

    def room(self) -> int:
        """Return how many entries not used yet the cache may hold now."""
        return self._capacity // 10 if self._capacity >= SMALLEST else 0

    def lifetime(self) -> float:
        """Return how long an entry not used yet may stay, in accesses."""
        return float(4 * self._capacity)

    def resize(self, capacity: int) -> None:
        """Go on with another capacity.

        Args:
            capacity: Entries that the cache holds.
        """
        self._capacity = capacity

    def statistics(self) -> dict[str, Any]:
        """Return what has been planned and what came of it."""
        return dict(self._counts)

    def explain(self, key: Hashable) -> str | None:
        """Tell why a key was planned; None if it was not, or that is forgotten.

        Args:
            key: The key.
        """
        return None

    def save(self) -> bytes:
        """Return all that has been learned."""
        return b""

    def load(self, data: bytes) -> None:
        """Go on from what was learned before, in place of what has been learned so far.

        Args:
            data: What `save` returned.
        """
