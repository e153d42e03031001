"""The bounds hold at every moment at which anyone can look."""

from __future__ import annotations

import threading
from random import Random

import pytest

from scrubjay import Cache, InvalidArgumentError, ManualClock, register_strategy
from tests.models import check, drain, scaled

MB = 1024 * 1024
STRATEGIES = ["lru", "lfu", "ttl", "priority", "adaptive", "test-watched"]
BOUNDS = [(5, None), (None, 500), (7, 300)]


class Sized:
    """A value of some bytes that looks at the cache when it dies."""

    look = staticmethod(lambda: None)

    def __init__(self, size):
        self.size = size

    def __del__(self):
        Sized.look()


class Key:
    """A key that looks at the cache when it is compared or hashed."""

    look = staticmethod(lambda: None)

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        Key.look()
        return self.number % 3

    def __eq__(self, other):
        Key.look()
        return self.number == other.number


class Watched:
    """A strategy that looks at the cache whenever it is asked or told anything."""

    look = staticmethod(lambda: None)

    def __init__(self, metadata):
        self.slots = []

    def on_insert(self, slot):
        Watched.look()
        self.slots.append(slot)

    def on_hit(self, slot):
        Watched.look()

    def on_remove(self, slot):
        Watched.look()
        self.slots.remove(slot)

    def victim(self):
        Watched.look()
        return self.slots[0]


register_strategy("test-watched", Watched)


class Clock(ManualClock):
    """A clock that looks at the cache whenever it is read."""

    look = staticmethod(lambda: None)

    def monotonic(self):
        Clock.look()
        return super().monotonic()


@pytest.fixture
def lookers():
    yield (Sized, Key, Watched, Clock)
    for kind in (Sized, Key, Watched, Clock):
        kind.look = staticmethod(lambda: None)


def random_write(cache, random, kind, times=(None, None, 0.7, 3.0)):
    key = kind(random.randrange(12))
    dice = random.random()
    if dice < 0.7:
        cache.put(
            key,
            Sized(random.choice((0, 1, 30, 60, 100, 200))),
            random.choice(times),
            random.choice((1.0, 1.0, 2.0)),
            random.choice((None, ["t"])),
            dependencies=random.choice((None, None, [kind(random.randrange(12))])),
        )
    elif dice < 0.8:
        cache.get(key)
    elif dice < 0.88:
        cache.invalidate(key)
    elif dice < 0.9:
        cache.invalidate_by_tags(["t"])
    elif dice < 0.95:
        cache._wall.advance(0.4)
    elif dice < 0.99:
        if cache.max_entries is not None:
            cache.resize(max_entries=random.randint(1, 9))
        if cache.weighted:
            cache.resize(max_size_mb=random.randint(100, 700) / MB)
    else:
        cache.clear()


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nobody_ever_sees_too_much(strategy, bounds, lookers):
    entries, size = bounds
    looks = 0

    def look():
        nonlocal looks
        looks += 1
        assert cache.count <= cache.entry_limit
        if cache.weighted:
            assert 0 <= cache.bytes <= cache.byte_limit

    def sizer(value):
        look()
        return value.size

    cache = Cache(
        max_size_mb=None if size is None else size / MB,
        eviction_strategy=strategy,
        max_entries=entries,
        sizer=sizer,
        max_value_fraction=0.5,
        clock=Clock(),
    )
    failures = []

    def remember():
        try:
            look()
        except AssertionError as error:  # __del__ and callbacks may not raise
            failures.append(error)

    for kind in lookers:
        kind.look = staticmethod(remember)
    cache.on_removal(lambda key, value, cause: remember())
    random = Random(1)
    for _ in range(scaled(6000, 1000)):
        random_write(cache, random, Key)
        assert not failures
    assert looks > scaled(30_000, 5000)
    for kind in lookers:
        kind.look = staticmethod(lambda: None)
    drain(cache)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_sum_of_sizes_is_exact_inside_callbacks(strategy):
    clock = ManualClock()
    cache = Cache(
        max_size_mb=400 / MB,
        eviction_strategy=strategy,
        sizer=lambda value: value.size,
        max_value_fraction=1.0,
        clock=clock,
    )

    def callback(key, value, cause):
        sizes = [cache.facts(key)["size"] for key, _ in cache.items()]
        failures.extend([] if sum(sizes) == cache.bytes else [(sizes, cache.bytes)])
        failures.extend([] if len(sizes) == cache.count else [(sizes, cache.count)])

    failures = []
    cache.on_removal(callback)
    random = Random(2)
    for _ in range(scaled(4000, 1000)):
        random_write(cache, random, int, (None,))  # an expired entry counts, but is not shown
    assert not failures
    drain(cache)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_another_thread_never_sees_too_much(strategy, eager_switching):
    cache = Cache(
        max_size_mb=300 / MB,
        eviction_strategy=strategy,
        max_entries=7,
        sizer=lambda value: value,
        max_value_fraction=1.0,
    )
    failures = []
    going = threading.Event()

    def watch():
        while not going.is_set():
            for _ in range(50):
                count, size = cache.count, cache.bytes
                if count > 7 or not 0 <= size <= 300:
                    failures.append((count, size))

    def write(seed):
        random = Random(seed)
        for _ in range(scaled(8000, 100)):
            cache.put(random.randrange(20), random.randrange(120))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    writers = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    going.set()
    watcher.join(60)
    assert not any(thread.is_alive() for thread in [*writers, watcher])
    assert not failures
    drain(cache)


