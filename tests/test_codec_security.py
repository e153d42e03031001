"""What an attacker with write access to a tier can do: cause misses, and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import secrets
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import InvalidArgumentError, MissingExtraError
from scrubjay.codecs import AesGcm, HmacSha256, KeyEncoder, Loaded, Reason, Serializer, Undecodable
from scrubjay.codecs import register_codec as register
from scrubjay.codecs.envelope import HEAD_SIZE, write_head
from scrubjay.codecs.extras import require_zstd
from tests.codec_helpers import FULL, KEY, META, SECRET, comes_back

pytestmark = pytest.mark.any_build

OTHER = secrets.token_bytes(32)
VALUE = {"name": "x" * 40, "roles": ("admin",)}
PROTECTIONS = {
    "checksum": dict,
    "signed": lambda: {"sign": HmacSha256({1: SECRET})},
    "encrypted": lambda: {"encrypt": AesGcm({1: SECRET})},
}
each = pytest.mark.parametrize("protection", list(PROTECTIONS))
each_secret = pytest.mark.parametrize("protection", ["signed", "encrypted"])


@pytest.fixture(autouse=True)
def _no_codecs_of_others(monkeypatch):
    monkeypatch.setattr("scrubjay.codecs.registry._registered", {})


def made(protection, **options):
    return Serializer(**PROTECTIONS[protection](), **options)


def reason(found):
    assert isinstance(found, Undecodable), found
    return found.reason


def unprotected(body, codec=1, flags=0):
    """Return a blob as an attacker makes it, who can compute a checksum."""
    head = write_head(flags, 0, codec, 0, 0, META, 0, len(body))
    return head + body + zlib.crc32(head + body, zlib.crc32(KEY)).to_bytes(4, "little")


@each
def test_values_come_back_under_every_protection(protection):
    assert comes_back(made(protection), VALUE, FULL)
    assert comes_back(made(protection, compress_above=10), VALUE, FULL)
    assert comes_back(made(protection), None)
    assert comes_back(made(protection, codec="bytes"), os.urandom(100_000))


@each
@pytest.mark.parametrize("options", [{}, {"compress_above": 10}], ids=["plain", "compressed"])
def test_every_bit_counts(protection, options):
    serializer = made(protection, **options)
    blob = serializer.dump(KEY, VALUE, FULL)
    assert isinstance(serializer.load(KEY, blob), Loaded)
    for position in range(len(blob)):
        for bit in range(8):
            altered = bytearray(blob)
            altered[position] ^= 1 << bit
            assert isinstance(serializer.load(KEY, bytes(altered)), Undecodable), (position, bit)


@each
def test_every_length_counts(protection):
    serializer = made(protection)
    blob = serializer.dump(KEY, VALUE, FULL)
    for size in range(len(blob)):
        assert isinstance(serializer.load(KEY, blob[:size]), Undecodable)
    for more in (b"\0", b"\xc0", blob):
        assert isinstance(serializer.load(KEY, blob + more), Undecodable)


@each
def test_a_blob_counts_for_its_own_key_alone(protection):
    serializer = made(protection)
    shop, bank = KeyEncoder("shop", "acme"), KeyEncoder("bank", "acme")
    blob = serializer.dump(shop("user:1"), VALUE, META)
    expected = Reason.DAMAGED if protection == "checksum" else Reason.FORGED
    others = [shop("user:2"), bank("user:1"), KeyEncoder("shop", "evil")("user:1")]
    others += [KeyEncoder("shop")("user:1"), b"", shop("user:1") + b"\0"]
    for key in others:
        assert reason(serializer.load(key, blob)) is expected


@each_secret
@settings(max_examples=100)
@given(st.binary(max_size=8), st.binary(max_size=8))
def test_a_key_and_what_follows_do_not_run_into_each_other(protection, one, other):
    serializer = made(protection)
    found = serializer.load(other, serializer.dump(one, VALUE, META))
    assert isinstance(found, Loaded) is (one == other)


def test_an_envelope_inside_of_a_value_is_no_envelope():
    """An attacker who may choose values and keys moves the border between key and blob."""
    signing = Serializer("bytes", sign=HmacSha256({1: SECRET}))
    inner = write_head(0, 1, 3, 1, 0, META, 0, 6) + b"forged"
    blob = signing.dump(b"k", inner, META)
    border = blob.index(inner)
    assert blob[border:-32] == inner
    found = signing.load(b"k" + blob[:border], blob[border:])
    assert reason(found) is Reason.FORGED


@pytest.mark.parametrize("reader", list(PROTECTIONS))
@pytest.mark.parametrize("writer", list(PROTECTIONS))
def test_the_reader_says_which_protection_counts(writer, reader):
    found = made(reader).load(KEY, made(writer).dump(KEY, VALUE, META))
    if writer == reader:
        assert found == (VALUE, META)
    else:
        assert reason(found) is Reason.PROTECTION


@pytest.mark.parametrize("writer", list(PROTECTIONS))
@pytest.mark.parametrize("reader", ["signed", "encrypted"])
@pytest.mark.parametrize("claimed", [0, 1, 2, 3, 255])
def test_claiming_another_protection_does_not_help(writer, reader, claimed):
    """The same secret is used for both, which nobody should do, and it helps nobody."""
    blob = bytearray(made(writer).dump(KEY, VALUE, META))
    if blob[4] != claimed:
        blob[4] = claimed
        assert isinstance(made(reader).load(KEY, bytes(blob)), Undecodable)


@each_secret
def test_another_secret_of_the_same_number_is_of_no_use(protection):
    kind = {"signed": HmacSha256, "encrypted": AesGcm}[protection]
    name = {"signed": "sign", "encrypted": "encrypt"}[protection]
    blob = Serializer(**{name: kind({1: OTHER})}).dump(KEY, VALUE, META)
    assert reason(made(protection).load(KEY, blob)) is Reason.FORGED


@pytest.mark.parametrize(("kind", "name"), [(HmacSha256, "sign"), (AesGcm, "encrypt")])
def test_secrets_are_changed_without_a_gap(kind, name):
    before = Serializer(**{name: kind({1: SECRET})})
    both = Serializer(**{name: kind({1: SECRET, 2: OTHER}, current=1)})
    switched = Serializer(**{name: kind({1: SECRET, 2: OTHER}, current=2)})
    after = Serializer(**{name: kind({2: OTHER})})
    old, new = before.dump(KEY, "old", META), switched.dump(KEY, "new", META)
    assert both.load(KEY, old).value == switched.load(KEY, old).value == "old"
    assert both.load(KEY, new).value == after.load(KEY, new).value == "new"
    assert before.load(KEY, both.dump(KEY, 1, META)) == (1, META)
    assert reason(after.load(KEY, old)) is Reason.KEY_ID
    assert reason(before.load(KEY, new)) is Reason.KEY_ID


@pytest.mark.parametrize("kind", [HmacSha256, AesGcm])
@pytest.mark.parametrize(
    "given",
    [
        ({},), (None,), (SECRET,), ({1: b"short"},), ({1: "x" * 32},), ({-1: SECRET},),
        ({2**32: SECRET},), ({"1": SECRET},), ({1: SECRET, 2: OTHER},), ({1: SECRET}, 2),
        ({True: SECRET},), ({1: b""},), ({1: SECRET[:31]},),
    ],
    ids=lambda given: str(len(given)),
)  # fmt: skip
def test_secrets_are_checked_and_never_told(kind, given):
    with pytest.raises(InvalidArgumentError, match=r"keys: |current: ") as caught:
        kind(*given)
    assert repr(SECRET) not in str(caught.value)


@pytest.mark.parametrize("kind", [HmacSha256, AesGcm])
def test_secrets_stay_where_they_are(kind):
    holder = kind({1: SECRET, 7: OTHER}, current=7)
    assert repr(holder) == f"<{kind.__name__} with secrets 1, 7; 7 to write with>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InvalidArgumentError, match="pickled"):
            leak(holder)
    with pytest.raises(InvalidArgumentError, match=r"32 bytes|64 bytes"):
        AesGcm({1: SECRET * 2})


def test_one_protection_is_enough():
    with pytest.raises(InvalidArgumentError, match="sign: "):
        Serializer(sign=HmacSha256({1: SECRET}), encrypt=AesGcm({1: OTHER}))
    with pytest.raises(InvalidArgumentError, match="encrypt: "):
        Serializer(encrypt=HmacSha256({1: SECRET}))


def test_what_is_encrypted_cannot_be_read():
    blob = made("encrypted").dump(KEY, VALUE, FULL)
    assert made("encrypted").dump(KEY, VALUE, FULL)[HEAD_SIZE:] != blob[HEAD_SIZE:]  # fresh nonce
    for secret in (b"x" * 20, b"admin", b"user", "été".encode()):
        assert secret in made("signed").dump(KEY, VALUE, FULL)
        assert secret not in blob


def test_encryption_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtraError, match=r"scrubjay\[crypto\]"):
        AesGcm({1: SECRET})
    assert HmacSha256({1: SECRET})


# Pickle


class Bomb:
    """Makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("codec", ["msgpack", "json", "bytes", "str"])
