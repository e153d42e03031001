"""More bits for a hash: of which key is in a sample, and where it is counted.

The hashes of successive numbers are regular, and a spread one has but 32 bits. Compiled, what is
here is C, as it is asked for several times in a request.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:

    def scrubjay_mix(h: int) -> int:
        """Return 61 bits, of which those from the eighth on depend on all of a spread hash."""
        h = (h ^ (h >> 15)) * 0x2C1B3C6D
        return ((h ^ (h >> 29)) & 0x7FFFFFFF) * 0x297A2D39
