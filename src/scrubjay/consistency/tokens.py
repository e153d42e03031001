"""What a session has seen and written, small enough for a cookie.

A token remembers, for the keys and generations that a session was last concerned with, the
lowest version that it may still be shown. It is told of one epoch: the versions of a server
that has lost its history mean nothing.

As bytes, before base64: 1 byte of format, 1 byte of flags (1: more was seen than is
remembered), 4 bytes number of the secret (0 unsigned), 8 bytes epoch, then 16 bytes for each
floor: 8 of a hash of the name, 8 of a version; then, signed, 32 bytes of HMAC-SHA256.
"""

from __future__ import annotations

import heapq
import struct
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Protocol

from scrubjay import arguments
from scrubjay._core.floors import SessionFloors
from scrubjay.errors import EpochChangedError, InvalidArgumentTypeError, InvalidTokenError

__all__ = ["KEY", "NAME", "Session", "Signer", "place_of"]

_HEAD = struct.Struct(">BBI8s")
_FLOOR = struct.Struct(">8sQ")
_FORMAT: Final = 1
_OVERFLOW: Final = 1
_MOST = 1000  # floors
_AT_ONCE = 16  # of as many floors one is forgotten, so that it need not be done each time
_MOST_VERSION = (1 << 63) - 1
_MOST_CARRIED = 32  # of them, so that a token has 800 characters at most
_PURPOSE: Final = b"scrubjay session token"
_NO_EPOCH: Final = bytes(8)


class Signer(Protocol):
    """What signs tokens: `scrubjay.codecs.protection.HmacSha256` is one."""

    overhead: int
    key_id: int

    def sign(self, purpose: bytes, data: bytes) -> bytes:
        """Return what is to stand behind the data."""

    def verify(self, purpose: bytes, key_id: int, data: bytes, signature: bytes) -> bool:
        """Tell whether this is what stands behind the data."""


KEY: Final = b"key"
NAME: Final = b"name"  # of what has generations


def place_of(kind: bytes, name: bytes) -> bytes:
    """Return the eight bytes by which a token knows a key or a generation.

    Two names with the same eight bytes share a floor: one of them is then fetched where a
    copy would do, and in the worst case refused.
    """
    return blake2b(name, digest_size=8, person=kind).digest()


