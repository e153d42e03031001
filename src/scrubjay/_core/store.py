"""The store: what the doors open onto, and all that a hit touches."""

from __future__ import annotations

from typing import Any

from scrubjay._core.ahead import Ahead
from scrubjay._core.constants import (
    AGAIN,
    COUNT,
    EXPIRED_VALUE,
    FENCED,
    FIRST_HIT,
    HIT,
    INVALIDATED,
    MISS,
    MISSING,
    MOVED_ON,
    NONE,
    PRESENT,
    SAMPLING,
    STORED,
)
from scrubjay._core.evidence import Evidence
from scrubjay._core.floors import SessionFloors
from scrubjay._core.operations import IF_ABSENT, PLAIN
from scrubjay._core.policy import Policy
from scrubjay._core.terms import Terms
from scrubjay._core.watches import Link
from scrubjay.types import CacheConsistencyLevel

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.streams import here

MISSING_PAIR: Any = object()
BY_SESSION: Any = CacheConsistencyLevel.SESSION
MONOTONICALLY: Any = CacheConsistencyLevel.MONOTONIC
UNASKED: Any = CacheConsistencyLevel.EVENTUAL
BY_NAME = {UNASKED.value: 0, BY_SESSION.value: 1, MONOTONICALLY.value: 2}


