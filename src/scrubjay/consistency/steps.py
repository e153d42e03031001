"""What a decision about a copy begins with and comes to, and what it may want asked.

Decisions are generators: they yield `Barrier` or `Fetch`, are sent what came of it (or thrown
the tier's error), and return. A driver, blocking or awaiting, does it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

from scrubjay.versions import Feed, Versioned, Watch

__all__ = ["Barrier", "Copy", "Fetch", "Found", "LabelsOf", "Step"]

_T = TypeVar("_T")


class Barrier(NamedTuple):
    """Wait until all earlier changes have been told; send back the `Feed` that told.

    Args:
        feeds: those whose word is wanted.
    """

    feeds: tuple[Feed, ...] = ()


class Fetch(NamedTuple):
    """Read from the shared tier; send back a `Fetched`."""

    keys: tuple[bytes, ...]
    names: tuple[bytes, ...]


Step = Generator[Barrier | Fetch, Any, _T]


class Copy(NamedTuple):
    """What a node knows of the record that it has a copy of.

    Args:
        version: of the record.
        watch: ends when the record changes; None for a copy that nobody watches, such as
            one from a disk.
        labels: the generations of names that it depends on, as they were when it was made.
    """

    version: int
    watch: Watch | None
    labels: Mapping[bytes, int]


class Found(NamedTuple):
    """The outcome of a read.

    Args:
        copied: whether the copy may be served.
        record: what the shared tier has, if it was asked; None for nothing.
        void: the version of a record that is there and of no use, as a name that it depends
            on has a newer generation; see `SharedTier.lease`.
        why: the name and the generation, for `void`.
    """

    copied: bool
    record: Versioned | None = None
    void: int | None = None
    why: tuple[bytes, int] | None = None


LabelsOf = Callable[[Versioned], Mapping[bytes, int]]
