"""The source behind the demonstration's cache: reads that cost, and writes.

Reads run in any thread, each on a connection of its own; SQLite lets go of the
interpreter lock while it works, so that several truly run at once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

from scrubjay.demo.pages import SEARCH_TAG, topic_tag
from scrubjay.demo.queries import Answer, load_answer, read_revision
from scrubjay.demo.schema import PRODUCTS, TOPICS, WORDS, Catalogue, create_database

_BUSY_SECONDS = 30


@dataclass
class LoadCosts:
    """What loads have cost so far.

    Attributes:
        loads: how many there were.
        seconds: what they took together, waiting for a thread excluded.
        by_key: the last load of each key, in seconds.
        quiet_seconds: what a load takes on average while nothing else runs.
    """

    loads: int = 0
    seconds: float = 0.0
    by_key: dict[str, float] = field(default_factory=dict)
    quiet_seconds: float = 0.0

    @property
    def mean_seconds(self) -> float:
        """What a load took on average."""
        return self.seconds / self.loads if self.loads else 0.0


@dataclass(frozen=True)
class Write:
    """What a write changed.

    Attributes:
        revisions: the new revision of each thing that it changed.
        keys: keys to be invalidated by name, dependents with them.
        tags: tags to be invalidated.
        affected: some of the keys whose answers it changed, for checks.
    """

    revisions: dict[str, int]
    keys: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    affected: tuple[str, ...] = ()


class Source:
    """An SQLite database of users, orders and documents.

    Args:
        directory: where to create it.
        users: how many users to create.
        seed: seed of everything random in it.
    """

    def __init__(self, directory: Path, users: int, seed: int) -> None:
        self.catalogue = Catalogue.for_users(users)
        self.costs = LoadCosts()
        self._path = directory / "company.db"
        self.rows = create_database(self._path, self.catalogue, seed)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._writer = self._connect()

    def load(self, key: str) -> Answer:
        """Answer a key from the database, and count the cost.

        Args:
            key: such as ``user:7``.

        Returns:
            The answer, of the moment of the call or later.
        """
        start = perf_counter()
        answer = self.look_up(key)
        end = perf_counter()
        answer["loaded_at"] = end
        seconds = end - start
        with self._lock:
            self.costs.loads += 1
            self.costs.seconds += seconds
            self.costs.by_key[key] = seconds
        return answer

    def look_up(self, key: str) -> Answer:
        """Answer a key from the database without counting it; for checks."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return load_answer(connection, key)

    def measure_quietly(self, keys: Iterable[str]) -> None:
        """Measure what loads take while nothing else runs; they are not counted.

        Args:
            keys: what to load, as often as it is typically asked for.
        """
        start = perf_counter()
        loads = sum(1 for key in keys if self.look_up(key))
        self.costs.quiet_seconds = (perf_counter() - start) / max(1, loads)

    def followed_topics(self) -> dict[int, tuple[int, ...]]:
        """The topics that each user follows, for good."""
        followed: dict[int, tuple[int, ...]] = {}
        for user, topic in self._writer.execute("SELECT user_id, topic_id FROM followed_topics"):
            followed[user] = (*followed.get(user, ()), topic)
        return followed

    def place_order(self, user: int, random: Random) -> Write:
        """Add an order of a user; one writer at a time.

        Args:
            user: who orders.
            random: what and when.

        Returns:
            What this changed.
        """
        team = self.catalogue.team_of(user)
        region = self.catalogue.region_of(team)
        with self._transaction() as writer:
            writer.execute(
                "INSERT INTO orders (user_id, product_id, day, cents) VALUES (?, ?, ?, ?)",
                (
                    user,
                    random.randrange(PRODUCTS),
                    random.randrange(365),
                    random.randrange(100, 90_000),
                ),
            )
            revisions = self._raise_revisions(f"user:{user}", f"team:{team}", f"region:{region}")
        own = tuple(f"{kind}:{user}" for kind in ("user", "history", "recommend"))
        # The team is named although it depends on the user: while it is not in
        # the cache, nothing leads on from the user to the region.
        return Write(
            revisions,
            keys=(f"user:{user}", f"team:{team}"),
            affected=(*own, f"team:{team}", f"region:{region}"),
        )

    def edit_document(self, random: Random) -> Write:
        """Give a document of some topic a new text and score; one writer at a time.

        Args:
            random: which topic and what text.

        Returns:
            What this changed.
        """
        topic = random.randrange(TOPICS)
        text = " ".join(random.choices(WORDS, k=40))
        with self._transaction() as writer:
            writer.execute(
                "UPDATE documents SET body = ?, score = ? "
                "WHERE id = (SELECT MIN(id) FROM documents WHERE topic_id = ?)",
                (text, random.randrange(1000), topic),
            )
            revisions = self._raise_revisions(f"topic:{topic}")
        return Write(
            revisions,
            tags=frozenset({topic_tag(topic)}),
            affected=(f"digest:{topic}", *self._feeds(topic)),
        )

    def rename_documents(self, random: Random) -> Write:
        """Give all documents of some topic new titles; one writer at a time.

        Args:
            random: which topic and what word.

        Returns:
            What this changed: the topic, and what is found by title.
        """
        topic = random.randrange(TOPICS)
        word = random.choice(WORDS)
        with self._transaction() as writer:
            writer.execute(
                "UPDATE documents SET title = ? || ' ' || SUBSTR(title, INSTR(title, ' ') + 1) "
                "WHERE topic_id = ?",
                (word, topic),
            )
            revisions = self._raise_revisions("search", f"topic:{topic}")
        return Write(
            revisions,
            tags=frozenset({SEARCH_TAG, topic_tag(topic)}),
            affected=(f"search:{word}", f"digest:{topic}", *self._feeds(topic)),
        )

    def close(self) -> None:
        """Close all connections; no thread may be reading any more."""
        with self._lock:
            while self._open:
                self._open.pop().close()

    def _connect(self) -> sqlite3.Connection:
        # Used by one thread at a time, but closed by another.
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = OFF")
        with self._lock:
            self._open.append(connection)
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def _raise_revisions(self, *things: str) -> dict[str, int]:
        self._writer.executemany(
            "INSERT INTO revisions VALUES (?, 1) "
            "ON CONFLICT (thing) DO UPDATE SET revision = revision + 1",
            ((thing,) for thing in things),
        )
        return {thing: read_revision(self._writer, thing) for thing in things}

    def _feeds(self, topic: int) -> list[str]:
        followers = self._writer.execute(
            "SELECT user_id FROM followed_topics WHERE topic_id = ? ORDER BY user_id LIMIT 3",
            (topic,),
        )
        return [f"feed:{user}" for (user,) in followers.fetchall()]
