"""How a read is answered: by memory, by memory once a barrier has confirmed it, or by a flow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Generic, TypeVar

from scrubjay import arguments
from scrubjay._core.constants import MISSING
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking, load
from scrubjay._flow.effects import Flow
from scrubjay._flow.load import Demand
from scrubjay._flow.sampler import TIMED
from scrubjay.consistency import Session
from scrubjay.events import Event, EventKind
from scrubjay.layered import DEMANDED, Layered
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Feed

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

REFUSED: Any = object()  # what is there is too old for who asks

_STRONGEST = Demand(CacheConsistencyLevel.STRONG, None)  # as every read of a cache at STRONG


class Remainder(Generic[K, V]):
    """What memory did not answer of a read of several keys.

    Args:
        store: which was read.
        keys: all of them, in order.
        found: what memory had.
        sought: the others.
        flow: finds them below, or loads them; its flight has the values found.
        context: who reads.
    """

    def __init__(
        self,
        store: Reading[K, V],
        keys: Sequence[K],
        found: dict[K, V],
        sought: Sequence[K],
        flow: Flow,
        context: Any,
    ) -> None:
        self.flow = flow
        self._store = store
        self._keys = keys
        self._found = found
        self._sought = sought
        self._context = context

    def joined(self, further: Mapping[K, V]) -> dict[K, V]:
        """Return what memory had and what the flow has found, in the order of the keys."""
        self._store.ascribe_many(self._sought, self._context)
        found = {**self._found, **further}
        return {key: found[key] for key in self._keys if key in found}


class Reading(Layered[K, V]):
    """A store that is read at a consistency level, on behalf of whoever is in a context."""

    # Counting a request, and answering it if that needs no flow

    def request_in_context(
        self,
        key: Any,
        context: Any,
        consistency_check: bool = True,
        level: CacheConsistencyLevel | None = None,
    ) -> Any:
        """Answer a request from memory alone and count it.

        Args:
            key: the key.
            context: who asks.
            consistency_check: whether the level is to be kept.
            level: at which it is asked for, for who checks; None for EVENTUAL.

        Returns:
            The value; MISSING if it is not there, REFUSED if it is too old for the session.
        """
        if context is None:
            return self.request(key, MISSING)
        session = arguments.session(context)
        if consistency_check and self._is_too_old(key, session):
            self.count_conflict()
            return REFUSED
        if session is not None and self._shared is not None:
            self._sessions.of(session, None)  # whom the core answers by itself the next time
        asker = arguments.asker(context)
        due = self.checker is not None and session is not None and self.requests % TIMED == 0
        value = self.fetch_in_session(key, MISSING, session, asker)
        self.ascribe(key, asker)
        if due and value is not MISSING:
            self.checker.hit(key, level)
        return value

    def request_at(self, key: Any, context: Any, demand: Demand) -> Any:
        """Count a request, and answer it if memory alone can tell; else MISSING."""
        if demand.session is None or demand.level is CacheConsistencyLevel.STRONG:
            self.request_strongly(key, context)
            return MISSING
        monotonic = demand.level is CacheConsistencyLevel.MONOTONIC
        value = self.fetch_permitted(key, demand.session, monotonic)
        if value is not MISSING:
            return value
        self.request_in_context(key, context, False, demand.level)
        assert self._shared is not None
        return self._shared.at_once(key, demand.level, demand.session)

    def request_many(
        self, keys: Iterable[Any], context: Any, demand: Demand | None = None
    ) -> tuple[dict[Any, Any], list[Any], list[Any]]:
        """Answer requests from memory alone and count them.

        Returns:
            The values of keys that are there; those that are not; those too old to be shown.
        """
        found: dict[Any, Any] = {}
        missing: list[Any] = []
        refused: list[Any] = []
        for key in keys:
            if demand is None:
                value = self.request_in_context(key, context)
            else:
                value = self.request_at(key, context, demand)
            if value is MISSING:
                missing.append(key)
            elif value is REFUSED:
                refused.append(key)
            else:
                found[key] = value
        return found, missing, refused

    def request_strongly(self, key: Any, context: Any) -> None:
        """Count a request at STRONG, which what is here does not answer unasked."""
        due = self.checker is not None and self.requests % TIMED == 0
        if context is None:
            self.request_untimed(key)
        else:
            session = arguments.session(context)
            asker = arguments.asker(context)
            self.fetch_in_session(key, MISSING, session, asker)
            self.ascribe(key, asker)
        if due:
            self.checker.hit(key, CacheConsistencyLevel.STRONG)

    def _is_too_old(self, key: Any, session: str | None) -> bool:
        """Tell whether what is there of a key must not be shown to a session."""
        manager = self.consistency_manager
        if session is None or not manager.keeps_sessions or self._shared is not None:
            return False
        facts = self.facts(key)
        if facts is None or manager.validate_read(key, facts["version"], session):
            return False
        if EventKind.CONFLICT in self.events.wanted:
            self.events.publish(Event(EventKind.CONFLICT, key))
        return True

    def ascribe_many(self, keys: Iterable[Any], context: Any) -> None:
        """Let the policy know who has just asked for several keys that were missed."""
        if context is not None:
            asker = arguments.asker(context)
            for key in keys:
                self.ascribe(key, asker)

    def reading_many(
        self, keys: Any, loader: Any, terms: Terms, context: Any, level: Any
    ) -> tuple[dict[K, V], Remainder[K, V] | None]:
        """Answer requests from memory and count them.

        Args:
            keys: the keys, as given to the call.
            loader: called with a list of keys, as given to the call; None to load none.
            terms: under which loaded values are stored.
            context: who reads.
            level: as given to the call; None for the cache's own.

        Returns:
            What memory has, in the order of the keys; and what is still to be done, if anything.

        Raises:
            InvalidArgumentError: an argument makes no sense.
        """
        checked = arguments.keys("keys", keys)
        function = arguments.function_or_none("loader", loader)
        demand = self.demand(context, level)
        found, missing, refused = self.request_many(checked, context, demand)
        if not (missing or refused) or (function is None and not self.layered):
            return found, None
        flow = self.finding_many(missing, refused, terms, function, demand)
        return found, Remainder(self, checked, found, (*missing, *refused), flow, context)

    # Levels

    def level_of_sessions(self, level: Any) -> CacheConsistencyLevel:
        """Return the level of a session's reads.

        Args:
            level: as given; None for the cache's own, and SESSION where that knows no sessions.
        """
        if level is not None:
            return arguments.member("consistency_level", CacheConsistencyLevel, level)
        own = self.consistency_manager.consistency_level
        return CacheConsistencyLevel.SESSION if own is CacheConsistencyLevel.EVENTUAL else own

    def demanded_here(self, level: CacheConsistencyLevel) -> int:
        """Return what the core is asked for by a session that reads at a level.

        Returns:
            As for `SessionReads`: -1 where memory does not answer it by itself.
        """
        if self.copier is not None:
            return -1
        if self._shared is not None:
            return DEMANDED[level]
        return -1 if self.consistency_manager.keeps_sessions else 0

    def demand(self, context: Any, level: Any) -> Demand | None:
        """Return how fresh a read must be that memory alone cannot tell; None if it can.

        Args:
            context: who reads.
            level: as given to the call; None for the cache's own.

        Raises:
            InvalidArgumentError: there is no such level, whoever shares the cache.
        """
        chosen = None
        if level is not None:
            chosen = arguments.member("consistency_level", CacheConsistencyLevel, level)
        if self._shared is None:
            return None
        if chosen is None:
            chosen = self.consistency_manager.consistency_level
        if chosen is CacheConsistencyLevel.EVENTUAL:
            return None
        session = self.session_of(context)
        if session is None and chosen is not CacheConsistencyLevel.STRONG:
            return None
        return Demand(chosen, session)

    def reading_at(self, key: Any, demand: Demand) -> Flow:
        """Return the flow that reads at a level; its flight has the value or MISSING."""
        return load.read_at(self._loads, key, demand)

    # Confirming by a barrier what is here

    def requested(self, key: Any, context: Any, demand: Demand) -> Any:
        """Count a request, and answer it if no more than a barrier is needed; else MISSING."""
        if demand.level is CacheConsistencyLevel.STRONG:
            value = self.confirmed(key, demand.session)
            if value is not MISSING:
                return value
        return self.request_at(key, context, demand)

    async def arequested(self, key: Any, context: Any, demand: Demand) -> Any:
        """See `requested`; awaits the barrier."""
        if demand.level is CacheConsistencyLevel.STRONG:
            value = await self.aconfirmed(key, demand.session)
            if value is not MISSING:
                return value
        return self.request_at(key, context, demand)

    def confirmed(self, key: Any, session: Session | None) -> Any:
        """Answer a request at STRONG with a copy and a barrier, if that is all it takes.

        Returns:
            The value; MISSING, with nothing counted, if more is to be asked.

        Raises:
            ConsistencyUnavailableError: the tier cannot promise it.
            TierError: the shared tier cannot be asked.
        """
        shared = self._shared
        wanted = None if shared is None else self.confirmer(key, session)
        if shared is None or wanted is None:
            return MISSING
        began = perf_counter()
        # Of a cluster the other primaries are not asked: they may be away, and know nothing of it.
        feed = blocking.ask(shared.shared.ask("barrier", (wanted,)))
        value = self.fetch_confirmed(key, session, feed)
        self._loads.waited(perf_counter() - began)
        return value

    async def aconfirmed(self, key: Any, session: Session | None) -> Any:
        """See `confirmed`; awaits the barrier."""
        wanted = None if self._shared is None else self.confirmer(key, session)
        if wanted is None:
            return MISSING
        return self.fetch_confirmed(key, session, await self.calling(wanted))

    def calling(self, wanted: Feed) -> Awaitable[Feed]:
        """Return what is to be awaited, now, for a barrier on the running event loop.

        Args:
            wanted: whose word it is about.
        """
        assert self._shared is not None
        loop = asyncio.get_running_loop()
        return self._shared.gathered(loop, wanted, self._loads.waited).feed()

    # What the store asks of its door

    def get_in_context(
        self, key: Any, default: Any, context: Any, consistency_check: bool, level: Any
    ) -> Any:
        """Read on behalf of a session; called by `get` where a context or a level is given."""
        if self._shared is not None or level is not None:
            demand = self.demand(context, level)
            if demand is not None:
                return self.fetch_at(key, default, context, demand)
        value = self.request_in_context(key, context, consistency_check)
        if value is MISSING and self.layered:
            value = self.fetch_below(key, MISSING)
            self.ascribe(key, arguments.asker(context))
        return default if value is MISSING or value is REFUSED else value

    def fetch_at(self, key: Any, default: Any, context: Any, demand: Demand) -> Any:
        """Read at a level that a shared tier keeps."""
        value = self.requested(key, context, demand)
        if value is MISSING:
            value = blocking.run(self.reading_at(key, demand))
        return default if value is MISSING else value

    def fetch_strictly(self, key: Any, default: Any) -> Any:
        """Read at the level of the cache, which is STRONG."""
        value = self.confirmed(key, None)
        if value is not MISSING:
            return value
        self.request_strongly(key, None)
        value = blocking.run(self.reading_at(key, _STRONGEST))
        return default if value is MISSING else value

    def fetch_below(self, key: Any, default: Any) -> Any:
        """Look for what memory missed in the tiers."""
        value = blocking.run(self.finding(key))
        return default if value is MISSING else value

    def take_layered(self, key: Any) -> Any:
        """Remove a key everywhere; return its value, or MISSING."""
        if self.strict:
            value = blocking.run(self.reading_at(key, _STRONGEST))
        else:
            value = self.peek(key, MISSING)
            if value is MISSING:
                value = blocking.run(self.finding(key))
        blocking.run(self.forgetting(key))
        return value

    def default_layered(self, key: Any, default: Any) -> Any:
        """Return what there is of a key; if nothing, store a value everywhere."""
        if self.strict:
            value = self.fetch_strictly(key, MISSING)
        else:
            value = self.request(key, MISSING)
            if value is MISSING:
                value = self.fetch_below(key, MISSING)
        if value is MISSING:
            self.put(key, default)
            value = default
        return value
