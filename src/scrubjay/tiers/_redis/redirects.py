"""Replies of a cluster's member that send a command elsewhere.

Such a command has not been done, whatever became of those beside it in the same request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.failures import word
from scrubjay.tiers._redis.topology import UNKNOWN_HOSTS, Where
from scrubjay.tiers._redis.wire import Command

MOVED: Final = "MOVED"
ASK: Final = "ASK"
TRY_AGAIN: Final = "TRYAGAIN"
ASKING: Final[Command] = (b"ASKING",)


class Redirect(NamedTuple):
    """Where a command is to be sent.

    Args:
        kind: `MOVED`, or `ASK` for this once, as the slot is on its way.
        where: the member.
    """

    kind: str
    where: Where


def redirect_of(reply: Any, asked: str) -> Redirect | None:
    """Return where a reply sends a command; None if it does not.

    Args:
        reply: any reply.
        asked: the host that has replied, for one that does not name the other.
    """
    kind = word(reply)
    if kind not in {MOVED, ASK}:
        return None
    try:
        host, _, port = str(reply).split()[2].rpartition(":")
        return Redirect(kind, Where(asked if host in UNKNOWN_HOSTS else host, int(port)))
    except (IndexError, ValueError):
        return None


def commands_of(request: Request) -> Iterator[Command]:
    """Return the commands of a request, from its bytes: it takes no part in the usual case."""
    reader = wire.reader()
    reader.feed(request.payload)
    while (command := reader.gets()) is not wire.MORE:
        yield tuple(command)
