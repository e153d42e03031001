"""The sessions that a process knows, by their names."""

from __future__ import annotations

import threading
from collections import OrderedDict

from scrubjay.consistency.tokens import Session

_MOST = 10_000  # remembered, the least recently seen forgotten first


class Sessions:
    """Sessions by name. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Session] = OrderedDict()

    def of(self, name: str, token: str | None) -> Session:
        """Return the session of a name, new if nothing is known of it.

        Args:
            name: its name.
            token: of the same session elsewhere, or None.

        Raises:
            InvalidTokenError: the token is damaged or forged.
            EpochChangedError: it is of another server than what is known here.
        """
        with self._lock:
            session = self._known.get(name)
            if session is None:
                session = self._known[name] = Session()
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(name)
        if token is not None:
            session.merge(Session.from_token(token))
        return session
