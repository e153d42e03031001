"""Changes that end before their time, or are forgiven: what a tier was not told it is told later."""

from __future__ import annotations

import contextlib

import pytest

from scrubjay import Cache, Layer, ManualClock
from scrubjay._flow import bulk, turns
from scrubjay._flow.loading import Loading
from scrubjay.errors import TierUnavailableError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient

ASKED = ("delete_many", "delete", "bump", "advance", "clear")


class Failing:
    """A tier that fails or is interrupted by a signal once, before or after it does what it is asked."""

    def __init__(self, tier, method, after, error=KeyboardInterrupt):
        self.tier = tier
        self.method = method
        self.after = after
        self.error = error
        self.armed = False

    def __getattr__(self, name):
        given = getattr(self.tier, name)
        if name != self.method:
            return given

        def call(*arguments, **named):
            if not self.armed:
                return given(*arguments, **named)
            self.armed = False
            if self.after:
                given(*arguments, **named)
            raise self.error

        return call


CHANGES = {
    "invalidate": lambda cache: cache.invalidate("a"),
    "invalidate_many": lambda cache: cache.invalidate_many(["a", "b"]),
    "invalidate_by_tags": lambda cache: cache.invalidate_by_tags(["t"]),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", ASKED)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", ["near", "far", "near a shared one", "shared"])
def test_a_change_that_is_interrupted_is_made_nevertheless(place, change, method, after):
    shared = "shared" in place
    near, far = MemoryTier(), SharedMemoryTier(SharedMemory()) if shared else MemoryTier()
    if place.startswith("near"):
        near = failing = Failing(near, method, after)
    else:
        far = failing = Failing(far, method, after)
    cache = Cache(max_entries=10, tiers=[Layer(near), Layer(far)])
    for key in ("a", "b"):
        cache.put(key, "old", tags=["t"])
    failing.armed = True
    try:
        CHANGES[change](cache)
    except KeyboardInterrupt:
        assert not failing.armed
    failing.armed = False
    assert cache.get("a") is None
    if change != "invalidate":
        assert cache.get("b") is None
    other = Cache(max_entries=10, tiers=[Layer(near), Layer(far)])
    assert other.get("a") is None


FORGIVEN = {
    "invalidate_by_tags": lambda cache: cache.invalidate_by_tags(["t"]),
    "invalidate": lambda cache: cache.invalidate("source"),
    "invalidate_many": lambda cache: cache.invalidate_many(["source", "a"]),
    "put": lambda cache: cache.put("source", "new"),
    "refresh": lambda cache: cache.refresh("source", lambda key: "new"),
}


ASKED_FOR = [
    ("invalidate_by_tags", "advance"),
    ("invalidate", "delete"),
    ("invalidate", "advance"),
    ("invalidate_many", "delete"),
    ("invalidate_many", "advance"),
    ("put", "write"),
    ("put", "advance"),
    ("refresh", "lease"),
    ("refresh", "fill"),
    ("refresh", "advance"),
]


@pytest.mark.parametrize(("change", "method"), ASKED_FOR)
def test_no_local_tier_serves_what_a_change_has_made_void_that_the_shared_one_missed(
    change, method
):
    shared = Failing(SharedMemoryTier(SharedMemory()), method, False, TierUnavailableError("no"))
    cache = Cache(max_entries=10, tiers=[Layer(MemoryTier()), Layer(shared)])
    cache.put("source", "old")
    cache.put("b", "made of it", tags=["t"], dependencies=["source"])
    cache.invalidate_by_tags(["another"])  # this level answers
    for number in range(10):
        cache.put(number, number)  # memory gives them up
    assert cache.lower_tiers()["memory"]["hits"] == 0
    shared.armed = True
    FORGIVEN[change](cache)
    assert not shared.armed
    assert cache.get("b") is None


# Interrupts between claiming a key and what is done with it


class Once:
    """Calls a function, and is interrupted by a signal just behind it, the first time."""

    def __init__(self, function):
        self.function = function
        self.interrupted = False

    def __get__(self, instance, owner=None):
        return lambda *given: self(instance, *given)

    def __call__(self, *given):
        answer = self.function(*given)
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        return answer


def keys_of(keys):
    return {key: key.upper() for key in keys}


LOADS = {
    "get_or_load": lambda cache: cache.get_or_load("a", str.upper),
    "get_many": lambda cache: cache.get_many(["a", "b"], keys_of),
    "refresh": lambda cache: cache.refresh("a", str.upper),
    "stale": lambda cache: cache.get_or_load("a", str.upper),
    "strong": lambda cache: cache.get_or_load("a", str.upper, consistency_level="strong"),
}


@pytest.mark.parametrize("load", LOADS)
def test_a_key_whose_load_was_interrupted_as_it_was_claimed_can_be_loaded(load, monkeypatch):
    clock = ManualClock()
    shared = Layer(SharedMemoryTier(SharedMemory()))
    cache = Cache(
        max_entries=10,
        clock=None if load == "strong" else clock,
        stale_while_revalidate_seconds=5 if load == "stale" else None,
        tiers=[shared] if load == "strong" else None,
    )
    if load == "stale":
        cache.put("a", "old", ttl_seconds=1)
        clock.advance(2)
    with monkeypatch.context() as patch:
        patch.setattr(Loading, "begin", Once(Loading.begin))
        with pytest.raises(KeyboardInterrupt):
            LOADS[load](cache)
    clock.advance(10)
    assert Patient(cache.get_or_load, "a", str.upper).result() == "A"


def test_keys_whose_load_together_was_interrupted_can_be_loaded(monkeypatch):
    cache = Cache(max_entries=10)
    with monkeypatch.context() as patch:
        patch.setattr(bulk, "_parts", Once(bulk._parts))
        with pytest.raises(KeyboardInterrupt):
            cache.get_many(["a", "b"], keys_of)
    assert Patient(cache.get_or_load, "b", str.upper).result() == "B"
    assert Patient(cache.get_many, ["a", "b"], keys_of).result() == {"a": "A", "b": "B"}


WRITES = {
    "put": lambda cache: cache.put("a", 1),
    "put_many": lambda cache: cache.put_many({"a": 1, "b": 2}),
    "invalidate": lambda cache: cache.invalidate("a"),
    "invalidate_many": lambda cache: cache.invalidate_many(["b", "a"]),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("place", ["claim", "get", "_waits_for"])
@pytest.mark.parametrize("write", WRITES)
def test_a_key_whose_change_was_interrupted_as_it_was_claimed_can_be_changed(
    write, place, monkeypatch
):
    if place == "_waits_for":
        once = Once(turns._waits_for)
        monkeypatch.setattr(turns, place, once)
    else:
        once = Once(getattr(turns.Claims, place))
        monkeypatch.setattr(turns, "Claims", type("Claims", (turns.Claims,), {place: once}))
    cache = Cache(max_entries=10, tiers=[Layer(MemoryTier())])
    with contextlib.suppress(KeyboardInterrupt):
        WRITES[write](cache)
    assert once.interrupted or (write, place) == ("clear", "get")  # it looks for no other
    once.interrupted = True
    for change in WRITES.values():
        Patient(change, cache).result()
    assert Patient(cache.put, "a", 3).result()
    assert cache.get("a") == 3