class Store(Ahead):
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

    def __init__(
        self,
        policy: Policy,
        clock: Any,
        entry_limit: int,
        byte_limit: int | None,
        value_limit: int,
        sizer: Any,
        latency: Any,
    ) -> None:
        Ahead.__init__(self, policy, clock, entry_limit, byte_limit, value_limit, sizer)
        self.latency = latency
        self.misses = 0
        self.layered = False  # whether there are tiers below
        self.strict = False  # whether these are asked for what is here, too
        # The sessions by name, where entries are copies of what others may change.
        self.sessions: dict[str, Any] | None = None
        self.checker: Any = None  # told of some hits, to look whether they were in order
        self.demanded = 0  # of who has a session: 1 for SESSION, 2 for MONOTONIC, -1 for more

    # Reading

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

    def fetch_by_session(self, key: Any, context: Any, level: Any) -> Any:
        """Answer one request of a session, below STRONG, if that takes no look elsewhere.

        Args:
            key: the key.
            context: who asks.
            level: None for that of the cache.

        Returns:
            The value; MISSING, with nothing counted, where it has to be found out whether
            there is one that may be shown.
        """
        if level is None:
            demanded = self.demanded
        elif level is BY_SESSION:
            demanded = 1
        elif level is MONOTONICALLY:
            demanded = 2
        elif level is UNASKED:
            demanded = 0
        else:
            demanded = BY_NAME.get(level, -1) if type(level) is str else -1
        if demanded < 0 or type(context) is not dict:
            return MISSING
        given = context
        name = given.get("session_id")
        if type(name) is not str:
            return MISSING
        session = self.sessions.get(name)  # type: ignore[union-attr]
        if session is None:
            return MISSING
        session.wanted = True
        return self.fetch_vouched(key, session, demanded, None)

    def fetch_at_once(self, key: Any, context: Any, level: Any) -> Any:
        """See `fetch_by_session`; for those outside the core."""
        if self.sessions is None or context is None:
            return MISSING
        return self.fetch_by_session(key, context, level)

    def fetch_permitted(self, key: Any, session: SessionFloors, monotonic: bool) -> Any:
        """See `fetch_vouched`; for those outside the core."""
        if session is None:
            return MISSING
        return self.fetch_vouched(key, session, 2 if monotonic else 1, None)

    def confirmer(self, key: Any, session: SessionFloors | None) -> Any:
        """Return what watches a copy for which STRONG takes no more than a barrier there.

        None if there is no such copy.
        """
        stamp = self.stamp
        slot = self.locate(key)
        return None if slot == NONE else self.confirmer_at(slot, session, stamp)

    def fetch_confirmed(self, key: Any, session: SessionFloors | None, feed: Link) -> Any:
        """Answer one request at STRONG after a barrier; see `fetch_vouched`."""
        return self.fetch_vouched(key, session, 3, feed)

    def fetch_for(self, key: Any, session: SessionFloors, demanded: int) -> Any:
        """See `fetch_vouched`, below STRONG; for `scrubjay._core.session_reads`."""
        return self.fetch_vouched(key, session, demanded, None)

    def fetch_vouched(
        self, key: Any, session: SessionFloors | None, demanded: int, feed: Link | None
    ) -> Any:
        """Answer one request with a copy that may be shown as things stand.

        Args:
            key: the key.
            session: who asks; None for nobody in particular, which is for STRONG alone.
            demanded: 0 for whatever is there, 1 for SESSION, 2 for MONOTONIC, 3 for STRONG.
            feed: of the connection that has come through a barrier, for STRONG.

        Returns:
            The value; MISSING, with nothing counted, if there is none that surely may.
        """
        if (self.requests & SAMPLING) == 0 or self.sampled != 0:
            return MISSING  # to be timed or told of
        while True:
            now = 0.0 if self.clock is None else self.now()
            stamp = self.stamp
            slot = self.locate(key)
            if slot == NONE:
                return MISSING
            proven = self.prefetched.proven
            if not self.watchful:
                if demanded != 0 and not self.permitted(slot, session, demanded, now, feed):
                    return MISSING
                value = self.count_hit(slot)
                break
            if demanded != 0:
                status = self.judge(slot, session, demanded, now, feed, stamp)
                if status == AGAIN:
                    continue
                if status == FENCED:
                    return MISSING
            value = self.read(slot, stamp, now)
            if value is MOVED_ON:
                continue
            if value is EXPIRED_VALUE:
                return MISSING
            self.policy.settle()
            break
        self.requests += 1
        asker = 0 if session is None else session.asker
        if asker != 0 and self.policy.social:
            if not self.columns.has_session:
                self.heed_sessions()
            self.note_session(slot, asker, stamp)
        if self.accesses.size > 0:
            outcome = HIT if self.prefetched.proven == proven else FIRST_HIT
            due = self.note_access(key, outcome, asker if asker != 0 else here())
            if due or outcome != HIT:
                self.wake_learner(outcome != HIT)
        return value

    def attest_key(self, key: Any, evidence: Evidence) -> Any:
        """Say why an entry may be shown; return what was said before, to be let go."""
        while True:
            stamp = self.stamp
            slot = self.locate(key)
            if slot == NONE:
                return None
            before = self.attest(slot, evidence, stamp)
            if before is not MOVED_ON:
                return before

    def vouch(self, key: Any, evidence: Evidence) -> None:
        """Say why an entry may be shown, until another value is stored there."""
        self.attest_key(key, evidence)

    def serve_sessions(self, sessions: dict[str, Any], demanded: int, silence: float) -> None:
        """Answer sessions at SESSION and MONOTONIC from copies that are vouched for.

        Args:
            sessions: by name.
            demanded: of who says nothing: 0 for EVENTUAL, 1 for SESSION, 2 for MONOTONIC, -1 for
                STRONG.
            silence: the seconds for which who tells of changes may have told nothing.
        """
        self.keep_versions()
        self.silence = silence
        self.demanded = demanded
        self.sessions = sessions

    def get_in_context(
        self, key: Any, default: Any, context: Any, consistency_check: bool, level: Any
    ) -> Any:
        """Read on behalf of a session; a door that keeps sessions does more here."""
        return self.fetch(key, default)

    def fetch(self, key: Any, default: Any) -> Any:
        """Answer one request and count it."""
        if (self.requests & SAMPLING) != 0 and not self.watched:
            value = self.lookup(key, default)
            self.requests += 1
            return value
        return self.fetch_watched(key, default, None, 0)

    def fetch_in_session(self, key: Any, default: Any, session: Any, asker: int = 0) -> Any:
        """Answer one request of a session and count it.

        Args:
            key: the key.
            default: returned on a miss.
            session: what the observer is told of the session.
            asker: a number of 30 bits that stands for it, or 0.
        """
        return self.fetch_watched(key, default, session, asker)

    def fetch_layered(self, key: Any, default: Any) -> Any:
        """Answer one request and count it; look below where it misses."""
        if self.strict:
            return self.fetch_strictly(key, default)
        value = self.fetch(key, MISSING)
        return self.fetch_below(key, default) if value is MISSING else value

    def fetch_strictly(self, key: Any, default: Any) -> Any:
        """Answer one request where what is here may not be shown unasked."""
        return self.fetch_below(key, default)

    def fetch_below(self, key: Any, default: Any) -> Any:
        """Answer what this store missed; a door with lower tiers looks there."""
        return default

    def fetch_watched(self, key: Any, default: Any, session: Any, asker: int) -> Any:
        """Answer one request and count it; tell of it, and time it, where that is due."""
        if (self.requests & SAMPLING) != 0 and self.sampled == 0:
            return self.fetch_noted(key, default, asker)
        timed = (self.requests & SAMPLING) == 0
        start = self.ticks.exact() if timed else 0.0
        value = self.fetch_noted(key, MISSING, asker)
        if timed:
            end = self.ticks.exact()
            self.latency.record(end - start, SAMPLING + 1)
            if self.clock is None:
                self.tick = self.moment(end)
            # Of those who have a session the door knows more.
            if self.checker is not None and session is None and value is not MISSING:
                self.checker.hit(key, None)
        observer = self.observer
        if observer is not None and self.is_sampled(self.spread(key)):
            observer.requested(key, value is not MISSING, session)
        return default if value is MISSING else value

    def fetch_noted(self, key: Any, default: Any, asker: int) -> Any:
        """Answer one request, count it, and note it for who learns from requests."""
        proven = self.prefetched.proven
        value = self.lookup(key, MISSING)
        self.requests += 1
        if self.accesses.size > 0:
            outcome = HIT
            if value is MISSING:
                outcome = MISS
            elif self.prefetched.proven != proven:
                outcome = FIRST_HIT
            due = self.note_access(key, outcome, asker if asker != 0 else here())
            if due or outcome != HIT:
                self.wake_learner(outcome != HIT)
        return default if value is MISSING else value

    def ascribe(self, key: Any, session: int) -> None:
        """Let the policy know which session has just asked for a key, if that is there.

        Args:
            key: the key.
            session: a number of 30 bits that stands for the session, or 0.
        """
        if session == 0 or not self.policy.social:
            return
        if not self.columns.has_session:
            self.heed_sessions()
        while True:
            stamp = self.stamp
            slot = self.locate(key)
            if slot == NONE or self.note_session(slot, session, stamp):
                return

    def observe(self, observer: Any, sampled: int) -> None:
        """Tell an observer of requests and stores from now on; None for nobody.

        Args:
            observer: has ``requested(key, hit, session)`` and ``stored(key, size, cost)``,
                which raise nothing.
            sampled: of each 2**31 keys, how many are told of.
        """
        self.sampled = 0
        self.observer = observer
        if observer is not None:
            self.sampled = sampled
        self.heed()

    def request(self, key: Any, default: Any) -> Any:
        """Answer one request and count it: `fetch` for those outside the core."""
        return self.fetch(key, default)

    def count_hit(self, slot: int) -> Any:
        """Count a hit that needs no more than to be counted; return the value."""
        hits = self.columns.hits[slot] + 1
        self.columns.hits[slot] = hits
        if hits > COUNT:
            self.columns.note(slot)
        self.columns.accessed[slot] = self.tick
        return self.cells[2 * slot + 1]

    def request_untimed(self, key: Any) -> Any:
        """Count one request of those that wait for something else; return what is here."""
        if self.sampled != 0:
            return self.fetch(key, MISSING)
        return self.fetch_noted(key, MISSING, 0)

    def lookup(self, key: Any, default: Any) -> Any:
        """Answer a request; count a miss."""
        while True:
            stamp = self.stamp
            slot = self.locate(key)
            if slot == NONE:
                self.misses += 1
                return default
            if not self.watchful:
                return self.count_hit(slot)
            value = self.read(slot, stamp, 0.0 if self.clock is None else self.now())
            if value is MOVED_ON:
                continue
            if value is EXPIRED_VALUE:
                self.collect(self.now(), True, 1)
                self.misses += 1
                return default
            self.policy.settle()
            return value

    # Writing

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
        if (
            ttl_seconds is None
            and idle_seconds is None
            and tags is None
            and context is None
            and dependencies is None
            and cost is None
            and type(priority) is float
            and priority == 1.0
            and not self.defaults
        ):
            return self.write(key, value, PLAIN) == STORED
        return self.put_with(
            key, value, ttl_seconds, priority, tags, context, idle_seconds, dependencies, cost
        )

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
        """Store a value under conditions; a door checks them first."""
        raise NotImplementedError

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put(key, value)

    def __getitem__(self, key: Any) -> Any:
        value = self.fetch_layered(key, MISSING) if self.layered else self.fetch(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

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

    def put_if_absent(self, key: Any, value: Any) -> int:
        """Store a value unless the key is there: then PRESENT is returned."""
        return self.write(key, value, IF_ABSENT)

    def put_under(self, key: Any, value: Any, terms: Terms) -> bool:
        """Store a value under checked conditions; False if too large or fenced off."""
        return self.write(key, value, terms) == STORED

    def forget_counts(self) -> None:
        """Begin to count requests anew."""
        self.requests = 0
        self.misses = 0

    def count_conflict(self) -> None:
        """Count a request whose copy was too old to be shown."""
        self.requests += 1
        self.misses += 1
