"""An open connection as the tier sees it: whose server it is, and which generation holds.

The generation of a namespace is a number that every record carries; what carries another
is void. `clear` raises it. Each connection has the server tell it when that happens
(`CLIENT TRACKING`), and knows the generation at every point of the wire: the server puts
its message before the replies to all commands that came after the change.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from typing import Any

from scrubjay.errors import TierUnavailableError
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.exchange import Exchange, Request
from scrubjay.tiers._redis.failures import error_of, word
from scrubjay.tiers._redis.wire import Command
from scrubjay.versions import Feed

Handshake = Generator[Request, list[Any], None]  # is sent the replies

_TOUCH_SECONDS = 1.0
_DEMOTED_SECONDS = 1.0
_SENTINELS = b"__sentinel__:hello"  # the channel that Sentinels subscribe to at a primary
_STANDING = (b"INFO", b"replication")
#: before a command: the server tells of changes to what that reads
TRACK = (b"CLIENT", b"CACHING", b"YES")

Tell = Callable[["Sequence[bytes] | None"], object]


class Session:
    """What is known of one connection.

    Args:
        generation_key: where the server has the generation of the namespace.
        tell: told of the server's keys that have changed after they were read with `TRACK`.
        now: the monotonic time that the feed is dated by.
    """

    def __init__(
        self, generation_key: bytes, tell: Tell = bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.exchange = Exchange(self._pushed, time.monotonic())
        self.exchange.on_lost = self._lost
        #: what it tells of changes
        self.feed = Feed(b"", now(), tell)
        self._now = now
        #: whether the server is asked now and then, so that silence is noticed
        self.beating = False
        #: has the driver begin with that
        self.on_beating: Callable[[], object] | None = None
        #: the generation that holds; None if it has to be asked for
        self.generation: int | None = None
        #: the server's name for itself since its start; b"" if it does not say
        self.run_id = b""
        #: whether another connection might find a better server
        self.outdated = False
        #: the server's number for this connection
        self.client_id = 0
        #: what carries it, if that is for its driver to know
        self.carrier: Any = None
        #: a request with a later deadline than this brings `touch` with it
        self.touch_at = math.inf
        self._key = generation_key
        self._since = time.monotonic()
        self._server_time = 0.0  # minus the monotonic time, in seconds

    def now_us(self) -> int:
        """Return the server's time in microseconds, as far as it can be known from here."""
        return int((self._server_time + time.monotonic()) * 1e6)

    def demoted(self) -> None:
        """Note that the server has refused a write, as it is a replica now.

        Its name may lead to the new primary already, so the next operation connects again;
        not more than once a second, as it may lead to this one still.
        """
        self.outdated = time.monotonic() - self._since > _DEMOTED_SECONDS

    def begin(self, address: Address, name: str, before: Session | None) -> Handshake:
        """Introduce ourselves, and make sure that the connection before this is dead.

        Args:
            address: the user and the database.
            name: what the server is to call the connection in its lists.
            before: the session that was lost. What it had sent and was not answered might
                still come to be done after what this one does, so the server is told to
                forget it.
        """
        hello: Command = (b"HELLO", b"3")
        if address.password is not None:
            hello += (b"AUTH", address.user.encode() or b"default", address.password.encode())
        commands = [(*hello, b"SETNAME", name.encode())]
        if address.database:
            commands.append((b"SELECT", str(address.database).encode()))
        # Without NOLOOP: a change of one's own is told too, before the next reply.
        commands += [(b"TIME",), (b"CLIENT", b"TRACKING", b"ON", b"OPTIN"), (b"INFO", b"server")]
        replies = yield _request(commands)
        if word(replies[0]) in {"NOPROTO", "ERR"}:
            reason = str(error_of(replies[0]))
            raise TierUnavailableError(f"Redis 6 or newer, or Valkey, is needed: {reason}")
        for reply in replies[:-1]:
            if isinstance(reply, Exception):
                raise _refusal(reply)
        try:
            self.client_id = int(replies[0][b"id"])
            seconds, microseconds = map(int, replies[-3])
        except (KeyError, TypeError, ValueError):
            raise TierUnavailableError("what answers is no server of Redis or Valkey") from None
        self._server_time = seconds + microseconds / 1e6 - time.monotonic()
        self.run_id = _run_id(replies[-1])
        if before is not None and before.run_id and before.run_id == self.run_id:
            yield _request([(b"CLIENT", b"KILL", b"ID", str(before.client_id).encode())])
        yield from self.learn()
        self.touch_at = 0.0

    def watching(self, *, until_failover: bool = False) -> Handshake:
        """Make sure that what is read can be watched, and silence be noticed.

        Args:
            until_failover: see `Feed`.
        """
        if self.beating:
            return
        feed = self.feed
        replies = yield _request([_STANDING, (b"PUBSUB", b"NUMSUB", _SENTINELS)])
        epoch, primary, failover = self._standing(replies[0])
        watched = replies[1]  # by Sentinels, of which each subscribes to this channel
        if isinstance(watched, list) and len(watched) == 2 and watched[1]:
            failover = True
        if not self.beating:  # nobody else has come before
            feed.epoch, feed.primary, feed.failover = epoch, primary, failover
            feed.until_failover = until_failover
            self.beating = True
            if self.on_beating is not None:
                self.on_beating()

    def heartbeat(self, deadline: float) -> Request:
        """Return a request that tells whether the server is there and still the same.

        Args:
            deadline: of the request.
        """
        request = _request([_STANDING])
        request.deadline = deadline
        feed, asked = self.feed, self._now()

        def heard(replies: list[Any]) -> None:
            epoch, primary, failover = self._standing(replies[0])
            feed.failover = feed.failover or failover
            if (epoch, primary) == (feed.epoch, feed.primary):
                feed.confirmed = asked
            else:
                self.outdated = True
                feed.lose()

        request.on_replies = heard
        return request

    def _standing(self, info: Any) -> tuple[bytes, bool, bool]:
        """Return the epoch, whether the server is a primary, and whether it has replicas."""
        found = _fields(info)
        history = found.get(b"master_replid", b"")
        if not self.run_id or not history:
            return b"", True, False
        epoch = blake2b(self.run_id + history, digest_size=8).digest()
        replicas = found.get(b"connected_slaves", b"0") != b"0"
        return epoch, found.get(b"role") == b"master", replicas

    def _lost(self) -> None:
        self.feed.lose()

    def touch(self, deadline: float) -> Request:
        """Return a request that reads the generation, for nobody in particular.

        Nothing else reads it while it does not change. A server that evicts what is read
        least would take it for the least useful key of all, and all records would be void.

        Args:
            deadline: of the request that it goes with.
        """
        self.touch_at = deadline + _TOUCH_SECONDS
        request = _request(self._question())
        request.deadline = deadline
        request.on_replies = self._learned
        return request

    def learn(self) -> Generator[Request, list[Any], int]:
        """Ask for the generation that holds; return it."""
        while True:
            for commands in (self._question(), self._creation()):
                request = _request(commands)
                request.on_replies = self._learned
                replies = yield request
                if isinstance(replies[-1], Exception):
                    raise _refusal(replies[-1])
                if self.generation is not None:
                    return self.generation
                if replies[-1] is not None:
                    break  # there is one, but it has changed again

    def _question(self) -> list[Command]:
        return [TRACK, (b"GET", self._key)]

    def _creation(self) -> list[Command]:
        """Return commands which make a generation that no record can have.

        It may be the first; or the server has dropped the last, to make room or with all
        else. It must not be zero then, or what was cleared long ago would come back.
        """
        first = str(self.now_us()).encode()
        return [(b"SET", self._key, first, b"NX"), *self._question()]

    def _learned(self, replies: list[Any]) -> None:
        reply = replies[-1]
        if isinstance(reply, Exception):
            return
        self.generation = None if reply is None else int(reply)

    def _pushed(self, push: list[Any]) -> None:
        if push[0] != b"invalidate":
            return
        names = push[1]
        if names is None or self._key in names:
            self.generation = None
            self.exchange.cross()
            names = None  # it makes every record void
        self.feed.changed(names)


def _request(commands: list[Command]) -> Request:
    return Request(wire.encode(commands), len(commands))


def _run_id(info: Any) -> bytes:
    return _fields(info).get(b"run_id", b"")


def _fields(info: Any) -> dict[bytes, bytes]:
    """Return what a reply to INFO says, by name; nothing for an error."""
    if not isinstance(info, bytes):
        return {}
    return dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)


def _refusal(reply: Exception) -> TierUnavailableError:
    """Return the error for a server that cannot be used as it is, whatever the reason."""
    error = error_of(reply)
    return error if isinstance(error, TierUnavailableError) else TierUnavailableError(str(error))
