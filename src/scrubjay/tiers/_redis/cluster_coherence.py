"""The operations on records with versions on a cluster: split by buckets, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scrubjay.errors import TierError
from scrubjay.tiers._redis.buckets import Buckets, joined, parted
from scrubjay.tiers._redis.coherence import Coherence
from scrubjay.tiers._redis.errands import ACQUAINT, Errand, Split
from scrubjay.tiers._redis.exchange import Shared
from scrubjay.tiers._redis.failures import error_of, word
from scrubjay.tiers._redis.generation import as_request
from scrubjay.tiers._redis.nodes import JointFeed, NodeFeed, NodeSession
from scrubjay.tiers._redis.operations import CONNECT, Operation, repeated
from scrubjay.tiers._redis.roster import Roster
from scrubjay.tiers._redis.slots import bucket_of
from scrubjay.tiers._redis.topology import Where
from scrubjay.tiers.protocol import TierRecord
from scrubjay.versions import Changes, Count, Feed, Fetched, Lease, Token, Versioned


class ClusterCoherence:
    """The operations on records with versions on a cluster; see `Coherence`.

    Args:
        buckets: of the namespace.
        roster: what is known of the cluster.
        until_failover: see `Feed`.
    """

    def __init__(self, buckets: Buckets, roster: Roster, *, until_failover: bool) -> None:
        self._buckets = buckets
        self._roster = roster
        self._until_failover = until_failover
        self._questions: dict[int, bytes] = {}
        self._prefixes = [
            getattr(buckets.names(0), kind).partition(b"{")[0] + b"{"
            for kind in ("versioned", "counter")
        ]

    def after_fork(self) -> None:
        """In a child: begin anew."""
        self._roster.after_fork()
        self._buckets.after_fork()

    def changes(self, names: Sequence[bytes] | None) -> Changes | None:
        """Return what changed, by the server's names of it."""
        if names is None:
            return None
        record, counter = self._prefixes
        return Changes(
            tuple(_untagged(name)[:-1] for name in names if name.startswith(record)),
            tuple(_untagged(name) for name in names if name.startswith(counter)),
        )

    def fetch(self, keys: Sequence[bytes], names: Sequence[bytes]) -> Split[Fetched]:
        """Read records and generations, and have the primaries tell of changes to them."""
        yield ACQUAINT
        of_keys, of_names = parted(keys), parted(names)
        buckets = list(dict.fromkeys([*of_keys, *of_names]))
        if not buckets:
            return Fetched([], [], (yield from self.feed()))
        fetched: list[Fetched] = yield [
            self._errand(
                bucket,
                [keys[place] for place in of_keys.get(bucket, ())],
                [names[place] for place in of_names.get(bucket, ())],
            )
            for bucket in buckets
        ]
        found = dict(zip(buckets, fetched, strict=True))
        records = joined(of_keys, (found[one].records for one in of_keys), len(keys))
        counts = joined(of_names, (found[one].counts for one in of_names), len(names))
        return Fetched(records, counts, _joint(one.feed for one in fetched))

    def write(self, record: TierRecord) -> Split[Versioned]:
        """Store a record; return its version."""
        written: Versioned = yield from self._on(record.key, lambda one: one.write(record))
        return written

    def fill(self, record: TierRecord, token: Token) -> Split[Versioned | None]:
        """Store a record if the lease still holds; return None if it does not."""
        filled: Versioned | None = yield from self._on(
            record.key, lambda one: one.fill(record, token)
        )
        return filled

    def release(self, key: bytes, token: Token) -> Split[bool]:
        """Give a lease back; return whether it still held."""
        held: bool = yield from self._on(key, lambda one: one.release(key, token))
        return held

    def delete(self, keys: Sequence[bytes]) -> Split[list[Versioned]]:
        """Leave tombstones; return them."""
        return (yield from self._by_bucket(keys, lambda one, own: one.delete(own)))

    def advance(self, names: Sequence[bytes]) -> Split[list[Count]]:
        """Begin new generations, and watch them."""
        return (yield from self._by_bucket(names, lambda one, own: one.advance(own)))

    def lease(
        self,
        key: bytes,
        owner: bytes,
        seconds: float,
        void: int | None = None,
        names: Sequence[bytes] = (),
    ) -> Split[Lease]:
        """Ask for the right to load a value, and read what there is.

        The generations may be with other primaries. They are read before this returns, so
        before anything is loaded; more is not needed.
        """
        yield ACQUAINT
        bucket, places = bucket_of(key), parted(names)
        granting = self._buckets.coherence(bucket).lease(key, owner, seconds, void, ())
        errands = [self._buckets.errand(bucket, granting)]
        errands += [
            self._errand(one, (), [names[place] for place in own]) for one, own in places.items()
        ]
        try:
            lease, *fetched = yield errands
        except TierError:
            granted: Lease | None = errands[0].result
            if granted is not None and granted.token is not None:
                yield from self.release(key, granted.token)  # nobody has to wait for it
            raise
        counts = joined(places, (one.counts for one in fetched), len(names))
        granted = lease._replace(counts=counts)
        return granted

    def _errand(self, bucket: int, keys: Sequence[bytes], names: Sequence[bytes]) -> Errand:
        """Return the errand that reads something in one bucket."""
        return self._buckets.errand(bucket, self._buckets.coherence(bucket).fetch(keys, names))

    def barrier(self, feeds: Sequence[Feed] = ()) -> Split[Feed]:
        """Return when all changes that were made before have been told by some feeds.

        Args:
            feeds: those whose word is wanted; none for all primaries.

        Raises:
            ConsistencyUnavailableError: another server may take the place of a primary.
        """
        yield ACQUAINT
        known = self._roster.topology
        assert known is not None
        wanted = [feed.where for feed in feeds if isinstance(feed, NodeFeed) and feed.live]
        primaries = [where for where in dict.fromkeys(wanted) if where in known.primaries]
        asked = primaries if feeds else list(known.primaries)
        heard = yield [Errand(self._barrier(where), where=where) for where in asked]
        return _joint(feed for feed in heard if feed is not None)

    def _barrier(self, where: Where) -> Operation[Feed | None]:
        """Have one primary confirm that it still has a slot, behind all that it had to tell.

        A PING would do where it surely is a primary still; this tells if it is not.
        """

        def attempt(session: NodeSession) -> Operation[Feed | None]:
            known = self._roster.topology
            slot = None if known is None else known.slot_at(where)
            if slot is None:
                return None
            yield from session.watching(until_failover=self._until_failover)
            session.feed.check_strong()
            shared = Shared(self._question(slot), 1)
            shared.stays = True
            (reply,) = yield shared
            if isinstance(reply, Exception):
                self._roster.suspect(surely=True)
                if word(reply) in {"MOVED", "ASK"}:
                    return None
                raise error_of(reply)
            session.feed.check_strong()
            return session.feed

        return (yield from repeated(attempt))

    def _question(self, slot: int) -> bytes:
        """Return the command that only the primary of a slot answers; it reads next to nothing."""
        question = self._questions.get(slot)
        if question is None:
            question = as_request([(b"EXISTS", self._buckets.probe(slot))]).payload
            self._questions[slot] = question
        return question

    def feed(self) -> Split[Feed]:
        """Return the feeds of all primaries, as one."""
        yield ACQUAINT
        known = self._roster.topology
        assert known is not None
        feeds = yield [Errand(self.feed_of(), where=where) for where in sorted(known.primaries)]
        return _joint(feeds)

    def feed_of(self) -> Operation[Feed]:
        """Return the feed of one primary, whose epoch is known then."""
        session: NodeSession = yield CONNECT
        yield from session.watching(until_failover=self._until_failover)
        return session.feed

    def _on(self, key: bytes, operation: Callable[[Coherence], Operation[Any]]) -> Split[Any]:
        yield ACQUAINT
        bucket = bucket_of(key)
        (result,) = yield [self._buckets.errand(bucket, operation(self._buckets.coherence(bucket)))]
        return result

    def _by_bucket(
        self,
        keys: Sequence[bytes],
        operation: Callable[[Coherence, list[bytes]], Operation[list[Any]]],
    ) -> Split[list[Any]]:
        yield ACQUAINT
        places = parted(keys)
        results = yield [
            self._buckets.errand(
                bucket, operation(self._buckets.coherence(bucket), [keys[at] for at in own])
            )
            for bucket, own in places.items()
        ]
        return joined(places, results, len(keys))


def _joint(feeds: Iterable[Feed]) -> Feed:
    """Return what stands for several feeds; the feed itself if it is one."""
    different = list(dict.fromkeys(feeds))
    return different[0] if len(different) == 1 else JointFeed(different)


def _untagged(name: bytes) -> bytes:
    """Return what comes behind the tag in a server's key."""
    return name.partition(b"}")[2]
