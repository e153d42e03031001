"""What others have written to the tiers of a cache: enemies, older programs, older envelopes.

All that is not the value that this cache has stored under this key is a miss and an event.
"""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from scrubjay import Cache, EventKind, Layer
from scrubjay.codecs import HmacSha256, KeyEncoder, Meta, Serializer
from scrubjay.codecs.envelope import write_head
from scrubjay.codecs.protection import Checksum
from scrubjay.tiers import DiskTier, MemoryTier, RedisTier, TierRecord
from tests.codec_helpers import SECRET

META = Meta(created=0.0)


@pytest.fixture(params=["memory", "disk", "redis"])
def tier(request, tmp_path):
    if request.param == "memory":
        tier = MemoryTier()
    elif request.param == "disk":
        tier = DiskTier(tmp_path / "disk", 4 << 20)
    else:
        server = request.getfixturevalue("redis_server")
        tier = RedisTier(server.url, namespace=f"hostile{id(tmp_path)}", timeout_seconds=20)
    with tier:
        yield tier


class Victim:
    """A cache over a tier that others write to, and what it tells of that."""

    def __init__(self, tier, serializer, **options):
        self.tier = tier
        self.encode = KeyEncoder("ours")
        self.events = []
        self.cache = Cache(
            max_entries=10, tiers=[Layer(tier)], namespace="ours", serializer=serializer, **options
        )
        self.cache.on_event(self.events.append, EventKind.UNDECODABLE, queued=False)

    def stored(self, key):
        """Return the blob that the tier has."""
        name = self.encode(key)
        if hasattr(self.tier, "write"):
            return self.tier.fetch((name,), ()).records[0].value
        return self.tier.get_many((name,))[0]

    def plant(self, key, blob):
        """Have the tier hold a blob, and memory nothing."""
        record = TierRecord(self.encode(key), blob)
        if hasattr(self.tier, "write"):
            self.tier.write(record)
        else:
            self.tier.put_many([record])

    def misses(self, key, reason):
        """Check that what is there is a miss and an event, and that the key can be used."""
        assert self.cache.get(key) is None
        assert self.events, "it was not told"
        assert all(event.detail.startswith(reason) for event in self.events), self.events
        assert {event.key for event in self.events} == {key}
        assert self.cache.lower_tiers()[self.tier.name]["undecodable"] == len(self.events)
        assert self.cache.get_or_load(key, lambda key: "loaded") == "loaded"


def signing(secret=SECRET, number=1, **more):
    return Serializer(sign=HmacSha256({number: secret}, number), **more)


def blob_of(tier, serializer, key, value, namespace="ours", meta=META):
    return serializer.dump(KeyEncoder(namespace)(key), value, meta)


def test_tampered(tier):
    victim = Victim(tier, signing())
    blob = bytearray(blob_of(tier, signing(), "a", "harmless"))
    blob[blob.index(b"harmless")] ^= 1
    victim.plant("a", bytes(blob))
    victim.misses("a", "forged")


def test_swapped_between_keys(tier):
    victim = Victim(tier, signing())
    victim.plant("mine", blob_of(tier, signing(), "yours", "for you alone"))
    victim.misses("mine", "forged")


def test_replayed_from_another_namespace_or_tenant(tier):
    victim = Victim(tier, signing())
    victim.plant("a", blob_of(tier, signing(), "a", "theirs", namespace="theirs"))
    victim.misses("a", "forged")
    other = Victim(tier, signing())
    other.plant("b", signing().dump(KeyEncoder("ours", "tenant")("b"), "a tenant's", META))
    other.misses("b", "forged")


def test_downgraded(tier):
    victim = Victim(tier, signing())
    victim.plant("a", blob_of(tier, Serializer(), "a", "with a mere checksum"))
    victim.misses("a", "protection")


def test_signed_by_somebody_else(tier):
    victim = Victim(tier, signing())
    victim.plant("a", blob_of(tier, signing(b"x" * 32), "a", "theirs"))
    victim.misses("a", "forged")


