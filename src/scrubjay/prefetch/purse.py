"""What may be spent on guesses, and what a guess must be worth to be paid for.

Loads that come to nothing are paid for from what each miss without prefetch earns. The
*threshold* is the worth down to which the guesses of late could be afforded, never below what
the entries they displace are worth. The *bar* is the threshold as far as the purse is neither
full nor empty.
"""

from __future__ import annotations

from scrubjay.prefetch.calibration import Calibration
from scrubjay.prefetch.horizon import Horizon

WINDOW = 512  # accesses between two looks for a threshold
FADING = 0.75  # what a window before counts for
FLOOR = 0.04  # a guess worth less is never fetched
CEILING = 0.5
PRICE = 0.06  # worth below which no guess is fetched, for each load allowed beyond the misses
CASUAL = 4.0  # times that price for what would come as often without evidence
RIVALS = 1.5  # a guess must be that much likelier than what it displaces
SCARCE = 0.5  # part of a full purse below which only better guesses are paid for
CHOOSY = 0.6  # of the way from the threshold to certainty, for the last of it
FIRST = 16.0  # loads that it begins with


class Purse:
    """The budget, and the bar that follows from it.

    Args:
        capacity: entries that the cache holds.
        cost_ratio: loads allowed for each there would be without prefetch.
        budget: keys fetched ahead at most for each miss without prefetch.
    """

    def __init__(self, capacity: int, cost_ratio: float, budget: float) -> None:
        self.spare = cost_ratio - 1.0  # loads earned by a miss that may come to nothing
        self.budget = budget
        self.deepest = 64.0 + capacity / 32.0
        self.balance = FIRST
        self.allowance = FIRST
        self.misses = 0.0  # without prefetch, of late
        self.wait = 64  # accesses until the next look for a threshold
        self.least = CEILING
        if self.spare > PRICE / CEILING:
            self.least = max(FLOOR, PRICE / self.spare)
        self.casual = min(1.0, CASUAL * PRICE / max(PRICE, self.spare))
        self.theta = self.floor = self.least
        self.bar = CEILING

    def earn(self) -> None:
        """Count a miss, or what would be one without prefetch."""
        self.misses += 1.0
        self.balance = min(self.balance + self.spare, self.deepest)
        self.allowance = min(self.allowance + self.budget, self.deepest)

    def is_due(self) -> bool:
        """Count an access; tell whether it is time to look for a threshold."""
        self.wait -= 1
        if self.wait > 0:
            return False
        self.wait = WINDOW
        return True

    def affords(self, worth: float) -> bool:
        """Tell whether a guess can be paid for."""
        return self.balance >= 1.0 - worth and self.allowance >= 1.0

    def spend(self, worth: float) -> None:
        """Pay for a guess as much as it is likely to fail."""
        self.balance -= 1.0 - worth
        self.allowance -= 1.0

    def raise_bar(self) -> None:
        """Let the bar depend on what is left to spend.

        With a full purse there is no reason to wait for something better; the last of it is
        kept for the best guesses, which come in bursts.
        """
        full = max(0.0, min(self.balance, self.allowance) / self.deepest)
        self.bar = self.theta - (self.theta - self.floor) * full
        if full < SCARCE:
            top = self.theta + (1.0 - self.theta) * CHOOSY
            self.bar += (top - self.bar) * (1.0 - full / SCARCE)

    def reconsider(self, calibration: Calibration, horizon: Horizon) -> None:
        """Look for the worth from which on guesses are fetched."""
        theta = calibration.threshold(self.misses * self.budget, self.misses * self.spare)
        # Who comes true leaves at the usual age, who does not only when its time is over.
        soon = RIVALS * horizon.rival(horizon.usual_age)
        late = RIVALS * horizon.rival(horizon.wait)
        self.floor = late / (1.0 + late - soon) if late > soon else late
        self.floor = max(self.floor, self.least)
        self.theta = max(theta, self.floor)
        calibration.fade(FADING)
        self.misses *= FADING