class Session(SessionFloors):
    """The floors of one session. Threads may share it.

    Args:
        most: how many floors are remembered, the oldest forgotten first. What was forgotten
            is made up for by asking the shared tier about everything not remembered.

    Raises:
        InvalidArgumentError: `most` is no number above zero.
    """

    def __init__(self, most: int = _MOST) -> None:
        super().__init__()
        self._most = arguments.count("most", most)
        self._lock = threading.RLock()  # a finalizer may come here in the midst
        #: called after a floor has been added, where somebody counts them
        self.on_floor: Callable[[], object] | None = None

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._lock = threading.RLock()

    def floor(self, place: bytes) -> int | None:
        """Return the lowest version that may be shown; None if that is not known any more."""
        floor = self.floors.get(place)
        if floor is None:
            return None if self.overflown else 0
        return floor.version

    def check(self, epoch: bytes) -> None:
        """See that versions of this epoch can be compared with those of the session.

        Raises:
            EpochChangedError: they cannot.
        """
        if self.epoch is not None and self.epoch != epoch:
            raise EpochChangedError(
                "the session's token is of another server, or of one that has been restarted or "
                "replaced since; begin a new session"
            )

    def lift(self, epoch: bytes, place: bytes, version: int) -> None:
        """Let nothing below a version be shown from now on.

        Raises:
            EpochChangedError: the session is of another epoch.
        """
        with self._lock:
            self.check(epoch)
            self.epoch = epoch
            before = len(self.floors)
            self.lift_floor(place, version)
            more = len(self.floors) > before
            if len(self.floors) > self._most:
                self.forget_floors(self._oldest(max(1, self._most // _AT_ONCE)))
        if more and self.on_floor is not None:
            self.on_floor()  # unlocked: it may have others forget theirs

    def forget_all(self) -> int:
        """Forget all floors, and know that they are forgotten; return how many there were.

        Nothing is done while another thread changes them: it may be waiting for whoever asks for
        this, if a finalizer that uses other sessions runs in its midst.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            places = list(self.floors)
            if places:
                self.forget_floors(places)
        finally:
            self._lock.release()
        return len(places)

    def _oldest(self, count: int) -> list[bytes]:
        """Return the places of the floors that were lifted longest ago."""
        floors = dict(self.floors)  # at once: a finalizer may lift one in the midst
        return heapq.nsmallest(count, floors, key=lambda place: floors[place].used)

    def merge(self, other: Session) -> None:
        """Take over what another token of the same session says.

        Raises:
            EpochChangedError: it is of another epoch.
        """
        with other._lock:
            floors, epoch, overflown = other._in_order(), other.epoch, other.overflown
        if epoch is not None:
            with self._lock:  # it counts if all floors were forgotten, too
                self.check(epoch)
                self.epoch = epoch
            for place, version in floors:
                self.lift(epoch, place, version)
        if overflown:
            # What the other has forgotten may be higher than what is known here.
            told = {place for place, _ in floors}
            with self._lock:
                self.forget_floors([place for place in self.floors if place not in told])

    def _in_order(self) -> list[tuple[bytes, int]]:
        """Return the floors, the ones lifted last at the end. Part of what is done locked."""
        ordered = sorted(self.floors.items(), key=lambda item: item[1].used)
        return [(place, floor.version) for place, floor in ordered]

    def token(self, signer: Signer | None = None, most: int = _MOST_CARRIED) -> str:
        """Return it as a string of letters, digits, dashes and underscores.

        Args:
            signer: signs it, where others could change it; None not to.
            most: how many floors it carries, those that were lifted last.
        """
        with self._lock:
            key_id = 0 if signer is None else signer.key_id
            carried = self._in_order()[-most:]
            forgotten = self.overflown or len(carried) < len(self.floors)
            flags = _OVERFLOW if forgotten else 0
            parts = [_HEAD.pack(_FORMAT, flags, key_id, self.epoch or _NO_EPOCH)]
            parts += [_FLOOR.pack(*floor) for floor in carried]
        data = b"".join(parts)
        if signer is not None:
            data += signer.sign(_PURPOSE, data)
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    @classmethod
    def from_token(cls, token: str, signer: Signer | None = None, most: int = _MOST) -> Session:
        """Return the session of a token.

        Args:
            token: from `token`.
            signer: must have signed it; None if none has.
            most: see the class.

        Raises:
            InvalidTokenError: it is damaged or not signed as it must be.
        """
        if not isinstance(token, str):
            raise InvalidArgumentTypeError(f"token: a string, not {type(token).__name__}")
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            form, flags, key_id, epoch = _HEAD.unpack_from(data)
        except (ValueError, struct.error):
            raise InvalidTokenError("token: it is damaged") from None
        if signer is not None:
            data, signature = data[: -signer.overhead], data[-signer.overhead :]
            if not signer.verify(_PURPOSE, key_id, data, signature):
                raise InvalidTokenError("token: its signature is wrong")
        elif key_id:
            raise InvalidTokenError("token: it is signed, and no secret was given to check it")
        body = data[_HEAD.size :]
        if form != _FORMAT or flags & ~_OVERFLOW or len(body) % _FLOOR.size:
            raise InvalidTokenError("token: it is damaged")
        session = cls(most)
        for place, version in _FLOOR.iter_unpack(body):
            if version > _MOST_VERSION:
                raise InvalidTokenError("token: it is damaged")
            session.lift(epoch, place, version)
        session.epoch = None if epoch == _NO_EPOCH else epoch
        session.overflown = session.overflown or bool(flags & _OVERFLOW)
        return session
