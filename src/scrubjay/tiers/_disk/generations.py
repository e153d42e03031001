"""Generations of tags: a table of fixed size, from which nothing is ever forgotten.

A counter that was lost would begin again, and an entry invalidated long ago would be valid.
So there is no counter for each name but 65,536 for all, by hash: a name shares its counter
with others, and may be invalidated with them, which costs a miss.

A generation is the microsecond at which it began, or the one after that of the generation
before, and 10 random bits. So none comes twice, not after the file was lost either; and a
counter in which a bit has changed is, but for a rare chance, one that nobody remembers.
"""

from __future__ import annotations

import secrets
import time

from scrubjay.tiers._disk import layout
from scrubjay.tiers._disk.files import Files

_RANDOM_BITS = 10  # with 53 for the microseconds, enough until 2255
_LARGEST = 1 << 63


def first_generation() -> int:
    """Return a generation for names of which nothing is known."""
    return _generation(0)


def generation(files: Files, name: bytes) -> int:
    """Return the generation of a name."""
    return files.words[_place(files, name)]


def bump(files: Files, name: bytes) -> int:
    """Begin a new generation of a name, under the lock; return it."""
    place = _place(files, name)
    before = files.words[place]
    # Damage in a high bit would bring the numbers to their end.
    new = _generation(before if before < _LARGEST else 0)
    files.words[place] = new
    return new


def _place(files: Files, name: bytes) -> int:
    hasher = files.hasher.copy()
    hasher.update(name)
    number = int.from_bytes(hasher.digest(), "little") % layout.GENERATIONS
    return layout.AT_GENERATIONS // 8 + number


def _generation(before: int) -> int:
    microseconds = max((before >> _RANDOM_BITS) + 1, time.time_ns() // 1000)
    return microseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
