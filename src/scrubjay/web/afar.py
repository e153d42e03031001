"""Nodes that are looked at from a machine on which no process has a cache of theirs."""

from __future__ import annotations

from scrubjay.clock import SystemClock
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.tiers.redis import RedisTier
from scrubjay.tiers.scopes import scope
from scrubjay.web.board import Board
from scrubjay.web.nodes import Nodes


def nodes_on(
    url: str, namespace: str, tenant: str | None = None, *, cluster: bool = False
) -> Nodes:
    """Return the nodes that tell of themselves on a Redis or Valkey server, or a cluster.

    What is signed or encrypted there cannot be read without its secret, and is counted.

    Args:
        url: of the server, as for `RedisTier`.
        namespace: of the caches.
        tenant: likewise; None for none.
        cluster: whether the server is a member of a cluster, as for `RedisTier`.

    Raises:
        InvalidArgumentError: an argument makes no sense.
        TierError: hiredis is not installed.
    """
    tier = RedisTier(
        url, cluster=cluster, namespace=scope(namespace, tenant), client_name="scrubjay-page"
    )
    prefix = KeyEncoder(namespace, tenant).prefix
    board = Board(tier, prefix, Serializer("bytes"), SystemClock())
    return Nodes(lambda: [(namespace, board)])
