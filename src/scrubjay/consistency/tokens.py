"""What a session has seen and written, small enough for a cookie.

A token remembers, for the keys and generations that a session was last concerned with, the
lowest version that it may still be shown. It is told of one epoch: the versions of a server
that has lost its history mean nothing.

As bytes, before base64: 1 byte of format, 1 byte of flags (1: more was seen than is
remembered), 4 bytes number of the secret (0 unsigned), 8 bytes epoch, then 16 bytes for each
floor: 8 of a hash of the name, 8 of a version; then, signed, 32 bytes of HMAC-SHA256.
"""

from __future__ import annotations

import struct
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final, Protocol

from scrubjay import arguments
from scrubjay.errors import EpochChangedError, InvalidArgumentTypeError, InvalidTokenError

__all__ = ["Session", "Signer", "place_of"]

_HEAD = struct.Struct(">BBI8s")
_FLOOR = struct.Struct(">8sQ")
_FORMAT: Final = 1
_OVERFLOW: Final = 1
_MOST = 1000  # floors
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


def place_of(kind: bytes, name: bytes) -> bytes:
    """Return the eight bytes by which a token knows a key or a generation.

    Two names with the same eight bytes share a floor: one of them is then fetched where a
    copy would do, and in the worst case refused.
    """
    return blake2b(name, digest_size=8, person=kind).digest()


class Session:
    """The floors of one session. Threads may share it.

    Args:
        most: how many floors are remembered, the oldest forgotten first. What was forgotten
            is made up for by asking the shared tier about everything not remembered.

    Raises:
        InvalidArgumentError: `most` is no number above zero.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = arguments.count("most", most)
        self._lock = threading.Lock()
        self._floors: dict[bytes, int] = {}
        #: of the server that issued the versions; None before the first
        self.epoch: bytes | None = None
        #: whether something was forgotten
        self.overflown = False

    def floor(self, place: bytes) -> int | None:
        """Return the lowest version that may be shown; None if that is not known any more."""
        with self._lock:
            floor = self._floors.get(place)
        return (None if self.overflown else 0) if floor is None else floor

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
            version = max(version, self._floors.pop(place, 0))
            self._floors[place] = version  # to the end: the last to be forgotten
            if len(self._floors) > self._most:
                del self._floors[next(iter(self._floors))]
                self.overflown = True

    def merge(self, other: Session) -> None:
        """Take over what another token of the same session says.

        Raises:
            EpochChangedError: it is of another epoch.
        """
        with other._lock:
            floors, epoch, overflown = dict(other._floors), other.epoch, other.overflown
        if epoch is not None:
            self.check(epoch)
            for place, version in floors.items():
                self.lift(epoch, place, version)
        self.overflown = self.overflown or overflown

    def token(self, signer: Signer | None = None, most: int = _MOST_CARRIED) -> str:
        """Return it as a string of letters, digits, dashes and underscores.

        Args:
            signer: signs it, where others could change it; None not to.
            most: how many floors it carries, those that were lifted last.
        """
        with self._lock:
            key_id = 0 if signer is None else signer.key_id
            carried = list(self._floors.items())[-most:]
            forgotten = self.overflown or len(carried) < len(self._floors)
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
            session.lift(epoch, place, version)
        session.epoch = None if epoch == _NO_EPOCH else epoch
        session.overflown = session.overflown or bool(flags & _OVERFLOW)
        return session
