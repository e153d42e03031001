"""Encryption of blobs by AES-256-GCM, through the package cryptography."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from scrubjay.codecs.envelope import HEAD_SIZE
from scrubjay.codecs.extras import require
from scrubjay.codecs.protection import Secrets, bound_to
from scrubjay.codecs.results import Reason, Undecodable

_NONCE = 12


class AesGcm(Secrets):
    """Encrypts tags, dependencies and values, and signs the whole blob with its key.

    Each blob gets a random nonce of 96 bits. NIST SP 800-38D allows 2 ** 32 blobs a secret
    then; change the secret well before. The times, version, priority, cost and sizes of an
    entry stay readable, and so does its key, which is the tier's name for it.

    Args:
        keys: secrets of 32 bytes, by number.
        current: the number of the one to encrypt with; may be left out of a single one.

    Raises:
        InvalidArgumentError: a secret is not of 32 bytes or none is the current one.
        MissingExtraError: cryptography is not installed.
    """

    code = 2
    overhead = _NONCE + 16
    lengths = range(32, 33)

    def __init__(self, keys: Mapping[int, bytes], current: int | None = None) -> None:
        super().__init__(keys, current)
        aead = require("cryptography.hazmat.primitives.ciphers.aead", "crypto", "encryption")
        exceptions = require("cryptography.exceptions", "crypto", "encryption")
        self._invalid: type[Exception] = exceptions.InvalidTag
        self._ciphers: dict[int, Any] = {
            number: aead.AESGCM(secret) for number, secret in self._secrets.items()
        }

    def seal(self, key: bytes, head: bytes, payload: bytes) -> bytes:
        """Return the blob for a fixed part and what comes behind it."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self.key_id].encrypt(nonce, payload, bound_to(key) + head)
        return b"".join((head, nonce, sealed))

    def open(self, key: bytes, key_id: int, blob: bytes) -> memoryview | Undecodable:
        """Return what comes behind the fixed part, decrypted and found intact."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            return Undecodable(Reason.KEY_ID, f"there is no secret {key_id} here")
        view = memoryview(blob)
        start = HEAD_SIZE + _NONCE
        try:
            opened = cipher.decrypt(
                blob[HEAD_SIZE:start], view[start:], bound_to(key) + blob[:HEAD_SIZE]
            )
        except self._invalid:
            return Undecodable(Reason.FORGED, "it was not encrypted with this secret for this key")
        return memoryview(opened)
