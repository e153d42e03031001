"""Who was given up lately: fingerprints of keys in a table, each with its time.

Time is counted in entries given up, in sixteenths of the entries there is room for, and
goes round after four times as many. A key is a ghost until as many entries as there is
room for have been given up since. Newer ghosts overwrite older ones. Two bytes a slot.

The length is that of the ghost queue of J. Yang et al., "FIFO queues are all you need for
cache eviction" (SOSP 2023); the table is the one that paper proposes.
"""

from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:
    from scrubjay._core.mixing import scrubjay_mix


class Ghosts:
    """The keys given up lately, by spread hash."""

    def __init__(self) -> None:
        self.table = array("H", bytes(16))
        self.cells = 8
        self.length = 8  # of the part in use
        self.gone = 0
        self.tick = 0  # the time, six bits
        self.phase = 0  # sixteenths of an entry since it began

    def grow(self, slots: int) -> int:
        """Make it fit for `slots` entries; begins anew. Never shrinks."""
        if slots > self.cells:
            self.table = array("H", bytes(2 * slots))
            self.cells = slots
            self.keep_time(slots)
        return 0

    def keep_time(self, length: int) -> None:
        """Use so many cells from now on: time goes as they fill."""
        self.length = length
        self.tick = (self.gone * 16 // length) & 63
        self.phase = self.gone * 16 % length

    def remember(self, h: int) -> None:
        """Note that the key with hash `h` has been given up."""
        self.gone += 1
        self.phase += 16  # a division for each would take longer than all the rest of this
        while self.phase >= self.length:
            self.phase -= self.length
            self.tick = (self.tick + 1) & 63
        self.mark(h)

    def mark(self, h: int) -> None:
        """Let a key have been given up with the one that was noted last."""
        wide = scrubjay_mix(h)
        mark = (wide >> 9) & 1023 | 1  # never all zero, which marks an empty cell
        self.table[((wide >> 30) * self.length) >> 31] = mark << 6 | self.tick

    def holds(self, h: int) -> bool:
        """Tell whether the key with hash `h` was given up a little while ago."""
        wide = scrubjay_mix(h)
        ghost = self.table[((wide >> 30) * self.length) >> 31]
        mark = (wide >> 9) & 1023 | 1
        return ghost >> 6 == mark and (self.tick - ghost) & 63 <= 16

    def clear(self, length: int) -> None:
        """Forget all; remember so many from now on, no more than `grow` was told."""
        for cell in range(self.cells):
            self.table[cell] = 0
        self.keep_time(length)
