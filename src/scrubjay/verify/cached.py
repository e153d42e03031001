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
from scrubjay.verify.history import DEPENDS, LEVELS, NO_TAG, Kind, Recorder, pack
from scrubjay.verify.node import Burst, Call, Flow, Outcome, Written
from scrubjay.verify.traced import Known, TracedTier, key_name, tag_name, visits
from scrubjay.verify.workload import LOAD_SECONDS, Plan, Worker, on_clock

__all__ = ["CacheWorker"]

_NOBODY = -1  # the session of a load: who waits for it may be several
_LEASE_SECONDS = 1.0
_RETRY_SECONDS = 0.1
_BURST = 100  # reads at most, one after the other
_STRONG_BURST = 16  # the same where each asks for a barrier


class CacheWorker(Worker):
    """Works on an `AdaptiveCache`, and in threads on the `Cache` behind it.

    Args:
        plan: what to do.
        recorder: where it is noted.
    """

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        super().__init__(plan, recorder)
        self._tier = plan.open_tier(TracedTier)
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
        self._keys = [key_name(number) for number in range(plan.keys)]
        self._expiry: dict[int, float] = {}  # of values, on the monotonic clock
        encode = KeyEncoder("verify")
        self._numbers = {encode(key): number for number, key in enumerate(self._keys)}
        self._names = [encode(key) for key in self._keys]
        self._values = count((plan.process << 40) + 1)

    # ---- what keeps the copies

    def carry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out in this thread."""
        visits.set([])
        _steps(flow, self._do)

    def _do(self, call: Call | Burst) -> Any:
        if isinstance(call, Call):
            return _called(self._cache.sync, call)
        noted, names, now = visits.get(), self._keys, time.monotonic
        get: Any = self._cache.sync.get
        if call.session is not None:
            get = self._cache.sync.session(**call.session).get
        absent = set()
        for key in call.keys:
            if key not in absent:
                noted.clear()
                start = now()
                value = get(names[key], **call.options)
                call.note(key, start, value)
                if value is None:  # once is enough of what nobody has
                    absent.add(key)
        return None

    async def _ado(self, call: Call | Burst) -> Any:
        if isinstance(call, Call):
            return await _called(self._cache, call)
        noted, names, now = visits.get(), self._keys, time.monotonic
        get: Any = self._cache.get
        if call.session is not None:
            get = self._cache.session(**call.session).get
        absent = set()
        for key in call.keys:
            if key not in absent:
                noted.clear()
                start = now()
                value = await get(names[key], **call.options)
                call.note(key, start, value)
                if value is None:
                    absent.add(key)
        return None

    async def acarry_out(self, flow: Flow[None]) -> None:
        """Carry an operation out on this event loop."""
        visits.set([])
        call = next(flow)
        while True:
            try:
                answer = await self._ado(call)
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
        return self._cache.session(str(number), token or None).session

    # ---- one operation each, with what is noted of it

    def _get(
        self, key: int, number: int, level: CacheConsistencyLevel, session: Session
    ) -> Flow[None]:
        start = time.monotonic()
        options = {"context": {"session_id": str(number)}, "consistency_level": level}
        value = yield Call("get", (self._keys[key],), options)
        self._note_value(key, number, level, start, value)

    def _burst(
        self, number: int, level: CacheConsistencyLevel, session: Session, draw: random.Random
    ) -> Flow[None]:
        most = _STRONG_BURST if level is CacheConsistencyLevel.STRONG else _BURST
        some = [self._some_key(draw) for _ in range(min(most, 8))]
        keys = some * draw.randrange(1, most // len(some) + 1)
        place, process = LEVELS.index(level), self._plan.process
        known_of, now = self._tier.known, time.monotonic
        read_packed, expiry = self._recorder.read_packed, self._expiry

        def note(key: int, start: float, value: Any) -> None:
            if value is None or visits.get():
                self._note_value(key, number, level, start, value)
                return
            of, tag, made, _ = value
            known = known_of.get(of)
            if known is None:
                self._note_value(key, number, level, start, value)
                return
            expires = expiry.get(of)
            if expires is None:
                expires = expiry[of] = on_clock(known.expires_at)
            line = pack(
                Kind.READ, place, process, number, key, tag, 1, start, now(), made,
                known.version, of, expires, known.generation,
            )  # fmt: skip
            read_packed(key, line)

        if draw.random() < 0.5:
            session_of = {"session_id": str(number), "consistency_level": level}
            yield Burst(keys, {}, note, session_of)
        else:
            options = {"context": {"session_id": str(number)}, "consistency_level": level}
            yield Burst(keys, options, note)

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
            **_labels(tag),
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
            **_labels(tag),
            "context": {"session_id": str(number)},
        }
        self._note_change_begun(key, number, start)
        yield Call("put", (self._keys[key], value), options)
        self._note_change(key, number, start)
        version = self._version("write", self._names[key])
        if version:
            known = self._tier.known[value[0]]
            written = Written(version, value[0], tag, known.generation, start, known.expires_at)
            self._note_written(Kind.PUT, key, number, start, written)

    def _delete(self, key: int, number: int, session: Session) -> Flow[None]:
        start = time.monotonic()
        self._note_begun(Kind.DELETE, key, number, start, 0, NO_TAG, 0, start, None)
        options = {"context": {"session_id": str(number)}}
        self._note_change_begun(key, number, start)
        yield Call("invalidate", (self._keys[key],), options)
        self._note_change(key, number, start)
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

    def _conditions(self, key: int, draw: random.Random) -> tuple[int, float | None]:
        tag, ttl = super()._conditions(key, draw)
        if key and draw.random() < 0.3:
            tag = DEPENDS + key // 2  # no circles
        return tag, ttl

    def _note_change_begun(self, key: int, number: int, start: float) -> None:
        """Note that what depends on a key is about to be void."""
        on = DEPENDS + key
        self._note_begun(Kind.BUMP, on, number, start, 0, on, 0, start, None)

    def _note_change(self, key: int, number: int, start: float) -> None:
        """Note that what depended on a key is void."""
        on = DEPENDS + key
        begun = self._version("advance", self._tier.depended_on(self._names[key]))
        if begun:
            written = Written(begun, 0, on, begun, start, None)
            self._note_written(Kind.BUMP, on, number, start, written)

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


def _labels(tag: int) -> dict[str, Any]:
    """Return the options of a value that depends on a tag or, by a tag's number, on a key."""
    if tag == NO_TAG:
        return {}
    if tag >= DEPENDS:
        return {"dependencies": {key_name(tag - DEPENDS)}}
    return {"tags": {tag_name(tag)}}


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
