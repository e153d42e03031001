"""Keys that a cache's own loaders have loaded on demand, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from scrubjay._core.terms import Terms
from scrubjay.errors import InvalidArgumentError
from scrubjay.prefetch import saving

MOST_KNOWN = 1 << 17  # keys remembered


class Known:
    """The last conditions of each key. Any thread may note one, without a lock."""

    def __init__(self) -> None:
        self._terms: dict[Any, Terms] = {}

    def note(self, key: Any, terms: Terms) -> None:
        """Remember a key; another is forgotten where there are too many."""
        known = self._terms
        if known.get(key) is not terms:
            known[key] = terms
            if len(known) > MOST_KNOWN:
                with suppress(KeyError, RuntimeError, StopIteration):  # another thread's doing
                    del known[next(iter(known))]

    def of(self, key: Any) -> Terms | None:
        """Return the conditions of a key, or None if it is not known."""
        return self._terms.get(key)

    def written(self) -> list[Any]:
        """Return what is known, fit for JSON.

        Keys that have no such form are left out, and those for which there is no room.
        """
        rows: list[Any] = []
        known = list(self._terms.items())
        room = saving.Room(MOST_KNOWN - len(known))
        for key, terms in known:
            with suppress(TypeError):
                needs = [saving.write_key(need) for need in terms.dependencies]
                row = [
                    saving.write_key(key),
                    terms.ttl,
                    terms.idle,
                    terms.priority,
                    terms.cost,
                    sorted(terms.tags),
                    needs,
                ]
                if room.takes(row):
                    rows.append(row)
        return rows

    @staticmethod
    def read(rows: Iterable[Any]) -> list[tuple[Any, Terms]]:
        """Return the keys and conditions of what `written` returned, to be noted.

        Raises:
            InvalidArgumentError: it is something else.
        """
        try:
            return list(
                {
                    saving.read_key(key): Terms(
                        float(ttl),
                        float(idle),
                        float(priority),
                        float(cost),
                        frozenset(map(str, tags)),
                        tuple(map(saving.read_key, needs)),
                    )
                    for key, ttl, idle, priority, cost, tags, needs in rows
                }.items()
            )
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidArgumentError("path: the saved model is damaged") from error
