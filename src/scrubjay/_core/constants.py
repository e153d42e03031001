"""The few constants that several modules of the core share.

A module of the core declares those it imports in its ``.pxd``: they are C values there.
"""

from __future__ import annotations

from typing import Any

MOST = 1 << 62  # entries or bytes: no bound
NONE = -1  # no slot
NEVER = float("inf")  # a deadline
CERTAIN = 1.0  # seconds before a deadline from which on the coarse clock is not trusted
EVICTED, EXPIRED, INVALIDATED, TAG, DEPENDENCY, REPLACED, CLEARED, REJECTED = range(8)
EVICTED_USED = 8  # evicted, and read before: told so where it is asked for
MISSING: Any = object()  # no value, where None is one
STORED, AGAIN, FENCED, EXPIRED_SLOT, NEW_NODES, PRESENT, REFUSED = range(7)  # what became of a step
LAST_MOMENT = 4294967295.0  # 32 bits: eight years and a half
PER_SECOND = 16.0  # resolution of the times of creation and of the last access
EXPIRED_VALUE: Any = object()
MOVED_ON: Any = object()  # the table has changed since it was looked up
EMPTY: Any = object()  # the key and value of a free slot
COUNT = 0x7FFFFFFF  # the bits of a hit counter that count
HEARD = 0x80000000  # the bit of a hit counter that asks for hits to be noted
NOTES = 1024  # hits noted at most until the policy comes by: 4 kB
QUEUES = 96  # of entries of about equal value
GAP = 3  # the bits of an entry's marks that tell how soon it came back last
SOCIAL = 2  # bits below those that sessions tell
FOLLOWED = 4  # a mark of an entry: the session that asked last has gone on to another
SHARED = 8  # likewise: several sessions have asked for it
OUTCOMES = 3  # bits that tell what came of a request
HIT, MISS, FIRST_HIT, JOINED = range(4)  # as in `scrubjay.prefetch.constants`
DROPPED, GIVEN_UP = 4, 5  # no request: an entry went that nobody, or somebody, had asked for
SAMPLING = 1023  # one request in 1,024 is timed
FADING = 0.9  # what earlier events count when they are aged
BINS = 44  # of ages, two an octave: the last begins at three million requests
COLD = 16  # likewise: few come back of those that carry one of its tags
GAP_MARKS = 4  # kinds of entries by how soon they came back last
SESSION_MARKS = 16  # by what sessions did, too
ALL_MARKS = 32  # by what their tags tell, too
INFINITE = float("inf")
LOOKS = 32  # entries looked at, of which the one worth least goes
