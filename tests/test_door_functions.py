"""`@cached` beside `functools.lru_cache`: the same where both promise the same."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import gc
import inspect
import pickle
import random
import sys
import threading
import types
import weakref
from typing import Any

import pytest

from scrubjay import (
    Cache,
    CacheInfo,
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    LoadTimeoutError,
    ManualClock,
    cached,
)
from scrubjay._flow.flight import under_way
from tests.door_helpers import Patient, arun, in_time, wait


@cached(max_entries=10)
def at_module_level(x: int, y: int = 0) -> int:
    """Add."""
    return x + y


class AtModuleLevel:
    @cached
    def method(self, x: int) -> int:
        """Return it."""
        return x

    @staticmethod
    @cached
    def still(x: int) -> int:
        return x

    def __reduce__(self) -> Any:
        return (AtModuleLevel, ())


def wrapped(function: Any, kind: str, **options: Any) -> Any:
    """A cached function with a cache of its own or one in a shared cache."""
    if kind == "own":
        return cached(**options)(function)
    bound = options.pop("max_entries", 1024)
    return Cache(max_entries=bound).cached(**options)(function)


both = pytest.mark.parametrize("kind", ["own", "shared"])


@both
def test_a_full_life(kind: str) -> None:
    def original(x: int, y: int) -> int:
        return 3 * x + y

    ask = wrapped(original, kind, max_entries=20)
    assert ask.cache_info() == CacheInfo(hits=0, misses=0, maxsize=20, currsize=0)
    choose = random.Random(1)
    for _ in range(1000):
        x, y = choose.randrange(5), choose.randrange(5)
        assert ask(x, y) == original(x, y)
    hits, misses, bound, size = ask.cache_info()
    assert hits > misses
    assert hits + misses == 1000
    assert (bound, size) == (20, 20)
    ask.cache_clear()
    assert ask.cache_info() == (0, 0, 20, 0)
    ask(1, 2)
    assert ask.cache_info() == (0, 1, 20, 1)
    assert ask.__wrapped__ is original
    ask.__wrapped__(1, 2)
    assert ask.cache_info() == (0, 1, 20, 1)


@pytest.mark.parametrize("strategy", ["lru", "adaptive", "lfu", "ttl", "priority"])
@pytest.mark.parametrize("bound", [1, 2, 3, 7, 100])
def test_the_bound_is_kept(strategy: str, bound: int) -> None:
    ask = cached(max_entries=bound, eviction_strategy=strategy)(lambda x: x)
    for turn in range(3):
        for x in range(50 + turn):
            assert ask(x) == x
            assert ask.cache_info().currsize <= bound
    info = ask.cache_info()
    assert info.currsize == min(bound, 52)
    assert info.hits + info.misses == 50 + 51 + 52


def test_lru_means_lru() -> None:
    calls: list[int] = []

    @cached(max_entries=2, eviction_strategy="lru")
    def ask(x: int) -> int:
        calls.append(x)
        return x * 10

    @functools.lru_cache(2)
    def model(x: int) -> int:
        return x * 10

    for x in (7, 9, 7, 9, 7, 9, 8, 8, 8, 9, 9, 9, 8, 8, 8, 7):
        assert ask(x) == model(x)
    assert calls == [7, 9, 8, 7]
    assert ask.cache_info() == model.cache_info() == (12, 4, 2, 2)
    choose = random.Random(2)
    for _ in range(2000):
        x = choose.randrange(4)
        assert ask(x) == model(x)
    assert ask.cache_info() == model.cache_info()


def test_bare_and_with_options() -> None:
    @cached
    def bare(x: int) -> int:
        return x**2

    @cached()
    def called(x: int) -> int:
        return x**2

    direct = cached(lambda x: x**2)
    for ask in (bare, called, direct):
        assert [ask(x) for x in (10, 20, 10)] == [100, 400, 100]
        assert ask.cache_info() == (1, 2, 1024, 2)
    with pytest.raises(TypeError, match="cannot be called"):
        cached(128)


def test_a_decorator_may_be_used_twice() -> None:
    decorate = cached(max_entries=3)
    one, two = decorate(lambda x: ("one", x)), decorate(lambda x: ("two", x))
    assert (one(1), two(1)) == (("one", 1), ("two", 1))
    assert one.cache is not two.cache


def test_without_a_bound_on_entries() -> None:
    @cached(max_entries=None)
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert [fib(n) for n in range(16)][-1] == 610
    assert fib.cache_info() == (28, 16, None, 16)
    fib.cache_clear()
    assert fib.cache_info() == (0, 0, None, 0)


@both
def test_recursion(kind: str) -> None:
    def positional(n: int) -> int:
        return n if n < 2 else ask(n - 1) + ask(n - 2)

    def named(n: int) -> int:
        return n if n < 2 else ask(n=n - 1) + ask(n=n - 2)

    for function in (positional, named):
        ask = wrapped(function, kind)
        assert [ask(n) for n in range(16)][-1] == 610
        assert ask.cache_info() == (28, 16, 1024, 16)
    ask = wrapped(positional, kind)
    assert ask(100) == 354224848179261915075


@both
def test_recursion_of_coroutines(kind: str) -> None:
    async def fib(n: int) -> int:
        return n if n < 2 else await ask(n - 1) + await ask(n - 2)

    ask = wrapped(fib, kind)
    assert arun(ask(50)) == 12586269025
    assert ask.cache_info() == (48, 51, 1024, 51)


@both
def test_exceptions(kind: str) -> None:
    ask = wrapped(lambda i: "abc"[i], kind)
    assert ask(0) == "a"
    for expected in (2, 3):
        with pytest.raises(IndexError) as caught:
            ask(15)
        assert caught.value.__context__ is None
        assert ask.cache_info() == (0, expected, 1024, 1)


def test_a_failed_call_leaves_no_garbage() -> None:
    class Argument:
        pass

    @cached
    def ask(x: Any) -> int:
        raise LookupError

    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        argument = Argument()
        left = weakref.ref(argument)
        with contextlib.suppress(LookupError):
            ask(argument)
        del argument
        assert left() is None
    finally:
        if enabled:
            gc.enable()


@both
def test_typed(kind: str) -> None:
    ask = wrapped(lambda x: x * x, kind, typed=True)
    for x in (3, 3.0):
        for _ in range(2):
            assert type(ask(x)) is type(ask(x=x)) is type(x)
    assert ask.cache_info() == (6, 2, 1024, 2)


def test_typed_is_not_recursive() -> None:
    ask = cached(typed=True)(repr)
    assert [ask(x) for x in (1, True, 1.0, 0, False, 0.0)] == [
        "1",
        "True",
        "1.0",
        "0",
        "False",
        "0.0",
    ]
    assert [ask(x) for x in ((1,), (True,), (1.0,))] == ["(1,)"] * 3

    class Row(tuple):  # noqa: SLOT001
        pass

    assert [ask(Row(x)) for x in ((0,), (False,), (0.0,))] == ["(0,)"] * 3


def test_not_typed() -> None:
    ask = cached(lambda x, y: (x, y))
    assert ask(1, 2) == ask(1.0, True + 1) == ask(True, 2.0)
    assert ask.cache_info().misses == 1


def test_empty_keywords_are_no_keywords() -> None:
    ask = cached(lambda x: x)
    ask(0)
    ask(0, **{})  # noqa: PIE804
    assert ask.cache_info().hits == 1


def test_star_arguments() -> None:
    ask = cached(lambda *args: args)
    assert ask(1, 2) == (1, 2)
    assert ask((1, 2)) == ((1, 2),)
    assert ask() == ()
    assert ask(()) == ((),)
    assert ask.cache_info().misses == 4


@both
@pytest.mark.parametrize(
    ("function", "args", "named"),
    [
        (lambda x: x, (), {}),
        (lambda x: x, (1, 2), {}),
        (lambda x: x, (1,), {"y": 2}),
        (lambda x: x, (1,), {"x": 2}),
        (lambda x, y: x, (1,), {}),
        (lambda x, y: x, (1, 2, 3), {}),
        (lambda x, y: x, (), {"y": 2}),
        (lambda: 0, (1,), {}),
        (lambda: 0, (), {"x": 1}),
        (lambda *, x: x, (1,), {}),
        (lambda *, x: x, (), {}),
        (eval("lambda x, /: x"), (), {"x": 1}),
        (lambda x, *args: x, (), {"x": 1, "args": 2}),
        (len, (), {}),
        (len, ([], []), {}),
    ],
)
def test_calls_that_cannot_be(kind: str, function: Any, args: Any, named: Any) -> None:
    ask = wrapped(function, kind)
    with pytest.raises(TypeError):
        ask(*args, **named)
    with pytest.raises(TypeError):
        ask.invalidate(*args, **named)
    with pytest.raises(TypeError):
        ask.refresh(*args, **named)
    assert ask.cache_info().currsize == 0


@both
def test_arguments_that_cannot_be_hashed(kind: str) -> None:
    ask = wrapped(lambda x, *more, **named: x, kind)
    for args, named in (([[]], {}), ([1, {}], {}), ([1], {"y": set()}), ([([],)], {})):
        with pytest.raises(TypeError) as caught:
            ask(*args, **named)
        assert isinstance(caught.value, InvalidKeyError)
    assert ask.cache_info()[3] == 0


def test_a_hit_hashes_and_compares_once() -> None:
    class Number:
        hashed = compared = 0

        def __hash__(self) -> int:
            Number.hashed += 1
            return 5

        def __eq__(self, other: object) -> bool:
            Number.compared += 1
            return True

    for function in (lambda x: "value", lambda x, y=1: "value", lambda x, *more: "value"):
        ask = cached(max_entries=5)(function)
        number = Number()
        ask(number)
        Number.hashed = Number.compared = 0
        ask(number)
        assert (Number.hashed, Number.compared) == (1, 0)  # the very same object
        ask(Number())
        assert (Number.hashed, Number.compared) == (2, 1)
        assert ask.cache_info()[:2] == (2, 1)
    Number.hashed = 0
    full = cached(max_entries=1)(lambda x: "value")
    number = Number()
    full(number)
    Number.hashed = 0
    full(6)  # evicts, which hashes nobody
    assert Number.hashed == 0


def test_keys_that_use_the_cache_while_they_are_compared() -> None:
    ask = cached(max_entries=10)(lambda x: x)

    class Busy:
        def __init__(self, x: int) -> None:
            self.x = x

        def __hash__(self) -> int:
            return self.x

        def __eq__(self, other: object) -> bool:
            if self.x == 2:
                ask(Busy(1))
            return isinstance(other, Busy) and self.x == other.x

    def main() -> None:
        ask(Busy(1))
        ask(Busy(2))
        assert ask(Busy(2)).x == 2

    in_time(main)


def test_a_call_that_fills_the_cache_while_it_is_computed() -> None:
    @cached(max_entries=10)
    def ask(x: int) -> str:
        if x == 20:
            for other in range(100, 130):
                ask(other)
        return f".{x}."

    for x in range(15):
        assert ask(x) == f".{x}."
    assert ask(20) == ".20."
    assert ask.cache_info().currsize == 10


def test_threads_and_counts() -> None:
    width, times = 5, 11
    ask = cached(max_entries=width * times)(lambda x, y: 3 * x + y)
    start = threading.Event()

    def fill(k: int) -> None:
        wait(start)
        for _ in range(times):
            assert ask(k, 0) == 3 * k

    def clear() -> None:
        wait(start)
        for _ in range(2 * times):
            ask.cache_clear()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Patient(fill, k) for k in range(width)]
        start.set()
        for thread in threads:
            thread.result()
        assert ask.cache_info() == (times * width - width, width, width * times, width)
        threads = [Patient(clear), *(Patient(fill, k) for k in range(width))]
        for thread in threads:
            thread.result()
    finally:
        sys.setswitchinterval(interval)


def test_threads_with_the_same_arguments_compute_once() -> None:
    together = threading.Barrier(6)
    calls: list[int] = []

    @cached
    def ask(x: int) -> int:
        calls.append(x)
        return 3 * x

    def work() -> list[int]:
        found = []
        for x in range(50):
            together.wait(10)
            found.append(ask(x))
        return found

    for thread in [Patient(work) for _ in range(6)]:
        assert thread.result() == [3 * x for x in range(50)]
    assert sorted(calls) == list(range(50))
    info = ask.cache_info()
    assert info.hits + info.misses == 300
    assert info.currsize == 50


@both
def test_metadata(kind: str) -> None:
    def ask(x: nothing, y: int = 1) -> str:  # type: ignore[name-defined]  # noqa: F821
        """What it does."""
        return ""

    ask.note = "mine"  # type: ignore[attr-defined]
    made = wrapped(ask, kind)
    for name in functools.WRAPPER_ASSIGNMENTS:
        if hasattr(ask, name):
            assert getattr(made, name) == getattr(ask, name)
    assert made.note == "mine"
    assert made.__wrapped__ is ask
    assert inspect.unwrap(made) is ask
    assert inspect.signature(made) == inspect.signature(ask)
    assert callable(made)


@both
def test_parameters(kind: str) -> None:
    assert wrapped(lambda: 1, kind, max_entries=2).cache_parameters() == {
        "maxsize": 2,
        "typed": False,
    }
    assert wrapped(lambda: 1, kind, max_entries=1000, typed=True).cache_parameters() == {
        "maxsize": 1000,
        "typed": True,
    }
    parameters = wrapped(lambda: 1, kind, ttl_seconds=5, tags={"t"}).cache_parameters()
    assert parameters["ttl_seconds"] == 5
    assert parameters["tags"] == {"t"}
    parameters["maxsize"] = 7  # a copy: this changes nothing
    assert wrapped(lambda: 1, kind).cache_parameters()["maxsize"] == 1024


@both
def test_a_wrapper_can_be_weakly_referenced(kind: str) -> None:
    ask = wrapped(lambda x: x, kind)
    ask(1)
    assert weakref.ref(ask)() is ask


@both
def test_a_wrapper_goes_with_its_entries(kind: str) -> None:
    class Value:
        pass

    ask = wrapped(lambda x: Value(), kind)
    value = weakref.ref(ask(1))
    assert value() is not None
    del ask
    gc.collect()
    assert value() is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_by_reference(protocol: int) -> None:
    for one in (at_module_level, AtModuleLevel.method, AtModuleLevel.still):
        assert pickle.loads(pickle.dumps(one, protocol)) is one


def test_copies_are_the_function_itself() -> None:
    for one in (at_module_level, AtModuleLevel.method, AtModuleLevel.still):
        assert copy.copy(one) is one
        assert copy.deepcopy(one) is one


# Functions of all kinds


def test_coroutine_functions() -> None:
    calls: list[int] = []

    @cached(max_entries=5)
    async def ask(x: int, y: int = 0) -> int:
        """Add."""
        calls.append(x)
        await asyncio.sleep(0)
        if x < 0:
            raise ValueError(x)
        return x + y

    async def main() -> None:
        assert await ask(1) == await ask(1, 0) == await ask(y=0, x=1) == 1
        assert await asyncio.gather(*(ask(2) for _ in range(10))) == [2] * 10
        for _ in range(2):
            with pytest.raises(ValueError):
                await ask(-1)
        assert await ask.refresh(1) == 1
        assert ask.invalidate(2) == 1
        with pytest.raises(TypeError):
            await ask()
        with pytest.raises(TypeError):
            await ask([])

    arun(main())
    assert calls == [1, 2, -1, -1, 1]
    assert ask.__doc__ == "Add."
    assert asyncio.iscoroutinefunction(ask) if sys.version_info < (3, 14) else True


@both
def test_a_coroutine_function_can_be_recognized(kind: str) -> None:
    async def ask(x: int) -> int:
        return x

    class Holder:
        ask_method = None

        @cached
        async def method(self, x: int) -> int:
            return x

    made = wrapped(ask, kind)
    for one in (made, Holder.method, Holder().method):
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(one)
        else:
            assert asyncio.iscoroutinefunction(one)


@both
def test_a_cached_coroutine_function_may_be_cached_again(kind: str) -> None:
    async def ask(x: int) -> int:
        return x

    class Holder:
        @cached
        async def method(self, x: int) -> int:
            return x

    again = wrapped(wrapped(ask, kind), kind)
    method = wrapped(Holder().method, kind)

    async def main() -> None:
        assert await again(1) == await again(1) == 1
        assert await method(2) == await method(2) == 2

    arun(main())
    assert again.cache_info()[:2] == method.cache_info()[:2] == (1, 1)


@both
def test_partials(kind: str) -> None:
    def add(a: int, b: int, c: int = 0) -> tuple[int, int, int]:
        return (a, b, c)

    async def aadd(a: int, b: int) -> tuple[int, int]:
        return (a, b)

    ask = wrapped(functools.partial(add, 1), kind)
    assert ask(2) == ask(b=2) == ask(2, c=0) == (1, 2, 0)
    assert ask.cache_info().misses == 1
    named = wrapped(functools.partial(add, b=5), kind)
    assert named(1) == named(a=1) == named(1, b=5) == (1, 5, 0)
    assert named(1, b=6) == (1, 6, 0)
    assert arun(wrapped(functools.partial(aadd, 1), kind)(2)) == (1, 2)


@both
def test_callables_that_are_no_functions(kind: str) -> None:
    class Callable:
        def __call__(self, x: int) -> tuple[str, int]:
            return ("called", x)

        def method(self, x: int) -> tuple[str, int]:
            return ("method", x)

        @classmethod
        def of_class(cls, x: int) -> tuple[str, int]:
            return (cls.__name__, x)

    class Record:
        def __init__(self, x: int, y: int = 2) -> None:
            self.sum = x + y

    made = wrapped(Record, kind)
    assert made(1) is made(1, 2) is made(y=2, x=1)
    assert made(1).sum == 3
    assert made.cache_info() == (4, 1, 1024, 1) or made.cache_info()[1] == 1
    assert wrapped(Callable(), kind)(1) == ("called", 1)
    assert wrapped(Callable().method, kind)(1) == ("method", 1)
    assert wrapped(Callable.of_class, kind)(1) == ("Callable", 1)
    assert wrapped(str.upper, kind)("a") == "A"
    assert wrapped("abc".index, kind)("b") == 1
    assert wrapped(dict, kind)(a=1) == {"a": 1}
    assert wrapped(int, kind)("12", base=8) == 10
    assert wrapped(functools.lru_cache(lambda x: x), kind)(1) == 1
    assert wrapped(types.SimpleNamespace, kind)(a=1).a == 1


def test_what_cannot_be_called_is_refused() -> None:
    for wrong in (1, "f", [], classmethod(lambda cls: 1)):
        with pytest.raises(InvalidArgumentTypeError, match="function"):
            cached()(wrong)
        with pytest.raises(InvalidArgumentTypeError, match="function"):
            Cache(max_entries=5).cached()(wrong)


@both
def test_generator_functions_are_refused(kind: str) -> None:
    # The first caller would use up the generator that all others get.
    def numbers(n: int) -> Any:
        yield from range(n)

    async def anumbers(n: int) -> Any:
        yield n

    class Numbers:
        def __call__(self, n: int) -> Any:
            yield from range(n)

    numbering = Numbers()
    for function in (
        numbers,
        anumbers,
        functools.partial(numbers, 3),
        numbering,
        functools.partial(numbering, 3),
    ):
        with pytest.raises(InvalidArgumentTypeError, match="generator"):
            wrapped(function, kind)


@both
def test_a_generator_that_a_function_returns_is_refused(kind: str) -> None:
    calls: list[int] = []

    def numbers(n: int) -> Any:
        calls.append(n)
        return (number for number in range(n))

    async def anumbers(n: int) -> Any:
        return numbers(n)

    plain, awaited = wrapped(numbers, kind), wrapped(anumbers, kind)
    for _ in range(2):
        with pytest.raises(InvalidArgumentTypeError, match="generator"):
            plain(3)
        with pytest.raises(InvalidArgumentTypeError, match="generator"):
            arun(awaited(3))
    assert calls == [3, 3, 3, 3]
    assert len(plain.cache) == len(awaited.cache) == 0


@both
def test_a_plain_function_that_returns_an_awaitable_is_refused(kind: str) -> None:
    async def later(x: int) -> int:
        return x

    ask = wrapped(lambda x: later(x), kind)  # noqa: PLW0108
    with pytest.raises(InvalidArgumentTypeError, match="asynchronous"):
        ask(1)
    assert ask.cache_info().currsize == 0


@both
def test_an_object_whose_call_is_awaited_is_a_coroutine_function(kind: str) -> None:
    class Later:
        async def __call__(self, x: int) -> int:
            return next(answers)

    answers = iter(range(10))
    for function in (Later(), functools.partial(Later())):
        ask = wrapped(function, kind)

        async def twice(ask: Any = ask) -> tuple[int, int]:
            return await ask(1), await ask(1)

        one, other = asyncio.run(twice())
        assert one == other
        assert inspect.iscoroutinefunction(ask)


@both
def test_functions_that_stop_iteration(kind: str) -> None:
    ask = wrapped(lambda x: next(iter(())), kind)
    with pytest.raises(StopIteration):
        in_time(ask, 1)


@both
def test_invalidate_and_refresh(kind: str) -> None:
    answers = iter(range(100))
    ask = wrapped(lambda x, *, y=0: next(answers), kind)
    assert (ask(1), ask(1), ask(1, y=1)) == (0, 0, 1)
    assert ask.invalidate(1) == 1
    assert ask.invalidate(1) == 0
    assert ask.invalidate(x=1, y=1) == 1
    assert ask(1) == 2
    assert ask.refresh(1) == 3
    assert ask(1) == 3
    assert ask.refresh(9) == 4
    assert ask(9) == 4


def test_parameters_with_awkward_names() -> None:
    @cached
    def ask(self: int, key: int = 1, args: int = 2, named: int = 3, cache: int = 4) -> Any:
        return (self, key, args, named, cache)

    @cached
    def first(a: int, b: int = 0, rest: int = 0) -> Any:
        return (a, b, rest)

    @cached
    def one(a: int) -> int:
        return a

    assert ask(self=1, key=2, args=3, named=4, cache=5) == (1, 2, 3, 4, 5)
    assert ask(0, args=1) == (0, 1, 1, 3, 4)
    assert ask.invalidate(self=0, args=1) == 1
    assert ask.key_for(self=1)
    assert ask.refresh(self=1) == (1, 1, 2, 3, 4)
    assert first(a=1, rest=2) == (1, 0, 2)
    assert one(a=1) == 1
    assert one.invalidate(a=1) == 1


def test_options_of_entries(capsys: pytest.CaptureFixture[str]) -> None:
    from scrubjay import ManualClock

    clock = ManualClock()
    shared: Cache[Any, Any] = Cache(max_entries=50, clock=clock)
    calls: list[int] = []

    @shared.cached(ttl_seconds=10, tags={"t"}, priority=2.0, cost=5.0, dependencies=["part"])
    def ask(x: int) -> int:
        calls.append(x)
        return x

    @cached(ttl_seconds=10, idle_seconds=4, tags={"t"}, clock=clock)
    def own(x: int) -> int:
        calls.append(x)
        return x

    ask(1)
    entry = shared.entry(ask.key_for(1))
    assert entry is not None
    assert (entry.ttl_seconds, entry.priority, entry.cost) == (10, 2.0, 5.0)
    assert entry.tags == {"t"}
    assert entry.dependencies == {"part"}
    clock.advance(9)
    ask(1)
    assert calls == [1]
    clock.advance(1)
    ask(1)
    assert calls == [1, 1]
    assert shared.invalidate("part") == 1
    ask(1)
    assert shared.invalidate_by_tags({"t"}) == 1
    ask(1)
    assert calls == [1, 1, 1, 1]
    own(2)
    clock.advance(3)
    own(2)
    clock.advance(4)
    own(2)
    assert own.cache.invalidate_by_tags({"t"}) == 1
    own(2)
    assert calls[4:] == [2, 2, 2]


def test_functions_in_a_shared_cache_share_the_bound() -> None:
    shared: Cache[Any, Any] = Cache(max_entries=10, eviction_strategy="lru")
    one, two = shared.cached(lambda x: x), shared.cached(lambda x: -x)
    for x in range(10):
        one(x)
    for x in range(8):
        two(x)
    assert (one.cache_info().currsize, two.cache_info().currsize) == (2, 8)
    assert one.cache_info().maxsize == 10


def test_a_wrapper_binds_like_a_function() -> None:
    class Borrower:
        method = at_module_level

    assert weakref.ref(at_module_level)() is at_module_level
    assert "at_module_level" in repr(at_module_level)
    borrower: Any = Borrower()
    with pytest.raises(TypeError):
        borrower.method()  # Borrower + 0
    assert Borrower.method is at_module_level


@pytest.mark.parametrize("count", range(6))
def test_any_number_of_arguments_in_any_form(count: int) -> None:
    def collect(*args: Any, **named: Any) -> Any:
        return args, named

    ask = cached(collect)
    arguments = tuple(f"argument {number}" for number in range(count))
    named = {f"name {number}": number for number in range(count)}
    for given, by_name in ((arguments, {}), ((), named), (arguments, named)):
        for _ in range(2):
            assert ask(*given, **by_name) == (given, by_name)
    assert ask.cache_info()[:2] == ((3, 3) if count else (5, 1))


@pytest.mark.parametrize("count", range(1, 6))
def test_a_fixed_number_of_arguments(count: int) -> None:
    names = ", ".join(f"a{number}" for number in range(count))
    ask: Any = cached(eval(f"lambda {names}: ({names},)"))
    for arguments in (tuple(range(count)), tuple("abcdef"[:count]), (None,) * count):
        assert ask(*arguments) == ask(*arguments) == arguments
        assert ask(*arguments[:-1], **{f"a{count - 1}": arguments[-1]}) == arguments
    assert ask.cache_info()[:2] == (6, 3)
    for wrong in ((None,) * (count + 1), (None,) * (count - 1)):
        with pytest.raises(TypeError):
            ask(*wrong)


def test_attributes_of_the_function_are_its_own_affair() -> None:
    def f(n: int) -> int:
        return n

    for name in ("store", "plan", "run", "arity", "key_of", "call", "vectorcall"):
        setattr(f, name, "the function's")
    inner = cached(f)
    outer = cached(max_entries=2)(inner)
    assert [outer(n) for n in (1, 2, 3, 1)] == [1, 2, 3, 1]
    assert outer.cache_info() == (0, 4, 2, 2)
    assert inner.cache_info() == (1, 3, 1024, 3)
    assert outer.run == "the function's"  # type: ignore[attr-defined]

    @cached
    @functools.wraps(inner)
    def other(n: int) -> str:
        return "another one's"

    assert other(1) == "another one's"


def test_a_cached_object_without_a_name_is_copied_but_not_pickled() -> None:
    add: Any = cached(functools.partial(at_module_level, 1))
    assert copy.copy(add) is add
    assert copy.deepcopy(add) is add
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(add)


def test_loads_that_end_in_a_recursion_error_can_be_begun_anew() -> None:
    """The stack may be too full even to say that a load is over."""

    @cached
    def endless(n: int, more: int = 1) -> int:
        return endless(n + more)

    for start in range(40):
        with contextlib.suppress(RecursionError):
            endless(1000 * start)
    left = [key[0] for key in endless.cache.unsettled()][:5]

    def again(n: int) -> None:
        with contextlib.suppress(RecursionError):
            endless(n)

    for n in [*left, 0]:
        thread = threading.Thread(target=again, args=(n,), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    with contextlib.suppress(RecursionError):
        endless(10)
    assert under_way.get() == ()


def test_a_function_with_a_cache_of_its_own_may_serve_old_values() -> None:
    clock = ManualClock()
    answers = iter([1, ValueError("down"), 2])

    @cached(ttl_seconds=10, stale_if_error_seconds=60, clock=clock)
    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert ask() == 1
    clock.advance(30)
    assert ask() == 1  # loading fails
    clock.advance(60)
    assert ask() == 2


def test_a_function_with_a_cache_of_its_own_may_bound_how_long_calls_take() -> None:
    release = threading.Event()

    @cached(hard_timeout_seconds=0.01)
    def ask() -> int:
        wait(release)
        return 1

    with pytest.raises(LoadTimeoutError):
        ask()
    release.set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stale_while_revalidate_seconds", 0),
        ("stale_if_error_seconds", "x"),
        ("soft_timeout_seconds", -1),
        ("hard_timeout_seconds", 0),
    ],
)
def test_options_that_make_no_sense_are_refused_where_they_stand(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        cached(**{name: value})
