"""How each kind of answer is cached: for how long, how dear, and what undoes it."""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.demo.schema import REGIONS, Catalogue

TICKER_SECONDS = 2.0
"""Nothing invalidates a ticker; it is only ever this old."""

SEARCH_SECONDS = 120.0
SEARCH_TAG = "search"
_LASTING_SECONDS = 300.0


@dataclass(frozen=True)
class Page:
    """The terms on which the answer to one key is cached.

    Attributes:
        key: the key.
        ttl_seconds: how long the answer may be served.
        priority: what it is worth to the business; 1 is ordinary.
        tags: names under which it is invalidated with others.
        dependencies: keys whose invalidation invalidates it too.
    """

    key: str
    ttl_seconds: float = _LASTING_SECONDS
    priority: float = 1.0
    tags: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()


class Pages:
    """The page of every key; each is made once.

    Args:
        catalogue: what there is to ask for.
        followed: the topics that each user follows.
    """

    def __init__(self, catalogue: Catalogue, followed: dict[int, tuple[int, ...]]) -> None:
        self._catalogue = catalogue
        self._followed = followed
        self._pages: dict[str, Page] = {}

    def __getitem__(self, key: str) -> Page:
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = self._make(key)
        return page

    def _make(self, key: str) -> Page:
        kind, _, argument = key.partition(":")
        if kind == "search":
            return Page(key, SEARCH_SECONDS, tags=frozenset({SEARCH_TAG}))
        number = int(argument)
        if kind == "user":
            return Page(key, priority=2.0)
        if kind in ("history", "recommend"):
            return Page(key, dependencies=frozenset({f"user:{number}"}))
        if kind == "feed":
            return Page(key, tags=frozenset(topic_tag(topic) for topic in self._followed[number]))
        if kind == "digest":
            return Page(key, tags=frozenset({topic_tag(number)}))
        if kind == "team":
            return Page(key, priority=3.0, dependencies=self._members(number))
        if kind == "region":
            return Page(key, priority=3.0, dependencies=self._teams(number))
        return Page(key, TICKER_SECONDS)

    def _members(self, team: int) -> frozenset[str]:
        users = range(team, self._catalogue.users, self._catalogue.teams)
        return frozenset(f"user:{user}" for user in users)

    def _teams(self, region: int) -> frozenset[str]:
        return frozenset(f"team:{team}" for team in range(region, self._catalogue.teams, REGIONS))


def topic_tag(topic: int) -> str:
    """The tag of everything made from a topic's documents."""
    return f"topic:{topic}"
