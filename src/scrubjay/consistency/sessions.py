"""The sessions that a process knows, by their names."""

from __future__ import annotations

import os
import threading
import weakref

from scrubjay import arguments
from scrubjay.consistency.tokens import Session, Signer

_MOST = 10_000  # remembered; of the older ones, those that nobody has asked for go first
_MOST_FLOORS = 1_000_000  # of all of them together, 110 bytes each


class Sessions:
    """Sessions by name. Shared by threads.

    Attributes:
        known: by name. A hit in memory finds a session here by itself and notes that it was
            `wanted`, which costs it less than to put it in order (CLOCK, F. J. Corbato 1968).
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may come here in the midst
        self.known: dict[str, Session] = {}
        self._spare = _MOST_FLOORS  # how many floors there may be more until they are counted
        # Forgotten here, and in use elsewhere: two of one name would not know of each other.
        self._held: weakref.WeakValueDictionary[str, Session] = weakref.WeakValueDictionary()
        _all.add(self)

    def after_fork(self) -> None:
        """Take locks that no thread of the parent holds."""
        self._lock = threading.RLock()
        for session in (*self.known.values(), *self._held.values()):
            session.after_fork()

    def of(self, name: str, token: str | None, signer: Signer | None = None) -> Session:
        """Return the session of a name, new if nothing is known of it.

        Args:
            name: its name.
            token: of the same session elsewhere, or None.
            signer: must have signed it; None if none has.

        Raises:
            InvalidTokenError: the token is damaged or forged.
            EpochChangedError: it is of another server than what is known here.
        """
        session = self.known.get(name)
        if session is None:
            session = self._enter(name)
        else:
            session.wanted = True
        if token is not None:
            session.merge(Session.from_token(token, signer))
        return session

    def _enter(self, name: str) -> Session:
        with self._lock:
            session = self.known.get(name)
            if session is None:
                if len(self.known) >= _MOST:
                    self._forget()
                session = self._held.get(name)
                if session is None:
                    session = Session()
                    session.asker = arguments.asker({"session_id": name})
                    session.on_floor = self._one_more
                session = self.known.setdefault(name, session)  # a finalizer's, made meanwhile
        return session

    def _forget(self) -> None:
        """Forget the oldest session that nobody has asked for since it was looked at last."""
        for _ in range(len(self.known)):
            name = next(iter(self.known))
            if not self._pass_over(name):
                break
        name, session = next(iter(self.known.items()))
        self._held[name] = session  # first: a finalizer that asks in between finds it
        self.known.pop(name, None)

    def _pass_over(self, name: str) -> bool:
        """Tell whether a session was asked for since it was looked at last; it is young then."""
        session = self.known.get(name)
        if session is None or not session.wanted:
            return False
        session.wanted = False
        # To the end. Whoever looks for it in between finds it, or waits for the lock.
        del self.known[name]
        self.known[name] = session
        return True

    def _one_more(self) -> None:
        """Note that a session has one more floor; have old ones go if there are too many."""
        with self._lock:
            self._spare -= 1
            if self._spare < 0:
                total = sum(len(session.floors) for session in list(self.known.values()))
                if total > _MOST_FLOORS:
                    total -= self._relieve(total - _MOST_FLOORS * 15 // 16)
                self._spare = _MOST_FLOORS - total

    def _relieve(self, wanted: int) -> int:
        """Have the oldest sessions forget their floors, in the order in which they would go.

        They are asked for from now on, as any that a session has forgotten: nothing is weaker.

        Args:
            wanted: how many floors, at least.

        Returns:
            How many there were.
        """
        gone = 0
        for _ in range(2):  # after the first, nobody is passed over
            for name in list(self.known):
                if gone >= wanted:
                    return gone
                if not self._pass_over(name) and (session := self.known.get(name)) is not None:
                    gone += session.forget_all()
        return gone


_all: weakref.WeakSet[Sessions] = weakref.WeakSet()


def _after_fork() -> None:
    for sessions in list(_all):
        sessions.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
