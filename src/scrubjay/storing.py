"""How a value is stored: under checked conditions, in memory alone or below it, too."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from scrubjay import arguments, settings
from scrubjay._core.constants import STORED
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking
from scrubjay._flow.bulk_lower import Item
from scrubjay._flow.effects import Flow
from scrubjay.restart import Restartable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Storing(Restartable[K, V]):
    """A store whose values are stored on behalf of whoever is in a context."""

    _conditions: settings.Defaults

    # Conditions

    def terms(
        self,
        ttl_seconds: Any = None,
        priority: Any = 1.0,
        tags: Any = None,
        idle_seconds: Any = None,
        dependencies: Any = None,
        cost: Any = None,
    ) -> Terms:
        """Return checked conditions, the cache's defaults filled in."""
        return self._conditions.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)

    def terms_if_absent(self) -> Terms:
        """Return the usual conditions of an entry that is stored where there is none."""
        own = self._conditions.of_one(self.usual)
        return Terms(own.ttl, own.idle, absent=True)

    @staticmethod
    def renewal(ttl_seconds: Any, idle_seconds: Any) -> tuple[float, float]:
        """Return checked times for `touch`, negative where none is given."""
        ttl = arguments.positive_or_none("ttl_seconds", ttl_seconds)
        idle = arguments.positive_or_none("idle_seconds", idle_seconds)
        return -1.0 if ttl is None else ttl, -1.0 if idle is None else idle

    # Values

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
        """Check the conditions and store a value under them, on behalf of who is in a context."""
        session = arguments.session(context)
        terms = self.terms(ttl_seconds, priority, tags, idle_seconds, dependencies, cost)
        return self._put_checked(key, value, terms, session, arguments.asker(context))

    def put_if_absent(self, key: Any, value: Any) -> int:
        """Store a value unless the key is there; see `Store.put_if_absent`."""
        status = super().put_if_absent(key, value)
        if status == STORED:
            self._registered(key)
        return status

    def _put_checked(
        self, key: Any, value: Any, terms: Terms, session: str | None, asker: int
    ) -> bool:
        if self.layered:
            stored: bool = blocking.run(self.storing(key, value, terms, session, asker))
            return stored
        return self._keep(key, value, self._conditions.of_one(terms), session, asker)

    def _keep(self, key: Any, value: Any, terms: Terms, session: str | None, asker: int) -> bool:
        stored: bool = self.put_under(key, value, terms)
        if stored:
            self._registered(key, session)
            self.ascribe(key, asker)
        return stored

    def storing(self, key: Any, value: Any, terms: Terms, session: str | None, asker: int) -> Flow:
        """Return the flow that stores a value in memory and below, on behalf of a session."""
        if self.weighted and self.sizer is not None:
            self.measure_entry(key, value)  # what that raises comes before anything has changed

        def keep(own: Terms) -> bool:
            return self._keep(key, value, own, session, asker)

        return self.putting(key, value, self._conditions.of_one(terms), keep, session)

    def storing_many(
        self, pairs: Iterable[tuple[Any, Any]], terms: Terms, session: str | None, asker: int
    ) -> Flow:
        """Return the flow that stores several values in memory and below."""
        items = dict(pairs)
        if self.weighted and self.sizer is not None:
            for key, value in items.items():
                self.measure_entry(key, value)  # as above

        def keep(key: Any, value: Any) -> Callable[[Terms], bool]:
            return lambda own: self._keep(key, value, own, session, asker)

        return self.putting_many(
            [
                Item(key, value, self._conditions.of_one(terms), keep(key, value))
                for key, value in items.items()
            ],
            session,
        )

    def _registered(self, key: Any, session: str | None = None) -> None:
        """Note that a value was stored, where a session or a subscriber is concerned."""
        manager = self.consistency_manager
        if manager.listens and self._shared is None:
            facts = self.facts(key)
            if facts is not None:
                manager.register_write(key, session, facts["version"])
