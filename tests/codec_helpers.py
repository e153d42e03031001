"""What the tests of the codecs share: a key, conditions, and an equality that sees types."""

from __future__ import annotations

import datetime as dt
import math
import secrets

import numpy as np

from scrubjay.codecs import KeyEncoder, Loaded, Meta

KEY = KeyEncoder("test")("key")
META = Meta(created=1000.0)
FULL = Meta(
    created=1000.5,
    expires=1060.5,
    idle_seconds=30.0,
    version=2**64 - 1,
    priority=-2.5,
    cost=0.125,
    tags={"user": 3, "été": 2**64 - 1},
    dependencies={KeyEncoder("test")("org"): 7, b"": 0},
)
SECRET = secrets.token_bytes(32)


def same(one, other):
    """Tell whether two values are equal in all their parts, and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        alike = one == other and math.copysign(1, one) == math.copysign(1, other)
        return alike or (math.isnan(one) and math.isnan(other))
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (set, frozenset)):
        kinds = sorted(type(part).__name__ for part in one)
        return one == other and kinds == sorted(type(part).__name__ for part in other)
    if isinstance(one, (dt.datetime, dt.time)):
        plain = one.replace(tzinfo=None) == other.replace(tzinfo=None)
        return plain and one.fold == other.fold and one.tzinfo == other.tzinfo
    if isinstance(one, (np.ndarray, np.generic)):
        return one.dtype == other.dtype and np.array_equal(one, other) and one.shape == other.shape
    return one == other


def comes_back(serializer, value, meta=META):
    """Tell whether a value is read as it was written."""
    loaded = serializer.load(KEY, serializer.dump(KEY, value, meta))
    return isinstance(loaded, Loaded) and same(loaded.value, value) and loaded.meta == meta
