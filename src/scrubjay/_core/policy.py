"""What a way of keeping entries must be able to do.

A policy sees slots and what the columns say of them, never keys or values: the replay of
a trace and the live cache run the very same code. It keeps no count of its own of who is
there; the store tells it of every insertion, hit and removal and asks it for a victim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrubjay._core.columns import Columns
from scrubjay._core.graph import Graph


class Policy:
    """Base of every eviction strategy; all operations amortised O(1) unless it says so.

    `social` policies are told which session asked for an entry, where that is known.
    `eager` policies are told of each hit; the others read the hit counters when they look
    for a victim, and cost a hit nothing.
    """

    def __init__(self) -> None:
        self.columns = Columns()
        self.hashes: Any = None
        self.eager = False
        self.social = False

    def attach(self, columns: Columns) -> int:
        """Take the columns of the store that this policy will serve."""
        self.columns = columns
        return 0

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots; `hashes` holds their spread hashes."""
        self.hashes = hashes
        return 0

    def heed(self) -> int:
        """Take note of columns that were not kept before."""
        return 0

    def bound(self, entries: int, size: int) -> None:
        """Take note of the bounds on entries and on their bytes."""

    def declines(self, h: int, size: int, priority: float, cost: float, lacking: int) -> bool:
        """Tell whether a newcomer is not to be stored: what it would displace is worth more.

        Args:
            h: the spread hash of its key.
            size: in bytes.
            priority: as of its terms.
            cost: as of its terms.
            lacking: bytes that would have to be freed.
        """
        return False

    def expect(self, h: int) -> None:
        """An entry whose key has the spread hash `h` will probably be inserted in a moment."""

    def insert(self, slot: int) -> None:
        """A new entry is there, its columns filled."""

    def restore(self, slot: int, uses: int) -> None:
        """An entry is there again from before, and all that were restored so far were hotter.

        Args:
            slot: the entry. Its hit counter will be raised by its uses.
            uses: how often it was read.
        """
        self.insert(slot)

    def hit(self, slot: int) -> None:
        """The entry was read; its hit counter has been raised."""

    def heed_sessions(self) -> int:
        """Make room for what sessions tell: they will be told from now on."""
        return 0

    def asked(self, slot: int, session: int) -> None:
        """A session, by its number of 30 bits, has just read or stored the entry."""

    def heed_tags(self) -> int:
        """Make room for what tags tell: they will be told from now on."""
        return 0

    def tagged(self, slot: int, tags: Iterable[str]) -> int:
        """An entry that has just been inserted or replaced carries these tags. Part of a step."""
        return 0

    def replaced(self, slot: int) -> None:
        """The entry has a new value, deadline, priority, size or cost."""
        self.hit(slot)

    def remove(self, slot: int) -> None:
        """The entry is about to go, for whatever reason."""

    def victim(self) -> int:
        """Return the entry to give up next, still in place, or -1 if there is none."""
        return -1

    def victim_but(self, keep: int) -> int:
        """Return the victim among all entries but `keep`, which is being replaced."""
        self.remove(keep)
        slot = self.victim()
        self.insert(keep)
        return slot

    def end_of_chain(self, slot: int, keep: int, graph: Graph) -> int:
        """Return what had better go than the victim, of what depends on it; or the victim.

        Args:
            slot: the victim.
            keep: an entry that must not go, or -1.
            graph: of the dependencies.
        """
        return slot

    def rank(self, found: Any) -> bool:
        """Append all slots to an array, what would go first first; part of a step.

        Returns:
            Whether this policy has such an order. It may be about right only.
        """
        return False

    def clear(self) -> None:
        """All entries are gone."""

    def settle(self) -> int:
        """Tell user code what has happened; called outside of any step."""
        return 0

    def prepare(self) -> int:
        """Let user code choose the next victim; called outside of any step."""
        return 0

    def reconsider(self) -> int:
        """Change at once what the traffic so far asks to be changed. Part of a step."""
        return 0

    def gather(self, go_on: bool) -> dict[str, Any] | None:
        """Return what was counted of caches of other sizes. Part of a step.

        Args:
            go_on: whether to gather, or go on to; else what was gathered is let go.

        Returns:
            None if this policy does not simulate.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """Return what the policy does at present, for people to read."""
        return {}
