"""The generations of names, as far as one node knows them.

Each is kept with the watch over it: who goes by one looks whether that is live.
"""

from __future__ import annotations

from scrubjay._core.evidence import Bond, Evidence, Generation
from scrubjay.consistency.steps import Copy, Fetch, Step
from scrubjay.consistency.tokens import KEY, NAME, place_of
from scrubjay.versions import Count, Fetched

__all__ = ["Generations"]

_MOST = 100_000  # names


class Generations:
    """What a node has been told of the generations of names, and vouches for by them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Generation] = {}

    def generations(self, names: tuple[bytes, ...]) -> Step[list[Count]]:
        """Return the generations that something made from now on depends on.

        To be asked before it is made: asked later, a change in between would go unnoticed.
        """
        if not names:
            return []
        fetched: Fetched = yield Fetch((), names)
        self.learn(names, fetched.counts)
        return fetched.counts

    def count(self, name: bytes) -> Count | None:
        """Return the generation of a name as far as it is known."""
        generation = self._known.get(name)
        if generation is None:
            return None
        watch, value = generation.watch, generation.value
        if watch is None or generation.watch is not watch:  # another thread has just learnt more
            return None
        return Count(value, watch, watch.feed)

    def learn(self, names: tuple[bytes, ...], counts: list[Count]) -> None:
        """Remember generations for as long as they are watched."""
        for name, count in zip(names, counts, strict=True):
            generation = self._known.get(name)
            if generation is None:
                if count.watch is None:
                    continue
                generation = self._known.setdefault(name, Generation())
                if len(self._known) > _MOST:
                    forgotten = self._known.pop(next(iter(self._known)), None)
                    if forgotten is not None:  # copies may hold it still
                        forgotten.learn(0, None)
            generation.learn(count.value, count.watch)

    def evidence(self, key: bytes, copy: Copy) -> Evidence | None:
        """Return why a copy may be shown, for hits that ask nobody; None if nobody watches it.

        Args:
            key: the key, as the shared tier has it.
            copy: what is known of the copy.
        """
        if copy.watch is None or copy.watch.feed is None:
            return None
        bonds = []
        for name, value in copy.labels.items():
            generation = self._known.get(name)
            if generation is None:
                return None
            bonds.append(Bond(generation, value, place_of(NAME, name)))
        return Evidence(copy.version, place_of(KEY, key), copy.watch, bonds)
