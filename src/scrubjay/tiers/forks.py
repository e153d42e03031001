"""What a forked child has to do before it uses a tier of its parent."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that holds locks or files which a child must not share."""

    def after_fork(self) -> None:
        """Let go of them, in the child, while no other thread runs."""


_known: weakref.WeakSet[Forked] = weakref.WeakSet()


def watch(one: Forked) -> None:
    """Have `one.after_fork` called in every child, for as long as it lives."""
    _known.add(one)


def _after_fork() -> None:
    for one in list(_known):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
