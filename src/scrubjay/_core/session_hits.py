"""Hits that keep a consistency level, answered from copies that are vouched for.

Beside an entry that is a copy of what others may change lies its `Evidence`. What is here says
yes, and counts the hit, or says nothing, and counts nothing: whoever asks then goes the long way.
See `docs/decisions/0027-session-hits-in-the-core.md`.
"""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import (
    AGAIN,
    CERTAIN,
    EXPIRED_VALUE,
    FENCED,
    FIRST_HIT,
    HIT,
    MISSING,
    MOVED_ON,
    NONE,
    SAMPLING,
    STORED,
)
from scrubjay._core.evidence import Evidence
from scrubjay._core.floors import SessionFloors
from scrubjay._core.policy import Policy
from scrubjay._core.reading import Reading
from scrubjay._core.section import indivisible
from scrubjay._core.watches import Link
from scrubjay.types import CacheConsistencyLevel

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.streams import here

BY_SESSION: Any = CacheConsistencyLevel.SESSION
MONOTONICALLY: Any = CacheConsistencyLevel.MONOTONIC
UNASKED: Any = CacheConsistencyLevel.EVENTUAL
BY_NAME = {UNASKED.value: 0, BY_SESSION.value: 1, MONOTONICALLY.value: 2}


class SessionHits(Reading):
    """Evidence by slot, and the hits that it allows.

    The arguments are those of `Reading`.
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
        # Why entries may be shown, by slot, where they are copies of what others may change.
        self.evidence: list[Evidence | None] = []
        self.silence = 0.0  # seconds for which who tells of that may have told nothing
        # The sessions by name, where there are such copies.
        self.sessions: dict[str, Any] | None = None
        self.demanded = 0  # of who has a session: 1 for SESSION, 2 for MONOTONIC, -1 for more
        Reading.__init__(self, policy, clock, entry_limit, byte_limit, value_limit, sizer, latency)

    # Operations

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

    def fetch_for(self, key: Any, session: SessionFloors, demanded: int) -> Any:
        """See `fetch_vouched`, below STRONG; for `scrubjay._core.session_reads`."""
        return self.fetch_vouched(key, session, demanded, None)

    def fetch_confirmed(self, key: Any, session: SessionFloors | None, feed: Link) -> Any:
        """Answer one request at STRONG after a barrier; see `fetch_vouched`."""
        return self.fetch_vouched(key, session, 3, feed)

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

    def confirmer(self, key: Any, session: SessionFloors | None) -> Any:
        """Return what watches a copy for which STRONG takes no more than a barrier there.

        None if there is no such copy.
        """
        stamp = self.stamp
        slot = self.locate(key)
        return None if slot == NONE else self.confirmer_at(slot, session, stamp)

    def vouch(self, key: Any, evidence: Evidence) -> None:
        """Say why an entry may be shown, until another value is stored there."""
        self.attest_key(key, evidence)

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

    # Steps

    def attest(self, slot: int, evidence: Evidence, stamp: int) -> Any:
        """Say why an entry may be shown, until another value is stored there.

        What was said before is returned, as it must not be let go in the midst of a step;
        MOVED_ON if the table has changed since `stamp`.
        """
        if self.stamp != stamp:
            return MOVED_ON
        if not self.columns.has_version:
            return None
        if slot >= len(self.evidence):
            paused = self.pause()
            self.evidence.extend([None] * (self.slots - len(self.evidence)))
            self.resume(paused)
        before = self.evidence[slot]
        evidence.write = self.columns.version[slot]
        self.evidence[slot] = evidence
        return before

    def permitted(
        self, slot: int, session: SessionFloors | None, demanded: int, now: float, feed: Link | None
    ) -> bool:
        """Tell whether an entry may be shown as things stand. Part of a step.

        Args:
            slot: of the entry.
            session: who asks; None for nobody in particular, which is for STRONG alone.
            demanded: 1 for SESSION, 2 for MONOTONIC, 3 for STRONG.
            now: monotonic time, of a clock of one's own.
            feed: of the connection that has come through a barrier, for STRONG.
        """
        if slot >= len(self.evidence):
            return False
        evidence = self.evidence[slot]
        if evidence is None or evidence.write != self.columns.version[slot]:
            return False
        if demanded == 3:
            return evidence.confirms(session, feed)  # type: ignore[arg-type]
        if self.clock is None:
            # As for deadlines: the coarse clock is some milliseconds behind.
            now = self.ticks.coarse() + CERTAIN
            if now - evidence.watch.feed.confirmed > self.silence:
                now = self.ticks.exact()
        return evidence.permits(session, demanded == 2, now, self.silence)  # type: ignore[arg-type]

    def judge(
        self,
        slot: int,
        session: SessionFloors | None,
        demanded: int,
        now: float,
        feed: Link | None,
        stamp: int,
    ) -> int:
        """Tell whether an entry may be shown; AGAIN if the table has changed since `stamp`."""
        if self.stamp != stamp:
            return AGAIN
        return STORED if self.permitted(slot, session, demanded, now, feed) else FENCED

    def confirmer_at(self, slot: int, session: SessionFloors | None, stamp: int) -> Link | None:
        """Return the connection whose barrier is all that is lacking to show an entry at STRONG."""
        if self.stamp != stamp or slot >= len(self.evidence):
            return None
        evidence = self.evidence[slot]
        if evidence is None or evidence.write != self.columns.version[slot]:
            return None
        feed = evidence.watch.feed
        return feed if evidence.confirms(session, feed) else None


indivisible(
    SessionHits,
    "attest",
    "confirmer_at",
    "judge",
)
