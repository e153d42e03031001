"""Following accesses: what was guessed, what came of it, and what to fetch next."""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from typing import Any

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay._core.links import Links
from scrubjay.prefetch.calibration import Calibration
from scrubjay.prefetch.constants import (
    AWAITED,
    CANDIDATE,
    FLYING,
    GHOST,
    HELD,
    HIT,
    LEFT,
    MISS,
    OVERDUE,
    OVERTAKEN,
    PRESENT,
    SEEN,
    SMALLEST,
    UNUSED,
)
from scrubjay.prefetch.guard import Guard
from scrubjay.prefetch.horizon import Horizon
from scrubjay.prefetch.keys import Keys
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.scene import Scene

RING = 1 << 15  # guesses awaited at a time
QUEUE = 48  # candidates at a time
WINDOW = 512  # accesses between two looks for a threshold
FADING = 0.75  # what a window before counts for
FLOOR = 0.04  # a guess worth less is never fetched
CEILING = 0.5
PRICE = 0.06  # worth below which no guess is fetched, for each load allowed beyond the misses
CASUAL = 4.0  # times that price for what would come as often without evidence
SCARCE = 0.5  # part of a full purse below which only better guesses are paid for
CHOOSY = 0.6  # of the way from the threshold to certainty, for the last of it
RIVALS = 1.5  # a guess must be that much likelier than what it displaces
YOUNG = 2.0  # times the usual age up to which what waits is not displaced by what is new
FAILURES = 4  # in a row, after which there is a pause
SLOWER = 3.0  # times the usual time of a load that loads take longer, likewise
NOTICEABLE = 0.02  # seconds that they take longer at least
FEWEST = 16.0  # loads until it is known what is usual
USUAL = 256.0  # loads over which that is averaged
SILENCE = 256  # accesses that the first pause lasts
LONGEST_SILENCE = 1 << 14
TRIALS = 8.0  # guesses of a class until it is compared with others
STALE = 4  # accesses that a candidate may wait


