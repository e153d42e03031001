"""Tags: which entries carry a word.

Kept by slot number, so that no key is compared when an entry comes or goes. Only tagged
entries are in it. Every method is part of a step of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable

NO_TAGS: frozenset[str] = frozenset()


class Labels:
    """An index from tags to slots and back."""

    def __init__(self) -> None:
        self.tags: dict[int, frozenset[str]] = {}
        self.slots: dict[str, set[int]] = {}

    def attach(self, slot: int, tags: frozenset[str]) -> int:
        """Give the entry these tags; it has none."""
        self.tags[slot] = tags
        for tag in tags:
            self.slots.setdefault(tag, set()).add(slot)
        return 0

    def detach(self, slot: int) -> int:
        """Take all tags off the entry, if it has any."""
        for tag in self.tags.pop(slot, NO_TAGS):
            carriers = self.slots[tag]
            carriers.discard(slot)
            if not carriers:
                del self.slots[tag]
        return 0

    def carriers(self, tags: Iterable[str]) -> set[int]:
        """Return the slots that carry at least one of the tags."""
        found: set[int] = set()
        for tag in tags:
            if tag in self.slots:
                found.update(self.slots[tag])
        return found

    def of(self, slot: int) -> frozenset[str]:
        """Return the tags of an entry."""
        tags: frozenset[str] = self.tags.get(slot, NO_TAGS)
        return tags
