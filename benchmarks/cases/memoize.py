"""Hits of memoizing decorators over a trivial function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks import peers
from benchmarks.cases._setup import make_keys, shuffled
from benchmarks.peers import Memoizer
from benchmarks.timing import (
    Measure,
    Outcome,
    Scale,
    Subject,
    compile_async_loop,
    compile_loop,
    empty_loop,
    interleave,
)

PLAIN_CALL = "(plain call)"
PLAIN_AWAIT = "(plain await)"
CAPACITY = 1024
ARGUMENTS = 256
PASSES = 100
ROUNDS = 15


def one(first: str) -> str:
    """Return the argument; the function behind every decorator."""
    return first


def two(first: str, second: str) -> str:
    """Return the first of two arguments."""
    return first


async def one_later(first: str) -> str:
    """Return the argument without waiting for anything."""
    return first


def one_argument(scale: Scale) -> Outcome:
    """Call with one string."""
    return _calls(scale, one, "cache(k)")


def two_arguments(scale: Scale) -> Outcome:
    """Call with two strings, the second always the same."""
    return _calls(scale, two, "cache(k, 'second')")


def awaited(scale: Scale) -> Outcome:
    """Call and await with one string, within one running event loop."""
    event_loop = asyncio.new_event_loop()
    try:
        return interleave(_awaits(scale, event_loop), scale.of(ROUNDS, 2))
    finally:
        event_loop.close()


def _calls(scale: Scale, function: Callable[..., Any], statement: str) -> Outcome:
    keys = _arguments(scale)

    def subject(one: Memoizer) -> Subject:
        def prepare() -> Measure:
            wrapped = one.decorate(function, CAPACITY)
            loop = compile_loop(statement)
            return lambda _: loop(wrapped, keys) / len(keys)

        return Subject(one.name, prepare)

    plain = Memoizer(PLAIN_CALL, "", lambda f, n: f)
    candidates = [plain, *peers.memoizers(asynchronous=False)]
    subjects = [empty_loop(keys), *map(subject, candidates)]
    return interleave(subjects, scale.of(ROUNDS, 2))


def _awaits(scale: Scale, event_loop: asyncio.AbstractEventLoop) -> list[Subject]:
    keys = _arguments(scale)

    def subject(one: Memoizer) -> Subject:
        def prepare() -> Measure:
            wrapped = one.decorate(one_later, CAPACITY)
            loop = compile_async_loop("await cache(k)")

            def measure(_: int) -> float:
                return event_loop.run_until_complete(loop(wrapped, keys)) / len(keys)

            return measure

        return Subject(one.name, prepare)

    plain = Memoizer(PLAIN_AWAIT, "", lambda f, n: f)
    return [empty_loop(keys), *map(subject, [plain, *peers.memoizers(asynchronous=True)])]


def _arguments(scale: Scale) -> list[str]:
    return shuffled(make_keys(ARGUMENTS, prefix="argument")) * scale.of(PASSES, 2)
