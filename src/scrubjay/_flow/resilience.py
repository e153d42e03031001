"""When an old value is served, for how long somebody waits, and what is loaded early."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple


class Resilience(NamedTuple):
    """The rules of one cache. Times are seconds.

    Attributes:
        revalidate: after it has expired, a value is served that long while it is loaded
            anew (RFC 5861, stale-while-revalidate).
        if_error: likewise, where loading it fails or takes too long (stale-if-error).
        soft: how long a load is waited for where there is an old value to serve.
        hard: how long a load is waited for at all. It goes on, and is stored.
        early: how eagerly an entry is loaded before it expires; 1.0 is the optimum of
            A. Vattani et al., "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015).
    """

    revalidate: float = 0.0
    if_error: float = 0.0
    soft: float | None = None
    hard: float | None = None
    early: float = 0.0

    @property
    def grace(self) -> float:
        """How long an entry stays after it has expired."""
        return max(self.revalidate, self.if_error)

    @property
    def apart(self) -> bool:
        """Whether somebody may stop waiting for a load before it ends."""
        return self.soft is not None or self.hard is not None

    def is_due(self, left: float, cost: float) -> bool:
        """Tell, by chance, whether an entry is to be loaded now, before it expires.

        Args:
            left: seconds until it does.
            cost: seconds that loading it takes.
        """
        if not self.early or not cost or left == math.inf:
            return False
        return left <= -cost * self.early * math.log(1.0 - random.random())


class Stale(NamedTuple):
    """An old value.

    Attributes:
        value: the value.
        age: seconds since it expired, when it was found.
        found: when that was, in monotonic seconds.
    """

    value: Any
    age: float
    found: float

    def age_at(self, now: float) -> float:
        """Return for how many seconds it has been expired at a time."""
        return self.age + now - self.found
