"""The steps by which entries are read, stored and renewed.

See `scrubjay._core.ledger` for what a step is.
"""

from __future__ import annotations

from typing import Any

from scrubjay._core.constants import (
    AGAIN,
    CERTAIN,
    COUNT,
    EXPIRED_SLOT,
    EXPIRED_VALUE,
    FENCED,
    FIRST_HIT,
    MOVED_ON,
    NEVER,
    NEW_NODES,
    NONE,
    STORED,
)
from scrubjay._core.dependencies import Dependencies
from scrubjay._core.section import indivisible
from scrubjay._core.terms import Terms


class Steps(Dependencies):
    """What an operation does to the ledger once it has looked up all it needs.

    The arguments are those of `Ledger`.
    """

    def read(self, slot: int, stamp: int, now: float) -> Any:
        """Return the value in `slot` and count the hit; else a marker why not."""
        if self.stamp != stamp:
            return MOVED_ON
        columns = self.columns
        if self.clock is not None:
            self.tick = self.moment(now)
        if columns.has_deadline and columns.deadline[slot] != NEVER:
            if self.clock is None:
                now = self.ticks.coarse()
                if columns.deadline[slot] - now < CERTAIN:
                    now = self.ticks.exact()
            if columns.deadline[slot] <= now:
                return EXPIRED_VALUE
            if columns.has_idle and columns.idle[slot] > 0.0:
                columns.deadline[slot] = min(columns.hard[slot], now + columns.idle[slot])
        columns.accessed[slot] = self.tick
        if self.prefetched.holds(slot):
            self.prove(slot)
            return self.cells[2 * slot + 1]
        hits = columns.hits[slot] + 1
        columns.hits[slot] = hits
        if hits > COUNT:
            columns.note(slot)
        if self.policy.eager:
            self.policy.hit(slot)
        return self.cells[2 * slot + 1]

    def prove(self, slot: int) -> int:
        """Hand a prefetched entry over to the policy: it is asked for. Part of a step."""
        self.prefetched.leave(slot, self.columns.size[slot] if self.weighted else 0)
        self.prefetched.proven += 1
        self.columns.hits[slot] = 0
        self.policy.insert(slot)
        self.tell_tags(slot)
        return 0

    def tell_tags(self, slot: int) -> int:
        """Let the policy know the tags of an entry, if it has asked for any. Part of a step."""
        if self.columns.has_tagged and self.labels is not None:
            paused = self.pause()
            self.policy.tagged(slot, self.labels.of(slot))
            self.resume(paused)
        return 0

    def note_session(self, slot: int, session: int, stamp: int) -> int:
        """Tell the policy which session has just asked for an entry; False if it has moved."""
        if self.stamp != stamp:
            return False
        if not self.prefetched.holds(slot):
            self.policy.asked(slot, session)
        return True

    def renew(
        self, slot: int, ttl: float, idle: float, until: float, now: float, stamp: int
    ) -> int:
        """Count a use of `slot` and let it live anew where `ttl` or `idle` is given.

        The arguments are those of `set_deadline`, negative where none is given.
        """
        if self.stamp != stamp:
            return AGAIN
        columns = self.columns
        if columns.has_deadline:
            if columns.deadline[slot] <= now:
                return EXPIRED_SLOT
            if idle < 0.0 and columns.has_idle and columns.idle[slot] > 0.0:
                idle = columns.idle[slot]
            if ttl >= 0.0:
                self.set_deadline(slot, ttl, idle, until, now)
            elif idle >= 0.0:
                ttl = columns.span[slot]
                hard = columns.hard[slot] if columns.hard[slot] != NEVER else columns.deadline[slot]
                if ttl < 0.0:
                    hard = NEVER
                columns.hard[slot] = hard
                columns.idle[slot] = idle
                columns.deadline[slot] = min(hard, now + idle)
                self.wheel.schedule(slot)  # type: ignore[union-attr]
        columns.accessed[slot] = self.moment(now)
        if self.prefetched.holds(slot):
            self.accesses.append(self.cells[2 * slot], FIRST_HIT, 0)
            self.prove(slot)
            return STORED
        columns.hits[slot] += 1
        self.policy.replaced(slot)
        return STORED

    def set_deadline(self, slot: int, ttl: float, idle: float, until: float, now: float) -> None:
        """Let an entry expire after `ttl` seconds, `idle` seconds unread, or at `until`."""
        columns = self.columns
        hard = min(now + ttl, until) if ttl >= 0.0 else NEVER
        deadline = hard
        if columns.has_idle:
            columns.hard[slot] = hard
            columns.idle[slot] = 0.0
            if idle >= 0.0:
                columns.idle[slot] = idle
                deadline = min(hard, now + idle)
        columns.span[slot] = ttl
        columns.deadline[slot] = deadline
        self.wheel.schedule(slot)  # type: ignore[union-attr]

    def commit(
        self,
        slot: int,
        key: Any,
        h: int,
        value: Any,
        size: int,
        terms: Terms,
        node: Any,
        needs: Any,
        nodes: int,
        now: float,
        garbage: Any,
        flight: Any,
        claims: int,
        stamp: int,
    ) -> int:
        """Store a value for which there is room, as a new entry or in place of `slot`.

        Args:
            slot: the present entry of `key`, or -1.
            key: the key.
            h: its spread hash.
            value: the value.
            size: its size in bytes; 0 where sizes are not kept.
            terms: under which it is stored.
            node: the key's node in the dependency graph, or None.
            needs: the nodes that it depends on.
            nodes: stamp of the graph's nodes when `node` was found, -1 without a graph.
            now: the monotonic time in seconds.
            garbage: gets what depended on the old value: key, value and cause of each.
            flight: the load of `key` that is under way, overtaken by this; or None.
            claims: stamp of the loads under way when `flight` was found.
            stamp: of the table when `slot` was found.

        Returns:
            STORED, FENCED, AGAIN if the table or the loads have changed since, or
            NEW_NODES if the graph's nodes have.
        """
        if self.stamp != stamp or self.flights.stamp != claims:
            return AGAIN
        if self.graph is not None and self.graph.nodes.stamp != nodes:
            return NEW_NODES
        if terms.fence is not None and terms.fence.void:
            return FENCED
        if flight is not None:
            flight.void = True
        columns = self.columns
        fresh = slot == NONE
        held = False
        live = not fresh and (not columns.has_deadline or columns.deadline[slot] > now)
        self.writes += 1
        self.last = now
        self.tick = self.moment(now)
        if fresh:
            slot = self.add(key, h, value)
            if slot == NONE:
                return AGAIN
            columns.hits[slot] = 0
            if self.weighted:
                self.bytes += size
        else:
            held = self.prefetched.holds(slot)
            if held:
                self.desert(slot)
            self.cells[2 * slot + 1] = value
            self.stamp += 2
            if self.weighted:
                self.bytes += size - columns.size[slot]
        columns.created[slot] = self.tick
        columns.accessed[slot] = self.tick
        if self.weighted:
            columns.size[slot] = size
        if columns.has_priority:
            columns.priority[slot] = terms.priority
        if columns.has_cost:
            columns.cost[slot] = terms.cost
        if columns.has_version:
            columns.version[slot] = self.writes
        if columns.has_deadline:
            self.set_deadline(slot, terms.ttl, terms.idle, terms.until, now)
        if self.labels is not None or self.graph is not None:
            paused = self.pause()
            if self.labels is not None:
                self.labels.detach(slot)
                if terms.tags:
                    self.labels.attach(slot, terms.tags)
            if node is not None and self.graph is not None:
                if live or (node.stored and terms.fence is None):
                    self.graph.leave(slot)  # it may depend on itself through others: it stays
                    self.remove_dependents((node,), garbage)
                self.graph.bind(slot, node)
                self.graph.set_needs(node, needs)
            self.resume(paused)
        if terms.ahead and (fresh or held):
            self.prefetched.enter(slot, self.requests, size)
        elif fresh or held:
            columns.hits[slot] = 0
            if terms.uses < 0:
                self.policy.insert(slot)
            else:
                self.policy.restore(slot, terms.uses)
                columns.hits[slot] += terms.uses
        else:
            self.policy.replaced(slot)
        if not self.prefetched.holds(slot):
            self.tell_tags(slot)
        return STORED


indivisible(
    Steps,
    "commit",
    "note_session",
    "read",
    "renew",
)
