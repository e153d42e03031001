"""What is asked for at its own time: after a period of its own, or at this hour.

A key that comes back after about the same time again and again is guessed shortly before it
is due. Hours are those of the week: a hand goes round all keys during each, and guesses those
that were asked for in the next hour on the last such day, or yesterday.
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene

HOUR = 3600.0
HOURS = 168  # of a week
SLACK = 8.0  # a period is kept to if it is missed by no more than one eighth of it
REGULAR = 2  # periods in a row that make a key regular
WHEEL = 1024  # keys that are due are found by time, in as many seconds
MOST_DUE = 4  # keys a second
STEPS = 8  # keys that the hand passes at an access
MOST_HOURS = 4  # keys guessed of them


class Time(Predictor):
    """Periods and hours of keys, 24 bytes each."""

    name = "time"
    bands = 12  # four of periods, eight of hours

    def __init__(self) -> None:
        Predictor.__init__(self)
        self.slots = 0
        self.open = False
        self.last = array("d")
        self.period = array("f")
        self.kept = array("B")  # periods kept in a row
        self.hours = array("H")  # hours of the week plus one, of the last two visits
        self.earlier = array("H")
        self.wheel = array("Q", bytes(8 * WHEEL * MOST_DUE))
        self.second = 0
        self.hand = 0
        self.hour = -1
        self.left = 0  # keys that the hand has yet to pass in this hour

    def grow(self, slots: int) -> int:
        """Make room for `slots` keys."""
        self.slots = slots
        return self.begin() if self.open else 0

    def begin(self) -> int:
        """Make room, once times are known."""
        self.open = True
        slots = self.slots
        self.last = resized("d", self.last, slots, 0.0)
        self.period = resized("f", self.period, slots, 0.0)
        self.kept = resized("B", self.kept, slots, 0)
        self.hours = resized("H", self.hours, slots, 0)
        self.earlier = resized("H", self.earlier, slots, 0)
        return 0

    def forget(self, slot: int) -> int:
        """Begin anew with a slot that another key has taken."""
        if not self.open:
            return 0
        self.last[slot] = 0.0
        self.period[slot] = 0.0
        self.kept[slot] = 0
        self.hours[slot] = 0
        self.earlier[slot] = 0
        return 0

    def parts(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name, to be saved or to be filled."""
        return {
            "last": self.last,
            "period": self.period,
            "kept": self.kept,
            "hours": self.hours,
            "earlier": self.earlier,
        }

    def learn(self, scene: Scene) -> int:
        """Learn when the key was asked for."""
        if scene.moment <= 0.0:
            return 0
        if not self.open:
            self.begin()
        slot = scene.slot
        gap = scene.moment - self.last[slot]
        if self.last[slot] > 0.0 and gap >= 1.0:
            period = self.period[slot]
            wrong = gap - period
            if wrong < 0.0:
                wrong = -wrong
            if period > 0.0 and wrong * SLACK <= period:
                if self.kept[slot] < 15:
                    self.kept[slot] += 1
                self.period[slot] = period + (gap - period) / 4.0
            else:
                self.kept[slot] = 0
                self.period[slot] = gap
            if self.kept[slot] >= REGULAR:
                self.expect(scene)
        self.last[slot] = scene.moment
        hour = 1 + int(scene.moment / HOUR) % HOURS
        if self.hours[slot] != hour:
            self.earlier[slot] = self.hours[slot]
            self.hours[slot] = hour
        return 0

    def expect(self, scene: Scene) -> None:
        """Note when a regular key is due, a little early."""
        period = self.period[scene.slot]
        early = period / SLACK
        due = int(scene.moment + period - early)
        if due - self.second < WHEEL and due > self.second:
            base = (due & (WHEEL - 1)) * MOST_DUE
            for place in range(base, base + MOST_DUE):
                if self.wheel[place] == 0:
                    self.wheel[place] = scene.mark
                    return

    def propose(self, scene: Scene) -> int:
        """Guess what is due, and some of what belongs to the next hour."""
        if scene.moment <= 0.0 or not self.open:
            return 0
        now = int(scene.moment)
        if now - self.second > WHEEL or now < self.second:
            self.second = now - 1 if now - self.second > 2 * WHEEL else now - WHEEL
        while self.second < now:
            self.second += 1
            base = (self.second & (WHEEL - 1)) * MOST_DUE
            for place in range(base, base + MOST_DUE):
                mark = self.wheel[place]
                if mark == 0:
                    break
                self.wheel[place] = 0
                slot = scene.keys.valid(mark)
                if slot != NONE and slot != scene.slot and self.last[slot] < scene.moment:
                    kept = self.kept[slot]
                    band = 0 if kept <= 2 else 1 if kept <= 4 else 2 if kept <= 8 else 3
                    scene.guess(slot, self.base + band)
        hour = int(scene.moment / HOUR)
        if hour != self.hour:
            self.hour = hour
            self.left = scene.keys.used
        self.sweep(scene, hour + 1)
        return 0

    def sweep(self, scene: Scene, hour: int) -> None:
        """Guess keys that the hand passes and that belong to an hour."""
        week = 1 + hour % HOURS
        day = 1 + (hour + HOURS - 24) % HOURS
        found = 0
        for _ in range(STEPS):
            if self.left <= 0 or found >= MOST_HOURS:
                return
            self.left -= 1
            self.hand += 1
            if self.hand >= scene.keys.used:
                self.hand = 0
            slot = self.hand
            band = 0
            if self.hours[slot] == week or self.earlier[slot] == week:
                band = 2
            elif self.hours[slot] == day or self.earlier[slot] == day:
                band = 1
            if band and scene.moment - self.last[slot] > HOUR:
                found += 1
                scene.guess(slot, self.base + 4 + band)

    def wake(self, size: int) -> None:
        """Make room for tables of so many bytes in all, if that was put off."""
        if size > 0 and not self.open:
            self.begin()
