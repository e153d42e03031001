"""A whole cache over lower tiers against a plain model: any calls, restarts and failures.

What is in no doubt must be found, wherever it lies by then; what may have gone may be gone;
and nothing is ever found that was removed, replaced or has expired.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from scrubjay import AdaptiveCache, Disk, Layer, ManualClock, Memory, Redis
from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.tiers import DiskTier, MemoryTier, RedisTier
from scrubjay.tiers._disk import opening
from tests.door_helpers import ASYNCHRONOUS
from tests.models import NEVER, scaled
from tests.redis_servers import URL

LAYOUTS = [
    ("memory",),
    ("disk",),
    ("redis",),
    ("disk", "memory"),
    ("disk", "redis"),
    ("memory", "disk", "redis"),
]
ABSENT = object()
CALLS = ("get_many", "put_many", "delete_many", "counters", "bump", "clear")

KEYS = "abcd"

keys = st.sampled_from(KEYS)
doors = st.sampled_from(["blocking", "awaited"])
whose = st.sampled_from(["ours", "ours", "theirs"])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "ttl_seconds": st.sampled_from([3, 10, 60]),
        "tags": st.frozensets(st.sampled_from(["t", "u"]), max_size=2),
        "dependencies": st.frozensets(keys, max_size=2),
    },
)


@dataclass(frozen=True)
class Kept:
    """What the model knows of an entry.

    `sure`: whether it must be found. `needs`, `tags`: what it goes with for certain.
    """

    value: int
    deadline: float
    tags: frozenset[str]
    needs: frozenset[str]
    sure: bool


class Model:
    """The entries of one namespace."""

    def __init__(self, clock, reliable):
        self.clock = clock
        self.reliable = reliable
        self.entries = {}
        self.edges = {}  # all that a key was ever made from, directly
        self.labels = {}  # all the tags that it ever had

    def live(self, key):
        kept = self.entries.get(key)
        if kept is not None and kept.deadline <= self.clock.monotonic():
            del self.entries[key]
            return None
        return kept

    def store(self, key, value, in_memory, ttl_seconds=None, tags=(), dependencies=()):
        """Store an entry, of whose origins `in_memory` are in memory."""
        needs, todo = set(), list(dependencies)
        for one in todo:
            if one not in needs and one != key:
                needs.add(one)
                kept = self.live(one) if one in in_memory else None
                if kept is not None:
                    todo += kept.needs
        self.edges.setdefault(key, set()).update(needs)
        self.labels.setdefault(key, set()).update(tags)
        self.entries[key] = Kept(
            value,
            NEVER if ttl_seconds is None else self.clock.monotonic() + ttl_seconds,
            frozenset(tags),
            frozenset(needs),
            self.reliable,
        )

    def origins(self, key):
        """Return all that a key may have been made from, directly or not."""
        found, todo = set(), [key]
        while todo:
            for one in self.edges.get(todo.pop(), set()) - found:
                found.add(one)
                todo.append(one)
        return found

    def change(self, key, there=True):
        """Take out what was made from a key; where that was not there, it may stay."""
        for one in [one for one in self.entries if one != key]:
            if there and key in self.entries[one].needs:
                del self.entries[one]
            elif key in self.origins(one):
                self.doubt(one)

    def remove(self, key):
        """Take an entry out, and what was made from it."""
        self.entries.pop(key, None)
        self.change(key)

    def remove_by_tags(self, tags):
        """Take out what carries a tag; what was made from that goes as far as that is known."""
        for one in [one for one, kept in self.entries.items() if kept.tags & tags]:
            del self.entries[one]
        for one in self.entries:
            if any(self.labels.get(origin, set()) & tags for origin in self.origins(one)):
                self.doubt(one)

    def doubt(self, *listed):
        for one in listed:
            self.entries[one] = replace(self.entries[one], sure=False)


def without_circles(key, more):
    """Return conditions under which a key depends on itself and on those before it alone."""
    needs = frozenset(one for one in more.get("dependencies", ()) if one <= key)
    return {**more, "dependencies": needs}


class Unreliable:
    """A tier that fails now and then, before or after it has done what it was asked for."""

    share = 0.25

    def __init__(self, tier, chance):
        self.tier = tier
        self.name = tier.name
        self.blocking = tier.blocking
        self.chance = chance

    def __getattr__(self, name):
        method = getattr(self.tier, name)
        if name in CALLS:
            return lambda *given: self._answer(method(*given) if self._goes() else ABSENT)
        if name[:1] == "a" and name[1:] in CALLS:

            async def call(*given):
                return self._answer(await method(*given) if self._goes() else ABSENT)

            return call
        return method

    def _goes(self):
        return self.chance.random() >= self.share / 2

    def _answer(self, answer):
        if answer is ABSENT or self.chance.random() < self.share / 2:
            raise self.chance.choice([TierUnavailableError, TierFullError])("it failed")
        return answer


class Machine(RuleBasedStateMachine):
    """Calls on two caches of two namespaces over the same tiers."""

    layout = ()
    reliable = True
    writes = "through"
    directory = None
    numbers = itertools.count()
    found_below = 0

    def __init__(self):
        super().__init__()
        self.clock = ManualClock(epoch=1_800_000_000.0)
        self.loop = asyncio.new_event_loop()
        self.at = f"m{next(self.numbers)}"
        self.models = {who: Model(self.clock, self.reliable) for who in ("ours", "theirs")}
        self.caches = {}
        self.owned = []
        self.tiers = None

    @initialize(
        seed=st.integers(0, 2**32),
        ttl=st.sampled_from([None, 2]),
        strategy=st.sampled_from(["lru", "adaptive"]),
    )
    def begin(self, seed, ttl, strategy):
        self.options = {"eviction_strategy": strategy, "clock": self.clock}
        chance = random.Random(seed)
        far = len(self.layout) - 1
        self.layers = {who: [Memory(max_entries=2, ttl_seconds=ttl)] for who in self.models}
        for number, kind in enumerate(self.layout):
            life = 5 if ttl and number < far else None  # the farthest keeps everything
            shared = MemoryTier(name="near", clock=self.clock)
            for who, layers in self.layers.items():
                layer = self.layer(kind, who, life, shared, chance)
                layers.append(replace(layer, writes=self.writes, behind_entries=3))
        for who in self.models:
            self.open(who)

    def layer(self, kind, who, life, shared, chance):
        path, space = self.directory / self.at, f"{self.at}{who}"
        if kind == "memory":
            tier = shared
        elif self.reliable:
            if kind == "disk":
                return Disk(path, max_size_mb=2, max_entries=1000, ttl_seconds=life)
            return Redis(os.environ[URL], timeout_seconds=20, ttl_seconds=life)
        elif kind == "disk":
            tier = DiskTier(path / who, 2 << 20, max_entries=1000, clock=self.clock)
        else:
            tier = RedisTier(os.environ[URL], namespace=space, timeout_seconds=20, clock=self.clock)
        self.owned.append(tier)
        if self.reliable:
            return Layer(tier, ttl_seconds=life)
        return Layer(Unreliable(tier, chance), ttl_seconds=life)

    def open(self, who):
        self.caches[who] = AdaptiveCache(
            tiers=self.layers[who],
            namespace=self.at,
            tenant=None if who == "ours" else "theirs",
            **self.options,
        )

    def close(self, who):
        cache = self.caches[who]
        type(self).found_below += cache.sync.lower_hits()
        self.loop.run_until_complete(cache.close())

    def teardown(self):
        for who in self.caches:
            self.close(who)
        for tier in self.owned:
            if hasattr(tier, "aclose"):
                self.loop.run_until_complete(tier.aclose())
            tier.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def call(self, door, who, method, *args, **options):
        cache = self.caches[who]
        if door == "awaited" and method in ASYNCHRONOUS:
            return self.loop.run_until_complete(getattr(cache, method)(*args, **options))
        return getattr(cache.sync, method)(*args, **options)

    def in_memory(self, who):
        """Return which keys are in memory now."""
        return {key for key in KEYS if self.caches[who].contains(key)}

    def check(self, who, key, value):
        """Hold what was found against the model."""
        kept = self.models[who].live(key)
        if kept is None:
            assert value is ABSENT, (key, value)
        elif value is ABSENT:
            assert not kept.sure, (key, kept)
        else:
            assert value == kept.value, (key, value, kept)

    @rule(door=doors, who=whose, key=keys, more=conditions)
    def put(self, door, who, key, more):
        more = without_circles(key, more)
        model, value = self.models[who], next(self.numbers)
        there = model.live(key) is not None
        known = self.in_memory(who)
        self.call(door, who, "put", key, value, **more)
        model.change(key, there)
        model.store(key, value, known, **more)

    @rule(door=doors, who=whose, wanted=keys | st.lists(keys, max_size=4))
    def get(self, door, who, wanted):
        if isinstance(wanted, str):
            self.check(who, wanted, self.call(door, who, "get", wanted, default=ABSENT))
            return
        found = self.call(door, who, "get_many", wanted)
        for key in wanted:
            self.check(who, key, found.get(key, ABSENT))

    @rule(door=doors, who=whose, key=keys, more=conditions, anew=st.booleans())
    def load(self, door, who, key, more, anew):
        more = without_circles(key, more)
        model, made = self.models[who], []
        there = model.live(key) is not None
        known = self.in_memory(who)

        def loader(key):
            made.append(next(self.numbers))
            return made[-1]

        async def awaited(key):
            return loader(key)

        value = self.call(
            door,
            who,
            "refresh" if anew else "get_or_load",
            key,
            loader if door == "blocking" else awaited,
            **more,
        )
        if not made:
            assert not anew
            self.check(who, key, value)
            return
        assert made == [value]
        if not anew:
            self.check(who, key, ABSENT)
        model.change(key, there and anew)
        model.store(key, value, known, **more)

    @rule(door=doors, who=whose, key=keys, way=st.sampled_from(["invalidate", "pop", "t", "u"]))
    def remove(self, door, who, key, way):
        model = self.models[who]
        if way == "invalidate":
            self.call(door, who, "invalidate", key)
            model.remove(key)
        elif way == "pop":
            self.check(who, key, self.call(door, who, "pop", key, ABSENT))
            model.remove(key)
        else:
            self.call(door, who, "invalidate_by_tags", {way})
            model.remove_by_tags({way})

    @rule(who=whose, key=keys)
    def setdefault(self, who, key):
        model, value = self.models[who], next(self.numbers)
        there = model.live(key) is not None
        known = self.in_memory(who)
        got = self.call("blocking", who, "setdefault", key, value)
        if got != value:
            self.check(who, key, got)
            return
        self.check(who, key, ABSENT)
        model.change(key, there)
        model.store(key, value, known)

    @rule(door=doors, who=whose, key=keys, ttl=st.sampled_from([None, 2, 30]))
    def touch(self, door, who, key, ttl):
        model = self.models[who]
        kept = model.live(key)
        if not self.call(door, who, "touch", key, ttl):
            self.check(who, key, ABSENT)
            return
        assert kept is not None
        if ttl is not None:
            model.entries[key] = replace(kept, deadline=self.clock.monotonic() + ttl)

    @rule(seconds=st.sampled_from([1, 2, 5, 31]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule(
        door=doors,
        who=whose,
        way=st.sampled_from(["restart", "restart", "clear"]),
        warm=st.booleans(),
    )
    def begin_anew(self, door, who, way, warm):
        if way == "clear":
            self.call(door, who, "clear")
            self.models[who].entries.clear()
            if "memory" in self.layout:  # it is one for both, and emptied as a whole
                for other, model in self.models.items():
                    if other != who:
                        model.doubt(*model.entries)
            return
        tiers = self.caches[who].sync.lower_tiers().values()
        if not any(tier["owed"] for tier in tiers):  # else a value given up might come back
            path = self.directory / f"{self.at}{who}.warm"
            if warm:
                self.loop.run_until_complete(self.caches[who].save(path))
            self.close(who)
            self.open(who)
            if warm:
                self.loop.run_until_complete(self.caches[who].restore(path))

    @rule(door=doors, who=whose)
    def flush(self, door, who):
        assert self.call(door, who, "flush") is True

    @invariant()
    def nothing_old_is_in_memory(self):
        for who, cache in self.caches.items():
            for key in KEYS:
                value = cache.sync.peek(key, ABSENT)
                if value is not ABSENT:
                    self.check(who, key, value)


def kinds():
    """Return layouts, each with whether its tiers are reliable, and how they are written."""
    for layout in LAYOUTS:
        for reliable in (True, False):
            yield pytest.param(
                layout, reliable, "through", id="-".join(layout) + ("" if reliable else "-failing")
            )
        if "redis" not in layout:
            yield pytest.param(layout, True, "behind", id="-".join(layout) + "-behind")


@pytest.mark.parametrize(("layout", "reliable", "writes"), list(kinds()))
def test_a_cache_over_tiers_is_as_its_model(
    layout, reliable, writes, tmp_path, monkeypatch, request
):
    if "redis" in layout:
        request.getfixturevalue("redis_server")
    # Tags share counters on a disk by a salted hash: this salt lets none of these do so.
    monkeypatch.setattr(opening.secrets, "token_bytes", lambda size: b"s" * size)
    test = type(
        "Test",
        (Machine,),
        {"layout": layout, "reliable": reliable, "directory": tmp_path, "writes": writes},
    )
    run_state_machine_as_test(
        test,
        settings=settings(
            max_examples=max(8, scaled(8, 8)),  # fewer find nothing below
            stateful_step_count=50,
            phases=[Phase.generate],
        ),
    )
    assert test.found_below > 0  # or nothing was tested


class TestWhatMemoryAloneDoesNotKnow:
    """Faults that the model has found, or that were found while it was written."""

    def open(self, *tiers, **memory):
        return AdaptiveCache(
            eviction_strategy="lru", clock=self.clock, tiers=[Memory(**memory), *tiers]
        ).sync

    @pytest.fixture(autouse=True)
    def tier(self):
        self.clock = ManualClock()
        return MemoryTier(clock=self.clock)

    def test_what_was_made_from_a_value_that_lay_below_goes_when_that_is_replaced(self, tier):
        cache = self.open(tier, max_entries=2)
        cache.put("part", 1)
        cache.put_many({"x": 1, "y": 1})
        assert "part" not in cache
        cache.put("page", "of part 1", dependencies={"part"})
        cache.put("part", 2)
        assert cache.get("page") is None

    @pytest.mark.parametrize("evicted", [False, True])
    def test_what_was_made_from_a_value_goes_when_that_is_refreshed(self, tier, evicted):
        before = self.open(tier, max_entries=9)
        before.put("part", 1)
        before.put("page", "of part 1", dependencies={"part"})
        cache = before if evicted else self.open(tier, max_entries=9)
        if evicted:
            cache.resize(max_entries=1)
        assert cache.get("page") == "of part 1"
        cache.resize(max_entries=9)
        cache.refresh("part", lambda key: 2)
        assert cache.get("page") is None

    def test_nothing_goes_with_what_it_is_itself(self, tier):
        self.open(tier, max_entries=9).put("a", 1, dependencies={"a", "b"})
        assert self.open(tier, max_entries=9).get("a") == 1

    def test_touch_keeps_to_what_memory_may_hold(self, tier):
        cache = self.open(tier, max_entries=9, ttl_seconds=5)
        cache.put("a", 1)
        assert cache.touch("a", 60)
        assert cache.entry("a").ttl_seconds == 5
        self.clock.advance(6)
        assert cache.get("a") == 1  # from below

    def test_what_could_not_be_told_of_a_shorter_life_goes(self, tier):
        class Deaf(MemoryTier):
            deaf = False

            def get_many(self, keys):
                if self.deaf:
                    raise TierUnavailableError("it hears nothing")
                return super().get_many(keys)

        deaf = Deaf(clock=self.clock)
        cache = self.open(deaf, max_entries=9)
        cache.put("a", 1)
        deaf.deaf = True
        assert cache.touch("a", 5)
        deaf.deaf = False
        self.clock.advance(6)
        assert cache.get("a") is None
