"""`@cached` on methods: entries belong to the instance and go when it goes."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from scrubjay import Cache, Ignore, cached
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, arun
from tests.models import scaled


@pytest.fixture(params=["own", "shared"])
def decorate(request: pytest.FixtureRequest) -> Callable[..., Any]:
    if request.param == "own":
        return cached
    shared: Cache[Any, Any] = Cache(max_entries=1024)
    return shared.cached


def test_instances_do_not_share(decorate: Callable[..., Any]) -> None:
    class Number:
        calls = 0

        def __init__(self, n: int) -> None:
            self.n = n

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Number) and self.n == other.n

        def __hash__(self) -> int:
            return hash(self.n)

        @decorate
        def times(self, x: int) -> int:
            Number.calls += 1
            return x * 10 + self.n

    a, b, c = Number(5), Number(5), Number(7)
    assert Number.times.cache_info() == (0, 0, 1024, 0)
    for x in (1, 2, 2, 3, 1, 1, 1, 2, 3, 3):
        assert a.times(x) == x * 10 + 5
    assert Number.calls == 3
    assert Number.times.cache_info() == (7, 3, 1024, 3)
    assert b.times(1) == 15  # equal to `a`, and yet another instance
    assert c.times(1) == 17
    assert Number.calls == 5
    assert a.times.cache_info() == b.times.cache_info() == Number.times.cache_info()


def test_instances_that_cannot_be_hashed(decorate: Callable[..., Any]) -> None:
    @dataclass
    class Row:
        n: int

        @decorate
        def double(self, by: int = 2) -> int:
            return self.n * by

    row = Row(3)
    assert row.double() == row.double(2) == row.double(by=2) == 6
    assert Row.double.cache_info()[:2] == (2, 1)
    assert Row(4).double() == 8


def test_entries_go_with_the_instance(decorate: Callable[..., Any]) -> None:
    class Value:
        pass

    class Holder:
        @decorate
        def make(self, x: int) -> Value:
            return Value()

    holder, other = Holder(), Holder()
    values = [weakref.ref(holder.make(x)) for x in range(3)]
    kept = other.make(0)
    gone = weakref.ref(holder)
    assert Holder.make.cache_info().currsize == 4
    del holder
    gc.collect()
    assert gone() is None
    assert Holder.make.cache_info().currsize == 1
    assert [value() for value in values] == [None] * 3
    assert other.make(0) is kept


def test_a_new_instance_in_the_same_place_finds_nothing(decorate: Callable[..., Any]) -> None:
    class Holder:
        def __init__(self, n: int) -> None:
            self.n = n

        @decorate
        def number(self) -> int:
            return self.n

    for n in range(200):  # addresses are used again and again
        assert Holder(n).number() == n
    assert Holder.number.cache_info().currsize == 0


def test_instances_that_the_collector_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: failed.append(what.exc_value))

    class Holder:
        @cached(max_entries=10_000)
        def ask(self, x: int) -> int:
            return x

    other: Cache[int, Any] = Cache(max_entries=50)
    before = gc.get_threshold()
    try:
        for turn in range(200):
            holder: Any = Holder()
            holder.me = holder  # reference counting alone does not find it
            holder.ask(1)
            del holder
            gc.set_threshold(1 + turn % 40, 1000, 1000)
            for key in range(3):  # in the middle of this the collector comes
                other.put(key, [key])
                other.get(key)
                other.invalidate(key)
            gc.set_threshold(*before)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert failed == []
    assert Holder.ask.cache_info().currsize == 0


@pytest.mark.untraced
def test_many_instances_go_quickly() -> None:
    class Holder:
        @cached(max_entries=100_000)
        def one(self) -> int:
            return 1

    def seconds(count: int) -> float:
        holders = [Holder() for _ in range(count)]
        for holder in holders:
            holder.one()
        start = time.perf_counter()
        del holders, holder
        gc.collect()
        return time.perf_counter() - start

    few = scaled(500, 200)
    short, long = (min(seconds(count) for _ in range(3)) for count in (few, 8 * few))
    assert Holder.one.cache_info().currsize == 0
    assert long < 24 * max(short, 0.001)  # linear is 8 times, quadratic 64


def test_an_instance_without_weak_references_is_part_of_the_key(
    decorate: Callable[..., Any],
) -> None:
    class Slotted:
        __slots__ = ("n",)

        def __init__(self, n: int) -> None:
            self.n = n

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Slotted) and self.n == other.n

        def __hash__(self) -> int:
            return hash(self.n)

        @decorate
        def number(self, x: int) -> int:
            return self.n + x

    assert Slotted(1).number(2) == Slotted(1).number(2) == 3
    assert Slotted(2).number(2) == 4
    assert Slotted.number.cache_info()[:2] == (1, 2)


def test_methods_of_the_wrapper_on_instances_and_on_the_class(
    decorate: Callable[..., Any],
) -> None:
    answers = iter(range(100))

    class Holder:
        @decorate
        def next(self, x: int, y: int = 0) -> int:
            """Count."""
            return next(answers)

    one, two = Holder(), Holder()
    assert (one.next(1), two.next(1), one.next(x=1, y=0)) == (0, 1, 0)
    assert Holder.next(one, 1) == 0
    assert one.next.invalidate(1) == 1
    assert one.next.invalidate(1) == 0
    assert (one.next(1), two.next(1)) == (2, 1)
    assert Holder.next.invalidate(two, 1) == 1
    assert two.next(1) == 3
    assert one.next.refresh(1) == 4
    assert Holder.next.refresh(two, 1) == 5
    assert (one.next(1), two.next(1)) == (4, 5)
    assert one.next.key_for(1) == Holder.next.key_for(one, 1) != two.next.key_for(1)
    assert one.next.cache is Holder.next.cache
    one.next.cache_clear()
    assert Holder.next.cache_info() == (0, 0, 1024, 0)
    assert (one.next(1), two.next(1)) == (6, 7)
    assert one.next.cache_parameters()["maxsize"] == 1024


def test_self_by_name(decorate: Callable[..., Any]) -> None:
    class Holder:
        @decorate
        def ask(self, x: int) -> int:
            return x

        @decorate
        def odd(this, self: int) -> int:
            return self

    holder = Holder()
    assert Holder.ask(self=holder, x=1) == 1
    assert holder.odd(self=2) == 2
    assert holder.odd.invalidate(self=2) == 1


def test_bad_calls(decorate: Callable[..., Any]) -> None:
    class Holder:
        @decorate
        def ask(self, x: int) -> int:
            return x

    for args, named in (((), {}), ((1, 2), {}), ((1,), {"x": 1}), ((), {"z": 1}), (([],), {})):
        with pytest.raises(TypeError):
            Holder().ask(*args, **named)
    with pytest.raises(TypeError):
        Holder.ask()


@pytest.mark.parametrize("named", [False, True])
def test_methods_with_star_arguments(decorate: Callable[..., Any], named: bool) -> None:
    class Holder:
        @decorate
        def usual(self, *args: Any, **kw: Any) -> Any:
            return (args, kw)

        @decorate
        def bare(*args: Any, **kw: Any) -> Any:
            return (args[1:], kw)

    holder = Holder()
    kw = {"a": 1} if named else {}
    for method in (holder.usual, holder.bare):
        assert method(1, 2, **kw) == ((1, 2), kw)
        assert method(1, 2, **kw) == ((1, 2), kw)
        assert method() == ((), {})
        assert method.invalidate(1, 2, **kw) == 1


def test_static_and_class_methods(decorate: Callable[..., Any]) -> None:
    class Holder:
        @staticmethod
        @decorate
        def still(x: int) -> int:
            return x

        @classmethod
        @decorate
        def of_class(cls, x: int) -> tuple[str, int]:
            return (cls.__name__, x)

    class Child(Holder):
        pass

    assert Holder.still(1) == Holder().still(1) == Child.still(x=1) == 1
    assert Holder.still.cache_info()[:2] == (2, 1)
    assert Holder.still.invalidate(1) == 1
    assert Holder.of_class(1) == Holder().of_class(x=1) == ("Holder", 1)
    assert Child.of_class(1) == ("Child", 1)
    assert Holder.of_class.cache_info()[:2] == (1, 2)
    # From 3.13 on a class method does not tell what it wraps of the class.
    chained = sys.version_info < (3, 13)
    holder, child = ((), ()) if chained else ((Holder,), (Child,))
    assert Holder.of_class.invalidate(*holder, 1) == 1
    assert Holder.of_class.refresh(*holder, 1) == ("Holder", 1)
    assert Child.of_class.invalidate(*child, 1) == 1


def test_inheritance(decorate: Callable[..., Any]) -> None:
    class Base:
        @decorate
        def name(self) -> str:
            return "base"

        @decorate
        def inherited(self) -> str:
            return type(self).__name__

    class Child(Base):
        @decorate
        def name(self) -> str:
            return "child of " + super().name()

    base, child = Base(), Child()
    for _ in range(2):
        assert (base.name(), child.name()) == ("base", "child of base")
        assert (base.inherited(), child.inherited()) == ("Base", "Child")


def test_abstract_methods(decorate: Callable[..., Any]) -> None:
    class Base(ABC):
        @decorate
        @abstractmethod
        def name(self) -> str: ...

    class Child(Base):
        @decorate
        def name(self) -> str:
            return "child"

    with pytest.raises(TypeError):
        Base()  # type: ignore[abstract]
    assert Child().name() == "child"


def test_two_names_for_one_method(decorate: Callable[..., Any]) -> None:
    class Holder:
        @decorate
        def one(self, x: int) -> int:
            return x

        two = one

    holder = Holder()
    assert holder.one(1) == holder.two(1) == 1
    assert holder.two.cache_info()[:2] == (1, 1)


def test_properties(decorate: Callable[..., Any]) -> None:
    calls: list[int] = []

    @dataclass
    class Holder:
        n: int

        @property
        @decorate
        def double(self) -> int:
            calls.append(self.n)
            return 2 * self.n

    holder = Holder(3)
    assert (holder.double, holder.double) == (6, 6)
    assert calls == [3]
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None


def test_a_method_below_another_decorator(decorate: Callable[..., Any]) -> None:
    def noted(function: Any) -> Any:
        @functools.wraps(function)
        def note(*args: Any, **kw: Any) -> Any:
            return ("noted", function(*args, **kw))

        return note

    class Holder:
        @noted
        @decorate
        def outer(self, x: int) -> int:
            return x

        @decorate
        @noted
        def inner(self, x: int) -> int:
            return x

    holder = Holder()
    assert holder.outer(1) == holder.outer(1) == ("noted", 1)
    assert holder.inner(1) == holder.inner(1) == ("noted", 1)
    assert holder.inner.cache_info()[:2] == (1, 1)


def test_asynchronous_methods(decorate: Callable[..., Any]) -> None:
    calls: list[int] = []

    class Holder:
        @decorate
        async def ask(self, x: int) -> int:
            calls.append(x)
            await asyncio.sleep(0)
            return x

    async def main() -> None:
        holder, other = Holder(), Holder()
        assert await asyncio.gather(*(holder.ask(1) for _ in range(5))) == [1] * 5
        assert await holder.ask(x=1) == await Holder.ask(holder, 1) == 1
        assert await other.ask(1) == 1
        assert await holder.ask.refresh(1) == 1
        assert holder.ask.invalidate(1) == 1

    arun(main())
    assert calls == [1, 1, 1]
    gc.collect()
    assert Holder.ask.cache_info().currsize == 0


def test_an_instance_that_goes_during_a_load_takes_the_result_along() -> None:
    class Holder:
        @cached
        async def ask(self, x: int) -> int:
            await asyncio.sleep(0)
            return x

    async def main() -> None:
        assert await Holder().ask(1) == 1

    arun(main())
    gc.collect()
    assert Holder.ask.cache_info().currsize == 0


def test_threads_that_meet_a_new_instance_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from scrubjay import methods

    together = threading.Barrier(2)
    original = methods.InstanceId
    held: list[Any] = []

    class Slow(original):  # type: ignore[misc, valid-type]
        """Both threads are between looking for an identity and storing theirs."""

        __slots__ = ()

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            try:
                together.wait(1)
            except threading.BrokenBarrierError:
                held.append(self)

    calls: list[int] = []

    class Holder:
        @cached
        def ask(self) -> int:
            calls.append(1)
            return 1

    holder = Holder()
    monkeypatch.setattr(methods, "InstanceId", Slow)
    for thread in [Patient(holder.ask) for _ in range(2)]:
        assert thread.result() == 1
    assert len(calls) == 1
    assert Holder.ask.cache_info().currsize == 1


def test_what_a_bound_method_looks_like(decorate: Callable[..., Any]) -> None:
    class Holder:
        @decorate
        def ask(self, x: int, y: str = "") -> int:
            """What it does."""
            return x

    holder, other = Holder(), Holder()
    assert holder.ask.__name__ == "ask"
    assert holder.ask.__qualname__ == Holder.ask.__qualname__
    assert holder.ask.__doc__ == Holder.ask.__doc__ == "What it does."
    assert holder.ask.__self__ is holder
    assert list(inspect.signature(Holder.ask).parameters) == ["self", "x", "y"]
    assert list(inspect.signature(holder.ask).parameters) == ["x", "y"]
    assert holder.ask == holder.ask
    assert hash(holder.ask) == hash(holder.ask)
    assert holder.ask != other.ask
    assert callable(holder.ask)
    with pytest.raises(AttributeError):
        holder.ask.no_such_thing  # noqa: B018


class Picklable:
    """At module level, so that it can be pickled."""

    def __init__(self) -> None:
        self.callback = self.ask

    @cached
    def ask(self, x: int) -> tuple[int, int]:
        return (id(self), x)


def test_bound_methods_are_copied_as_python_copies_them() -> None:
    one = Picklable()
    assert copy.copy(one.ask)(1) == one.ask(1)
    for two in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert two is not one
        assert two.callback(1) == two.ask(1) == (id(two), 1)
    assert copy.copy(one).callback(1) == one.ask(1)


def test_instances_share_what_does_not_depend_on_them(decorate: Callable[..., Any]) -> None:
    class Client:
        calls = 0

        @decorate(ignore="self")
        def price(self, product: str) -> int:
            Client.calls += 1
            return len(product)

        @decorate
        async def stock(self: Annotated[Any, Ignore], product: str) -> int:
            Client.calls += 1
            return len(product)

        @classmethod
        @decorate(ignore="cls")
        def tax(cls, product: str) -> int:
            Client.calls += 1
            return len(product)

    class Other(Client):
        pass

    one, other = Client(), Other()
    assert one.price("tea") == other.price(product="tea") == Client.price(one, "tea") == 3
    assert Client.calls == 1
    assert arun(one.stock("tea")) == arun(other.stock("tea")) == 3
    assert Client.calls == 2
    assert Client.tax("tea") == Other.tax("tea") == 3
    assert Client.calls == 3

    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    assert other.price("tea") == 3
    assert Client.calls == 3
    assert other.price.invalidate("tea") == 1
    assert other.price("tea") == 3
    assert other.price.refresh("tea") == 3
    assert Client.calls == 5
    assert Client.price.cache_info().currsize == 1


def test_what_does_not_depend_on_the_instance_may_be_in_lower_tiers() -> None:
    store = MemoryTier()
    calls: list[Any] = []
    first, second = (Cache(max_entries=8, tiers=[store]) for _ in range(2))

    def ask(self: Any, product: str) -> int:
        calls.append(product)
        return len(product)

    ask.__qualname__ = "Client.ask"  # as if it stood in the body of a class
    for cache in (first, second):
        client = type("Client", (), {"ask": cache.cached(ignore="self")(ask)})()
        assert client.ask("tea") == 3
    assert calls == ["tea"]
