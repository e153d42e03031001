"""Reading records that have versions, as generators like those of `operations`.

A record is 32 bytes and a value. Its version comes first, then its kind, the checksum of the
key, the generation of the namespace, and the wall time of expiry. What is read is watched.
"""

from __future__ import annotations

import contextlib
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from scrubjay.clock import Clock
from scrubjay.errors import TierError
from scrubjay.tiers._redis import scripts, wire
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.failures import error_of, word
from scrubjay.tiers._redis.operations import CONNECT, Names, Operation, repeated
from scrubjay.tiers._redis.session import Session
from scrubjay.versions import Changes, Count, Feed, Fetched, Versioned, Watch

#: version, kind, checksum, generation, expiry; the value follows
RECORD: Final = struct.Struct(">QB3xIQd")
_HEADER_BYTES: Final = RECORD.size
NEVER: Final = math.inf
_MOST_KEYS = 64  # in one request
_LARGEST = (1 << 63) - 1  # generation

# `TRACK` and GET, with the length of the name and the name to come.
_WATCHED_GET: Final = (
    b"*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n"
)


class VersionedReading:
    """What a shared tier reads.

    Args:
        names: of keys on the server.
        clock: tells the wall time.
        damaged: told when something that no tier has written was found.
        until_failover: whether barriers may be had where another server may take over.
    """

    def __init__(
        self,
        names: Names,
        clock: Clock,
        damaged: Callable[[str], None],
        *,
        until_failover: bool,
    ) -> None:
        self._names = names
        self._time = clock.time
        self._damaged = damaged
        self._until_failover = until_failover

    def changes(self, names: Sequence[bytes] | None) -> Changes | None:
        """Return what changed, by the server's names of it."""
        if names is None:
            return None
        record, counter = self._names.versioned, self._names.counter
        return Changes(
            tuple(name[len(record) : -1] for name in names if name.startswith(record)),
            tuple(name[len(counter) :] for name in names if name.startswith(counter)),
        )

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes]) -> Operation[Fetched]:
        """Read records and generations, and have the server tell of changes to them."""
        records: list[Versioned | None] = []
        for at in range(0, max(len(keys), 1), _MOST_KEYS):
            some = keys[at : at + _MOST_KEYS]
            now = names if at + _MOST_KEYS >= len(keys) else ()
            session, replies, watches = yield from self._read(some, now)
            generation = session.generation
            if generation is None:
                generation = yield from session.learn()
            # What makes all records void must be told of too.
            own: Sequence[Watch | None] = watches
            if session.generation != generation:
                own = [None] * len(some)
            for key, reply, watch in zip(some, replies, own, strict=False):
                records.append(self._record(key, reply, generation, watch, session.feed))
            counts = yield from self._counts(
                now, replies[len(some) :], watches[len(some) :], session
            )
        return Fetched(records, counts, session.feed)

    def _read(
        self, keys: Sequence[bytes], names: Sequence[bytes]
    ) -> Operation[tuple[Session, list[Any], Sequence[Watch | None]]]:
        def attempt(
            session: Session,
        ) -> Operation[tuple[Session, list[Any], Sequence[Watch | None]]]:
            request, watches = self.reading(session, keys, names)
            yield from session.watching(until_failover=self._until_failover)
            replies = (yield request) if request.count else []
            no_error(replies[::2])
            return session, replies[1::2], told(request, watches)

        return (yield from repeated(attempt))

    def reading(
        self, session: Session, keys: Sequence[bytes], names: Sequence[bytes]
    ) -> tuple[Request, list[Watch]]:
        """Return the request that reads records and generations, and where their watches come."""
        record, counter = self._names.versioned, self._names.counter
        asked = [b"%b%b}" % (record, key) for key in keys]
        asked += [counter + name for name in names]
        # Each for itself and not by MGET: keys may be in different slots of a cluster.
        payload = b"".join([_WATCHED_GET % (len(name), name) for name in asked])
        request = Request(payload, 2 * len(asked))
        watches: list[Watch] = []
        watch = session.feed.watch
        request.on_replies = lambda _: watches.extend(map(watch, asked))
        return request, watches

    def fetched(
        self,
        session: Session,
        keys: Sequence[bytes],
        replies: list[Any],
        watches: list[Watch],
    ) -> Fetched | None:
        """Return what the replies say of keys, then of names; None if that takes more questions."""
        generation = session.generation
        values = replies[1::2]
        if generation is None or None in values[len(keys) :]:
            return None
        no_error(replies[::2])
        feed = session.feed
        records = [
            self._record(key, value, generation, watch, feed)
            for key, value, watch in zip(keys, values, watches, strict=False)
        ]
        counts = [
            Count(number(value), watch, feed)
            for value, watch in zip(values[len(keys) :], watches[len(keys) :], strict=True)
        ]
        return Fetched(records, counts, feed)

    def _counts(
        self,
        names: Sequence[bytes],
        replies: list[Any],
        watches: Sequence[Watch | None],
        session: Session,
    ) -> Operation[list[Count]]:
        counts: list[Count] = []
        for name, reply, watch in zip(names, replies, watches, strict=True):
            value, watched = reply, watch
            while value is None:
                # It must not begin where it once began, see `operations`.
                key = self._names.counter + name
                session = yield CONNECT
                first = (b"SET", key, b"%d" % session.now_us(), b"NX")
                no_error((yield Request(wire.encode([first]), 1)))
                session, (value,), (watched,) = yield from self._read((), (name,))
            counts.append(Count(number(value), watched, session.feed))
        return counts

    def _record(
        self, key: bytes, reply: Any, generation: int, watch: Watch | None, feed: Feed
    ) -> Versioned | None:
        if reply is None:
            return None
        try:
            version, kind, checksum, of_generation, expires_at = RECORD.unpack_from(reply)
        except (struct.error, TypeError):
            version = kind = checksum = of_generation = expires_at = 0
        known = scripts.VALUE <= kind <= scripts.LEASE and version < scripts.END
        if checksum != zlib.crc32(key) or not known:
            if type(reply) is not bytes and word(reply) != "WRONGTYPE":
                raise error_of(reply)
            self._damaged("the server has something under a key that is no record of it")
            return None
        if kind != scripts.VALUE or of_generation != generation:
            return Versioned(version, None, None, watch, feed)
        if expires_at == NEVER:
            return Versioned(version, reply[_HEADER_BYTES:], None, watch, feed)
        if expires_at <= self._time():
            return Versioned(version, None, None, watch, feed)
        return Versioned(version, reply[_HEADER_BYTES:], expires_at, watch, feed)


def told(request: Request, watches: list[Watch]) -> Sequence[Watch | None]:
    """Return watches; nobody tells of what was read elsewhere, as a slot is on its way."""
    return [None] * len(watches) if request.followed else watches


def generation_of(session: Session, request: Request) -> int | None:
    """Return the generation that held when a request was done that nothing has crossed."""
    known = session.generation
    return request.generation if known is None or request.followed else known


def no_error(replies: Sequence[Any]) -> None:
    """Raise what the first error among replies stands for."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise error_of(reply)


def number(reply: Any) -> int:
    """Return a reply that is a number of ours, 0 to 2**63 - 1; raise what another stands for."""
    if isinstance(reply, (int, bytes)):
        with contextlib.suppress(ValueError):
            found = int(reply)
            if 0 <= found <= _LARGEST:
                return found
    raise (
        error_of(reply) if isinstance(reply, Exception) else TierError("no number from the server")
    )
