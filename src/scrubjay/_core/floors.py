"""The lowest versions that a session may still be shown, as a hit compares them.

Versions only rise. `risen` says whether anything has, so that who has compared once need
not look anything up as long as nothing has. Steps apart, these are changed under the lock
of `scrubjay.consistency.Session`, and read without it: no floor is ever missing or lowered
in between.
"""

from __future__ import annotations

import itertools

_numbers = itertools.count(1)


class Floor:
    """The lowest version of one key or generation."""

    def __init__(self) -> None:
        self.version = 0
        self.used = 0  # when it was lifted last, or would have been, in turns of its session


class SessionFloors:
    """The floors of one session, by eight bytes that stand for a key or a generation."""

    def __init__(self) -> None:
        self.floors: dict[bytes, Floor] = {}
        #: of the server that issued the versions; None before the first
        self.epoch: bytes | None = None
        #: whether something was forgotten
        self.overflown = False
        self.number = next(_numbers)  # which session; no other ever has it
        self.risen = 0  # how often a floor has risen, or was forgotten
        self.turn = 0
        #: the number by which policies know who asks; 0 for nobody
        self.asker = 0
        #: whether it was asked for since somebody looked
        self.wanted = False

    def lift_floor(self, place: bytes, version: int) -> None:
        """Let nothing below a version be shown from now on."""
        floor = self.floors.get(place)
        if floor is None:
            floor = Floor()
            floor.version = version
            self.floors[place] = floor
            self.risen += 1
        elif floor.version < version:
            floor.version = version
            self.risen += 1
        self.turn += 1
        floor.used = self.turn

    def forget_floors(self, places: list[bytes]) -> None:
        """Forget some floors, and know that something was forgotten."""
        self.overflown = True  # first: a floor that is missing counts as forgotten then
        for place in places:
            self.floors.pop(place, None)  # a finalizer may have been quicker, in the midst
        self.risen += 1
