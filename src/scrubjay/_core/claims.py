"""A concurrent map whose every operation is atomic, whatever the keys' ``__eq__`` does.

It is what one writes `dict.setdefault` and "delete if it is still mine" for, where a lock
would be held while user code compares keys.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

from scrubjay._core.constants import EMPTY, NONE
from scrubjay._core.section import indivisible
from scrubjay._core.table import Table

_AGAIN: Any = object()


class Claims(Table):
    """Values claimed by key: the first one in stays until it is released."""

    def __len__(self) -> int:
        return self.count

    def get(self, key: Any) -> Any:
        """Return the value claimed for `key`, or None."""
        h = self.spread(key)
        while True:
            stamp = self.stamp
            slot = self.find(key, h)
            if slot == NONE:
                return None
            value = self.cells[2 * slot + 1]
            if self.stamp == stamp:
                return value

    def claim(self, key: Any, value: Any) -> Any:
        """Return the value already claimed for `key`, else claim it for `value`."""
        h = self.spread(key)
        while True:
            if self.count + 1 >= self.slots:
                self.widen()
            stamp = self.stamp
            slot = self.find(key, h)
            if self.stamp != stamp:
                continue
            if slot != NONE:
                found = self.cells[2 * slot + 1]
                if self.stamp == stamp:
                    return found
                continue
            settled = self.settle(key, h, value, stamp)
            if settled is not _AGAIN:
                return settled

    def widen(self) -> int:
        """Double the rows."""
        collecting = gc.isenabled()  # this allocates within a step
        gc.disable()
        self.enlarge(2 * self.slots)
        if collecting:
            gc.enable()
        return 0

    def settle(self, key: Any, h: int, value: Any, stamp: int) -> Any:
        """Enter the claim unless the table has changed since `stamp`."""
        if self.stamp != stamp or self.add(key, h, value) == NONE:
            return _AGAIN
        return value

    def release(self, key: Any, value: Any) -> bool:
        """Take the claim back if `value` (this very object) still holds it."""
        h = self.spread(key)
        while True:
            stamp = self.stamp
            slot = self.find(key, h)
            if self.stamp != stamp:
                continue
            if slot == NONE:
                return False
            held = self.cells[2 * slot]  # dropped only after the change is complete
            if self.withdraw(slot, value, stamp):
                del held
                return True
            if self.stamp == stamp:
                return False

    def withdraw(self, slot: int, value: Any, stamp: int) -> int:
        """Drop `slot` if it still holds `value` and nothing has changed since `stamp`."""
        if self.stamp != stamp or self.cells[2 * slot + 1] is not value:
            return False
        self.drop(slot)
        return True

    def values(self) -> Iterator[Any]:
        """Return the claimed values, as they stand, in no order."""
        return iter([value for value in self.cells[1::2] if value is not EMPTY])


indivisible(Claims, "settle", "widen", "withdraw")
