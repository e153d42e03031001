"""ADAPTIVE: learns which way of keeping entries suits the traffic, and keeps them so.

Six ways (`scrubjay._core.ways`), eight where entries may differ in weight, are tried on a
sample of the keys, in small simulations beside the cache (`scrubjay._core.trials`). The cache
itself is one arrangement of entries, which every way can take over as it stands: a change of
mind changes shares and a rule, and what is kept follows, entry by entry.

A hit costs nothing but its counter, and a note where the key is in the sample. Notes are
read before anything else is done, so the simulations see requests in order.

From when it is asked for, there are simulations of other sizes, too (`scrubjay._core.curve`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrubjay._core.arrangement import Arrangement
from scrubjay._core.chains import Chains
from scrubjay._core.columns import Columns
from scrubjay._core.constants import COLD, COUNT, HEARD, MOST, NONE
from scrubjay._core.curve import Curve
from scrubjay._core.graph import Graph
from scrubjay._core.outlook import Outlook
from scrubjay._core.policy import Policy
from scrubjay._core.ranking import Ranking
from scrubjay._core.sessions import Sessions
from scrubjay._core.sketch import Sketch
from scrubjay._core.trials import Trials
from scrubjay._core.ways import FIRST, PROBATION, PROTECTED, WINDOW


class Adaptive(Policy):
    """Follows the traffic, and is mindful of size, priority and cost.

    Args:
        by_cost: whether what loading an entry costs is part of what a hit is worth.
        by_size: whether its size is.
    """

    def __init__(self, by_cost: bool = True, by_size: bool = False) -> None:
        Policy.__init__(self)
        self.sketch = Sketch()
        self.trials = Trials()
        self.live = Arrangement(
            self.sketch, True, FIRST, Outlook(self.trials.prospects), by_cost, by_size
        )
        self.sessions = Sessions()
        self.chains = Chains(self.live)
        self.way = FIRST
        self.entry_limit = MOST
        self.byte_limit = MOST
        self.social = True
        self.entries = 0  # how many there is room for, as far as is known
        self.curve: Curve | None = None  # nobody asked for it

    def attach(self, columns: Columns) -> int:
        """Take the columns of the store that this policy will serve."""
        self.columns = columns
        self.live.attach(columns)
        columns.want_notes()
        return 0

    def grow(self, slots: int, hashes: Any) -> int:
        """Make room for `slots` slots."""
        self.hashes = hashes
        self.sketch.grow(slots)
        self.live.grow(slots, hashes)
        self.entries = slots
        return self.prepare_trials()

    def heed(self) -> int:
        """Take note of priorities or costs, which are kept from now on."""
        if self.live.weights.differ() != self.trials.weighted:
            self.live.want_values()
            self.prepare_trials()
        return 0

    def prepare_trials(self) -> int:
        """Make room in the simulations and begin anew."""
        weighted = self.live.weights.differ()
        sized = self.columns.has_size
        self.trials.grow(self.entries, weighted, sized)
        if self.curve is not None:
            self.curve.grow(self.entries, weighted, sized)
        self.follow()
        self.begin()
        return 0

    def bound(self, entries: int, size: int) -> None:
        """Take note of how many entries and bytes there is room for."""
        if entries != self.entry_limit or size != self.byte_limit:
            self.entry_limit = entries
            self.byte_limit = size
            self.begin()

    def begin(self) -> None:
        """Draw the sample anew."""
        self.trials.clear(
            self.trials.suited(self.entries), self.entries, self.entry_limit, self.byte_limit
        )
        self.trials.begin(self.live)
        for slot in range(self.columns.slots):
            self.mark(slot)
        if self.curve is not None:
            self.curve.redraw()

    def mark(self, slot: int) -> None:
        """Have the hits of an entry noted if its key is in the sample, else not."""
        if self.trials.samples(self.hashes[slot]):
            self.columns.hits[slot] |= HEARD
        else:
            self.columns.hits[slot] &= ~HEARD

    def listen(self) -> None:
        """Pass on what was noted."""
        for line in range(self.columns.noted):
            note = self.columns.notes[line]
            if note >= 0:
                self.request(note, 0)
            else:  # of a session, see `asked`
                self.pass_on(~note >> 1, (note & 1) != 0)
        self.columns.noted = 0

    def pass_on(self, slot: int, asked: bool) -> None:
        """Tell whose keys are watched what a session did: it asked, or has gone on."""
        h = self.hashes[slot]
        if asked:
            session = self.columns.session[slot] >> 2
            self.trials.histories.ascribe(h, session)
            if self.curve is not None:
                self.curve.ascribe(h, session)
        else:
            self.trials.histories.follow(h)
            if self.curve is not None:
                self.curve.follow(h)

    def request(self, slot: int, missed: int) -> None:
        """Let the simulations see a request for an entry of the sample; 1 if it missed."""
        self.ask(
            self.hashes[slot], self.live.weights.worth(slot), self.live.weights.size(slot), missed
        )

    def ask(self, h: int, worth: float, size: int, missed: int) -> None:
        """Let the simulations see a request for a key of the sample."""
        if missed:
            self.trials.miss(worth)
        expected = self.trials.request(h, worth, size)
        if self.curve is not None:
            self.curve.request(h, worth, size, missed, expected, self.trials.shift)

    def declines(self, h: int, size: int, priority: float, cost: float, lacking: int) -> bool:
        """Tell whether a newcomer is not to be stored; that was a request all the same."""
        worth = self.live.weights.price(priority, cost, size)
        if not self.live.declines(h, worth, size, lacking):
            return False
        self.listen()
        self.sketch.add(h, 1)
        self.live.ghosts.remember(h)
        if self.trials.samples(h):
            self.ask(h, worth, size, 1)
            self.follow()
        return True

    def heed_sessions(self) -> int:
        """Make room for what sessions tell."""
        self.trials.heed_sessions()
        return self.sessions.begin()

    def asked(self, slot: int, session: int) -> None:
        """Mark what a session has asked for, and note it where the key is in the sample."""
        before = self.sessions.asked(self.columns, slot, session)
        if self.columns.hits[slot] > COUNT:
            self.columns.note(~(2 * slot))
        if before != NONE and self.columns.hits[before] > COUNT:
            self.columns.note(~(2 * before + 1))

    def heed_tags(self) -> int:
        """Make room for what tags tell."""
        self.trials.histories.heed_tags()
        return self.columns.want_tagged()

    def tagged(self, slot: int, tags: Iterable[str]) -> int:
        """Mark an entry with a cold tag, and let what comes of its key be counted."""
        returns: Any = self.trials.histories.tags
        row = returns.row_of(tags)
        mark = COLD if returns.is_cold(row) else 0
        self.columns.tagged[slot] = mark
        if self.trials.samples(self.hashes[slot]):
            self.trials.histories.tag(self.hashes[slot], row, mark)
        return 0

    def expect(self, h: int) -> None:
        """Prepare for a newcomer."""
        self.sketch.expect(h)

    def insert(self, slot: int) -> None:
        """A newcomer is there: a request like any other."""
        self.listen()
        if self.columns.has_session:
            self.columns.session[slot] = 0
        if self.columns.has_tagged:
            self.columns.tagged[slot] = 0
        self.live.insert(slot)
        if self.live.count > self.entries:
            self.entries = self.live.count
            self.trials.hold(self.live.count)
        if self.trials.samples(self.hashes[slot]):
            self.columns.hits[slot] |= HEARD
            self.request(slot, 1)
            self.follow()

    def replaced(self, slot: int) -> None:
        """A new value is no sign of demand, but it may have another cost."""
        self.live.weights.learn_cost(slot)

    def remove(self, slot: int) -> None:
        """Forget the entry, not its key's popularity."""
        self.listen()
        self.live.remove(slot)

    def victim(self) -> int:
        """Return what the present way would give up."""
        self.fit(self.live.count)
        self.live.shift()
        return self.live.victim()

    def victim_but(self, keep: int) -> int:
        """Return the victim among all entries but `keep`, which stays in its segment."""
        self.fit(self.live.count)
        return self.live.victim_but(keep)

    def end_of_chain(self, slot: int, keep: int, graph: Graph) -> int:
        """Let the end of a chain go first: the rest of it is of use without that."""
        end = self.chains.end(slot, keep, graph)
        if end != slot:
            self.live.ghosts.mark(self.hashes[end])
        return end

    def fit(self, entries: int) -> None:
        """Let the simulations have the cache's size: room is made, so it is full."""
        if entries != self.entries:
            self.entries = entries
            self.trials.hold(entries)
            shift = self.trials.shift
            if (
                self.trials.suited(entries) != shift
                and self.trials.suited(entries * 5 // 4) != shift
            ):
                self.listen()
                self.begin()
        if self.curve is not None:
            self.listen()
            self.curve.fit(entries, self.live, self.trials)

    def reconsider(self) -> int:
        """Take the way that is best by now, if there is evidence enough."""
        self.listen()
        if self.has_evidence():
            self.trials.choose()
            self.follow()
        return 0

    def has_evidence(self) -> bool:
        """Tell whether the simulations have seen as many requests as they have entries."""
        return self.trials.seen >= self.trials.full()

    def follow(self) -> None:
        """Let the cache go the way that was found best."""
        if self.trials.way != self.way:
            self.way = self.trials.way
            self.live.adopt(self.way)

    def rank(self, found: Any) -> bool:
        """What the segments or the values would give up first, as far as can be told."""
        Ranking(self.live).collect(found)
        return True

    def clear(self) -> None:
        """Forget the entries, not the keys' popularity."""
        self.columns.noted = 0
        self.live.clear()
        self.sessions.forget()
        if self.curve is not None:
            self.curve.clear()

    def gather(self, go_on: bool) -> dict[str, Any] | None:
        """Return what was counted of other sizes; gather from now on, or no longer."""
        self.listen()
        if self.curve is None and go_on:
            curve = Curve(self.live.count == 0 or self.live.ghosts.gone == 0)
            curve.grow(self.columns.slots, self.live.weights.differ(), self.columns.has_size)
            self.curve = curve
        report = None if self.curve is None else self.curve.report()
        if not go_on:
            self.curve = None
        return report

    def weighed(self) -> str:
        """Return what the simulations' hits and misses are counted by; empty for each as one."""
        if self.columns.has_priority:
            return "worth"
        if self.live.weights.by_size:
            return "bytes"
        return "cost" if self.live.weights.by_cost and self.columns.has_cost else ""

    def describe(self) -> dict[str, Any]:
        """Return the segments' sizes, the shares aimed at, and what each way would yield."""
        report = self.trials.describe()
        report.update(
            evidence=self.has_evidence(),
            sessions=bool(self.columns.has_session),
            tags=bool(self.columns.has_tagged),
            weighed=self.weighed(),
            window=self.live.segments.length[WINDOW],
            probation=self.live.segments.length[PROBATION],
            protected=self.live.segments.length[PROTECTED],
            valued=self.live.values.count,
            window_share=self.live.window_share,
            protected_share=self.live.protected_share,
            gathering=self.curve is not None,
        )
        return report
