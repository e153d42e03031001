"""What a flow may want done. A driver does it and sends back what came of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from scrubjay._flow.flight import Flight


class Call(NamedTuple):
    """Call the flight's loader; send back its value, and note the seconds in the flight."""

    flight: Flight


class Start(NamedTuple):
    """Run a flow on its own, so that no waiter's cancellation stops it.

    If it is to run apart, whoever starts it goes on meanwhile.
    """

    flow: Flow
    flight: Flight
    abandon: Callable[[Flight], object]  # for who cannot even begin
    apart: bool = False


class Wait(NamedTuple):
    """Wait until the flight is done, and say for how long if somebody else began it.

    The answer is whether it is done: it may not be if there is a bound in seconds.
    """

    flight: Flight
    joined: bool
    seconds: float | None = None


class Askable(Protocol):
    """A tier, or whatever else may have to wait for a device."""

    blocking: bool


class Ask(NamedTuple):
    """Call a method of a tier; send back what it returns.

    Who wants to know is told the seconds that it took, and what it raised.
    """

    tier: Askable
    method: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any] = MappingProxyType({})
    took: Callable[[float, BaseException | None], object] | None = None


Effect = Call | Start | Wait | Ask
Flow = Generator[Effect, Any, Any]
