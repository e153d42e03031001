"""Sessions that work on caches with memory, disk and the shared tier."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Generator
from itertools import count
from typing import Any

from scrubjay.aio import AdaptiveCache
from scrubjay.codecs import KeyEncoder
from scrubjay.consistency import Session
from scrubjay.layers import Disk, Layer, Memory
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import NO_TAG, Kind, Recorder
from scrubjay.verify.node import Call, Flow, Outcome, Written
from scrubjay.verify.traced import Known, TracedTier, tag_name, visits
from scrubjay.verify.workload import LOAD_SECONDS, TIMEOUT, Plan, Worker

__all__ = ["CacheWorker"]

_NOBODY = -1  # the session of a load: who waits for it may be several
_LEASE_SECONDS = 1.0
_RETRY_SECONDS = 0.1


class CacheWorker(Worker):
    """Works on an `AdaptiveCache`, and in threads on the `Cache` behind it.

    Args:
        plan: what to do.
        recorder: where it is noted.
    """

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        super().__init__(plan, recorder)
        self._tier = TracedTier(
            plan.url,
            cluster=plan.cluster,
            namespace=plan.namespace,
            timeout_seconds=TIMEOUT,
            connect_timeout_seconds=TIMEOUT,
            heartbeat_seconds=TIMEOUT / 2,
            strong="until-failover",
            client_name="scrubjay-verify",
        )
        self._tier.on_fill = self._note_fill
        place = plan.name.partition("-")[0]
        self._cache: AdaptiveCache[str, Any] = AdaptiveCache(
            namespace="verify",
            tiers=[
                Memory(max_entries=plan.keys * 2 // 3),
                Disk(plan.directory / "disks" / place, max_size_mb=4),
                Layer(
                    self._tier,
                    max_silence_seconds=plan.max_silence,
                    lease_seconds=_LEASE_SECONDS,
                    retry_seconds=_RETRY_SECONDS,
                ),
            ],
        )
        self._keys = [f"key-{number}" for number in range(plan.keys)]
        encode = KeyEncoder("verify")
        self._numbers = {encode(key): number for number, key in enumerate(self._keys)}
        self._names = [encode(key) for key in self._keys]
        self._values = count((plan.process << 40) + 1)

    # ---- what keeps the copies

    def carry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out in this thread."""
        visits.set([])
        _steps(flow, lambda call: _called(self._cache.sync, call))

    async def acarry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out on this event loop."""
        visits.set([])
        call = next(flow)
        while True:
            try:
                answer = await _called(self._cache, call)
            except Exception as error:
                call = flow.throw(error)
                continue
            try:
                call = flow.send(answer)
            except StopIteration:
                return

    def close(self) -> None:
        """Close the cache and the tier."""
        self._cache.sync.close()
        self._tier.close()

    async def aclose(self) -> None:
        """Close the cache and the tier."""
        await self._cache.close()
        await self._tier.aclose()

    def _session_of(self, number: int, token: str) -> Session:
        return self._cache.session(str(number), token or None)

    # ---- one operation each, with what is noted of it

    def _get(
        self, key: int, number: int, level: CacheConsistencyLevel, session: Session
    ) -> Flow[None]:
        start = time.monotonic()
        options = {"context": {"session_id": str(number)}, "consistency_level": level}
        value = yield Call("get", (self._keys[key],), options)
        self._note_value(key, number, level, start, value)

    def _load(
        self,
        key: int,
        number: int,
        level: CacheConsistencyLevel,
        session: Session,
        draw: random.Random,
    ) -> Flow[None]:
        tag, ttl = self._conditions(key, draw)
        seconds = draw.random() * LOAD_SECONDS
        start = time.monotonic()
        options = {
            "ttl_seconds": ttl,
            "tags": None if tag == NO_TAG else {tag_name(tag)},
            "context": {"session_id": str(number)},
            "consistency_level": level,
        }
        loader = self._loader(key, tag, seconds)
        value = yield Call("get_or_load", (self._keys[key], loader), options)
        self._note_value(key, number, level, start, value)

    def _loader(self, key: int, tag: int, seconds: float) -> Callable[[str], Any]:
        def begin() -> tuple[int, int, float, bytes]:
            number, made = next(self._values), time.monotonic()
            self._note_begun(Kind.FILL, key, _NOBODY, made, number, tag, 0, made, None)
            return number, tag, made, b"." * 60

        def load(_: str) -> Any:
            value = begin()
            time.sleep(seconds)
            return value

        async def aload(_: str) -> Any:
            value = begin()
            await asyncio.sleep(seconds)
            return value

        return load if self._plan.threads else aload

    def _note_fill(self, name: bytes, value: Any, version: int, known: Known, start: float) -> None:
        number, tag, made, _ = value
        written = Written(version, number, tag, known.generation, made, known.expires_at)
        self._note_written(Kind.FILL, self._numbers[name], _NOBODY, made, written)

    def _put(self, key: int, number: int, session: Session, draw: random.Random) -> Flow[None]:
        tag, ttl = self._conditions(key, draw)
        size = draw.choice((10, 200, 1000, 5000))
        start = time.monotonic()
        value = (next(self._values), tag, start, b"." * size)
        self._note_begun(Kind.PUT, key, number, start, value[0], tag, 0, start, None)
        options = {
            "ttl_seconds": ttl,
            "tags": None if tag == NO_TAG else {tag_name(tag)},
            "context": {"session_id": str(number)},
        }
        yield Call("put", (self._keys[key], value), options)
        version = self._version("write", self._names[key])
        if version:
            known = self._tier.known[value[0]]
            written = Written(version, value[0], tag, known.generation, start, known.expires_at)
            self._note_written(Kind.PUT, key, number, start, written)

    def _delete(self, key: int, number: int, session: Session) -> Flow[None]:
        start = time.monotonic()
        self._note_begun(Kind.DELETE, key, number, start, 0, NO_TAG, 0, start, None)
        options = {"context": {"session_id": str(number)}}
        yield Call("invalidate", (self._keys[key],), options)
        version = self._version("delete", self._names[key])
        if version:
            written = Written(version, 0, NO_TAG, 0, start, None)
            self._note_written(Kind.DELETE, key, number, start, written)

    def _bump(self, tag: int, number: int, session: Session) -> Flow[None]:
        start = time.monotonic()
        self._note_begun(Kind.BUMP, tag, number, start, 0, tag, 0, start, None)
        options = {"context": {"session_id": str(number)}}
        yield Call("invalidate_by_tags", ({tag_name(tag)},), options)
        begun = [
            visit.version
            for visit in visits.get()
            if visit.method == "advance" and self._tier.tag_of(visit.name) == tag
        ]
        if begun:
            written = Written(begun[-1], 0, tag, begun[-1], start, None)
            self._note_written(Kind.BUMP, tag, number, start, written)

    def _version(self, method: str, name: bytes) -> int:
        """Return the version that the tier has issued in this operation; 0 if it was not asked."""
        found = [v.version for v in visits.get() if v.method == method and v.name == name]
        return found[-1] if found else 0

    def _note_value(
        self, key: int, number: int, level: CacheConsistencyLevel, start: float, value: Any
    ) -> None:
        if value is None:
            self._note_read(key, number, level, start, Outcome())
            return
        of, tag, made, _ = value
        known = self._tier.known.get(of, Known(0, 0, None))
        copied = not any(visit.method in {"fetch", "lease"} for visit in visits.get())
        if not known.version:
            tag = NO_TAG  # nothing is known of its generation
        outcome = Outcome(known.version, of, tag, known.generation, copied, known.expires_at)
        self._note_read(key, number, level, start, outcome, made)


def _called(cache: Any, call: Call) -> Any:
    return getattr(cache, call.method)(*call.arguments, **call.options)


def _steps(flow: Generator[Any, Any, None], do: Callable[[Call], Any]) -> None:
    call = next(flow)
    while True:
        try:
            answer = do(call)
        except Exception as error:
            call = flow.throw(error)
            continue
        try:
            call = flow.send(answer)
        except StopIteration:
            return
