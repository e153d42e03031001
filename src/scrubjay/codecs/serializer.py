"""Values to blobs for lower tiers, and back: the codec, compression and protection in a row."""

from __future__ import annotations

from copy import copy
from struct import error as StructError  # noqa: N812 - its name is lower case
from typing import Any

from scrubjay import arguments
from scrubjay.codecs.compression import DEFAULT_LEVEL, LEVELS, Zstd
from scrubjay.codecs.encryption import AesGcm
from scrubjay.codecs.envelope import (
    COMPRESSED,
    HEAD_SIZE,
    read_head,
    read_meta,
    write_head,
    write_labels,
)
from scrubjay.codecs.protection import Checksum, HmacSha256, Protection
from scrubjay.codecs.registry import make_codec
from scrubjay.codecs.results import Loaded, Meta, Reason, Undecodable
from scrubjay.errors import (
    EncodeError,
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    MissingExtraError,
)

_LARGEST = 2**31 - 1


class Serializer:
    """Turns values into blobs that only it, or one configured alike, reads back.

    May be shared by threads.

    Args:
        codec: "msgpack", "json", "bytes", "str", "pickle", or the name of a registered one.
        type: what the values are: a dataclass, a msgspec Struct, an attrs class, a Pydantic
            model, `list` of one of them, or whatever else msgspec reads. Any, for "msgpack"
            and "json", for values that need no type to come back as they were.
        schema: a number to change when older values must not be read any more.
        sign: signs what is written, and reads only what is signed so.
        encrypt: encrypts what is written, and reads only what is encrypted so.
        compress_above: bytes of a value from which on it is compressed, if that makes it
            smaller; None for never.
        compression_level: zstd's, from 1, the fastest, to 19, the smallest.
        max_bytes: that a blob may have, and a value before compression.

    Raises:
        InvalidArgumentError: an argument makes no sense, or the codec runs code and there
            is neither signing nor encryption.
        MissingExtraError: a package is not installed.
    """

    def __init__(
        self,
        codec: str = "msgpack",
        *,
        type: Any = Any,  # noqa: A002 - the word for it everywhere else
        schema: int = 0,
        sign: HmacSha256 | None = None,
        encrypt: AesGcm | None = None,
        compress_above: int | None = None,
        compression_level: int = DEFAULT_LEVEL,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._codec = make_codec(codec, type)
        self._encode = self._codec.encode
        self._decode = self._codec.decode
        self._protection = _protection(sign, encrypt)
        if self._codec.runs_code and isinstance(self._protection, Checksum):
            raise InvalidArgumentError(
                f"codec: {codec!r} runs code that the bytes name; use it with sign or encrypt"
            )
        self._schema = _whole("schema", schema, range(2**32))
        self._max_bytes = _whole("max_bytes", max_bytes, range(HEAD_SIZE, _LARGEST + 1))
        level = _whole("compression_level", compression_level, LEVELS)
        self._zstd: Zstd | None = None
        self._compress_above = _LARGEST
        if compress_above is not None:
            self._compress_above = arguments.count("compress_above", compress_above)
            self._zstd = Zstd(level)

    def dump(self, key: bytes, value: Any, meta: Meta) -> bytes:
        """Return a blob for a value.

        Args:
            key: as a `KeyEncoder` returned it.
            value: anything that the codec keeps.
            meta: the conditions.

        Raises:
            EncodeError: the codec does not keep it, or it is too large.
            InvalidArgumentError: `meta` holds what cannot be written.
            InvalidKeyError: the key is not bytes.
        """
        if key.__class__ is not bytes:
            raise InvalidKeyError(f"key: {key!r} is not bytes; a KeyEncoder makes them")
        try:
            body = self._encode(value)
        except EncodeError:
            raise
        except Exception as error:
            raise EncodeError(f"value: {describe(error)}") from error
        flags = 0
        if body.__class__ is not bytes:
            raise EncodeError(f"value: the codec made no bytes of it but {body!r:.80}")
        if len(body) > self._compress_above:
            body, flags = self._compressed(body)
        labels = write_labels(meta) if meta.tags or meta.dependencies else b""
        protection = self._protection
        self._check(HEAD_SIZE + len(labels) + len(body) + protection.overhead)
        head = write_head(
            flags,
            protection.code,
            self._codec.identity,
            protection.key_id,
            self._schema,
            meta,
            len(labels),
            len(body),
        )
        return protection.seal(key, head, labels + body if labels else body)

    def load(self, key: bytes, blob: bytes) -> Loaded | Undecodable:
        """Return the value in a blob, or why there is none.

        Args:
            key: as a `KeyEncoder` returned it.
            blob: whatever a tier holds under it.

        Returns:
            A `Loaded`, whether its time is up or not; or an `Undecodable`, to be treated as
            a miss. Damaged and hostile blobs raise nothing.

        Raises:
            InvalidKeyError: the key is not bytes.
            InvalidArgumentTypeError: the blob is not bytes.
        """
        opened = self._opened(key, blob)
        if opened.__class__ is Undecodable:
            return opened
        meta, payload, flags = opened
        if flags:
            try:
                payload = memoryview(self._decompressed(payload))
            except (ValueError, MissingExtraError) as error:
                return Undecodable(Reason.COMPRESSION, describe(error))
        try:
            return Loaded(self._decode(payload), meta)
        except Exception as error:
            return Undecodable(Reason.VALUE, describe(error))

    def read_meta(self, key: bytes, blob: bytes) -> Meta | Undecodable:
        """Return the conditions in a blob, or why there are none; no value is made.

        The arguments and errors are those of `load`.
        """
        opened = self._opened(key, blob)
        return opened if isinstance(opened, Undecodable) else opened[0]

    def for_bytes(self) -> Serializer:
        """Return one that protects alike and reads as much, and whose values are bytes."""
        other = copy(self)
        other._codec = make_codec("bytes", Any)
        other._encode, other._decode = other._codec.encode, other._codec.decode
        other._schema = 0
        other._compress_above = _LARGEST
        return other

    def _opened(self, key: bytes, blob: bytes) -> Any:
        """Return conditions, the bytes of the value and flags; or an `Undecodable`."""
        if key.__class__ is not bytes:
            raise InvalidKeyError(f"key: {key!r} is not bytes; a KeyEncoder makes them")
        if blob.__class__ is not bytes:
            raise InvalidArgumentTypeError(f"blob: a {blob.__class__.__qualname__} is not bytes")
        protection = self._protection
        head = read_head(blob, protection.code, protection.overhead, self._max_bytes)
        if isinstance(head, Undecodable):
            return head
        _, _, flags, _, codec, key_id, schema, labels_length, _ = head
        payload = protection.open(key, key_id, blob)
        if isinstance(payload, Undecodable):
            return payload
        if codec != self._codec.identity:
            return Undecodable(Reason.CODEC, f"it was written by codec {codec}")
        if schema != self._schema:
            return Undecodable(Reason.SCHEMA, f"it was written under schema {schema}")
        if flags & ~COMPRESSED:
            return Undecodable(Reason.ENVELOPE, f"it has unknown flags, {flags:#x}")
        try:
            if labels_length:
                meta = read_meta(blob, payload[:labels_length])
                payload = payload[labels_length:]
            else:
                meta = read_meta(blob, None)
        except (ValueError, StructError) as error:
            return Undecodable(Reason.DAMAGED, describe(error))
        return meta, payload, flags

    def _compressed(self, body: bytes) -> tuple[bytes, int]:
        """Return a value's bytes, compressed if that helps, and the flags for it.

        Raises:
            EncodeError: it is too large to be read back.
        """
        self._check(len(body))
        compressed = body if self._zstd is None else self._zstd.compress(body)
        return (compressed, COMPRESSED) if len(compressed) < len(body) else (body, 0)

    def _decompressed(self, body: memoryview) -> bytes:
        """Return what was compressed.

        Raises:
            ValueError: it is damaged, or too large.
            MissingExtraError: zstd is not installed.
        """
        if self._zstd is None:
            self._zstd = Zstd()
        return self._zstd.decompress(body, self._max_bytes)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise EncodeError(f"value: it takes {size} bytes, and {self._max_bytes} are the most")


def _whole(name: str, value: Any, allowed: range) -> int:
    """Return a whole number within a range."""
    if type(value) is not int:
        raise InvalidArgumentTypeError(f"{name}: {value!r} is not a whole number")
    if value not in allowed:
        raise InvalidArgumentError(
            f"{name}: {value!r} is not from {allowed.start} to {allowed.stop - 1}"
        )
    return value


def _protection(sign: HmacSha256 | None, encrypt: AesGcm | None) -> Protection:
    if sign is not None and encrypt is not None:
        raise InvalidArgumentError("sign: what is encrypted is signed by that already")
    for name, given, kind in (("sign", sign, HmacSha256), ("encrypt", encrypt, AesGcm)):
        if given is not None and not isinstance(given, kind):
            raise InvalidArgumentTypeError(f"{name}: {given!r} is not a {kind.__name__}")
    return sign or encrypt or Checksum()


def describe(error: BaseException) -> str:
    """Return an error as one line, whatever its own text may do."""
    try:
        text = str(error)
    except Exception:
        text = "without a text"
    return f"{type(error).__qualname__}: {text}"[:300]
