"""A cache of one process: a dict of copies, over a tier that others share.

It is as plain as it can be, so that what is tested is the protocol. What it does is written
once, as generators that yield calls of the tier; `run` and `arun` make these calls.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
from collections.abc import Generator, Mapping
from itertools import count
from typing import Any, NamedTuple, TypeVar

from scrubjay.consistency import Barrier, Copy, Fetch, Replica, Session
from scrubjay.tiers import SharedTier, TierRecord
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.history import NO_TAG
from scrubjay.versions import Changes, Versioned

_T = TypeVar("_T")
_VALUE = struct.Struct("<QHQd")  # number, tag, generation, when it was begun to be made
_ATTEMPTS = 4
_LEASE_SECONDS = 1.0


class Call(NamedTuple):
    """A call of the tier."""

    method: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any] = {}


class Burst(NamedTuple):
    """Many reads, one after the other; caches only.

    Args:
        keys: which.
        options: of each.
        note: called with the key, the time before it, and the value.
        session: arguments of `Cache.session`, by which they are made; None for the cache itself.
    """

    keys: list[int]
    options: Mapping[str, Any]
    note: Any
    session: Mapping[str, Any] | None = None


class Pause(NamedTuple):
    """Let time pass, as a loader does."""

    seconds: float


Flow = Generator[Any, Any, _T]


class Entry(NamedTuple):
    """A copy, with its value."""

    copy: Copy
    value: bytes
    expires_at: float | None


class Outcome(NamedTuple):
    """What a read has found.

    Args:
        version: of the record, or of what is left of one; 0 if nothing is known.
        value: its number; 0 for none.
        tag: on which it depends, or which has made it void.
        generation: of the tag.
        copied: whether it was a copy.
        expires_at: wall time.
    """

    version: int = 0
    value: int = 0
    tag: int = NO_TAG
    generation: int = 0
    copied: bool = False
    expires_at: float | None = None


class Written(NamedTuple):
    """What a write has done.

    Args:
        version: issued by the tier.
        value: its number.
        tag: on which it depends.
        generation: of the tag.
        made: when it was begun to be made, monotonic.
        expires_at: wall time.
    """

    version: int
    value: int
    tag: int
    generation: int
    made: float
    expires_at: float | None


def name_of_tag(tag: int) -> bytes:
    """Return the name of a tag's generations."""
    return b"tag:%d" % tag