@each
def test_a_pickle_is_never_loaded_unasked(codec, protection, tmp_path):
    path = str(tmp_path / "owned")
    body = pickle.dumps(Bomb(path))
    reader = made(protection, codec=codec)
    # As a foreign blob, as one that claims this very codec, and as one of the pickle codec.
    for identity in range(256):
        found = reader.load(KEY, unprotected(body, identity))
        assert codec == "bytes" or isinstance(found, Undecodable)
    pickling = Serializer("pickle", sign=HmacSha256({1: SECRET}))
    assert isinstance(reader.load(KEY, pickling.dump(KEY, Bomb(path), META)), Undecodable)
    assert isinstance(reader.load(KEY, body), Undecodable)
    assert not Path(path).exists()


def test_the_pickle_codec_refuses_to_go_unprotected():
    with pytest.raises(InvalidArgumentError, match="codec: 'pickle' runs code"):
        Serializer("pickle")
    register("marshalling", 210, pickle.dumps, pickle.loads, runs_code=True)
    with pytest.raises(InvalidArgumentError, match="codec: 'marshalling' runs code"):
        Serializer("marshalling")
    assert comes_back(Serializer("marshalling", sign=HmacSha256({1: SECRET})), {1, 2})


@each_secret
def test_a_pickle_is_loaded_only_if_it_is_authentic(protection, tmp_path):
    path = str(tmp_path / "owned")
    pickling = made(protection, codec="pickle")
    assert comes_back(pickling, {"a": (1, {2})})
    blob = pickling.dump(KEY, Bomb(path), META)
    for other in (OTHER, secrets.token_bytes(32)):
        kind, name = (HmacSha256, "sign") if protection == "signed" else (AesGcm, "encrypt")
        forger = Serializer("pickle", **{name: kind({1: other})})
        assert reason(pickling.load(KEY, forger.dump(KEY, Bomb(path), META))) is Reason.FORGED
    assert isinstance(pickling.load(KEY, unprotected(pickle.dumps(Bomb(path)), 5)), Undecodable)
    assert isinstance(pickling.load(KEY + b"x", blob), Undecodable)
    altered = bytearray(blob)
    altered[-40] ^= 1
    assert isinstance(pickling.load(KEY, bytes(altered)), Undecodable)
    assert not Path(path).exists()
    assert isinstance(pickling.load(KEY, blob), Loaded)  # which shows that it would have
    assert Path(path).exists()


