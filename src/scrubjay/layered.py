"""A store with tiers below it, as the doors use them together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from scrubjay import arguments, layers
from scrubjay._core.constants import EVICTED, EVICTED_USED
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking, bulk, load
from scrubjay._flow.behind import BehindLevel
from scrubjay._flow.breaker import BreakerState
from scrubjay._flow.bulk_coherent import BulkCoherent
from scrubjay._flow.bulk_lower import BulkLower, Item
from scrubjay._flow.bulk_stack import BulkStack
from scrubjay._flow.effects import Flow
from scrubjay._flow.flight import Flight
from scrubjay._flow.keeper import keeper
from scrubjay._flow.level import LevelCounts
from scrubjay._flow.load import Demand
from scrubjay._flow.loading import Loading
from scrubjay._flow.probing import probe
from scrubjay._flow.sampler import Sampler
from scrubjay.clock import Clock, SystemClock
from scrubjay.closing import Closing
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.consistency import ConsistencyManager, Session
from scrubjay.consistency.sessions import Sessions
from scrubjay.consistency.tokens import Signer
from scrubjay.errors import ConfigurationError, InvalidArgumentTypeError, TierError
from scrubjay.events import Event, EventKind, Events
from scrubjay.mapping import StoreMapping
from scrubjay.observe.statistics import TierGroup
from scrubjay.tiers.protocol import Tier
from scrubjay.types import CacheConsistencyLevel

if TYPE_CHECKING:
    from scrubjay.web.board import Board

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CLOSING = 5.0  # seconds for which closing waits for what is to be written
_NONE = Terms()
_EVICTIONS = frozenset({EVICTED, EVICTED_USED})
#: what a session asks the core for at each level; see `SessionReads`
DEMANDED = {
    CacheConsistencyLevel.EVENTUAL: 0,
    CacheConsistencyLevel.SESSION: 1,
    CacheConsistencyLevel.MONOTONIC: 2,
    CacheConsistencyLevel.STRONG: -1,
}


class Layered(StoreMapping[K, V], Closing):
    """A store that may have tiers below it; without any it is as it was.

    Attributes:
        namespace: tells this cache's records from those of others in the same tiers.
        tenant: tells one tenant's records from another's in the namespace.
    """

    namespace: str
    tenant: str | None
    events: Events
    _loads: Loading
    consistency_manager: ConsistencyManager
    copier: Callable[[Any], Any] | None
    _stack: BulkStack | None = None
    _shared: BulkCoherent | None = None
    _check_share = 0.0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._sessions = Sessions()

    def lay(
        self,
        lower: list[layers.LowerLayer],
        memory: layers.Memory,
        scope: str,
        serializer: Serializer,
        clock: Clock | None,
    ) -> None:
        """Put the store upon tiers."""
        last = lower[-1]
        levels = [layer.level(scope, clock, self.events, layer is last) for layer in lower]
        shared = levels.pop() if levels[-1].versioned else None
        if shared is not None and any(isinstance(level, BehindLevel) for level in levels):
            raise ConfigurationError(
                f"writes: 'behind' is not for a cache over {shared.name}: copies there have the "
                "version that it issues"
            )
        time = SystemClock() if clock is None else clock
        encode = KeyEncoder(self.namespace, self.tenant)
        below = BulkLower(
            levels, encode, serializer, time, self, self.events, memory.ttl_seconds, self.grace
        )
        if shared is None:
            self._stack = BulkStack(self, below, self._loads)
        else:
            silence = arguments.positive("max_silence_seconds", last.max_silence_seconds)
            lease = arguments.positive("lease_seconds", last.lease_seconds)
            level = self.consistency_manager.consistency_level
            forgiving = level is CacheConsistencyLevel.EVENTUAL
            self._stack = self._shared = BulkCoherent(
                self, below, shared, self._loads, time, silence, lease, forgiving
            )
            self.serve_sessions(self._sessions.known, DEMANDED[level], silence)
            if self._check_share > 0.0:
                self.checker = Sampler(self._shared, self._check_share, self._conflicted)
            if clock is None:  # a clock of one's own does not go on by itself
                keeper.watch(self._shared, silence / 4.0)
            self.strict = level is CacheConsistencyLevel.STRONG
        if self._shared is not None or self._stack.demotion is not None:
            self.listening = True  # of what memory gives up
        self.demoting = self._stack.demotion is not None
        self._loads.stack = self._stack
        self.layered = True
        self.guarded = True  # no put goes past the tiers

    # Flows, for either driver

    def finding(self, key: Any) -> Flow:
        """Return the flow that looks for a key below; its flight has the value or MISSING."""
        if EventKind.MISS in self.events.wanted:
            self.events.publish(Event(EventKind.MISS, key))
        return load.find(self._loads, key)

    def finding_many(
        self,
        missing: Sequence[Any],
        refused: Sequence[Any],
        terms: Terms,
        loader: Any,
        demand: Demand | None = None,
    ) -> Flow:
        """Return the flow that looks for several keys below, and loads them if there is a loader.

        Args:
            missing: keys that memory does not have.
            refused: keys whose values are too old; loaded in any case, if there is a loader.
            terms: under which loaded values are stored.
            loader: called with a list of keys; None to load none.
            demand: how fresh the missing ones must be, where memory alone cannot tell.

        Raises:
            InvalidKeyError: a key has no bytes of its own, which tiers need.
        """
        if self._stack is not None:
            for key in (*missing, *refused):
                self._stack.lower.name_of(key)
        if EventKind.MISS in self.events.wanted and demand is None:
            for key in missing:
                self.events.publish(Event(EventKind.MISS, key))
        return bulk.read_many(self._loads, self._stack, missing, refused, terms, loader, demand)

    def putting(
        self,
        key: Any,
        value: Any,
        terms: Terms,
        keep: Callable[[Terms], bool],
        session: str | None,
    ) -> Flow:
        """Return the flow that stores a value everywhere, on behalf of a session."""
        return self._below.put(key, value, terms, keep, self._known(session))

    def putting_many(self, items: Sequence[Item], session: str | None) -> Flow:
        """Return the flow that stores several values everywhere, on behalf of a session."""
        return self._below.put_many(items, self._known(session))

    def forgetting_many(self, keys: Sequence[Any], context: Any = None) -> Flow:
        """Return the flow that removes several keys, on behalf of who is in the context."""
        return self._below.forget_many(keys, self.session_of(context))

    def forgetting(self, key: Any, context: Any = None) -> Flow:
        """Return the flow that removes a key everywhere, on behalf of who is in the context."""
        return self._below.forget(key, self.session_of(context))

    def forgetting_tags(self, tags: frozenset[str], context: Any = None) -> Flow:
        """Return the flow that removes what carries one of the tags, everywhere."""
        return self._below.forget_tags(tags, self.session_of(context))

    def forgetting_all(self) -> Flow:
        """Return the flow that removes everything everywhere."""
        return self._below.forget_all()

    def touching(self, key: Any, ttl: float, idle: float) -> Flow:
        """Return the flow that renews an entry that is in memory, everywhere."""
        return self._below.touch(key, ttl, idle)

    @property
    def _below(self) -> BulkStack:
        assert self._stack is not None
        return self._stack

    def probing(self, key: Any) -> Flow:
        """Return the flow that tells what each tier below has of a key, as `TierReport`s.

        Raises:
            InvalidKeyError: the key has no bytes of its own.
        """
        lower = self._below.lower
        name = lower.name_of(key)
        if self._shared is None:
            return probe(lower, name)
        return probe(lower, name, self._shared.shared, self._shared.watched(name))

    def node_board(self) -> Board | None:
        """Return where nodes tell of themselves; None without a tier that they share."""
        if self._shared is None:
            return None
        from scrubjay.web.board import Board  # noqa: PLC0415 - few want it

        return self._shared.lower.on_board(Board, self._shared.shared.tier)

    # Sessions

    def known_session(self, session_id: str, token: str | None, signer: Signer | None) -> Session:
        """Return what is known of a session: what it has written here, and read.

        Args:
            session_id: as in `context`.
            token: of the same session, from another process.
            signer: must have signed it; None if none has.

        Raises:
            InvalidTokenError: it is damaged or forged.
            EpochChangedError: it is of another server than what is known here.
            InvalidArgumentTypeError: there is no name: all without one would be one session.
        """
        if session_id is None:
            raise InvalidArgumentTypeError("session_id: None names no session")
        return self._sessions.of(str(session_id), token, signer)

    def session_of(self, context: Any) -> Session | None:
        """Return the session that a context names, or is given with."""
        return self._known(arguments.session(context))

    def _known(self, session: str | None) -> Session | None:
        if session is None or self._shared is None:
            return None
        return self._sessions.of(session, None)

    # Telling and closing

    def lower_tiers(self, *taken: str) -> dict[str, TierGroup]:
        """Return what is counted of the tiers below memory, by their names, top to bottom.

        Of several with one name the second has a 2 behind it, and so on.

        Args:
            *taken: names that others have already.
        """
        groups: dict[str, TierGroup] = {}
        for level in () if self._stack is None else self._stack.levels:
            size: Any = None
            if hasattr(level.tier, "size"):
                with suppress(TierError):
                    size = level.tier.size()
            counts = level.counts
            name = level.name
            numbered = (f"{level.name} {number}" for number in count(2))
            while name in taken or name in groups:
                name = next(numbered)
            groups[name] = TierGroup(
                hits=counts.hits,
                misses=counts.misses,
                entries=None if size is None else size.entries,
                bytes=None if size is None else size.bytes,
                capacity_bytes=None if size is None else size.capacity,
                state="ok" if level.state is BreakerState.CLOSED else level.state.value,
                writes=counts.writes,
                demoted=counts.demoted,
                queued=level.queued,
                oldest_seconds=level.oldest,
                lost=counts.lost,
                errors=counts.errors,
                skipped=counts.skipped,
                undecodable=counts.undecodable,
                owed=len(level.debts),
            )
        return groups

    def lower_hits(self) -> int:
        """Return how many requests the tiers have answered that memory missed."""
        if self._stack is None:
            return 0
        return sum(level.counts.hits for level in self._stack.levels)

    def forget_lower_counts(self) -> None:
        """Begin to count anew what the tiers are asked."""
        for level in () if self._stack is None else self._stack.levels:
            level.counts = LevelCounts()

    def flushing(self, timeout_seconds: Any = None, last: bool = False) -> Flow:
        """Return the flow that writes what waits; its flight has whether all was.

        Args:
            timeout_seconds: how long that may take; None for any time.
            last: whether what is left then is given up.
        """
        seconds = arguments.positive_or_none("timeout_seconds", timeout_seconds)
        own = Flight(self._loads, "what waits", _NONE, None)
        done = True
        if self._stack is not None:
            done = yield from self._stack.flush(seconds, last)
        own.complete(done)
        return own

    def _conflicted(self, key: Any, level: CacheConsistencyLevel) -> None:
        if EventKind.CONFLICT in self.events.wanted:
            detail = f"a copy shown at {level.value} was not the last there was"
            self.events.publish(Event(EventKind.CONFLICT, key, detail=detail))

    def checks(self) -> tuple[int, dict[str, int]]:
        """Return how many hits were checked, and at which levels copies were not the last."""
        if self._shared is None:
            return 0, {}
        replica = self._shared.replica
        return replica.rechecked, {level.value: n for level, n in replica.conflicts.items()}

    def close(self) -> None:
        """Close the tiers that the cache has opened. Entries in memory stay.

        Who goes on using the cache finds what is in memory, and nothing below.
        """
        blocking.run(self.flushing(CLOSING, last=True))
        for tier in self.own_tiers():
            tier.close()

    def given_up(self, key: Any) -> None:
        """Note that memory has given an entry up."""
        if self._shared is not None:
            self._shared.given_up(key)

    def gone(self, key: Any, value: Any, cause: int) -> None:
        """Note that an entry has left memory, where it may go down."""
        if self._stack is not None:
            self._stack.gone(key, value, cause if cause in _EVICTIONS else None)

    def own_tiers(self) -> list[Tier]:
        """Return the tiers that the cache has opened."""
        return [] if self._stack is None else self._stack.own_tiers()
