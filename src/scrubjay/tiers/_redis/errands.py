"""The parts of an operation on a cluster, and what a driver has to do for them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.operations import Operation
from scrubjay.tiers._redis.topology import Where

_T = TypeVar("_T")


class Link(Protocol):
    """The connection to one member, made anew whenever it is lost."""

    def current(self) -> Any:
        """Return its session if it is ready, else None."""

    def retire(self, reason: str) -> None:
        """Close it for good."""


class Links(Protocol):
    """The connections of one face of the tier."""

    def of(self, where: Where) -> Link:
        """Return the connection to a member, which may have to be opened yet."""

    def leave(self, those: Iterable[Where]) -> None:
        """Close the connections to some members, and forget them."""


class Connect(NamedTuple):
    """Wait until a link is ready; send back its session."""

    link: Any
    deadline: float


class Send(NamedTuple):
    """Send requests, all before the first reply is awaited; send back the outcome of each."""

    requests: list[tuple[NodeSession, Request]]


class Pause(NamedTuple):
    """Wait for some time."""

    seconds: float


Steps = Generator["Connect | Send | Pause", Any, _T]


class Errand:
    """An operation on one bucket, or on one primary.

    Args:
        operation: what to do; it is sent a `View` of the bucket, or the primary's session.
        slot: of the bucket.
        key: of the bucket's generation.
        where: the primary; None for whoever has the bucket.
    """

    __slots__ = (
        "_answer",
        "_failure",
        "error",
        "key",
        "operation",
        "result",
        "slot",
        "view",
        "where",
    )

    def __init__(
        self,
        operation: Operation[Any],
        slot: int = -1,
        key: bytes = b"",
        where: Where | None = None,
    ) -> None:
        self.operation = operation
        self.slot = slot
        self.key = key
        self.where = where
        self.view: Any = None
        self.result: Any = None
        self.error: Exception | None = None
        self._answer: Any = None
        self._failure: Exception | None = None

    def take(self, answer: Any) -> None:
        """Take what came of the last step: an error is raised in the operation."""
        if isinstance(answer, Exception):
            self._failure = answer
        else:
            self._answer = answer

    def step(self) -> Any:
        """Return what the operation wants next; `self` when it is over."""
        answer, failure = self._answer, self._failure
        self._answer = self._failure = None
        try:
            if failure is not None:
                return self.operation.throw(failure)
            return self.operation.send(answer)
        except StopIteration as end:
            self.result = end.value
        except Exception as error:
            self.error = error
        return self


#: asks that the epochs of all primaries be known, as far as they can be asked
ACQUAINT: Final = None
#: an operation of the tier: yields errands, or `ACQUAINT`, and is sent their results
Split = Generator["Sequence[Errand] | None", Any, _T]
