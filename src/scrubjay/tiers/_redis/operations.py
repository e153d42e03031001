"""What the tier does on the wire, as generators that neither wait nor touch a socket.

An operation yields `CONNECT` and is sent a session, or yields a `Request` and is sent its
replies; a driver does that, blocking or awaiting. So both faces of the tier decide alike.

What is repeated, once and within the deadline, when a connection is lost: what was not
written yet; reads; and beginning a generation, where one too many does no harm. A write
that may have been done is not: done twice, it might undo another's in between.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import zlib
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar

from scrubjay.clock import Clock
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError, TierFullError
from scrubjay.tiers._redis import wire
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.failures import CutOffError, UnsentError, error_of, word
from scrubjay.tiers._redis.session import Session
from scrubjay.tiers._redis.wire import Command
from scrubjay.tiers.checks import checked_keys
from scrubjay.tiers.protocol import TierRecord

CONNECT: Final = None
_T = TypeVar("_T")
Operation = Generator["Request | None", Any, _T]

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CHUNK_BYTES = 4 << 20  # of values in one request
# Format, checksum of the key, generation, wall time of expiry; the value follows.
_HEADER = struct.Struct("<B3xIQd")
_HEADER_BYTES = _HEADER.size
_LAST_OF_HEADER = b"%d" % (_HEADER_BYTES - 1)
_MOST_KEYS = 128  # in one command
_FORMAT = 1
_END = b"\r\n"
_NEVER = math.inf
_unpack = _HEADER.unpack_from
_crc32 = zlib.crc32


def repeated(attempt: Callable[[Any], Operation[_T]], *, repeatable: bool = True) -> Operation[_T]:
    """Attempt something on a connection, and once more on another if the first is lost.

    Args:
        attempt: called with the session.
        repeatable: whether that may be done twice; if not, what may have been done is not
            attempted again.
    """
    again = False
    while True:
        session = yield CONNECT
        try:
            return (yield from attempt(session))
        except UnsentError:
            if again:
                raise
        except CutOffError:
            if again or not repeatable:
                raise
        again = True


class Names:
    """The keys of a namespace on the server: `sj:NAMESPACE:` and one of five letters.

    Each record and each counter has a key of its own. Only MGET has several keys, to be
    quick (2.5 times for 50).

    Args:
        namespace: letters, digits, `.`, `_` and `-`; nothing that a pattern of an access
            list or a slot's tag could mistake.
        tag: what all of it has between braces, to be in one slot of a cluster: see `slots`.
    """

    def __init__(self, namespace: Any, tag: bytes = b"") -> None:
        if not isinstance(namespace, str):
            raise InvalidArgumentTypeError(f"namespace: a string, not {type(namespace).__name__}")
        if not _NAMESPACE.fullmatch(namespace):
            raise InvalidArgumentError(
                f"namespace: {namespace!r} is not 1 to 64 letters, digits, dots, dashes and _"
            )
        prefix = b"sj:" + namespace.encode() + b":"
        tagged = b"{%b}" % tag if tag else b""
        self.record = prefix + b"r:" + tagged
        #: Records with versions, and what is to become one. The key and a closing brace follow.
        self.versioned = prefix + b"v:" + (tagged or b"{.")
        self.staging = prefix + b"s:" + (tagged or b"{.")
        self.counter = prefix + b"c:" + tagged
        self.generation = prefix + b"g" + (b":" + tagged if tag else b"")


class Operations:
    """The operations of a tier.

    Args:
        names: of keys on the server.
        clock: tells the wall time.
        max_value_bytes: the largest value that is kept.
        damaged: told when something that no tier has written was found.
    """

    def __init__(
        self, names: Names, clock: Clock, max_value_bytes: int, damaged: Callable[[str], None]
    ) -> None:
        self._names = names
        self._time = clock.time
        self._largest = max_value_bytes
        self._damaged = damaged
        # What comes before a key in the command that reads it, by the key's length.
        self._heads: dict[int, bytes] = {}

    def get(self, keys: Sequence[bytes]) -> Operation[list[bytes | None]]:
        """Read records; return their values."""
        if not keys:
            return []
        payload, count = self.reading(keys)

        def attempt(session: Session) -> Operation[list[bytes | None]]:
            replies = yield Request(payload, count)
            generation = session.generation
            if generation is None:
                generation = yield from session.learn()
            return self.values(keys, replies, generation)

        return (yield from repeated(attempt))

    def put(self, records: Sequence[TierRecord]) -> Operation[list[bool]]:
        """Store records; return whether each was kept."""
        kept: list[bool] = []
        at = 0
        while at < len(records):
            end, size = at, 0
            while end < len(records) and size < _CHUNK_BYTES:
                size += len(records[end].value)
                end += 1
            kept += yield from self._put(records[at:end])
            at = end
        return kept

    def delete(self, keys: Sequence[bytes]) -> Operation[int]:
        """Remove records; return how many were there."""
        if not keys:
            return 0
        names = [self._names.record + key for key in keys]
        # What is void does not count, so the header is read first.
        commands: list[Command] = [
            command
            for name in names
            for command in ((b"GETRANGE", name, b"0", _LAST_OF_HEADER), (b"UNLINK", name))
        ]
        session, _, replies = yield from _send(lambda *_: commands, repeatable=False)
        generation = session.generation
        if generation is None:
            generation = yield from session.learn()
        removed = 0
        for key, header, unlinked in zip(keys, replies[::2], replies[1::2], strict=True):
            if isinstance(header, Exception) and word(header) != "WRONGTYPE":
                raise error_of(header)
            # Another may have stored one just after there was none.
            if _number(unlinked) and (not header or self._holds(key, header, generation)):
                removed += 1
        return removed

    def counters(self, names: Sequence[bytes]) -> Operation[list[int]]:
        """Read generations, and make those that are missing."""
        if not names:
            return []
        keys = [self._names.counter + name for name in names]
        _, _, replies = yield from _send(lambda *_: _together(keys))
        found = dict(zip(keys, _apart(replies), strict=True))
        missing = [key for key, reply in found.items() if reply is None]
        if missing:
            # A counter that was dropped for want of room must not begin where it once began.
            _, _, replies = yield from _send(
                lambda session, _: [
                    command for key in missing for command in (_first(key, session), (b"GET", key))
                ]
            )
            found.update(zip(missing, replies[1::2], strict=True))
        return [_number(found[key]) for key in keys]

    def bump(self, names: Sequence[bytes]) -> Operation[list[int]]:
        """Begin new generations; return them."""
        if not names:
            return []
        keys = [self._names.counter + name for name in names]
        _, _, replies = yield from _send(lambda session, _: _raise(keys, session))
        raised = dict(zip(keys, map(_number, replies[1::2]), strict=True))
        return [raised[key] for key in keys]

    def clear(self) -> Operation[None]:
        """Begin a new generation of the namespace, which makes all records void."""
        _, _, replies = yield from _send(
            lambda session, _: _raise([self._names.generation], session), repeatable=False
        )
        _number(replies[-1])

    def reading(self, keys: Sequence[bytes]) -> tuple[bytes, int]:
        """Return the commands that read records, and how many they are.

        Raises:
            TypeError: `keys` is no list of bytes.
            InvalidArgumentError: it is not, or a key is empty or too long.
        """
        if len(keys) == 1:
            head = self._heads.get(len(keys[0])) or self._head(keys)
            return head + keys[0] + _END, 1
        prefix = self._names.record
        commands = _together([prefix + key for key in checked_keys(keys)])
        return wire.encode(commands), len(commands)

    def _head(self, keys: Sequence[bytes]) -> bytes:
        (key,) = checked_keys(keys)
        prefix = self._names.record
        head = b"*2\r\n$3\r\nGET\r\n$%d\r\n%b" % (len(prefix) + len(key), prefix)
        self._heads[len(key)] = head
        return head

    def values(
        self, keys: Sequence[bytes], replies: list[Any], generation: int
    ) -> list[bytes | None]:
        """Return the values in the replies, None for what is void, expired or no record.

        Raises:
            TierError: the server has answered with an error.
        """
        value = self._value
        if len(keys) == 1:
            return [value(keys[0], replies[0], generation)]
        found = zip(keys, _apart(replies), strict=True)
        return [value(key, reply, generation) for key, reply in found]

    def _value(self, key: bytes, reply: Any, generation: int) -> bytes | None:
        if reply is None:
            return None
        try:
            form, checksum, of_generation, expires_at = _unpack(reply)
        except (struct.error, TypeError):
            form = checksum = of_generation = expires_at = 0
        if form != _FORMAT or checksum != _crc32(key):
            self._no_record(reply)
            return None
        if of_generation != generation or (expires_at != _NEVER and expires_at <= self._time()):
            return None
        value: bytes = reply[_HEADER_BYTES:]
        return value

    def _no_record(self, reply: Any) -> None:
        """Tell of something under a key that no tier has written."""
        if type(reply) is not bytes and word(reply) != "WRONGTYPE":
            raise error_of(reply)
        self._damaged("the server has something under a key that is no record of it")

    def _holds(self, key: bytes, header: Any, generation: int) -> bool:
        """Tell whether this is the header of a record that is not void."""
        if type(header) is not bytes or len(header) != _HEADER_BYTES:
            return False
        form, checksum, of_generation, expires_at = _unpack(header)
        written = form == _FORMAT and checksum == _crc32(key)
        return bool(written and of_generation == generation and expires_at > self._time())

    def _put(self, records: Sequence[TierRecord]) -> Operation[list[bool]]:
        kept: list[bool] = []
        left = list(records)
        full = ""
        while left:
            sent = [self._store(record) for record in left]
            session, request, replies = yield from _send(
                lambda _, generation, sent=sent: [  # type: ignore[misc]
                    make(generation) for make in sent
                ],
                repeatable=False,
                generational=True,
            )
            # What the server did after the generation had changed is void: once more.
            done = len(left)
            if request.crossed is not None and (yield from session.superseded(request.generation)):
                done = request.crossed
            for reply in replies[:done]:
                if word(reply) == "OOM":
                    full = str(error_of(reply))
                elif isinstance(reply, Exception):
                    raise error_of(reply)
                kept.append(type(reply) is not int)  # of UNLINK
            left = left[done:]
        if full:
            # What the keys had before is out of date. Removing takes no memory.
            yield from self.delete([record.key for record in records])
            raise TierFullError(full)
        return kept

    def _store(self, record: TierRecord) -> Callable[[int], Command]:
        """Return what makes the command that stores a record in a generation."""
        key, value, expires_at, _ = record
        name = self._names.record + key
        life = None if expires_at is None else math.ceil((expires_at - self._time()) * 1000)
        if len(value) > self._largest or (life is not None and life <= 0):
            return lambda _: (b"UNLINK", name)
        checksum, end = _crc32(key), _NEVER if expires_at is None else expires_at

        def make(generation: int) -> Command:
            command = (b"SET", name, _HEADER.pack(_FORMAT, checksum, generation, end) + value)
            return command if life is None else (*command, b"PX", b"%d" % min(life, 1 << 53))

        return make


def _send(
    make: Callable[[Session, int], list[Command]],
    *,
    repeatable: bool = True,
    generational: bool = False,
) -> Operation[tuple[Session, Request, list[Any]]]:
    """Send commands that may depend on the session, and on its generation if it is asked for."""

    def attempt(session: Session) -> Operation[tuple[Session, Request, list[Any]]]:
        generation = session.generation
        if generation is None and generational:
            generation = yield from session.learn()
        commands = make(session, generation or 0)
        request = Request(wire.encode(commands), len(commands))
        request.generation = generation
        replies = yield request
        if any(word(reply) == "READONLY" for reply in replies):
            session.demoted()
        return session, request, replies

    return (yield from repeated(attempt, repeatable=repeatable))


def _together(names: list[bytes]) -> list[Command]:
    """Return the commands that read many keys; not too many each, as others wait meanwhile."""
    return [(b"MGET", *names[at : at + _MOST_KEYS]) for at in range(0, len(names), _MOST_KEYS)]


def _apart(replies: list[Any]) -> list[Any]:
    """Return what the replies to these commands have, one after the other."""
    found: list[Any] = []
    for reply in replies:
        if type(reply) is not list:
            raise error_of(reply)
        found += reply
    return found


def _first(key: bytes, session: Session) -> Command:
    """Return the command that makes a counter, larger than it can have been, if it is missing."""
    return (b"SET", key, b"%d" % session.now_us(), b"NX")


def _raise(keys: Sequence[bytes], session: Session) -> list[Command]:
    return [command for key in keys for command in (_first(key, session), (b"INCR", key))]


def _number(reply: Any) -> int:
    if isinstance(reply, (int, bytes)):
        with contextlib.suppress(ValueError):
            return int(reply)
    raise error_of(reply)
