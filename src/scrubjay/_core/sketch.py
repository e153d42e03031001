"""How often a key was asked for lately, entry or not: a count-min sketch that ages.

Four counters of four bits per key, all within the sixteen bytes of one block, so that a
key costs one cache line. Every counter is halved when sixteen accesses per slot were counted.
About eight bytes a slot where there are many slots, and more where there are few.

G. Cormode and S. Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch
and its Applications" (2005); aged as in G. Einziger, R. Friedman and B. Manes, "TinyLFU"
(ACM ToS 2017).
"""

from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.mixing import scrubjay_mix

    def scrubjay_fetch(place: object) -> None:
        """Do nothing: compiled, this is the processor's order to fetch a place in memory."""


MOST = 15
AMPLE = 4096  # slots up to which there are four times as many counters: they cost little
MANY = 131_072  # slots up to which there are twice as many
SAMPLE = 16  # accesses per slot between two halvings; TinyLFU has 10, which forgets sooner


class Sketch:
    """Estimated frequencies from 0 to 15, by spread hash."""

    def __init__(self) -> None:
        self.counters = array("I", bytes(16))
        self.mask = 0
        self.additions = 0
        self.slots = 1

    def grow(self, slots: int) -> int:
        """Make it fit for `slots` entries, keeping what is known; never shrinks.

        Doubling repeats the table: each key finds its old counters in its new block.
        """
        if slots <= self.slots:
            return 0
        old = self.mask + 1
        blocks = old
        width = 4 if slots <= AMPLE else 2 if slots <= MANY else 1
        while 2 * blocks < width * slots:
            blocks *= 2
        if blocks > old:
            counters = array("I", bytes(16 * blocks))
            for line in range(4 * blocks):
                counters[line] = self.counters[line & (4 * old - 1)]
            self.counters = counters
            self.mask = blocks - 1
        self.slots = slots
        return 0

    def expect(self, h: int) -> None:
        """Have the processor fetch the counters of a key that will be counted in a moment.

        Where there are many, it would wait for them longer than all the rest of `add` takes.
        """
        if cython.compiled:
            base = 4 * ((scrubjay_mix(h) >> 20) & self.mask)
            scrubjay_fetch(cython.address(self.counters[base]))

    def add(self, h: int, times: int) -> int:
        """Count `times` more accesses of the key with hash `h`; return its estimate then."""
        wide = scrubjay_mix(h)
        base = 4 * ((wide >> 20) & self.mask)
        most = 0
        least = MOST
        for row in range(4):
            shift = ((wide >> (46 + 3 * row)) & 7) * 4
            word = self.counters[base + row]
            old = (word >> shift) & 15
            total = old + times
            if total > MOST:
                total = MOST
            self.counters[base + row] = word + ((total - old) << shift)
            if total - old > most:
                most = total - old
            if total < least:
                least = total
        self.additions += most  # what is popular enough already ages nobody
        if self.additions >= SAMPLE * self.slots:
            self.age()
            return self.estimate(h)
        return least

    def estimate(self, h: int) -> int:
        """Return how often the key with hash `h` was counted lately, never too low."""
        wide = scrubjay_mix(h)
        base = 4 * ((wide >> 20) & self.mask)
        least = MOST
        for row in range(4):
            shift = ((wide >> (46 + 3 * row)) & 7) * 4
            count = (self.counters[base + row] >> shift) & 15
            if count < least:
                least = count
        return least

    def age(self) -> None:
        """Halve every counter: yesterday counts half."""
        for line in range(4 * (self.mask + 1)):
            self.counters[line] = (self.counters[line] >> 1) & 0x77777777
        self.additions //= 2
