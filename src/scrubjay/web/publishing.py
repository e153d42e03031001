"""Leaves what this process tells of its caches in the tiers that they share with other nodes.

One daemon thread serves all caches that opted in, keeps none alive, and ends with the last of
them. A tier that cannot be reached is tried again at the next turn.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

from scrubjay.errors import CacheError, TierClosedError
from scrubjay.observe.roster import store_of
from scrubjay.web import snapshots
from scrubjay.web.board import SLOTS, Board
from scrubjay.web.local import Local, process

_log = logging.getLogger("scrubjay")
_EVERY = 2.0  # seconds between two turns


class _Post:
    """What is told of one cache, and where."""

    def __init__(self, store: Any, board: Board) -> None:
        self.store = weakref.ref(store)
        self.board = board
        self.slot: int | None = None
        self.body = b""  # as it was last left
        self.failing = False
        self.wanted = 1  # times that somebody has asked for it


class Publisher:
    """Tells of the caches of one process.

    Args:
        local: the caches that may be looked at.
    """

    def __init__(self, local: Local) -> None:
        self._local = local
        self._changed = threading.Condition()
        self._posts: dict[int, _Post] = {}  # by the identity of the store
        self._leaving: list[_Post] = []
        self._thread: threading.Thread | None = None
        self._host = socket.gethostname()

    def add(self, store: Any, board: Board) -> Callable[[], None]:
        """Tell of a cache from now on; return a function that ends it."""
        with self._changed:
            post = self._posts.get(id(store))
            if post is None or post.store() is not store:
                post = self._posts[id(store)] = _Post(store, board)
            else:
                post.wanted += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="scrubjay-publisher", daemon=True
                )
                self._thread.start()
        given = [post]

        def end() -> None:
            with self._changed:
                while given:  # once
                    self._give_back(given.pop())

        return end

    def _give_back(self, post: _Post) -> None:
        post.wanted -= 1
        if post.wanted == 0:
            self._drop(post)
            self._leaving.append(post)
            self._changed.notify_all()

    def _drop(self, post: _Post) -> None:
        for place, other in list(self._posts.items()):
            if other is post:
                del self._posts[place]

    def _run(self) -> None:
        while True:
            self.publish()
            with self._changed:
                if not self._posts and not self._leaving:
                    self._thread = None
                    return
                self._changed.wait_for(lambda: bool(self._leaving), _EVERY)

    def publish(self) -> None:
        """Take one turn: leave what is so now, and take down what nobody wants told any more."""
        with self._changed:
            posts = list(self._posts.values())
            leaving, self._leaving = self._leaving, []
        for post in posts:
            self._try(post, self._leave)
        for post in leaving:
            self._try(post, self._take_down)

    def _try(self, post: _Post, work: Callable[[_Post], None]) -> None:
        try:
            work(post)
        except TierClosedError:  # the cache was closed
            with self._changed:
                self._drop(post)
        except Exception as error:  # of a tier that is not ours, say
            if not post.failing:
                _log.warning("other nodes are not told of a cache for now: %s", error)
            post.failing = True
        else:
            post.failing = False

    def _leave(self, post: _Post) -> None:
        store = post.store()
        label = None if store is None else self._local.label(store)
        if store is None or label is None:
            with self._changed:
                self._drop(post)
            return
        row = self._local.row(label, store)
        detail = self._local.detail(label, gather=False)
        body = snapshots.pack(snapshots.make(self._host, row, detail))
        if post.slot is None or post.board.get(post.slot) not in {None, post.body}:
            post.slot = self._free_slot(post.board)
        post.board.put(post.slot, body)
        post.body = body

    @staticmethod
    def _free_slot(board: Board) -> int:
        """Return a slot that nobody uses."""
        free = set(range(SLOTS)) - board.taken()
        if not free:
            raise CacheError(f"{SLOTS} caches are told of in {board.tier_name}, which is the most")
        return random.choice(sorted(free))

    @staticmethod
    def _take_down(post: _Post) -> None:
        if post.slot is not None and post.board.get(post.slot) == post.body:
            post.board.take_down(post.slot)


class _Own:
    """The publisher of this process; a forked child begins with none."""

    def __init__(self) -> None:
        self.publisher: Publisher | None = None


_own = _Own()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own.__init__)  # type: ignore[misc]


def publish(cache: Any) -> Callable[[], None]:
    """Tell other nodes of a cache that may be looked at; return a function that ends it.

    Args:
        cache: one with a tier that nodes share.
    """
    store = store_of(cache)
    board = store.node_board()
    with process.lock:
        if _own.publisher is None:
            _own.publisher = Publisher(process.local)
        return _own.publisher.add(store, board)
