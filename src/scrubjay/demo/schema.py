"""The demonstration's database: a small company's back office in SQLite.

Some hundred thousand rows, the same for the same seed.  Each thing that can
change has a revision, raised by every write to it; that is how the
demonstration can tell a stale answer from a fresh one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from random import Random

TEAM_SIZE = 15
REGIONS = 4
TOPICS = 60
CATEGORIES = 12
PRODUCTS = 800
DOCUMENTS = 18_000
ORDERS_PER_USER = 180
SIMILAR_PER_PRODUCT = 12
FOLLOWED_TOPICS = 2

WORDS = [
    "amber",
    "anchor",
    "atlas",
    "barrel",
    "beacon",
    "birch",
    "bridge",
    "canyon",
    "cedar",
    "chart",
    "clover",
    "cobalt",
    "copper",
    "coral",
    "delta",
    "ember",
    "falcon",
    "fern",
    "flint",
    "forest",
    "garnet",
    "glacier",
    "harbor",
    "hazel",
    "heron",
    "indigo",
    "iris",
    "jasper",
    "juniper",
    "lantern",
    "larch",
    "linen",
    "maple",
    "marble",
    "meadow",
    "mesa",
    "nickel",
    "ocean",
    "olive",
    "onyx",
    "opal",
    "orchid",
    "pepper",
    "pine",
    "plum",
    "quartz",
    "raven",
    "reef",
    "river",
    "saffron",
    "sage",
    "sierra",
    "slate",
    "spruce",
    "summit",
    "thistle",
    "timber",
    "topaz",
    "tulip",
    "velvet",
    "violet",
    "willow",
    "zephyr",
]

_SCHEMA = """
CREATE TABLE revisions (thing TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE regions (id INTEGER PRIMARY KEY);
CREATE TABLE teams (id INTEGER PRIMARY KEY, region_id INTEGER NOT NULL REFERENCES regions);
CREATE TABLE users (
    id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL REFERENCES teams, name TEXT NOT NULL
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, category INTEGER NOT NULL, name TEXT NOT NULL
);
CREATE TABLE similar_products (
    product_id INTEGER NOT NULL REFERENCES products,
    similar_id INTEGER NOT NULL REFERENCES products,
    weight REAL NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users,
    product_id INTEGER NOT NULL REFERENCES products,
    day INTEGER NOT NULL,
    cents INTEGER NOT NULL
);
CREATE TABLE topics (id INTEGER PRIMARY KEY);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL REFERENCES topics,
    author_id INTEGER NOT NULL REFERENCES users,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    score INTEGER NOT NULL
);
CREATE TABLE followed_topics (
    user_id INTEGER NOT NULL REFERENCES users,
    topic_id INTEGER NOT NULL REFERENCES topics
);
"""

_INDEXES = """
CREATE INDEX users_by_team ON users (team_id);
CREATE INDEX teams_by_region ON teams (region_id);
CREATE INDEX similar_by_product ON similar_products (product_id);
CREATE INDEX orders_by_user ON orders (user_id);
CREATE INDEX documents_by_topic ON documents (topic_id);
CREATE INDEX topics_by_follower ON followed_topics (user_id);
ANALYZE;
"""


def seeded_random(*parts: object) -> Random:
    """Return the random numbers that belong to these parts of a run, the same every time."""
    return Random(" ".join(map(str, parts)))


@dataclass(frozen=True)
class Catalogue:
    """What there is to ask for.

    Attributes:
        users: number of users, with ids from 0.
        teams: number of teams, with ids from 0.
    """

    users: int
    teams: int

    @classmethod
    def for_users(cls, users: int) -> Catalogue:
        """The catalogue of a company of so many users."""
        return cls(users, max(1, -(-users // TEAM_SIZE)))

    def team_of(self, user: int) -> int:
        """The team that a user belongs to, for good."""
        return user % self.teams

    def region_of(self, team: int) -> int:
        """The region that a team belongs to, for good."""
        return team % REGIONS


def create_database(path: Path, catalogue: Catalogue, seed: int) -> int:
    """Create and fill the database.

    Args:
        path: file to create.
        catalogue: how many users and teams to create.
        seed: seed of everything random in it.

    Returns:
        The number of rows created.
    """
    random = seeded_random(seed, "database")
    connection = sqlite3.connect(path)
    try:
        # Readers must not wait for the writer; nothing here needs to outlive a crash.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
        _fill_company(connection, catalogue)
        _fill_sales(connection, catalogue, random)
        _fill_documents(connection, catalogue, random)
        connection.commit()
        connection.executescript(_INDEXES)
        return connection.total_changes
    finally:
        connection.close()


def _fill_company(connection: sqlite3.Connection, catalogue: Catalogue) -> None:
    connection.executemany("INSERT INTO regions (id) VALUES (?)", ((i,) for i in range(REGIONS)))
    connection.executemany(
        "INSERT INTO teams (id, region_id) VALUES (?, ?)",
        ((team, catalogue.region_of(team)) for team in range(catalogue.teams)),
    )
    connection.executemany(
        "INSERT INTO users (id, team_id, name) VALUES (?, ?, ?)",
        ((user, catalogue.team_of(user), f"User {user}") for user in range(catalogue.users)),
    )


def _fill_sales(connection: sqlite3.Connection, catalogue: Catalogue, random: Random) -> None:
    connection.executemany(
        "INSERT INTO products VALUES (?, ?, ?)",
        (
            (product, random.randrange(CATEGORIES), " ".join(random.sample(WORDS, 2)))
            for product in range(PRODUCTS)
        ),
    )
    connection.executemany(
        "INSERT INTO similar_products VALUES (?, ?, ?)",
        (
            (product, random.randrange(PRODUCTS), round(random.random(), 3))
            for product in range(PRODUCTS)
            for _ in range(SIMILAR_PER_PRODUCT)
        ),
    )
    connection.executemany(
        "INSERT INTO orders (user_id, product_id, day, cents) VALUES (?, ?, ?, ?)",
        (
            (user, random.randrange(PRODUCTS), random.randrange(365), random.randrange(100, 90_000))
            for user in range(catalogue.users)
            for _ in range(ORDERS_PER_USER)
        ),
    )


def _fill_documents(connection: sqlite3.Connection, catalogue: Catalogue, random: Random) -> None:
    connection.executemany("INSERT INTO topics (id) VALUES (?)", ((i,) for i in range(TOPICS)))
    connection.executemany(
        "INSERT INTO documents (topic_id, author_id, title, body, score) VALUES (?, ?, ?, ?, ?)",
        (
            (
                random.randrange(TOPICS),
                random.randrange(catalogue.users),
                " ".join(random.choices(WORDS, k=5)),
                " ".join(random.choices(WORDS, k=40)),
                random.randrange(1000),
            )
            for _ in range(DOCUMENTS)
        ),
    )
    connection.executemany(
        "INSERT INTO followed_topics VALUES (?, ?)",
        (
            (user, topic)
            for user in range(catalogue.users)
            for topic in random.sample(range(TOPICS), FOLLOWED_TOPICS)
        ),
    )