class Model:
    """The compiled part of the planner.

    Args:
        capacity: Entries that the cache holds.
        cost_ratio: Loads allowed for each there would be without prefetch.
        most_keys: Keys followed at most.
        budget: Keys fetched ahead at most for each miss without prefetch.
        predictors: Who guesses.
    """

    def __init__(
        self,
        capacity: int,
        cost_ratio: float,
        most_keys: int,
        budget: float,
        predictors: list[Predictor],
    ) -> None:
        self.capacity = capacity
        self.cost_ratio = cost_ratio
        self.budget = budget
        self.keys = Keys(most_keys)
        self.scene = Scene(self.keys)
        self.predictors = predictors
        kinds = 0
        for predictor in predictors:
            predictor.base = kinds
            kinds += predictor.bands
        self.calibration = Calibration(kinds)
        self.guard = Guard(capacity)
        self.ghosts = Links(1)
        self.waiting = Links(1)
        self.kind = array("H")
        self.since = array("I")
        self.first_kind = array("H")  # of the earliest guess, which looked farthest ahead
        self.first_since = array("I")
        self.paid = array("f")
        self.issued_of = array("q", bytes(8 * kinds))  # by class
        self.used_of = array("q", bytes(8 * kinds))
        self.late_of = array("q", bytes(8 * kinds))
        self.ring = array("Q", bytes(8 * RING))
        self.first = 0
        self.last = 0
        self.queue = array("Q", bytes(8 * QUEUE))
        self.queue_kinds = array("i", bytes(4 * QUEUE))
        self.queue_times = array("q", bytes(8 * QUEUE))
        self.queued = 0
        self.least = CEILING
        self.casual = min(1.0, CASUAL * PRICE / max(PRICE, cost_ratio - 1.0))
        if cost_ratio - 1.0 > PRICE / CEILING:
            self.least = max(FLOOR, PRICE / (cost_ratio - 1.0))
        self.theta = self.floor = self.least
        self.wait = 64
        self.misses = 0.0  # without prefetch, of late
        self.purse = 16.0
        self.allowance = 16.0
        self.deepest = 64.0 + capacity / 32.0
        self.unused = 0
        self.spare = 0  # places that unused entries have left and no other has taken yet
        self.flying = 0
        self.horizon = Horizon()
        self.patience = self.horizon.wait
        self.bar = CEILING
        self.rival = 0.0
        self.lag = 0.0
        self.all_misses = self.plain_misses = self.issued = self.used = 0
        self.late = self.wasted = self.failures = 0
        self.accuracy = 0.0
        self.failed_in_a_row = 0
        self.silent_until = 0
        self.usual_seconds = 0.0
        self.timed = 0.0
        self.recent_seconds = 0.0
        self.silence = SILENCE
        self.grow()

    def grow(self) -> int:
        """Let everything have as many slots as the keys have."""
        slots = self.keys.slots
        self.ghosts.grow(slots)
        self.waiting.grow(slots)
        self.kind = resized("H", self.kind, slots, 0)
        self.since = resized("I", self.since, slots, 0)
        self.first_kind = resized("H", self.first_kind, slots, 0)
        self.first_since = resized("I", self.first_since, slots, 0)
        self.paid = resized("f", self.paid, slots, 0.0)
        for predictor in self.predictors:
            predictor.grow(slots)
        return 0

    def accessed(self, key: Hashable, stream: int, moment: float, outcome: int) -> None:
        """Learn from an access.

        Args:
            key: What was asked.
            stream: A number for the session, user or thread that asked; 0 if unknown.
            moment: When, in seconds of the wall clock.
            outcome: One of `scrubjay.prefetch.constants`.
        """
        self.keys.now += 1
        slot = self.seat(key)
        self.settle(slot, outcome)
        if self.keys.now & 0xFFFFFFF == 0:
            self.keys.now += 1
        scene = self.scene
        scene.slot = slot
        scene.mark = self.keys.mark(slot)
        scene.moment = moment
        scene.outcome = outcome
        scene.stream = stream
        scene.row = scene.streams.row(stream, self.keys.now)
        self.expire()
        self.guard.look()
        self.raise_bar()
        self.wait -= 1
        if self.wait <= 0:
            self.wait = WINDOW
            self.reconsider()
        last = scene.streams.before(scene.row, 1)
        if last != NONE and scene.streams.marks[last] == scene.mark:
            return  # again: nothing follows from it
        for predictor in self.predictors:
            predictor.learn(scene)
        scene.streams.push(scene.row, scene.mark, self.keys.now)
        scene.all.push(0, scene.mark, self.keys.now)
        if self.guard.capacity < SMALLEST:
            return
        scene.count = 0
        for predictor in self.predictors:
            predictor.propose(scene)
        for line in range(scene.count):
            self.consider(scene.slots[line], scene.classes[line])
        return

    def raise_bar(self) -> None:
        """Let the bar depend on what is left to spend.

        With a full purse there is no reason to wait for something better; the last of it is
        kept for the best guesses, which come in bursts.
        """
        full = max(0.0, min(self.purse, self.allowance) / self.deepest)
        self.bar = self.theta - (self.theta - self.floor) * full
        if full < SCARCE:
            top = self.theta + (1.0 - self.theta) * CHOOSY
            self.bar += (top - self.bar) * (1.0 - full / SCARCE)

    def seat(self, key: Hashable) -> int:
        """Return the slot of a key, a new one if it has none."""
        keys = self.keys
        wide = keys.spread(key)
        slot = keys.find(wide)
        if slot != NONE:
            keys.state[slot] |= SEEN
            return slot
        if keys.used < keys.most:
            if keys.used == keys.slots:
                keys.grow(min(2 * keys.slots, keys.most))
                self.grow()
            slot = keys.used
            keys.used += 1
        else:
            slot = keys.oldest()
            self.vacate(slot)
            keys.withdraw(slot)
        keys.take(slot, wide, key)
        return slot

    def vacate(self, slot: int) -> int:
        """Forget the key in a slot."""
        state = self.keys.state[slot]
        if state & GHOST:
            self.ghosts.unlink(0, slot)
        if state & UNUSED:
            self.unused -= 1
            self.waiting.unlink(0, slot)
        if state & FLYING:
            self.flying -= 1
        for predictor in self.predictors:
            predictor.forget(slot)
        return 0

    def settle(self, slot: int, outcome: int) -> None:
        """Note what an access tells of guesses that were made."""
        keys = self.keys
        state = keys.state[slot]
        keys.ask(slot)
        keys.state[slot] = HELD | (state & (SEEN | OVERTAKEN))
        if state & GHOST:
            self.ghosts.unlink(0, slot)
        if outcome == HIT and not state & UNUSED:
            return
        age = (keys.now - self.since[slot]) & 0xFFFFFFF
        if state & LEFT:
            self.horizon.come_back((keys.now - keys.left[slot]) & 0xFFFFFFF)
        if outcome == MISS:
            self.all_misses += 1
        if not state & GHOST:
            self.misses += 1.0
            self.plain_misses += 1
            self.purse = min(self.purse + self.cost_ratio - 1.0, self.deepest)
            self.allowance = min(self.allowance + self.budget, self.deepest)
        if state & UNUSED:
            self.unused -= 1
            self.waiting.unlink(0, slot)
            self.used += 1
            self.used_of[self.kind[slot]] += 1
            self.judge_loaded(slot, 1.0)
            self.judge_first(slot, True)
            self.purse -= self.paid[slot]
            self.age(age)
            self.horizon.come(age)
            if not state & GHOST:  # else the key would be there without having been loaded
                self.purse += 1.0
                self.guard.gain()
            self.trim()
            return
        if self.spare > 0:
            self.spare -= 1
        self.trim()
        if state & GHOST:
            self.guard.harm()
            if outcome == MISS:
                self.purse -= 1.0
        if state & FLYING:
            self.flying -= 1
            self.late += 1
            self.late_of[self.kind[slot]] += 1
            keys.state[slot] |= OVERTAKEN
            if age + 1 > self.lag:  # not yet known to be over
                self.take_time(age + 1)
            self.judge_loaded(slot, self.part(age))
            self.judge_first(slot, True)
            self.purse += (0.0 if state & GHOST else 1.0) - self.paid[slot]
        elif state & AWAITED:
            kind = self.kind[slot]
            self.calibration.judge(kind, self.part(age))
            self.judge_first(slot, True)
            if self.calibration.worth[kind] >= self.theta:
                self.age(age)
                self.horizon.come(age)
        elif state & OVERDUE and self.calibration.worth[self.kind[slot]] >= self.theta:
            self.horizon.come(age)

    def part(self, age: int) -> float:
        """Return how much of a load is saved if it began so many accesses ago."""
        if age >= self.lag:
            return 1.0
        return age / self.lag

    def age(self, age: int) -> None:
        """Learn after how many accesses guesses come true."""
        self.horizon.usual_age += (age - self.horizon.usual_age) / 64.0

    def take_time(self, age: int) -> None:
        """Learn how many accesses pass while a key is fetched."""
        self.lag += (age - self.lag) / 16.0
        self.scene.lag = int(self.lag + 0.5)

    def judge_loaded(self, slot: int, part: float) -> None:
        """Note what became of a guess that was fetched."""
        self.calibration.judge(self.kind[slot], part)
        self.accuracy += (part - self.accuracy) / 64.0

    def judge_first(self, slot: int, right: bool) -> None:
        """Note what became of the earliest guess of a key, if a later one took its place.

        While a load takes time, the later one may have been right and yet too late.
        """
        kind = self.first_kind[slot]
        if self.scene.lag == 0 or kind == self.kind[slot]:
            return
        age = (self.keys.now - self.first_since[slot]) & 0xFFFFFFF
        self.calibration.judge(kind, self.part(age) if right else 0.0)

    def expire(self) -> None:
        """Count the guesses whose time is over as wrong."""
        keys = self.keys
        limit = int(self.patience)
        while self.first != self.last:
            entry = self.ring[self.first & (RING - 1)]
            began = entry & 0xFFFFFFF
            if (keys.now - began) & 0xFFFFFFF <= limit:
                return
            self.first += 1
            slot = keys.valid(entry >> 28)
            if slot != NONE and keys.state[slot] & AWAITED and self.since[slot] == began:
                keys.state[slot] = (keys.state[slot] & ~AWAITED) | OVERDUE
                self.calibration.judge(self.kind[slot], 0.0)
                self.judge_first(slot, False)

    def consider(self, slot: int, kind: int) -> None:
        """Take up a guess: remember it, and offer it for fetching if it is worth that."""
        keys = self.keys
        state = keys.state[slot]
        if state & PRESENT:
            return
        calibration = self.calibration
        worth = calibration.worth[kind]
        if state & AWAITED:
            old = self.kind[slot]
            untried = self.scene.lag > 0 and calibration.tries[kind] < TRIALS
            if calibration.worth[old] >= self.bar or not untried:
                untried = False
            if calibration.worth[old] >= worth and not untried:
                if not state & CANDIDATE and calibration.worth[old] >= self.bar:
                    self.offer(slot, old)
                return
            calibration.begun[old] -= 1.0
        if self.last - self.first >= RING:
            return
        began = keys.now & 0xFFFFFFF
        self.ring[self.last & (RING - 1)] = keys.mark(slot) << 28 | began
        self.last += 1
        if not state & AWAITED:
            self.first_kind[slot] = kind
            self.first_since[slot] = began
        keys.state[slot] = (state & ~OVERDUE) | AWAITED
        if worth >= self.theta and not state & AWAITED:
            self.horizon.begin()
        self.kind[slot] = kind
        self.since[slot] = began
        calibration.begun[kind] += 1.0
        if worth >= self.least:
            calibration.expect(kind, keys.chance(slot, self.patience))
        if worth >= self.bar:
            self.offer(slot, kind)

    def offer(self, slot: int, kind: int) -> None:
        """Put a guess where `choose` finds it, in place of the least if there is no room."""
        line = self.queued
        worth = self.calibration.worth[kind]
        if worth < self.casual and not self.calibration.lifts(kind):
            return
        if self.keys.state[slot] & CANDIDATE:
            return
        if line == QUEUE:
            least = worth
            for place in range(QUEUE):
                other = self.calibration.worth[self.queue_kinds[place]]
                if other < least or self.queue_times[place] + STALE < self.keys.now:
                    least = other
                    line = place
                    if self.queue_times[place] + STALE < self.keys.now:
                        break
            if line == QUEUE:
                return
            old = self.keys.valid(self.queue[line])
            if old != NONE:
                self.keys.state[old] &= ~CANDIDATE
        else:
            self.queued += 1
        self.queue[line] = self.keys.mark(slot)
        self.queue_kinds[line] = kind
        self.queue_times[line] = self.keys.now
        self.keys.state[slot] |= CANDIDATE

    def choose(self) -> int:
        """Return the slot of the best candidate, now to be fetched; NONE if none is worth it."""
        keys = self.keys
        if keys.now < self.silent_until:
            return NONE
        worths = self.calibration.worth
        while self.queued > 0:
            best = NONE
            most = -1.0
            line = 0
            while line < self.queued:
                slot = keys.valid(self.queue[line])
                if slot == NONE or not keys.state[slot] & CANDIDATE:
                    self.remove(line)
                    continue
                if self.queue_times[line] + STALE < keys.now:
                    keys.state[slot] &= ~CANDIDATE
                    self.remove(line)
                    continue
                if worths[self.kind[slot]] > most:
                    most = worths[self.kind[slot]]
                    best = line
                line += 1
            if best == NONE or most < self.bar:
                return NONE
            if self.purse < 1.0 - most or self.allowance < 1.0:
                return NONE
            if self.guard.room == 0 or self.unused + self.flying >= self.guard.room + self.lag:
                self.guard.pressed = True
                oldest = self.waiting.head[0]
                if oldest == NONE or self.guard.room == 0:
                    return NONE
                age = (keys.now - self.since[oldest]) & 0xFFFFFFF
                if age < YOUNG * self.horizon.usual_age:
                    return NONE  # else that one will go
            slot = keys.valid(self.queue[best])
            kind = self.kind[slot]
            self.remove(best)
            keys.state[slot] = (keys.state[slot] & ~(CANDIDATE | AWAITED)) | FLYING
            self.kind[slot] = kind
            self.since[slot] = keys.now & 0xFFFFFFF
            self.paid[slot] = most
            self.purse -= 1.0 - most
            self.allowance -= 1.0
            self.flying += 1
            self.issued += 1
            self.issued_of[kind] += 1
            return slot
        return NONE

    def remove(self, line: int) -> None:
        """Take a candidate out of the queue."""
        last = self.queued - 1
        self.queue[line] = self.queue[last]
        self.queue_kinds[line] = self.queue_kinds[last]
        self.queue_times[line] = self.queue_times[last]
        self.queued = last

    def time(self, seconds: float) -> None:
        """Learn how long a load takes; make a pause when that becomes much longer."""
        self.failed_in_a_row = 0
        if self.timed < USUAL:
            self.timed += 1.0
        self.usual_seconds += (seconds - self.usual_seconds) / self.timed
        self.recent_seconds += (seconds - self.recent_seconds) / 8.0
        slower = self.recent_seconds - self.usual_seconds
        if self.timed >= FEWEST and slower > max(NOTICEABLE, SLOWER * self.usual_seconds):
            self.be_silent()
            self.recent_seconds = self.usual_seconds
        elif self.silence > SILENCE and self.recent_seconds < 2.0 * self.usual_seconds:
            self.silence //= 2

    def fail(self) -> None:
        """Learn that a load failed; make a pause when several did in a row."""
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= FAILURES:
            self.be_silent()

    def be_silent(self) -> None:
        """Choose nothing for a while, each time twice as long as before."""
        self.silent_until = self.keys.now + self.silence
        if self.silence < LONGEST_SILENCE:
            self.silence *= 2

    def landed(self, key: Hashable, stored: bool, failed: bool) -> int:
        """Note that a key was fetched; return its slot, or NONE if it is not flying."""
        keys = self.keys
        slot = keys.find(keys.spread(key))
        if slot == NONE or not keys.state[slot] & (FLYING | OVERTAKEN):
            return NONE
        if not failed and (stored or keys.state[slot] & OVERTAKEN):
            self.take_time((keys.now - self.since[slot]) & 0xFFFFFFF)
        if keys.state[slot] & OVERTAKEN:
            keys.state[slot] &= ~OVERTAKEN
            return slot
        self.flying -= 1
        keys.state[slot] &= ~FLYING
        if stored:
            keys.state[slot] |= UNUSED
            self.failed_in_a_row = 0
            self.unused += 1
            if self.spare > 0:
                self.spare -= 1
            self.waiting.append(0, slot)
            return slot
        if failed:
            self.failures += 1
            self.fail()
            self.calibration.judge(self.kind[slot], 0.0)
            self.purse -= self.paid[slot]
        else:
            keys.state[slot] |= HELD
            self.purse += 1.0 - self.paid[slot]
            self.allowance += 1.0
            self.issued -= 1
            self.issued_of[self.kind[slot]] -= 1
        return slot

    def dropped(self, key: Hashable) -> None:
        """Note that an entry that was fetched ahead has left without having been used.

        Args:
            key: Its key.
        """
        keys = self.keys
        slot = keys.find(keys.spread(key))
        if slot == NONE or not keys.state[slot] & UNUSED:
            return
        keys.state[slot] = (keys.state[slot] & ~UNUSED) | OVERDUE
        self.unused -= 1
        self.waiting.unlink(0, slot)
        self.wasted += 1
        self.judge_loaded(slot, 0.0)
        self.judge_first(slot, False)
        self.purse -= self.paid[slot]
        self.spare += 1
        return

    def evicted(self, key: Hashable) -> None:
        """Note that an entry that had been asked for was given up to make room.

        Without this the planner cannot know of the misses that prefetch causes.

        Args:
            key: Its key.
        """
        keys = self.keys
        slot = keys.find(keys.spread(key))
        if slot == NONE:
            return
        state = keys.state[slot]
        keys.state[slot] = (state & ~HELD) | LEFT
        keys.left[slot] = keys.now & 0xFFFFFFF
        self.horizon.evict()
        if self.unused + self.spare > 0 and not state & GHOST:
            keys.state[slot] |= GHOST
            self.ghosts.append(0, slot)
            self.trim()
        return

    def trim(self) -> None:
        """Let there be no more ghosts than places that the others lack."""
        while self.ghosts.length[0] > self.unused + self.spare:
            slot = self.ghosts.head[0]
            self.ghosts.unlink(0, slot)
            self.keys.state[slot] &= ~GHOST

    def reconsider(self) -> None:
        """Find the worth from which on guesses are fetched."""
        theta = self.calibration.threshold(
            self.misses * self.budget, self.misses * (self.cost_ratio - 1.0)
        )
        self.horizon.choose(8.0 + 2.0 * self.lag, 1.0 * self.capacity)
        self.patience = self.horizon.wait
        self.rival = self.horizon.rival(self.patience)
        # Who comes true leaves at the usual age, who does not only when its time is over.
        soon = RIVALS * self.horizon.rival(self.horizon.usual_age)
        late = RIVALS * self.rival
        self.floor = late / (1.0 + late - soon) if late > soon else late
        self.floor = max(self.floor, self.least)
        self.theta = max(theta, self.floor)
        self.calibration.fade(FADING)
        self.misses *= FADING

    def standing(self, key: Hashable) -> tuple[int, int]:
        """Return what is known of a key, and the class of the last guess of it; or -1 twice."""
        slot = self.keys.find(self.keys.spread(key))
        if slot == NONE:
            return -1, -1
        return self.keys.state[slot], self.kind[slot]

    def counts(self) -> list[tuple[int, int, int, float, float]]:
        """Return issued, used, late, worth and tries of each class."""
        calibration = self.calibration
        return [
            (
                self.issued_of[kind],
                self.used_of[kind],
                self.late_of[kind],
                calibration.worth[kind],
                calibration.tries[kind],
            )
            for kind in range(calibration.kinds)
        ]

    def tables(self) -> dict[str, Any]:
        """Return the tables of what was learned, by name."""
        found: dict[str, Any] = {"age": self.keys.age}
        for name, table in self.calibration.parts().items():
            found["calibration." + name] = table
        for line in range(len(self.predictors)):
            for name, table in self.predictors[line].parts().items():
                found[str(line) + "." + name] = table
        return found

    def awaken(self, tables: dict[str, Any]) -> None:
        """Have those predictors make room whose saved tables have any."""
        for line in range(len(self.predictors)):
            lead = str(line) + "."
            size = 0
            for name, table in tables.items():
                if name.startswith(lead):
                    size += len(table)
            if size > 0:
                self.predictors[line].wake(size)

    def adopt(self, keys: list[Any], known: list[bool], ages: Any) -> None:
        """Begin anew with these keys, for tables to be filled."""
        self.keys.adopt(keys, known, ages)
        self.grow()

    def dump(self) -> dict[str, Any]:
        """Return figures of the model, for those who look into it."""
        return {
            "accesses": self.keys.now,
            "threshold": self.theta,
            "purse": self.purse,
            "allowance": self.allowance,
            "rival": self.rival,
            "bar": self.bar,
            "lifetime": self.patience,
            "usual_age": self.horizon.usual_age,
            "lag": self.lag,
            "ring": self.last - self.first,
            "room": self.guard.room,
            "closed": self.guard.closed,
            "unused": self.unused,
            "flying": self.flying,
            "ghosts": self.ghosts.length[0],
            "misses": self.all_misses,
            "plain_misses": self.plain_misses,
            "issued": self.issued,
            "used": self.used,
            "late": self.late,
            "wasted": self.wasted,
            "failed": self.failures,
            "accuracy": self.accuracy,
            "gains": self.guard.all_gains,
            "harms": self.guard.all_harms,
            "keys": self.keys.used,
            "silent": self.keys.now < self.silent_until,
        }