def test_oversized(tier):
    victim = Victim(tier, signing(max_bytes=10_000))
    victim.plant("a", blob_of(tier, signing(), "a", "x" * 20_000))
    victim.misses("a", "size")


def test_deeply_nested(tier):
    victim = Victim(tier, Serializer())
    body = b"\x91" * 100_000 + b"\xc0"  # a list in a list in a list
    codec = blob_of(tier, Serializer(), "a", None)[5]
    head = write_head(0, Checksum.code, codec, 0, 0, META, 0, len(body))
    victim.plant("a", Checksum().seal(victim.encode("a"), head, body))
    victim.misses("a", "value")


class Bomb:
    """Leaves a file where somebody unpickles it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_pickle_that_nobody_asked_for(tier, tmp_path):
    path = tmp_path / "exploded"
    payload = pickle.dumps(Bomb(path))
    victim = Victim(tier, Serializer())
    signed = Serializer("pickle", sign=HmacSha256({1: SECRET}, 1))
    victim.plant("a", blob_of(tier, signed, "a", Bomb(path)))
    victim.misses("a", "protection")
    for number, raw in enumerate((payload, b"\x80" + payload, b"")):
        other = Victim(tier, Serializer())
        other.plant(f"raw{number}", raw)
        assert other.cache.get(f"raw{number}") is None
        assert len(other.events) == 1
    authentic = Victim(tier, signing())  # the same secret, and another codec
    authentic.plant("b", blob_of(tier, signed, "b", Bomb(path)))
    authentic.misses("b", "codec")
    assert not path.exists()


# Deploys


@dataclasses.dataclass
class Before:
    name: str
    age: int


@dataclasses.dataclass
class Grown:
    name: str
    age: int
    city: str = "unknown"


@dataclasses.dataclass
class Changed:
    name: str
    born: int


def test_what_an_older_program_has_written_is_read_or_missed(tier):
    old = Victim(tier, Serializer(type=Before))
    old.cache.put("a", Before("Ada", 36))
    grown = Victim(tier, Serializer(type=Grown))
    assert grown.cache.get("a") == Grown("Ada", 36, "unknown")
    assert not grown.events
    changed = Victim(tier, Serializer(type=Changed))
    assert changed.cache.get("a") is None
    assert [event.detail.split(":")[0] for event in changed.events] == ["value"]
    again = Victim(tier, Serializer(type=Before))
    assert again.cache.get("a") == Before("Ada", 36)  # it was not theirs to remove
    loaded = changed.cache.get_or_load("a", lambda key: Changed("Ada", 1815))
    assert loaded == Changed("Ada", 1815)


def test_an_older_schema_or_envelope_is_a_miss(tier):
    old = Victim(tier, Serializer(schema=1))
    old.cache.put("a", 1)
    new = Victim(tier, Serializer(schema=2))
    new.misses("a", "schema")
    blob = bytearray(blob_of(tier, Serializer(), "b", "of old"))
    blob[2] = 0  # the version before the first
    older = Victim(tier, Serializer())
    older.plant("b", bytes(blob))
    older.misses("b", "envelope")
    assert older.stored("b") != bytes(blob)


def test_what_is_broken_goes_and_what_is_foreign_stays(tier):
    """A record that nobody can read is removed; one that another program can read is not."""
    victim = Victim(tier, Serializer())
    foreign = blob_of(tier, Serializer(schema=9), "a", 1)
    victim.plant("a", foreign)
    assert victim.cache.get("a") is None
    assert victim.cache.get("x") is None
    assert victim.stored("a") == foreign
    broken = blob_of(tier, Serializer(), "b", "b")[:-1]
    victim.plant("b", broken)
    assert victim.cache.get("b") is None
    assert victim.cache.get("x") is None  # whoever asks next tells the tier first
    if hasattr(tier, "write"):  # there who loads it replaces it
        assert victim.cache.get_or_load("b", str.upper) == "B"
    assert victim.stored("b") != broken
