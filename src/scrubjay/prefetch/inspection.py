"""What is known of a model, for those who look into it or save it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from scrubjay._core.constants import NONE
from scrubjay.prefetch.model import Model


class Inspection(Model):
    """A model that tells what it has learned, and takes what was learned before."""

    def standing(self, key: Hashable) -> tuple[int, int]:
        """Return what is known of a key, and the class of the last guess of it; or -1 twice."""
        slot = self.keys.find(self.keys.spread(key))
        if slot == NONE:
            return -1, -1
        return self.keys.state[slot], self.awaited.kind[slot]

    def counts(self) -> list[tuple[int, int, int, float, float]]:
        """Return issued, used, late, worth and tries of each class."""
        calibration = self.calibration
        return [
            (
                self.tally.issued_of[kind],
                self.tally.used_of[kind],
                self.tally.late_of[kind],
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
        purse, guard, tally = self.purse, self.guard, self.tally
        return {
            "accesses": self.keys.now,
            "threshold": purse.theta,
            "purse": purse.balance,
            "allowance": purse.allowance,
            "rival": self.horizon.rival(self.horizon.wait),
            "bar": purse.bar,
            "lifetime": self.horizon.wait,
            "usual_age": self.horizon.usual_age,
            "lag": self.awaited.lag,
            "ring": self.awaited.last - self.awaited.first,
            "room": guard.room,
            "closed": guard.closed,
            "unused": self.unused,
            "flying": self.flying,
            "ghosts": self.ghosts.length[0],
            "misses": tally.misses,
            "plain_misses": tally.plain_misses,
            "issued": tally.issued,
            "used": tally.used,
            "late": tally.late,
            "wasted": tally.wasted,
            "failed": tally.failures,
            "accuracy": tally.accuracy,
            "gains": guard.all_gains,
            "harms": guard.all_harms,
            "keys": self.keys.used,
            "silent": self.keys.now < self.pauses.until,
        }
