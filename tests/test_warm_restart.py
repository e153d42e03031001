"""Memory saved to a file and restored: what comes back, in which order, and what does not."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from scrubjay import (
    AdaptiveCache,
    Cache,
    Disk,
    EventKind,
    Layer,
    ManualClock,
    Memory,
    register_strategy,
)
from scrubjay._core.terms import Terms
from scrubjay._flow import carrying, warm_reading
from scrubjay._flow.effects import Wait
from scrubjay._flow.flight import Loader
from scrubjay.codecs import HmacSha256, Meta, Serializer
from scrubjay.errors import InvalidArgumentError, SnapshotError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from scrubjay.tiers.snapshot import (
    LONGEST_HEADER,
    MAGIC,
    Line,
    SnapshotReader,
    SnapshotWriter,
)
from tests.codec_helpers import SECRET
from tests.door_helpers import PATIENCE, arun, opened, spin, until

STRATEGIES = ["lru", "lfu", "ttl", "priority", "adaptive"]
EPOCH = 1_800_000_000.0


@pytest.fixture(params=["sync", "async"])
def make(request):
    with opened(request.param) as make:
        yield make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "warm"


def later(seconds):
    """Return the clock of a process that begins some seconds after the first one began."""
    return ManualClock(epoch=EPOCH + seconds)


def heard(cache, *kinds):
    events = []
    cache.events.subscribe(events.append, kinds or None)  # at once, in this thread
    return events


def restored(make, path, seconds=0.0, **options):
    """Return a cache of a later process with what came back, and how many entries that were."""
    cache = make(clock=later(seconds), **{"max_entries": 100, **options})
    return cache, cache.restore(path)


def test_what_was_there_is_there_again(make, path):
    cache = make(max_entries=100, clock=later(0.0))
    values = {
        "text": "t",
        ("a", 1, None, b"b", 2.5, True): [1, {"x": None}],
        7: b"bytes",
        -0.5: (1, 2),
        None: None,
    }
    for key, value in values.items():
        cache.put(key, value)
    assert cache.save(path) == len(values)
    again, count = restored(make, path)
    assert count == len(values)
    for key, value in values.items():
        assert again.get(key, "absent") == value
        assert type(again.get(key)) is type(value)


def test_the_conditions_come_back(make, path):
    clock = later(0.0)
    cache = make(max_entries=100, clock=clock)
    cache.put("part", 1, tags={"t"})
    cache.put(
        "k", 2, 100, 3.0, {"u", "v"}, idle_seconds=50, dependencies={"part", "absent"}, cost=0.25
    )
    clock.advance(10)
    for _ in range(3):
        cache.get("k")
    assert cache.save(path) == 2
    again, count = restored(make, path, 30.0)
    assert count == 2
    entry = again.entry("k")
    assert (entry.priority, entry.cost, entry.tags) == (
        3.0,
        0.25,
        {"t", "u", "v"},
    )  # the part's, too
    assert set(entry.dependencies) == {"part", "absent"}
    assert entry.access_count == cache.entry("k").access_count
    assert entry.expires_in == 50.0  # unread, from now on
    again.touch("k", idle_seconds=1000)
    assert again.entry("k").expires_in == 70.0
    assert again.invalidate_by_tags({"t"}) == 2


@pytest.mark.parametrize(("down", "there"), [(29.0, True), (31.0, False)])
@pytest.mark.parametrize("way", ["ttl", "idle"])
def test_time_goes_on_while_the_process_is_down(make, path, down, there, way):
    clock = later(0.0)
    cache = make(max_entries=100, clock=clock)
    if way == "ttl":
        cache.put("k", 1, ttl_seconds=40)
    else:
        cache.put("k", 1, ttl_seconds=1000, idle_seconds=40)
    cache.put("gone", 1, ttl_seconds=5)
    clock.advance(10)
    assert cache.save(path) == 1
    again, count = restored(make, path, 10.0 + down)
    assert count == there
    assert ("k" in again) is there


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_hottest_come_back_and_keep_their_order(path, strategy):
    draw = random.Random(strategy)
    clock = later(0.0)
    cache = Cache(max_entries=40, eviction_strategy=strategy, clock=clock)
    for number in range(40):
        cache.put(number, number, ttl_seconds=draw.randrange(100, 200), priority=number % 3)
    for _ in range(120):
        cache.get(min(draw.randrange(40), draw.randrange(40)))
    cache.save(path)
    order = [cache.row(slot, clock.monotonic())["key"] for slot in cache.ranked()]
    assert sorted(order) == list(range(40))
    again = Cache(max_entries=25, eviction_strategy=strategy, clock=later(0.0))
    assert again.restore(path) == 25
    assert set(again) == set(order[15:])
    if strategy in {"lru", "ttl", "priority"}:  # the others go by uses, and age
        back = [again.row(slot, 0.0)["key"] for slot in again.ranked()]
        assert back == order[15:]
        evicted = []
        again.on_removal(lambda key, value, cause: evicted.append(key))
        again.resize(max_entries=5)
        assert evicted == order[15:35]


@pytest.mark.parametrize("strategy", ["lfu", "adaptive"])
def test_what_was_read_outlives_what_was_not(path, strategy):
    cache = Cache(max_entries=100, eviction_strategy=strategy)
    cache.update({number: number for number in range(100)})
    for _ in range(5):
        cache.get_many(range(30))
    cache.save(path)
    again = Cache(max_entries=100, eviction_strategy=strategy)
    assert again.restore(path) == 100
    again.update({("new", number): number for number in range(40)})
    assert sum(number in again for number in range(30)) == 30


def test_a_strategy_of_ones_own_has_no_order_and_still_restores(path):
    class Newest:
        def __init__(self, metadata):
            self.slots = []

        def on_insert(self, slot):
            self.slots.append(slot)

        def on_hit(self, slot):
            pass

        def on_remove(self, slot):
            self.slots.remove(slot)

        def victim(self):
            return self.slots[-1]

    name = "newest-warm"
    register_strategy(name, Newest)
    cache = Cache(max_entries=10, eviction_strategy=name)
    cache.update({number: number for number in range(10)})
    cache.get(3)
    cache.get(7)
    cache.get(7)
    cache.save(path)
    again = Cache(max_entries=2, eviction_strategy=name)
    assert again.restore(path) == 2
    assert set(again) == {3, 7}


def test_nobody_loses_his_place_and_nothing_newer_is_replaced(make, path):
    cache = make(max_entries=10, eviction_strategy="lru")
    for number in range(10):
        cache.put(number, "old")
    cache.save(path)
    again = make(max_entries=4, eviction_strategy="lru")
    for key in (9, "x", "y"):
        again.put(key, "new")
    removed = heard(again, EventKind.EVICT, EventKind.REPLACE, EventKind.REJECT)
    assert again.restore(path) == 1
    assert not removed
    assert again.get(9) == again.get("x") == again.get("y") == "new"
    assert again.get(8) == "old"
    assert again.statistics.rejected == 0


def test_bytes_bound_what_is_restored(path):
    cache = Cache(max_size_mb=1, sizer=len, max_value_fraction=1.0, eviction_strategy="lru")
    for number in range(100):
        cache.put(number, b"x" * 10_000)
    cache.save(path)
    again = Cache(max_size_mb=0.5, sizer=len, max_value_fraction=1.0, eviction_strategy="lru")
    assert again.restore(path) == 52
    assert set(again) == set(range(48, 100))
    assert again.statistics.evictions == 0


def test_what_cannot_be_written_is_left_out_and_told(make, path):
    cache = make(max_entries=10)
    events = heard(cache, EventKind.SAVE)
    cache.put("k", 1)
    cache.put("odd", object())
    cache.put(frozenset({1}), 1)
    cache.put("needy", 1, dependencies={frozenset({2})})
    cache.put("long" * LONGEST_HEADER, 1)  # nobody would read on after that
    assert cache.save(path) == 1
    assert (events[0].amount, events[0].detail) == (1, "4 could not be written")
    assert restored(make, path)[1] == 1


@pytest.mark.parametrize("way", ["key", "tag", "dependency", "far dependency", "clear", "put"])
@pytest.mark.parametrize("tiers", [0, 1])
def test_what_changes_meanwhile_does_not_come_back(path, monkeypatch, way, tiers):
    """However little of the file was read by then."""
    monkeypatch.setattr(warm_reading, "BATCH", 1)
    tier = MemoryTier()
    options = {"max_entries": 10, "tiers": [Layer(tier)] if tiers else None}
    cache = Cache(eviction_strategy="lru", **options)
    cache.put("part", 1, tags={"part's"})
    cache.put("middle", 1, dependencies={"part"})
    cache.put("whole", 1, dependencies={"middle"})
    cache.put("alone", 1)
    for key in ("part", "middle", "whole", "alone"):  # the hottest is read first
        cache.get(key)
    cache.save(path)
    for changes in range(6):
        again = Cache(**options)
        flow = again.restoring(path, None)
        effect = next(flow)
        change = {
            "key": lambda again=again: again.invalidate("part"),
            "tag": lambda again=again: again.invalidate_by_tags({"part's"}),
            "dependency": lambda again=again: again.invalidate("middle"),
            "far dependency": lambda again=again: again.put("part", 2),
            "clear": lambda again=again: again.clear(),
            "put": lambda again=again: (again.put("part", 2), again.invalidate("part")),
        }[way]
        steps = 0
        while True:
            if steps == 2 * changes + 1:
                change()
            answer = getattr(effect.tier, effect.method)(*effect.arguments)
            steps += 1
            try:
                effect = flow.send(answer)
            except StopIteration:
                break
        if steps <= 2 * changes + 1:
            break
        assert "whole" not in again
        assert ("middle" in again) is False
        left = {"far dependency": 2, "dependency": 1}.get(way)
        assert again.peek("part") in {left, None}
        if tiers:
            break  # the counters have moved on: there is no second time
    assert tiers or changes > 1


def test_what_was_loaded_meanwhile_is_newer(path):
    cache = Cache(max_entries=10)
    cache.put("k", "old")
    cache.save(path)
    again = Cache(max_entries=10)
    flow = again.restoring(path, None)
    effect = next(flow)
    assert again.get_or_load("k", lambda key: "new") == "new"
    again.pop("k")
    flow.send(effect.tier.open())
    flow.close()
    assert again.restore(path) == 1  # nobody knows of it any more


def test_what_was_loaded_ahead_meanwhile_is_newer(path):
    cache = Cache(max_entries=10)
    cache.put("whole", "old", dependencies={"part"})
    cache.save(path)
    again = Cache(max_entries=10)
    flow = again.restoring(path, None)
    effect = next(flow)
    again.bound_prefetched(5, 1 << 20, 1 << 20)
    loads = again._loads
    flight = carrying.begin_ahead(loads, "part", Terms(), Loader(lambda: "new", (), {}))
    assert loads.keep_ahead(flight, "new", loads.conditions(flight))
    loads.end(flight)
    while True:
        try:
            effect = flow.send(getattr(effect.tier, effect.method)(*effect.arguments))
        except StopIteration:
            break
    assert "whole" not in again


# Over tiers


def layered(tier, clock=None, **options):
    return Cache(
        max_entries=100, tiers=[Memory(), Layer(tier)], clock=clock or later(0.0), **options
    )


@pytest.mark.parametrize("way", ["nothing", "key", "put", "tag", "dependency", "clear", "down"])
def test_invalidations_of_others_while_the_process_was_down(path, way):
    tier = MemoryTier()
    cache = layered(tier)
    cache.put("a", 1)
    cache.put("b", 1, tags={"t"})
    cache.put("c", 1, dependencies={"a"})
    assert cache.save(path) == 3
    other = layered(tier)
    if way == "key":
        other.invalidate("a")
    elif way == "put":
        other.put("a", 2)
    elif way == "tag":
        other.invalidate_by_tags({"t"})
    elif way == "dependency":
        other.invalidate("a")
    elif way == "clear":
        other.clear()
    again = layered(tier)
    events = heard(again, EventKind.DISCARD)
    if way == "down":
        tier.close()
    count = again.restore(path)
    left = {
        "nothing": {"a", "b", "c"},
        "key": {"b"},
        "put": {"b"},
        "tag": {"a", "c"},
        "dependency": {"b"},
        "clear": set(),
        "down": set(),
    }[way]
    assert set(again) == left
    assert count == len(left)
    assert bool(events) is (way in {"clear", "down"})


def test_what_came_from_below_depends_on_names_and_comes_back(path):
    tier = MemoryTier()
    first = layered(tier)
    first.put("part", 1)
    first.put("whole", 2, dependencies={"part"}, tags={"t"})
    cache = layered(tier)
    assert cache.get("whole") == 2
    assert cache.save(path) == 1
    again = layered(tier)
    assert again.restore(path) == 1
    assert again.invalidate("part") >= 1
    assert "whole" not in again


def test_memory_shows_nothing_for_longer_than_it_may(path):
    tier = MemoryTier()
    clock = later(0.0)
    cache = Cache(max_entries=10, tiers=[Memory(ttl_seconds=60), Layer(tier)], clock=clock)
    cache.put("k", 1)
    clock.advance(20.0)
    cache.save(path)
    for seconds, ttl, left in [
        (50.0, 60, 10.0),
        (70.0, 60, None),
        (50.0, 55, 5.0),
        (50.0, 45, None),
    ]:
        again = Cache(
            max_entries=10, tiers=[Memory(ttl_seconds=ttl), Layer(tier)], clock=later(seconds)
        )
        again.restore(path)
        entry = again.entry("k")
        assert (None if entry is None else round(entry.expires_in, 3)) == left


def test_a_file_of_other_tiers_or_tenants_is_not_read(path):
    cache = Cache(max_entries=10, namespace="n", tenant="t")
    cache.put("k", 1)
    cache.save(path)
    assert Cache(max_entries=10, namespace="n", tenant="t").restore(path) == 1
    for options in (
        {"namespace": "n"},
        {"namespace": "m", "tenant": "t"},
        {"namespace": "n", "tenant": "t", "tiers": [MemoryTier()]},
    ):
        again = Cache(max_entries=10, **options)
        events = heard(again, EventKind.DISCARD)
        assert again.restore(path) == 0
        assert len(events) == 1


# Over a tier that nodes share


def test_nodes_restore_what_the_shared_tier_has(path):
    """Not what the file has: nobody has watched that, so no level allows it."""
    memory = SharedMemory(later(0.0))

    def node():
        return Cache(max_entries=4, tiers=[Layer(SharedMemoryTier(memory))], clock=later(0.0))

    cache, other = node(), node()
    for key in "abcd":
        cache.put(key, "old", tags={key})
        cache.get(key)
    assert cache.save(path) == 4
    assert b"old" not in path.read_bytes()
    other.put("a", "new")
    other.invalidate("b")
    other.invalidate_by_tags({"c"})
    again = node()
    assert again.restore(path) == 2
    assert dict(again.items()) == {"a": "new", "d": "old"}
    for level in ("eventual", "session", "monotonic", "strong"):
        assert again.get("a", context={"session_id": "s"}, consistency_level=level) == "new"
    other.put("d", "newer")
    assert again.get("d", consistency_level="strong") == "newer"


def test_a_node_takes_no_room_either(path):
    memory = SharedMemory(later(0.0))

    def node(entries):
        return Cache(
            max_entries=entries,
            eviction_strategy="lru",
            tiers=[Layer(SharedMemoryTier(memory))],
            clock=later(0.0),
        )

    cache = node(10)
    cache.update({number: number for number in range(10)})
    cache.save(path)
    again = node(4)
    again.put("x", 1)
    events = heard(again, EventKind.EVICT)
    assert again.restore(path) == 3
    assert set(again) == {"x", 9, 8, 7}
    assert not events


# The file


def test_the_file_is_for_this_user_alone(make, path):
    cache = make(max_entries=10)
    cache.put("k", 1)
    before = os.umask(0)
    try:
        cache.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_links_are_not_followed(path, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    path.symlink_to(precious)
    cache = Cache(max_entries=10)
    cache.put("k", 1)
    events = heard(cache, EventKind.CORRUPTION)
    assert cache.restore(path) == 0
    assert len(events) == 1
    cache.save(path)
    assert precious.read_text() == "precious"
    assert not path.is_symlink()
    assert Cache(max_entries=10).restore(path) == 1


@pytest.mark.parametrize("what", ["directory", "fifo", "writable", "empty", "text"])
def test_what_is_no_file_of_ours(make, path, what):
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "writable":
        Cache(max_entries=1).save(path)
        path.chmod(0o666)
    else:
        path.write_bytes(b"" if what == "empty" else b"a text that is long enough " * 9)
    cache = make(max_entries=10)
    events = heard(cache, EventKind.CORRUPTION)
    assert cache.restore(path) == 0
    assert len(events) == 1


class Stalling(ManualClock):
    """A clock that has gone on by the time that somebody has read it."""

    seconds = 0

    def monotonic(self):
        now = super().monotonic()
        self.advance(self.seconds)
        return now


def test_to_be_written_late_does_not_let_an_entry_live_longer(path):
    clock = Stalling()
    cache = Cache(clock=clock, max_entries=9)
    cache.put("a", 1, ttl_seconds=10)
    end = clock.time() + 10
    clock.seconds = 1
    assert cache.save(path) == 1
    clock.seconds = 0
    again = Cache(clock=clock, max_entries=9)
    assert again.restore(path) == 1
    clock.advance(end - clock.time() + 0.1)
    assert again.get("a") is None


def test_to_be_stored_late_does_not_let_an_entry_live_longer(path):
    clock = ManualClock()
    cache = Cache(clock=clock, max_entries=9)
    cache.put("a", 1, ttl_seconds=10)
    cache.save(path)

    def measured_late(value):
        clock.advance(3)
        return 1

    again = Cache(clock=clock, max_size_mb=1, sizer=measured_late)
    assert again.restore(path) == 1
    clock.advance(6)
    assert again.get("a") == 1
    clock.advance(1.5)
    assert again.get("a") is None


def test_what_expires_while_a_tier_is_asked_does_not_live_for_ever(path):
    clock = ManualClock()

    class Slow(MemoryTier):
        seconds = 0

        def counters(self, names):
            clock.advance(self.seconds)
            return super().counters(names)

    tier = Slow(clock=clock)
    options = {"clock": clock, "tiers": [Memory(max_entries=9), Layer(tier)]}
    cache = Cache(**options)
    cache.put("a", 1, ttl_seconds=5)
    cache.save(path)
    tier.seconds = 3  # once for all of the file, once for its entries
    again = Cache(**options)
    assert again.restore(path) == 0
    clock.advance(1000)
    assert again.get("a") is None


def test_a_missing_file_is_nothing(make, path):
    cache = make(max_entries=10)
    events = heard(cache)
    assert cache.restore(path) == 0
    assert not events


def test_each_byte_counts(path):
    """Whatever is changed or cut off: what is whole comes back as it was, and nothing else."""
    serializer = Serializer(sign=HmacSha256({1: SECRET}))
    options = {"max_entries": 100, "serializer": serializer, "clock": later(0.0)}
    cache = Cache(**options)
    truth = {f"key{number}": "v" * number for number in range(8)}
    cache.update(truth)
    cache.save(path)
    data = path.read_bytes()
    draw = random.Random(5)
    counts = Counter()
    for _ in range(400):
        at = draw.randrange(len(data))
        if draw.random() < 0.3:
            damaged = data[:at]
        else:
            damaged = data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
        path.write_bytes(damaged)
        again = Cache(**options)
        events = heard(again, EventKind.CORRUPTION, EventKind.DISCARD, EventKind.UNDECODABLE)
        counts[again.restore(path)] += 1
        assert dict(again.items()).items() <= truth.items()
        assert events, at
    assert len(counts) > 5  # from nothing to nearly all


def test_a_record_of_another_file_is_forged(path, tmp_path):
    cache = Cache(max_entries=10, clock=later(0.0))
    cache.put("k", "old")
    cache.save(path)
    cache.put("k", "new")
    cache.save(tmp_path / "new")
    old, new = SnapshotReader(path), SnapshotReader(tmp_path / "new")
    head = new.open()
    old.open()
    writer = SnapshotWriter(tmp_path / "mixed")
    writer.begin(head)
    writer.write(old.read(10).lines)
    writer.commit()
    old.close()
    new.close()
    again = Cache(max_entries=10, clock=later(0.0))
    events = heard(again, EventKind.CORRUPTION)
    assert again.restore(tmp_path / "mixed") == 0
    assert len(events) == 1


def test_another_serializer_reads_nothing_and_raises_nothing(path):
    cache = Cache(max_entries=10)
    cache.put("k", 1)
    cache.save(path)
    again = Cache(max_entries=10, serializer=Serializer("json"))
    events = heard(again, EventKind.RESTORE)
    assert again.restore(path) == 0
    assert events[0].detail == "1 unreadable"


def test_headers_that_make_no_sense(path):
    for header in (
        b"",
        b"[]",
        b"{}",
        b"[1,2,3,4,5]",
        b"[[" * 100_000,
        b'["k",0,"x",[],{}]',
        b'["k",1e400,null,[],{}]',
        b'["k",0,1%s,[],{}]' % (b"0" * 400),
    ):
        cache = Cache(max_entries=10)
        head = json.dumps(
            {
                "prefix": cache._warmth()._prefix.decode(),
                "levels": [],
                "values": True,
                "cleared": [],
                "nonce": "",
            }
        ).encode()
        entries = cache._warmth()._entries()
        entries.begin(head)
        body = Serializer().dump(entries._bound(header), 1, Meta(0.0))
        writer = SnapshotWriter(path)
        writer.begin(head)
        writer.write([Line(header, body)])
        writer.commit()
        events = heard(cache, EventKind.CORRUPTION)
        assert cache.restore(path) == 0
        assert len(events) == 1


def test_a_head_that_makes_no_sense(path):
    for head in (b"", b"[]", b"{}", b"[" * 100_000):
        writer = SnapshotWriter(path)
        writer.begin(head)
        writer.commit()
        cache = Cache(max_entries=10)
        events = heard(cache, EventKind.CORRUPTION)
        assert cache.restore(path) == 0
        assert len(events) == 1


@pytest.mark.parametrize("there", [False, True])
def test_who_sweeps_takes_no_file_of_one_who_begins(path, monkeypatch, there):
    """It is not locked yet; whoever saves to the same place takes it for a leftover."""
    lock, met = fcntl.flock, []

    def late(descriptor, how):
        if not met:
            met.append(next(path.parent.iterdir()))
            if there:  # the other one looks whether it is locked
                other = met[0].open()
                lock(other.fileno(), how)
                met.append(other)
            else:
                met[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr("scrubjay.tiers.snapshot.fcntl.flock", late)
    cache = Cache(max_entries=10)
    cache.put("k", 1)
    assert cache.save(path) == 1
    assert Cache(max_entries=10).restore(path) == 1
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    for other in met[1:]:
        other.close()


def test_where_nothing_can_be_written(make, tmp_path):
    cache = make(max_entries=10)
    cache.put("k", 1)
    with pytest.raises(SnapshotError, match="nowhere"):
        cache.save(tmp_path / "nowhere" / "warm")
    (tmp_path / "directory").mkdir()
    with pytest.raises(SnapshotError):
        cache.save(tmp_path / "directory")
    assert [one.name for one in tmp_path.iterdir()] == ["directory"]


def test_a_full_device_leaves_the_file_as_it_was(path, monkeypatch):
    cache = Cache(max_entries=2000)
    cache.put("k", "first")
    cache.save(path)
    cache.update(dict.fromkeys(range(1000), "x" * 5000))
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(SnapshotError):
            cache.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    again = Cache(max_entries=2000)
    assert again.restore(path) == 1
    assert again["k"] == "first"


CHILD = """
import sys
from scrubjay import Cache
cache = Cache(max_entries=5000)
cache.update({number: (sys.argv[2], "x" * 100) for number in range(2000)})
print("ready", flush=True)
while True:
    cache.save(sys.argv[1])
    print("saved", flush=True)
