"""Puts of ever-new keys into a full cache: each stores one entry and evicts one."""

from __future__ import annotations

from benchmarks import peers
from benchmarks.cases._setup import filled, make_keys
from benchmarks.cases.lookup import by_item_assignment
from benchmarks.peers import NAMES, Peer
from benchmarks.timing import Measure, Outcome, Scale, Subject, compile_loop, empty_loop, interleave

FILLING = 1_000_000


def small(scale: Scale) -> Outcome:
    """Evict from a cache of 10,000 entries, turning it over twice a round."""
    capacity = scale.of(10_000, 500)
    return _measure(capacity, inserts=2 * capacity, rounds=scale.of(15, 2))


def large(scale: Scale) -> Outcome:
    """Evict from a cache of a million entries, 5 % of it a round."""
    capacity = scale.of(1_000_000, 2_000)
    return _measure(capacity, inserts=capacity // 20, rounds=scale.of(25, 2))


def _measure(capacity: int, inserts: int, rounds: int) -> Outcome:
    keys = make_keys(capacity)
    subjects = [empty_loop(keys[:inserts])]
    candidates = [*peers.stores(), *by_item_assignment()]
    subjects += [_subject(peer, keys, inserts) for peer in candidates]
    return interleave(subjects, rounds)


def _subject(peer: Peer, keys: list[str], inserts: int) -> Subject:
    def prepare() -> Measure:
        cache = filled(peer, keys)
        loop = compile_loop(peer.put, **NAMES)

        def measure(number: int) -> float:
            new = make_keys(inserts, prefix="new", start=FILLING + number * inserts)
            # What never evicts grows instead, in a copy; it is there for scale.
            target = cache if peer.evicts else cache.copy()
            return loop(target, new) / inserts

        return measure

    return Subject(peer.name, prepare)
