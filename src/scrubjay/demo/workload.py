"""The demonstration's traffic: who asks for what, in which order.

Eighty percent of the sessions belong to a few hot users, fifteen to the warm
ones, five to all the others; who is hot changes with each phase.  A session
walks over one user's own pages and over those that all users share.

Everything is drawn from the seed and the number of the task, not from time:
each task asks for the same things in the same order on every run, whatever
the interleaving of the tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from random import Random

from scrubjay.demo.schema import CATEGORIES, TOPICS, WORDS, Catalogue, seeded_random

PHASES = 4
TASKS = 32

_HOT_SESSIONS, _WARM_SESSIONS = 0.80, 0.15
_HOT_USERS, _WARM_USERS = 0.05, 0.20
_OPERATIONS_PER_USER = 330
_MIN_USERS, _MAX_USERS = 30, 600
_SESSION_LENGTHS = range(4, 17)
_BATCH_LENGTH = 12

# One operation in so many is a write of that kind.
_ORDER_EVERY, _EDIT_EVERY = 800, 2500

_OWN_PAGES = ("user", "history", "recommend", "feed")
_STEPS = ("user", "history", "recommend", "feed", "team", "region", "digest", "search", "ticker")
_STEP_WEIGHTS = tuple(accumulate((16, 14, 14, 16, 12, 4, 10, 10, 4)))
_WORD_WEIGHTS = tuple(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))


class Action(Enum):
    """What an operation does."""

    READ = "read"
    ORDER = "order"
    EDIT = "edit"
    RENAME = "rename"


@dataclass(frozen=True)
class Operation:
    """One thing that a user does.

    Attributes:
        action: what it is.
        key: what a read asks for; empty for writes.
    """

    action: Action
    key: str = ""


@dataclass(frozen=True)
class Session:
    """One user's visit.

    Attributes:
        name: identity of the session.
        user: who visits.
        phase: the phase that it falls in, from 0.
        operations: what the user does, in order.
    """

    name: str
    user: int
    phase: int
    operations: tuple[Operation, ...]

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch job rather than a person: long, and nothing but page reads."""
        return len(self.operations) >= _BATCH_LENGTH and all(
            operation.action is Action.READ and not operation.key.startswith("search:")
            for operation in self.operations
        )


def users_for(operations: int) -> int:
    """How many users so many operations are enough for."""
    return min(_MAX_USERS, max(_MIN_USERS, operations // _OPERATIONS_PER_USER))


class Workload:
    """All sessions of a run.

    Args:
        catalogue: what there is to ask for.
        operations: how many operations to make in all.
        seed: seed of everything random in it.

    Attributes:
        operations: how many operations it makes in all.
    """

    def __init__(self, catalogue: Catalogue, operations: int, seed: int) -> None:
        self.operations = operations
        self._catalogue = catalogue
        self._seed = seed
        self._rename_every = max(2, operations // PHASES)
        users = list(range(catalogue.users))
        seeded_random(seed, "users").shuffle(users)
        self._by_heat = [_split_by_heat(users, phase) for phase in range(PHASES)]

    def sessions(self, task: int) -> Iterator[Session]:
        """The sessions of one task.

        Args:
            task: number of the task, from 0 up to `TASKS`.

        Yields:
            Its sessions in order; with those of the other tasks they make up
            exactly the operations asked for.
        """
        random = seeded_random(self._seed, "task", task)
        positions = range(task, self.operations, TASKS)
        begin = 0
        while begin < len(positions):
            mine = positions[begin : begin + random.choice(_SESSION_LENGTHS)]
            phase = mine[0] * PHASES // self.operations
            user = self._choose_user(random, phase)
            yield Session(
                f"{task}-{begin}",
                user,
                phase,
                tuple(self._operation(random, user, position) for position in mine),
            )
            begin += len(mine)

    def reads(self, task: int) -> Iterator[str]:
        """The keys that one task reads, in order."""
        for session in self.sessions(task):
            for operation in session.operations:
                if operation.action is Action.READ:
                    yield operation.key

    def _choose_user(self, random: Random, phase: int) -> int:
        hot, warm, cold = self._by_heat[phase]
        draw = random.random()
        if draw < _HOT_SESSIONS:
            return random.choice(hot)
        return random.choice(warm if draw < _HOT_SESSIONS + _WARM_SESSIONS else cold)

    def _operation(self, random: Random, user: int, position: int) -> Operation:
        if position % self._rename_every == self._rename_every // 2:
            return Operation(Action.RENAME)
        if position % _ORDER_EVERY == _ORDER_EVERY // 2:
            return Operation(Action.ORDER)
        if position % _EDIT_EVERY == _EDIT_EVERY // 3:
            return Operation(Action.EDIT)
        return Operation(Action.READ, self._choose_key(random, user))

    def _choose_key(self, random: Random, user: int) -> str:
        (step,) = random.choices(_STEPS, cum_weights=_STEP_WEIGHTS)
        if step in _OWN_PAGES:
            return f"{step}:{user}"
        team = self._catalogue.team_of(user)
        if step == "team":
            return f"team:{team}"
        if step == "region":
            return f"region:{self._catalogue.region_of(team)}"
        if step == "digest":
            return f"digest:{random.randrange(TOPICS)}"
        if step == "search":
            (word,) = random.choices(WORDS, cum_weights=_WORD_WEIGHTS)
            return f"search:{word}"
        return f"ticker:{random.randrange(CATEGORIES)}"


def _split_by_heat(users: list[int], phase: int) -> tuple[list[int], list[int], list[int]]:
    hot = max(1, round(len(users) * _HOT_USERS))
    warm = max(1, round(len(users) * _WARM_USERS))
    shift = phase * hot
    turned = users[shift:] + users[:shift]
    return turned[:hot], turned[hot : hot + warm], turned[hot + warm :]
