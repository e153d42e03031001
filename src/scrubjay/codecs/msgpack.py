"""MessagePack by msgspec, the default codec.

A value of a declared type is written by that type and comes back as it. A value without
one comes back as it was, too: most are made of what MessagePack knows and take the short
way; others are written with tags that tell a tuple from a list and the like (`tagging`).
Those begin with a byte that no MessagePack begins with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrubjay._core.plain import is_plain
from scrubjay.codecs import tagging
from scrubjay.codecs.declared import Hooks, accepts, check
from scrubjay.codecs.extras import require
from scrubjay.errors import EncodeError

TAGGED = b"\xc1"
_TAGGED = TAGGED[0]


def make(declared: Any) -> tuple[Callable[[Any], bytes], Callable[[memoryview], Any]]:
    """Return the functions for values of a type.

    Args:
        declared: the type; Any for none.

    Raises:
        InvalidArgumentError: msgspec cannot read values of this type, or not all of them.
        MissingExtraError: msgspec is not installed.
    """
    msgspec = require("msgspec", "codecs", "the codec 'msgpack'")
    tags = tagging.Tags(msgspec.msgpack.Ext)
    if declared in (Any, object):
        return _untyped(msgspec.msgpack, tags)
    check(msgspec, declared, models=True)
    return _typed(msgspec.msgpack, tags, declared)


def _untyped(
    msgpack: Any, tags: tagging.Tags
) -> tuple[Callable[[Any], bytes], Callable[[memoryview], Any]]:
    pack: Callable[[Any], bytes] = msgpack.Encoder().encode
    unpack: Callable[[Any], Any] = msgpack.Decoder(ext_hook=_refuse).decode
    unpack_tagged: Callable[[Any], Any] = msgpack.Decoder(ext_hook=tags.read).decode

    def encode(value: Any) -> bytes:
        if is_plain(value, False):
            try:
                return pack(value)
            except OverflowError:  # an integer of more than 64 bits
                pass
        return TAGGED + pack(tags.write(value))

    def decode(data: memoryview) -> Any:
        if data and data[0] == _TAGGED:
            return tags.restore(unpack_tagged(data[1:]))
        return unpack(data)

    return encode, decode


def _typed(
    msgpack: Any, tags: tagging.Tags, declared: Any
) -> tuple[Callable[[Any], bytes], Callable[[memoryview], Any]]:
    hooks = Hooks(tags)
    pack: Callable[[Any], bytes] = msgpack.Encoder(enc_hook=hooks.write).encode
    decoder = msgpack.Decoder(declared, ext_hook=tagging.read_leaf, dec_hook=hooks.read)
    decode: Callable[[memoryview], Any] = decoder.decode
    fits = accepts(declared)

    def encode(value: Any) -> bytes:
        if not fits(value):
            raise EncodeError(f"value: a {type(value).__qualname__} is no {declared!r}")
        return pack(value)

    return encode, decode


def _refuse(code: int, data: memoryview) -> Any:
    raise ValueError(f"extension type {code} in a value without tags")