# What does not fit


def small(limit=1000, fraction=1.0, **options):
    return Cache(
        max_size_mb=limit / MB,
        sizer=lambda value: value,
        max_value_fraction=fraction,
        clock=ManualClock(),
        **options,
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_value_above_its_limit_is_refused_and_the_old_one_goes(strategy):
    cache = small(fraction=0.5, eviction_strategy=strategy)
    gone = []
    cache.on_removal(lambda key, value, cause: gone.append((key, value, cause.value)))
    assert cache.put("a", 500)
    assert cache.put("b", 100, dependencies=["a"])
    assert not cache.put("a", 501)
    assert list(cache) == []
    assert sorted(gone) == [("a", 500, "rejected"), ("b", 100, "dependency")]
    assert cache.statistics.rejected == 1
    assert not cache.put("new", 501)
    assert cache.put("new", 500)


def test_an_entry_may_fill_the_cache_to_the_last_byte():
    cache = small()
    assert cache.put("a", 1000)
    assert cache.put("b", 0)
    assert cache.bytes == 1000
    assert sorted(cache) == ["a", "b"]
    assert cache.put("c", 1)
    assert cache.bytes <= 1000
    assert "c" in cache


def test_entries_of_no_bytes_are_bounded_by_their_number_only():
    cache = small(max_entries=3)
    for number in range(10):
        cache.put(number, 0)
    assert cache.count == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_larger_value_in_place_makes_others_go(strategy):
    cache = small(100, eviction_strategy=strategy)
    for key in "abcd":
        cache.put(key, 25)
    for key in "abcd":
        assert cache.put(key, 100)
        assert dict(cache) == {key: 100}
        cache.put(key, 1)
        for other in "abcd":
            if other != key:
                cache.put(other, 30)
    check(cache)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_smaller_value_in_place_makes_nobody_go(strategy):
    cache = small(100, eviction_strategy=strategy)
    for key in "abcd":
        cache.put(key, 25)
    for key in "abcd":
        cache.put(key, 5)
    assert cache.bytes == 20
    assert cache.count == 4
    assert cache.statistics.evictions == 0


def test_a_put_that_is_overtaken_by_a_shrinking_leaves_no_old_value():
    class Shrinker(Key):
        def __eq__(self, other):
            if shrink:
                shrink.pop()()
            return isinstance(other, Shrinker)

        __hash__ = Key.__hash__

    cache = small()
    shrink = []
    cache.put(Shrinker(1), 10)
    shrink.append(lambda: cache.resize(max_size_mb=100 / MB))
    assert cache.put(Shrinker(1), 900) is False
    assert len(cache) == 0
    assert cache.statistics.rejected == 1
    drain(cache)


def test_a_callback_finds_the_value_for_which_room_was_made():
    cache = small()
    cache.put("k", 10)
    cache.put("b", 500)
    shrink = [lambda: cache.resize(max_size_mb=100 / MB)]
    found = []
    cache.on_removal(lambda key, value, cause: found.append((key, cache.get("k"))))
    cache.on_removal(lambda key, value, cause: shrink and shrink.pop()())
    assert cache.put("k", 900) is True
    assert found[0] == ("b", 900)
    assert cache.get("k") is None
    drain(cache)


@pytest.mark.parametrize("shrink", [{"max_entries": 2}, {"max_size_mb": 60 / MB}])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_resizing_evicts_before_it_returns(strategy, shrink):
    cache = small(max_entries=100, eviction_strategy=strategy)
    gone = []
    cache.on_removal(lambda key, value, cause: gone.append((key, cause.value)))
    for number in range(30):
        cache.put(number, 30)
    cache.resize(**shrink)
    assert cache.count == 2
    assert len(gone) == 28
    assert {cause for _, cause in gone} == {"evicted"}
    cache.resize(max_entries=1000, max_size_mb=1)
    assert cache.count == 2
    drain(cache)


def test_a_callback_may_resize_while_resizing():
    cache = Cache(max_entries=100, eviction_strategy="lru")
    for number in range(100):
        cache[number] = number
    sizes = [80, 3, 60]
    cache.on_removal(lambda key, value, cause: sizes and cache.resize(max_entries=sizes.pop()))
    cache.resize(max_entries=50)
    assert cache.max_entries == 50
    assert cache.count <= 50
    drain(cache)


# Sizers


@pytest.mark.parametrize("answer", [-1, 1.5, None, "12", float("nan")])
def test_a_senseless_size_is_refused_and_changes_nothing(answer):
    cache = Cache(max_size_mb=1, sizer=lambda value: answer if value == "odd" else 10)
    cache["k"] = "even"
    with pytest.raises(InvalidArgumentError, match="sizer"):
        cache["k"] = "odd"
    assert dict(cache) == {"k": "even"}
    assert cache.bytes == 10


@pytest.mark.parametrize("answer", [2**31, 2**40, 2**62, 2**63, 2**64, 2**70, 10**30])
def test_a_huge_size_is_refused_like_any_value_that_is_too_large(answer):
    cache = Cache(max_size_mb=1, sizer=lambda value: answer if value == "odd" else 10)
    cache["k"] = "even"
    assert cache.put("k", "odd") is False
    assert list(cache) == []
    assert cache.bytes == 0


@pytest.mark.parametrize("bound", [2**31, 2**62, 2**63, 2**64, 2**70])
def test_huge_bounds_are_no_bounds(bound):
    cache = Cache(max_entries=bound)
    cache[1] = 1
    cache.resize(max_entries=5)
    cache.resize(max_entries=bound)
    assert cache[1] == 1
    wide = Cache(max_size_mb=float(bound))
    wide[1] = 1
    wide.resize(max_size_mb=bound)
    assert wide[1] == 1


def test_an_error_in_the_sizer_reaches_the_caller_and_changes_nothing():
    def sizer(value):
        return 1 // value

    cache = Cache(max_size_mb=1, sizer=sizer)
    cache["k"] = 1
    with pytest.raises(ZeroDivisionError):
        cache["k"] = 0
    assert dict(cache) == {"k": 1}


@pytest.mark.parametrize("size", [True, 7])
def test_whole_numbers_of_other_types_are_sizes(size):
    class Bytes(int):
        pass

    cache = Cache(max_size_mb=1, sizer=lambda value: Bytes(size))
    cache["k"] = 1
    assert cache.bytes == int(size)


def test_making_room_for_a_smaller_bound_ends_whatever_is_stored_meanwhile():
    cache = Cache(max_entries=50, eviction_strategy="lru")
    for number in range(50):
        cache[number] = number
    counts = []
    nested = []

    def callback(key, value, cause):
        counts.append(len(cache))
        if not nested:
            nested.append(key)
            cache[key] = value
            nested.clear()

    unsubscribe = cache.on_removal(callback)
    cache.resize(max_entries=5)
    unsubscribe()
    assert cache.max_entries == 5
    assert counts == sorted(counts, reverse=True)
    assert max(counts) < 50
    drain(cache)


def test_a_resize_that_fails_leaves_the_bound_on_values():
    cache = small(limit=1000, fraction=0.5, eviction_strategy="test-failing-victim")
    for key in "abcdefghij":
        cache.put(key, 100)
    with pytest.raises(ZeroDivisionError):
        cache.resize(max_size_mb=100 / MB)
    assert cache.put("k", 501) is False
    assert cache.count == 10


class FailingVictim:
    def __init__(self, metadata):
        pass

    on_insert = on_hit = on_remove = staticmethod(lambda slot: None)

    def victim(self):
        raise ZeroDivisionError


register_strategy("test-failing-victim", FailingVictim)


def test_an_expired_entry_found_by_setdefault_may_be_gone_before_it_is_replaced():
    clock = ManualClock()

    class Clearing(Key):
        armed = False

        def __eq__(self, other):
            if Clearing.armed:
                Clearing.armed = False
                clock.advance(10)
                cache.clear()
            return self.number == getattr(other, "number", None)

        __hash__ = Key.__hash__

    cache = Cache(max_size_mb=1, sizer=lambda value: 10, clock=clock)
    for number in range(10_000):
        cache.put(number, number)
    for turn in range(1, 4):
        cache.put(Clearing(1), "old", ttl_seconds=1)
        Clearing.armed = turn != 2
        cache.setdefault(Clearing(1), "new")
        Clearing.armed = False
        check(cache)
