"""How a reader knows that a blob is what was written under that key.

Whatever the protection, the key is part of what is checked, and namespace and tenant are
part of the key: a blob that is moved under another name is refused. Which protection a
blob must have is told by the reader's configuration and never by the blob, which merely
names the number of its secret, so there is nothing to downgrade. The check comes before
anything but the fixed part of the envelope is read.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Protocol
from zlib import crc32

from scrubjay.codecs.envelope import HEAD_SIZE
from scrubjay.codecs.results import Reason, Undecodable
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError

_HIGHEST_ID = 2**32 - 1
_RESIDUE = 0x2144DF1C
_COPIED = 16_384  # bytes: the call that takes all at once is the faster one up to here


class Protection(Protocol):
    """What makes and checks the end of a blob.

    Attributes:
        code: stands for it in the envelope.
        overhead: bytes that it adds.
        key_id: number of the secret in use for writing, 0 if there is none.
    """

    code: int
    overhead: int
    key_id: int

    def seal(self, key: bytes, head: bytes, payload: bytes) -> bytes:
        """Return the blob for a fixed part and what comes behind it.

        Args:
            key: under which it is written.
            head: the fixed part, of `HEAD_SIZE` bytes, which stays readable.
            payload: what comes behind it.
        """

    def open(self, key: bytes, key_id: int, blob: bytes) -> memoryview | Undecodable:
        """Return what comes behind the fixed part, found intact.

        Args:
            key: under which it was read.
            key_id: the number of the secret that it names.
            blob: the whole.
        """


class Checksum:
    """CRC-32 over key and blob: finds accidents, not attackers.

    With its own CRC behind it, the lowest byte first, every message has the same CRC.
    """

    code = 0
    overhead = 4
    key_id = 0

    def seal(self, key: bytes, head: bytes, payload: bytes) -> bytes:
        """Return the blob for a fixed part and what comes behind it."""
        crc = crc32(payload, crc32(head, crc32(key)))
        return b"".join((head, payload, crc.to_bytes(4, "little")))

    def open(self, key: bytes, key_id: int, blob: bytes) -> memoryview | Undecodable:
        """Return what comes behind the fixed part, found intact."""
        if crc32(blob, crc32(key)) != _RESIDUE or key_id != 0:
            return Undecodable(Reason.DAMAGED, "the checksum is wrong")
        return memoryview(blob)[HEAD_SIZE:-4]


class Secrets:
    """Numbered secrets: one to write with, all of them to read with.

    Args:
        keys: secrets by number, from 0 to 2 ** 32 - 1.
        current: the number of the one to write with; may be left out of a single one.

    Raises:
        InvalidArgumentError: a secret is too short or none is the current one.
    """

    lengths: ClassVar[range]

    def __init__(self, keys: Mapping[int, bytes], current: int | None = None) -> None:
        if not isinstance(keys, Mapping):
            raise InvalidArgumentTypeError("keys: not a mapping of numbers to secrets")
        checked: dict[int, bytes] = {}
        for number, secret in keys.items():
            if type(number) is not int or not 0 <= number <= _HIGHEST_ID:
                raise InvalidArgumentError(f"keys: {number!r} is not from 0 to {_HIGHEST_ID}")
            if not isinstance(secret, bytes):
                raise InvalidArgumentTypeError(f"keys: secret {number} is not bytes")
            if len(secret) not in self.lengths:
                raise InvalidArgumentError(
                    f"keys: secret {number} has {len(secret)} bytes; "
                    f"make one with secrets.token_bytes({self.lengths.start})"
                )
            checked[number] = secret
        if current is None and len(checked) == 1:
            current = next(iter(checked))
        if type(current) is not int or current not in checked:
            raise InvalidArgumentError(f"current: {current!r} is not the number of a secret")
        self._secrets: Mapping[int, bytes] = MappingProxyType(checked)
        self.key_id = current

    def __repr__(self) -> str:
        numbers = ", ".join(map(str, self._secrets))  # and never a secret
        return f"<{type(self).__name__} with secrets {numbers}; {self.key_id} to write with>"

    def __reduce__(self) -> str:
        raise InvalidArgumentTypeError("secrets are not pickled")


class HmacSha256(Secrets):
    """Signs blobs, so that nobody without a secret can make or change one.

    Args:
        keys: secrets of 32 bytes or more, by number.
        current: the number of the one to sign with; may be left out of a single one.

    Raises:
        InvalidArgumentError: a secret is too short or none is the current one.
    """

    code = 1
    overhead = 32
    lengths = range(32, 4097)

    def seal(self, key: bytes, head: bytes, payload: bytes) -> bytes:
        """Return the blob for a fixed part and what comes behind it."""
        tag = _tag(self._secrets[self.key_id], key, head, payload)
        return b"".join((head, payload, tag))

    def open(self, key: bytes, key_id: int, blob: bytes) -> memoryview | Undecodable:
        """Return what comes behind the fixed part, found intact."""
        secret = self._secrets.get(key_id)
        if secret is None:
            return Undecodable(Reason.KEY_ID, f"there is no secret {key_id} here")
        payload = memoryview(blob)[HEAD_SIZE:-32]
        if not hmac.compare_digest(_tag(secret, key, blob[:HEAD_SIZE], payload), blob[-32:]):
            return Undecodable(Reason.FORGED, "the signature is wrong")
        return payload

    def sign(self, purpose: bytes, data: bytes) -> bytes:
        """Return the signature of something that is no blob.

        Args:
            purpose: tells it from all else that is signed with these secrets.
            data: of any length.
        """
        return hmac.digest(self._secrets[self.key_id], purpose + b"\0" + data, "sha256")

    def verify(self, purpose: bytes, key_id: int, data: bytes, signature: bytes) -> bool:
        """Tell whether a signature is that of `sign` with the secret of a number.

        Args:
            purpose: as for `sign`.
            key_id: the number of the secret.
            data: what was signed.
            signature: what is said to be its signature.
        """
        secret = self._secrets.get(key_id)
        if secret is None:
            return False
        return hmac.compare_digest(hmac.digest(secret, purpose + b"\0" + data, "sha256"), signature)


def _tag(secret: bytes, key: bytes, head: bytes, payload: bytes | memoryview) -> bytes:
    if len(payload) <= _COPIED:
        return hmac.digest(secret, b"".join((bound_to(key), head, payload)), "sha256")
    mac = hmac.new(secret, bound_to(key) + head, "sha256")
    mac.update(payload)
    return mac.digest()


def bound_to(key: bytes) -> bytes:
    """Return what a signature covers besides the blob: its purpose and its key."""
    return b"scrubjay envelope\0%b%b" % (len(key).to_bytes(4, "big"), key)
