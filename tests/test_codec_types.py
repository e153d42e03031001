"""Values of a declared type come back as that type; older shapes of it are misses."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import uuid
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypedDict

import attrs
import msgspec
import numpy as np
import numpy.typing as npt
import pydantic
import pytest

from scrubjay import EncodeError, InvalidArgumentError
from scrubjay.codecs import Reason, Serializer, Undecodable
from tests.codec_helpers import KEY, META, comes_back

pytestmark = pytest.mark.any_build


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Inner:
    tags: set[str]
    pair: tuple[int, str]


@dataclasses.dataclass(frozen=True)
class User:
    name: str
    joined: dt.datetime
    ident: uuid.UUID
    balance: decimal.Decimal
    colour: Colour
    inner: Inner
    roles: frozenset[str] = frozenset()
    note: str | None = None
    raw: bytes = b""


class Struct(msgspec.Struct):
    a: int
    b: tuple[int, ...] = ()


class SubStruct(Struct):
    c: int = 0


class Tagged(msgspec.Struct, tag=True, frozen=True):
    a: int


class OtherTagged(msgspec.Struct, tag=True, frozen=True):
    a: int


@attrs.define
class Attrs:
    a: int
    b: set[int] = attrs.field(factory=set)


class Row(NamedTuple):
    a: int
    b: str


class Dict(TypedDict):
    a: int


class Model(pydantic.BaseModel):
    a: int
    when: dt.datetime
    aliased: str = pydantic.Field("x", validation_alias="reading", serialization_alias="writing")
    inner: Model | None = None
    numbers: set[int] = set()


class StrictModel(pydantic.BaseModel, strict=True):
    ident: uuid.UUID
    colour: Colour
    pair: tuple[int, ...]


USER = User(
    name="Zoë",
    joined=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
    ident=uuid.UUID(int=7),
    balance=decimal.Decimal("1.10"),
    colour=Colour.RED,
    inner=Inner({"a"}, (1, "b")),
    roles=frozenset({"admin"}),
    raw=b"\xff",
)
MODEL = Model(
    a=1,
    when=dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    reading="y",
    inner=Model(a=2, when=dt.datetime(2026, 1, 1)),
    numbers={1, 2},
)
STRICT = StrictModel(ident=uuid.UUID(int=1), colour=Colour.RED, pair=(1, 2))

CASES = [
    (User, USER), (list[User], [USER, USER]), (dict[str, User], {"a": USER}),
    (User | None, None), (Struct, Struct(1, (2, 3))), (Attrs, Attrs(1, {2})),
    (Tagged | OtherTagged, OtherTagged(1)), (Row, Row(1, "a")), (Annotated[int, "x"], 1), (Dict, {"a": 1}),
    (tuple[int, ...], (1, 2)), (set[int], {1}), (Colour, Colour.RED), (dt.date, dt.date(2026, 1, 1)),
    (dict[int, str], {1: "a"}), (float, 1.5), (Literal["a", "b"], "a"), (int, 5), (bytes, b"\xff"),
    (dt.timedelta, dt.timedelta(1, 2, 3)),
]  # fmt: skip
NOT_IN_JSON = [
    (Model, MODEL), (list[Model], [MODEL]), (Model | None, MODEL), (StrictModel, STRICT),
    (dict[tuple[int, int], int], {(1, 2): 3}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "declared", "value"),
    [("msgpack", *case) for case in CASES + NOT_IN_JSON] + [("json", *case) for case in CASES],
    ids=lambda value: str(value)[:40],
)
def test_values_of_a_declared_type_come_back(codec, declared, value):
    assert comes_back(Serializer(codec, type=declared), value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (np.ndarray, np.arange(3)), (np.float32, np.float32(1.5)), (list[np.int8], [np.int8(1)]),
        (npt.NDArray[np.int64], np.arange(3)), (object, (1, {2})), (list[object], [1, "a"]), (dict[str, np.ndarray], {"a": np.ones((2, 2))}),
        (complex, 1 + 2j), (list[complex], [1j]),
    ],
    ids=str,
)  # fmt: skip
def test_types_that_msgspec_does_not_know(declared, value):
    assert comes_back(Serializer(type=declared), value)


def test_a_model_keeps_the_fields_names_whatever_their_aliases():
    loaded = Serializer(type=Model).load(KEY, Serializer(type=Model).dump(KEY, MODEL, META))
    assert loaded.value.aliased == "y"


class Unknown:
    def __repr__(self) -> str:  # as part of a test's name, which is the same in each process
        return "Unknown()"


class Closable(Protocol):
    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (User, {"name": "a"}), (User, None), (list[User], USER), (list[User], (USER,)),
        (Dict, [1]), (int, "1"), (Colour, "red"), (Row, (1, "a")),
         (list[Any], [Unknown()]), (set[int], frozenset({1})),
        (Struct, SubStruct(1)), (int, True), (Model, {"a": 1}), (str, "\ud800"), (int, 2**70),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_of_the_type_is_refused(declared, value):
    with pytest.raises(EncodeError, match="value: "):
        Serializer(type=declared).dump(KEY, value, META)


@attrs.define
class Private:
    a: int
    _b: int = 0


@dataclasses.dataclass
class Holder:
    private: list[Private] | None = None
    again: Holder | None = None
    _kept: int = 0


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("declared", [Private, list[Private], Holder, dict[str, Holder | None]])
def test_types_that_would_come_back_in_part_are_refused(codec, declared):
    with pytest.raises(InvalidArgumentError, match=r"type: msgspec would leave out Private\._b"):
        Serializer(codec, type=declared)


@dataclasses.dataclass
class Secretive:
    _kept: int = 0


def test_private_fields_of_dataclasses_are_kept():
    assert comes_back(Serializer(type=Secretive), Secretive(5))


def test_abstract_types_take_what_they_stand_for():
    assert comes_back(Serializer(type=collections.abc.Sequence[int]), [1, 2])
    assert comes_back(Serializer(type=object), [1, 2])


@dataclasses.dataclass
class Unresolved:
    a: nowhere.Nothing  # noqa: F821


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize(
    "declared",
    [
        User | Struct,
        Unresolved,
        Unknown,
        list[Unknown],
        Closable,
        pathlib.Path,
        collections.OrderedDict[str, int],
    ],
    ids=str,
)
def test_types_that_cannot_be_read_are_refused_at_once(codec, declared):
    with pytest.raises(InvalidArgumentError, match="type: "):
        Serializer(codec, type=declared)


@pytest.mark.parametrize("declared", [Model, list[Model], np.ndarray, complex])
def test_json_has_no_place_for_some(declared):
    with pytest.raises(InvalidArgumentError, match="type: "):
        Serializer("json", type=declared)


def shapes(module):
    """Two shapes of one class, as before and after a deployment."""
    if module == "dataclass":
        return (
            dataclasses.make_dataclass("P", [("a", int)]),
            dataclasses.make_dataclass("P", [("a", int), ("b", int)]),
            dataclasses.make_dataclass("P", [("a", int), ("b", int, 5)]),
        )
    if module == "attrs":
        return (
            attrs.make_class("P", {"a": attrs.field(type=int)}),
            attrs.make_class("P", {"a": attrs.field(type=int), "b": attrs.field(type=int)}),
            attrs.make_class(
                "P", {"a": attrs.field(type=int), "b": attrs.field(type=int, default=5)}
            ),
        )
    if module == "struct":
        return (
            msgspec.defstruct("P", [("a", int)]),
            msgspec.defstruct("P", [("a", int), ("b", int)]),
            msgspec.defstruct("P", [("a", int), ("b", int, 5)]),
        )
    return (
        pydantic.create_model("P", a=(int, ...)),
        pydantic.create_model("P", a=(int, ...), b=(int, ...)),
        pydantic.create_model("P", a=(int, ...), b=(int, 5)),
    )


@pytest.mark.parametrize("module", ["dataclass", "attrs", "struct", "pydantic"])
def test_an_older_shape_is_a_miss_or_is_filled_in(module):
    old, needing, tolerant = shapes(module)
    blob = Serializer(type=old).dump(KEY, old(a=1), META)
    found = Serializer(type=needing).load(KEY, blob)
    assert isinstance(found, Undecodable) and found.reason is Reason.VALUE
    read = Serializer(type=tolerant).load(KEY, blob).value
    assert (type(read), read.a, read.b) == (tolerant, 1, 5)
    # And back, after a rollback: what is new is left out.
    newer = Serializer(type=needing).dump(KEY, needing(a=1, b=2), META)
    assert Serializer(type=old).load(KEY, newer).value.a == 1


@pytest.mark.parametrize("declared", [int, Model, np.ndarray, Colour, Struct, list[str]])
def test_values_of_other_types_are_misses(declared):
    for value in ({"a": "x"}, "text", [1], b"bytes", (1, 2), np.float64(1)):
        found = Serializer(type=declared).load(KEY, Serializer().dump(KEY, value, META))
        assert isinstance(found, Undecodable) and found.reason is Reason.VALUE


def test_errors_of_the_users_class_are_misses():
    @dataclasses.dataclass
    class Picky:
        a: int

        def __post_init__(self):
            if self.a > 1:
                raise RuntimeError("too large")

    serializer = Serializer(type=Picky)
    blob = serializer.dump(KEY, Picky(1), META)
    assert serializer.load(KEY, blob).value == Picky(1)
    large = Serializer().dump(KEY, {"a": 2}, META)
    assert serializer.load(KEY, large) == (Reason.VALUE, "RuntimeError: too large")


def test_a_change_of_meaning_is_a_change_of_schema():
    before, after = Serializer(schema=1), Serializer(schema=2)
    blob = before.dump(KEY, {"price": 100}, META)
    assert before.load(KEY, blob).value == {"price": 100}
    found = after.load(KEY, blob)
    assert isinstance(found, Undecodable) and found.reason is Reason.SCHEMA


@pytest.mark.parametrize(
    ("declared", "value"),
    [(float, np.float64(1.5)), (float, True), (complex, 1), (complex, np.complex128(1))],
    ids=str,
)
def test_a_number_of_another_kind_is_refused_when_it_is_written(declared, value):
    serializer = Serializer(type=declared)
    with pytest.raises(EncodeError, match="is no"):
        serializer.dump(KEY, value, META)
    assert comes_back(serializer, declared(2))
