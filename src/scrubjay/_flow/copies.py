"""Which entries are copies of what a shared tier has, and what tells that they are not any more.

The tier tells of changes in whatever thread reads its connection, perhaps under a lock. So
there only the watches end; entries are removed in a thread of the background. Until then
EVENTUAL may show them; the other levels look at the watch.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable
from math import inf
from typing import Any, NamedTuple

from scrubjay._core.evidence import Evidence
from scrubjay._core.section import undisturbed
from scrubjay._core.store import Store
from scrubjay._flow.workers import Workers
from scrubjay.consistency import Copy
from scrubjay.versions import Changes, Feed, Watch

_log = logging.getLogger("scrubjay")
_MOST = 100_000  # copies that are remembered although memory has given them up

_workers = Workers(1)

# Entries of the parent of this process: their finalizers must not run in the midst of a fork.
_of_parent: list[Any] = []


class Holding(NamedTuple):
    """A copy.

    Attributes:
        key: the key, as the caller gave it.
        copy: what is known of it.
        watches: over the record and over all that it depends on.
        evidence: the same for hits that ask nobody; None if they may not show it.
        asked: the moment before the shared tier was asked for it; see `OwnChanges`.
    """

    key: Any
    copy: Copy
    watches: tuple[Watch, ...]
    evidence: Evidence | None = None
    asked: int = 0

    @property
    def live(self) -> bool:
        """Whether nothing of it has changed, as far as anybody was told."""
        return all(watch.live for watch in self.watches)


class Copies:
    """The copies of one cache, by the names of their keys.

    Args:
        store: the memory.
        lasting: whether copies are of use when memory has given them up: a local tier may
            still have them.
    """

    def __init__(self, store: Store, lasting: bool) -> None:
        self._store = weakref.ref(store)
        self._lasting = lasting
        self._held: dict[bytes, Holding] = {}
        self._labelled: dict[bytes, set[bytes]] = {}  # names of keys, by what they depend on
        self._feeds: set[Feed] = set()
        self._untold: list[Changes | None] = []
        self._called = False  # whether somebody is to remove what has changed

    def listen(self, tier: Any) -> None:
        """Have a tier tell of changes, for as long as this lives."""
        end = weakref.finalize(self, tier.on_invalidated(_Telling(self)))
        end.atexit = False

    def of(self, name: bytes) -> Holding | None:
        """Return the copy of a key, if it is one."""
        return self._held.get(name)

    def hold(self, name: bytes, holding: Holding) -> None:
        """Remember a copy that was just stored; remove it if it has changed meanwhile.

        Args:
            name: of the key.
            holding: the copy.
        """
        undisturbed(self._enter, (name, holding))
        store = self._store()
        if holding.evidence is not None and store is not None:
            store.vouch(holding.key, holding.evidence)
        if not holding.live:
            self._remove(name, holding)
        elif len(self._held) > _MOST:
            self._trim()

    def forget(self, name: bytes) -> None:
        """Remember a copy no more."""
        undisturbed(self._drop, name)

    def disown(self, name: bytes, holding: Holding) -> bool:
        """Remember a copy no more, unless there is another by now; return whether it was there."""
        return undisturbed(self._drop_this, (name, holding)) is not None

    def let_go(self, name: bytes, holding: Holding) -> None:
        """Remove a copy, unless there is another by now."""
        self._remove(name, holding)

    def forget_labelled(self, labels: Iterable[bytes]) -> None:
        """Remove the copies that depend on one of the names."""
        for name in undisturbed(self._names_of, labels):
            holding = self._held.get(name)
            if holding is not None:
                self._remove(name, holding)

    def given_up(self, name: bytes, key: Any) -> None:
        """Note that memory has given an entry up, and may have another of the key by now."""
        holding = self._held.get(name)  # before the look: what is stored later is held anew
        store = self._store()
        if self._lasting or holding is None or store is None or store.contains(key):
            return
        undisturbed(self._drop_this, (name, holding))

    def silent(self, now: float, seconds: float) -> float:
        """Remove the copies of which nobody would have told for some time.

        Args:
            now: monotonic time.
            seconds: for how long that is borne.

        Returns:
            When the next feed has been silent for as long, unless it tells; infinity for none.
        """
        if self._untold:  # there was no thread for it
            self.drain()
        feeds = undisturbed(list, self._feeds)
        confirmed = [(feed, feed.confirmed) for feed in feeds]
        quiet = [feed for feed, at in confirmed if now - at > seconds]
        if quiet:
            undisturbed(self._feeds.difference_update, quiet)
        for name in undisturbed(list, self._held) if quiet else ():
            holding = self._held.get(name)
            if holding is not None and any(watch.feed in quiet for watch in holding.watches):
                self._remove_alone(name, holding)
        return min((at + seconds for _, at in confirmed if now - at <= seconds), default=inf)

    # Done undisturbed: no code of others runs in the midst

    def _enter(self, entry: tuple[bytes, Holding]) -> Holding | None:
        """Remember a copy; return the one before, whose key must not go here."""
        name, holding = entry
        before = self._drop(name)
        self._held[name] = holding
        if holding.evidence is not None:
            holding.evidence.current = True
        self._feeds.update([watch.feed for watch in holding.watches])
        for label in holding.copy.labels:
            self._labelled.setdefault(label, set()).add(name)
        return before

    def _names_of(self, labels: Iterable[bytes]) -> list[bytes]:
        """Return the names of the copies that depend on one of the names."""
        names: list[bytes] = []
        for label in labels:
            names += self._labelled.get(label, ())
        return names

    def _drop_this(self, entry: tuple[bytes, Holding]) -> Holding | None:
        """Take a copy out if it is still this one."""
        name, holding = entry
        return self._drop(name) if self._held.get(name) is holding else None

    def _drop_oldest(self, _: None) -> tuple[bytes, Holding | None]:
        name = next(iter(self._held), b"")
        return name, self._drop(name)

    def _note(self, changes: Changes | None) -> bool:
        """Note what is to be removed; tell whether somebody is called for it already."""
        self._untold.append(changes)
        called, self._called = self._called, True
        return called

    def _take(self, _: None) -> list[Changes | None]:
        self._called = False
        told, self._untold = self._untold, []
        return told

    def _drop(self, name: bytes) -> Holding | None:
        """Take a copy out."""
        holding = self._held.pop(name, None)
        if holding is not None:
            if holding.evidence is not None:
                holding.evidence.current = False
            for label in holding.copy.labels:
                names = self._labelled.get(label)
                if names is not None:
                    names.discard(name)
                    if not names:
                        del self._labelled[label]
        return holding

    def _trim(self) -> None:
        """Forget the oldest copy, unless memory has it: that one becomes the youngest."""
        store = self._store()
        name, holding = undisturbed(self._drop_oldest, None)
        if holding is not None and store is not None and store.contains(holding.key):
            self.hold(name, holding)

    # Changes

    def changed(self, changes: Changes | None) -> None:
        """Note what a tier tells; may be called anywhere, and does not wait."""
        if not undisturbed(self._note, changes):
            try:
                _workers.submit(_Draining(self))
            except RuntimeError:  # there is no room for a thread: the keeper will see to it
                self._called = False
                _log.warning("no thread to remove what has changed; it is done later")

    def drain(self) -> None:
        """Remove what has changed."""
        names: list[bytes] = []
        for changes in undisturbed(self._take, None):
            if changes is None:
                names += undisturbed(list, self._held)
            else:
                names += changes.keys
                names += undisturbed(self._names_of, changes.names)
        for name in names:
            holding = self._held.get(name)
            if holding is not None and not holding.live:
                self._remove_alone(name, holding)

    def _remove_alone(self, name: bytes, holding: Holding) -> None:
        try:
            self._remove(name, holding)
        except Exception:  # of comparing keys, say; the others must go
            _log.exception("removing what has changed failed")

    def _remove(self, name: bytes, holding: Holding) -> None:
        if undisturbed(self._drop_this, (name, holding)) is None:
            return
        store = self._store()
        if store is not None:
            store.remove(holding.key)

    def after_fork(self) -> None:
        """Begin anew: nobody tells a child of changes to what its parent has read."""
        self._called = False
        self._untold = []
        self._held = {}
        self._labelled = {}
        self._feeds = set()
        store = self._store()
        if store is not None:
            _of_parent.append(store.abandon())


class _Telling:
    """Tells of changes, unless there is no cache any more."""

    def __init__(self, copies: Copies) -> None:
        self._copies = weakref.ref(copies)

    def __call__(self, changes: Changes | None) -> None:
        copies = self._copies()
        if copies is not None:
            copies.changed(changes)


class _Draining:
    """Removes what has changed, unless there is no cache any more."""

    def __init__(self, copies: Copies) -> None:
        self._copies = weakref.ref(copies)

    def __call__(self) -> None:
        copies = self._copies()
        if copies is not None:
            copies.drain()