"""


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_file(path):
    draw = random.Random(3)
    truth = dict.fromkeys(range(2000), ("0", "x" * 100))
    cache = Cache(max_entries=5000)
    cache.update(truth)
    cache.save(path)
    for turn in range(1, 7):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(turn)], stdout=subprocess.PIPE, text=True
        )
        with child:
            child.stdout.readline()
            for _ in range(turn % 2):
                child.stdout.readline()
            time.sleep(draw.random() * 0.05)
            child.send_signal(signal.SIGKILL)
        again = Cache(max_entries=5000)
        events = heard(again, EventKind.CORRUPTION)
        assert again.restore(path) == 2000
        assert not events
        assert len({value[0] for value in again.values()}) == 1
    left = [one.name for one in path.parent.iterdir() if one.name != path.name]
    again.save(path)
    assert [one.name for one in path.parent.iterdir()] == [path.name], left


# The option


def test_a_cache_is_warm_when_it_is_made_again(path):
    with Cache(max_entries=10, warm_file=path) as cache:
        cache.put("k", 1)
        assert not path.exists()
    assert path.exists()
    again = Cache(max_entries=10, warm_file=path)
    assert not path.exists()  # taken: what is invalidated from now on comes back no more
    spin(lambda: "k" in again)
    again.close()
    again.put("l", 1)
    again.close()  # saved the first time
    assert Cache(max_entries=10).restore(path) == 1


@pytest.mark.parametrize("what", [b"a text that is long enough " * 9, b"\0"])
@pytest.mark.parametrize("kind", [Cache, AdaptiveCache])
def test_what_is_no_snapshot_is_refused(path, what, kind):
    path.write_bytes(what)
    with pytest.raises(SnapshotError, match="no snapshot"):
        kind(max_entries=10, warm_file=path)
    assert path.read_bytes() == what
    assert Cache(max_entries=10).save(path) == 0  # who says so replaces it


@pytest.mark.parametrize("what", [b"", b"SJ", MAGIC[:4] + b"\x07 of a later version", MAGIC])
def test_what_may_be_replaced_is(path, what):
    path.write_bytes(what)
    with Cache(max_entries=10, warm_file=path) as cache:
        assert path.read_bytes() == what
        cache.put("k", 1)
    assert Cache(max_entries=10).restore(path) == 1


def test_what_has_come_meanwhile_is_not_replaced_at_the_end(path):
    cache = Cache(max_entries=10, warm_file=path)
    cache.put("k", 1)
    path.write_bytes(b"somebody's thesis")
    events = heard(cache, EventKind.DEGRADED)
    cache.close()
    assert path.read_bytes() == b"somebody's thesis"
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert isinstance(events[0].error, SnapshotError)


@pytest.mark.skipif(os.name != "posix", reason="links and directories are opened otherwise")
def test_links_and_directories_are_refused(path):
    other = path.with_name("other")
    other.write_bytes(b"")
    path.symlink_to(other)
    with pytest.raises(SnapshotError, match="link"):
        Cache(max_entries=10, warm_file=path)
    with pytest.raises(SnapshotError, match="no snapshot"):
        Cache(max_entries=10, warm_file=path.parent)


@pytest.mark.parametrize("done", [False, True])
def test_of_two_who_open_a_file_one_takes_it(path, monkeypatch, done):
    cache = Cache(max_entries=10)
    cache.save(path)
    first, second = SnapshotReader(path), SnapshotReader(path)
    take = SnapshotReader._take

    def late(self, descriptor):
        if self is second:
            assert first.open(take=True) is not None
            if done:
                first.close()
            cache.save(path)  # what is there now is another one
        return take(self, descriptor)

    monkeypatch.setattr(SnapshotReader, "_take", late)
    assert second.open(take=True) is None
    assert path.exists()
    first.close()


def test_an_awaited_cache_is_warm_when_it_is_made_again(path):
    async def first():
        async with AdaptiveCache(max_entries=10, warm_file=path) as cache:
            await cache.put("k", 1)

    async def second():
        async with AdaptiveCache(max_entries=10, warm_file=path) as cache:
            await until(lambda: "k" in cache)

    arun(first())
    arun(second())
    assert Cache(max_entries=10).restore(path) == 1


def test_a_rate_is_kept_and_closing_does_not_wait_for_it(path):
    cache = Cache(max_entries=100, clock=later(0.0))
    cache.update({number: number for number in range(100)})
    cache.save(path)
    flow = Cache(max_entries=100, clock=later(0.0)).restoring(path, 40.0)
    pauses = []
    effect = next(flow)
    while True:
        try:
            if isinstance(effect, Wait):
                pauses.append(effect.seconds)
                effect = flow.send(False)
            else:
                effect = flow.send(getattr(effect.tier, effect.method)(*effect.arguments))
        except StopIteration as end:
            assert end.value.result() == 100
            break
    assert sum(pauses) == pytest.approx(2.5, abs=0.26)
    assert max(pauses) == pytest.approx(0.25)
    slow = Cache(max_entries=100, warm_file=path, warm_rate=0.001, clock=later(0.0))
    spin(lambda: len(slow) == 1)
    began = time.monotonic()
    slow.close()
    assert time.monotonic() - began < PATIENCE
    assert Cache(max_entries=100, clock=later(0.0)).restore(path) == 1


def test_closing_tells_that_nothing_could_be_saved(tmp_path):
    cache = Cache(max_entries=10, warm_file=tmp_path / "nowhere" / "warm")
    cache.put("k", 1)
    events = heard(cache, EventKind.DEGRADED)
    cache.close()
    assert len(events) == 1


@pytest.mark.untraced
def test_two_doors_and_many_threads_while_it_is_restored(path):
    cache = Cache(max_entries=3000)
    cache.update(dict.fromkeys(range(3000), 0))
    cache.save(path)
    for _ in range(3):
        again = Cache(max_entries=3000)
        late = []

        def invalidate(again=again, late=late):
            for number in random.sample(range(3000), 600):
                again.invalidate(number)
                late.append(number)

        threads = [threading.Thread(target=invalidate) for _ in range(2)]
        flow = again.restoring(path, None)
        effect = next(flow)
        for thread in threads:
            thread.start()
        while True:
            try:
                effect = flow.send(getattr(effect.tier, effect.method)(*effect.arguments))
            except StopIteration:
                break
        for thread in threads:
            thread.join()
        assert len(late) == 1200
        assert not [number for number in late if number in again]


@pytest.mark.parametrize(
    "options",
    [{"warm_file": 7}, {"warm_file": ""}, {"warm_rate": 5}, {"warm_file": "x", "warm_rate": 0}],
)
def test_arguments_that_make_no_sense(options):
    for kind in (Cache, AdaptiveCache):
        with pytest.raises(InvalidArgumentError, match="warm_"):
            kind(max_entries=10, **options)
    cache = Cache(max_entries=10)
    with pytest.raises(InvalidArgumentError, match="rate"):
        cache.restore("x", rate=-1)
    with pytest.raises(InvalidArgumentError, match="path"):
        cache.save(None)


def test_over_a_disk_nothing_is_lost_that_held(tmp_path, path):
    def cache():
        return Cache(max_entries=50, tiers=[Disk(tmp_path / "disk", max_size_mb=4)], warm_file=path)

    with cache() as one:
        one.put_many({number: number for number in range(50)}, tags={"t"})
    with cache() as two:
        spin(lambda: len(two) == 50)
        assert two.get_detailed_statistics()["tiers"]["disk"]["hits"] == 0
        two.invalidate(7)
    with cache() as three:
        spin(lambda: len(three) == 49)
        assert 7 not in three
