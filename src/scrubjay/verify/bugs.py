"""Bugs that such protocols have had, to see that the checker would find them.

They are built into one process by replacing parts of it. Nothing of them is in the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrubjay._flow.coherent import Coherent
from scrubjay.consistency import Replica
from scrubjay.errors import InvalidArgumentError
from scrubjay.tiers import RedisTier
from scrubjay.tiers._redis import coherence, scripts, versioned_reading, wire
from scrubjay.tiers._redis.cluster_coherence import ClusterCoherence
from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.exchange import Exchange, Request
from scrubjay.tiers._redis.generation import Generation
from scrubjay.tiers._redis.operations import CONNECT
from scrubjay.tiers._redis.session import Session
from scrubjay.verify.node import Node
from scrubjay.versions import Feed

__all__ = ["BUGS", "plant"]


def _replace(owner: Any, name: str, part: Any) -> None:
    setattr(owner, name, part)


def _no_barrier() -> None:
    """Take a copy for the last there is as long as nothing else was heard."""

    def barrier(self: Coherence, _: Any = ()) -> Any:
        opened: Session = yield CONNECT
        yield from opened.watching(until_failover=True)
        return opened.feed

    def joint(self: ClusterCoherence, _: Any = ()) -> Any:
        return (yield from self.feed())

    async def abarrier(self: RedisTier, _: Any = ()) -> Feed:
        return await self.afeed()

    _replace(Coherence, "barrier", barrier)
    _replace(ClusterCoherence, "barrier", joint)
    _replace(RedisTier, "abarrier", abarrier)
    _replace(RedisTier, "begin_barrier", lambda *_: False)


def _noloop() -> None:
    """Keep what was written without watching it anew: the write itself has ended the watch."""
    encode: Callable[[list[Any]], bytes] = wire.encode

    def again(self: Coherence, name: bytes) -> list[Any]:
        return [(b"ECHO", b""), (b"GETRANGE", name, b"0", b"7")]

    def quiet(commands: list[Any]) -> bytes:
        return encode(
            [(*one, b"NOLOOP") if one[:2] == (b"CLIENT", b"TRACKING") else one for one in commands]
        )

    _replace(Coherence, "_again", again)
    _replace(wire, "encode", quiet)


def _no_flush() -> None:
    """Go on with copies after the connection that told of changes is lost, on the next one."""
    begin = Session.begin

    def lost(self: Session) -> None:
        pass

    def adopting(self: Session, address: Any, name: str, before: Session | None) -> Any:
        if before is not None:
            self.feed = before.feed
        yield from begin(self, address, name, before)

    _replace(Session, "_lost", lost)
    _replace(Session, "begin", adopting)


def _early() -> None:
    """Use a connection before the server has agreed to tell of changes."""
    begin = Session.begin
    track = wire.encode([(b"CLIENT", b"TRACKING", b"ON", b"OPTIN")])
    off = wire.encode([(b"CLIENT", b"TRACKING", b"OFF")])
    strict = versioned_reading.no_error

    def hasty(self: Session, *arguments: Any) -> Any:
        steps = begin(self, *arguments)
        replies: Any = None
        while True:
            try:
                request = steps.send(replies)
            except StopIteration:
                return
            if track in request.payload:
                request.payload = request.payload.replace(track, off)
                _track_later(self.exchange, track)
            replies = yield request

    def lenient(replies: Any) -> None:
        strict([reply for reply in replies if "CLIENT CACHING" not in str(reply)])

    def untracked(self: Generation) -> list[wire.Command]:
        return [(b"PING",), (b"GET", self._key)]

    _replace(Session, "begin", hasty)
    _replace(Generation, "question", untracked)
    for module in (coherence, versioned_reading):
        _replace(module, "no_error", lenient)


def _track_later(exchange: Exchange, track: bytes) -> None:
    """Have the server tell of changes from the two hundredth writing on."""
    take, left = exchange.take, 200

    def counted(now: float) -> bytes:
        nonlocal left
        payload = take(now)
        if payload:
            left -= 1
            if left == 0:
                exchange._sent.append(Request(track, 1))
                payload += track
        return payload

    _replace(exchange, "take", counted)


def _unfenced_fill() -> None:
    """Store what was loaded, whatever has happened since."""

    def fill(self: Coherence, record: Any, token: Any) -> Any:
        return (yield from self._store(record, None))

    _replace(Coherence, "fill", fill)


def _lost_tombstone() -> None:
    """Leave nothing behind where nothing is removed, and so leave leases as they are."""
    source = scripts.BURY.loading[2].replace(
        b"'GETRANGE', KEYS[1], 0, 7)",
        b"'GETRANGE', KEYS[1], 0, 8)\nif string.byte(old, 9) ~= 17 then "
        b"local t = redis.call('TIME') return t[1] * 1000000 + t[2] end",
    )
    bury = scripts.Script(source)

    def without(self: Coherence, key: bytes, of: int) -> Any:
        return bury.call((self._versioned(key),), self._tombstone(key, of), self._tombstone_ms)

    _replace(scripts, "ALL", (*scripts.ALL, bury))
    _replace(Coherence, "_bury", without)


def _late_tag() -> None:
    """Read the generations of tags when the loading is over."""

    def late(self: Node, names: tuple[bytes, ...], counts: Any) -> Any:
        return (yield from self.replica.generations(names))

    deposit = Coherent.deposit

    def deposit_late(
        self: Coherent, flight: Any, value: Any, terms: Any, ready: Any, anew: bool
    ) -> Any:
        if ready.token is not None and ready.counters:
            names = tuple(ready.counters)
            fetched = yield from self.shared.ask("fetch", (), names)
            ready = ready._replace(counters=dict(zip(names, fetched.counts, strict=True)))
        yield from deposit(self, flight, value, terms, ready, anew)

    _replace(Node, "counts_after_load", late)
    _replace(Coherent, "deposit", deposit_late)


def _disk_floor() -> None:
    """Take what the disk has for the last there is (caches only)."""
    read = Coherent.read

    def careless(self: Coherent, own: Any, *more: Any) -> Any:
        for level in self.lower.levels:
            found = yield from self.lower.look_in(level, own.key, self.lower.name_of(own.key))
            if found is not None and self.lower.age(found.meta) < 0.0:
                return found.value
        return (yield from read(self, own, *more))

    _replace(Coherent, "read", careless)


def _forgotten_write() -> None:
    """Let a session forget what it has written."""
    _replace(Replica, "wrote", staticmethod(lambda *_: None))


BUGS: dict[str, Callable[[], None]] = {
    "no-barrier": _no_barrier,
    "noloop": _noloop,
    "no-flush": _no_flush,
    "early": _early,
    "unfenced-fill": _unfenced_fill,
    "lost-tombstone": _lost_tombstone,
    "late-tag": _late_tag,
    "disk-floor": _disk_floor,
    "forgotten-write": _forgotten_write,
}


def plant(name: str) -> None:
    """Build a bug into this process.

    Args:
        name: of `BUGS`; "" for none.

    Raises:
        InvalidArgumentError: there is no such bug.
    """
    check_name(name)
    if name:
        BUGS[name]()


def check_name(name: str) -> None:
    """See that there is a bug of this name, or none is meant.

    Raises:
        InvalidArgumentError: there is none.
    """
    if name and name not in BUGS:
        raise InvalidArgumentError(f"bug: {name!r} is not one of {', '.join(BUGS)}")
