"""Which primary of a cluster has which slots, as one of its members tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from scrubjay.errors import TierUnavailableError
from scrubjay.tiers._redis.failures import error_of
from scrubjay.tiers._redis.slots import SLOTS
from scrubjay.tiers._redis.wire import Command

#: what a member is asked; its replies make a `Topology`
QUESTIONS: Final[list[Command]] = [
    (b"CLUSTER", b"SLOTS"),
    (b"CLUSTER", b"NODES"),
    (b"CLUSTER", b"INFO"),
]

#: in place of a host: it is reached as the one that was asked
UNKNOWN_HOSTS: Final = frozenset({"", "?"})

_FLAGS = 2  # the place of a member's flags in a line of CLUSTER NODES


class Where(NamedTuple):
    """A member of a cluster.

    Args:
        host: its name or address.
        port: of TCP.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Topology:
    """The slots of a cluster and who has them.

    Args:
        owners: the primary of each slot; None for one that nobody has.
        replicas: whether there is any replica, reachable or not: it may take a primary's place.
        epoch: the number of the configuration, larger after each change.
    """

    def __init__(self, owners: Sequence[Where | None], *, replicas: bool, epoch: int) -> None:
        self.owners = owners
        self.replicas = replicas
        self.epoch = epoch
        self.primaries = frozenset(owner for owner in owners if owner is not None)
        self._slots: dict[Where, int] = {}

    def slot_at(self, where: Where) -> int | None:
        """Return a slot that a primary has; None if it has none."""
        slot = self._slots.get(where)
        if slot is None and where in self.primaries:
            slot = self._slots[where] = self.owners.index(where)
        return slot


def read(replies: Sequence[Any], asked: str) -> Topology:
    """Return what a member's replies to `QUESTIONS` say.

    Args:
        replies: the replies.
        asked: the host that was asked, for members that do not know how they are reached.

    Raises:
        TierUnavailableError: they make no sense, or it is no member of a cluster.
    """
    for reply in replies:
        if isinstance(reply, Exception):
            if "cluster support disabled" in str(reply):
                raise TierUnavailableError("the server is no part of a cluster: leave cluster out")
            error = error_of(reply)
            if isinstance(error, TierUnavailableError):
                raise error
            raise TierUnavailableError(str(error))
    slots, nodes, info = replies
    owners: list[Where | None] = [None] * SLOTS
    try:
        for begin, end, primary, *_ in slots:
            host = bytes(primary[0] or b"").decode()
            where = Where(asked if host in UNKNOWN_HOSTS else host, int(primary[1]))
            owners[begin : end + 1] = [where] * (end + 1 - begin)
        replicas = any(b"slave" in line.split()[_FLAGS].split(b",") for line in nodes.splitlines())
        epoch = epoch_in(info)
    except (AttributeError, IndexError, TypeError, ValueError):
        raise TierUnavailableError("what the server says of its cluster makes no sense") from None
    found = Topology(owners, replicas=replicas, epoch=epoch)
    if len(owners) != SLOTS or not found.primaries:
        raise TierUnavailableError("the server knows of no cluster that has slots")
    return found


def epoch_in(info: Any) -> int:
    """Return the number of the configuration in a reply to CLUSTER INFO."""
    return int(_field(info, b"cluster_current_epoch"))


def members_in(info: Any) -> int:
    """Return how many members there are, in a reply to CLUSTER INFO."""
    return int(_field(info, b"cluster_known_nodes"))


def is_well(info: Any) -> bool:
    """Tell whether a member that says this serves its slots."""
    return isinstance(info, bytes) and _field(info, b"cluster_state") == b"ok"


def _field(info: Any, name: bytes) -> bytes:
    for line in bytes(info).splitlines():
        key, _, value = line.partition(b":")
        if key == name:
            return value
    return b""
