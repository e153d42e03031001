"""Sessions that work on nodes of the protocol alone; see `node`."""

from __future__ import annotations

import random
import time
from typing import Any

from scrubjay.consistency import Session
from scrubjay.tiers import RedisTier
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import NO_TAG, Kind, Recorder
from scrubjay.verify.node import Flow, Node, Written, arun, run
from scrubjay.verify.workload import LOAD_SECONDS, Plan, Worker

__all__ = ["NodeWorker"]


class NodeWorker(Worker):
    """Works on a `Node`.

    Args:
        plan: what to do.
        recorder: where it is noted.
    """

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        super().__init__(plan, recorder)
        tier = plan.open_tier(RedisTier)
        self._node = Node(tier, plan.max_silence, plan.process)
        self._keys = [b"key:%d" % number for number in range(plan.keys)]

    def carry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out in this thread."""
        run(self._node.tier, flow)

    async def acarry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out on this event loop."""
        await arun(self._node.tier, flow)

    def close(self) -> None:
        """Close the tier."""
        self._node.tier.close()

    async def aclose(self) -> None:
        """Close the tier."""
        await self._node.tier.aclose()

    def _session_of(self, number: int, token: str) -> Session:
        return Session.from_token(token) if token else Session()

    def _get(
        self, key: int, number: int, level: CacheConsistencyLevel, session: Session
    ) -> Flow[None]:
        start = time.monotonic()
        outcome, _ = yield from self._node.get(self._keys[key], level, session)
        self._note_read(key, number, level, start, outcome)

    def _load(
        self,
        key: int,
        number: int,
        level: CacheConsistencyLevel,
        session: Session,
        draw: random.Random,
    ) -> Flow[None]:
        tag, ttl = self._conditions(key, draw)
        start = time.monotonic()

        def begun(*what: Any) -> None:
            self._note_begun(Kind.FILL, key, number, start, *what)

        loaded = yield from self._node.load(
            self._keys[key], level, session, tag, ttl, draw.random() * LOAD_SECONDS, begun
        )
        if loaded is not None:
            outcome, written = loaded
            if written is not None:
                self._note_written(Kind.FILL, key, number, start, written)
            self._note_read(key, number, level, start, outcome)

    def _put(self, key: int, number: int, session: Session, draw: random.Random) -> Flow[None]:
        tag, ttl = self._conditions(key, draw)
        size = draw.choice((60, 200, 1000, 5000))
        start = time.monotonic()

        def begun(*what: Any) -> None:
            self._note_begun(Kind.PUT, key, number, start, *what)

        written = yield from self._node.put(self._keys[key], session, tag, ttl, size, begun)
        self._note_written(Kind.PUT, key, number, start, written)

    def _delete(self, key: int, number: int, session: Session) -> Flow[None]:
        start = time.monotonic()
        self._note_begun(Kind.DELETE, key, number, start, 0, NO_TAG, 0, start, None)
        version = yield from self._node.delete(self._keys[key], session)
        written = Written(version, 0, NO_TAG, 0, start, None)
        self._note_written(Kind.DELETE, key, number, start, written)

    def _bump(self, tag: int, number: int, session: Session) -> Flow[None]:
        start = time.monotonic()
        self._note_begun(Kind.BUMP, tag, number, start, 0, tag, 0, start, None)
        generation = yield from self._node.bump(tag, session)
        written = Written(generation, 0, tag, generation, start, None)
        self._note_written(Kind.BUMP, tag, number, start, written)
