"""What a node changes itself is of the past for its readers when the change has returned.

Word of it may come late: a cache reads by one connection and changes by another where it is
used by an event loop and by threads. Until then its copies look as if they were watched.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest

from scrubjay import Cache, Layer
from scrubjay.consistency import own_changes
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, spin


class ChangedElsewhere(SharedMemoryTier):
    """A tier that changes things by another connection than it reads by.

    `after` has what is done once, after a call of a method has been answered and before who has
    made it goes on; "generations" stands for a `fetch` of names alone.
    """

    def __init__(self, memory):
        super().__init__(memory)
        self._other = SharedMemoryTier(memory)
        self.after = {}

    def write(self, record):
        return self._other.write(record)

    def delete(self, keys):
        return self._other.delete(keys)

    def advance(self, names):
        return self._other.advance(names)

    def clear(self):
        self._other.clear()

    def fetch(self, keys, names=()):
        fetched = super().fetch(keys, names)
        self.after.pop("fetch" if keys else "generations", lambda: None)()
        return fetched

    @contextmanager
    def away(self):
        """Have no call get through."""
        self.reachable = self._other.reachable = False
        try:
            yield
        finally:
            self.reachable = self._other.reachable = True


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
        "clear": lambda: cache.clear(),  # noqa: PLW0108 - `cache` may be None
    }


def node(local=None, server=None):
    shared = ChangedElsewhere(server or SharedMemory())
    layers = [Layer(shared)] if local is None else [Layer(local), Layer(shared)]
    return Cache(max_entries=4, eviction_strategy="lru", tiers=layers), shared


def give_up(cache, key):
    """Have memory give up a key."""
    for other in range(4):
        cache.put(other, other)
    assert key not in cache


def begun(cache, work):
    """Begin to read in another thread; return when it waits for a load, or has begun its own."""
    before = list(cache._loads._flights.values())

    def under_way():
        now = cache._loads._flights.values()
        return reader.ended or any(one.joined or one not in before for one in now)

    reader = Patient(work)
    spin(under_way)
    return reader


def loaded_of_topic(cache):
    """Load what is made from "topic"; return how it is loaded."""
    revisions = iter(range(10))

    def load():
        return cache.get_or_load(
            "digest", lambda key: next(revisions), tags=["news"], dependencies=["topic"]
        )

    cache.put("topic", 0)
    assert load() == 0
    return load


def loading_of_topic(cache):
    """Load what is made from "topic", and have memory give it up; return how it is loaded."""
    load = loaded_of_topic(cache)
    give_up(cache, "digest")
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
@pytest.mark.parametrize("step", ["fetch", "generations"])
@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_what_is_changed_while_the_shared_tier_is_read_is_not_kept(how, step, away, many):
    cache, shared = node()
    load = loading_of_topic(cache)

    def change():
        with shared.away() if away else nullcontext():
            changes(cache)[how]()

    if step == "generations":  # they are not known, as the connection was lost
        shared.lose()
    shared.after[step] = change
    if many:
        cache.get_many(["digest"])
    else:
        cache.get("digest")
    assert not shared.after
    assert load() == 1


@pytest.mark.parametrize("how", sorted(changes(None)))
@pytest.mark.parametrize("many", [False, True])
def test_who_comes_after_a_change_is_not_shown_what_was_read_before(how, many):
    cache, shared = node()
    load = loading_of_topic(cache)
    late = []

    def change():
        changes(cache)[how]()
        late.append(begun(cache, load))

    shared.after["fetch"] = change
    if many:
        cache.get_many(["digest"])
    else:
        cache.get("digest")
    assert late[0].result() == 1


@pytest.mark.parametrize("how", sorted(changes(None)))
def test_who_comes_after_a_change_does_not_join_a_strong_read_from_before(how):
    cache, shared = node()
    load = loaded_of_topic(cache)
    # What is known of the generations is known by the connection that changes things.
    cache._stack.replica.learn(*elsewhere(cache, shared))
    late = []

    def change():
        changes(cache)[how]()
        late.append(begun(cache, load))

    shared.after["generations"] = change
    cache.get("digest", consistency_level="strong")
    assert not shared.after
    assert late[0].result() == 1


def elsewhere(cache, shared):
    names = cache._stack.lower.names
    asked = (names.of_tag("news"), names.of_key("topic"))
    return asked, shared._other.fetch((), asked).counts


@pytest.mark.parametrize("how", sorted(changes(None)))
def test_who_comes_after_a_change_joins_no_load_of_what_inherits_it(how):
    cache, _ = node()
    cache.put("topic", 0)
    cache.get_or_load("digest", lambda key: 0, tags=["news"], dependencies=["topic"])
    revisions = iter(range(10))
    late = []

    def read():
        return cache.get_or_load("summary", lambda key: next(revisions), dependencies=["digest"])

    def load(key):
        revision = next(revisions)
        give_up(cache, "digest")
        changes(cache)[how]()
        late.append(begun(cache, read))
        return revision

    assert cache.get_or_load("summary", load, dependencies=["digest"]) == 0
    assert late[0].result() == 1


def test_more_changes_than_are_told_apart(monkeypatch):
    monkeypatch.setattr(own_changes, "_MOST", 10)
    cache, _ = node(MemoryTier())
    load = loading_of_topic(cache)
    cache.invalidate_many(["topic", *range(100, 120)])
    assert load() == 1
    cache.put("other", 1)
    give_up(cache, "digest")
    assert load() == 1  # what was made since is of use


def test_a_refresh_that_the_shared_tier_is_not_told_of_replaces_what_a_local_one_has():
    cache, shared = node(MemoryTier())
    cache.put("key", "old")
    with shared.away():
        assert cache.refresh("key", lambda key: "new") == "new"
        assert cache.get("key") == "new"
        give_up(cache, "key")
        assert cache.get("key") is None
    assert cache.get("key") is None


@pytest.mark.parametrize("local", [False, True])
def test_a_refresh_that_is_not_kept_leaves_nothing_of_what_was_there(local):
    cache, _ = node(MemoryTier() if local else None)
    cache.put("key", "old")

    def load(key):
        cache.invalidate_by_tags(["news"])
        return "new"

    assert cache.refresh("key", load, tags=["news"]) == "new"
    assert cache.get("key") is None


def test_a_refresh_that_another_node_overtakes_shows_what_that_has_written():
    server = SharedMemory()
    (cache, _), (other, _) = node(None, server), node(None, server)
    other.put("key", "old")
    assert cache.get("key") == "old"

    def load(key):
        other.put("key", "newer")
        return "new"

    assert cache.refresh("key", load) == "new"
    assert cache.get("key") == "newer"
