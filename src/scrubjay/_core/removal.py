"""The operations that take entries out, and what is done once they are out.

As those that store (`scrubjay._core.operations`), each first runs what may be user code,
then makes its change in one step, and begins again if the table has changed in between.
"""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import CLEARED, EMPTY, EXPIRED, INVALIDATED, NONE
from scrubjay._core.inspection import Inspection
from scrubjay._core.policy import Policy


class Removal(Inspection):
    """Removing, whatever keys and values do meanwhile.

    Args:
        policy: chooses what to give up.
        clock: an object with ``monotonic()`` in seconds, or None for the system's.
        weighted: whether entries have sizes and their sum is bounded.
    """

    def __init__(self, policy: Policy, clock: Any, weighted: bool) -> None:
        Inspection.__init__(self, policy, clock, weighted)
        self.listening = False
        self.attentive = False
        self.swept = clock is not None

    def hoard(self, garbage: list[Any] | None, key: Any, value: Any, cause: int) -> list[Any]:
        """Return `garbage`, made if need be, with one more entry that had to go."""
        if garbage is None:
            garbage = []
        garbage.append(key)
        garbage.append(value)
        garbage.append(cause)
        return garbage

    def remove(self, key: Any, cause: int = INVALIDATED) -> int:
        """Take `key` out with all that depends on it; return how many entries went."""
        garbage: list[Any] = []
        try:
            self.withdraw(key, cause, garbage, True)
        finally:
            self.dispose(garbage)
        return len(garbage) // 3

    def withdraw(self, key: Any, cause: int, garbage: list[Any], even_if_absent: bool) -> bool:
        """Take `key` out with all that depends on it; tell whether it was there itself.

        Args:
            key: the key.
            cause: of its removal.
            garbage: gets key, value and cause of each entry taken out.
            even_if_absent: whether what depends on an absent key is to go.
        """
        h = self.spread(key)
        if self.attentive or self.flights.count > 0:
            self.overtake(key)
        if self.wheel is not None and self.wheel.count > 0:
            self.collect(self.now(), True, 1 << 30)
        while True:
            nodes = NONE if self.graph is None else self.graph.nodes.stamp
            node = None if self.graph is None else self.graph.find(key)
            claims = self.flights.stamp
            flight = self.flights.get(key) if self.flights.count > 0 else None
            stamp = self.stamp
            slot = self.find(key, h)
            if self.stamp != stamp:
                continue
            if slot == NONE and not even_if_absent:
                return False
            live = slot != NONE and self.lives(slot)
            if self.remove_with_dependents(
                slot, node, nodes, cause, garbage, flight, claims, stamp
            ):
                break
        if self.flights.count > 0:
            self.overtake(key)  # who comes from now on joins no load that is void
        return live

    def lives(self, slot: int) -> bool:
        """Tell whether an entry has not expired, now."""
        if not self.columns.has_deadline:
            return True
        deadline = self.columns.deadline[slot]  # before a clock is asked, which may use us
        return deadline > self.now()

    def remove_by_tags(self, tags: frozenset[str]) -> int:
        """Take out what carries a tag and all that depends on it; return how many went."""
        if self.attentive or self.flights.count > 0:
            self.overtake_tags(tags)
        if self.wheel is not None and self.wheel.count > 0:
            self.collect(self.now(), True, 1 << 30)
        garbage: list[Any] = []
        self.remove_tagged(tags, garbage)
        try:
            if self.flights.count > 0:
                self.overtake_tags(tags)  # who comes from now on joins no load that is void
        finally:
            self.dispose(garbage)
        return len(garbage) // 3

    def collect(self, now: float, exactly: bool, most: int) -> int:
        """Take out up to `most` expired entries and return how many it were."""
        taken = 0
        while taken < most:
            key = value = None  # whose finalizers, if they run, run before we look
            stamp = self.stamp
            slot = self.due(now, exactly)
            if slot == NONE:
                break
            key = self.cell(2 * slot)
            value = self.cell(2 * slot + 1)
            if self.take_if(slot, EXPIRED, stamp):
                taken += 1
                if self.listening:
                    self.announce(key, value, EXPIRED)
        if taken > 0:
            self.policy.settle()
            if self.graph is not None:
                self.graph.forget_idle()
        return taken

    def empty(self) -> int:
        """Take everything out and return how many entries it were."""
        self.overtake_all()
        while True:
            stamp = self.stamp
            items = self.cells
            count = self.count
            if self.forget_all(stamp):
                break
        garbage: list[Any] = []
        if self.listening:
            for slot in range(len(items) // 2):
                if items[2 * slot] is not EMPTY:
                    self.hoard(garbage, items[2 * slot], items[2 * slot + 1], CLEARED)
        try:
            if self.flights.count > 0:
                self.overtake_all()  # who comes from now on joins no load that is void
        finally:
            self.dispose(garbage)
        return count

    def abandon(self) -> list[Any]:
        """Take everything out, tell nobody, and return the keys and values."""
        while True:
            stamp = self.stamp
            items = self.cells
            if self.forget_all(stamp):
                return items

    def dispose(self, garbage: list[Any]) -> int:
        """Tell of entries taken out, each of them, whatever is raised; then raise the first.

        Args:
            garbage: key, value and cause of each.
        """
        first: BaseException | None = None
        try:
            self.policy.settle()
        except BaseException as error:
            first = error
        try:
            if self.graph is not None:
                self.graph.forget_idle()
        except BaseException as error:
            first = first or error
        if self.listening:
            for position in range(0, len(garbage), 3):
                try:
                    self.announce(garbage[position], garbage[position + 1], garbage[position + 2])
                except BaseException as error:
                    first = first or error
        if first is not None:
            try:
                raise first
            finally:
                first = None  # or error, traceback and frame would keep each other alive
        return 0

    # What a door that loads, listens or sweeps does more of

    def overtake(self, key: Any) -> None:
        """Void what is being loaded for `key`, and for what depends on it."""

    def overtake_dependents(self, key: Any) -> None:
        """Void what is being loaded for what depends on `key`."""

    def overtake_tags(self, tags: frozenset[str]) -> None:
        """Void what is being loaded with one of the tags."""

    def overtake_all(self) -> None:
        """Void what is being loaded."""

    def begin_sweeping(self) -> None:
        """Have expired entries collected from now on."""

    def announce(self, key: Any, value: Any, cause: int) -> None:
        """Tell listeners that an entry is gone."""
