"""The conditions under which one value is stored."""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import NEVER


class Terms:
    """Checked conditions; the store trusts them.

    Args:
        ttl: seconds to live, negative for ever.
        idle: seconds to live without being read, negative for ever.
        priority: the entry's priority.
        cost: what loading it costs, 0.0 if unknown.
        tags: words to find it by.
        dependencies: keys that it was made from.
        fence: an object whose attribute ``void`` forbids the store once it is true.
        ahead: whether nobody has asked for the value yet.
        uses: how often an entry was read that is restored from before: it is stored only
            where there is room and nothing of the key is, and goes before its equals.
            Negative for one that is new.
        until: the monotonic time at which it expires, if its time to live ends later. That
            begins when the value is stored, which may have to wait.
        absent: whether it is stored only where the key is not there.
    """

    def __init__(
        self,
        ttl: float = -1.0,
        idle: float = -1.0,
        priority: float = 1.0,
        cost: float = 0.0,
        tags: frozenset[str] = frozenset(),
        dependencies: tuple[Any, ...] = (),
        fence: Any = None,
        ahead: bool = False,
        uses: int = -1,
        until: float = NEVER,
        absent: bool = False,
    ) -> None:
        self.ttl = ttl
        self.idle = idle
        self.priority = priority
        self.cost = cost
        self.tags = tags
        self.dependencies = dependencies
        self.fence = fence
        self.ahead = ahead
        self.uses = uses
        self.until = until
        self.absent = absent
        self.plain = (
            self.ttl < 0.0
            and self.idle < 0.0
            and self.priority == 1.0
            and self.cost == 0.0
            and not tags
            and not dependencies
        )
