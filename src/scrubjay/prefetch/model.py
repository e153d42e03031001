"""Following accesses: what was guessed, what came of it, and what to fetch next."""

from __future__ import annotations

from array import array
from collections.abc import Hashable

from scrubjay._core.columns import resized
from scrubjay._core.constants import NONE
from scrubjay._core.links import Links
from scrubjay.prefetch.awaited import Awaited
from scrubjay.prefetch.calibration import Calibration
from scrubjay.prefetch.candidates import Candidates
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
from scrubjay.prefetch.pauses import Pauses
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.purse import Purse
from scrubjay.prefetch.scene import Scene
from scrubjay.prefetch.tally import Tally

YOUNG = 2.0  # times the usual age up to which what waits is not displaced by what is new
TRIALS = 8.0  # guesses of a class until it is compared with others
AGES = 64.0  # guesses over which the age at which they come true is averaged
TIMES = 16.0  # loads over which the time they take is


class Model:
    """The compiled part of the planner.

    Args:
        capacity: entries that the cache holds.
        cost_ratio: loads allowed for each there would be without prefetch.
        most_keys: keys followed at most.
        budget: keys fetched ahead at most for each miss without prefetch.
        predictors: who guesses.
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
        self.keys = Keys(most_keys)
        self.scene = Scene(self.keys)
        self.predictors = predictors
        kinds = 0
        for predictor in predictors:
            predictor.base = kinds
            kinds += predictor.bands
        self.calibration = Calibration(kinds)
        self.guard = Guard(capacity)
        self.horizon = Horizon()
        self.purse = Purse(capacity, cost_ratio, budget)
        self.awaited = Awaited(self.keys, self.calibration)
        self.candidates = Candidates(self.keys, self.awaited, self.calibration)
        self.pauses = Pauses()
        self.tally = Tally(kinds)
        self.ghosts = Links(1)
        self.waiting = Links(1)
        self.paid = array("f")
        self.unused = 0
        self.spare = 0  # places that unused entries have left and no other has taken yet
        self.flying = 0
        self.grow()

    def grow(self) -> int:
        """Let everything have as many slots as the keys have."""
        slots = self.keys.slots
        self.ghosts.grow(slots)
        self.waiting.grow(slots)
        self.awaited.grow(slots)
        self.paid = resized("f", self.paid, slots, 0.0)
        for predictor in self.predictors:
            predictor.grow(slots)
        return 0

    def accessed(self, key: Hashable, stream: int, moment: float, outcome: int) -> None:
        """Learn from an access.

        Args:
            key: what was asked.
            stream: a number for the session, user or thread that asked; 0 if unknown.
            moment: when, in seconds of the wall clock.
            outcome: one of `scrubjay.prefetch.constants`.
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
        self.awaited.expire(int(self.horizon.wait))
        self.guard.look()
        purse = self.purse
        purse.raise_bar()
        if purse.is_due():
            self.horizon.choose(8.0 + 2.0 * self.awaited.lag, 1.0 * self.capacity)
            purse.reconsider(self.calibration, self.horizon)
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
        awaited, calibration, purse, tally = self.awaited, self.calibration, self.purse, self.tally
        kind = awaited.kind[slot]
        age = awaited.age(slot)
        if state & LEFT:
            self.horizon.come_back((keys.now - keys.left[slot]) & 0xFFFFFFF)
        if outcome == MISS:
            tally.misses += 1
        if not state & GHOST:
            tally.plain_misses += 1
            purse.earn()
        if state & UNUSED:
            self.unused -= 1
            self.waiting.unlink(0, slot)
            tally.use(kind)
            self.judge_loaded(slot, 1.0)
            awaited.judge_first(slot, True)
            purse.balance -= self.paid[slot]
            self.come(age)
            if not state & GHOST:  # else the key would be there without having been loaded
                purse.balance += 1.0
                self.guard.gain()
            self.trim()
            return
        if self.spare > 0:
            self.spare -= 1
        self.trim()
        if state & GHOST:
            self.guard.harm()
            if outcome == MISS:
                purse.balance -= 1.0
        if state & FLYING:
            self.flying -= 1
            tally.join(kind)
            keys.state[slot] |= OVERTAKEN
            if age + 1 > awaited.lag:  # not yet known to be over
                self.take_time(age + 1)
            self.judge_loaded(slot, awaited.part(age))
            awaited.judge_first(slot, True)
            purse.balance += (0.0 if state & GHOST else 1.0) - self.paid[slot]
        elif state & AWAITED:
            calibration.judge(kind, awaited.part(age))
            awaited.judge_first(slot, True)
            if calibration.worth[kind] >= purse.theta:
                self.come(age)
        elif state & OVERDUE and calibration.worth[kind] >= purse.theta:
            self.horizon.come(age)

    def come(self, age: int) -> None:
        """Learn after how many accesses guesses come true."""
        self.horizon.usual_age += (age - self.horizon.usual_age) / AGES
        self.horizon.come(age)

    def take_time(self, age: int) -> None:
        """Learn how many accesses pass while a key is fetched."""
        awaited = self.awaited
        awaited.lag += (age - awaited.lag) / TIMES
        self.scene.lag = int(awaited.lag + 0.5)

    def judge_loaded(self, slot: int, part: float) -> None:
        """Note what became of a guess that was fetched."""
        self.calibration.judge(self.awaited.kind[slot], part)
        self.tally.judge(part)

    def consider(self, slot: int, kind: int) -> None:
        """Take up a guess: remember it, and offer it for fetching if it is worth that."""
        keys = self.keys
        state = keys.state[slot]
        if state & PRESENT:
            return
        awaited, calibration, bar = self.awaited, self.calibration, self.purse.bar
        worth = calibration.worth[kind]
        if state & AWAITED:
            old = awaited.kind[slot]
            untried = self.scene.lag > 0 and calibration.tries[kind] < TRIALS
            if calibration.worth[old] >= bar or not untried:
                untried = False
            if calibration.worth[old] >= worth and not untried:
                if not state & CANDIDATE and calibration.worth[old] >= bar:
                    self.offer(slot, old)
                return
            calibration.begun[old] -= 1.0
        if awaited.is_full():
            return
        if worth >= self.purse.theta and not state & AWAITED:
            self.horizon.begin()
        awaited.remember(slot, kind)
        calibration.begun[kind] += 1.0
        if worth >= self.purse.least:
            calibration.expect(kind, keys.chance(slot, self.horizon.wait))
        if worth >= bar:
            self.offer(slot, kind)

    def offer(self, slot: int, kind: int) -> None:
        """Offer a guess for fetching, unless its key is merely popular and loads are dear."""
        if self.calibration.worth[kind] >= self.purse.casual or self.calibration.lifts(kind):
            self.candidates.offer(slot, kind)

    def choose(self) -> int:
        """Return the slot of the best candidate, now to be fetched; NONE if none is worth it."""
        keys, awaited = self.keys, self.awaited
        if keys.now < self.pauses.until:
            return NONE
        line = self.candidates.best()
        if line == NONE:
            return NONE
        slot = keys.valid(self.candidates.marks[line])
        kind = awaited.kind[slot]
        worth = self.calibration.worth[kind]
        if worth < self.purse.bar or not self.purse.affords(worth):
            return NONE
        if self.guard.room == 0 or self.unused + self.flying >= self.guard.room + awaited.lag:
            self.guard.pressed = True
            oldest = self.waiting.head[0]
            if oldest == NONE or self.guard.room == 0:
                return NONE
            if awaited.age(oldest) < YOUNG * self.horizon.usual_age:
                return NONE  # else that one will go
        self.candidates.remove(line)
        keys.state[slot] = (keys.state[slot] & ~(CANDIDATE | AWAITED)) | FLYING
        awaited.since[slot] = keys.now & 0xFFFFFFF
        self.paid[slot] = worth
        self.purse.spend(worth)
        self.flying += 1
        self.tally.issue(kind, 1)
        return slot

    def time(self, seconds: float) -> None:
        """Learn how long a load takes."""
        self.pauses.time(seconds, self.keys.now)

    def landed(self, key: Hashable, stored: bool, failed: bool) -> int:
        """Note that a key was fetched; return its slot, or NONE if it is not flying."""
        keys = self.keys
        slot = keys.find(keys.spread(key))
        if slot == NONE or not keys.state[slot] & (FLYING | OVERTAKEN):
            return NONE
        if not failed and (stored or keys.state[slot] & OVERTAKEN):
            self.take_time(self.awaited.age(slot))
        if keys.state[slot] & OVERTAKEN:
            keys.state[slot] &= ~OVERTAKEN
            return slot
        self.flying -= 1
        keys.state[slot] &= ~FLYING
        if stored:
            keys.state[slot] |= UNUSED
            self.pauses.succeed()
            self.unused += 1
            if self.spare > 0:
                self.spare -= 1
            self.waiting.append(0, slot)
            return slot
        if failed:
            self.tally.failures += 1
            self.pauses.fail(keys.now)
            self.calibration.judge(self.awaited.kind[slot], 0.0)
            self.purse.balance -= self.paid[slot]
        else:
            keys.state[slot] |= HELD
            self.purse.balance += 1.0 - self.paid[slot]
            self.purse.allowance += 1.0
            self.tally.issue(self.awaited.kind[slot], -1)
        return slot

    def dropped(self, key: Hashable) -> None:
        """Note that an entry that was fetched ahead has left without having been used.

        Args:
            key: its key.
        """
        keys = self.keys
        slot = keys.find(keys.spread(key))
        if slot == NONE or not keys.state[slot] & UNUSED:
            return
        keys.state[slot] = (keys.state[slot] & ~UNUSED) | OVERDUE
        self.unused -= 1
        self.waiting.unlink(0, slot)
        self.tally.wasted += 1
        self.judge_loaded(slot, 0.0)
        self.awaited.judge_first(slot, False)
        self.purse.balance -= self.paid[slot]
        self.spare += 1
        return

    def evicted(self, key: Hashable) -> None:
        """Note that an entry that had been asked for was given up to make room.

        Without this the planner cannot know of the misses that prefetch causes.

        Args:
            key: its key.
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
