"""One lower tier as a cache uses it: when it may be asked, and what it is owed."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from scrubjay._flow.breaker import Breaker, BreakerState
from scrubjay._flow.debts import Debts
from scrubjay._flow.effects import Ask, Effect
from scrubjay.errors import ConsistencyError, TierError, TierFullError, TierUnavailableError
from scrubjay.events import Event, EventKind, Events
from scrubjay.tiers import forks
from scrubjay.tiers.protocol import Tier, TierRecord

_log = logging.getLogger("scrubjay")
_CHUNK = 1000  # records removed in one call when a tier is back


class LevelCounts:
    """What a cache has asked of a tier, and what came of it."""

    hits = 0
    misses = 0
    errors = 0  # calls that failed
    skipped = 0  # calls that were not made, as the breaker was open
    writes = 0
    demoted = 0  # of these, what memory had evicted
    undecodable = 0
    lost = 0  # writes that waited, and were given up


class Level:
    """A lower tier of one cache.

    Args:
        tier: where records are.
        breaker: tells whether it may be asked now.
        events: where troubles are told.
        ttl_seconds: how long a record lives there at most; None for as long as the entry.
        owned: whether it is closed with the cache.
        versioned: whether its records have versions: a `SharedTier` used as one.
        demotes: whether it takes what memory evicts.
        demoted: whether it takes nothing else.
    """

    def __init__(
        self,
        tier: Tier,
        breaker: Breaker,
        events: Events,
        ttl_seconds: float | None = None,
        owned: bool = False,
        versioned: bool = False,
        demotes: bool = False,
        demoted: bool = False,
    ) -> None:
        self.tier = tier
        self.name = tier.name
        self.ttl = math.inf if ttl_seconds is None else ttl_seconds
        self.owned = owned
        self.versioned = versioned
        self.demotes = demotes or demoted
        self.demoted = demoted
        self._delete = "delete" if versioned else "delete_many"
        self.counts = LevelCounts()
        self.debts = Debts()
        self._breaker = breaker
        self._events = events
        self._settling = threading.Lock()  # held while it is told what it missed
        forks.watch(self)

    @property
    def state(self) -> BreakerState:
        """Whether it is being asked at present."""
        return self._breaker.state

    def after_fork(self) -> None:
        """Take locks that no thread of the parent holds."""
        self._breaker.after_fork()
        self._settling = threading.Lock()

    # Asking

    def ask(self, method: str, *given: Any, **named: Any) -> Generator[Effect, Any, Any]:
        """Call a method of the tier, once it has been told all that it missed.

        Raises:
            TierError: it could not do it, or was not asked as it failed before.
            ConsistencyError: it cannot promise what was asked for.
        """
        owing = bool(self.debts)  # before the look at who settles: he takes them away
        if self._settling.locked() or not self._breaker.admits():
            raise self._skipped()
        if owing and not self._settling.acquire(blocking=False):
            self._breaker.gave_up()
            raise self._skipped()
        try:
            if owing:
                yield from self._settle()
            answer = yield Ask(self.tier, method, given, named, self._took(method))
        except ConsistencyError:
            self._breaker.succeeded()  # it answers
            raise
        except Exception as error:
            raise self._failed(method, error) from error
        except BaseException:
            self._breaker.gave_up()
            raise
        if self._breaker.succeeded():
            self._tell(EventKind.BREAKER, "closed")
            self._tell(EventKind.RECOVERED, "it answers again")
        return answer

    @property
    def quiet(self) -> bool:
        """Whether `ask` would do nothing besides the call, if that goes well."""
        wanted = self._events.wanted
        return (
            self._breaker.untroubled
            and not (wanted and EventKind.TIER_CALL in wanted)
            and not self.debts
            and not self._settling.locked()
        )

    def failed(self, method: str, error: Exception) -> Exception:
        """Count a failure of a call that was made without `ask`; return the error to raise."""
        return error if isinstance(error, ConsistencyError) else self._failed(method, error)

    def get(self, names: Sequence[bytes]) -> Generator[Effect, Any, list[bytes | None]]:
        """Return the blobs of records; None for one that is not there."""
        blobs: list[bytes | None] = yield from self.ask("get_many", names)
        return blobs

    def put(self, records: list[TierRecord]) -> Generator[Effect, Any, list[bool]]:
        """Store records; return whether each was kept."""
        kept: list[bool] = yield from self.ask("put_many", records)
        self.counts.writes += sum(kept)
        return kept

    def bump(self, names: Sequence[bytes]) -> Generator[Effect, Any, Sequence[int]]:
        """Have the counters of keys move on with what was stored under them; return them."""
        numbers: list[int] = yield from self.ask("bump", names)
        return numbers

    @property
    def queued(self) -> int:
        """How many writes wait."""
        return 0

    @property
    def oldest(self) -> float:
        """For how many seconds the oldest of them has been waiting."""
        return 0.0

    def flush(self, until: float | None, last: bool = False) -> Generator[Effect, Any, bool]:
        """Write what waits: nothing does."""
        yield from ()
        return True

    def owe(self, keys: Sequence[bytes], names: Sequence[bytes]) -> None:
        """Note that records and counters there may be of the past."""
        if self.debts.add(list(keys), list(names)):
            self._tell(EventKind.OVERFLOW, "too much to remember: all its records will go")

    def _settle(self) -> Generator[Effect, Any, None]:
        """Tell the tier what it was not told; who comes meanwhile is sent away."""
        keys, names, everything = self.debts.take()
        try:
            if everything:
                yield Ask(self.tier, "clear", ())
            for start in range(0, len(keys), _CHUNK):
                yield Ask(self.tier, self._delete, (keys[start : start + _CHUNK],))
            for start in range(0, len(names), _CHUNK):
                yield Ask(self.tier, "bump", (names[start : start + _CHUNK],))
        except BaseException:
            self.debts.give_back(keys, names, everything)
            raise
        finally:
            self._settling.release()

    def _took(self, method: str) -> Callable[[float, BaseException | None], object] | None:
        """Return what is told how long a call took; None while nobody wants to know."""
        if EventKind.TIER_CALL not in self._events.wanted:
            return None

        def tell(seconds: float, error: BaseException | None) -> None:
            self._events.publish(
                Event(
                    EventKind.TIER_CALL,
                    tier=self.name,
                    seconds=seconds,
                    error=error,
                    detail=method,
                )
            )

        return tell

    def _skipped(self) -> TierUnavailableError:
        self.counts.skipped += 1
        return TierUnavailableError(f"{self.name}: it failed, and is left alone for now")

    def _failed(self, method: str, error: Exception) -> TierError:
        """Count a failure; return it as an error of ours."""
        self.counts.errors += 1
        self._tell(EventKind.TIER_ERROR, f"{method}: {error}", error)
        if isinstance(error, TierFullError):
            self._breaker.succeeded()  # it answers
        elif self._breaker.failed():
            self._tell(EventKind.BREAKER, "open")
            self._tell(EventKind.DEGRADED, f"left alone for a while: {error}")
        if isinstance(error, TierError):
            return error
        return TierUnavailableError(f"{self.name}: {type(error).__name__}: {error}")

    def _tell(self, kind: EventKind, detail: str, error: Exception | None = None) -> None:
        if kind in self._events.wanted:
            self._events.publish(Event(kind, tier=self.name, detail=detail, error=error))
        elif kind in _LOGGED:
            _log.warning("tier %s: %s: %s", self.name, kind.value, detail)


_LOGGED = frozenset({EventKind.DEGRADED, EventKind.RECOVERED, EventKind.OVERFLOW})
