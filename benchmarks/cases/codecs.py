"""A value of 1 KB to bytes and back: msgspec and pickle alone, and the serializer on top."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.peers import SCRUBJAY
from benchmarks.timing import Measure, Outcome, Scale, Subject, compile_loop, empty_loop, interleave
from scrubjay.codecs import AesGcm, HmacSha256, KeyEncoder, Meta, Serializer
from scrubjay.codecs.extras import require

MSGSPEC = "msgspec"
PICKLE = "pickle"
CALLS = 2_000
ROUNDS = 15
META = Meta(created=1_767_225_600.0, expires=1_767_229_200.0, version=7)


def value() -> dict[str, Any]:
    """Return a dict that MessagePack writes in 1,023 bytes."""
    fields: dict[str, Any] = {f"field_{number}": _part(number) for number in range(45)}
    return fields | {"tags": ["alpha", "beta", "gamma"], "nested": {"a": 1, "b": None, "c": True}}


def _part(number: int) -> Any:
    return ("x" * 28, number * 1000.5, number)[number % 3]


def dump(scale: Scale) -> Outcome:
    """Write the value, under one of many keys."""
    row = value()
    statements: dict[str, tuple[str, Callable[[], Any]]] = {
        MSGSPEC: ("cache.encode(row)", lambda: _msgpack().Encoder()),
        PICKLE: ("cache.dumps(row, 5)", lambda: pickle),
    }
    for name, make in _serializers().items():
        statements[name] = ("cache.dump(k, row, meta)", make)
    keys = _keys(scale)
    return _measure(scale, statements, dict.fromkeys(statements, keys), row)


def load(scale: Scale) -> Outcome:
    """Read the value, under one of many keys."""
    row = value()
    keys = _keys(scale)
    encoded = _msgpack().Encoder().encode(row)
    statements: dict[str, tuple[str, Callable[[], Any]]] = {
        MSGSPEC: ("cache.decode(k)", lambda: _msgpack().Decoder()),
        PICKLE: ("cache.loads(k)", lambda: pickle),
    }
    wanted: dict[str, list[Any]] = {
        MSGSPEC: [encoded] * len(keys),
        PICKLE: [pickle.dumps(row, 5)] * len(keys),
    }
    for name, make in _serializers().items():
        serializer = make()
        statements[name] = ("cache.load(k[0], k[1])", lambda made=serializer: made)
        wanted[name] = [(key, serializer.dump(key, row, META)) for key in keys]
    return _measure(scale, statements, wanted, row)


def _serializers() -> dict[str, Callable[[], Serializer]]:
    secret = secrets.token_bytes(32)
    return {
        SCRUBJAY: Serializer,
        f"{SCRUBJAY} signed": lambda: Serializer(sign=HmacSha256({1: secret})),
        f"{SCRUBJAY} encrypted": lambda: Serializer(encrypt=AesGcm({1: secret})),
    }


def _keys(scale: Scale) -> list[bytes]:
    encode = KeyEncoder("benchmark")
    return [encode(f"key:{number}") for number in range(scale.of(CALLS, 50))]


def _msgpack() -> Any:
    return require("msgspec", "codecs", "this benchmark").msgpack


def _measure(
    scale: Scale,
    statements: Mapping[str, tuple[str, Callable[[], Any]]],
    wanted: Mapping[str, list[Any]],
    row: dict[str, Any],
) -> Outcome:
    def subject(name: str) -> Subject:
        statement, make = statements[name]
        items = wanted[name]

        def prepare() -> Measure:
            subject = make()
            loop = compile_loop(statement, row=row, meta=META)
            return lambda _: loop(subject, items) / len(items)

        return Subject(name, prepare)

    empty = empty_loop(next(iter(wanted.values())))
    return interleave([empty, *map(subject, statements)], scale.of(ROUNDS, 2))
