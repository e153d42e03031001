"""What a process does: sessions that read, write, remove and load some keys, and note it all."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Generator
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

from scrubjay.consistency import Session
from scrubjay.errors import ConsistencyError, TierError
from scrubjay.tiers import RedisTier
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import LEVELS, NO_TAG, Kind, Recorder
from scrubjay.verify.node import Flow, Outcome, Written
from scrubjay.verify.passing import Pass, Passes

_Tier = TypeVar("_Tier", bound=RedisTier)

_TURNS = 16  # operations of a session before it lets others go on
_VISIT = 400  # operations before a session moves on, to whatever process
TIMEOUT = 0.5  # seconds that an operation on the tier may take
_MOVES = 0.3  # of the changes are followed at once by a read in another process
_BURSTS = 0.3  # of the operations are of many reads
_WRITES, _REMOVALS = 0.93, 0.995  # where, among the operations, puts begin and removals end
LOAD_SECONDS = 0.004  # that a load takes at most


class Plan(NamedTuple):
    """What a process is told.

    Args:
        url: of the server, through its proxy.
        cluster: whether that is a member of a cluster, and there is no proxy.
        namespace: of this run.
        directory: where histories are written.
        name: of the process, unique.
        process: its number, unique too.
        seconds: how long it works.
        keys: how many there are.
        tags: how many there are.
        sessions: how many it works for at a time.
        threads: whether by threads, or on an event loop.
        max_silence: see `Replica`.
        caches: whether by caches with all their tiers, or by the protocol below them.
        bug: the name of a bug to build in; "" for none.
        seed: of what is drawn.
    """

    url: str
    namespace: str
    directory: Path
    name: str
    process: int
    seconds: float
    keys: int
    tags: int
    sessions: int
    threads: bool
    max_silence: float
    caches: bool
    bug: str
    seed: int
    cluster: bool = False

    def open_tier(self, kind: Callable[..., _Tier]) -> _Tier:
        """Return the tier that is worked on, which soon says so when it cannot be asked.

        Args:
            kind: `RedisTier`, or one that is made like it.
        """
        return kind(
            self.url,
            cluster=self.cluster,
            namespace=self.namespace,
            timeout_seconds=TIMEOUT,
            connect_timeout_seconds=TIMEOUT,
            heartbeat_seconds=TIMEOUT / 2,
            strong="until-failover",
            client_name="scrubjay-verify",
        )


class Worker:
    """All sessions of a process, whatever it is that keeps the copies.

    Args:
        plan: what to do.
        recorder: where it is noted.
    """

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self.failed = 0
        self.refused = 0
        self._plan = plan
        self._recorder = recorder
        self._passes = Passes(plan.directory)
        self._lock = threading.Lock()
        self._end = time.monotonic() + plan.seconds

    async def on_loop(self) -> None:
        """Work on an event loop."""
        draws = [
            random.Random(f"{self._plan.seed} {number}") for number in range(self._plan.sessions)
        ]
        await asyncio.gather(*[self._session(draw) for draw in draws])
        await self.aclose()

    async def _session(self, draw: random.Random) -> None:
        while time.monotonic() < self._end:
            taken = self._take(draw)
            if taken is None:
                await asyncio.sleep(0.01)
                continue
            visit = self._visit(taken, draw)
            for turn, flow in enumerate(visit):
                try:
                    await self.acarry_out(flow)
                except (TierError, ConsistencyError) as error:
                    self._note_failure(error)
                    await asyncio.sleep(0.02)
                if turn % _TURNS == 0:
                    await asyncio.sleep(0)

    def in_thread(self, number: int) -> None:
        """Work in a thread."""
        draw = random.Random(f"{self._plan.seed} {number}")
        while time.monotonic() < self._end:
            taken = self._take(draw)
            if taken is None:
                time.sleep(0.01)
                continue
            for flow in self._visit(taken, draw):
                try:
                    self.carry_out(flow)
                except (TierError, ConsistencyError) as error:
                    self._note_failure(error)
                    time.sleep(0.02)

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            if isinstance(error, ConsistencyError):
                self.refused += 1
            else:
                self.failed += 1

    def _take(self, draw: random.Random) -> tuple[int, Session, int | None] | None:
        taken = self._passes.take(draw)
        if taken is None:
            return None
        token, _, changed = taken.token.partition("@")
        session = self._session_of(taken.number, token)
        return taken.number, session, int(changed) if changed else None

    def _visit(
        self, taken: tuple[int, Session, int | None], draw: random.Random
    ) -> Generator[Flow[None], None, None]:
        """Yield the operations of a session until it moves on."""
        number, session, key = taken
        level = LEVELS[number % len(LEVELS)]
        turns = draw.randrange(1, 2 * _VISIT)
        changed: int | None = None
        if key is not None:  # what the session has changed elsewhere, a moment ago
            yield self._get(key, number, level, session)
        while turns > 0 and changed is None and time.monotonic() < self._end:
            turns -= 1
            key = self._some_key(draw)
            kind = draw.random()
            yield self._operation(key, kind, number, level, session, draw)
            if _WRITES <= kind < _REMOVALS and draw.random() < _MOVES:
                changed = key
        token = session.token()
        self._passes.give(Pass(number, token if changed is None else f"{token}@{changed}"))

    def _operation(
        self,
        key: int,
        kind: float,
        number: int,
        level: CacheConsistencyLevel,
        session: Session,
        draw: random.Random,
    ) -> Flow[None]:
        plan = self._plan
        if kind < _BURSTS:
            return self._burst(number, level, session, draw)
        if kind < 0.80:
            return self._get(key, number, level, session)
        if kind < _WRITES:
            return self._load(key, number, level, session, draw)
        if kind < 0.97:
            return self._put(key, number, session, draw)
        if kind < _REMOVALS:
            return self._delete(key, number, session)
        return self._bump(draw.randrange(plan.tags), number, session)

    def _some_key(self, draw: random.Random) -> int:
        keys = self._plan.keys
        return min(int(draw.random() ** 2 * keys), keys - 1)

    # ---- what keeps the copies

    def carry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out in this thread."""
        raise NotImplementedError

    async def acarry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out on this event loop."""
        raise NotImplementedError

    def close(self) -> None:
        """End."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End, on an event loop."""
        raise NotImplementedError

    def _session_of(self, number: int, token: str) -> Session:
        raise NotImplementedError

    # ---- one operation each, with what is noted of it

    def _get(
        self, key: int, number: int, level: CacheConsistencyLevel, session: Session
    ) -> Flow[None]:
        raise NotImplementedError

    def _burst(
        self, number: int, level: CacheConsistencyLevel, session: Session, draw: random.Random
    ) -> Flow[None]:
        """Read a number of keys one after the other: most of what is asked of a cache is that."""
        return self._get(self._some_key(draw), number, level, session)

    def _load(
        self,
        key: int,
        number: int,
        level: CacheConsistencyLevel,
        session: Session,
        draw: random.Random,
    ) -> Flow[None]:
        raise NotImplementedError

    def _put(self, key: int, number: int, session: Session, draw: random.Random) -> Flow[None]:
        raise NotImplementedError

    def _delete(self, key: int, number: int, session: Session) -> Flow[None]:
        raise NotImplementedError

    def _bump(self, tag: int, number: int, session: Session) -> Flow[None]:
        raise NotImplementedError

    def _conditions(self, key: int, draw: random.Random) -> tuple[int, float | None]:
        """Return the tag and the time to live of a new value."""
        tag = key % self._plan.tags if draw.random() < 0.5 else NO_TAG
        return tag, draw.choice((None, None, 0.05, 0.3, 2.0))

    def _note_begun(
        self,
        kind: Kind,
        key: int,
        number: int,
        start: float,
        value: int,
        tag: int,
        generation: int,
        made: float,
        expires_at: float | None,
    ) -> None:
        expires = on_clock(expires_at)
        level, copied = int(kind), 0  # of what is begun, the kind stands where reads have a level
        self._recorder.note(
            Kind.BEGUN, level, self._plan.process, number, key, tag, copied,
            start, inf, made, 0, value, expires, generation,
        )  # fmt: skip

    def _note_written(
        self, kind: Kind, key: int, number: int, start: float, written: Written
    ) -> None:
        end = time.monotonic()
        version, value, tag, generation, made, expires_at = written
        self._recorder.note(
            kind, 0, self._plan.process, number, key, tag, 0,
            start, end, made, version, value, on_clock(expires_at), generation,
        )  # fmt: skip

    def _note_read(
        self,
        key: int,
        number: int,
        level: CacheConsistencyLevel,
        start: float,
        outcome: Outcome,
        made: float = 0.0,
    ) -> None:
        end = time.monotonic()
        version, value, tag, generation, copied, expires_at = outcome
        self._recorder.read(
            Kind.READ if value else Kind.MISS, LEVELS.index(level), self._plan.process, number,
            key, tag, copied, start, end, made, version, value, on_clock(expires_at), generation,
        )  # fmt: skip


def on_clock(expires_at: float | None) -> float:
    """Return a wall time on the monotonic clock; infinity for never."""
    return inf if expires_at is None else expires_at - time.time() + time.monotonic()
