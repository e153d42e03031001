"""The sessions that a process knows, by their names."""

from __future__ import annotations

import os
import threading
import weakref

from scrubjay import arguments
from scrubjay.consistency.tokens import Session

_MOST = 10_000  # remembered; of the older ones, those that nobody has asked for go first


class Sessions:
    """Sessions by name. Shared by threads.

    Attributes:
        known: by name. A hit in memory finds a session here by itself and notes that it was
            `wanted`, which costs it less than to put it in order (CLOCK, F. J. Corbato 1968).
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may come here in the midst
        self.known: dict[str, Session] = {}
        _all.add(self)

    def after_fork(self) -> None:
        """Take locks that no thread of the parent holds."""
        self._lock = threading.RLock()
        for session in self.known.values():
            session.after_fork()

    def of(self, name: str, token: str | None) -> Session:
        """Return the session of a name, new if nothing is known of it.

        Args:
            name: its name.
            token: of the same session elsewhere, or None.

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
            session.merge(Session.from_token(token))
        return session

    def _enter(self, name: str) -> Session:
        with self._lock:
            session = self.known.get(name)
            if session is None:
                if len(self.known) >= _MOST:
                    self._forget()
                session = Session()
                session.asker = arguments.asker({"session_id": name})
                self.known[name] = session
        return session

    def _forget(self) -> None:
        """Forget the oldest session that nobody has asked for since it was looked at last."""
        for _ in range(len(self.known)):
            name = next(iter(self.known))
            session = self.known[name]
            if not session.wanted:
                break
            session.wanted = False
            # To the end. Whoever looks for it in between finds it, or waits for the lock.
            del self.known[name]
            self.known[name] = session
        del self.known[next(iter(self.known))]


_all: weakref.WeakSet[Sessions] = weakref.WeakSet()


def _after_fork() -> None:
    for sessions in list(_all):
        sessions.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
