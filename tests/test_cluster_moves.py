"""Slots of a cluster that move from one primary to another, in the midst of everything."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from functools import partial

import pytest

from scrubjay import CacheConsistencyLevel
from scrubjay.consistency import Barrier, Copy, Replica, Session
from scrubjay.testing import Awaited, AwaitedShared, Operation, unexplained
from scrubjay.tiers import RedisTier, TierRecord
from scrubjay.tiers._redis.slots import bucket_of, bucket_slot

pytestmark = pytest.mark.any_build

NAMESPACE = "moving"
DEADLINE = 5.0  # seconds that an operation may take at most while slots move
LONG = 30.0


@pytest.fixture(autouse=True)
def empty(redis_cluster):
    redis_cluster.flush()


def tier_on(cluster, seconds=DEADLINE):
    """Return a tier of which each operation may take so long."""
    return RedisTier(cluster.url, cluster=True, namespace=NAMESPACE, timeout_seconds=seconds)


@pytest.fixture(params=["blocking", "awaited"])
def open_tier(request, redis_cluster):
    opened = []

    def open_one():
        tier = tier_on(redis_cluster)
        opened.append(tier if request.param == "blocking" else AwaitedShared(tier))
        return opened[-1]

    yield open_one
    for tier in opened:
        tier.close()


def slot_of(key):
    return bucket_slot(NAMESPACE, bucket_of(key))


def beside(key, count):
    """Return that many other keys in the bucket of a key."""
    numbers = itertools.count()
    found = (b"%d" % number for number in numbers if bucket_of(b"%d" % number) == bucket_of(key))
    return list(itertools.islice((one for one in found if one != key), count))


def elsewhere(cluster, slot):
    return next(one for one in cluster.primaries if one is not cluster.owner(slot))


def move(cluster, key):
    """Move the slot of a key, with all that is in it, to another primary."""
    slot = slot_of(key)
    cluster.move(slot, elsewhere(cluster, slot))


def move_while(cluster, keys, work, seconds, problems):
    """Move the slots of keys again and again while others work; return how many moves it were.

    Args:
        cluster: the cluster.
        keys: whose slots are moved.
        work: functions that run in a thread each; they get an event that is set at the end.
        seconds: for so long, or until there is a problem.
        problems: a list, to which the exceptions of the others are added.
    """
    stop = threading.Event()

    def begin(one):
        try:
            one(stop)
        except BaseException as error:
            problems.append(error)
            raise

    threads = [threading.Thread(target=begin, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    moves = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and not problems:
        for key in keys:
            move(cluster, key)
            moves += 1
    stop.set()
    for thread in threads:
        thread.join(LONG)
    return moves


@pytest.fixture
def moving(redis_cluster):
    """A function that begins to move the slot of a key; it is all moved at the end."""
    begun = []

    def begin(key, those):
        slot = slot_of(key)
        target = elsewhere(redis_cluster, slot)
        source = redis_cluster.begin_move(slot, target)
        begun.append((slot, source, target))
        if those is not None:
            redis_cluster.move_keys(slot, source, target, those)

    yield begin
    for slot, source, target in begun:
        redis_cluster.move_keys(slot, source, target)
        redis_cluster.end_move(slot, source, target)


def test_what_has_moved_is_found(open_tier, redis_cluster):
    tier = open_tier()
    tier.put_many([TierRecord(b"a", b"1")])
    written = tier.write(TierRecord(b"a", b"versioned"))
    (count,) = tier.bump([b"a"])
    move(redis_cluster, b"a")
    assert tier.until_changed(written.watch, DEADLINE)
    assert tier.get_many([b"a"]) == [b"1"]
    fetched = tier.fetch([b"a"], [b"a"])
    assert fetched.records[0].value == b"versioned"
    assert fetched.records[0].version == written.version
    assert fetched.counts[0].value == count
    again = tier.fetch([b"a"], [b"a"])  # by who knows where it is now
    assert again.records[0].watch.live
    assert again.records[0].feed is not written.feed
    assert tier.barrier([again.records[0].feed]).covers(again.records[0].feed)
    assert tier.write(TierRecord(b"a", b"2")).version > written.version


# Nothing, everything, or the generation alone, some records, generations of names, other records.
SOME = [None, b"", b":g:", b":r:", b":v:", b":c:", b"a"]


@pytest.mark.parametrize("those", SOME)
def test_everything_can_be_done_to_a_slot_on_its_way(open_tier, moving, those):
    tier, other = open_tier(), open_tier()
    keys = [b"a", *beside(b"a", 5)]
    tier.put_many([TierRecord(key, b"old" + key) for key in keys[:4]])
    versions = {key: tier.write(TierRecord(key, b"v" + key)).version for key in keys[:4]}
    before = tier.bump(keys[:2])
    moving(b"a", those)
    for one in (tier, other):
        assert one.get_many(keys) == [b"old" + key for key in keys[:4]] + [None] * 2
        found = one.fetch(keys, keys[:3])
        assert [record and record.value for record in found.records] == [
            *(b"v" + key for key in keys[:4]), None, None
        ]  # fmt: skip
        assert [record.version for record in found.records[:4]] == [*versions.values()]
        assert [count.value for count in found.counts[:2]] == before
        assert one.get_many([keys[0]]) == [b"old" + keys[0]]
    assert tier.put_many([TierRecord(key, b"new" + key) for key in keys]) == [True] * 6
    assert other.get_many(keys) == [b"new" + key for key in keys]
    assert tier.delete_many(keys[:3]) == 3
    assert other.get_many(keys[:3]) == [None] * 3
    for key in keys:
        written = other.write(TierRecord(key, b"w" + key))
        assert written.version > versions.get(key, 0)
        assert tier.read_many([key])[0].value == b"w" + key
    removed = tier.delete(keys)
    assert [one.value for one in other.read_many(keys)] == [None] * 6
    raised = tier.advance(keys[:2])
    assert [count.value for count in raised] == other.counters(keys[:2])
    assert all(one.value > two for one, two in zip(raised, before, strict=True))
    for key, tombstone in zip(keys, removed, strict=True):
        token = tier.lease(key, b"me", LONG, names=[b"t", key]).token
        assert token.version > tombstone.version
        assert other.lease(key, b"you", LONG).token is None
        filled = tier.fill(TierRecord(key, b"filled"), token)
        assert filled.version > token.version
        assert other.fill(TierRecord(key, b"late"), token) is None
        assert other.lease(key, b"you", LONG).found.value == b"filled"
    other.delete(keys)
    token = tier.lease(b"a", b"me", LONG).token
    assert tier.release(b"a", token)
    token = tier.lease(b"a", b"me", LONG).token
    tier.clear()
    assert other.get_many(keys) == [None] * 6
    assert tier.fill(TierRecord(b"a", b"from before"), token) is None
    assert tier.put_many([TierRecord(b"a", b"1")]) == [True]
    assert other.get_many([b"a"]) == [b"1"]


def test_a_clear_is_heard_by_who_reads_a_slot_on_its_way(open_tier, moving):
    """The generation may have gone ahead of the record: no copy may be kept unwatched."""
    tier, other = open_tier(), open_tier()
    for number, those in enumerate(SOME):
        tier.clear()
        key = b"%d" % (number + 100)
        tier.put_many([TierRecord(one, b"1") for one in beside(key, 3)])
        tier.write(TierRecord(key, b"1"))
        other.read_many([key])
        moving(key, those)
        (found,) = other.read_many([key])
        tier.clear()
        if found.watch is not None:
            other.barrier([found.feed])
            assert not found.watch.live
        assert other.read_many([key])[0].value is None


@pytest.mark.parametrize("those", SOME)
def test_no_copy_is_watched_where_nobody_would_tell(open_tier, moving, those):
    """Whatever is read or written while a slot is on its way: changes end its watch, if it has one."""
    tier, other = open_tier(), open_tier()
    keys = [b"a", *beside(b"a", 2)]
    for key in keys[:2]:
        tier.write(TierRecord(key, b"1"))
    tier.bump(keys)
    moving(b"a", those)
    fetched = tier.fetch(keys, keys)
    written = tier.write(TierRecord(keys[1], b"2"))
    lease = tier.lease(keys[2], b"me", LONG, names=keys[:1])
    (advanced,) = tier.advance(keys[1:2])
    watches = [
        *(record and record.watch for record in fetched.records),
        *(count.watch for count in fetched.counts + lease.counts),
        *(written.watch, lease.found.watch, advanced.watch),
    ]
    for key in keys:
        other.write(TierRecord(key, b"3"))
    other.bump(keys)
    tier.barrier()
    assert [one for one in watches if one is not None and one.live] == []


@pytest.mark.untraced
def test_histories_while_slots_move_are_linearizable(redis_cluster):
    keys = [b"k%d" % number for number in range(4)]
    plain = [tier_on(redis_cluster) for _ in range(3)]
    faces = [plain[0], plain[1], Awaited(plain[2])]
    history = {key: [] for key in keys}
    failures = []

    def work(number, stop):
        draw = random.Random(number)
        turn = 0
        while not stop.is_set():
            turn += 1
            key = draw.choice(keys)
            kind = draw.random()
            value = None if kind < 0.6 or kind > 0.9 else b"%d:%d" % (number, turn)
            start = time.monotonic()
            if kind < 0.6:
                (value,) = faces[number].get_many([key])
            elif value is None:
                faces[number].delete_many([key])
            else:
                faces[number].put_many([TierRecord(key, value)])
            end = time.monotonic()
            history[key].append(Operation(start, end, kind >= 0.6, value))

    workers = [partial(work, number) for number in range(3)]
    moves = move_while(redis_cluster, keys, workers, 2.5, failures)
    for tier in faces:
        tier.close()
    count = sum(map(len, history.values()))
    print(f"{count} operations, {moves} slots moved")
    assert failures == []
    assert moves > 4
    assert count > 500
    for key, operations in history.items():
        assert unexplained(operations) is None, key


def test_puts_race_with_clears_while_slots_move(redis_cluster):
    """What was acknowledged after a clear had returned is there; what was before, is not."""
    problems, turns = [], []

    def clear(stop):
        with tier_on(redis_cluster, LONG) as other:
            turn = 0
            while not stop.is_set():
                turn += 1
                mine = b"%d" % turn
                other.put_many([TierRecord(b"old", mine)])
                token = other.lease(b"lease", b"me", LONG).token
                other.clear()
                if tier.get_many([b"old"]) != [None]:
                    problems.append("old")
                if token and tier.fill(TierRecord(b"lease", mine), token) is not None:
                    problems.append("lease")
                put = tier.put_many([TierRecord(b"new", mine)])
                if put != [True] or other.get_many([b"new"]) != [mine]:
                    problems.append("new")
                other.write(TierRecord(b"version", mine))
                (found,) = tier.read_many([b"version"])
                if found is None or found.value != mine:
                    problems.append("version")
                turns.append(turn)

    def put(stop):
        number = 0
        while not stop.is_set():
            number += 1
            tier.put_many([TierRecord(b"%d" % (number % 50), b"v")] * 10)

    keys = [b"old", b"new", b"version"]
    with tier_on(redis_cluster, LONG) as tier:
        moves = move_while(redis_cluster, keys, [clear, put, put], 2.0, problems)
    print(f"{len(turns)} clears, {moves} slots moved")
    assert problems == []
    assert len(turns) > 3
    assert moves > 2


def carry_out(tier, steps):
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return end.value
        if isinstance(step, Barrier):
            answer = tier.barrier(step.feeds)
        else:
            answer = tier.fetch(step.keys, step.names)


@pytest.mark.untraced
@pytest.mark.parametrize("level", [CacheConsistencyLevel.STRONG, CacheConsistencyLevel.MONOTONIC])
def test_levels_are_kept_while_slots_move(open_tier, redis_cluster, level):
    """Versions of acknowledged writes, or of what was read, are never fallen behind."""
    keys = [b"k%d" % number for number in range(3)]
    acknowledged = dict.fromkeys(keys, 0)
    problems, reads, copies, seen = [], [], [], {}
    writing, reading = open_tier(), open_tier()
    for key in keys:
        writing.write(TierRecord(key, b"0"))

    def write(stop):
        draw = random.Random(1)
        while not stop.wait(0.001):
            key = draw.choice(keys)
            acknowledged[key] = writing.write(TierRecord(key, b"x")).version

    def read(stop):
        draw = random.Random(2)
        replica, session, held = Replica(), Session(), {}
        while not stop.is_set():
            key = draw.choice(keys)
            known = acknowledged[key] if level is CacheConsistencyLevel.STRONG else 0
            steps = replica.read(
                key, held.get(key), level, session, time.monotonic(), lambda record: {}
            )
            found = carry_out(reading, steps)
            if found.copied:
                copies.append(1)
                version = held[key].version
            else:
                version = found.record.version
                held[key] = Copy(version, found.record.watch, {})
            if version < max(known, seen.get(key, 0)):
                problems.append((key, version, known))
            seen[key] = version
            reads.append(1)

    moves = move_while(redis_cluster, keys, [write, read], 1.5, problems)
    print(f"{len(reads)} reads, {len(copies)} of them by copies; {moves} slots moved")
    assert problems == []
    assert moves > 2
    assert len(copies) > 20


def test_many_keys_while_one_slot_moves(redis_cluster):
    """Awaited by many tasks at once; nobody gets what is another's."""
    keys = [b"%d" % number for number in range(200)]

    async def main():
        async with tier_on(redis_cluster) as tier:
            await tier.aput_many([TierRecord(key, key * 5) for key in keys])
            moved = asyncio.ensure_future(asyncio.to_thread(move_some))
            turns = 0
            while not moved.done():
                found = await asyncio.gather(*(tier.aget_many(keys[at::20]) for at in range(20)))
                assert [one for part in found for one in part] == [
                    key * 5 for at in range(20) for key in keys[at::20]
                ]
                turns += 1
            await moved
            return turns

    def move_some():
        for key in keys[:8]:
            move(redis_cluster, key)

    assert asyncio.run(main()) > 2
