"""What to fetch ahead, within a budget, and an account of what came of it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.errors import InvalidArgumentError
from scrubjay.prefetch import saving
from scrubjay.prefetch.constants import FLYING, OVERTAKEN, UNUSED
from scrubjay.prefetch.guess import Guess
from scrubjay.prefetch.inspection import Inspection
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.registry import make_predictors
from scrubjay.prefetch.sound import are_sound

KEYS_AN_ENTRY = 16
FEWEST_KEYS = 1 << 16
MOST_KEYS = 1 << 20
UNBOUNDED = 1e9


def fit_keys(capacity: int) -> int:
    """Return how many keys are followed for a cache of so many entries."""
    return min(MOST_KEYS, max(FEWEST_KEYS, KEYS_AN_ENTRY * capacity))


class Planner(Inspection):
    """Learns from accesses which keys follow, and tells which are worth fetching.

    Not safe for several threads at once: its owner calls it under one lock.

    Args:
        capacity: entries that the cache holds.
        cost_ratio: loads allowed for each load there would be without prefetch.
        most_keys: keys of which something is remembered, at most; by default sixteen for
            each entry, and 65,536 at least. About 250 bytes each, and 350 more where
            sessions or users are told apart.
        budget: keys fetched ahead at most for each miss there would be without prefetch;
            None for no such bound.
        predictors: who guesses, by name; by default all that are registered.
    """

    def __init__(
        self,
        capacity: int,
        *,
        cost_ratio: float = 1.3,
        most_keys: int | None = None,
        budget: float | None = None,
        predictors: dict[str, Predictor] | None = None,
    ) -> None:
        chosen = make_predictors() if predictors is None else predictors
        Inspection.__init__(
            self,
            capacity,
            cost_ratio,
            fit_keys(capacity) if most_keys is None else most_keys,
            UNBOUNDED if budget is None else budget,
            list(chosen.values()),
        )
        self.sources: list[tuple[str, int]] = [
            (name, band) for name, one in chosen.items() for band in range(one.bands)
        ]

    def plan(self, most: int) -> list[Guess]:
        """Return keys that are worth fetching now, the best first.

        The budget is charged for them. The cache may hold some of them already, which
        costs nothing: for those, call `fetched` with `stored` false.

        Args:
            most: how many keys at most.
        """
        planned: list[Guess] = []
        while len(planned) < most:
            guess = self.next_guess()
            if guess is None:
                break
            planned.append(guess)
        return planned

    def next_guess(self) -> Guess | None:
        """Return the key most worth fetching now, or None."""
        slot = self.choose()
        if slot == NONE:
            return None
        kind = self.awaited.kind[slot]
        source, band = self.sources[kind]
        return Guess(self.keys.objects[slot], self.calibration.worth[kind], source, band)

    def predict(self, key: Hashable, stream: int, most: int) -> list[Guess]:
        """Return what will probably be asked for after a key; nothing is charged or learned.

        A class of guesses that was hardly ever tried is taken for half as good as all are.

        Args:
            key: what was asked for last.
            stream: a number for who asked; 0 if unknown.
            most: how many keys at most.
        """
        slot = self.keys.find(self.keys.spread(key))
        if slot == NONE:
            return []
        scene = self.scene
        scene.slot = slot
        scene.mark = self.keys.mark(slot)
        scene.stream = stream
        scene.row = scene.streams.row(stream, self.keys.now)
        scene.count = 0
        for predictor in self.predictors:
            predictor.propose(scene)
        calibration = self.calibration
        tries = right = 0.0
        for kind in range(calibration.kinds):
            tries += calibration.tries[kind]
            right += calibration.right[kind]
        usual = right / (tries + 1.0)
        ranked: list[tuple[float, int, int, int]] = []
        for line in range(scene.count):
            kind = scene.classes[line]
            worth = calibration.worth[kind]
            if calibration.tries[kind] < 3.0 and worth < usual / 2.0:
                worth = usual / 2.0
            ranked.append((-worth, line, scene.slots[line], kind))
        ranked.sort()  # of guesses worth the same, the first one made is the best
        best: dict[int, Guess] = {}
        for worth, _, slot, kind in ranked:
            if slot not in best and len(best) < most:
                source, band = self.sources[kind]
                best[slot] = Guess(self.keys.objects[slot], -worth, source, band)
        return list(best.values())

    def fetched(self, guess: Guess, seconds: float, stored: bool) -> None:
        """Note that a planned key has been loaded.

        Args:
            guess: as `plan` returned it.
            seconds: how long the load took.
            stored: whether it is an entry now; else it was there already, or overtaken.
        """
        if stored and seconds > 0.0:
            self.time(seconds)
        self.landed(guess.key, stored, False)

    def failed(self, guess: Guess) -> None:
        """Note that a planned key could not be loaded.

        Args:
            guess: as `plan` returned it.
        """
        self.landed(guess.key, False, True)

    def room(self) -> int:
        """Return how many entries not used yet the cache may hold now.

        They share the capacity with all others: what they do not take up, others may.
        """
        return self.guard.room

    def lifetime(self) -> float:
        """Return how long an entry not used yet may stay, in accesses."""
        return self.horizon.wait

    def resize(self, capacity: int) -> None:
        """Go on with another capacity.

        Args:
            capacity: entries that the cache holds.
        """
        self.capacity = capacity
        self.guard.resize(capacity)

    def statistics(self) -> dict[str, Any]:
        """Return what has been planned and what came of it.

        Returns:
            Counts (``issued``, ``used``, ``late``, ``wasted``, ``failed``), ``precision``
            (of what was issued, the part that was used), ``coverage`` (of the misses without
            prefetch, the part saved), ``accuracy`` (a moving average), ``loads_ratio`` (loads
            for each one without prefetch), ``gain`` (what prefetch adds to the hit ratio, by
            the account of the misses it saved and caused), ``room`` and ``unused`` (entries),
            ``lifetime`` and ``lag`` (accesses), ``threshold`` (worth from which on guesses are
            fetched), and ``predictors``: the counts of each.
        """
        report: dict[str, Any] = self.dump()
        issued, plain = report["issued"], report["plain_misses"]
        net = report["gains"] - report["harms"]
        by_source: dict[str, dict[str, Any]] = {}
        for (source, _), (sent, used, late, worth, tries) in zip(
            self.sources, self.counts(), strict=True
        ):
            one = by_source.setdefault(
                source, {"issued": 0, "used": 0, "late": 0, "best_worth": 0.0}
            )
            one["issued"] += sent
            one["used"] += used
            one["late"] += late
            if tries >= 16.0:
                one["best_worth"] = max(one["best_worth"], worth)
        report.update(
            precision=report["used"] / issued if issued else 0.0,
            coverage=net / plain if plain else 0.0,
            loads_ratio=(report["misses"] + issued) / plain if plain else 1.0,
            gain=net / report["accesses"] if report["accesses"] else 0.0,
            predictors=by_source,
        )
        return report

    def explain(self, key: Hashable) -> str | None:
        """Tell why a key was planned; None if it was not, or that is forgotten.

        Args:
            key: the key.
        """
        state, kind = self.standing(key)
        if state < 0 or not state & (UNUSED | FLYING | OVERTAKEN):
            return None
        source, band = self.sources[kind]
        where = "is an entry that waits to be used" if state & UNUSED else "is being fetched"
        worth = self.counts()[kind][3]
        return (
            f"it {where}: {source} guessed it, and of its guesses of that strength (band {band}) "
            f"{worth:.0%} came true lately, where {self.dump()['threshold']:.0%} pays"
        )

    @property
    def most_keys(self) -> int:
        """Keys of which something is remembered, at most."""
        return int(self.keys.most)

    def save(self) -> bytes:
        """Return all that has been learned: of keys, and what guesses are worth.

        Returns:
            Bytes for `load`, in this process or another one. Keys that are not made of
            strings, bytes, numbers, None and tuples are not in it, nor some of those that
            take more than 512 bytes, where others do not take less.
        """
        tables = self.tables()
        keys: list[Any] = []
        known: list[bool] = []
        room = saving.Room(self.keys.most - self.keys.used)
        for key in self.keys.objects[: self.keys.used]:
            try:
                written = saving.write_key(key)
                kept = room.takes(written)
            except TypeError:
                written, kept = None, False
            keys.append(written if kept else None)
            known.append(kept)
        bands: dict[str, int] = {}
        for source, _ in self.sources:
            bands[source] = bands.get(source, 0) + 1
        header = {"keys": keys, "known": known, "predictors": list(bands.items())}
        return saving.pack(header, tables)

    def load(self, data: bytes) -> None:
        """Go on from what was learned before, in place of what has been learned so far.

        What the cache holds is not part of it: load before the first access.

        Args:
            data: what `save` returned.

        Raises:
            InvalidArgumentError: it is something else, damaged, of another version, or of
                other predictors, or holds more keys than this planner may, or longer ones;
                nothing has changed.
        """
        header, tables = saving.unpack(data, self.keys.most)
        bands: dict[str, int] = {}
        for source, _ in self.sources:
            bands[source] = bands.get(source, 0) + 1
        try:
            predictors = [tuple(pair) for pair in header["predictors"]]
            keys = [saving.read_key(key) for key in header["keys"]]
            known, ages = list(map(bool, header["known"])), tables["age"]
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidArgumentError("data: the saved model is damaged") from error
        if predictors != list(bands.items()):
            raise InvalidArgumentError("data: the model has other predictors")
        if len(known) != len(keys) or len(ages) < len(keys) or not are_sound(tables, len(keys)):
            raise InvalidArgumentError("data: the saved model is damaged")
        if len(keys) > self.keys.most:
            raise InvalidArgumentError(
                f"data: the model has {len(keys)} keys, and most_keys is {self.keys.most}"
            )
        self.adopt(keys, known, ages)
        self.awaken(tables)
        for name, table in self.tables().items():
            saved = tables.get(name)
            if saved is not None and name != "age":
                target = memoryview(table).cast("B")
                length = min(len(saved), len(target))
                target[:length] = saved[:length]
