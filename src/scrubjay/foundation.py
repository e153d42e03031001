"""What a cache is built on: its parts, and what its store asks of them.

What people call is in `scrubjay.cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from scrubjay import arguments, layers, settings
from scrubjay._core.constants import EVICTED, EVICTED_USED
from scrubjay._core.strategies import make_policy, strategy_name
from scrubjay._core.terms import Terms
from scrubjay._flow import blocking, load
from scrubjay._flow.effects import Flow
from scrubjay._flow.failures import Failures
from scrubjay._flow.flight import Loader
from scrubjay._flow.load import Demand
from scrubjay._flow.loading import Loading
from scrubjay._flow.sampler import TIMED
from scrubjay._flow.sweeper import sweeper
from scrubjay.clock import Clock, SystemClock
from scrubjay.codecs import Serializer
from scrubjay.consistency.manager import ConsistencyManager
from scrubjay.copying import copier, copying
from scrubjay.errors import InvalidArgumentError
from scrubjay.events import REMOVALS, Event, EventKind, Events
from scrubjay.observe.latency import Latency
from scrubjay.observe.listeners import CAUSES, Listeners
from scrubjay.observe.memory import Estimate
from scrubjay.prefetcher import PredictivePrefetcher, loaders_of
from scrubjay.restart import PathLike, checked_serializer
from scrubjay.storing import Storing
from scrubjay.tiers import scopes
from scrubjay.types import (
    CacheConsistencyLevel,
    CacheEvictionStrategy,
    CacheObjective,
    RemovalCause,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_DEFAULT_MB = 1024.0
_CHANGES = frozenset(  # removals after which what is known of a key is of the past
    {
        RemovalCause.INVALIDATED,
        RemovalCause.TAG,
        RemovalCause.DEPENDENCY,
        RemovalCause.CLEARED,
        RemovalCause.REJECTED,
    }
)


class Foundation(Storing[K, V]):
    """A store with all that a door needs. The arguments are those of `Cache`.

    Attributes:
        events: the hub, to which every part of the cache tells what happens.
        on_creation: called with each cache once it is complete; None for nobody. Only
            `scrubjay record` sets it, in a process that it starts a program in.
    """

    on_creation: ClassVar[Callable[[Any], object] | None] = None

    def __init__(
        self,
        max_size_mb: float | None = None,
        eviction_strategy: CacheEvictionStrategy | str = CacheEvictionStrategy.ADAPTIVE,
        consistency_level: CacheConsistencyLevel | str = CacheConsistencyLevel.EVENTUAL,
        enable_prefetching: bool = True,
        optimization_interval: float = 300,
        *,
        objective: CacheObjective | str | None = None,
        max_entries: int | None = None,
        loader: Callable[[Any], Any] | None = None,
        batch_loader: Callable[[list[Any]], Any] | None = None,
        loaders: Mapping[str, Callable[[Any], Any]] | None = None,
        prefetch_cost_ratio: float = 1.3,
        prefetch_concurrency: int = 8,
        prefetch_rate: float | None = None,
        sizer: Callable[[Any], int] | None = None,
        max_value_fraction: float = 0.1,
        ttl_seconds: float | None = None,
        idle_seconds: float | None = None,
        ttl_jitter: float = 0.0,
        negative_ttl_seconds: float | None = None,
        negative_errors: tuple[type[BaseException], ...] | type[BaseException] = (Exception,),
        clock: Clock | None = None,
        name: str | None = None,
        tiers: Iterable[Any] | None = None,
        namespace: str = "default",
        tenant: str | None = None,
        serializer: Serializer | None = None,
        stale_while_revalidate_seconds: float | None = None,
        stale_if_error_seconds: float | None = None,
        soft_timeout_seconds: float | None = None,
        hard_timeout_seconds: float | None = None,
        early_refresh: float = 0.0,
        consistency_check_share: float = 0.0,
        copy: Literal["deep"] | Callable[[Any], Any] | None = None,
        warm_file: PathLike | None = None,
        warm_rate: float | None = None,
    ) -> None:
        self.copier = copier(copy)
        memory, lower = layers.split(() if tiers is None else tiers)
        scope = scopes.scope(namespace, tenant)
        self._serializer = checked_serializer(serializer)
        max_size_mb = settings.either("max_size_mb", max_size_mb, memory.max_size_mb)
        max_entries = settings.either("max_entries", max_entries, memory.max_entries)
        if max_size_mb is None and max_entries is None:
            max_size_mb = _DEFAULT_MB
        bound = settings.entry_bound(max_entries)
        size = None if max_size_mb is None else settings.byte_bound(max_size_mb)
        self._fraction = arguments.fraction("max_value_fraction", max_value_fraction)
        self._strategy = strategy_name(eviction_strategy)
        self.objective = (
            None if objective is None else arguments.member("objective", CacheObjective, objective)
        )
        self._interval = arguments.positive("optimization_interval", optimization_interval)
        self._sources = loaders_of(
            loader, batch_loader, loaders, prefetch_concurrency, prefetch_rate
        )
        cost_ratio = arguments.number("prefetch_cost_ratio", prefetch_cost_ratio)
        if cost_ratio < 1.0:
            raise InvalidArgumentError(f"prefetch_cost_ratio: {cost_ratio!r} is below one")
        self._check_share = settings.check_share(consistency_check_share, TIMED)
        self._conditions = settings.Defaults(ttl_seconds, idle_seconds, ttl_jitter)
        self._wall: Clock = settings.clock(clock) or SystemClock()
        remembered = arguments.positive_or_none("negative_ttl_seconds", negative_ttl_seconds)
        kinds = settings.errors(negative_errors)
        rules = settings.rules(
            stale_while_revalidate_seconds,
            stale_if_error_seconds,
            soft_timeout_seconds,
            hard_timeout_seconds,
            early_refresh,
        )
        named = None if name is None else arguments.label("name", name)
        manager = ConsistencyManager(consistency_level)
        self._latency = Latency()
        super().__init__(
            make_policy(self._strategy, self.objective),
            clock,
            bound,
            size,
            settings.UNBOUNDED if size is None else int(size * self._fraction),
            arguments.function_or_none("sizer", sizer),
            self._latency,
        )
        self.grace = rules.grace
        self.eager = rules.early > 0.0  # whether a hit may begin a load
        self._rules = rules
        self.name = named
        self.namespace = namespace
        self.tenant = tenant
        self.enable_prefetching = bool(enable_prefetching)
        self.consistency_manager = manager
        self.optimization_history: list[dict[str, Any]] = []
        self._way = self.describe_policy().get("way")  # as of the last round of optimization
        self._asked: tuple[int, int] | None = None  # requests and misses before advice was
        self.events = Events()
        self._listeners = Listeners()
        self._estimate = Estimate()
        self._loads = Loading(
            self,
            None if remembered is None else Failures(clock, remembered, kinds),
            self._conditions.of_one,
            self._registered,
            self._latency.record_wait,
            self.objective is not CacheObjective.COST,
            self.events,
            rules,
        )
        #: what loads ahead; None without `enable_prefetching`, or without a loader
        self.prefetcher = PredictivePrefetcher.for_cache(
            self,
            self._loads,
            self._sources,
            cost_ratio,
            self._wall,
            self.events,
            self.enable_prefetching,
        )
        self.usual = self._conditions.usual
        self.guarded = self._conditions.vary or manager.keeps_sessions
        if manager.consistency_level is not CacheConsistencyLevel.EVENTUAL:
            self.keep_versions()
        manager.subscribed = self._tell_subscribers
        if lower:
            if self._serializer is None:
                self._serializer = Serializer()
            self.lay(lower, memory, scope, self._serializer, clock)
        if self.copier is not None:
            self.guarded = True  # no put goes past what copies
            self.__class__ = copying(type(self))
        self.keep_warm(warm_file, warm_rate)
        if Foundation.on_creation is not None:
            Foundation.on_creation(self)

    # Loads

    def reading(
        self,
        key: Any,
        loader: Any,
        terms: Terms,
        context: Any = None,
        demand: Demand | None = None,
    ) -> Flow:
        """Return the flow that loads a key which was missed."""
        if demand is not None:
            own = self._loader_for(key, loader)
            return load.load_at(self._loads, key, terms, own, demand)
        if context is not None and self._is_too_old(key, arguments.session(context)):
            return self.refreshing(key, loader, terms)
        if loader is None and self.prefetcher is not None:
            self.prefetcher.demanded(key, terms)
        if EventKind.MISS in self.events.wanted:
            self.events.publish(Event(EventKind.MISS, key))
        return load.read_through(self._loads, key, terms, self._loader_for(key, loader))

    def finding_many(
        self,
        missing: Sequence[Any],
        refused: Sequence[Any],
        terms: Terms,
        loader: Any,
        demand: Demand | None = None,
    ) -> Flow:
        """Return the flow that looks for several keys and loads them; see `Layered`."""
        if self.prefetcher is not None and self._sources.is_batch_loader(loader):
            for key in missing:
                self.prefetcher.demanded(key, terms)
        return super().finding_many(missing, refused, terms, loader, demand)

    def is_due(self, key: Any) -> bool:
        """Tell, by chance, whether an entry that was hit is to be loaded before it expires."""
        facts = self.facts(key)
        if facts is None:
            return False
        return self._rules.is_due(facts["deadline"] - self.now_seconds(), facts["cost"])

    def renewing(self, key: Any, loader: Any, terms: Terms) -> Flow:
        """Return the flow that begins to load an entry before it expires, and does not wait."""
        if EventKind.REFRESH in self.events.wanted:
            self.events.publish(Event(EventKind.REFRESH, key, detail="early"))
        return load.renew(self._loads, key, terms, self._loader_for(key, loader))

    def refreshing(self, key: Any, loader: Any, terms: Terms) -> Flow:
        """Return the flow that loads a key whether it is there or not."""
        if EventKind.REFRESH in self.events.wanted:
            self.events.publish(Event(EventKind.REFRESH, key))
        return load.refresh(self._loads, key, terms, self._loader_for(key, loader))

    def _loader_for(self, key: Any, loader: Any) -> Loader:
        if loader is None:
            source = self._sources.on_demand(key)
            if source is None:
                raise InvalidArgumentError("loader: none was given, here or to the cache")
            return Loader(source.single, (key,), {})
        if type(loader) is Loader:
            return loader
        return Loader(arguments.function("loader", loader), (key,), {})

    # What the store asks of its door

    def close(self) -> None:
        """End loading ahead, and close the tiers that the cache has opened. Entries stay.

        With a `warm_file` they are saved to it, the first time. Who goes on using the cache
        finds what is in memory, and nothing below.
        """
        if self.prefetcher is not None:
            self.prefetcher.close()
        ending = self.ending()
        if ending is not None:
            blocking.run(ending)
        super().close()

    def overtake(self, key: Any) -> None:
        """Void what is being loaded for `key`, and for what depends on it."""
        self._loads.overtake(key)

    def overtake_dependents(self, key: Any) -> None:
        """Void what is being loaded for what depends on `key`."""
        self._loads.overtake_dependents(key)

    def overtake_tags(self, tags: frozenset[str]) -> None:
        """Void what is being loaded with one of the tags."""
        self._loads.overtake_tags(tags)

    def overtake_all(self) -> None:
        """Void what is being loaded."""
        self._loads.overtake_all()

    def unsettled(self) -> list[Any]:
        """Return the keys that are being loaded, or whose failure is remembered."""
        return self._loads.keys()

    def begin_sweeping(self) -> None:
        """Have expired entries collected from now on."""
        sweeper.watch(self)

    def announce(self, key: Any, value: Any, cause: int) -> None:
        """Tell listeners and subscribers that an entry is gone."""
        if self.demoting:
            self.gone(key, value, cause)
            cause = EVICTED if cause == EVICTED_USED else cause
        kind = CAUSES[cause]
        if kind is not RemovalCause.REPLACED:
            self.given_up(key)
        if kind in _CHANGES:
            self.consistency_manager.tell(key, self.writes)
        self._listeners.announce(key, value, kind)
        told = REMOVALS[kind]
        if told in self.events.wanted:
            self.events.publish(Event(told, key, cause=kind))
        if told is EventKind.EVICT and self.layered and EventKind.DEMOTE in self.events.wanted:
            # It was stored there when it was stored here; nothing is to be moved.
            self.events.publish(Event(EventKind.DEMOTE, key, tier=self._below.levels[0].name))

    def _tell_subscribers(self) -> None:
        """Let no write and no removal pass unnoticed from now on."""
        self.keep_versions()
        self.guarded = True
        self.listening = True

    def memory_in_use(self) -> int:
        """Return the bytes that entries take: exact with a bound on size, else estimated."""
        return self.bytes if self.weighted else self._estimate.total(self)

    def stale_served(self) -> int:
        """Return how many old values were served in place of a load."""
        return self._loads.loads.stale

    def forget_counts(self) -> None:
        """Begin to count requests anew."""
        super().forget_counts()
        self.forget_lower_counts()
        self._latency.forget()
        self._gather_anew()

    def _gather_anew(self) -> None:
        """Let what was gathered for advice be of the past."""
        if self._asked is not None:
            self.gather(False)
            self.gather(True)
            self._asked = (self.requests, self.misses)
