"""A loaded value takes the place of what a lower tier had, even where it cannot stand there itself.

It cannot if the counters of its labels are not known, if it has no bytes, or if the tier takes
only what memory evicts. What was there before must go all the same, or it comes back as soon as
memory gives the loaded value up.
"""

from __future__ import annotations

import pytest

from scrubjay import Cache, Layer, ManualClock, Memory
from scrubjay.errors import TierUnavailableError
from scrubjay.tiers import MemoryTier
from tests.door_helpers import opened


class Failing(MemoryTier):
    """A tier that fails in the calls that it is told to fail in, as often as it is told."""

    def __init__(self, **more):
        super().__init__(**more)
        self.failing = []
        self.error = TierUnavailableError("no")
        self.deleted = []

    def _called(self, method):
        if self.failing[:1] == [method]:
            self.failing.pop(0)
            raise self.error

    def get_many(self, keys):
        self._called("get_many")
        return super().get_many(keys)

    def counters(self, names):
        self._called("counters")
        return super().counters(names)

    def put_many(self, records):
        self._called("put_many")
        return super().put_many(records)

    def bump(self, names):
        self._called("bump")
        return super().bump(names)

    def delete_many(self, keys):
        self.deleted += keys
        return super().delete_many(keys)


@pytest.fixture(params=["sync", "async"])
def make(request):
    with opened(request.param) as make:
        yield make


@pytest.fixture(params=["through", "demoted"])
def tier(request):
    tier = Failing(name="below")
    tier.writes = request.param
    return tier


def over(*tiers, make=Cache, **memory):
    """Return a cache with little memory over tiers."""
    layers = [Layer(tier, writes=getattr(tier, "writes", "through")) for tier in tiers]
    return make(
        tiers=[Memory(max_entries=9, **memory), *layers],
        eviction_strategy="lru",
        clock=ManualClock(),
        consistency_level="session",
    )


def lay_below(tier, **labels):
    """Store "old" in a tier, by another cache over it."""
    other = Cache(
        tiers=[Memory(max_entries=9), Layer(tier)], eviction_strategy="lru", clock=ManualClock()
    )
    other.put("a", "old", **labels)
    other.put("page", "of old", dependencies={"a"})


def give_up(cache):
    """Have memory give everything up; nothing of it goes down, as it was never read."""
    cache.resize(max_entries=1)
    cache.put_many({"x": 1, "y": 2})
    assert "a" not in cache


def load(cache, way, value, **more):
    """Load a value: where there is none, or anew; alone or with others."""
    if way == "refresh":
        assert cache.refresh("a", lambda key: value, **more) is value
    elif way == "get_many anew":  # what memory has is too old for a session
        me = {"session_id": "me"}
        cache.consistency_manager.register_write("a", "me", 1 << 60)
        found = cache.get_many(["a"], lambda keys: {"a": value}, context=me, **more)
        assert found["a"] is value
    elif way == "get_or_load":
        assert cache.get_or_load("a", lambda key: value, **more) is value
    else:
        assert cache.get_many(["a"], lambda keys: {"a": value}, **more)["a"] is value


LOADS = ["get_or_load", "get_many"]
ANEW = ["refresh", "get_many anew"]


@pytest.mark.parametrize("way", ANEW)
def test_a_refreshed_value_whose_labels_are_not_known(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    assert cache.get("a") == "old"
    tier.failing = ["counters"]
    load(cache, way, "new", tags={"t"})
    assert not tier.failing
    give_up(cache)
    assert cache.get("a") is None
    assert cache.get("page") is None


@pytest.mark.parametrize("way", ANEW)
def test_a_refreshed_value_without_bytes(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    assert cache.get("a") == "old"
    load(cache, way, object())
    give_up(cache)
    assert cache.get("a") is None
    assert cache.get("page") is None


@pytest.mark.parametrize("way", ANEW)
def test_what_was_made_from_a_refreshed_value_that_memory_never_had_goes(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    assert (cache.get("page"), cache.get("a")) == ("of old", "old")
    load(cache, way, "new")
    assert "page" not in cache


@pytest.mark.parametrize("way", ANEW)
@pytest.mark.parametrize("place", ["near", "far"])
@pytest.mark.parametrize("method", ["put_many", "bump"])
def test_a_refresh_that_is_interrupted_while_it_is_written(way, place, method):
    near, far = Failing(name="near"), Failing(name="far")
    cache = over(near, far)
    lay_below(near)
    lay_below(far)
    assert (cache.get("page"), cache.get("a")) == ("of old", "old")
    failing = near if place == "near" else far
    failing.failing, failing.error = [method], KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        load(cache, way, "new")
    assert not failing.failing
    assert cache.get("page") is None
    give_up(cache)
    assert cache.get("a") is None
    assert over(near).get("a") is None
    assert over(far).get("a") is None


@pytest.mark.parametrize("way", LOADS)
def test_a_load_that_is_interrupted_before_what_could_not_be_read_is_replaced(way):
    near, far = Failing(name="near"), Failing(name="far")
    cache = over(near, far)
    lay_below(near)
    near.failing = ["get_many"]
    far.failing, far.error = ["put_many"], KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        load(cache, way, "new")
    give_up(cache)
    assert cache.get("a") is None


@pytest.mark.parametrize("way", LOADS)
def test_a_loaded_value_whose_labels_are_not_known(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    tier.failing = ["get_many", "counters"]
    load(cache, way, "new", tags={"t"})
    give_up(cache)
    assert cache.get("a") is None


@pytest.mark.parametrize("way", LOADS)
def test_a_loaded_value_in_place_of_one_whose_labels_could_not_be_compared(make, tier, way):
    lay_below(tier, tags={"t"})
    cache = over(tier, make=make)
    # While the record is confirmed, and before the loader is called; a tier that takes what
    # memory evicts is asked for the counters of the key first.
    tier.failing = ["counters"] * (2 + (tier.writes == "demoted"))
    load(cache, way, "new", tags={"t"})
    give_up(cache)
    assert cache.get("a") is None


@pytest.mark.parametrize("way", LOADS)
def test_a_loaded_value_without_bytes(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    tier.failing = ["get_many"]
    load(cache, way, object())
    give_up(cache)
    assert cache.get("a") is None


@pytest.mark.parametrize("way", LOADS)
def test_a_loaded_value_where_only_what_is_evicted_goes(make, tier, way):
    lay_below(tier)
    cache = over(tier, make=make)
    tier.failing = ["get_many"]
    load(cache, way, "new")
    give_up(cache)
    assert cache.get("a") == ("new" if tier.writes == "through" else None)


@pytest.mark.parametrize("way", LOADS)
@pytest.mark.parametrize("value", ["new", object()])
def test_nothing_is_deleted_where_nothing_was(make, tier, way, value):
    cache = over(tier, make=make)
    load(cache, way, value, tags={"t"})
    assert not tier.deleted
