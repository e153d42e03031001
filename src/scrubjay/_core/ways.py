"""The ways of keeping entries that ADAPTIVE chooses among.

A way is a share of the entries for the window, a share of the main region for what is
protected, and a rule for what leaves the window unread: whether it displaces the entry
that the main region would give up. Between them they cover what traffic rewards:

- `FREQUENCY`: it must have been asked for more often (W-TinyLFU). With a small window for
  stable popularity, scans and loops; with a larger one where popularity changes.
- `GHOSTS`: it goes, but comes back straight into the main region if it is asked for again
  soon (2Q, ARC, S3-FIFO). For traffic full of keys that are asked for once.
- `ALWAYS`: it does. With half the main region protected this is a segmented LRU; with
  nothing protected, CLOCK, an approximation of LRU, which no phase of traffic ruins.
"""

from __future__ import annotations

WINDOW, PROBATION, PROTECTED = range(3)  # the segments
ALWAYS = 0
FREQUENCY = 1
GHOSTS = 2
RULES = ("always", "frequency", "ghosts")
WAYS = (
    (0.10, ALWAYS, 0.5),
    (0.03, ALWAYS, 0.0),
    (0.01, FREQUENCY, 0.8),
    (0.20, FREQUENCY, 0.5),
    (0.03, GHOSTS, 0.5),
)
FIRST = 0  # close to LRU: nothing is risked before there is evidence


def name_of(way: int) -> str:
    """Return how people call a way."""
    window, rule, protected = WAYS[way]
    return f"{RULES[rule]}, window {window:.0%}, protected {protected:.0%}"
