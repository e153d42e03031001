"""What a node changes itself is of the past for its readers when the change has returned.

Word of it may come late: a cache reads by one connection and changes by another where it is
used by an event loop and by threads. Until then its copies look as if they were watched.
"""

from __future__ import annotations

import pytest

from scrubjay import Cache, Layer
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, wait


class ChangedElsewhere(SharedMemoryTier):
    """A tier that changes things by another connection than it reads by."""

    def __init__(self, memory):
        super().__init__(memory)
        self._other = SharedMemoryTier(memory)
        self.between = None

    def write(self, record):
        return self._other.write(record)

    def delete(self, keys):
        return self._other.delete(keys)

    def advance(self, names):
        return self._other.advance(names)

    def fetch(self, keys, names=()):
        fetched = super().fetch(keys, names)
        work, self.between = self.between, None
        if work is not None:
            work()
        return fetched


class Interrupted(MemoryTier):
    """A local tier that has something done just after it was read."""

    between = None

    def get_many(self, keys):
        found = super().get_many(keys)
        work, self.between = self.between, None
        if work is not None:
            work()
        return found


def changes(cache):
    """Return ways to void what depends on "topic" and is tagged "news"."""
    return {
        "put": lambda: cache.put("topic", 1),
        "delete": lambda: cache.invalidate("topic"),
        "delete_many": lambda: cache.invalidate_many(["topic"]),
        "refresh": lambda: cache.refresh("topic", lambda key: 1),
        "tags": lambda: cache.invalidate_by_tags(["news"]),
    }


def node(local=None):
    shared = ChangedElsewhere(SharedMemory())
    layers = [Layer(shared)] if local is None else [Layer(local), Layer(shared)]
    return Cache(max_entries=4, eviction_strategy="lru", tiers=layers), shared


def loading_of_topic(cache):
    """Load what is made from "topic", and have memory give it up; return how it is loaded."""
    revisions = iter(range(10))

    def load():
        return cache.get_or_load(
            "digest", lambda key: next(revisions), tags=["news"], dependencies=["topic"]
        )

    cache.put("topic", 0)
    assert load() == 0
    for other in range(4):
        cache.put(other, other)
    assert "digest" not in cache
    return load


@pytest.mark.parametrize("how", sorted(changes(None)))
def test_a_local_tier_does_not_show_what_was_changed_here(how):
    cache, _ = node(MemoryTier())
    load = loading_of_topic(cache)
    changes(cache)[how]()
    assert load() == 1
    assert load() == 1


@pytest.mark.parametrize("how", sorted(changes(None)))
def test_what_is_changed_while_a_local_tier_is_read_is_not_kept(how):
    local = Interrupted()
    cache, _ = node(local)
    load = loading_of_topic(cache)
    local.between = changes(cache)[how]
    load()
    assert local.between is None
    assert load() == 1


@pytest.mark.parametrize("how", sorted(changes(None)))
@pytest.mark.parametrize("many", [False, True])
def test_what_is_changed_while_the_shared_tier_is_read_is_not_kept(how, many):
    cache, shared = node()
    load = loading_of_topic(cache)
    shared.between = changes(cache)[how]
    if many:
        cache.get_many(["digest"])
    else:
        cache.get("digest")
    assert shared.between is None
    assert load() == 1


@pytest.mark.parametrize("how", sorted(changes(None)))
def test_who_comes_after_a_change_is_not_shown_what_was_read_before(how):
    cache, shared = node()
    load = loading_of_topic(cache)
    late = []

    def change():
        changes(cache)[how]()
        late.append(Patient(load))
        (flight,) = cache._loads._flights.values()
        wait(lambda: flight.joined or late[0].ended)

    shared.between = change
    cache.get("digest")
    assert late[0].result() == 1


def test_what_was_read_before_a_change_that_the_tier_is_told_of_later_is_not_kept():
    cache, shared = node()
    load = loading_of_topic(cache)

    def change():
        shared._other.reachable = False
        cache.invalidate_by_tags(["news"])
        shared._other.reachable = True

    shared.between = change
    cache.get("digest")
    assert load() == 1
