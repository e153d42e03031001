"""How soon entries of a kind will be asked for again: learned from keys that were watched.

A kind is how often the key was asked for, how soon it came back when it was last asked for,
what its sessions did with it, and what its tags tell. Of each kind it is counted after how many
requests its keys came back, and how many had not come back by then (they are censored, as in
survival analysis). What an entry is worth, given how long it was left alone, is the most hits
per request that keeping it for some further time would yield: its Gittins index.

N. Beckmann, H. Chen and A. Cidon, "LHD: Improving Cache Hit Rate by Maximizing Hit Density"
(NSDI 2018), whose hit density looks at an entry's whole life; J. Gittins, "Bandit Processes
and Dynamic Allocation Indices" (1979); E. Kaplan and P. Meier, "Nonparametric Estimation from
Incomplete Observations" (1958). That the time between the last two requests tells more than
that since the last: S. Jiang and X. Zhang, "LIRS" (SIGMETRICS 2002).
"""

from __future__ import annotations

from array import array
from typing import Any

from scrubjay._core.constants import ALL_MARKS, BINS, FADING, GAP_MARKS, SESSION_MARKS

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

COUNTS = 8  # kinds by how often: 1, 2, 3, 4-7, 8-15, 16-31, 32-63, more
COMMON = 5.0  # events that are taken to be as for all keys, in each kind by how often
AKIN = 20.0  # events that are taken to be as for all marks, in each kind


if not cython.compiled:

    def scrubjay_bin(age: int) -> int:
        """Return the bin of an age; compiled, this is C, as it is asked for so often."""
        if age < 2:
            return age
        octave = age.bit_length() - 1
        return min(2 * octave + (age >> (octave - 1) & 1), BINS - 1)