class Node:
    """A cache with copies.

    Args:
        tier: that it shares.
        max_silence_seconds: see `Replica`.
        process: its number, part of the numbers of its values.
    """

    def __init__(self, tier: SharedTier, max_silence_seconds: float, process: int) -> None:
        self.tier = tier
        self.replica = Replica(max_silence_seconds)
        self.copies: dict[bytes, Entry] = {}
        self._owner = os.urandom(8)
        self._numbers = count((process << 40) + 1)
        self._leases = count()
        tier.on_invalidated(self._drop)

    def _drop(self, changes: Changes | None) -> None:
        if changes is None:
            self.copies.clear()
        else:
            for key in changes.keys:
                self.copies.pop(key, None)

    def next_number(self) -> int:
        """Return a number for a new value."""
        return next(self._numbers)

    def keep(self, key: bytes, record: Versioned, labels: Mapping[bytes, int]) -> None:
        """Keep a copy for as long as it is watched."""
        if record.watch is None or record.value is None:
            return
        copy = Copy(record.version, record.watch, labels)
        self.copies[key] = entry = Entry(copy, record.value, record.expires_at)
        # It may have been overtaken between the reply and now, by another thread's reading.
        if not record.watch.live and self.copies.get(key) is entry:
            self.copies.pop(key, None)

    def get(
        self, key: bytes, level: CacheConsistencyLevel, session: Session | None
    ) -> Flow[tuple[Outcome, int | None]]:
        """Read; return what was found and the version of a value that is void."""
        entry = self.copies.get(key)
        if entry is not None and entry.expires_at is not None and entry.expires_at <= time.time():
            entry = None
        copy = entry.copy if entry is not None else None
        found = yield from self.replica.read(key, copy, level, session, time.monotonic(), labels_of)
        if found.copied:
            assert entry is not None
            return _outcome(entry.copy.version, entry.value, entry.expires_at, copied=True), None
        return self._judged(key, found), found.void

    def _judged(self, key: bytes, found: Any) -> Outcome:
        record = found.record
        if record is None:
            return Outcome()
        if found.why is not None:
            name, generation = found.why
            return Outcome(record.version, 0, int(name[4:]), generation)
        if record.value is None:
            return Outcome(record.version)
        self.keep(key, record, labels_of(record))
        return _outcome(record.version, record.value, record.expires_at, copied=False)

    def load(
        self,
        key: bytes,
        level: CacheConsistencyLevel,
        session: Session | None,
        tag: int,
        ttl: float | None,
        seconds: float,
        begun: Any,
    ) -> Flow[tuple[Outcome, Written | None] | None]:
        """Read, or load and fill; return None if others were always quicker.

        Args:
            key: which.
            level: of the read.
            session: who reads.
            tag: what the loaded value depends on.
            ttl: how long it lives, in seconds.
            seconds: that loading takes.
            begun: called before anything is filled.
        """
        names = () if tag == NO_TAG else (name_of_tag(tag),)
        for _ in range(_ATTEMPTS):
            outcome, void = yield from self.get(key, level, session)
            if outcome.value:
                return outcome, None
            owner = self._owner + b"%d" % next(self._leases)
            lease = yield Call(
                "lease", (key, owner, _LEASE_SECONDS), {"void": void, "names": names}
            )
            self.replica.learn(names, lease.counts)
            if lease.token is None:
                if lease.found is not None and lease.found.value is None and lease.found.watch:
                    yield Call("until_changed", (lease.found.watch, lease.seconds))
                continue
            made = time.monotonic()
            counts = yield from self.counts_for_load(names, lease.counts)
            yield Pause(seconds)
            counts = yield from self.counts_after_load(names, counts)
            number = self.next_number()
            generation = counts[0].value if counts else 0
            expires_at = None if ttl is None else time.time() + ttl
            value = encode(number, tag, generation, made)
            begun(number, tag, generation, made, expires_at)
            record = TierRecord(key, value, expires_at)
            filled = yield Call("fill", (record, lease.token))
            if filled is None:
                continue
            self.replica.wrote(session, key, filled)
            self.keep(key, filled, dict.fromkeys(names, generation))
            written = Written(filled.version, number, tag, generation, made, expires_at)
            return _outcome(filled.version, value, expires_at, copied=False), written
        return None

    def counts_for_load(self, names: tuple[bytes, ...], counts: list[Any]) -> Flow[list[Any]]:
        """Return the generations that a load depends on: those from before it."""
        yield from ()
        return counts

    def counts_after_load(self, names: tuple[bytes, ...], counts: list[Any]) -> Flow[list[Any]]:
        """Return the same: what they are afterwards says nothing of what was loaded."""
        yield from ()
        return counts

    def put(
        self,
        key: bytes,
        session: Session | None,
        tag: int,
        ttl: float | None,
        size: int,
        begun: Any,
    ) -> Flow[Written]:
        """Write a value."""
        names = () if tag == NO_TAG else (name_of_tag(tag),)
        made = time.monotonic()
        counts = yield from self.replica.generations(names)
        generation = counts[0].value if counts else 0
        expires_at = None if ttl is None else time.time() + ttl
        number = self.next_number()
        begun(number, tag, generation, made, expires_at)
        record = TierRecord(key, encode(number, tag, generation, made, size), expires_at)
        self.copies.pop(key, None)
        written = yield Call("write", (record,))
        self.replica.wrote(session, key, written)
        self.keep(key, written, dict.fromkeys(names, generation))
        return Written(written.version, number, tag, generation, made, expires_at)

    def delete(self, key: bytes, session: Session | None) -> Flow[int]:
        """Remove a value; return the version of that."""
        self.copies.pop(key, None)
        (removed,) = yield Call("delete", ([key],))
        self.replica.wrote(session, key, removed)
        version: int = removed.version
        return version

    def bump(self, tag: int, session: Session | None) -> Flow[int]:
        """Begin a new generation of a tag; return it."""
        names = (name_of_tag(tag),)
        counts = yield Call("advance", (names,))
        self.replica.learn(names, counts)
        self.replica.advanced(session, names, counts)
        value: int = counts[0].value
        return value


def encode(number: int, tag: int, generation: int, made: float, size: int = 100) -> bytes:
    """Return a value as bytes."""
    return _VALUE.pack(number, tag, generation, made).ljust(size, b".")


def labels_of(record: Versioned) -> Mapping[bytes, int]:
    """Return what a value depends on."""
    assert record.value is not None
    _, tag, generation, _ = _VALUE.unpack_from(record.value)
    return {} if tag == NO_TAG else {name_of_tag(tag): generation}


def _outcome(version: int, value: bytes, expires_at: float | None, *, copied: bool) -> Outcome:
    number, tag, generation, _ = _VALUE.unpack_from(value)
    return Outcome(version, number, tag, generation, copied, expires_at)


def _call(step: Any) -> Call:
    if isinstance(step, Barrier):
        return Call("barrier", (step.feeds,))
    if isinstance(step, Fetch):
        return Call("fetch", (step.keys, step.names))
    assert isinstance(step, Call)
    return step


def run(tier: SharedTier, flow: Flow[_T]) -> _T:
    """Carry a flow out in a thread."""
    answer: Any = None
    failure: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if failure is None else flow.throw(failure)
        except StopIteration as end:
            result: _T = end.value
            return result
        answer = failure = None
        try:
            if isinstance(step, Pause):
                threading.Event().wait(step.seconds)
                continue
            call = _call(step)
            answer = getattr(tier, call.method)(*call.arguments, **call.options)
        except Exception as error:
            failure = error


async def arun(tier: SharedTier, flow: Flow[_T]) -> _T:
    """Carry a flow out on an event loop."""
    answer: Any = None
    failure: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if failure is None else flow.throw(failure)
        except StopIteration as end:
            result: _T = end.value
            return result
        answer = failure = None
        try:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                continue
            call = _call(step)
            answer = await getattr(tier, "a" + call.method)(*call.arguments, **call.options)
        except Exception as error:
            failure = error
