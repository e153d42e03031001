"""What the commands that show caches are asked for alike; needs the extra ``cli``."""

from __future__ import annotations

from typing import Annotated

import typer

from scrubjay.web.nodes import Nodes

Redis = Annotated[
    str | None,
    typer.Option(
        help="A Redis or Valkey server, redis://user:password@host:port/database, on which nodes "
        "tell of themselves: those that exposed a cache with nodes=True."
    ),
]
Cluster = Annotated[bool, typer.Option(help="That server is a member of a cluster.")]
Namespace = Annotated[str, typer.Option(help="The namespace of their caches, with --redis.")]
Tenant = Annotated[str | None, typer.Option(help="The tenant of their caches, with --redis.")]


def nodes(redis: str | None, namespace: str, tenant: str | None, cluster: bool) -> Nodes | None:
    """Return the nodes that were asked for, if any were.

    Raises:
        CacheError: an argument makes no sense, or the extra ``redis`` is not installed.
    """
    if redis is None:
        return None
    from scrubjay.web.afar import nodes_on  # noqa: PLC0415 - an extra of its own

    return nodes_on(redis, namespace, tenant, cluster=cluster)
