"""Keys as bytes: equal keys are one name, and different keys never share one."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import os
import subprocess
import sys
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import Cache, InvalidArgumentError, InvalidKeyError, cached
from scrubjay.codecs import KeyEncoder
from scrubjay.codecs.key_parts import write

pytestmark = pytest.mark.any_build

encode = KeyEncoder("test")


class Level(enum.IntEnum):
    LOW = 1


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias
    BLUE = 2


class Word(str, enum.Enum):
    A = "a"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Shout(str):
    __slots__ = ()

    def __eq__(self, other):
        return str.__eq__(self.upper(), other)

    __hash__ = str.__hash__


class Pair(NamedTuple):
    x: object
    y: object


# Small domains, so that equal keys of different types, and near misses, meet often.
NUMBERS = st.one_of(
    st.integers(-2, 2),
    st.booleans(),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 0.1, -1.5, 1e300, float("inf"), -float("inf")]),
    st.sampled_from(["0", "1", "1.0", "0.5", "0.1", "1E+2", "Infinity", "-0"]).map(Decimal),
    st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 10), Fraction(1, 3)]),
    st.sampled_from([100, 2**63, 2**64, -(2**64), 2**64 + 1, 10**300, int(1e300)]),
    st.just(Level.LOW),
)
TEXTS = st.one_of(
    st.text(alphabet="ab:()<>;,s1\x00{}é\ud800", max_size=4),
    st.sampled_from(["i1;", "s1:a", "n", "1", "None", "True", "(", "builtins:int", Word.A]),
)
TIMES = st.one_of(
    st.sampled_from([dt.date(2026, 1, 1), dt.time(1), dt.time(1, fold=1), dt.timedelta(1)]),
    st.sampled_from([dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, fold=1)]),
    st.builds(
        dt.datetime,
        st.just(2026),
        st.just(1),
        st.just(1),
        st.integers(9, 12),
        tzinfo=st.sampled_from(
            [
                dt.timezone.utc,
                dt.timezone(dt.timedelta(hours=1)),
                ZoneInfo("Europe/Berlin"),
                ZoneInfo("UTC"),
            ]
        ),
    ),
)
OTHERS = st.sampled_from([
    None, (), frozenset(), uuid.UUID(int=1), Color.RED, Color.CRIMSON, Color.BLUE,
    Access.READ, Access.READ | Access.WRITE, Access(3), int, str, type(None), Color,
])  # fmt: skip
LEAVES = st.one_of(NUMBERS, TEXTS, st.binary(max_size=3), TIMES, OTHERS)
KEYS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(tuple),
        st.frozensets(parts, max_size=3),
        st.builds(Pair, parts, parts),
    ),
    max_leaves=5,
)


@pytest.mark.untraced
@settings(max_examples=1500)
@given(KEYS, KEYS)
def test_names_are_equal_exactly_if_keys_are(one, other):
    assert (encode(one) == encode(other)) is (len({one, other}) == 1)


@settings(max_examples=500)
@given(st.lists(KEYS, min_size=2, max_size=2), st.lists(KEYS, min_size=1, max_size=3))
def test_parts_of_tuples_do_not_run_into_each_other(one, other):
    assert (write(tuple(one)) == write(tuple(other))) is (tuple(one) == tuple(other))


def test_what_looks_alike_differs():
    keys = [1, "1", b"1", (1,), ((1,),), frozenset({1}), None, "None", "", b"", (), 1.5, "1.5"]
    keys += ["i1;", ("a b", "c"), ("a", "b c"), ("a", "b", "c"), (("a", "b"), "c"), "n"]
    assert len({encode(key) for key in keys}) == len(keys)


def test_what_is_one_key_in_memory_is_one_below():
    cache = Cache(max_entries=10)
    ones = [1, 1.0, True, Decimal(1), Fraction(1), np.int64(1), Level.LOW]
    for key in ones:
        cache.put(key, "value")
    assert len(cache) == 1 == len({encode(key) for key in ones})


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), np.float64(0.5), np.float32(0.1)])
def test_numbers_of_numpy_are_numbers(number):
    assert encode(number) == encode(number.item())


def test_names_that_people_can_read():
    assert KeyEncoder("shop")("user:42") == b"sj1:4:shop:-:=s7:user:42"
    assert KeyEncoder("shop", "acme")(("user", 42)) == b"sj1:4:shop:4:acme:=(s4:useri42;)"
    assert encode("Zoë").endswith("=s4:Zoë".encode())


@pytest.mark.parametrize("key", ["x" * 200, b"\xff\x00", "a\nb", "{a}", "\ud800", ("{",)])
def test_long_and_unfit_keys_are_there_by_their_digest(key):
    name = encode(key)
    assert name.startswith(encode.prefix + b"#")
    assert len(name) == len(encode.prefix) + 33
    assert name.isascii()
    assert not set(name) & set(b"{}\n\r\0 *?[]\\")


@given(KEYS)
def test_a_name_has_no_control_characters_and_no_braces(key):
    name = encode(key)
    assert not any(byte < 32 or byte in b"\x7f{}" for byte in name)
    name.decode()


@given(st.text(max_size=6), st.none() | st.text(max_size=6), st.text(), st.none() | st.text())
def test_namespaces_and_tenants_do_not_run_into_each_other(space, tenant, space2, tenant2):
    if "" in (space, tenant, space2, tenant2):
        return
    one, other = KeyEncoder(space, tenant), KeyEncoder(space2, tenant2)
    same = (space, tenant) == (space2, tenant2)
    assert (one.prefix == other.prefix) is same
    # As one is no beginning of the other, no key of one is a key of the other.
    assert one.prefix.startswith(other.prefix) is same


def test_a_tenant_cannot_be_imitated():
    names = [KeyEncoder("shop", "acme")("k"), KeyEncoder("shop")("acme:k")]
    names += [KeyEncoder("shop:4:acme")("k"), KeyEncoder("shop", "acme:")("k")]
    names += [
        KeyEncoder("shop", "-")("k"),
        KeyEncoder("shop")("k"),
        KeyEncoder("acme", "shop")("k"),
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("pattern", ["*", "a?", "[a]", "{a}", "a b", "a\\", "é", "x" * 65])
def test_a_scope_means_nothing_in_a_pattern(pattern):
    for prefix in (KeyEncoder(pattern).prefix, KeyEncoder("a", pattern).prefix):
        assert not set(prefix) & set(b"*?[]{}\\ ")


@pytest.mark.parametrize("given", [("",), (1,), (None,), ("a", ""), ("a", 1), (b"a",)])
def test_scopes_are_names(given):
    with pytest.raises(InvalidArgumentError, match=r"namespace|tenant"):
        KeyEncoder(*given)


def deep(levels):
    key = ()
    for _ in range(levels):
        key = (key,)
    return key


def local_class():
    class Local(enum.Enum):
        A = 1

    return Local


@pytest.mark.parametrize(
    "key",
    [
        object(), [1], {1: 2}, lambda: 0, float("nan"), Decimal("nan"), Decimal("sNaN"),
        Decimal("1E+999999999"), Decimal("1E-999999999"), 1j, Shout("a"), ("a", object()),
        frozenset({object()}), deep(40), deep(100_000), local_class().A, local_class(),
        dt.time(1, tzinfo=dt.timezone.utc), np.bool_(1), memoryview(b"a"), ...,
        np.timedelta64(1, "D"), np.timedelta64(1, "ns"), np.datetime64("2026-01-01"),
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),  # twice that day
    ],
    ids=lambda key: type(key).__name__,
)  # fmt: skip
def test_what_has_no_bytes_of_its_own_is_refused(key):
    with pytest.raises(InvalidKeyError, match="key: "):
        encode(key)


def module_function(x, *, y=1):
    return x


def test_keys_of_function_calls():
    cache = Cache(max_entries=10)
    shared = cache.cached(module_function)
    other = cache.cached(typed=True)(module_function)
    keys = [shared.key_for(1), shared.key_for(1, y=2), shared.key_for(2), other.key_for(1)]
    keys += [other.key_for(True), other.key_for(None)]
    assert len({encode(key) for key in keys}) == len(keys)
    again = Cache(max_entries=10).cached(module_function)
    assert encode(again.key_for(1)) == encode(shared.key_for(1))  # as in another process


class Service:
    @cached(max_entries=10)
    def method(self):
        return 1


def test_keys_of_calls_that_no_other_process_knows_are_refused():
    cache = Cache(max_entries=10)
    with pytest.raises(InvalidKeyError, match="<lambda>"):
        encode(cache.cached(lambda x: x).key_for(1))

    with pytest.raises(InvalidKeyError, match="belong to an instance"):
        encode(Service().method.key_for())


class Region:
    def __init__(self, name):
        self.name = name

    def __call__(self, x):
        return x

    def __repr__(self):
        return "Region()"

    def price(self, x):
        return x

    @classmethod
    def of(cls, x):
        return x


class Coast(Region):
    pass


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Region("Norway").price, Region("Spain").price),
        (Region("Norway"), Region("Spain")),
        ({1: 1}.get, {1: 2}.get),
        (
            functools.wraps(module_function)(functools.partial(module_function, y=1)),
            functools.wraps(module_function)(functools.partial(module_function, y=2)),
        ),
    ],
    ids=["methods", "objects", "methods of built-in types", "partial"],
)
def test_functions_that_share_a_name_do_not_share_keys(one, other):
    cache = Cache(max_entries=10)
    for function in (one, other):
        with pytest.raises(InvalidKeyError, match="no name of its own"):
            encode(cache.cached(function).key_for(1))


def test_class_methods_have_a_name_for_each_class():
    cache = Cache(max_entries=10)
    keys = [encode(cache.cached(cls.of).key_for(1)) for cls in (Region, Coast, Region)]
    assert keys[0] == keys[2] != keys[1]


PROGRAM = """
import datetime as dt, enum, uuid
from decimal import Decimal
from scrubjay.codecs import KeyEncoder
encode = KeyEncoder("test", "tenant é")
keys = ["a", "x" * 999, 1.5, 1e300, 2**70, Decimal("0.1"), frozenset({"a", "b", 3, None, (1, 2)}),
        frozenset(map(str, range(50))), dt.datetime(2026, 1, 1), uuid.UUID(int=5), int,
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))]  # 12 keys
for key in keys:
    print(encode(key).decode())
"""


def test_names_are_the_same_in_every_process():
    seen = set()
    for seed in ("0", "1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True
        )
        seen.add(done.stdout)
    (output,) = seen
    assert len(set(output.splitlines())) == 12


def test_names_written_by_an_earlier_version():
    known = {
        "a": b"=s1:a",
        "x" * 999: b"#",
        (1, 2.5, None, True): b"=(i1;f2.5;ni1;)",
        2**70: b"=I400000000000000000;",
        Decimal("0.1"): b"=q1/a;",
        dt.datetime(2026, 1, 1): b"=D2026-01-01T00:00:00;",
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc): b"=Z1767225600000000;",
        dt.date(2026, 1, 1): b"=d2026-01-01;",
        uuid.UUID(int=5): b"=u00000000000000000000000000000005;",
        frozenset({"b", "a"}): b"=<s1:as1:b>",
        int: b"=c12:builtins:int",
    }
    for key, name in known.items():
        assert encode(key).removeprefix(encode.prefix).startswith(name)
