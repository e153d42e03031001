"""Which entries are copies of what a shared tier has, and what tells that they are not any more.

The tier tells of changes in whatever thread reads its connection, perhaps under a lock. So
there only the watches end; entries are removed in a thread of the background. Until then
EVENTUAL may show them; the other levels look at the watch.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

from scrubjay._core.store import Store
from scrubjay._flow.workers import Workers
from scrubjay.consistency import Copy
from scrubjay.versions import Changes, Feed, Watch

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
    """

    key: Any
    copy: Copy
    watches: tuple[Watch, ...]

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
        self._lock = threading.Lock()  # no code of others runs under it

    def of(self, name: bytes) -> Holding | None:
        """Return the copy of a key, if it is one."""
        return self._held.get(name)

    def hold(self, name: bytes, holding: Holding) -> None:
        """Remember a copy that was just stored; remove it if it has changed meanwhile.

        Args:
            name: of the key.
            holding: the copy.
        """
        with self._lock:
            self._drop(name)
            self._held[name] = holding
            self._feeds.update(watch.feed for watch in holding.watches)
            for label in holding.copy.labels:
                self._labelled.setdefault(label, set()).add(name)
        if not holding.live:
            self._remove(name, holding)
        elif len(self._held) > _MOST:
            self._trim()

    def forget(self, name: bytes) -> None:
        """Remember a copy no more."""
        with self._lock:
            self._drop(name)

    def forget_labelled(self, labels: Iterable[bytes]) -> None:
        """Remember no copy that depends on one of the names."""
        with self._lock:
            for label in labels:
                for name in list(self._labelled.get(label, ())):
                    self._drop(name)

    def given_up(self, name: bytes, key: Any) -> None:
        """Note that memory has given an entry up, and may have another of the key by now."""
        holding = self._held.get(name)  # before the look: what is stored later is held anew
        store = self._store()
        if self._lasting or holding is None or store is None or store.contains(key):
            return
        with self._lock:
            if self._held.get(name) is holding:
                self._drop(name)

    def silent(self, now: float, seconds: float) -> None:
        """Remove the copies of which nobody would have told for some time.

        Args:
            now: monotonic time.
            seconds: for how long that is borne.
        """
        with self._lock:
            quiet = [feed for feed in self._feeds if now - feed.confirmed > seconds]
            for feed in quiet:
                self._feeds.discard(feed)
            found = [
                (name, holding)
                for name, holding in (self._held.items() if quiet else ())
                if any(watch.feed in quiet for watch in holding.watches)
            ]
        for name, holding in found:
            self._remove(name, holding)

    def _drop(self, name: bytes) -> Holding | None:
        """Take a copy out; under the lock."""
        holding = self._held.pop(name, None)
        if holding is not None:
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
        with self._lock:
            name = next(iter(self._held))
            holding = self._drop(name)
        if holding is not None and store is not None and store.contains(holding.key):
            self.hold(name, holding)

    # Changes

    def changed(self, changes: Changes | None) -> None:
        """Note what a tier tells; may be called anywhere, and does not wait."""
        with self._lock:
            self._untold.append(changes)
            first = len(self._untold) == 1
        if first:
            _workers.submit(_Draining(self))

    def drain(self) -> None:
        """Remove what has changed."""
        with self._lock:
            told, self._untold = self._untold, []
        with self._lock:
            names: list[bytes] = []
            if None in told:
                names += self._held
            for changes in told:
                if changes is not None:
                    names += changes.keys
                    for label in changes.names:
                        names += self._labelled.get(label, ())
            found = [(name, self._held.get(name)) for name in names]
        for name, holding in found:
            if holding is not None and not holding.live:
                self._remove(name, holding)

    def _remove(self, name: bytes, holding: Holding) -> None:
        with self._lock:
            if self._held.get(name) is not holding:
                return
            self._drop(name)
        store = self._store()
        if store is not None:
            store.remove(holding.key)

    def after_fork(self) -> None:
        """Begin anew: nobody tells a child of changes to what its parent has read."""
        self._lock = threading.Lock()
        self._untold = []
        self._held = {}
        self._labelled = {}
        self._feeds = set()
        store = self._store()
        if store is not None:
            _of_parent.append(store.abandon())


class _Draining:
    """Removes what has changed, unless there is no cache any more."""

    def __init__(self, copies: Copies) -> None:
        self._copies = weakref.ref(copies)

    def __call__(self) -> None:
        copies = self._copies()
        if copies is not None:
            copies.drain()
