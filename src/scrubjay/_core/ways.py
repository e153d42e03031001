"""The ways of keeping entries that ADAPTIVE chooses among.

A way is a share of the entries for the window, a share of the main region for what is
protected, and a rule for what leaves the window unread: whether it displaces the entry
that the main region would give up. Between them they cover what traffic rewards:

- `FREQUENCY`: it must have been asked for more often (W-TinyLFU). With a small window for
  stable popularity, scans and loops; with a larger one where popularity changes.
- `GHOSTS`: it goes, but comes back straight into the main region if it is asked for again
  soon (2Q, ARC, S3-FIFO). For traffic full of keys that are asked for once.
- `PROSPECTS`: what the window holds counts for nothing: the entry goes that is worth least
  by what was learned of its like (`scrubjay._core.prospects`). For what goes by sessions,
  periods and chains, and for large steady differences between keys.
- `ALWAYS`: it does. With half the main region protected this is a segmented LRU; with
  nothing protected, CLOCK, an approximation of LRU, which no phase of traffic ruins.

Where entries differ in size, priority or cost there are two more ways, without a window:
what is worth least goes first (see `scrubjay._core.greedy_dual`). An entry's value is its
weight times the demand for it, which is

- `POPULAR`: the root of how often its key was asked for lately, here or not;
- `PROVEN`: how often it was asked for while here, and a quarter of one for a newcomer which
  was not here lately. A newcomer displaces only what is worth less, and ages nobody if it
  goes as it came (GDSF with ghosts, and with the admission rule of libCacheSim's).
"""

from __future__ import annotations

WINDOW, PROBATION, PROTECTED, VALUED = range(4)  # the segments
ALWAYS = 0
FREQUENCY = 1
GHOSTS = 2
PROSPECTS = 3
POPULAR = 4  # from here on: those that order all entries by value
PROVEN = 5
RULES = ("always", "frequency", "ghosts", "prospects", "popular", "proven")
WAYS = (
    (0.10, ALWAYS, 0.5),
    (0.03, ALWAYS, 0.0),
    (0.01, FREQUENCY, 0.8),
    (0.20, FREQUENCY, 0.5),
    (0.03, GHOSTS, 0.5),
    (0.03, PROSPECTS, 0.0),
    (0.0, POPULAR, 0.0),
    (0.0, PROVEN, 0.0),
)
BY_PROSPECTS = 5  # the way that is not simulated as the others are
ALIKE = 6  # so many of them, the first ones, suit entries of equal weight
FIRST = 1  # close to LRU: nothing is risked before there is evidence
FIRST_VALUED = 6  # close to LRU among entries of the same weight


def name_of(way: int) -> str:
    """Return how people call a way."""
    window, rule, protected = WAYS[way]
    if rule == PROSPECTS:
        return RULES[rule]
    if rule >= POPULAR:
        return f"by value, {RULES[rule]}"
    return f"{RULES[rule]}, window {window:.0%}, protected {protected:.0%}"
