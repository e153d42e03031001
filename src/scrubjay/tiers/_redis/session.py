"""An open connection as the tier sees it: whose server it is, and what it tells of changes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from typing import Any

from scrubjay.errors import TierUnavailableError
from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.exchange import Exchange, Request
from scrubjay.tiers._redis.failures import error_of, word
from scrubjay.tiers._redis.generation import Generation, as_request, refusal
from scrubjay.tiers._redis.wire import Command
from scrubjay.versions import Feed

Handshake = Generator[Request, list[Any], None]  # is sent the replies

_TOUCH_SECONDS = 1.0
_DEMOTED_SECONDS = 1.0
_SENTINELS = b"__sentinel__:hello"  # the channel that Sentinels subscribe to at a primary
#: the question who the server is
STANDING = (b"INFO", b"replication")

Tell = Callable[["Sequence[bytes] | None"], object]


class Session(Generation):
    """What is known of one connection.

    Args:
        generation_key: where the server has the generation of the namespace.
        tell: told of the server's keys that have changed after they were read with `TRACK`.
        now: the monotonic time that the feed is dated by.
    """

    def __init__(
        self, generation_key: bytes, tell: Tell = bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(generation_key)
        self.exchange = Exchange(self._pushed, time.monotonic())
        self.exchange.on_lost = self._lost
        #: what it tells of changes
        self.feed = Feed(b"", now(), tell)
        self._now = now
        #: whether the server is asked now and then, so that silence is noticed
        self.beating = False
        #: has the driver begin with that
        self.on_beating: Callable[[], object] | None = None
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
        replies = yield as_request(commands)
        if word(replies[0]) in {"NOPROTO", "ERR"}:
            reason = str(error_of(replies[0]))
            raise TierUnavailableError(f"Redis 6 or newer, or Valkey, is needed: {reason}")
        for reply in replies[:-1]:
            if isinstance(reply, Exception):
                raise refusal(reply)
        try:
            self.client_id = int(replies[0][b"id"])
            seconds, microseconds = map(int, replies[-3])
        except (KeyError, TypeError, ValueError):
            raise TierUnavailableError("what answers is no server of Redis or Valkey") from None
        self._server_time = seconds + microseconds / 1e6 - time.monotonic()
        self.run_id = _run_id(replies[-1])
        if before is not None and before.run_id and before.run_id == self.run_id:
            yield as_request([(b"CLIENT", b"KILL", b"ID", str(before.client_id).encode())])
        yield from self._settle()

    def _settle(self) -> Handshake:
        """Do the rest of the introduction."""
        yield from self.learn()
        self.touch_at = 0.0

    def watching(self, *, until_failover: bool = False) -> Handshake:
        """Make sure that what is read can be watched, and silence be noticed.

        Args:
            until_failover: see `Feed`.
        """
        if self.beating:
            return
        replies = yield as_request(self._standing_questions())
        standing = self._standing(replies[0])
        failover = self._watched_over(replies[1])
        if not self.beating:  # nobody else has come before
            self.feed.own_epoch, self.feed.primary, replicas = standing
            self.feed.failover = replicas or failover
            self.feed.until_failover = until_failover
            self._recognised()
            self.beating = True
            if self.on_beating is not None:
                self.on_beating()

    def _recognised(self) -> None:
        """Note which history the server has, before anything that it says is relied on."""

    def _standing_questions(self) -> list[Command]:
        return [STANDING, (b"PUBSUB", b"NUMSUB", _SENTINELS)]

    def _watched_over(self, reply: Any) -> bool:
        """Tell whether there may be Sentinels, of which each subscribes to a channel."""
        return isinstance(reply, Exception) or bool(
            isinstance(reply, list) and len(reply) == 2 and reply[1]
        )

    def heartbeat(self, deadline: float) -> Request:
        """Return a request that tells whether the server is there and still the same.

        Args:
            deadline: of the request.
        """
        beat = as_request(self._heartbeat_questions())
        beat.deadline = deadline
        asked = self._now()
        beat.on_replies = lambda replies: self._heard(replies, asked)
        return beat

    def _heartbeat_questions(self) -> list[Command]:
        return [STANDING]

    def _heard(self, replies: list[Any], asked: float) -> None:
        """Take the replies to a heartbeat that was sent at a monotonic time."""
        feed = self.feed
        epoch, primary, failover = self._standing(replies[0])
        feed.failover = feed.failover or failover
        if (epoch, primary) == (feed.own_epoch, feed.primary):
            feed.confirmed = asked
        else:
            self.outdated = True
            feed.lose()

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
        touching = as_request(self.question())
        touching.deadline = deadline
        touching.on_replies = self.learned
        return touching

    def _pushed(self, push: list[Any]) -> None:
        if push[0] != b"invalidate":
            return
        names = push[1]
        if names is None or self._key in names:
            self.generation = None
            self.exchange.cross()
            names = None  # it makes every record void
        self.feed.changed(names)


def _run_id(info: Any) -> bytes:
    return _fields(info).get(b"run_id", b"")


def _fields(info: Any) -> dict[bytes, bytes]:
    """Return what a reply to INFO says, by name; nothing for an error."""
    if not isinstance(info, bytes):
        return {}
    return dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
