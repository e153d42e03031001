"""The envelope: what it holds comes back, and nothing else passes for one."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import EncodeError, InvalidArgumentError, InvalidKeyError
from scrubjay.codecs import HmacSha256, Loaded, Meta, Reason, Serializer, Undecodable, envelope
from scrubjay.codecs.envelope import HEAD_SIZE
from tests.codec_helpers import FULL, KEY, META, SECRET, comes_back

pytestmark = pytest.mark.any_build

serializer = Serializer()
NUMBERS = st.floats(-1e300, 1e300)
COUNTERS = st.integers(0, 2**64 - 1)
METAS = st.builds(
    Meta,
    created=NUMBERS,
    expires=st.none() | st.floats(0, 1e12),
    idle_seconds=st.none() | st.floats(0, 1e12),
    version=COUNTERS,
    priority=NUMBERS,
    cost=NUMBERS,
    tags=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), COUNTERS, max_size=4),
    dependencies=st.dictionaries(st.binary(), COUNTERS, max_size=4),
)


def sealed(key, data):
    """Return a forged envelope with the right checksum."""
    return data + zlib.crc32(data, zlib.crc32(key)).to_bytes(4, "little")


def unsealed(blob):
    return blob[:-4]


def reason(blob, key=KEY, by=serializer):
    found = by.load(key, blob)
    assert isinstance(found, Undecodable), found
    assert found.detail
    return found.reason


@settings(max_examples=300)
@given(METAS)
def test_conditions_come_back(meta):
    assert comes_back(serializer, [1], meta)


def test_the_layout_is_what_is_written_down():
    blob = serializer.dump(KEY, None, Meta(1.0, 2.0, 3.0, 4, 5.0, 6.0, {"t": 7}, {b"k": 8}))
    # Written out in full: what was stored once must be read by every later version.
    expected = bytes.fromhex(
        "f56a 01 00 00 01 00000000 00000000"
        "0000001a 00000001"
        "3ff0000000000000 4000000000000000 4008000000000000"
        "4014000000000000 4018000000000000 0000000000000004"
        "0001 0001 74 0000000000000007 0001 0001 6b 0000000000000008 c0"
    )
    assert blob == sealed(KEY, expected)
    assert len(expected) == HEAD_SIZE + 0x1A + 1


def test_no_labels_take_no_bytes():
    assert len(serializer.dump(KEY, None, META)) == HEAD_SIZE + 1 + 4


@pytest.mark.parametrize(
    "meta",
    [
        Meta(float("nan")), Meta(float("inf")), Meta(1, expires=float("nan")), Meta("now"),
        Meta(1, idle_seconds=float("nan")), Meta(1, version=-1), Meta(1, version=2**64),
        Meta(1, version=1.5), Meta(1, priority=float("inf")), Meta(1, cost=None),
        Meta(1, tags={"a": -1}), Meta(1, tags={"a": 2**64}), Meta(1, tags={1: 1}),
        Meta(1, tags={"x" * 65536: 1}), Meta(1, tags={str(n): n for n in range(65536)}),
        Meta(1, tags={"\ud800": 1}), Meta(1, dependencies={"a": 1}), Meta(1, tags={"a": "1"}),
        Meta(1, dependencies={b"x" * 65536: 1}), Meta(1, tags=["a"]), Meta(10**400),
    ],
    ids=lambda meta: str(meta)[:60],
)  # fmt: skip
def test_conditions_that_cannot_be_written_are_refused(meta):
    with pytest.raises(InvalidArgumentError, match="meta: "):
        serializer.dump(KEY, 1, meta)


def test_keys_and_blobs_are_bytes():
    blob = serializer.dump(KEY, 1, META)
    for key in ("key", 1, None, bytearray(KEY)):
        with pytest.raises(InvalidKeyError, match="KeyEncoder"):
            serializer.dump(key, 1, META)
        with pytest.raises(InvalidKeyError, match="KeyEncoder"):
            serializer.load(key, blob)
    for other in (None, "blob", memoryview(blob)):
        with pytest.raises(InvalidArgumentError, match="blob: "):
            serializer.load(KEY, other)


def changed(**fields):
    """Return an envelope in which fields have other values, checksum and all."""
    technical = ["magic", "envelope", "flags", "protection", "codec", "key_id", "schema"]
    conditions = ["created", "expires", "idle", "priority", "cost", "version"]
    names = [*technical, "labels", "body", *conditions]
    form = struct.Struct(">2sBBBBIIIIdddddQ")
    blob = unsealed(serializer.dump(KEY, "value", FULL))
    values = dict(zip(names, form.unpack_from(blob), strict=True)) | fields
    return sealed(KEY, form.pack(*values.values()) + blob[HEAD_SIZE:])


def test_an_envelope_that_is_not_changed_is_read():
    assert serializer.load(KEY, changed()) == Loaded("value", FULL)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"magic": b"PK"}, Reason.ENVELOPE), ({"envelope": 0}, Reason.ENVELOPE),
        ({"envelope": 2}, Reason.ENVELOPE), ({"envelope": 255}, Reason.ENVELOPE),
        ({"flags": 2}, Reason.ENVELOPE), ({"flags": 0x80}, Reason.ENVELOPE),
        ({"flags": 1}, Reason.COMPRESSION), ({"protection": 1}, Reason.PROTECTION),
        ({"protection": 2}, Reason.PROTECTION), ({"protection": 9}, Reason.PROTECTION),
        ({"key_id": 1}, Reason.DAMAGED), ({"codec": 5}, Reason.CODEC), ({"codec": 0}, Reason.CODEC),
        ({"schema": 1}, Reason.SCHEMA), ({"created": float("nan")}, Reason.DAMAGED),
        ({"created": float("inf")}, Reason.DAMAGED), ({"expires": float("nan")}, Reason.DAMAGED),
        ({"idle": float("nan")}, Reason.DAMAGED), ({"priority": float("-inf")}, Reason.DAMAGED),
        ({"cost": float("nan")}, Reason.DAMAGED), ({"labels": 0}, Reason.DAMAGED),
        ({"labels": 2**32 - 1}, Reason.DAMAGED), ({"body": 0}, Reason.DAMAGED),
        ({"body": 2**32 - 1}, Reason.DAMAGED), ({"labels": 2**31, "body": 2**31}, Reason.DAMAGED),
    ],
    ids=str,
)  # fmt: skip
def test_each_field_is_held_against_what_may_be(fields, expected):
    assert reason(changed(**fields)) is expected


def with_labels(labels, body=b"\xc0"):
    head = envelope.write_head(0, 0, 1, 0, 0, META, len(labels), len(body))
    return sealed(KEY, head + labels + body)


@pytest.mark.parametrize(
    "labels",
    [
        b"\x00", b"\x00\x00", b"\x00\x00\x00", b"\xff\xff" + bytes(100), b"\x00\x01\xff\xff" + bytes(90),
        b"\x00\x01\x00\x01a" + bytes(7), b"\x00\x00\x00\x00\x00", b"\x00\x00\xff\xff",
        b"\x00\x01\x00\x01\xff" + bytes(8) + b"\x00\x00",
        b"\x00\x02" + (b"\x00\x01a" + bytes(8)) * 2 + b"\x00\x00",
    ],
    ids=lambda labels: labels[:8].hex(),
)  # fmt: skip
def test_labels_are_read_strictly(labels):
    assert reason(with_labels(labels)) is Reason.DAMAGED


@given(st.binary(max_size=60))
def test_any_labels_are_read_or_refused(labels):
    found = serializer.load(KEY, with_labels(labels))
    assert isinstance(found, Loaded) or found.reason is Reason.DAMAGED


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body):
    for by in (serializer, Serializer("json"), Serializer("str"), Serializer(type=list[int])):
        head = envelope.write_head(0, 0, by._codec.identity, 0, 0, META, 0, len(body))
        found = by.load(KEY, sealed(KEY, head + body))
        assert isinstance(found, Loaded) or found.reason is Reason.VALUE


@given(st.binary(max_size=200))
def test_any_tagged_body_is_read_or_refused(body):
    found = serializer.load(KEY, with_labels(b"", b"\xc1" + body))
    assert isinstance(found, Loaded) or found.reason is Reason.VALUE


@pytest.mark.parametrize(
    "body",
    [
        "c1", "c1c1", "c70001", "91c70001", "c1c70001", "c1c70101ff", "c1d4635a", "c192c7000401",
        "c191c70004c0", "c1 92c70002 90", "c1d4115f", "c1d51231", "c1c7001f", "c1d42000", "c1c72000",
        "c1 c70c20 00 01 03 4f3038", "c1 c71420 00 01 03 3c6938 ffffffffffffffff 00",
        "c1 c70420 02 00 00 00", "c1 d613 31323334", "c1 c70715 2d202d20402e2e", "c70200 00 00",
        "c1 81 c70001 c0", "c1 81 92c7000101 c0",
    ],
)  # fmt: skip
def test_malformed_tags_are_misses(body):
    assert reason(with_labels(b"", bytes.fromhex(body))) is Reason.VALUE


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_random_bytes_are_misses(blob):
    assert isinstance(serializer.load(KEY, blob), Undecodable)
    assert isinstance(serializer.load(KEY, b"\xf5j\x01" + blob), Undecodable)


@settings(max_examples=500)
@given(st.data())
def test_mutated_blobs_are_misses(data):
    blob = bytearray(serializer.dump(KEY, {"a": [1, (2,), "x" * 20]}, FULL))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(blob)))
        end = data.draw(st.integers(start, len(blob)))
        blob[start:end] = data.draw(st.binary(max_size=8))
    found = serializer.load(KEY, bytes(blob))
    if isinstance(found, Loaded):
        assert found == ({"a": [1, (2,), "x" * 20]}, FULL)  # the mutations cancelled out


@settings(max_examples=500)
@given(st.data())
def test_mutations_with_a_right_checksum_never_raise(data):
    # CRC-32 stops accidents; whoever computes it anew still meets a strict parser.
    blob = bytearray(unsealed(serializer.dump(KEY, {"a": [1, (2,), "x" * 20]}, FULL)))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(serializer.load(KEY, sealed(KEY, bytes(blob))), (Loaded, Undecodable))


def test_a_blob_of_another_key_is_a_miss():
    blob = serializer.dump(KEY, 1, META)
    for key in (KEY + b"x", KEY[:-1], b"", b"other"):
        assert reason(blob, key) is Reason.DAMAGED


@pytest.mark.parametrize("size", [0, 1, HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + 3])
def test_blobs_cut_short_are_misses(size):
    assert reason(serializer.dump(KEY, "x" * 100, META)[:size]) is Reason.DAMAGED


def test_sizes_are_bounded_both_ways():
    small = Serializer("bytes", max_bytes=200)
    assert comes_back(small, b"x" * (200 - HEAD_SIZE - 4))
    with pytest.raises(EncodeError, match="200 are the most"):
        small.dump(KEY, b"x" * (200 - HEAD_SIZE - 3), META)
    with pytest.raises(EncodeError, match="200 are the most"):  # it could not be read back
        Serializer("bytes", max_bytes=200, compress_above=1).dump(KEY, b"x" * 201, META)
    large = Serializer("bytes").dump(KEY, b"x" * 200, META)
    assert reason(large, by=small) is Reason.SIZE


def test_a_signed_reader_refuses_all_of_it_before_it_looks(monkeypatch):
    signed = Serializer(sign=HmacSha256({1: SECRET}))
    monkeypatch.setattr("scrubjay.codecs.serializer.read_meta", None)
    monkeypatch.setattr(signed, "_decode", None)
    blob = bytearray(signed.dump(KEY, "value", FULL))
    blob[HEAD_SIZE] ^= 1
    assert reason(bytes(blob), by=signed) is Reason.FORGED
