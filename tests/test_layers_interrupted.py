"""Changes that end before their time, or are forgiven: what a tier was not told it is told later."""

from __future__ import annotations

import pytest

from scrubjay import Cache, Layer
from scrubjay.errors import TierUnavailableError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier

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
