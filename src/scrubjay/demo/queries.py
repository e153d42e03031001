"""The questions asked of the demonstration's database, one function each.

Every answer is a plain dictionary.  Under ``revisions`` it names the things it
was made from and the revision of each at that moment; an answer whose
revision lies below an invalidated one is stale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
Question = Callable[[sqlite3.Connection, str], Answer]

_PROFILE = """
SELECT products.category, COUNT(DISTINCT orders.id), SUM(orders.cents), MAX(orders.day),
       AVG(similar_products.weight), COUNT(DISTINCT similar_products.similar_id),
       RANK() OVER (ORDER BY SUM(orders.cents) DESC)
FROM orders
JOIN products ON products.id = orders.product_id
JOIN similar_products ON similar_products.product_id = orders.product_id
WHERE orders.user_id = :it
GROUP BY products.category ORDER BY products.category
"""

_HISTORY = """
SELECT orders.id, orders.day, products.name, orders.cents,
       SUM(orders.cents) OVER (ORDER BY orders.day, orders.id),
       AVG(orders.cents) OVER (ORDER BY orders.day RANGE BETWEEN 30 PRECEDING AND CURRENT ROW),
       RANK() OVER (PARTITION BY products.category ORDER BY orders.cents DESC)
FROM orders JOIN products ON products.id = orders.product_id
WHERE orders.user_id = :it ORDER BY orders.day DESC, orders.id DESC LIMIT 60
"""

_RECOMMENDATIONS = """
SELECT second.similar_id, products.name, SUM(first.weight * second.weight) AS liking
FROM orders
JOIN similar_products AS first ON first.product_id = orders.product_id
JOIN similar_products AS second ON second.product_id = first.similar_id
JOIN products ON products.id = second.similar_id
WHERE orders.user_id = :it AND orders.day > 300
  AND second.similar_id NOT IN (SELECT product_id FROM orders WHERE user_id = :it)
GROUP BY second.similar_id ORDER BY liking DESC, second.similar_id LIMIT 20
"""

_FEED = """
SELECT documents.id, documents.title, documents.score, topics.id, users.name,
       RANK() OVER (PARTITION BY topics.id ORDER BY documents.score DESC)
FROM followed_topics
JOIN topics ON topics.id = followed_topics.topic_id
JOIN documents ON documents.topic_id = topics.id
JOIN users ON users.id = documents.author_id
WHERE followed_topics.user_id = :it
ORDER BY documents.score DESC, documents.id LIMIT 30
"""

_TEAM = """
SELECT users.name, COUNT(*), SUM(orders.cents), COUNT(DISTINCT products.category),
       RANK() OVER (ORDER BY SUM(orders.cents) DESC)
FROM users
JOIN orders ON orders.user_id = users.id
JOIN products ON products.id = orders.product_id
WHERE users.team_id = :it
GROUP BY users.id ORDER BY users.id
"""

_REGION = """
SELECT teams.id, COUNT(*), SUM(orders.cents), MAX(orders.cents)
FROM teams
JOIN users ON users.team_id = teams.id
JOIN orders ON orders.user_id = users.id
WHERE teams.region_id = :it
GROUP BY teams.id ORDER BY teams.id
"""

_DIGEST = """
SELECT users.team_id, COUNT(*), AVG(documents.score), MAX(documents.title),
       SUM(LENGTH(documents.body)), SUM(documents.body LIKE '%harbor%raven%'),
       SUM(documents.body LIKE '%willow%'), COUNT(DISTINCT SUBSTR(documents.title, 1, 5))
FROM documents JOIN users ON users.id = documents.author_id
WHERE documents.topic_id = :it
GROUP BY users.team_id ORDER BY users.team_id
"""

_SEARCH = """
SELECT id, topic_id, title FROM documents
WHERE title LIKE '%' || :it || '%' ORDER BY title, id LIMIT 25
"""

_TICKER = """
SELECT COUNT(*), SUM(orders.cents), AVG(orders.cents)
FROM orders JOIN products ON products.id = orders.product_id
WHERE products.category = :it AND orders.day > 330
"""


def load_answer(connection: sqlite3.Connection, key: str) -> Answer:
    """Ask the database what a key stands for.

    Args:
        connection: connection in autocommit mode.
        key: such as ``user:7`` or ``search:maple``.

    Returns:
        The answer; all of it from one moment.
    """
    kind, _, argument = key.partition(":")
    connection.execute("BEGIN")
    try:
        return _QUESTIONS[kind](connection, argument)
    finally:
        connection.execute("COMMIT")


def read_revision(connection: sqlite3.Connection, thing: str) -> int:
    """Return how often a thing was written to."""
    row = connection.execute("SELECT revision FROM revisions WHERE thing = ?", (thing,)).fetchone()
    return 0 if row is None else int(row[0])


def _question(thing: str, sql: str) -> Question:
    """Make a question whose answers all come from one thing, or from none that can change."""

    def ask(connection: sqlite3.Connection, argument: str) -> Answer:
        source = thing.format(argument)
        return {
            "rows": connection.execute(sql, {"it": argument}).fetchall(),
            "revisions": {source: read_revision(connection, source)} if source else {},
        }

    return ask


def _ask_for_feed(connection: sqlite3.Connection, user: str) -> Answer:
    topics = connection.execute(
        "SELECT topic_id FROM followed_topics WHERE user_id = ? ORDER BY topic_id", (user,)
    ).fetchall()
    sources = [f"topic:{topic}" for (topic,) in topics]
    return {
        "rows": connection.execute(_FEED, {"it": user}).fetchall(),
        "revisions": {source: read_revision(connection, source) for source in sources},
    }


_QUESTIONS: dict[str, Question] = {
    "user": _question("user:{}", _PROFILE),
    "history": _question("user:{}", _HISTORY),
    "recommend": _question("user:{}", _RECOMMENDATIONS),
    "feed": _ask_for_feed,
    "team": _question("team:{}", _TEAM),
    "region": _question("region:{}", _REGION),
    "digest": _question("topic:{}", _DIGEST),
    "search": _question("search", _SEARCH),
    "ticker": _question("", _TICKER),
}
