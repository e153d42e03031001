"""What changes while entries are restored: so much of what was saved is of the past.

Entries come back one by one, for as long as the rate asks for. What was changed, invalidated or
loaded meanwhile is noted by name; an entry that it concerns stays out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from scrubjay._flow.labels import Names

_MOST = 100_000  # names that are noted; beyond, nothing more is restored


class Fence:
    """Keeps an entry out that is overtaken between the look and the store."""

    void = False


class Overtaken:
    """The names of what has changed. Shared by threads.

    Args:
        names: makes names of keys and tags.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._changed: set[bytes] = set()
        self._fence = Fence()
        #: whether all has changed, or too much to be noted
        self.everything = False

    def note_key(self, key: Any) -> None:
        """Note that a key has changed. One that has no bytes was not saved, either."""
        with suppress(Exception):
            self._note(self._names.of_key(key))

    def note_tags(self, tags: Iterable[str]) -> None:
        """Note that what carries one of the tags is void."""
        for tag in tags:
            self._note(self._names.of_tag(tag))

    def note_all(self) -> None:
        """Note that everything is void."""
        self.everything = True
        self._fence.void = True

    def _note(self, name: bytes) -> None:
        self._changed.add(name)  # first: who has looked before this line has a fence that is seen
        self._fence.void = True
        if len(self._changed) > _MOST:
            self.note_all()

    def fence(self) -> Fence:
        """Return a new fence, void from when anything changes. Look at `concerns` after that."""
        self._fence = fence = Fence()
        return fence

    def concerns(self, names: Iterable[bytes]) -> bool:
        """Tell whether one of the names has changed."""
        return self.everything or not self._changed.isdisjoint(names)
