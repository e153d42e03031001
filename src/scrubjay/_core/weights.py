"""What a hit of an entry is worth: its priority times what the objective counts.

That is 1, or what loading the entry costs, or its size. Costs are taken relative to the usual
one, so that they may be of any unit, and an entry whose cost is not known counts as usual.
"""

from __future__ import annotations

from scrubjay._core.columns import Columns

COSTS = 100.0  # how many costs the usual one is the mean of, about
MOST_WORTH = 1e18  # of a hit: sums of any number of them are finite


class Weights:
    """The worth of entries.

    Args:
        by_cost: whether what loading an entry costs is part of what a hit is worth.
        by_size: whether its size is.
    """

    def __init__(self, by_cost: bool, by_size: bool) -> None:
        self.by_cost = by_cost
        self.by_size = by_size
        self.columns = Columns()
        self.usual_cost = 0.0  # what an unknown cost is taken for

    def differ(self) -> bool:
        """Tell whether some entries may weigh more than others."""
        return self.columns.has_priority or self.columns.has_cost or self.columns.has_size

    def price(self, priority: float, cost: float, size: int) -> float:
        """Return what a hit is worth, never less than 0: the priority times what is to be saved."""
        if priority <= 0.0:
            return 0.0  # misses worth less than nothing would be sought
        worth = priority
        if self.by_cost and cost > 0.0 and self.usual_cost > 0.0:
            worth *= cost / self.usual_cost
        if self.by_size and size > 0:
            worth *= size
        return worth if worth < MOST_WORTH else MOST_WORTH

    def worth(self, slot: int) -> float:
        """Return what a hit of `slot` is worth."""
        return self.price(
            self.columns.priority[slot] if self.columns.has_priority else 1.0,
            self.columns.cost[slot] if self.columns.has_cost else 0.0,
            self.size(slot),
        )

    def size(self, slot: int) -> int:
        """Return the size of `slot` in bytes, 0 where sizes are not kept."""
        size: int = self.columns.size[slot] if self.columns.has_size else 0
        return size

    def density(self, slot: int) -> float:
        """Return what a hit of `slot` is worth, for each byte if sizes are known."""
        size = self.size(slot)
        return self.worth(slot) / size if size > 1 else self.worth(slot)

    def learn_cost(self, slot: int) -> None:
        """Let the usual cost follow the costs that are known."""
        if self.columns.has_cost and self.columns.cost[slot] > 0.0:
            if self.usual_cost == 0.0:
                self.usual_cost = self.columns.cost[slot]
            self.usual_cost += (self.columns.cost[slot] - self.usual_cost) / COSTS