def _middle(line: int) -> float:
    """Return an age in the middle of a bin."""
    if line < 2:
        return float(line)
    return 1.2 * (2 + (line & 1)) * 2.0 ** (line // 2 - 1)


class Prospects:
    """What an entry is worth, by kind and age."""

    def __init__(self) -> None:
        self.clock = 0  # requests so far, as far as a sample tells, modulo 2 ** 31
        self.entries = 1  # that the cache has
        self.events = 0.0
        self.marks = 0  # kinds by their marks
        self.returned = array("d")
        self.lost = array("d")
        self.waiting = array("d")
        self.worth = array("d")
        self.known = array("d")  # events by kind, with those that wait
        self.tell_apart(GAP_MARKS)
        self.widths = array("d", [max(1.0, _middle(b + 1) - _middle(b)) for b in range(BINS)])
        kinds = [min(n - 1 if n < 4 else n.bit_length(), COUNTS - 1) for n in range(1, 256)]
        self.kinds = array("B", [0, *kinds])  # by how often
        self.all_returned = array("d", bytes(8 * BINS))
        self.all_lost = array("d", bytes(8 * BINS))
        self.some_returned = array("d", bytes(8 * BINS))
        self.some_lost = array("d", bytes(8 * BINS))
        self.gain = array("d", bytes(8 * (BINS + 1)))  # hits from an age on, cumulated
        self.time = array("d", bytes(8 * (BINS + 1)))  # time in the cache, likewise
        self.until = array("i", bytes(4 * (BINS + 1)))  # the age to which keeping pays best

    def tell_apart(self, marks: int) -> int:
        """Tell entries apart by so many marks, or as many as before if those are more."""
        if marks <= self.marks:
            return 0
        returned = self.widened(self.returned, marks)  # all that may fail comes first
        lost = self.widened(self.lost, marks)
        waiting = self.widened(self.waiting, marks)
        worth = self.widened(self.worth, marks)
        known = array("d", bytes(8 * COUNTS * marks))
        self.returned = returned
        self.lost = lost
        self.waiting = waiting
        self.worth = worth
        self.known = known
        self.marks = marks
        return 0

    def widened(self, figures: Any, marks: int) -> Any:
        """Return figures with room for more marks; what is known of the new ones is nothing."""
        wide = array("d", bytes(8 * COUNTS * marks * BINS))
        for count in range(COUNTS):
            for line in range(self.marks * BINS):
                wide[count * marks * BINS + line] = figures[count * self.marks * BINS + line]
        return wide

    def heed_sessions(self) -> int:
        """Tell entries apart by what sessions did."""
        return self.tell_apart(SESSION_MARKS)

    def heed_tags(self) -> int:
        """Tell entries apart by what their tags tell, too."""
        return self.tell_apart(ALL_MARKS)

    def gap(self, time: int) -> int:
        """Return the mark of an entry that came back after so many requests; 0 is for unknown."""
        return 1 if time < self.entries else 2

    def cell(self, count: int, marks: int, since: int) -> int:
        """Return where the figures are of a kind, left alone since a time of the clock."""
        age = (self.clock - since) & 0x7FFFFFFF
        return (self.kinds[count] * self.marks + marks) * BINS + scrubjay_bin(age)

    def came_back(self, count: int, marks: int, since: int) -> None:
        """Count a key that was asked for again."""
        self.returned[self.cell(count, marks, since)] += 1.0
        self.events += 1.0

    def gave_up(self, count: int, marks: int, since: int) -> None:
        """Count a key that was not asked for as long as it was watched."""
        self.lost[self.cell(count, marks, since)] += 1.0
        self.events += 1.0

    def wait_for(self, counts: Any, marks: Any, since: Any, keys: int) -> None:
        """Count, for the next `learn` only, keys that are still watched.

        Args:
            counts: how often each was asked for.
            marks: of each.
            since: when each was asked for last.
            keys: how many there are.
        """
        for row in range(keys):
            self.waiting[self.cell(counts[row], marks[row], since[row])] += 1.0

    def fade(self) -> None:
        """Let what has been count a little less."""
        for line in range(COUNTS * self.marks * BINS):
            self.returned[line] *= FADING
            self.lost[line] *= FADING
        self.events *= FADING

    def learn(self) -> None:
        """Find anew what entries are worth.

        What is known of few keys is filled up with what is known of more: of the same count
        with any marks, and of all.
        """
        total = 0.0
        for line in range(BINS):
            self.all_returned[line] = 0.0
            self.all_lost[line] = 0.0
        for kind in range(COUNTS * self.marks):
            first = kind * BINS
            known = 0.0
            for line in range(BINS):
                self.waiting[first + line] += self.lost[first + line]
                self.all_returned[line] += self.returned[first + line]
                self.all_lost[line] += self.waiting[first + line]
                known += self.returned[first + line] + self.waiting[first + line]
            self.known[kind] = known
            total += known
        if total > 0.0:
            for count in range(COUNTS):
                self.learn_count(count * self.marks, COMMON / total)
        for line in range(COUNTS * self.marks * BINS):
            self.waiting[line] = 0.0

    def learn_count(self, begin: int, common: float) -> None:
        """Find what entries are worth that were asked for about as often.

        Args:
            begin: the first of their kinds.
            common: what the figures of all kinds are multiplied by.
        """
        several = 0.0
        for line in range(BINS):
            self.some_returned[line] = common * self.all_returned[line]
            self.some_lost[line] = common * self.all_lost[line]
        for kind in range(begin, begin + self.marks):
            if self.known[kind] == 0.0:
                continue
            first = kind * BINS
            for line in range(BINS):
                self.some_returned[line] += self.returned[first + line]
                self.some_lost[line] += self.waiting[first + line]
            several += self.known[kind]
        alike = -1  # where the figures begin of a kind of which nothing is known that is its own
        for kind in range(begin, begin + self.marks):
            first = kind * BINS
            own = self.known[kind]
            if own != 0.0 and own != several:
                self.rate(first, 1.0, AKIN / (several + COMMON))
            elif alike < 0:
                self.rate(first, 0.0, 1.0)
                alike = first
            else:  # the same figures come to the same
                for line in range(BINS):
                    self.worth[first + line] = self.worth[alike + line]

    def rate(self, first: int, own: float, akin: float) -> None:
        """Find what entries of one kind are worth at each age.

        Args:
            first: where the figures of the kind begin.
            own: what those are multiplied by.
            akin: what those of any marks are multiplied by.
        """
        exposed = 0.0
        for line in range(BINS - 1, -1, -1):
            hits = own * self.returned[first + line] + akin * self.some_returned[line]
            ends = own * self.waiting[first + line] + akin * self.some_lost[line]
            exposed += hits + ends
            rate = hits / (exposed - 0.5 * ends) if exposed > 0.0 else 0.0
            self.gain[line + 1] = rate if rate < 1.0 else 1.0
        alive = 1.0
        self.gain[0] = 0.0
        self.time[0] = 0.0
        for line in range(BINS):
            hits = alive * self.gain[line + 1]
            self.gain[line + 1] = self.gain[line] + hits
            self.time[line + 1] = self.time[line] + self.widths[line] * (alive - 0.5 * hits)
            alive -= hits
        # The best further time is the next corner of the least concave curve above.
        for line in range(BINS - 1, -1, -1):
            until = line + 1
            best = self.slope(line, until)
            while until < BINS and self.slope(until, self.until[until]) > best:
                until = self.until[until]
                best = self.slope(line, until)
            self.until[line] = until
            self.worth[first + line] = best

    def slope(self, begin: int, end: int) -> float:
        """Return the hits per request of keeping from one age to another."""
        time = self.time[end] - self.time[begin]
        return (self.gain[end] - self.gain[begin]) / time if time > 0.0 else 0.0
