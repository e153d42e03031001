"""Versions, leases and watches on the wire, as generators like those of `operations`.

What a record is stands in `versioned_reading`. A removal leaves a tombstone, which has a version and no value; so has a lease, whose version is the token of who
holds it. Whatever is written in its place voids it.

A value is staged under a name of its own and moved into place by a script that gives it its
version, so no value goes through a script. Both names are in the same slot of a cluster.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

from scrubjay.clock import Clock
from scrubjay.errors import (
    InvalidArgumentError,
    TierFullError,
    TierUnavailableError,
)
from scrubjay.tiers._redis import scripts, wire
from scrubjay.tiers._redis.exchange import Request, Shared
from scrubjay.tiers._redis.failures import error_of, word
from scrubjay.tiers._redis.generation import TRACK
from scrubjay.tiers._redis.operations import CONNECT, Names, Operation, repeated
from scrubjay.tiers._redis.redirects import TRY_AGAIN
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.versioned_reading import (
    NEVER,
    RECORD,
    VersionedReading,
    generation_of,
    no_error,
    number,
    told,
)
from scrubjay.tiers._redis.wire import Command
from scrubjay.tiers.protocol import TierRecord
from scrubjay.versions import Count, Feed, Lease, Token, Versioned, Watch

_LEASED = struct.Struct(">B3xIQ")  # of a record, what a script is told of a lease
_VERSION = struct.Struct(">Q")
_LAST_OF_VERSION = b"7"
_STAGED_MS = 30_000  # how long the server keeps what was staged and never moved
_MOST_MS = 1 << 53
_LONGEST_OWNER = 64

PING: Final = b"*1\r\n$4\r\nPING\r\n"

OnReplies = Callable[[Session, "list[Any]"], object]


class Coherence(VersionedReading):
    """The operations of a shared tier on records that have versions.

    Args:
        names: of keys on the server.
        clock: tells the wall time.
        max_value_bytes: the largest value that is kept.
        tombstone_seconds: how long the version of what was removed is remembered.
        until_failover: whether barriers may be had where another server may take over.
        damaged: told when something that no tier has written was found.
    """

    def __init__(
        self,
        names: Names,
        clock: Clock,
        max_value_bytes: int,
        tombstone_seconds: float,
        damaged: Callable[[str], None],
        *,
        until_failover: bool = False,
    ) -> None:
        super().__init__(names, clock, damaged, until_failover=until_failover)
        self._largest = max_value_bytes
        self._tombstone_ms = b"%d" % math.ceil(tombstone_seconds * 1000)
        self._stage_of = os.urandom(6).hex().encode()
        self._staged = count()

    def after_fork(self) -> None:
        """Stage under other names than the parent."""
        self._stage_of = os.urandom(6).hex().encode()

    # ---- writing

    def write(self, record: TierRecord) -> Operation[Versioned]:
        """Store a record; return its version, and a watch if nothing came after it."""
        written = yield from self._store(record, None)
        assert written is not None
        return written

    def fill(self, record: TierRecord, token: Token) -> Operation[Versioned | None]:
        """Store a record if the lease still holds; return None if it does not."""
        return (yield from self._store(record, token))

    def _store(self, record: TierRecord, token: Token | None) -> Operation[Versioned | None]:
        key, value, expires_at, _ = record
        life = None if expires_at is None else math.ceil((expires_at - self._time()) * 1000)
        if len(value) > self._largest or (life is not None and life <= 0):
            if token is not None:
                yield from self.release(key, token)
                return None
            (removed,) = yield from self.delete([key])
            return removed
        name, staged = self._versioned(key), self._staging(key)
        end = NEVER if expires_at is None else expires_at
        milliseconds = b"" if life is None else b"%d" % min(life, _MOST_MS)
        lease = b"" if token is None else _VERSION.pack(token.version)

        placing = False

        def make(_: Session, generation: int) -> list[Command]:
            if token is not None:
                generation = token.generation
            head = RECORD.pack(0, scripts.VALUE, zlib.crc32(key), generation, end)
            if placing:
                placed = head[_VERSION.size :] + value
                place = scripts.PLACE.call((name,), milliseconds, lease, placed)
                return [(b"UNLINK", staged), place, *self._again(name)]
            return [
                (b"SET", staged, head + value, b"PX", b"%d" % _STAGED_MS),
                scripts.COMMIT.call((name, staged), milliseconds, lease),
                # Our own change has ended the watch. So another one, in time to be sure that
                # nothing has come in between: see the version.
                *self._again(name),
            ]

        watches: list[Watch] = []
        while True:
            session, request, replies = yield from self._send(
                make,
                lambda session, _: watches.append(session.feed.watch(name)),
            )
            if isinstance(replies[0], Exception) and word(replies[0]) != "OOM":
                raise error_of(replies[0])
            if word(replies[0]) == "OOM" or word(replies[1]) == "OOM" or replies[1] == -1:
                # What the key had before is out of date. Removing takes no memory.
                yield from self._send(lambda *_: [(b"UNLINK", name), (b"UNLINK", staged)])
                raise TierFullError("the server has no memory left")
            if word(replies[1]) == TRY_AGAIN:
                placing = True  # the slot is on its way, and only one of two keys is there
                continue
            no_error(replies)
            version = number(replies[1])
            if token is not None and (
                version == 0
                or request.crossed is not None
                or generation_of(session, request) != token.generation
            ):
                return None  # what was stored nevertheless is void, as all records are
            if (
                token is None
                and request.crossed is not None
                and request.crossed <= 1
                and (yield from session.superseded(request.generation))
            ):
                continue  # all records were made void meanwhile, this one perhaps too: once more
            found = replies[3:] and replies[3]
            watched = not request.followed and session.generation == request.generation
            same = watched and found == _VERSION.pack(version)
            return Versioned(
                version, value, expires_at, watches[-1] if same else None, session.feed
            )

    def _again(self, name: bytes) -> list[Command]:
        """Return the commands that begin to watch what was just written."""
        return [TRACK, (b"GETRANGE", name, b"0", _LAST_OF_VERSION)]

    def delete(self, keys: Sequence[bytes]) -> Operation[list[Versioned]]:
        """Leave tombstones; return them."""
        if not keys:
            return []

        def make(_: Session, generation: int) -> list[Command]:
            return [self._bury(key, generation) for key in keys]

        session, _, replies = yield from self._send(make)
        return [Versioned(number(one), None, None, None, session.feed) for one in replies]

    def _bury(self, key: bytes, generation: int) -> Command:
        return scripts.BURY.call(
            (self._versioned(key),), self._tombstone(key, generation), self._tombstone_ms
        )

    def _tombstone(self, key: bytes, generation: int) -> bytes:
        """Return a tombstone without its version."""
        record = RECORD.pack(0, scripts.TOMBSTONE, zlib.crc32(key), generation, NEVER)
        return record[_VERSION.size :]

    # ---- loading

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Operation[Lease]:
        """Ask for the right to load a value, and read what there is."""
        if not 0 < len(owner) <= _LONGEST_OWNER:
            raise InvalidArgumentError(f"owner: 1 to {_LONGEST_OWNER} bytes, not {len(owner)}")
        name = self._versioned(key)
        asked = [self._names.counter + one for one in names]
        useless = b"" if void is None else _VERSION.pack(void)
        reads = [part for one in (name, *asked) for part in (TRACK, (b"GET", one))]

        def make(_: Session, generation: int) -> list[Command]:
            mark = _LEASED.pack(scripts.LEASE, zlib.crc32(key), generation)
            grant = scripts.GRANT.call((name,), mark, owner, b"%.6f" % seconds, useless)
            return [grant, *reads]

        watches: list[Watch] = []

        def watch(session: Session, _: list[Any]) -> None:
            watches[:] = map(session.feed.watch, (name, *asked))

        while True:
            session, request, replies = yield from self._send(make, watch, repeatable=True)
            if request.crossed is not None:
                continue
            no_error(replies[1::2])
            if type(replies[0]) is not list or len(replies[0]) != 3:
                raise error_of(replies[0])
            state, version, left = replies[0]
            generation = generation_of(session, request)
            if generation is None:
                continue
            kept = told(request, watches)
            watch_of = kept[0] if session.generation == generation else None
            found = self._record(key, replies[2], generation, watch_of, session.feed)
            counts = yield from self._counts(names, replies[4::2], kept[1:], session)
            expired = found is not None and found.value is None and state == 1
            if expired and useless != _VERSION.pack(version):
                useless = _VERSION.pack(version)  # by our clock, not yet by the server's
                continue
            token = None
            if state == 2:
                token = Token(version, generation, owner)
            return Lease(token, found, left / 1000, counts, session.feed)

    def release(self, key: bytes, token: Token) -> Operation[bool]:
        """Give a lease back, so that others need not wait; return whether it still held."""
        name, lease = self._versioned(key), _VERSION.pack(token.version)

        def make(_: Session, generation: int) -> list[Command]:
            tombstone = self._tombstone(key, generation)
            return [scripts.RELEASE.call((name,), lease, tombstone, self._tombstone_ms)]

        _, _, replies = yield from self._send(make, repeatable=True)
        return number(replies[0]) == 1

    # ---- generations

    def advance(self, names: Sequence[bytes]) -> Operation[list[Count]]:
        """Begin new generations, and watch them."""
        if not names:
            return []
        keys = [self._names.counter + name for name in names]

        def make(session: Session, _: int) -> list[Command]:
            first = b"%d" % session.now_us()
            commands: list[Command] = []
            for key in keys:
                # See `operations` for what the first must be.
                commands += [(b"SET", key, first, b"NX"), (b"INCR", key), TRACK, (b"GET", key)]
            return commands

        watches: list[Watch] = []

        def watch(session: Session, _: list[Any]) -> None:
            watches[:] = map(session.feed.watch, keys)

        # One generation too many does no harm.
        session, request, replies = yield from self._send(make, watch, repeatable=True)
        no_error(replies[2::4])
        counts: list[Count] = []
        for watched, raised, found in zip(
            told(request, watches), replies[1::4], replies[3::4], strict=True
        ):
            same = number(raised) == number(found)
            counts.append(Count(number(raised), watched if same else None, session.feed))
        return counts

    # ---- order

    def barrier(self, _: Sequence[Feed] = ()) -> Operation[Feed]:
        """Return when all changes that were made before have been told on this connection.

        Those who wait at the same time share a PING. Whose word is wanted makes no difference.

        Raises:
            ConsistencyUnavailableError: the server is a replica, or another may take over.
        """

        def attempt(session: Session) -> Operation[Feed]:
            yield from session.watching(until_failover=self._until_failover)
            session.feed.check_strong()
            (reply,) = yield Shared(PING, 1)
            if isinstance(reply, Exception):
                raise error_of(reply)
            session.feed.check_strong()
            return session.feed

        return (yield from repeated(attempt))

    def feed(self) -> Operation[Feed]:
        """Return the feed of the connection, which is opened if need be."""
        session: Session = yield CONNECT
        yield from session.watching(until_failover=self._until_failover)
        return session.feed

    def _send(
        self,
        make: Callable[[Session, int], list[Command]],
        on_replies: OnReplies | None = None,
        *,
        repeatable: bool = False,
    ) -> Operation[tuple[Session, Request, list[Any]]]:
        """Send commands, of which some are scripts that the server may not know yet."""

        def attempt(session: Session) -> Operation[tuple[Session, Request, list[Any]]]:
            loaded = False
            while True:
                yield from session.watching(until_failover=self._until_failover)
                generation = session.generation
                if generation is None:
                    generation = yield from session.learn()
                commands = make(session, generation)
                request = Request(wire.encode(commands), len(commands))
                request.generation = generation
                if on_replies is not None:
                    request.on_replies = lambda replies: on_replies(session, replies)
                replies = yield request
                words = {word(reply) for reply in replies}
                if "NOSCRIPT" in words and not loaded:
                    loaded = True
                    loading = [script.loading for script in scripts.ALL]
                    no_error((yield Request(wire.encode(loading), len(loading))))
                    continue
                if "READONLY" in words:
                    session.demoted()
                    raise TierUnavailableError("the server is a replica and takes no writes")
                return session, request, replies

        return (yield from repeated(attempt, repeatable=repeatable))

    def _versioned(self, key: bytes) -> bytes:
        return b"%b%b}" % (self._names.versioned, key)

    def _staging(self, key: bytes) -> bytes:
        return b"%b%b}%b:%d" % (self._names.staging, key, self._stage_of, next(self._staged))
