"""How long an entry that was fetched ahead may wait to be used.

Two things are counted by age, in powers of two: after how many accesses guesses came true,
even those that came true too late, and after how many the entries that were evicted were
asked for again. A longer wait lets more guesses come true, and keeps out for longer an entry
that may be asked for again. Of all waits the one is taken for which the first exceeds the
second by most.
"""

from __future__ import annotations

from array import array

AGES = 28
FIRST_AGE = 16.0
PATIENCE = 4.0  # times the usual age, while little is known
ENOUGH = 64.0  # guesses that came true, from which on more is known
MEMORY = 8192.0  # guesses after which the older ones count half
MARGIN = 1.02  # by which a longer wait must be better


class Horizon:
    """Counts by age."""

    def __init__(self) -> None:
        self.came = array("d", bytes(8 * AGES))
        self.guesses = 0.0
        self.returns = array("d", bytes(8 * AGES))
        self.evictions = 1.0
        self.true = 0.0
        self.usual_age = FIRST_AGE
        self.wait = FIRST_AGE * PATIENCE

    def rung(self, age: int) -> int:
        """Return the place of an age: its bits."""
        place = 0
        while age > 0 and place < AGES - 1:
            age >>= 1
            place += 1
        return place

    def begin(self) -> None:
        """Count a guess."""
        self.guesses += 1.0
        if self.guesses > MEMORY:
            self.guesses /= 2.0
            self.true /= 2.0
            for place in range(AGES):
                self.came[place] /= 2.0

    def come(self, age: int) -> None:
        """Count that a guess came true at an age."""
        self.came[self.rung(age)] += 1.0
        self.true += 1.0

    def evict(self) -> None:
        """Count an eviction."""
        self.evictions += 1.0
        if self.evictions > MEMORY:
            self.evictions /= 2.0
            for place in range(AGES):
                self.returns[place] /= 2.0

    def come_back(self, age: int) -> None:
        """Count that an evicted entry was asked for again after so many accesses."""
        self.returns[self.rung(age)] += 1.0

    def rival(self, wait: float) -> float:
        """Return how likely an evicted entry is asked for within a time."""
        likely = 0.0
        length = 1.0  # ages on a rung, the first of which is `length`
        for place in range(AGES):
            if wait >= 2.0 * length:
                likely += self.returns[place]
            else:
                if wait > length:
                    likely += self.returns[place] * (wait - length) / length
                break
            if place > 0:
                length *= 2.0
        return likely / self.evictions

    def choose(self, least: float, most: float) -> None:
        """Choose the wait anew, between two bounds."""
        if self.true < ENOUGH or self.guesses <= 0.0:
            self.wait = max(least, min(self.usual_age * PATIENCE, most))
            return
        best = 0.0
        self.wait = least
        came = 0.0
        stayed = 0.0  # accesses that a guess occupies its room, on average
        length = 1.0
        for place in range(AGES):
            came += self.came[place]
            left = 1.0 - came / self.guesses
            left = max(left, 0.0)
            stayed += length * (left + 0.5 * self.came[place] / self.guesses)
            wait = 2.0 * length if place > 0 else 1.0
            if wait > most:
                break
            if wait >= least:
                worth = came / self.guesses - self.rival(stayed)
                if worth > best * MARGIN:
                    best = worth
                    self.wait = wait
            if place > 0:
                length *= 2.0
