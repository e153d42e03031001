"""What became of an access, for `Planner.accessed`."""

from __future__ import annotations

HIT = 0  # it was there
MISS = 1  # it was not, and nobody was fetching it
FIRST_HIT = 2  # the first use of an entry that was fetched ahead
JOINED = 3  # it was just being fetched ahead, and the demand waits for that
