"""What guesses of each class were worth: measured, never assumed.

A class is a predictor and a band of strength of its evidence. Every guess is followed up,
whether it led to a load or was only remembered: it was right if its key was asked for, and
not there, before its time was over. The older half of what was counted fades; and a class
that has lately been wrong is worth no more than that, which stops what was true yesterday.
"""

from __future__ import annotations

from array import array
from typing import Any

PRIOR = 3.0  # wrong guesses that each class is taken to begin with
MEMORY = 256.0  # guesses after which the older ones count half
PACE = 16.0  # guesses over which the last ones are averaged
CHANCES = 16.0  # guesses over which the chance of a class is averaged
LIFT = 1.8  # times its chance that a guess must be right to tell more than the chance
TOLERANCE = 0.2  # by which the last ones may be worse
STEPS = 64  # of worth, when a threshold is looked for


class Calibration:
    """Counts by class.

    Args:
        kinds: how many classes there are.
    """

    def __init__(self, kinds: int) -> None:
        self.kinds = kinds
        self.tries = array("d", bytes(8 * kinds))
        self.right = array("d", bytes(8 * kinds))
        self.lately = array("d", [1.0]) * kinds
        self.worth = array("d", bytes(8 * kinds))
        self.chance = array("d", bytes(8 * kinds))  # to be right without any evidence
        self.begun = array("d", bytes(8 * kinds))  # guesses of late, fading
        self.amounts = array("d", bytes(8 * STEPS + 8))

    def judge(self, kind: int, part: float) -> None:
        """Note what became of a guess.

        Args:
            kind: its class.
            part: 1 if it was right, 0 if not, between if it came true too soon.
        """
        if self.tries[kind] >= MEMORY:
            self.tries[kind] /= 2.0
            self.right[kind] /= 2.0
        self.tries[kind] += 1.0
        self.right[kind] += part
        self.lately[kind] += (part - self.lately[kind]) / PACE
        worth = self.right[kind] / (self.tries[kind] + PRIOR)
        worth = min(worth, self.lately[kind] + TOLERANCE)
        self.worth[kind] = worth

    def expect(self, kind: int, chance: float) -> None:
        """Note how likely the key of a guess is asked for anyway, while the guess may wait."""
        self.chance[kind] += (chance - self.chance[kind]) / CHANCES

    def lifts(self, kind: int) -> bool:
        """Tell whether guesses of a class are right more often than by chance.

        The lift of S. Brin et al., "Dynamic Itemset Counting and Implication Rules for Market
        Basket Data" (1997): what is popular comes soon after any key.
        """
        return self.worth[kind] >= LIFT * self.chance[kind]

    def threshold(self, loads: float, waste: float) -> float:
        """Return the worth from which on guesses can be afforded.

        Args:
            loads: how many loads may be made, in the time over which `begun` counts.
            waste: how many of them may come to nothing.
        """
        for step in range(STEPS + 1):
            self.amounts[step] = 0.0
        for kind in range(self.kinds):
            if self.begun[kind] > 0.0:
                self.amounts[int(self.worth[kind] * STEPS)] += self.begun[kind]
        step = STEPS
        while step > 0:
            amount = self.amounts[step]
            if amount > 0.0:
                loads -= amount
                waste -= amount * (1.0 - (step + 0.5) / STEPS)
                if loads < 0.0 or waste < 0.0:
                    break
            step -= 1
        return step / (STEPS * 1.0)

    def fade(self, part: float) -> None:
        """Let the guesses begun so far count for less."""
        for kind in range(self.kinds):
            self.begun[kind] *= part

    def parts(self) -> dict[str, Any]:
        """Return the tables, by name."""
        return {
            "tries": self.tries,
            "right": self.right,
            "lately": self.lately,
            "worth": self.worth,
        }
