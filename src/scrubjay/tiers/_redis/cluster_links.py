"""The connections of one face of a tier to the members of a cluster, whichever drives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from scrubjay.tiers._redis.cluster import Course
from scrubjay.tiers._redis.errands import Link, Links
from scrubjay.tiers._redis.settings import Settings
from scrubjay.tiers._redis.topology import Where
from scrubjay.tiers.one_use import OneUse


class DrivenLink(Link, Protocol):
    """A link to one member, as its driver has it."""

    def __init__(self, settings: Settings) -> None: ...

    def close(self) -> None:
        """Close it, with its tier."""

    def forget(self) -> None:
        """In a child after a fork: leave the parent's connection alone."""


_L = TypeVar("_L", bound=DrivenLink)


class ClusterLinks(Generic[_L]):
    """A link to each member that was asked for; a driver adds how operations are carried out.

    Args:
        settings: of the tier.
        settings_of: the same for one member.
        course: makes what decides, for the connections of a face.
    """

    #: the class of the links
    kind: type[_L]

    def __init__(
        self,
        settings: Settings,
        settings_of: Callable[[Where], Settings],
        course: Callable[[Links], Course],
    ) -> None:
        self._settings = settings
        self._settings_of = settings_of
        self._links: dict[Where, _L] = {}
        self._lock = OneUse()
        self._closed = False
        self._course = course(self)

    def of(self, where: Where) -> _L:
        """Return the connection to a member, which may have to be opened yet."""
        link = self._links.get(where)
        if link is None:
            with self._lock:
                if self._closed:
                    raise self._settings.closed()
                link = self._links.get(where)
                if link is None:
                    link = self._links[where] = self.kind(self._settings_of(where))
        return link

    def leave(self, those: Iterable[Where]) -> None:
        """Close the connections to some members, and forget them."""
        for where in those:
            link = self._links.pop(where, None)
            if link is not None:
                link.retire("it has no slots of the cluster any more")

    def close(self) -> None:
        """Close the connections; whoever waits is told."""
        with self._lock:
            self._closed = True
            links = list(self._links.values())
        for link in links:
            link.close()

    def forget(self) -> None:
        """In a child after a fork: leave the parent's connections alone."""
        self._lock = OneUse()
        for link in self._links.values():
            link.forget()
