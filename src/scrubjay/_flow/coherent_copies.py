"""The copies that a node has of what a shared tier has: kept, looked after, given up.

Whoever stores one remembers it at once, with the watches over it, and looks at these last.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from scrubjay._core.constants import MISSING
from scrubjay._core.store import Store
from scrubjay._flow.copies import Copies, Holding
from scrubjay._flow.demotion import Origin
from scrubjay._flow.effects import Effect
from scrubjay._flow.gathered import Gathered
from scrubjay._flow.level import Level
from scrubjay._flow.lower import Lower
from scrubjay._flow.stack import Loads, Stack
from scrubjay.clock import Clock
from scrubjay.consistency import Copy, OwnChanges, Replica
from scrubjay.tiers import forks
from scrubjay.versions import Feed, Watch


class CoherentCopies(Stack):
    """One store, and local tiers, that hold copies of what a shared tier has.

    Args:
        store: the memory.
        lower: the local tiers.
        shared: the tier that all nodes share.
        loads: what is being loaded into the store.
        clock: tells the time.
        silence_seconds: how long copies may be served after the shared tier was last heard of.
        lease_seconds: how long others wait for who loads a key, before they do themselves.
        forgiving: whether a change which the shared tier was not told of is no error: it is
            told later then.
    """

    def __init__(
        self,
        store: Store,
        lower: Lower,
        shared: Level,
        loads: Loads,
        clock: Clock,
        silence_seconds: float,
        lease_seconds: float,
        forgiving: bool,
    ) -> None:
        super().__init__(store, lower, loads)
        self.shared = shared
        self.replica = Replica(silence_seconds)
        self._changes = OwnChanges()
        self._copies = Copies(store, bool(lower.levels))
        self._clock = clock
        self._silence = silence_seconds
        self._lease_seconds = lease_seconds
        self._forgiving = forgiving
        self._owner = os.urandom(8)
        self._leases = itertools.count()
        self._gathered: dict[tuple[asyncio.AbstractEventLoop, Feed], Gathered] = {}
        self._copies.listen(shared.tier)
        if self.demotion is not None:
            self.demotion.still = self._still_live
        forks.watch(self)

    def gathered(
        self,
        loop: asyncio.AbstractEventLoop,
        wanted: Feed,
        waited: Callable[[float, int], object],
    ) -> Gathered:
        """Return the barriers of the running event loop about what one connection watches.

        The arguments are those of `Gathered`.
        """
        gathered = self._gathered.get((loop, wanted))
        if gathered is None:
            for other in list(self._gathered):
                if other[0].is_closed() or not other[1].live:
                    self._gathered.pop(other, None)
            made = Gathered(self.shared, wanted, loop, waited)
            gathered = self._gathered.setdefault((loop, wanted), made)
        return gathered

    # Keeping

    def _hold(
        self, key: Any, name: bytes, copy: Copy, watches: tuple[Watch, ...], asked: int
    ) -> None:
        """Remember that what was just stored is a copy."""
        evidence = self.replica.evidence(name, copy)
        self._copies.hold(name, Holding(key, copy, watches, evidence, asked))

    def _watches(
        self, watch: Watch | None, labels: Mapping[bytes, int]
    ) -> tuple[Watch, ...] | None:
        """Return the watches over a record and its labels; None if one has ended."""
        counts = [self.replica.count(name) for name in labels]
        watches = [watch, *(None if count is None else count.watch for count in counts)]
        values = [None if count is None else count.value for count in counts]
        if values != list(labels.values()):
            return None
        live = tuple(one for one in watches if one is not None and one.live)
        return live if len(live) == len(watches) else None

    # Looking after them

    def given_up(self, key: Any) -> None:
        """Note that memory has given an entry up."""
        self._copies.given_up(self.lower.name_of(key), key)

    def watched(self, name: bytes) -> int | None:
        """Return the version of which changes would be told; None if there is no copy."""
        held = self._copies.of(name)
        return held.copy.version if held is not None and held.live else None

    def _still_live(
        self, level: Level, origins: Sequence[Origin]
    ) -> Generator[Effect, Any, list[Origin]]:
        """Return those of some entries that are copies of what is still the last version."""
        yield from ()
        live = []
        for one in origins:
            held = self._copies.of(one.name)
            if held is not None and held.live and held.copy.version == one.meta.version:
                live.append(one)
        return live

    def look_after(self, now: float) -> float:
        """Give up the copies of which nobody would have told for too long.

        Args:
            now: monotonic time.

        Returns:
            When that may be so of others; infinity if there are none.
        """
        return self._copies.silent(now, self._silence)

    def after_fork(self) -> None:
        """Begin anew: nobody tells a child of changes to what its parent has read."""
        self._copies.after_fork()
        if self.demotion is not None:
            self.demotion.begin_anew()
        self._owner = os.urandom(8)

    def present(self, key: Any) -> Any:
        """Return what is in memory and has not changed, as far as was told; else MISSING."""
        held = self._copies.of(self.lower.name_of(key))
        # What nobody watches was kept while the tier could not be asked. Who loads asks again.
        return self._store.peek(key, MISSING) if held is not None and held.live else MISSING

    def left(self, key: Any, facts: Mapping[str, Any]) -> float:
        """Return for how many seconds memory may still show an entry, however long it lives.

        What nobody watches lives no longer than silence is borne.
        """
        left = super().left(key, facts)
        held = self._copies.of(self.lower.name_of(key))
        if held is not None and held.live:
            return left
        deadline: float = facts["deadline"]
        return min(left, deadline - self._store.now_seconds())

    # Tiers

    def own_tiers(self) -> list[Any]:
        """Return the tiers that are to be closed with the cache."""
        own = super().own_tiers()
        return [*own, self.shared.tier] if self.shared.owned else own

    @property
    def levels(self) -> tuple[Level, ...]:
        """All tiers below memory, the nearest first."""
        return (*self.lower.levels, self.shared)