# Sizes and depths


@dataclasses.dataclass
class Node:
    next: Node | None = None


DEEP = 200_000
NESTED = {
    "msgpack": [b"\x91" * DEEP, b"\x81\xa1a" * DEEP, b"\xc1" + b"\x91" * DEEP, b"\x81\x91" * DEEP,
                b"\xc1" + b"\x92\xc7\x00\x01" * DEEP, b"\x91" * DEEP + b"\xc0",
                b"\xc1" + b"\x92\xc7\x00\x01" * 450 + b"\xc0"],
    "json": [b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP],
}  # fmt: skip


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("declared", [Any, Node, list[Any]], ids=str)
def test_deep_nesting_is_a_miss(codec, declared):
    reader = Serializer(codec, type=declared)
    bodies = NESTED[codec] + [b"\x81\xa4next" * DEEP, b'{"next":' * DEEP]
    for body in bodies:
        found = reader.load(KEY, unprotected(body, {"msgpack": 1, "json": 2}[codec]))
        assert reason(found) is Reason.VALUE


def loaded_with_peak(reader, blob):
    """Load a blob; return what came of it and the most memory that took, in bytes."""
    tracemalloc.start()
    try:
        found = reader.load(KEY, blob)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    ["ddffffffff", "dd7fffffff", "dfffffffff", "c6ffffffff", "dbffffffff", "c9ffffffff01",
     "c1ddffffffff", "dcffff", "deffff", "c1 c70e20 00 01 03 3c7531 0000ffffffffffff",
     "c1 c70e20 00 01 03 3c7531 0000000040000000"],
)  # fmt: skip
@pytest.mark.parametrize("declared", [Any, list[int], dict[str, int], bytes], ids=str)
def test_nothing_is_allocated_by_a_length_that_is_merely_claimed(body, declared):
    reader = Serializer(type=declared)
    blob = unprotected(bytes.fromhex(body))
    found, peak = loaded_with_peak(reader, blob)
    assert reason(found) is Reason.VALUE
    assert peak < 1_000_000


