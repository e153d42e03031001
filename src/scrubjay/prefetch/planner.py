"""What to fetch ahead, within a budget, and an account of what came of it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.prefetch.guess import Guess
from scrubjay.prefetch.model import Model
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.registry import make_predictors

MOST_KEYS = 1 << 18
UNBOUNDED = 1e9


class Planner(Model):
    """Learns from accesses which keys follow, and tells which are worth fetching.

    Not safe for several threads at once: its owner calls it under one lock.

    Args:
        capacity: Entries that the cache holds.
        cost_ratio: Loads allowed for each load there would be without prefetch.
        most_keys: Keys of which something is remembered, at most.
        seed: Of what is left to chance.
        budget: Keys fetched ahead at most for each miss there would be without prefetch;
            None for no such bound.
        predictors: Who guesses, by name; by default all that are registered.
    """

    def __init__(
        self,
        capacity: int,
        *,
        cost_ratio: float = 1.3,
        most_keys: int = MOST_KEYS,
        seed: int = 0,
        budget: float | None = None,
        predictors: dict[str, Predictor] | None = None,
    ) -> None:
        chosen = make_predictors() if predictors is None else predictors
        Model.__init__(
            self,
            capacity,
            cost_ratio,
            most_keys,
            UNBOUNDED if budget is None else budget,
            list(chosen.values()),
        )
        self.sources: list[tuple[str, int]] = [
            (name, band) for name, one in chosen.items() for band in range(one.bands)
        ]

    def plan(self, most: int) -> list[Guess]:
        """Return keys that are worth fetching now, the best first.

        The budget is charged for them. The cache may hold some of them already, which
        costs nothing: for those, call `fetched` with `stored` false.

        Args:
            most: How many keys at most.
        """
        planned: list[Guess] = []
        while len(planned) < most:
            guess = self.next_guess()
            if guess is None:
                break
            planned.append(guess)
        return planned

    def next_guess(self) -> Guess | None:
        """Return the key most worth fetching now, or None."""
        slot = self.choose()
        if slot == NONE:
            return None
        kind = self.kind[slot]
        source, band = self.sources[kind]
        return Guess(self.keys.objects[slot], self.calibration.worth[kind], source, band)

    def predict(self, key: Hashable, stream: int, most: int) -> list[Guess]:
        """Return what will probably be asked for after a key; nothing is charged or learned.

        Args:
            key: What was asked for last.
            stream: A number for who asked; 0 if unknown.
            most: How many keys at most.
        """
        slot = self.keys.find(self.keys.spread(key))
        if slot == NONE:
            return []
        scene = self.scene
        scene.slot = slot
        scene.mark = self.keys.mark(slot)
        scene.stream = stream
        scene.row = scene.streams.row(stream, self.keys.now)
        scene.count = 0
        for predictor in self.predictors:
            predictor.propose(scene)
        ranked: list[tuple[float, int, int, int]] = []
        for line in range(scene.count):
            kind = scene.classes[line]
            ranked.append((-self.calibration.worth[kind], line, scene.slots[line], kind))
        ranked.sort()  # of guesses worth the same, the first one made is the best
        best: dict[int, Guess] = {}
        for worth, _, slot, kind in ranked:
            if slot not in best and len(best) < most:
                source, band = self.sources[kind]
                best[slot] = Guess(self.keys.objects[slot], -worth, source, band)
        return list(best.values())

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        """Note that a planned key has been loaded.

        Args:
            guess: As `plan` returned it.
            seconds: How long the load took.
            stored: Whether it is an entry now; else it was there already, or overtaken.
        """
        self.landed(guess.key, stored, False)

    def failed(self, guess: Guess) -> None:
        """Note that a planned key could not be loaded.

        Args:
            guess: As `plan` returned it.
        """
        self.landed(guess.key, False, True)

    def room(self) -> int:
        """Return how many entries not used yet the cache may hold now.

        They share the capacity with all others: what they do not take up, others may.
        """
        return self.guard.room

    def lifetime(self) -> float:
        """Return how long an entry not used yet may stay, in accesses."""
        return self.patience

    def resize(self, capacity: int) -> None:
        """Go on with another capacity.

        Args:
            capacity: Entries that the cache holds.
        """
        self.capacity = capacity
        self.guard.resize(capacity)

    def statistics(self) -> dict[str, Any]:
        """Return what has been planned and what came of it."""
        return self.dump()

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
