"""What a cache is made with, checked; and the conditions that its entries get from it."""

from __future__ import annotations

import random
from typing import Any

from scrubjay import arguments
from scrubjay._core.terms import Terms
from scrubjay._flow.resilience import Resilience
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError

UNBOUNDED = 1 << 62
UNCHANGED: Any = object()
_MB = 1024 * 1024
_UNCHANGING = (int, float)  # what is one of these is the same number for ever


def entry_bound(max_entries: Any) -> int:
    """Return the bound on entries; None stands for none."""
    if max_entries is None:
        return UNBOUNDED
    return min(arguments.count("max_entries", max_entries), UNBOUNDED)


def either(name: str, given: Any, in_memory: Any) -> Any:
    """Return a bound that is given to the cache or to its memory layer, but not to both."""
    if given is not None and in_memory is not None:
        raise InvalidArgumentError(f"{name}: given to the cache and to its memory, too")
    return in_memory if given is None else given


def byte_bound(max_size_mb: Any) -> int:
    """Return the bound on sizes in bytes."""
    size = arguments.positive("max_size_mb", max_size_mb) * _MB
    if size < 1:
        raise InvalidArgumentError(f"max_size_mb: {max_size_mb!r} is less than one byte")
    return int(size) if size < UNBOUNDED else UNBOUNDED


def new_bounds(
    entries: int, size: int, weighted: bool, max_size_mb: Any, max_entries: Any
) -> tuple[int, int]:
    """Return the bounds on entries and bytes that a cache is to have.

    Args:
        entries: the present bound on entries.
        size: the present bound on bytes.
        weighted: whether the present bound on bytes is one.
        max_size_mb: the new bound on bytes, or UNCHANGED.
        max_entries: the new bound on entries, or UNCHANGED.
    """
    if max_size_mb is UNCHANGED and max_entries is UNCHANGED:
        raise InvalidArgumentError("max_size_mb, max_entries: no new bound was given")
    if max_entries is not UNCHANGED:
        if max_entries is None and not weighted:
            raise InvalidArgumentError("max_entries: None would leave no bound at all")
        entries = entry_bound(max_entries)
    if max_size_mb is not UNCHANGED:
        if not weighted or max_size_mb is None:
            raise InvalidArgumentError(
                "max_size_mb: a bound on size cannot be added or taken away later"
            )
        size = byte_bound(max_size_mb)
    return entries, size


def errors(negative_errors: Any) -> tuple[type[BaseException], ...]:
    """Return kinds of errors, given as one or as several."""
    kinds = (negative_errors,) if isinstance(negative_errors, type) else negative_errors
    if not isinstance(kinds, (tuple, list, set, frozenset)) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
    ):
        raise InvalidArgumentTypeError(
            f"negative_errors: {negative_errors!r} is not a class of errors, or several"
        )
    return tuple(kinds)


def rules(revalidate: Any, if_error: Any, soft: Any, hard: Any, early: Any) -> Resilience:
    """Return when old values are served, for how long loads are waited for, and the like."""
    return Resilience(
        arguments.positive_or_none("stale_while_revalidate_seconds", revalidate) or 0.0,
        arguments.positive_or_none("stale_if_error_seconds", if_error) or 0.0,
        arguments.positive_or_none("soft_timeout_seconds", soft),
        arguments.positive_or_none("hard_timeout_seconds", hard),
        arguments.not_negative("early_refresh", early),
    )


def clock(given: Any) -> Any:
    """Return a clock; None stands for the system's."""
    if given is None:
        return None
    methods = (getattr(given, "monotonic", None), getattr(given, "time", None))
    if isinstance(given, type) or not all(map(callable, methods)):
        raise InvalidArgumentTypeError(f"clock: {given!r} is no object with monotonic() and time()")
    return given


class Defaults:
    """The conditions of entries, checked, with a cache's defaults filled in.

    Args:
        ttl_seconds: time to live of entries that are stored without one; None for ever.
        idle_seconds: time to live unread, of entries that are stored without one.
        ttl_jitter: up to which fraction of it each time to live is shortened.
    """

    def __init__(self, ttl_seconds: Any, idle_seconds: Any, ttl_jitter: Any) -> None:
        self._ttl = arguments.positive_or_none("ttl_seconds", ttl_seconds)
        self._idle = arguments.positive_or_none("idle_seconds", idle_seconds)
        self._jitter = arguments.not_negative("ttl_jitter", ttl_jitter)
        if self._jitter >= 1.0:
            raise InvalidArgumentError(f"ttl_jitter: {ttl_jitter!r} is not below one")
        #: the conditions of an entry that is stored without any
        self.usual = self.terms(priority=1)
        #: whether entries under the same conditions may live for different times
        self.vary = self._jitter > 0.0
        #: the last conditions that named a time to live and no more, and that time
        self._recent: tuple[Any, Terms] = (None, self.usual)

    def terms(
        self,
        ttl_seconds: Any = None,
        priority: Any = 1.0,
        tags: Any = None,
        idle_seconds: Any = None,
        dependencies: Any = None,
        cost: Any = None,
    ) -> Terms:
        """Return checked conditions, for any number of entries."""
        simple = (
            tags is idle_seconds is dependencies is cost is None
            and type(priority) is float
            and priority == 1.0
        )
        if simple:
            if ttl_seconds is None:
                return self.usual
            given, recent = self._recent
            if given is ttl_seconds:
                return recent
        ttl = self._ttl
        if ttl_seconds is not None:
            ttl = arguments.positive("ttl_seconds", ttl_seconds)
        idle = self._idle
        if idle_seconds is not None:
            idle = arguments.positive("idle_seconds", idle_seconds)
        terms = Terms(
            -1.0 if ttl is None else ttl,
            -1.0 if idle is None else idle,
            arguments.number("priority", priority),
            0.0 if cost is None else arguments.not_negative("cost", cost),
            frozenset() if tags is None else arguments.tags(tags),
            () if dependencies is None else arguments.keys("dependencies", dependencies),
        )
        if simple and type(ttl_seconds) in _UNCHANGING:
            self._recent = ttl_seconds, terms
        return terms

    def of_one(self, terms: Terms, cost: float = 0.0, fence: Any = None) -> Terms:
        """Return the conditions of one entry: its own time to live, cost and fence.

        Args:
            terms: checked conditions.
            cost: what loading it cost, where they name none.
            fence: the load that stores it.
        """
        if fence is None and (not self._jitter or terms.ttl < 0.0):
            return terms
        ttl = terms.ttl
        if self._jitter and ttl >= 0.0:
            ttl *= 1.0 - self._jitter * random.random()
        return Terms(
            ttl,
            terms.idle,
            terms.priority,
            terms.cost or cost,
            terms.tags,
            terms.dependencies,
            fence,
        )


def check_share(share: Any, rarest: int) -> float:
    """Return the part of hits that is checked.

    Args:
        share: the part.
        rarest: one in so many is the most that can be.

    Raises:
        InvalidArgumentError: it is no such part.
    """
    checked = arguments.not_negative("consistency_check_share", share)
    if checked > 1.0 / rarest:
        raise InvalidArgumentError(
            f"consistency_check_share: {share!r} is above one in {rarest}, {1.0 / rarest!r}"
        )
    return checked
