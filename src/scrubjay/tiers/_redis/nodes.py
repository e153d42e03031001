"""A connection to one primary of a cluster, and what it knows of the buckets there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scrubjay.tiers._redis import scripts, topology
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.generation import Generation, as_request
from scrubjay.tiers._redis.roster import Roster
from scrubjay.tiers._redis.session import STANDING, Handshake, Session, Tell
from scrubjay.tiers._redis.topology import Where
from scrubjay.tiers._redis.wire import Command
from scrubjay.versions import Feed

_CLUSTER_INFO: Command = (b"CLUSTER", b"INFO")


class NodeFeed(Feed):
    """What the connection to one primary tells.

    Args:
        where: the primary.
        roster: knows the others.
        now: monotonic time.
        tell: see `Feed`.
    """

    def __init__(
        self, where: Where, roster: Roster, now: float, tell: Callable[..., object]
    ) -> None:
        self.where = where
        self._roster = roster
        self._own_epoch = b""
        self._replicas = False
        super().__init__(b"", now, tell)
        roster.tell(self)

    @property
    def own_epoch(self) -> bytes:
        """The epoch of this primary alone; `epoch` is that of the cluster."""
        return self._own_epoch

    @own_epoch.setter
    def own_epoch(self, epoch: bytes) -> None:
        self._own_epoch = epoch

    @property
    def failover(self) -> bool:
        """Whether another server may take the place of any primary."""
        return self._replicas or self._roster.replicas

    @failover.setter
    def failover(self, replicas: bool) -> None:
        self._replicas = replicas

    @property
    def watching(self) -> bool:
        """Whether anything is watched."""
        return len(self._watches) > 0


class JointFeed(Feed):
    """What the connections to several primaries tell, as one answer took all of them.

    Args:
        feeds: theirs.
    """

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self.feeds = tuple(feeds)
        super().__init__(b"", 0.0, bool)
        self.primary = all(feed.primary for feed in self.feeds)
        self.failover = any(feed.failover for feed in self.feeds)

    @property
    def live(self) -> bool:
        """Whether all connections are of use."""
        return bool(self.feeds) and all(feed.live for feed in self.feeds)

    @live.setter
    def live(self, live: bool) -> None:
        pass

    @property
    def confirmed(self) -> float:
        """A monotonic time up to which all of them have told everything."""
        return min((feed.confirmed for feed in self.feeds), default=-math.inf)

    @confirmed.setter
    def confirmed(self, now: float) -> None:
        pass

    @property
    def epoch(self) -> bytes:
        """The epoch of the cluster."""
        return self.feeds[0].epoch if self.feeds else b""

    @epoch.setter
    def epoch(self, epoch: bytes) -> None:
        pass

    @property
    def own_epoch(self) -> bytes:
        """The least of their own; b"" if one of them is not known."""
        return min((feed.own_epoch for feed in self.feeds), default=b"")

    @own_epoch.setter
    def own_epoch(self, epoch: bytes) -> None:
        pass

    def covers(self, feed: Feed) -> bool:
        """Tell whether a feed is one of them, or each that it stands for is."""
        if isinstance(feed, JointFeed):
            return all(self.covers(one) for one in feed.feeds)
        return any(one is feed for one in self.feeds)

    def check_strong(self) -> None:
        """See that strong reads can be had from each."""
        for feed in self.feeds:
            feed.check_strong()


class View(Generation):
    """One bucket as a connection sees it: what an operation takes for its session.

    Args:
        node: the connection.
        key: where the server has the generation of the bucket.
    """

    def __init__(self, node: NodeSession, key: bytes) -> None:
        super().__init__(key)
        self.node = node
        self.feed = node.feed
        self.now_us = node.now_us  # type: ignore[method-assign]
        self.demoted = node.demoted
        self.watching = node.watching


class NodeSession(Session):
    """The session of a connection to one primary.

    Args:
        where: the primary.
        roster: knows the others.
        tell: see `Session`.
        now: see `Session`.
    """

    feed: NodeFeed

    def __init__(self, where: Where, roster: Roster, tell: Tell, now: Callable[[], float]) -> None:
        super().__init__(b"", tell, now)
        self.where = where
        self.feed = NodeFeed(where, roster, now(), tell)
        self._roster = roster
        self._views: dict[bytes, View] = {}
        self._used: dict[bytes, View] = {}  # since the last touch

    def view(self, key: bytes) -> View:
        """Return the bucket whose generation is at a key."""
        view = self._views.get(key)
        if view is None:
            view = self._views.setdefault(key, View(self, key))
        self._used[key] = view
        return view

    def _settle(self) -> Handshake:
        # A command that is sent on to another member is not prepared for scripts it lacks.
        # Who may not load them has no use for them either.
        yield as_request([script.loading for script in scripts.ALL])
        self.touch_at = 0.0

    def touch(self, deadline: float) -> Request:
        """Return a request that reads the generations in use; see `Session.touch`."""
        super().touch(deadline)  # when to do it again
        used, self._used = list(self._used.values()), {}
        commands = [command for view in used for command in view.question()]
        touching = as_request(commands or [(b"TIME",)])
        touching.deadline = deadline

        def learned(replies: list[Any]) -> None:
            for place, view in enumerate(used):
                view.learned(replies[2 * place : 2 * place + 2])

        touching.on_replies = learned
        return touching

    # ---- whether it is still what it was

    def _recognised(self) -> None:
        self._roster.learned(self.where, self.feed.own_epoch)

    def _standing_questions(self) -> list[Command]:
        return [STANDING, _CLUSTER_INFO]

    def _watched_over(self, reply: Any) -> bool:
        return False  # Sentinels do not watch clusters

    def _heartbeat_questions(self) -> list[Command]:
        return [STANDING, _CLUSTER_INFO]

    def _heard(self, replies: list[Any], asked: float) -> None:
        info = replies[-1]
        if isinstance(info, bytes):
            self._roster.configured(topology.epoch_in(info), topology.members_in(info))
        if topology.is_well(info):
            super()._heard(replies, asked)
        else:  # cut off from the others, it does not know what it has lost
            self._roster.suspect()

    def _lost(self) -> None:
        super()._lost()
        # What it knew is of no use, and the session of a member that has gone is never replaced.
        self._views, self._used = {}, {}
        self._roster.lost(self.where)
        self._roster.suspect()

    def _pushed(self, push: list[Any]) -> None:
        if push[0] != b"invalidate":
            return
        names: Sequence[bytes] | None = push[1]
        if names is None:
            for view in list(self._views.values()):
                view.generation = None
            self.exchange.cross()
            self.feed.changed(None)
            return
        views = [self._views[name] for name in names if name in self._views]
        voided = any(view.generation is not None for view in views)
        for view in views:
            view.generation = None
            self.exchange.cross(view)
        if voided:
            if self.feed.watching:  # what is in the bucket, and more: it is quick to tell
                self.feed.changed(None)
            return
        # A generation that was not known voids nothing: all is judged by what is learned next.
        changed = [name for name in names if name not in self._views]
        if changed:
            self.feed.changed(changed)
