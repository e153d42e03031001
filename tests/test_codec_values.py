"""Values come back as they were, type for type, or are refused when they are written."""

from __future__ import annotations

import cmath
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import sys
import uuid
import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import EncodeError, InvalidArgumentError, MissingExtraError
from scrubjay._core.plain import DEPTH, is_plain
from scrubjay.codecs import Reason, Serializer, Undecodable
from scrubjay.codecs import register_codec as register
from tests.codec_helpers import FULL, KEY, META, comes_back, same

pytestmark = pytest.mark.any_build


def is_nan(value):
    return isinstance(value, (float, complex)) and cmath.isnan(value)


@pytest.fixture(autouse=True)
def _no_codecs_of_others(monkeypatch):
    monkeypatch.setattr("scrubjay.codecs.registry._registered", {})


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary()
)
ZONES = st.one_of(
    st.none(),
    st.just(dt.timezone.utc),
    st.integers(-86399, 86399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds))),
    st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]).map(zoneinfo.ZoneInfo),
)
RICH = st.one_of(
    PLAIN,
    st.integers(),
    st.integers(2**64, 2**600),
    st.decimals(),
    st.complex_numbers(),
    st.uuids(),
    st.dates(),
    st.datetimes(timezones=ZONES, allow_imaginary=True),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.binary().map(bytearray),
).filter(lambda value: not isinstance(value, decimal.Decimal) or not value.is_nan())
HASHABLE = st.recursive(
    RICH.filter(lambda value: not isinstance(value, bytearray) and not is_nan(value)),
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(tuple), st.frozensets(parts, max_size=3)
    ),
    max_leaves=4,
)
VALUES = st.recursive(
    RICH,
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.lists(parts, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.dictionaries(st.text(max_size=3), parts, max_size=4),
        st.dictionaries(HASHABLE, parts, max_size=3),
    ),
    max_leaves=12,
)
PLAIN_VALUES = st.recursive(
    PLAIN,
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.dictionaries(PLAIN.filter(lambda key: not is_nan(key)), parts, max_size=4),
    ),
    max_leaves=12,
)
msgpack = Serializer()


@pytest.mark.untraced
@settings(max_examples=800)
@given(VALUES)
def test_every_value_comes_back_without_a_type(value):
    assert comes_back(msgpack, value, FULL)


@given(PLAIN_VALUES)
def test_plain_values_take_the_short_way(value):
    assert is_plain(value, False)
    assert comes_back(msgpack, value)


@pytest.mark.parametrize(
    "value",
    [
        None, float("nan"), float("-inf"), -0.0, 2**64, -(2**63) - 1, b"", bytes(range(256)), "",
        (), [()], {}, {1: {(1, 2): [{3}]}}, {None: 1, "": 2, b"": 3}, {1.5: (1, (2, [3]))},
        [1, (2, 3), {"a": {frozenset({1}): set()}}],
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        decimal.Decimal("1.10"), decimal.Decimal("-0"), decimal.Decimal("Infinity"),
        complex(-0.0, float("inf")), dt.timedelta.min, bytearray(b"x"),
        {"a": 2**100, "b": [True, 1, 1.0]}, "\x00\U0001f600",
    ],
    ids=repr,
)  # fmt: skip
def test_values_at_the_edges_come_back(value):
    assert comes_back(msgpack, value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3), np.array(3), np.zeros((0, 4)), np.zeros(0),
        np.array([True, False]), np.array([1 + 2j]), np.array(["ab", "c"]), np.array([b"ab"]),
        np.array(["2026-01-01"], dtype="M8[ns]"), np.arange(3, dtype=">u2"), np.float64(1.5),
        np.arange(6).reshape(2, 3).T, np.arange(10)[::3], np.int8(-1), np.array([1], dtype="m8[s]"),
        np.array([""]), np.bool_(True), np.float16([1, 2]),
    ],
    ids=repr,
)  # fmt: skip
def test_arrays_come_back(array):
    assert comes_back(msgpack, array)
    assert comes_back(msgpack, {"inside": [array, (array,)]})


