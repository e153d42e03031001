"""The options of the public face by name, for type checkers and editors.

Where a function takes the same options as another and passes them on, it takes them as
``**options: Unpack[...]`` of one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, TypedDict

from scrubjay.clock import Clock
from scrubjay.types import CacheConsistencyLevel, CacheEvictionStrategy, CacheObjective


class _Times(TypedDict, total=False):
    ttl_seconds: float | None
    idle_seconds: float | None


class _Conditions(TypedDict, total=False):
    priority: float
    tags: Iterable[str] | None
    dependencies: Iterable[Hashable] | None
    cost: float | None


class _Settings(TypedDict, total=False):
    max_size_mb: float | None
    eviction_strategy: CacheEvictionStrategy | str
    consistency_level: CacheConsistencyLevel | str
    enable_prefetching: bool
    optimization_interval: float
    objective: CacheObjective | str | None
    max_entries: int | None
    sizer: Callable[[Any], int] | None
    max_value_fraction: float
    ttl_jitter: float
    negative_ttl_seconds: float | None
    negative_errors: tuple[type[BaseException], ...] | type[BaseException]
    clock: Clock | None
    name: str | None
    copy: Literal["deep"] | Callable[[Any], Any] | None
    stale_while_revalidate_seconds: float | None
    stale_if_error_seconds: float | None
    soft_timeout_seconds: float | None
    hard_timeout_seconds: float | None


class _Keys(TypedDict, total=False):
    typed: bool
    ignore: str | Iterable[str]


class Conditions(_Times, _Conditions, total=False):
    """The conditions under which an entry is stored."""


class CallOptions(_Times, _Conditions, _Keys, total=False):
    """The options of a decorator for a shared cache."""


class FunctionOptions(_Times, _Conditions, _Keys, _Settings, total=False):
    """The options of a decorator that gives the function a cache of its own."""


TIMES = frozenset(_Times.__annotations__)
PER_ENTRY = frozenset(Conditions.__annotations__)
PER_CALL = frozenset(CallOptions.__annotations__)
PER_FUNCTION = frozenset(FunctionOptions.__annotations__)
