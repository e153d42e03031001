"""Why a copy may be shown: what a hit at SESSION or MONOTONIC looks at.

The long way is `scrubjay.consistency.Replica.holds`, which may have to ask somebody. What
is here says yes only where that would say yes without asking anybody, and else nothing:
whoever asks then goes the long way. See `docs/decisions/0027-session-hits-in-the-core.md`.
"""

from __future__ import annotations

from scrubjay._core.floors import Floor, SessionFloors
from scrubjay._core.watches import Link, Watch


class Generation:
    """What a node knows of the generation of a name; whoever depends on it looks here."""

    def __init__(self) -> None:
        self.value = 0
        #: ends when another begins; None if nothing is known
        self.watch: Watch | None = None

    def learn(self, value: int, watch: Watch | None) -> None:
        """Know that this is the generation for as long as the watch lives."""
        before = self.watch  # let go last: others are told of that
        self.watch = None  # who reads the value in between knows that it may be either
        self.value = value
        self.watch = watch
        del before


class Bond:
    """The generation of a name that a copy was made with.

    Args:
        generation: what is known of it now.
        value: what it was.
        place: where sessions have its floor.
    """

    def __init__(self, generation: Generation, value: int, place: bytes) -> None:
        self.generation = generation
        self.value = value
        self.place = place
        self.floor: Floor | None = None


class Evidence:
    """What is known of one copy.

    Args:
        version: of the record.
        place: where sessions have the floor of its key.
        watch: ends when the record changes.
        bonds: one for each name that it depends on.
    """

    def __init__(self, version: int, place: bytes, watch: Watch, bonds: list[Bond]) -> None:
        self.version = version
        self.place = place
        self.watch = watch
        self.bonds = bonds
        #: whether it is what is known of its key; nobody is shown a copy that was disowned
        self.current = False
        self.write = -1  # the write that has stored the value that it speaks of
        # Whose floors were compared last, and how often they had risen.
        self.session = 0
        self.risen = 0
        self.epoch: bytes | None = None  # in which they were
        self.exact = False  # whether they are what the copy has, not only no higher
        self.floor: Floor | None = None

    def permits(self, session: SessionFloors, monotonic: bool, now: float, silence: float) -> bool:
        """Tell whether the copy may be shown to a session as things stand.

        Args:
            session: whose floors count.
            monotonic: whether what is shown is to be the floor from now on; only where it is
                already does this say yes.
            now: monotonic time.
            silence: the seconds for which a connection may have told nothing.
        """
        if not self.current or not self.watch.live:
            return False
        if now - self.watch.feed.confirmed > silence:
            return False
        for bond in self.bonds:
            watch = bond.generation.watch
            if watch is None or not watch.live or bond.generation.value != bond.value:
                return False
            if watch.feed is not self.watch.feed and now - watch.feed.confirmed > silence:
                return False
        return self.allowed(session, monotonic)

    def confirms(self, session: SessionFloors | None, feed: Link) -> bool:
        """Tell whether the copy is the last there was before a barrier was called for.

        Args:
            session: whose floors count as at MONOTONIC; None for nobody's.
            feed: of the connection that has come through the barrier.
        """
        if not self.current or not self.watch.live or self.watch.feed is not feed:
            return False
        for bond in self.bonds:
            watch = bond.generation.watch
            if watch is None or not watch.live or bond.generation.value != bond.value:
                return False
            if watch.feed is not feed:
                return False
        return True if session is None else self.allowed(session, True)

    def allowed(self, session: SessionFloors, monotonic: bool) -> bool:
        """Tell whether the floors of a session allow the copy; see `permits`."""
        known = self.session == session.number and self.risen == session.risen
        # Of a cluster it may be another while the connection lives: another primary was replaced.
        known = known and self.epoch is self.watch.feed.epoch
        if not known and not self.compare(session):
            return False
        if not monotonic:
            return True
        if not self.exact:
            return False
        session.turn += 1
        self.floor.used = session.turn  # type: ignore[union-attr]
        for bond in self.bonds:
            bond.floor.used = session.turn  # type: ignore[union-attr]
        return True

    def compare(self, session: SessionFloors) -> bool:
        """Compare with the floors of a session, and remember that they allow the copy."""
        epoch = self.watch.feed.epoch
        if not epoch or (session.epoch is not None and session.epoch != epoch):
            return False
        risen = session.risen  # before any floor is looked at
        floor = session.floors.get(self.place)
        exact = floor is not None and floor.version == self.version
        if floor is None:
            if session.overflown:
                return False
        elif floor.version > self.version:
            return False
        for bond in self.bonds:
            other = session.floors.get(bond.place)
            if other is None:
                exact = False
                if session.overflown:
                    return False
            elif other.version > bond.value:
                return False
            elif other.version != bond.value:
                exact = False
            bond.floor = other
        self.floor = floor
        self.exact = exact
        self.session = session.number
        self.risen = risen
        self.epoch = epoch
        return True
