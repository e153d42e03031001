"""Keys of cached functions: equal calls share one, different calls never do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import Cache, Ignore, InvalidArgumentError, cached
from tests.models import scaled

ALPHABET = st.sampled_from(
    ["", " ", "a", "b", "a b", "b c", "1", "0", "None", "a=1", "x", "y", "args", "kw", "(", ","]
)
VALUES = st.one_of(
    ALPHABET,
    st.integers(-1, 2),
    st.booleans(),
    st.none(),
    st.sampled_from([0.0, 1.0, 0.5]),
    st.tuples(ALPHABET, st.integers(0, 1)),
    st.tuples(ALPHABET),
    st.binary(max_size=1),
    st.frozensets(st.integers(0, 1), max_size=1),
    st.just(()),
)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "one": lambda x: (x,),
    "two": lambda x, y: (x, y),
    "default": lambda x, y=1: (x, y),
    "defaults": lambda x="a", y=None: (x, y),
    "three": lambda x, y, z=0: (x, y, z),
    "positional": eval("lambda x, y=1, /: (x, y)"),
    "keywords": lambda *, x=1, y=2: (x, y),
    "mixed": lambda x, *, y=1: (x, y),
    "star": lambda *args: args,
    "star and keyword": lambda *args, x=1: (args, x),
    "one and star": lambda x, *args: (x, args),
    "double star": lambda **kw: tuple(sorted(kw.items())),
    "everything": lambda x, *args, y=1, **kw: (x, args, y, tuple(sorted(kw.items()))),
    "positional and double star": eval("lambda x, /, **kw: (x, tuple(sorted(kw.items())))"),
    "nothing": lambda: (),
}


def call_of(function: Callable[..., Any], args: Any, named: Any) -> Any:
    """What a call means: its bound arguments; None if it is no valid call."""
    try:
        function(*args, **named)
        bound = inspect.signature(function).bind(*args, **named)
    except TypeError:
        return None
    bound.apply_defaults()
    return [
        (name, tuple(sorted(value.items())) if isinstance(value, dict) else value)
        for name, value in bound.arguments.items()
    ]


CALLS = st.tuples(
    st.lists(VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "z", "args", "kw", "a b"]), VALUES, max_size=3),
)


@pytest.mark.untraced
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=scaled(40, 15))
@given(first=CALLS, second=CALLS)
def test_keys_are_equal_exactly_where_calls_are(
    name: str, own: bool, first: Any, second: Any
) -> None:
    function = FUNCTIONS[name]
    shared: Cache[Any, Any] = Cache(max_entries=10)
    ask = cached(max_entries=10)(function) if own else shared.cached(function)
    meanings = []
    for args, named in (first, second):
        meaning = call_of(function, args, named)
        if meaning is None:
            with pytest.raises(TypeError):
                ask(*args, **named)
            continue
        assert repr(ask(*args, **named)) == repr(function(*args, **named)) or meanings
        assert ask(*args, **named) == function(*args, **named)
        meanings.append((meaning, ask.key_for(*args, **named)))
    if len(meanings) == 2:
        (one, one_key), (two, two_key) = meanings
        # Equal exact strings and integers have a key of their own, as with functools.
        if one_key == two_key:
            assert one == two
        elif one == two:
            flat = [arg for call in (first, second) for arg in call[0]]
            assert {type(arg) for arg in flat} - {str}


@settings(max_examples=scaled(150, 50))
@given(first=CALLS, second=CALLS)
def test_typed_keys_tell_types_apart(first: Any, second: Any) -> None:
    def function(x: Any, *args: Any, y: Any = 1, **kw: Any) -> Any:
        return [x, args, y, sorted(kw.items())]

    ask = cached(typed=True)(function)
    keys = []
    for args, named in (first, second):
        meaning = call_of(function, args, named)
        if meaning is None:
            continue
        assert repr(ask(*args, **named)) == repr(function(*args, **named)) or "(" in repr(args)
        flat = [*args, *(value for _, value in sorted(named.items()))]
        keys.append((meaning, [type(one) for one in flat], ask.key_for(*args, **named)))
    if len(keys) == 2 and keys[0][2] == keys[1][2]:
        assert keys[0][0] == keys[1][0]


def test_typed_tells_one_from_one() -> None:
    @cached(typed=True)
    def show(x: Any, y: Any = 0) -> str:
        return repr((x, y))

    assert [show(one) for one in (1, 1.0, True)] == ["(1, 0)", "(1.0, 0)", "(True, 0)"]
    assert [show(1, y) for y in (1, 1.0, True)] == ["(1, 1)", "(1, 1.0)", "(1, True)"]
    assert show(x=1.0, y=True) == "(1.0, True)"
    assert show.cache_info().currsize == 7


def test_separators_mean_nothing() -> None:
    @cached
    def join(x: str, y: str) -> tuple[str, str]:
        return (x, y)

    assert join("a b", "c") == ("a b", "c")
    assert join("a", "b c") == ("a", "b c")
    assert join("", "abc") == ("", "abc")
    assert join("abc", "") == ("abc", "")
    assert join.cache_info().currsize == 4


def test_numbers_are_not_words() -> None:
    @cached
    def same(x: Any) -> Any:
        return x

    for value in (1, "1", b"1", (1,), ("1",), None, "None", (), "()", ((),)):
        assert same(value) == value
        assert type(same(value)) is type(value)
    assert same.cache_info().currsize == 10


def test_one_call_in_many_spellings() -> None:
    calls: list[Any] = []

    @cached
    def ask(a: int, b: int = 2, *, c: int = 3) -> int:
        calls.append((a, b, c))
        return a + b + c

    spellings = [
        ask(1),
        ask(1, 2),
        ask(1, b=2),
        ask(b=2, a=1),
        ask(a=1),
        ask(1, c=3),
        ask(1, 2, c=3),
        ask(c=3, b=2, a=1),
        ask(*(1,), **{"c": 3}),  # noqa: PIE804
    ]
    assert spellings == [6] * 9
    assert calls == [(1, 2, 3)]
    assert ask.cache_info()[:2] == (8, 1)
    assert len({ask.key_for(1), ask.key_for(1, 2), ask.key_for(b=2, a=1)}) == 1
    assert ask.invalidate(c=3, a=1) == 1
    assert ask.cache_info().currsize == 0


def test_the_order_of_further_keywords_does_not_matter() -> None:
    @cached
    def ask(**kw: int) -> dict[str, int]:
        return kw

    assert ask(a=1, b=2) == ask(b=2, a=1) == {"a": 1, "b": 2}
    assert ask.cache_info().misses == 1
    assert ask(a=2, b=1) == {"a": 2, "b": 1}
    assert ask(a=1) == {"a": 1}
    assert ask() == {}
    assert ask.cache_info().currsize == 4


def test_keywords_are_not_positional_arguments() -> None:
    @cached
    def ask(*args: Any, **kw: Any) -> tuple[Any, Any]:
        return args, kw

    calls = [
        ((), {"a": 1}),
        (("a", 1), {}),
        ((("a", 1),), {}),
        ((), {"a": 1, "b": 2}),
        (("a",), {"b": 1}),
        (("a", 1, "b", 2), {}),
        (((),), {}),
        (({}.__class__,), {}),
    ]
    for args, kw in calls:
        assert ask(*args, **kw) == (args, kw)
    for args, kw in calls:
        assert ask(*args, **kw) == (args, kw)
    assert ask.cache_info() == (8, 8, 1024, 8)


def test_the_same_name_in_two_places() -> None:
    shared: Cache[Any, Any] = Cache(max_entries=50)

    def make(result: str) -> Any:
        @shared.cached
        def ask(x: int) -> str:
            return result

        return ask

    class One:
        @shared.cached
        def ask(self, x: int) -> str:
            return "method of One"

        @staticmethod
        @shared.cached
        def still(x: int) -> str:
            return "static of One"

    class Two:
        @shared.cached
        def ask(self, x: int) -> str:
            return "method of Two"

        @staticmethod
        @shared.cached
        def still(x: int) -> str:
            return "static of Two"

    class Three(One):
        @shared.cached
        def ask(self, x: int) -> str:
            return "Three, then " + super().ask(x)

    first, second = make("first"), make("second")
    one, two, three = One(), Two(), Three()
    for _ in range(2):
        assert first(1) == "first"
        assert second(1) == "second"
        assert one.ask(1) == "method of One"
        assert two.ask(1) == "method of Two"
        assert three.ask(1) == "Three, then method of One"
        assert One.still(1) == "static of One"
        assert Two.still(1) == "static of Two"
    assert first.__qualname__ == second.__qualname__
    assert first.key_for(1) != second.key_for(1)


def test_keys_of_users_and_of_functions_in_one_cache() -> None:
    shared: Cache[Any, Any] = Cache(max_entries=500)

    @shared.cached
    def ask(x: Any, y: Any = 0) -> str:
        return "of the function"

    class Holder:
        @shared.cached
        def ask(self, x: Any) -> str:
            return "of the method"

    holder = Holder()
    name = ask.__qualname__
    imitations = [
        ("ask", 1, 0),
        (name, 1, 0),
        (f"{__name__}.{name}", 1, 0),
        f"<{__name__}.{name}>",
        (ask, 1, 0),
        (ask.__wrapped__, 1, 0),
        (1, 0),
        (1,),
        1,
        (holder, 1),
        (repr(ask.key_for(1)[0]), 1, 0),
        (Holder.ask, holder, 1),
        repr(ask.key_for(1)),
        (id(holder), 1),
    ]
    for key in imitations:
        shared.put(key, "of the user")
    assert ask(1) == "of the function"
    assert holder.ask(1) == "of the method"
    for key in imitations:
        assert shared.get(key) == "of the user"
        shared.invalidate(key)
    assert ask.cache_info() == (0, 1, 500, 1)
    assert holder.ask.cache_info() == (0, 1, 500, 1)
    shared.put(ask.key_for(1), "by its own key")
    assert ask(1) == "by its own key"
    ask.cache_clear()
    assert holder.ask(1) == "of the method"


def test_functions_in_one_cache_are_cleared_alone() -> None:
    shared: Cache[Any, Any] = Cache(max_entries=50)

    @shared.cached
    def first(x: int) -> int:
        return x

    @shared.cached
    def second(x: int) -> int:
        return -x

    shared.put("mine", 1)
    for number in range(5):
        first(number)
        second(number)
    assert first.cache_info() == second.cache_info() == (0, 5, 50, 5)
    first.cache_clear()
    assert first.cache_info() == (0, 0, 50, 0)
    assert second.cache_info() == (0, 5, 50, 5)
    assert shared["mine"] == 1
    assert first.cache is second.cache is shared


# Functions that are not what they seem


def test_a_wrapped_function_is_keyed_by_what_is_called() -> None:
    def inner(x: int, y: int = 2) -> tuple[int, int]:
        return (x, y)

    @functools.wraps(inner)
    def outer(x: int, y: int = 10) -> tuple[int, int]:
        return inner(x, y)

    ask = cached(outer)
    assert ask(1) == (1, 10)
    assert ask(1, 2) == (1, 2)
    assert ask(1, 10) == (1, 10)


def test_a_wrapper_may_take_other_arguments_than_what_it_wraps() -> None:
    def inner(x: int, session: str) -> tuple[int, str]:
        return (x, session)

    @functools.wraps(inner)
    def outer(x: int) -> tuple[int, str]:
        return inner(x, "injected")

    assert cached(outer)(1) == (1, "injected")

    @functools.wraps(inner)
    def anything(*args: Any, **kw: Any) -> Any:
        return inner(*args, **{"session": "injected", **kw})

    ask = cached(anything)
    assert ask(1) == (1, "injected")
    assert ask(1, session="given") == (1, "given")


def test_a_default_that_cannot_be_hashed() -> None:
    @cached
    def ask(x: int, options: Any = [], *, more: Any = {}) -> tuple[int, int]:  # noqa: B006
        return (x, len(options))

    assert ask(1) == (1, 0)
    assert ask(1) == (1, 0)
    assert ask(x=2) == (2, 0)
    assert ask(1, options=(7,), more=()) == (1, 1)
    assert ask.cache_info() == (1, 3, 1024, 3)
    with pytest.raises(TypeError):
        ask(1, [])


def test_functions_without_a_signature() -> None:
    biggest = cached(max)
    assert biggest(1, 2) == 2
    assert biggest(1, 2) == 2
    assert biggest((3, 1), key=abs) == 3
    assert biggest((), default=5) == 5
    assert biggest.cache_info() == (1, 3, 1024, 3)
    with pytest.raises(TypeError):
        biggest()


# Ignore


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize(
    "setting",
    [
        "class Session: pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import Session",
    ],
    ids=["defined", "for type checkers alone"],
)
@pytest.mark.parametrize(
    "parameters",
    [
        "x: int, session: Annotated[Session, Ignore]",
        "x: int, session: Annotated[Session | None, Ignore] = None",
        "x: int, session: Annotated[Session, Ignore()] = None",
        "x: int, session: Annotated[Session, 'why', Ignore]",
        "x: Session, session: Annotated[int, Ignore]",
        "x: 'no such thing !', session: Annotated[int, Ignore]",
        "x, *, session: Annotated[Session, Ignore] = None",
        "x, session: Annotated[Annotated[Session, Ignore], 'more'] = None",
        "x, session: typing.Annotated[Session, scrubjay.Ignore]",
        "x, session: scrubjay.Ignore = None",
    ],
)
def test_parameters_ignored_by_annotation(future: str, setting: str, parameters: str) -> None:
    if not future and ("TYPE_CHECKING" in setting or "no such" in parameters):
        pytest.skip("Python itself would refuse it, or keeps it as it is")
    names: dict[str, Any] = {}
    source = (
        f"{future}import typing, scrubjay\n"
        "from typing import Annotated\n"
        "from scrubjay import Ignore, cached\n"
        f"{setting}\n"
        "@cached\n"
        f"def ask({parameters}):\n"
        "    return x\n"
        "class Holder:\n"
        "    @cached\n"
        f"    def ask(self, {parameters}):\n"
        "        return x\n"
    )
    exec(compile(source, "module", "exec"), names)
    ask, holder = names["ask"], names["Holder"]()
    assert ask.key_for(1, session=2) == ask.key_for(1, session=[3]) == ask.key_for(x=1, session={})
    assert ask.key_for(1, session=0) != ask.key_for(2, session=0)
    assert holder.ask.key_for(1, session=2) == holder.ask.key_for(1, session=[])
    assert ask(1, session=object()) == ask(1, session=[]) == 1
    assert ask.cache_info().misses == 1


@pytest.mark.parametrize("known", ["Annotated", "Ignore", ""])
def test_the_mark_itself_may_be_imported_for_type_checkers_alone(known: str) -> None:
    # Linters move imports that only annotations use there.
    names: dict[str, Any] = {}
    here = {"Annotated": "from typing import Annotated", "Ignore": "from scrubjay import Ignore"}
    source = (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from scrubjay import cached\n"
        f"{here.get(known, '')}\n"
        "if TYPE_CHECKING:\n"
        "    from nowhere import Session\n"
        "    from typing import Annotated\n"
        "    from scrubjay import Ignore\n"
        "@cached\n"
        "def ask(x: int, session: Annotated[Session, Ignore], other: Session = 0):\n"
        "    return x\n"
    )
    exec(compile(source, "module", "exec"), names)
    ask = names["ask"]
    assert ask.key_for(1, session=2) == ask.key_for(1, [3])
    assert ask.key_for(1, 2, 3) != ask.key_for(1, 2, 4)


def test_a_local_class_in_an_ignored_annotation() -> None:
    class Session:
        pass

    @cached
    def ask(x: int, session: Annotated[Session, Ignore]) -> int:
        return x

    assert ask(1, Session()) == ask(1, Session()) == 1
    assert ask.cache_info().misses == 1


def test_parameters_ignored_by_name() -> None:
    @cached(ignore=("session", "log"))
    def ask(x: int, session: Any, *, log: Any = None) -> int:
        return x

    @cached(ignore="session")
    def one(session: Any, x: int = 0) -> int:
        return x

    assert ask(1, []) == ask(1, {}, log=[]) == ask(session=set(), x=1)
    assert ask.cache_info().misses == 1
    assert ask(2, []) == 2
    assert one([]) == one({}) == one([], 0) == 0
    assert one.cache_info() == (2, 1, 1024, 1)
    assert ask.cache_parameters()["ignore"] == ("session", "log")


def test_everything_may_be_ignored() -> None:
    @cached(ignore=["x", "args", "kw"])
    def ask(x: Any, *args: Any, **kw: Any) -> str:
        return "whatever"

    assert ask([], {}, a=[]) == ask({}) == "whatever"
    assert ask.cache_info().misses == 1


def test_an_ignored_name_that_is_no_parameter_is_refused() -> None:
    for wrong in ("z", ("x", "z"), ["self"]):
        with pytest.raises(InvalidArgumentError, match="ignore"):
            cached(ignore=wrong)(lambda x: x)


def test_a_keyword_that_is_called_like_an_ignored_parameter_counts() -> None:
    @cached
    def ask(a: Annotated[int, Ignore], /, **kw: Any) -> Any:
        return kw

    assert ask(0, a=1) == {"a": 1}
    assert ask(0, a=2) == {"a": 2}
    assert ask(5, a=2) == {"a": 2}
    assert ask.cache_info().misses == 2


def test_an_annotation_of_the_result_ignores_nothing() -> None:
    @cached
    def ask(**kw: Any) -> Annotated[Any, Ignore]:
        return kw

    assert ask(**{"return": 1}) == {"return": 1}
    assert ask(**{"return": 2}) == {"return": 2}


def test_an_ignored_argument_still_reaches_the_function() -> None:
    @cached
    def ask(x: int, session: Annotated[str, Ignore] = "default") -> str:
        return f"{x} {session}"

    assert ask(1, "first") == "1 first"
    assert ask(1, "second") == "1 first"
    assert ask.refresh(1, "third") == "1 third"
    assert ask(1) == "1 third"
    assert ask.invalidate(1, "whatever") == 1
    assert ask(1) == "1 default"


def test_ignored_parameters_in_a_shared_cache_and_on_coroutines() -> None:
    import asyncio

    shared: Cache[Any, Any] = Cache(max_entries=5)

    @shared.cached(ignore=("session",))
    async def ask(x: int, session: Any) -> int:
        return x

    async def main() -> None:
        assert await ask(1, []) == await ask(1, {}) == 1

    asyncio.run(main())
    assert ask.cache_info() == (1, 1, 5, 1)
