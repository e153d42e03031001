"""Guesses on offer: a short queue from which the best is taken, and which soon are stale."""

from __future__ import annotations

from array import array

from scrubjay._core.constants import NONE
from scrubjay.prefetch.awaited import Awaited
from scrubjay.prefetch.calibration import Calibration
from scrubjay.prefetch.constants import CANDIDATE
from scrubjay.prefetch.keys import Keys

QUEUE = 48  # candidates at a time
STALE = 4  # accesses that a candidate may wait


class Candidates:
    """Keys that were guessed and are worth to be fetched.

    Args:
        keys: the keys.
        awaited: the last guess of each.
        calibration: what guesses are worth.
    """

    def __init__(self, keys: Keys, awaited: Awaited, calibration: Calibration) -> None:
        self.keys = keys
        self.awaited = awaited
        self.calibration = calibration
        self.marks = array("Q", bytes(8 * QUEUE))
        self.kinds = array("i", bytes(4 * QUEUE))
        self.times = array("q", bytes(8 * QUEUE))
        self.count = 0

    def offer(self, slot: int, kind: int) -> None:
        """Add a guess, in place of the least if there is no room."""
        keys = self.keys
        if keys.state[slot] & CANDIDATE:
            return
        line = self.count
        if line == QUEUE:
            least = self.calibration.worth[kind]
            for place in range(QUEUE):
                other = self.calibration.worth[self.kinds[place]]
                if other < least or self.times[place] + STALE < keys.now:
                    least = other
                    line = place
                    if self.times[place] + STALE < keys.now:
                        break
            if line == QUEUE:
                return
            old = keys.valid(self.marks[line])
            if old != NONE:
                keys.state[old] &= ~CANDIDATE
        else:
            self.count += 1
        self.marks[line] = keys.mark(slot)
        self.kinds[line] = kind
        self.times[line] = keys.now
        keys.state[slot] |= CANDIDATE

    def best(self) -> int:
        """Return the line of the guess worth most by now, or NONE; drop what is stale."""
        keys = self.keys
        found = NONE
        most = -1.0
        line = 0
        while line < self.count:
            slot = keys.valid(self.marks[line])
            if slot == NONE or not keys.state[slot] & CANDIDATE:
                self.remove(line)
                continue
            if self.times[line] + STALE < keys.now:
                keys.state[slot] &= ~CANDIDATE
                self.remove(line)
                continue
            worth = self.calibration.worth[self.awaited.kind[slot]]
            if worth > most:
                most = worth
                found = line
            line += 1
        return found

    def remove(self, line: int) -> None:
        """Take a guess out."""
        last = self.count - 1
        self.marks[line] = self.marks[last]
        self.kinds[line] = self.kinds[last]
        self.times[line] = self.times[last]
        self.count = last
