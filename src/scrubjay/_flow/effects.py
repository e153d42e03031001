"""What a flow may want done. A driver does it and sends back what came of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from scrubjay._flow.flight import Flight
from scrubjay.tiers.protocol import Tier


class Call(NamedTuple):
    """Call the flight's loader; send back its value, and note the seconds in the flight."""

    flight: Flight


class Start(NamedTuple):
    """Run a flow on its own, so that no waiter's cancellation stops it."""

    flow: Flow
    flight: Flight
    abandon: Callable[[Flight], object]  # for who cannot even begin


class Wait(NamedTuple):
    """Wait until the flight is done, and say for how long if somebody else began it."""

    flight: Flight
    joined: bool


class Ask(NamedTuple):
    """Call a method of a tier with one argument, or with none; send back what it returns."""

    tier: Tier
    method: str
    arguments: tuple[Any, ...]


Effect = Call | Start | Wait | Ask
Flow = Generator[Effect, Any, Any]
