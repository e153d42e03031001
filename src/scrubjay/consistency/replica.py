"""Whether a copy of what a shared tier has may be served, or what must be asked first.

Generators that neither wait nor touch a tier; see `scrubjay.consistency.steps`.
Each key, and each name that has generations, is a register on the shared tier:

- EVENTUAL: the copy is still watched, and the link was heard of not too long ago.
- SESSION: and it is not older than what the session has written.
- MONOTONIC: nor older than what the session has read.
- STRONG: after a barrier, the copy is still watched by the connection that the barrier was on.

What is older is read from the shared tier; what is older even there is an error.
"""

from __future__ import annotations

from collections.abc import Mapping

from scrubjay import arguments
from scrubjay.consistency.generations import Generations
from scrubjay.consistency.steps import Barrier, Copy, Fetch, Found, LabelsOf, Step
from scrubjay.consistency.tokens import KEY, NAME, Session, place_of
from scrubjay.errors import ConsistencyUnavailableError, StaleReadError
from scrubjay.types import CacheConsistencyLevel
from scrubjay.versions import Count, Feed, Fetched, Versioned, Watch

__all__ = ["Replica"]

EVENTUAL = CacheConsistencyLevel.EVENTUAL
SESSION = CacheConsistencyLevel.SESSION
MONOTONIC = CacheConsistencyLevel.MONOTONIC
STRONG = CacheConsistencyLevel.STRONG


