"""Which values are plain: by their exact types, all the way down."""

from __future__ import annotations

import collections
import enum

import pytest

from scrubjay._core.plain import DEPTH, is_plain


class Text(str):
    __slots__ = ()


class One(enum.IntEnum):
    ONE = 1


LEAVES = [None, True, 0, 2**100, 1.5, "a", b"a"]
STRANGERS = [(), set(), frozenset(), bytearray(), Text("a"), One.ONE, 1j, object(), int]
STRANGERS += [collections.OrderedDict(), collections.deque()]


@pytest.mark.parametrize("leaf", LEAVES, ids=repr)
def test_plain_values_are_plain_wherever_they_are(leaf):
    for value in (leaf, [leaf], {"a": leaf}, {"a": [{"b": [leaf, leaf]}]}, [[], {}, leaf]):
        assert is_plain(value, False)
        assert is_plain(value, True)
    assert is_plain({leaf: 1}, False)
    assert is_plain({leaf: 1}, True) is (type(leaf) is str)


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda value: type(value).__name__)
def test_one_stranger_anywhere_is_found(stranger):
    values = [stranger, [1, stranger], {"a": 1, "b": stranger}, {"a": [{"b": [1, stranger]}]}]
    for value in values:
        assert not is_plain(value, False)
        assert not is_plain(value, True)


@pytest.mark.parametrize("key", [(), Text("a"), One.ONE, frozenset()], ids=repr)
def test_keys_are_looked_at(key):
    assert not is_plain({key: 1}, False)
    assert not is_plain([{"a": {key: 1}}], True)


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
def test_depth_is_bounded(wrap):
    value = None
    for _ in range(DEPTH):
        value = wrap(value)
    assert is_plain(value, False)
    with pytest.raises(RecursionError, match="nested"):
        is_plain(wrap(value), False)


def test_a_walk_over_a_cycle_ends():
    ring = [1]
    ring += [ring] * 10
    with pytest.raises(RecursionError, match="nested"):
        is_plain(ring, False)
