"""A planner that guesses what it was told, and workers that work when they are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from scrubjay import Cache
from scrubjay.prefetch.constants import HIT
from scrubjay.prefetch.guess import Guess


class Script:
    """Stands in for `Planner`: after a key come those that it is told.

    Args:
        follows: keys that are guessed after a key was missed or first hit.
        room: entries that may wait.
    """

    def __init__(self, follows: dict[Any, list[Any]], room: int = 8) -> None:
        self.follows = follows
        self._room = room
        self.told: list[tuple[Any, ...]] = []
        self._guessed: list[Any] = []

    def accessed(self, key: Any, stream: int, moment: float, outcome: int) -> None:
        self.told.append(("accessed", key, outcome))
        if outcome != HIT:
            self._guessed += self.follows.get(key, ())

    def plan(self, most: int) -> list[Guess]:
        keys, self._guessed = self._guessed[:most], []
        return [Guess(key, 0.75, "script", 0) for key in keys]

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        self.told.append(("fetched", guess.key, stored))

    def failed(self, guess: Guess) -> None:
        self.told.append(("failed", guess.key))

    def dropped(self, key: Any) -> None:
        self.told.append(("dropped", key))

    def evicted(self, key: Any) -> None:
        self.told.append(("evicted", key))

    def room(self) -> int:
        return self._room

    def lifetime(self) -> float:
        return 1000.0

    def resize(self, capacity: int) -> None:
        self.told.append(("resize", capacity))

    def statistics(self) -> dict[str, Any]:
        return {}

    def explain(self, key: Any) -> str | None:
        return None


class Manual:
    """Stands in for `Workers`: jobs wait until `run`."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], object]] = deque()

    def submit(self, job: Callable[[], object]) -> None:
        self.jobs.append(job)

    def close(self) -> None:
        pass

    def step(self) -> None:
        self.jobs.popleft()()

    def run(self) -> None:
        while self.jobs:
            self.step()


def scripted(
    follows: dict[Any, list[Any]], room: int = 8, **options: Any
) -> tuple[Cache[Any, Any], Script, Manual]:
    """Return a cache that loads ahead what a script says, when its workers are told to."""
    cache: Cache[Any, Any] = Cache(**{"max_entries": 100, **options})
    script, workers = Script(follows, room), Manual()
    assert cache.prefetcher is not None
    engine: Any = cache.prefetcher._engine
    engine.planner, engine.workers = script, workers
    return cache, script, workers


def warmed(cache: Cache[Any, Any], keys: Any, workers: Manual, **terms: Any) -> None:
    """Let keys be loaded on demand once, and be gone again."""
    for key in keys:
        cache.get_or_load(key, **terms)
    workers.run()
    for key in keys:
        cache.invalidate(key)
