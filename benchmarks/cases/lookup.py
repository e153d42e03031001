"""Reads and overwrites of a cache that holds 10,000 string keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks import peers
from benchmarks.cases._setup import filled, make_keys, shuffled
from benchmarks.peers import NAMES, Peer
from benchmarks.timing import Measure, Outcome, Scale, Subject, compile_loop, empty_loop, interleave

CAPACITY = 10_000
PASSES = 3
ROUNDS = 15

Keys = Callable[[], Sequence[str]]


def hit(scale: Scale) -> Outcome:
    """Read every key, in random order, by the objects that were stored."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    return measure_reads(scale, peers.stores(), keys, lambda: wanted)


def hit_fresh(scale: Scale) -> Outcome:
    """Read every key by an equal object, so that it is hashed and compared."""
    keys = make_keys(scale.of(CAPACITY, 500))
    order = shuffled(keys) * PASSES
    return measure_reads(scale, peers.stores(), keys, lambda: _equal(order))


def miss(scale: Scale) -> Outcome:
    """Read keys that are absent, by objects that were read before."""
    keys = make_keys(scale.of(CAPACITY, 500))
    absent = shuffled(make_keys(len(keys), prefix="absent")) * PASSES
    return measure_reads(scale, _readable(), keys, lambda: absent)


def miss_fresh(scale: Scale) -> Outcome:
    """Read keys that are absent, by new objects."""
    keys = make_keys(scale.of(CAPACITY, 500))
    order = shuffled(make_keys(len(keys), prefix="absent")) * PASSES
    return measure_reads(scale, _readable(), keys, lambda: _equal(order))


def hit_ttl(scale: Scale) -> Outcome:
    """Read entries that each have an expiry, beside a dict and lru_cache without."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    standard = [peer for peer in peers.stores(strategies=False) if not peer.package]
    return measure_reads(scale, standard + peers.expiring_stores(), keys, lambda: wanted)


def overwrite(scale: Scale) -> Outcome:
    """Store every key again."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    candidates = [*_readable(), *by_item_assignment()]
    return measure_reads(scale, candidates, keys, lambda: wanted, put=True)


def overwrite_ttl(scale: Scale) -> Outcome:
    """Store every key again, to expire in an hour: by default, by argument, and with a tag."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    candidates = peers.present([*peers.expiring_stores(), *peers.conditional_stores()])
    return measure_reads(scale, candidates, keys, lambda: wanted, put=True)


def by_item_assignment() -> list[Peer]:
    """Return scrubjay as a mapping: its put in the shape a dict has."""
    name = f"{peers.SCRUBJAY} c[k] = v"
    build = peers.scrubjay_default
    return peers.present([Peer(name, peers.SCRUBJAY, build)])


def _readable() -> list[Peer]:
    return [peer for peer in peers.stores() if peer.reads]


def _equal(keys: Sequence[str]) -> list[str]:
    """Return equal strings that are other objects, with no hash computed yet."""
    return ["".join((key[:1], key[1:])) for key in keys]


def measure_reads(
    scale: Scale,
    candidates: Iterable[Peer],
    stored: Sequence[str],
    wanted: Keys,
    *,
    put: bool = False,
) -> Outcome:
    """Measure reads, or overwrites, of keys that are there or not.

    Args:
        scale: Of the run.
        candidates: The caches.
        stored: What they are filled with.
        wanted: Makes the keys of one round.
        put: Whether the keys are stored over instead.
    """
    first = wanted()
    warm = first[: len(first) // PASSES]
    subjects = [empty_loop(first)]
    for peer in candidates:
        statement = peer.put if put else peer.get
        subjects.append(_subject(peer, statement, stored, warm, wanted))
    return interleave(subjects, scale.of(ROUNDS, 2))


def _subject(
    peer: Peer, statement: str, stored: Sequence[str], warm: Sequence[str], wanted: Keys
) -> Subject:
    def prepare() -> Measure:
        cache = filled(peer, stored)
        loop = compile_loop(statement, **NAMES)

        def measure(_: int) -> float:
            keys = wanted()
            # Whoever was measured before has left the CPU's caches full of its
            # own; a pass over the same places of memory makes them ours.
            loop(cache, warm)
            return loop(cache, keys) / len(keys)

        return measure

    return Subject(peer.name, prepare)
