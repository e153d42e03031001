"""The store: what the doors open onto."""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import INVALIDATED, MISSING, PRESENT, STORED
from scrubjay._core.operations import IF_ABSENT
from scrubjay._core.session_hits import SessionHits
from scrubjay._core.terms import Terms

MISSING_PAIR: Any = object()


class Store(SessionHits):
    """A bounded map with strategies, deadlines, tags and dependencies.

    Args:
        policy: chooses what to give up.
        clock: an object with ``monotonic()`` in seconds, or None for the system's.
        entry_limit: entries at most.
        byte_limit: bytes at most, or None: then values are not sized.
        value_limit: bytes that one entry may have at most.
        sizer: returns the bytes of a value; None for an estimate of key and value.
        latency: gets ``record(seconds, times)`` for one request in 1,024.
    """

    def get(
        self,
        key: Any,
        default: Any = None,
        *,
        context: Any = None,
        consistency_check: bool = True,
        consistency_level: Any = None,
    ) -> Any:
        """Return the value of `key`, or `default` if it is not there.

        Args:
            key: any hashable.
            default: returned on a miss.
            context: what is known of the caller, such as ``{"session_id": ...}``.
            consistency_check: whether the consistency level is to be kept.
            consistency_level: how fresh the value must be, across nodes; None for the level
                of the cache.

        Raises:
            InvalidKeyError: the key is not hashable.
            ConsistencyError: the level cannot be kept, which is never passed over in silence.
            TierError: the level needs the shared tier, and that cannot be asked.
        """
        if context is not None or consistency_level is not None:
            if self.sessions is not None and consistency_check:
                value = self.fetch_by_session(key, context, consistency_level)
                if value is not MISSING:
                    return value
            level = consistency_level if consistency_check else "eventual"
            return self.get_in_context(key, default, context, consistency_check, level)
        if self.layered:
            return self.fetch_layered(key, default)
        return self.fetch(key, default)

    def get_in_context(
        self, key: Any, default: Any, context: Any, consistency_check: bool, level: Any
    ) -> Any:
        """Read on behalf of a session; a door that keeps sessions does more here."""
        return self.fetch(key, default)

    def put(
        self,
        key: Any,
        value: Any,
        ttl_seconds: Any = None,
        priority: Any = 1.0,
        tags: Any = None,
        context: Any = None,
        *,
        idle_seconds: Any = None,
        dependencies: Any = None,
        cost: Any = None,
    ) -> bool:
        """Store a value.

        Args:
            key: any hashable.
            value: anything; None is a value like any other.
            ttl_seconds: how long it lives; None for the cache's default.
            priority: how much it matters; the higher, the longer it is kept.
            tags: words by which it can be invalidated.
            context: what is known of the caller, such as ``{"session_id": ...}``.
            idle_seconds: how long it lives without being read; None for the default.
            dependencies: keys from which it was made: when one of them is replaced or
                invalidated, this entry goes too.
            cost: what loading it costs, in seconds or any other unit.

        Returns:
            False if the value is not kept: alone it is too large, and an earlier value of
            `key` is gone; or, under ADAPTIVE, all that it would displace is worth more.

        Raises:
            InvalidArgumentError: an argument makes no sense; nothing has changed.
        """
        if context is not None or self.guarded:
            return self.put_with(
                key, value, ttl_seconds, priority, tags, context, idle_seconds, dependencies, cost
            )
        if (
            ttl_seconds is None
            and idle_seconds is None
            and tags is None
            and dependencies is None
            and cost is None
            and type(priority) is float
            and priority == 1.0
        ):
            return self.write(key, value, self.usual) == STORED
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        return self.write(key, value, terms) == STORED

    def terms(
        self,
        ttl_seconds: Any = None,
        priority: Any = 1.0,
        tags: Any = None,
        idle_seconds: Any = None,
        dependencies: Any = None,
        cost: Any = None,
    ) -> Terms:
        """Return checked conditions; a door knows its defaults."""
        raise NotImplementedError

    def put_with(
        self,
        key: Any,
        value: Any,
        ttl_seconds: Any,
        priority: Any,
        tags: Any,
        context: Any,
        idle_seconds: Any,
        dependencies: Any,
        cost: Any,
    ) -> bool:
        """Check the conditions and store a value under them; a door does more than that here."""
        raise NotImplementedError

    def put_if_absent(self, key: Any, value: Any) -> int:
        """Store a value unless the key is there: then PRESENT is returned."""
        terms = IF_ABSENT if self.usual.plain else self.terms_if_absent()
        return self.write(key, value, terms)

    def terms_if_absent(self) -> Terms:
        """Return a door's usual conditions for an entry that is stored where there is none."""
        raise NotImplementedError

    def put_under(self, key: Any, value: Any, terms: Terms) -> bool:
        """Store a value under checked conditions; False if too large or fenced off."""
        return self.write(key, value, terms) == STORED

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key; store `default` first if it is not there.

        Args:
            key: the key.
            default: the value to store.
        """
        if self.layered:
            return self.default_layered(key, default)
        while True:
            value = self.fetch(key, MISSING)
            if value is not MISSING:
                return value
            if self.put_if_absent(key, default) != PRESENT:
                return default

    def default_layered(self, key: Any, default: Any) -> Any:
        """Return what is here or below, or store a value here and there and return it."""
        raise NotImplementedError

    def pop(self, key: Any, default: Any = MISSING) -> Any:
        """Remove a key with all that depends on it, and return its value.

        Args:
            key: the key.
            default: returned if it is not there.

        Raises:
            KeyError: it is not there, and there is no default.
        """
        if self.layered:
            value = self.take_layered(key)
        else:
            garbage: list[Any] = []
            try:
                found = self.withdraw(key, INVALIDATED, garbage, False)
            finally:
                self.dispose(garbage)
            value = garbage[1] if found else MISSING
        if value is not MISSING:
            return value
        if default is MISSING:
            raise KeyError(key)
        return default

    def take_layered(self, key: Any) -> Any:
        """Remove a key from here and from below; return its value, or MISSING."""
        raise NotImplementedError

    def popitem(self) -> tuple[Any, Any]:
        """Remove some key with all that depends on it; return it with its value.

        Raises:
            KeyError: the cache is empty.
        """
        slot = self.used
        while slot > 0:
            slot -= 1
            pair = self.item_at(slot, self.now())
            if pair is not None:
                value = self.pop(pair[0], MISSING_PAIR)
                if value is not MISSING_PAIR:
                    return pair[0], value
            slot = min(slot, self.used)
        raise KeyError("the cache is empty")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put(key, value)

    def __getitem__(self, key: Any) -> Any:
        value = self.fetch_layered(key, MISSING) if self.layered else self.fetch(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __delitem__(self, key: Any) -> None:
        self.pop(key)
