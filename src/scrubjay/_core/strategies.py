"""The registry of eviction strategies: one policy, one file, one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from scrubjay._core.policies.adaptive import Adaptive
from scrubjay._core.policies.custom import Custom, Metadata
from scrubjay._core.policies.lfu import LFU
from scrubjay._core.policies.lru import LRU
from scrubjay._core.policies.priority import Priority
from scrubjay._core.policies.ttl import TTL
from scrubjay._core.policy import Policy
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.types import CacheEvictionStrategy, CacheObjective

__all__ = ["EvictionPolicy", "make_policy", "register_strategy", "strategy_name"]

_BUILT_IN: dict[str, Callable[[], Policy]] = {
    "lru": LRU,
    "lfu": LFU,
    "ttl": TTL,
    "adaptive": Adaptive,
    "priority": Priority,
}
_registered: dict[str, Callable[[Metadata], EvictionPolicy]] = {}


class EvictionPolicy(Protocol):
    """What a strategy of your own must be able to do.

    Entries are known by slot, a small number that an entry keeps until it is removed. The
    methods are called in the order in which things happened, by one thread at a time; an
    error that one of them raises reaches the caller of the operation under way.
    """

    def on_insert(self, slot: int) -> None:
        """A new entry is in `slot`."""

    def on_hit(self, slot: int) -> None:
        """The entry in `slot` was used."""

    def on_remove(self, slot: int) -> None:
        """The entry in `slot` is gone."""

    def victim(self) -> int:
        """Return the slot of the entry to give up next."""


def register_strategy(name: str, factory: Callable[[Metadata], EvictionPolicy]) -> None:
    """Make a strategy of your own available under a name.

    Args:
        name: for `eviction_strategy`; may replace one that you registered before.
        factory: called once per cache with a `Metadata`, which answers ``hits(slot)``,
            ``size(slot)``, ``priority(slot)``, ``cost(slot)`` and ``deadline(slot)``.

    Raises:
        InvalidArgumentError: the name is not a string, empty or a built-in's, or the
            factory cannot be called.
    """
    if not isinstance(name, str):
        raise InvalidArgumentTypeError(f"name: {name!r} is not a string")
    if not name or name in _BUILT_IN:
        raise InvalidArgumentError(f"name: {name!r} is empty or a built-in strategy")
    if not callable(factory):
        raise InvalidArgumentTypeError(f"factory: {factory!r} cannot be called")
    _registered[name] = factory


def strategy_name(strategy: Any) -> str:
    """Return the name of a strategy given as a member or by name, if it is known."""
    name = strategy.value if isinstance(strategy, CacheEvictionStrategy) else strategy
    if isinstance(name, str) and (name in _BUILT_IN or name in _registered):
        return name
    known = ", ".join(repr(one) for one in (*_BUILT_IN, *_registered))
    raise InvalidArgumentError(f"eviction_strategy: {strategy!r} is not one of {known}")


def make_policy(strategy: Any, objective: CacheObjective | None = None) -> Policy:
    """Return a new policy for a strategy given as a member or by name.

    Args:
        strategy: the strategy.
        objective: what ADAPTIVE makes the most of; None for the costs of loading as far as
            they are known, which else are taken to be equal.
    """
    name = strategy_name(strategy)
    if name == CacheEvictionStrategy.ADAPTIVE.value:
        by_size = objective is CacheObjective.BYTES
        return Adaptive(not by_size and objective is not CacheObjective.HITS, by_size)
    if objective is not None:
        raise InvalidArgumentError(f"objective: {name!r} has none, only 'adaptive' has")
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    return Custom(_registered[name])
