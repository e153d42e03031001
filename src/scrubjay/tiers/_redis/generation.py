"""The generation of a namespace, or of a bucket of it, as one connection knows it.

It is a number that every record carries; what carries another is void. `clear` raises it.
Each connection has the server tell it when that happens (`CLIENT TRACKING`), and knows the
generation at every point of the wire: the server puts its message before the replies to all
commands that came after the change.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from scrubjay.errors import TierUnavailableError
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.failures import error_of
from scrubjay.tiers._redis.wire import Command

#: before a command: the server tells of changes to what that reads
TRACK = (b"CLIENT", b"CACHING", b"YES")


class Generation:
    """What is known of one generation.

    Args:
        key: where the server has it.
    """

    def __init__(self, key: bytes) -> None:
        #: the generation that holds; None if it has to be asked for
        self.generation: int | None = None
        self._key = key

    def now_us(self) -> int:
        """Return the server's time in microseconds, as far as it can be known from here."""
        raise NotImplementedError

    def learn(self) -> Generator[Request, list[Any], int]:
        """Ask for the generation that holds; return it."""
        while True:
            for commands in (self.question(), self._creation()):
                asked = as_request(commands)
                asked.on_replies = self.learned
                replies = yield asked
                for reply in replies:
                    if isinstance(reply, Exception):
                        raise refusal(reply)
                found = replies[-1]
                if asked.followed and found is not None:
                    return int(found)  # of now: nobody would tell of the next
                if self.generation is not None:
                    return self.generation
                if found is not None:
                    break  # there is one, but it has changed again

    def superseded(self, generation: int | None) -> Generator[Request, list[Any], bool]:
        """Tell whether another generation than this holds by now."""
        now = self.generation
        if now is None:
            now = yield from self.learn()
        return now != generation

    def question(self) -> list[Command]:
        """Return the commands that read it."""
        return [TRACK, (b"GET", self._key)]

    def learned(self, replies: list[Any]) -> None:
        """Take what the server replied to `question`."""
        if any(isinstance(reply, Exception) for reply in replies):
            return  # it may not be known, or nobody would tell of the next
        reply = replies[-1]
        self.generation = None if reply is None else int(reply)

    def _creation(self) -> list[Command]:
        """Return commands which make a generation that no record can have.

        It may be the first; or the server has dropped the last, to make room or with all
        else. It must not be zero then, or what was cleared long ago would come back.
        """
        first = str(self.now_us()).encode()
        return [(b"SET", self._key, first, b"NX"), *self.question()]


def as_request(commands: list[Command]) -> Request:
    """Return commands as one request."""
    return Request(wire.encode(commands), len(commands))


def refusal(reply: Exception) -> TierUnavailableError:
    """Return the error for a server that cannot be used as it is, whatever the reason."""
    error = error_of(reply)
    return error if isinstance(error, TierUnavailableError) else TierUnavailableError(str(error))