class Replica(Generations):
    """Decides for one node about its copies, and knows the generations of names.

    Args:
        max_silence_seconds: how long copies may be served at EVENTUAL after the link was
            last known to be well. With it, and in the absence of clocks that stand, a node
            serves nothing older than that.

    Raises:
        InvalidArgumentError: it is no time.
    """

    def __init__(self, max_silence_seconds: float = 5.0) -> None:
        super().__init__()
        self._silence = arguments.positive("max_silence_seconds", max_silence_seconds)
        #: violations that `recheck` has found, by level
        self.conflicts: dict[CacheConsistencyLevel, int] = dict.fromkeys(CacheConsistencyLevel, 0)
        #: how many copies `recheck` has looked at
        self.rechecked = 0

    # ---- reading

    def read(
        self,
        key: bytes,
        copy: Copy | None,
        level: CacheConsistencyLevel,
        session: Session | None,
        now: float,
        labels_of: LabelsOf,
    ) -> Step[Found]:
        """Decide about a copy; if it may not be served, read what the shared tier has.

        Args:
            key: the key, as the shared tier has it.
            copy: what is known of the copy; None if there is none.
            level: how fresh it must be.
            session: who asks; without one, SESSION and MONOTONIC are EVENTUAL.
            now: monotonic time.
            labels_of: tells what a record depends on.

        Raises:
            ConsistencyUnavailableError: the level cannot be promised on this tier.
            EpochChangedError: the session is of another server.
            StaleReadError: the shared tier has something older than the session has seen.
            TierError: the shared tier cannot be asked.
        """
        if copy is not None and (yield from self.holds(key, copy, level, session, now)):
            return Found(copied=True)
        asked = tuple(copy.labels) if copy is not None else ()
        fetched: Fetched = yield Fetch((key,), asked)
        self.learn(asked, fetched.counts)
        return (
            yield from self.judge(key, fetched.records[0], fetched.feed, level, session, labels_of)
        )

    def holds(
        self,
        key: bytes,
        copy: Copy,
        level: CacheConsistencyLevel,
        session: Session | None,
        now: float,
    ) -> Step[bool]:
        """Tell whether a copy may be served.

        Args:
            key: of the record.
            copy: of it.
            level: how fresh it must be.
            session: who reads, or None.
            now: monotonic time, by which silence is measured.

        Raises:
            ConsistencyError: the level cannot be kept.
        """
        watch = copy.watch
        if watch is None or not watch.live:
            return False
        feed: Feed | None = None
        if session is not None and level is not EVENTUAL:
            _comparable(session, watch.feed)
        if level is STRONG:
            feed = yield self._barrier(copy)
        elif now - watch.feed.confirmed > self._silence:
            return False
        elif session is not None and level is not EVENTUAL:
            floor = session.floor(place_of(KEY, key))
            if floor is None:  # forgotten: what is the last there is will do
                feed = yield from _last_or_none(self._barrier(copy))
                if feed is None:
                    return False
            elif copy.version < floor:
                return False
        if copy.labels and (yield from self._outdated(copy.labels, feed, level, session, now)):
            return False
        # Last, as everything may have changed while something was asked.
        if not _still(watch) or (feed is not None and not feed.covers(watch.feed)):
            return False
        self.seen(key, copy.version, copy.labels, watch.feed, level, session)
        return True

    def _barrier(self, copy: Copy) -> Barrier:
        """Return the barrier behind which a copy is known to be the last, and its labels are."""
        counts = [self.count(name) for name in copy.labels]
        watches = [copy.watch, *(count.watch for count in counts if count is not None)]
        return Barrier(tuple({watch.feed: None for watch in watches if watch is not None}))

    def judge(
        self,
        key: bytes,
        record: Versioned | None,
        feed: Feed,
        level: CacheConsistencyLevel,
        session: Session | None,
        labels_of: LabelsOf,
    ) -> Step[Found]:
        """Decide about what the shared tier has.

        Args:
            key: of the record.
            record: what the tier has; None for nothing.
            feed: by which it was read.
            level: how fresh it must be.
            session: who reads, or None.
            labels_of: tells which names a record depends on, and their generations.

        Raises:
            ConsistencyUnavailableError: the feed cannot promise STRONG.
            StaleReadError: the tier has less than the session has seen.
        """
        if level is STRONG:
            feed.check_strong()
        floored = session is not None and level is not EVENTUAL
        if session is not None and floored:
            _comparable(session, feed)
            floor = session.floor(place_of(KEY, key)) or 0
            if record is not None and record.version < floor:
                raise StaleReadError("the shared tier has lost what this session has seen")
            if record is None and floor and not feed.primary:
                raise StaleReadError("the replica has not got what this session has seen")
        if record is None:
            return Found(copied=False)
        labels = labels_of(record) if record.value is not None else {}
        why = None
        if labels:
            # What is known by the connection that has just answered is as fresh as the answer.
            why = yield from self._outdated(labels, feed, level, session, None)
        self.seen(key, record.version, labels, feed, level, session)
        if why:
            name, value = why
            if session is not None and level in {MONOTONIC, STRONG}:
                session.lift(feed.epoch, place_of(NAME, name), value)
            return Found(copied=False, record=record, void=record.version, why=why)
        return Found(copied=False, record=record)

    def _outdated(
        self,
        labels: Mapping[bytes, int],
        feed: Feed | None,
        level: CacheConsistencyLevel,
        session: Session | None,
        now: float | None,
    ) -> Step[tuple[bytes, int] | None]:
        """Return a name that has another generation than a record was made with, and which."""
        known: dict[bytes, int] = {}
        for name in labels:
            count = self.count(name)
            if count is None or not _usable(count, feed):
                continue
            if now is not None and now - count.feed.confirmed > self._silence:
                continue
            if session is not None and level is not EVENTUAL:
                floor = session.floor(place_of(NAME, name))
                if feed is None if floor is None else count.value < floor:
                    continue
            known[name] = count.value
        unknown = tuple(name for name in labels if name not in known)
        if unknown:
            fetched: Fetched = yield Fetch((), unknown)
            self.learn(unknown, fetched.counts)
            for name, count in zip(unknown, fetched.counts, strict=True):
                if session is not None and level is not EVENTUAL:
                    _comparable(session, count.feed)
                    if count.value < (session.floor(place_of(NAME, name)) or 0):
                        raise StaleReadError("the shared tier has lost what this session has seen")
                known[name] = count.value
        for name, value in labels.items():
            if known[name] != value:
                return name, known[name]
        return None

    def seen(
        self,
        key: bytes,
        version: int,
        labels: Mapping[bytes, int],
        feed: Feed,
        level: CacheConsistencyLevel,
        session: Session | None,
    ) -> None:
        """Note that a session is shown a record; the arguments are those of `read` and `Copy`."""
        if session is not None and level in {MONOTONIC, STRONG} and (epoch := _epoch_of(feed)):
            session.lift(epoch, place_of(KEY, key), version)
            for name, value in labels.items():
                session.lift(epoch, place_of(NAME, name), value)

    # ---- writes

    @staticmethod
    def wrote(session: Session | None, key: bytes, written: Versioned) -> None:
        """Note that a session has written or removed a record.

        Raises:
            ConsistencyUnavailableError: it cannot be noted. The write is done.
            EpochChangedError: the session is of another server. The write is done.
        """
        if session is not None and (epoch := _epoch_of(written.feed)):
            session.lift(epoch, place_of(KEY, key), written.version)

    @staticmethod
    def advanced(session: Session | None, names: tuple[bytes, ...], counts: list[Count]) -> None:
        """Note that a session has begun new generations.

        Raises:
            ConsistencyUnavailableError: it cannot be noted. It is done.
            EpochChangedError: the session is of another server. It is done.
        """
        if session is not None:
            for name, count in zip(names, counts, strict=True):
                if epoch := _epoch_of(count.feed):
                    session.lift(epoch, place_of(NAME, name), count.value)

    # ---- looking after oneself

    def recheck(self, key: bytes, copy: Copy, level: CacheConsistencyLevel) -> Step[bool]:
        """Look whether a copy that was served is the last there is, as it claims; count it if not.

        For a small share of all reads, in production. A copy whose watch has ended meanwhile
        proves nothing; one that is watched when a later version comes by the same
        connection is a violation of the protocol.

        Returns:
            Whether it is one.
        """
        names = tuple(copy.labels)
        fetched: Fetched = yield Fetch((key,), names)
        watch, record = copy.watch, fetched.records[0]
        if watch is None or not fetched.feed.covers(watch.feed) or not watch.live:
            return False
        self.rechecked += 1
        # What has expired may be gone without a word.
        wrong = record is not None and record.version != copy.version
        for name, count in zip(names, fetched.counts, strict=True):
            known = self.count(name)
            if known is not None and _usable(known, fetched.feed) and known.value != count.value:
                wrong = wrong or known.value == copy.labels[name]
        if wrong:
            self.conflicts[level] += 1
        return wrong


def _usable(count: Count, feed: Feed | None) -> bool:
    watch = count.watch
    return watch is not None and watch.live and (feed is None or feed.covers(watch.feed))


def _still(watch: Watch) -> bool:
    return watch.live


def _comparable(session: Session, feed: Feed) -> None:
    epoch = _epoch_of(feed)
    if not epoch:
        raise ConsistencyUnavailableError(
            "no sessions: the server does not let us read INFO server and INFO replication"
        )
    session.check(epoch)


def _epoch_of(feed: Feed) -> bytes:
    """Return the epoch of what a feed tells; b"" where no session can ever be kept.

    Raises:
        ConsistencyUnavailableError: it is not known now, and what a session sees now could not
            be held against what it is shown later.
    """
    epoch = feed.epoch
    if not epoch and feed.own_epoch:
        raise ConsistencyUnavailableError(
            "no sessions for now: not all primaries of the cluster have told their epochs"
        )
    return epoch


def _last_or_none(barrier: Barrier) -> Step[Feed | None]:
    try:
        feed: Feed = yield barrier
    except ConsistencyUnavailableError:
        return None
    return feed
