"""A thread that reads what the server tells of changes while no other thread waits for replies.

It steps back for some milliseconds whenever it finds another one reading, so it costs those
next to nothing.
"""

from __future__ import annotations

import threading
import weakref
from time import monotonic
from typing import Protocol

from scrubjay.tiers._redis.session import Session


class Link(Protocol):
    """What it listens at."""

    def overhear(self, session: Session, seconds: float) -> bool:
        """Read what comes within some time; return whether the session goes on."""

    def beat(self, session: Session) -> None:
        """Ask whether the server is there."""


def listen(link: Link, session: Session, heartbeat: float) -> None:
    """Listen until the session ends or nobody has the link any more.

    Args:
        link: to the server.
        session: the open connection.
        heartbeat: seconds between two questions whether the server is there.
    """
    threading.Thread(
        target=_listen,
        args=(weakref.ref(link), session, heartbeat),
        name="scrubjay-listener",
        daemon=True,
    ).start()


def _listen(reference: weakref.ref[Link], session: Session, heartbeat: float) -> None:
    beat_at = monotonic() + heartbeat
    while True:
        link = reference()
        if link is None:
            return
        now = monotonic()
        if now >= beat_at:
            link.beat(session)
            beat_at = now + heartbeat
        if not link.overhear(session, max(0.0, beat_at - now)):
            return
        del link
