"""Whether a history of reads and writes of one key could have happened one at a time.

A history is linearizable if each operation can be given a moment between its beginning and
its end such that, in the order of these moments, each read returns what was written last.
(Herlihy and Wing 1990; the search is that of Wing and Gong 1993, with the states that Lowe
2017 remembers.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Operation", "unexplained"]


class Operation(NamedTuple):
    """One operation on one key.

    Args:
        start: when it was called, by a clock that all share.
        end: when it returned; infinity if it never did, and may have happened or not.
        write: whether it is a write; else it is a read.
        value: what it wrote or read; None for nothing: a removal, or a miss.
    """

    start: float
    end: float
    write: bool
    value: Any


def unexplained(history: Sequence[Operation], first: Any = None) -> Operation | None:
    """Return an operation that no order explains; None if some order explains them all.

    Args:
        history: the operations on one key, in any order. Its cost grows steeply with the
            number of operations that overlap, hardly with their number in all.
        first: the value before all of them.

    Returns:
        The earliest to end of those which the best order found could not reach.
    """
    operations = sorted(history, key=lambda operation: operation[:2])
    count = len(operations)
    must = [number for number in range(count) if operations[number].end != float("inf")]
    # A state: how many of the operations, in the order of their beginnings, are done, the
    # numbers of later ones that are done too, and the value.
    begun = (0, frozenset[int](), first)
    seen = {begun}
    stack = [begun]
    furthest = 0
    while stack:
        done, ahead, value = stack.pop()
        furthest = max(furthest, done)
        if all(number in ahead for number in must[bisect_left(must, done) :]):
            return None
        # Whatever begins after the end of one that is not done has to wait for it. A read of what
        # is there may as well come next: it changes nothing, and no other order need be tried.
        horizon = float("inf")
        nexts = []
        for number in range(done, count):
            operation = operations[number]
            if operation.start > horizon:
                break
            if number in ahead:
                continue
            horizon = min(horizon, operation.end)
            if not operation.write and operation.value != value:
                continue
            rest = set(ahead)
            rest.add(number)
            then = done
            while then in rest:
                rest.discard(then)
                then += 1
            state = (then, frozenset(rest), operation.value if operation.write else value)
            if not operation.write:
                nexts = [state]
                break
            nexts.append(state)
        for state in nexts:
            if state not in seen:
                seen.add(state)
                stack.append(state)
    return operations[min(furthest, count - 1)]
