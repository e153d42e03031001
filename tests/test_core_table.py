"""The hash table: keys that collide, compare oddly, or change the table while they do."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from scrubjay import Cache, InvalidKeyError
from scrubjay._core.claims import Claims
from tests.models import check, drain, scaled


class Key:
    """A key with a hash of choice, equal to others of its number."""

    __slots__ = ("code", "number")

    def __init__(self, number, code):
        self.number = number
        self.code = code

    def __hash__(self):
        return self.code

    def __eq__(self, other):
        return isinstance(other, Key) and self.number == other.number

    def __repr__(self):
        return f"Key({self.number}, {self.code})"


def make(**options):
    options.setdefault("max_entries", 1 << 20)
    return Cache(**options)


# Against a dictionary


@pytest.mark.parametrize("hashes", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("strategy", ["lru", "adaptive"])
def test_random_operations_agree_with_a_dictionary(strategy, hashes):
    random = Random(hashes)
    cache, model = make(eviction_strategy=strategy), {}
    for step in range(scaled(12_000, 1500)):
        number = random.randrange(60)
        key = Key(number, number % hashes)
        dice = random.random()
        if dice < 0.45:
            cache[key] = step
            model[key] = step
        elif dice < 0.75:
            assert cache.get(key) == model.get(key)
        elif dice < 0.99:
            assert cache.invalidate(key) == (model.pop(key, None) is not None)
        else:
            assert dict(cache) == model
    assert dict(cache.items()) == model
    drain(cache)


@pytest.mark.parametrize("hashes", [1, 4, 1000])
def test_claims_agree_with_a_dictionary(hashes):
    random = Random(hashes)
    claims, model = Claims(), {}
    for _ in range(scaled(10_000, 1500)):
        number = random.randrange(80)
        key, value = Key(number, number % hashes), object()
        dice = random.random()
        if dice < 0.4:
            assert claims.claim(key, value) is model.setdefault(key, value)
        elif dice < 0.6:
            assert claims.get(key) is model.get(key)
        elif dice < 0.7:
            assert claims.release(key, value) is False
        elif key in model:
            assert claims.release(key, model.pop(key)) is True
        else:
            assert claims.release(key, value) is False
        assert len(claims) == len(model)
    assert set(claims.values()) == set(model.values())


@pytest.mark.untraced
def test_keys_whose_runs_wrap_around_the_end_of_the_index():
    """Neighbouring homes at every position: a shift back must never pass a home."""
    for start in range(64):
        cache, random = make(), Random(start)
        keys = [Key(number, start + number % 3) for number in range(20)]
        for key in keys:
            cache[key] = key.number
        random.shuffle(keys)
        while keys:
            assert cache.invalidate(keys.pop()) == 1
            for key in keys:
                assert cache.get(key) == key.number
        assert cache.count == 0


def test_rows_are_used_again():
    cache = make(max_entries=100)
    for number in range(1000):
        cache[number] = number
        cache.invalidate(number - 50)
    assert cache.used <= 100
    assert cache.slots <= 128
    check(cache)


def test_growth_keeps_everything():
    cache = make()
    for number in range(scaled(20_000, 4000)):
        cache[number] = -number
        if number & (number - 1) == 0:
            assert all(cache.contains(earlier) for earlier in range(number + 1))
    check(cache)


@pytest.mark.untraced
def test_as_many_entries_as_are_wanted():
    count = scaled(1_000_000, 20_000)
    cache = Cache(max_entries=count)
    for number in range(count):
        cache[number] = number
    assert cache.count == count
    assert all(cache.get(number) == number for number in range(0, count, 97))
    for number in range(0, count, 2):
        assert cache.invalidate(number) == 1
    assert len(cache) == count // 2
    assert not any(number in cache for number in range(0, count, 1000))
    assert all(number in cache for number in range(1, count, 1001) if number % 2)
    for number in range(count, count + count // 2):
        cache[number] = number
    assert cache.count == count
    assert cache.slots == count
    cache["one more"] = 1
    assert cache.count == count


# Keys that are equal without being alike


def test_minus_one_and_minus_two_share_a_hash():
    assert hash(-1) == hash(-2)
    cache = make()
    cache[-1] = "one"
    cache[-2] = "two"
    assert (cache[-1], cache[-2]) == ("one", "two")
    del cache[-1]
    assert cache.get(-1) is None
    assert cache[-2] == "two"


@pytest.mark.parametrize("one", [1, 1.0, True, Decimal(1), Fraction(1), 1 + 0j])
@pytest.mark.parametrize("other", [1, 1.0, True, Decimal(1), Fraction(1), 1 + 0j])
def test_numbers_that_are_equal_are_one_key_as_in_a_dictionary(one, other):
    cache = make()
    cache[one] = "first"
    cache[other] = "second"
    assert cache.count == 1
    assert cache[one] == "second"
    assert next(iter(cache)) is one  # the first key stays, as in a dictionary


@pytest.mark.parametrize("code", [0, -1, -2, 2**61 - 1, 2**61, -(2**61), 2**63, -(2**63), 2**200])
def test_whole_numbers_of_every_size(code):
    cache = make()
    cache[code] = "it"
    cache[code + 1] = "next"
    assert cache[code] == "it"
    assert cache[int(str(code))] == "it"
    assert code - 1 not in cache


def test_subclasses_of_strings_are_the_same_key():
    class Name(str):
        __slots__ = ()

    class Strange(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            return False

    cache = make()
    cache["key"] = 1
    assert cache[Name("key")] == 1
    cache[Name("other")] = 2
    assert cache["other"] == 2
    assert type(next(key for key in cache if key == "other")) is Name
    assert cache.get(Strange("key")) is None
    strange = Strange("key")
    cache[strange] = 3
    assert (cache[strange], cache["key"]) == (3, 1)


def test_numpy_scalars_are_the_same_keys_as_in_a_dictionary():
    numpy = pytest.importorskip("numpy")
    cache = make()
    cache[numpy.str_("key")] = 1
    assert cache["key"] == 1
    cache[7] = 2
    assert cache[numpy.int64(7)] == 2
    assert cache[numpy.float64(7)] == 2
    assert numpy.float64("nan") not in cache


def test_not_a_number_is_found_by_identity_only():
    nan = float("nan")
    cache = make()
    cache[nan] = 1
    assert cache[nan] == 1
    assert cache.get(float("nan")) is None
    cache[float("nan")] = 2
    assert cache.count == 2
    assert cache.invalidate(nan) == 1
    assert cache.count == 1


def test_strings_of_every_width_and_their_look_alikes():
    cache = make()
    words = ["", "a", "\x00", "é", "e\u0301", "\u0100", "\U0001f600", "\ud800", b"a", ("a",)]
    for number, word in enumerate(words):
        cache[word] = number
    for number, word in enumerate(words):
        copy = "".join(list(word)) if isinstance(word, str) else word
        assert cache[copy] == number
    assert cache.count == len(words)


def test_keys_compare_across_types():
    class AnyNumber:
        def __hash__(self):
            return hash(5)

        def __eq__(self, other):
            return isinstance(other, int)

    cache = make()
    cache[5] = "five"
    assert cache[AnyNumber()] == "five"
    cache.clear()
    cache[AnyNumber()] = "any"
    assert cache[5] == "any"


def test_the_stored_key_is_asked_first_as_in_a_dictionary():
    order = []

    class Asked:
        def __init__(self, name):
            self.name = name

        def __hash__(self):
            return 1

        def __eq__(self, other):
            order.append((self.name, other.name))
            return False

    cache = make()
    cache[Asked("stored")] = 1
    cache.get(Asked("sought"))
    assert order == [("stored", "sought")]


def test_a_key_that_answers_not_implemented_is_not_equal():
    class Silent:
        def __hash__(self):
            return 3

        def __eq__(self, other):
            return NotImplemented

    cache = make()
    key = Silent()
    cache[key] = 1
    assert cache[key] == 1
    assert cache.get(Silent()) is None


# Keys that fail


@pytest.mark.parametrize("key", [[], {}, set(), bytearray(), ([],)])
def test_unhashable_keys_are_refused_everywhere(key):
    cache = make()
    cache["there"] = 1
    operations = [
        lambda: cache.get(key),
        lambda: cache[key],
        lambda: cache.put(key, 1),
        lambda: cache.invalidate(key),
        lambda: cache.contains(key),
        lambda: key in cache,
        lambda: cache.touch(key),
        lambda: cache.entry(key),
        lambda: cache.pop(key, None),
        lambda: cache.setdefault(key, 1),
        lambda: cache.put("x", 1, dependencies=[key]),
        lambda: cache.invalidate_many([key]),
        lambda: cache.get_or_load(key, lambda key: 1),
    ]
    for operation in operations:
        with pytest.raises(InvalidKeyError, match=r"key|dependencies"):
            operation()
    assert dict(cache) == {"there": 1}
    drain(cache)


class Failing:
    """A key that fails to compare while it is told to."""

    armed = False

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return 11

    def __eq__(self, other):
        if Failing.armed:
            raise ZeroDivisionError("no comparison")
        return isinstance(other, Failing) and self.number == other.number


def test_an_error_in_eq_reaches_the_caller_and_changes_nothing():
    cache = make()
    keys = [Failing(number) for number in range(5)]
    for key in keys:
        cache.put(key, key.number, ttl_seconds=1000, tags={"t"}, dependencies=["other"])
    before = dict(cache.items())
    operations = [
        lambda: cache.get(Failing(3)),
        lambda: cache.put(Failing(3), 1),
        lambda: cache.put(Failing(9), 1, dependencies=[Failing(3)]),
        lambda: cache.invalidate(Failing(3)),
        lambda: cache.touch(Failing(3)),
        lambda: cache.contains(Failing(3)),
        lambda: cache.pop(Failing(3), None),
        lambda: cache.setdefault(Failing(3), 1),
        lambda: cache.get_or_load(Failing(3), lambda key: 1),
    ]
    for operation in operations:
        Failing.armed = True
        try:
            with pytest.raises(ZeroDivisionError):
                operation()
        finally:
            Failing.armed = False
    assert {id(key): value for key, value in cache.items()} == {
        id(key): value for key, value in before.items()
    }
    assert cache.invalidate("other") == 5
    drain(cache)


def test_an_error_in_hash_reaches_the_caller():
    class Hashless:
        def __hash__(self):
            raise ZeroDivisionError("no hash")

    cache = make()
    for operation in (cache.get, cache.contains, cache.invalidate, lambda key: cache.put(key, 1)):
        with pytest.raises(ZeroDivisionError):
            operation(Hashless())
    assert cache.count == 0


def test_a_hash_that_changes_loses_the_key_and_nothing_else():
    cache = make(max_entries=50)
    keys = [Key(number, number) for number in range(50)]
    for key in keys:
        cache[key] = key.number
    for key in keys:
        key.code += 1000
    for key in keys[:10]:
        cache.get(key)
    for number in range(1000, 1100):
        cache[number] = number
    assert cache.count == len(list(cache)) == 50
    cache.clear()
    assert list(cache) == []


# Keys that change the table while it is searched

CHANGES = {
    "clears": lambda cache, key: cache.clear(),
    "removes itself": lambda cache, key: cache.invalidate(Key(key.number, key.code)),
    "puts itself": lambda cache, key: cache.put(Key(key.number, key.code), "meanwhile"),
    "fills": lambda cache, key: [cache.put(n, n) for n in range(100, 200)],
    "fills and clears": lambda cache, key: (
        [cache.put(n, n) for n in range(100, 200)],
        cache.clear(),
    ),
    "shrinks": lambda cache, key: cache.resize(max_entries=1),
    "grows": lambda cache, key: cache.resize(max_entries=100_000),
}
OPERATIONS = {
    "get": lambda cache, key: cache.get(key),
    "item": lambda cache, key: key in cache and cache[key],
    "put": lambda cache, key: cache.put(key, "new"),
    "put with all": lambda cache, key: cache.put(
        key, "new", 60.0, 3.0, ["tag"], idle_seconds=30.0, dependencies=["need"], cost=2.0
    ),
    "invalidate": lambda cache, key: cache.invalidate(key),
    "touch": lambda cache, key: cache.touch(key, 60.0),
    "contains": lambda cache, key: cache.contains(key),
    "entry": lambda cache, key: cache.entry(key),
    "pop": lambda cache, key: cache.pop(key, None),
    "setdefault": lambda cache, key: cache.setdefault(key, "default"),
    "depend": lambda cache, key: cache.put("dependent", 1, dependencies=[key]),
    "load": lambda cache, key: cache.get_or_load(key, lambda key: "loaded"),
}


class Meddling(Key):
    """A key that does something to the cache when it is compared."""

    meddle = None

    __slots__ = ()
    __hash__ = Key.__hash__

    def __eq__(self, other):
        meddle, Meddling.meddle = Meddling.meddle, None
        if meddle is not None:
            meddle()
        return Key.__eq__(self, other)


class Answer:
    """A truth value that does something when it is asked for."""

    def __init__(self, truth, meddle):
        self.truth = truth
        self.meddle = meddle

    def __bool__(self):
        self.meddle()
        return self.truth


class Undecided(Key):
    """A key whose comparison gives no truth value, but an `Answer`."""

    meddle = None

    __slots__ = ()
    __hash__ = Key.__hash__

    def __eq__(self, other):
        meddle, Undecided.meddle = Undecided.meddle, None
        truth = Key.__eq__(self, other)
        return truth if meddle is None else Answer(truth, meddle)


@pytest.mark.untraced
@pytest.mark.parametrize("kind", [Meddling, Undecided])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("strategy", ["lru", "adaptive"])
def test_a_key_that_changes_the_cache_while_it_is_compared(strategy, change, operation, kind):
    for sought in (2, 7, 99):  # there, the last of its run, not there
        cache = make(eviction_strategy=strategy, max_entries=100)
        for number in range(20, 60):
            cache[number] = number
        for number in range(8):
            cache[kind(number, 5)] = number
        key = kind(sought, 5)
        kind.meddle = lambda cache=cache, key=key: CHANGES[change](cache, key)
        OPERATIONS[operation](cache, key)
        kind.meddle = None
        check(cache)
        if operation.startswith("put"):
            assert cache.get(key) == "new"
        elif operation in ("invalidate", "pop") and change != "puts itself":
            assert cache.get(key) is None
        elif operation in ("setdefault", "load"):
            assert cache.get(key) is not None
        drain(cache)


def test_a_put_with_conditions_keeps_them_when_the_cache_is_cleared_meanwhile():
    """The columns of the conditions are allocated before the key is compared."""
    cache = make()
    cache[Meddling(1, 5)] = 1
    Meddling.meddle = cache.clear
    key = Meddling(2, 5)
    cache.put(key, 2, 60.0, 3.0, ["tag"], idle_seconds=30.0, dependencies=["need"], cost=2.0)
    entry = cache.entry(key)
    assert (entry.ttl_seconds, entry.idle_seconds) == (60.0, 30.0)
    assert (entry.priority, entry.cost) == (3.0, 2.0)
    assert entry.tags == {"tag"}
    assert entry.dependencies == {"need"}
    assert 0 < entry.expires_in <= 30.0
    assert cache.invalidate("need") == 1


def test_a_key_that_changes_the_claims_while_it_is_compared():
    for sought in range(6):
        claims = Claims()
        keys = [Meddling(number, 5) for number in range(5)]
        for key in keys:
            claims.claim(key, key)

        def meddle(claims=claims, keys=keys):
            for key in keys:
                claims.release(key, key)
            for number in range(100):
                claims.claim(number, number)

        Meddling.meddle = meddle
        mine = object()
        assert claims.claim(Meddling(sought, 5), mine) is mine
        assert claims.get(Meddling(sought, 5)) is mine
        assert len(claims) == 101
