"""How requests are answered and counted, and who is told of them."""

from __future__ import annotations

from typing import Any

from scrubjay._core.ahead import Ahead
from scrubjay._core.constants import (
    COUNT,
    EXPIRED_VALUE,
    FIRST_HIT,
    HIT,
    MISS,
    MISSING,
    MOVED_ON,
    NONE,
    SAMPLING,
)
from scrubjay._core.policy import Policy

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.streams import here


class Reading(Ahead):
    """Requests, whatever keys and values do meanwhile.

    The arguments are those of `Operations`, and one more.

    Args:
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
        self.checker: Any = None  # told of some hits, to look whether they were in order

    def request(self, key: Any, default: Any) -> Any:
        """Answer one request and count it: `fetch` for those outside the core."""
        return self.fetch(key, default)

    def fetch(self, key: Any, default: Any) -> Any:
        """Answer one request and count it."""
        if (self.requests & SAMPLING) != 0 and not self.watched:
            value = self.lookup(key, default)
            self.requests += 1
            return value
        return self.fetch_watched(key, default, None, 0)

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

    def count_hit(self, slot: int) -> Any:
        """Count a hit that needs no more than to be counted; return the value."""
        hits = self.columns.hits[slot] + 1
        self.columns.hits[slot] = hits
        if hits > COUNT:
            self.columns.note(slot)
        self.columns.accessed[slot] = self.tick
        return self.cells[2 * slot + 1]

    def fetch_in_session(self, key: Any, default: Any, session: Any, asker: int = 0) -> Any:
        """Answer one request of a session and count it.

        Args:
            key: the key.
            default: returned on a miss.
            session: what the observer is told of the session.
            asker: a number of 30 bits that stands for it, or 0.
        """
        return self.fetch_watched(key, default, session, asker)

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

    def request_untimed(self, key: Any) -> Any:
        """Count one request of those that wait for something else; return what is here."""
        if self.sampled != 0:
            return self.fetch(key, MISSING)
        return self.fetch_noted(key, MISSING, 0)

    # Where there are tiers below

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

    # Who is told

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

    def forget_counts(self) -> None:
        """Begin to count requests anew."""
        self.requests = 0
        self.misses = 0

    def count_conflict(self) -> None:
        """Count a request whose copy was too old to be shown."""
        self.requests += 1
        self.misses += 1
