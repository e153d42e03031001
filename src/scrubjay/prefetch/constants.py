"""What became of an access, what is known of a key, and how far is counted.

A compiled module declares those it imports in its ``.pxd``: they are C values there.
"""

from __future__ import annotations

# What became of an access, for `Planner.accessed`.
HIT = 0  # it was there
MISS = 1  # it was not, and nobody was fetching it
FIRST_HIT = 2  # the first use of an entry that was fetched ahead
JOINED = 3  # it was just being fetched ahead, and the demand waits for that

# What is known of a key, bits of `Keys.state`.
HELD = 1  # the cache has it, and it was asked for
UNUSED = 2  # the cache has it, and it was fetched ahead
FLYING = 4  # it is being fetched ahead
GHOST = 8  # without prefetch the cache would have it
AWAITED = 16  # it was guessed, and its time is not over
LEFT = 32  # it was evicted; see `Keys.left`
SEEN = 64  # asked for again since the hand last came by
CANDIDATE = 128  # it is offered for fetching
OVERTAKEN = 256  # it is being fetched ahead, and was asked for meanwhile
OVERDUE = 512  # it was guessed, and not asked for in time
PRESENT = HELD | UNUSED | FLYING

SMALLEST = 64  # entries: a smaller cache has none to spare for prefetch
STREAMS = 1024  # sessions, users or threads told apart at a time
BANDS = 80  # classes of guesses that `Successors` make

FULL = 32  # times that a key was asked for at which `Successors` halve its counts
MOST_CONFIDENCE = 7  # of an entry of `Contexts`