def test_a_decompression_bomb_is_stopped_at_the_bound():
    zstd = require_zstd()
    bomb = zstd.compress(bytes(200_000_000))
    assert len(bomb) < 20_000
    reader = Serializer("bytes", max_bytes=1_000_000)
    blob = unprotected(bomb, codec=3, flags=1)
    found, peak = loaded_with_peak(reader, blob)
    assert reason(found) is Reason.COMPRESSION
    assert peak < 4_000_000


def test_frames_are_read_strictly():
    zstd = require_zstd()
    frame = zstd.compress(b"x" * 1000)
    reader = Serializer("bytes", max_bytes=1000)
    exact = reader.load(KEY, unprotected(frame, codec=3, flags=1))
    assert exact.value == b"x" * 1000
    level = zstd.CompressionParameter
    window = zstd.compress(
        bytes(300_000_000), options={level.window_log: 27, level.compression_level: 1}
    )
    for bad in (
        frame[:-1], frame + b"x", frame + frame, b"", b"x" * 50, zstd.compress(b"x" * 1001),
    ):  # fmt: skip
        assert reason(reader.load(KEY, unprotected(bad, codec=3, flags=1))) is Reason.COMPRESSION
    large = Serializer("bytes", max_bytes=2**31 - 1)
    assert reason(large.load(KEY, unprotected(window, codec=3, flags=1))) is Reason.COMPRESSION


@given(st.binary(max_size=100))
def test_any_frame_is_read_or_refused(data):
    found = Serializer("bytes").load(KEY, unprotected(data, codec=3, flags=1))
    assert isinstance(found, Loaded) or found.reason is Reason.COMPRESSION


def test_importing_and_choosing_load_no_more_than_is_asked_for():
    program = (
        "import sys, scrubjay.codecs as c\n"
        "k = c.KeyEncoder('a')('b'); m = c.Meta(1.0)\n"
        "s = c.Serializer('json', sign=c.HmacSha256({1: bytes(32)}))\n"
        "assert s.load(k, s.dump(k, [1], m)).value == [1]\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "scrubjay" in loaded
    assert not loaded & {"msgspec", "numpy", "cryptography", "backports", "pydantic", "attrs"}