def test_an_array_that_was_read_is_its_readers_own():
    read = msgpack.load(KEY, msgpack.dump(KEY, np.arange(3), META)).value
    read[0] = 7
    assert read.tolist() == [7, 1, 2]


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


class Row(NamedTuple):
    x: int


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: int = 0


@pytest.mark.parametrize(
    "value",
    [
        object(), Point(), fractions.Fraction(1, 3), Colour.RED, Number.ONE, Text("a"), collections.OrderedDict(a=1),
        Row(1), collections.Counter("a"), iter([]), memoryview(b"a"),
        [1, {"a": Point()}], {Number.ONE: 1}, {Text("a"): 1}, (Text("a"),), {Text("a")}, int,
        np.array([object()]), np.array([(1, 2)], dtype="i4,i4"), np.ma.array([1]),
        dt.datetime(2026, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {})()), "\ud800", ["\ud800", ()],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_would_come_back_as_something_else_is_refused(value):
    with pytest.raises(EncodeError, match="value: "):
        msgpack.dump(KEY, value, META)


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"a": x}, lambda x: [(x,), x]])
def test_nesting_has_a_bound(codec, wrap):
    value = None
    for _ in range(DEPTH + 1):
        value = wrap(value) if codec == "msgpack" or wrap(1) != [(1,), 1] else [value]
    with pytest.raises(EncodeError, match="nested"):
        Serializer(codec).dump(KEY, value, META)


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_a_value_within_itself_is_refused(codec):
    ring = [1]
    ring += [ring, ring]
    knot = {"a": (1,)}
    knot["b"] = [knot, knot]
    for value in (ring, knot):
        with pytest.raises(EncodeError, match="value: "):
            Serializer(codec).dump(KEY, value, META)


def test_threads_share_a_serializer():
    shared = Serializer(compress_above=500)
    values = [{"row": (number, "x" * number)} for number in range(400, 600)]

    def work(_):
        return all(comes_back(shared, value) for value in values)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


# JSON

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False)
    ).filter(lambda value: not isinstance(value, float) or math.isfinite(value)),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_keeps_what_it_knows(value):
    assert comes_back(Serializer("json"), value)


@pytest.mark.parametrize(
    "value", [(1,), {1: 2}, {None: 1}, {True: 1}, b"a", float("nan"), float("inf"), {1}, Point(),
              [(1,)], "\ud800", 10**5000],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_json_refuses_the_rest(value):
    with pytest.raises(EncodeError, match="value: "):
        Serializer("json").dump(KEY, value, META)


def test_json_needs_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert comes_back(Serializer("json"), {"a": [1, "b", None]})
    with pytest.raises(MissingExtraError, match=r"scrubjay\[codecs\]"):
        Serializer("json", type=Point)


# Raw codecs and those of users


@given(st.binary(), st.text().filter(lambda text: text.isascii()))
def test_raw_bytes_and_text(data, text):
    assert comes_back(Serializer("bytes"), data)
    assert data in Serializer("bytes").dump(KEY, data, META)
    assert comes_back(Serializer("str"), text)


@pytest.mark.parametrize("codec", ["bytes", "str"])
@pytest.mark.parametrize("value", [1, None, bytearray(b"a"), Text("a"), [], "\ud800"])
def test_raw_codecs_take_nothing_else(codec, value):
    with pytest.raises(EncodeError, match="value: "):
        Serializer(codec).dump(KEY, value, META)


def test_a_codec_of_ones_own():
    register("reversed", 200, lambda value: value[::-1], lambda data: bytes(data)[::-1])
    own = Serializer("reversed")
    assert comes_back(own, b"abc")
    assert b"cba" in own.dump(KEY, b"abc", META)
    # What another codec wrote is a miss, whether the bytes would make sense or not.
    foreign = own.load(KEY, Serializer("bytes").dump(KEY, b"abc", META))
    assert isinstance(foreign, Undecodable) and foreign.reason is Reason.CODEC
    register("reversed", 200, bytes, bytes)  # anew under its own identity
    with pytest.raises(InvalidArgumentError, match="identity: 200 is that of 'reversed'"):
        register("another", 200, bytes, bytes)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("msgpack", 201, bytes, bytes), "name"), (("", 201, bytes, bytes), "name"),
        ((1, 201, bytes, bytes), "name"), (("x", 1, bytes, bytes), "identity"),
        (("x", 256, bytes, bytes), "identity"), (("x", "201", bytes, bytes), "identity"),
        (("x", 201, None, bytes), "encode"), (("x", 201, bytes, None), "decode"),
    ],
)  # fmt: skip
def test_codecs_are_registered_with_care(given, named):
    with pytest.raises(InvalidArgumentError, match=f"{named}: "):
        register(*given)


