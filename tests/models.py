"""Plain models that predict what a cache does, and a walker that looks for contradictions.

The models are written for the reader: sorted scans and ordinary sets, no clever structure.
Times are those of a manual clock, sizes are bytes.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import count

import scrubjay

NEVER = float("inf")
MOST_USES = 255  # that LFU counts


EFFORT = float(os.environ.get("SCRUBJAY_TEST_EFFORT", "1"))  # 20 for a long night


def scaled(compiled, uncompiled):
    """Return how much to do on the build under test."""
    return max(1, int((compiled if scrubjay.compiled else uncompiled) * EFFORT))


# Strategies: who goes next


class RecencyOrder:
    """LRU: the least recently used."""

    def __init__(self):
        self.turn = count()
        self.last = {}

    def insert(self, key, record):
        self.last[key] = next(self.turn)

    def use(self, key):
        self.last[key] = next(self.turn)

    def replace(self, key, record):
        self.use(key)

    def remove(self, key):
        del self.last[key]

    def victim(self, keep):
        return min((key for key in self.last if key != keep), key=self.last.get, default=None)

    def clear(self):
        self.last.clear()


class FrequencyOrder(RecencyOrder):
    """LFU-DA: the lowest rank, which is uses plus the age when last used, then LRU.

    The age is the rank of the last victim.
    """

    def __init__(self):
        super().__init__()
        self.age = 0
        self.uses = {}
        self.rank = {}

    def insert(self, key, record):
        self.uses[key] = 0
        self.rank[key] = self.age
        super().insert(key, record)

    def use(self, key):
        self.uses[key] = min(MOST_USES, self.uses[key] + 1)
        self.rank[key] = self.age + self.uses[key]
        super().use(key)

    def remove(self, key):
        del self.uses[key], self.rank[key]
        super().remove(key)

    def victim(self, keep):
        others = (key for key in self.rank if key != keep)
        key = min(others, key=lambda one: (self.rank[one], self.last[one]), default=None)
        if key is not None:
            self.age = max(self.age, self.rank[key])
        return key

    def clear(self):
        super().clear()
        self.uses.clear()
        self.rank.clear()
        self.age = 0


class DeadlineOrder(RecencyOrder):
    """TTL: the soonest deadline, then who was stored or touched first; LRU of the lasting."""

    def __init__(self):
        super().__init__()
        self.records = {}
        self.stored = {}

    def insert(self, key, record):
        self.records[key] = record
        self.stored[key] = next(self.turn)
        super().insert(key, record)

    def replace(self, key, record):
        self.remove(key)
        self.insert(key, record)

    def remove(self, key):
        del self.records[key], self.stored[key]
        super().remove(key)

    def victim(self, keep):
        def order(key):
            deadline = self.records[key].deadline
            lasting = deadline == NEVER
            return (lasting, deadline, self.last[key] if lasting else self.stored[key])

        return min((key for key in self.records if key != keep), key=order, default=None)

    def clear(self):
        super().clear()
        self.records.clear()
        self.stored.clear()


class PriorityOrder(RecencyOrder):
    """PRIORITY: the lowest priority, then LRU."""

    def __init__(self):
        super().__init__()
        self.records = {}

    def insert(self, key, record):
        self.records[key] = record
        super().insert(key, record)

    def replace(self, key, record):
        self.records[key] = record
        self.use(key)

    def remove(self, key):
        del self.records[key]
        super().remove(key)

    def victim(self, keep):
        others = (key for key in self.records if key != keep)
        return min(
            others, key=lambda one: (self.records[one].priority, self.last[one]), default=None
        )

    def clear(self):
        super().clear()
        self.records.clear()


ORDERS = {
    "lru": RecencyOrder,
    "lfu": FrequencyOrder,
    "ttl": DeadlineOrder,
    "priority": PriorityOrder,
}


# Dependencies: who goes too


class DependencyModel:
    """Which keys were made from which, for as long as a cached entry cares.

    A key *serves* while it is cached and linked to another key, or while an entry that
    depends on it, directly or not, is cached. What does not serve is forgotten.
    """

    def __init__(self, cached):
        self.cached = cached  # a live view of the keys that are cached
        self.needs = {}
        self.stored = set()  # keys cached at least once since they began to serve

    def dependents(self, key):
        return {one for one, needs in self.needs.items() if key in needs}

    def closure(self, keys):
        """Return what depends on the keys, they themselves left out."""
        roots = set(keys)
        found, stack = set(), list(roots)
        while stack:
            for key in self.dependents(stack.pop()) - found - roots:
                found.add(key)
                stack.append(key)
        return found

    def doomed(self, keys):
        """Return the cached entries that depend on the keys."""
        return {key for key in self.closure(keys) if key in self.cached}

    def overtaken(self, key):
        """Return what a store of `key` makes out of date."""
        if key in self.cached or key in self.stored:
            return self.doomed({key})
        return set()

    def notice(self, key, dependencies):
        """A store of `key` begins."""
        if dependencies or key in self.needs:
            for each in (key, *dependencies):
                self.needs.setdefault(each, set())
            self.stored |= {each for each in dependencies if each in self.cached}

    def enter(self, key, dependencies):
        """`key` is stored, and cached by now."""
        if key in self.needs:
            self.needs[key] = set(dependencies) - {key}
            self.stored.add(key)

    def forget_idle(self):
        def serves(key):
            linked = self.needs[key] or self.dependents(key)
            return (key in self.cached and linked) or self.doomed({key})

        while True:
            idle = [key for key in self.needs if not serves(key)]
            if not idle:
                return
            for key in idle:
                del self.needs[key]
                self.stored.discard(key)
                for needs in self.needs.values():
                    needs.discard(key)


# The whole cache


class Record:
    """One entry."""

    def __init__(self, value, size, now, ttl, idle, priority, tags):
        self.value = value
        self.size = size
        self.priority = priority
        self.tags = frozenset(tags)
        self.hits = 0
        self.idle = None
        self.begin(now, ttl, idle)

    def begin(self, now, ttl, idle):
        """Live for `ttl` seconds from `now`, or `idle` seconds unread."""
        self.ttl = ttl
        self.hard = NEVER if ttl is None else now + ttl
        if idle is not None:
            self.idle = idle
        self.slide(now)

    def slide(self, now):
        """It was read."""
        self.deadline = self.hard if self.idle is None else min(self.hard, now + self.idle)


class CacheModel:
    """A cache with one of the exact strategies.

    `announced` collects (key, value, cause) of every removal, in order.
    """

    def __init__(self, strategy, entry_limit, byte_limit, value_fraction):
        self.order = ORDERS[strategy]()
        self.entry_limit = NEVER if entry_limit is None else entry_limit
        self.byte_limit = byte_limit
        self.value_fraction = value_fraction
        self.now = 0.0
        self.records = {}
        self.graph = DependencyModel(self.records)
        self.announced = []
        self.rejected = 0

    @property
    def bytes(self):
        return sum(record.size for record in self.records.values())

    @property
    def value_limit(self):
        return NEVER if self.byte_limit is None else int(self.byte_limit * self.value_fraction)

    def take(self, key, cause):
        record = self.records.pop(key)
        self.order.remove(key)
        self.announced.append((key, record.value, cause))

    def take_all(self, keys, cause):
        keys = list(keys)
        for key in keys:
            self.take(key, cause)
        return len(keys)

    def too_full(self, key, size):
        """Tell whether `key` with `size` bytes does not fit; None for nothing to add."""
        old = self.records.get(key)
        entries = len(self.records) + (key is not None and old is None)
        size = self.bytes + size - (old.size if old else 0)
        return entries > self.entry_limit or (
            self.byte_limit is not None and size > self.byte_limit
        )

    def put(self, key, value, size, ttl, idle, priority, tags, dependencies):
        if size > self.value_limit:
            self.rejected += 1
            self.remove(key, "rejected")
            return False
        self.graph.notice(key, dependencies)
        while self.too_full(key, size):
            self.take(self.order.victim(key), "evicted")
        doomed = self.graph.overtaken(key)
        old = self.records.get(key)
        record = Record(value, size, self.now, ttl, idle, priority, tags)
        record.hits = old.hits if old else 0
        self.take_all(doomed, "dependency")
        if old is None:
            self.records[key] = record
            self.order.insert(key, record)
        else:
            self.announced.append((key, old.value, "replaced"))
            self.records[key] = record
            self.order.replace(key, record)
        self.graph.enter(key, dependencies)
        self.graph.forget_idle()
        return True

    def get(self, key):
        """Return the record of `key` and count a use of it, or None."""
        record = self.records.get(key)
        if record is not None:
            record.hits += 1
            record.slide(self.now)
            self.order.use(key)
        return record

    def touch(self, key, ttl, idle):
        record = self.records.get(key)
        if record is None:
            return False
        record.hits += 1
        if ttl is not None:
            record.begin(self.now, ttl, idle)
        elif idle is not None or record.idle is not None:
            record.idle = record.idle if idle is None else idle
            record.slide(self.now)
        self.order.replace(key, record)
        return True

    def remove(self, key, cause="invalidated"):
        doomed = self.graph.doomed({key}) - {key}
        taken = self.take_all({key} & set(self.records), cause)
        taken += self.take_all(doomed, "dependency")
        self.graph.forget_idle()
        return taken

    def remove_by_tags(self, tags):
        tagged = {key for key, record in self.records.items() if record.tags & set(tags)}
        doomed = self.graph.doomed(tagged) - tagged
        taken = self.take_all(tagged, "tag") + self.take_all(doomed, "dependency")
        self.graph.forget_idle()
        return taken

    def advance(self, seconds):
        """Let time pass and take out what has expired; return how many that were."""
        self.now += seconds
        over = [key for key, record in self.records.items() if record.deadline <= self.now]
        taken = self.take_all(over, "expired")
        self.graph.forget_idle()
        return taken

    def clear(self):
        for key in list(self.records):
            self.take(key, "cleared")
        self.order.clear()
        self.graph.forget_idle()

    def resize(self, entry_limit, byte_limit):
        self.entry_limit = NEVER if entry_limit is None else entry_limit
        self.byte_limit = byte_limit
        while self.too_full(None, 0):
            self.take(self.order.victim(None), "evicted")
        self.graph.forget_idle()


# Contradictions


def check(cache):
    """Walk all that can be seen of a cache and assert that it agrees; takes expired ones out."""
    cache.purge_expired()
    pairs = list(cache.items())
    assert len(pairs) == cache.count == len(cache)
    assert cache.count <= cache.entry_limit
    assert len({id(key) for key, _ in pairs}) == len(pairs)
    total = 0
    for key, value in pairs:
        facts = cache.facts(key)
        assert facts is not None, f"{key!r} is there but cannot be found"
        assert facts["key"] is key
        assert facts["value"] is value
        total += facts["size"] or 0
    assert total == cache.bytes
    if cache.weighted:
        assert cache.bytes <= cache.byte_limit
    policy = cache.describe_policy()
    if "probation" in policy:
        segments = ("window", "probation", "protected", "valued")
        waiting = cache.prefetch_counts()[2]
        assert sum(policy[segment] for segment in segments) == cache.count - waiting
    assert sum(cache.removals()) >= 0
    return pairs


def drain(cache):
    """Evict all but one entry, clear, and assert that every entry came out exactly once."""
    pairs = check(cache)
    gone = []
    unsubscribe = cache.on_removal(lambda key, value, cause: gone.append((key, value, cause.value)))
    before = cache.max_entries
    cache.resize(max_entries=1)
    assert len(gone) == max(0, len(pairs) - 1)
    assert all(cause == "evicted" for _, _, cause in gone)
    cache.clear()
    assert identities(gone) == identities(pairs)
    unsubscribe()
    if before is not None or cache.weighted:
        cache.resize(max_entries=before)
    assert cache.count == cache.bytes == 0
    assert list(cache) == []
    assert cache.next_expiry() == NEVER
    assert nodes_of(cache) == 0


def identities(rows):
    """Return how often each pair of a key and a value object occurs."""
    return Counter((id(row[0]), id(row[1])) for row in rows)


def nodes_of(cache):
    """Return how many keys the dependency graph of a cache remembers."""
    graph = cache.dependency_graph()
    return 0 if graph is None else len(graph.nodes)
