"""Watches over what another server has, and the connections that keep them.

Copies in memory are shown for as long as their watches live. The core looks at that itself,
so these are its own: what makes, tells and ends them is in `scrubjay.versions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Link:
    """A connection that tells of changes, as far as a hit needs to know it.

    Args:
        epoch: stands for the server and its history; b"" if it does not tell.
        confirmed: a monotonic time up to which all changes have been told.
    """

    def __init__(self, epoch: bytes, confirmed: float) -> None:
        self.epoch = epoch
        self.confirmed = confirmed


class Watch:
    """A promise of a connection to tell when something changes, until it has.

    Args:
        feed: of the connection.
    """

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        #: whether nothing has changed, as far as the connection has been read
        self.live = True
        self.wakes: list[Callable[[], object]] = []

    def on_end(self, wake: Callable[[], object]) -> None:
        """Have a function called when the watch ends, or now; perhaps more than once.

        It is called in the thread that reads the connection and must not wait.
        """
        self.wakes.append(wake)
        if not self.live:
            wake()

    def end(self) -> None:
        """Note that what is watched has changed, or that nobody would tell."""
        self.live = False
        wakes = self.wakes
        self.wakes = []
        for wake in wakes:
            wake()