def test_whatever_a_codec_of_ones_own_does_is_contained():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    def fail(_):
        raise Mute

    register("failing", 202, fail, fail)
    register("silent", 203, lambda value: None, fail)
    register("reading", 204, bytes, fail)
    for name in ("failing", "silent"):
        with pytest.raises(EncodeError, match="value: "):
            Serializer(name).dump(KEY, b"", META)
    reading = Serializer("reading")
    found = reading.load(KEY, reading.dump(KEY, b"", META))
    assert isinstance(found, Undecodable) and found.reason is Reason.VALUE


# Compression


@settings(max_examples=100)
@given(VALUES, st.sampled_from([1, 3, 19]))
def test_compressed_values_come_back(value, level):
    squeezing = Serializer(compress_above=1, compression_level=level)
    assert comes_back(squeezing, value)
    assert comes_back(squeezing, [value] * 20)


def test_compression_is_for_what_is_large_and_shrinks():
    squeezing = Serializer("bytes", compress_above=1000)
    plain = Serializer("bytes")
    assert squeezing.dump(KEY, b"x" * 1000, META) == plain.dump(KEY, b"x" * 1000, META)
    assert len(squeezing.dump(KEY, b"x" * 1001, META)) < 200
    noise = np.random.default_rng(1).bytes(5000)
    assert squeezing.dump(KEY, noise, META) == plain.dump(KEY, noise, META)
    # Whoever has compression switched off reads what was written while it was on.
    assert same(plain.load(KEY, squeezing.dump(KEY, b"x" * 5000, META)).value, b"x" * 5000)


@pytest.mark.parametrize("level", [1, 19])
def test_the_window_suffices_for_large_values(level):
    squeezing = Serializer("bytes", compress_above=1, compression_level=level)
    noise = np.random.default_rng(1).bytes(1_000_000)
    assert comes_back(squeezing, noise + bytes(9_000_000) + noise)


def test_missing_packages_are_named(monkeypatch):
    written = Serializer(compress_above=1).dump(KEY, "x" * 1000, META)
    plain = Serializer()
    for module in ("backports.zstd", "compression.zstd", "msgspec"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"'msgpack'.*scrubjay\[codecs\]"):
        Serializer()
    with pytest.raises(MissingExtraError, match=r"compression.*scrubjay\[codecs\]"):
        Serializer("json", compress_above=1)
    found = plain.load(KEY, written)
    assert isinstance(found, Undecodable) and found.reason is Reason.COMPRESSION
    assert "scrubjay[codecs]" in found.detail


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"codec": "cbor"}, "codec"), ({"codec": None}, "codec"), ({"schema": -1}, "schema"),
        ({"schema": 2**32}, "schema"), ({"schema": "1"}, "schema"), ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": 2**31}, "max_bytes"), ({"compress_above": 0}, "compress_above"),
        ({"compression_level": 20}, "compression_level"), ({"sign": b"secret"}, "sign"),
        ({"compression_level": 0}, "compression_level"), ({"encrypt": "secret"}, "encrypt"),
        ({"codec": "bytes", "type": bytes}, "type"), ({"codec": "pickle"}, "codec"),
    ],
)  # fmt: skip
def test_arguments_are_checked(given, named):
    with pytest.raises(InvalidArgumentError, match=f"{named}: "):
        Serializer(**given)


def test_an_identifier_of_a_value_is_not_lost():
    value = {"id": uuid.UUID(int=1), "rows": [(1, "a"), (2, "b")], "seen": {1, 2}}
    assert comes_back(msgpack, value)
