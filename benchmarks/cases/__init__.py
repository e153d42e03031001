"""The cases, by name, in the order in which they run and are reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cases import (
    codecs,
    consistency,
    disk,
    eviction,
    layered,
    lookup,
    memoize,
    memory,
    observed,
    redis,
    threads,
    zipf,
)
from benchmarks.peers import DICT, LRU_CACHE, SCRUBJAY
from benchmarks.timing import Outcome, Scale

BY_DISK = (disk.DISKCACHE, disk.SQLITE)
BY_GET = (consistency.EACH_TIME,)
BY_SERVER = (redis.BARE, redis.REDIS_PY_ASYNC)


@dataclass(frozen=True)
class Case:
    """One measurement of all subjects that can take part.

    Args:
        name: Its name on the command line and in results.
        title: Its heading.
        run: Measures it in this process.
        references: Subjects that the others are set in relation to.
        unit: Of its samples.
        processes: Fresh processes in which it is repeated. Hash seeds and
            memory layout differ between processes, by several percent.
        pinned: Whether it runs on one CPU.
    """

    name: str
    title: str
    run: Callable[[Scale], Outcome]
    references: tuple[str, ...] = (DICT, LRU_CACHE)
    unit: str = "ns"
    processes: int = 3
    pinned: bool = True


CASES = {
    case.name: case
    for case in (
        Case("hit", "Get, hit, same key objects", lookup.hit),
        Case("hit-observed", "Get, hit, with all who may watch", observed.hit, (DICT, SCRUBJAY)),
        Case("hit-tiers", "Get, hit, with tiers below", layered.hit, (DICT, SCRUBJAY)),
        Case(
            "consistency-hit",
            "Get, hit, at each level that asks nobody",
            consistency.hit,
            (consistency.ONE_TIER, consistency.OF_SESSION),
        ),
        Case("hit-fresh", "Get, hit, equal keys made anew", lookup.hit_fresh),
        Case("miss", "Get, miss, key objects whose hash is known", lookup.miss),
        Case("miss-fresh", "Get, miss, keys made anew", lookup.miss_fresh),
        Case("hit-ttl", "Get, hit, every entry expires in an hour", lookup.hit_ttl),
        Case("overwrite", "Put over an existing key", lookup.overwrite),
        Case("overwrite-ttl", "Put over an existing key, to expire", lookup.overwrite_ttl),
        Case("memo-1", "Memoized hit, one argument", memoize.one_argument, (LRU_CACHE,)),
        Case("memo-2", "Memoized hit, two arguments", memoize.two_arguments, (LRU_CACHE,)),
        Case("memo-async", "Awaited memoized hit", memoize.awaited, (memoize.PLAIN_AWAIT,)),
        Case("dump", "Value of 1 KB to a blob", codecs.dump, (codecs.MSGSPEC,)),
        Case("load", "Blob to value of 1 KB", codecs.load, (codecs.MSGSPEC,)),
        Case("evict-10k", "Put of new keys, full at 10,000", eviction.small),
        Case("evict-1m", "Put of new keys, full at 1,000,000", eviction.large, processes=1),
        Case("zipf", "Get or put, zipf(0.99)", zipf.run, processes=1),
        Case("memory", "Bytes an entry", memory.run, (DICT,), unit="B", processes=1),
        Case("threads-get", "Eight threads, gets", threads.gets, (), processes=1, pinned=False),
        Case(
            "threads-mix",
            "Eight threads, 9 gets to 1 put",
            threads.mixed,
            (),
            processes=1,
            pinned=False,
        ),
        Case("disk-get-1k", "On disk: get, 1 KB", disk.get_small, BY_DISK, processes=1),
        Case("disk-put-1k", "On disk: put over, 1 KB", disk.put_small, BY_DISK, processes=1),
        Case("disk-get-100k", "On disk: get, 100 KB", disk.get_large, BY_DISK, processes=1),
        Case("disk-put-100k", "On disk: put over, 100 KB", disk.put_large, BY_DISK, processes=1),
        Case(
            "disk-get-4",
            "On disk: get, 1 KB, four processes",
            disk.get_together,
            BY_DISK,
            processes=1,
            pinned=False,
        ),
        Case(
            "disk-put-4",
            "On disk: put over, 1 KB, four processes",
            disk.put_together,
            BY_DISK,
            processes=1,
            pinned=False,
        ),
        *(
            Case(name, title, run, BY_SERVER, processes=1, pinned=False)
            for name, title, run in (
                ("redis-get-1", "On a server: get, 1 KB", redis.get_1),
                ("redis-get-16", "On a server: get, 1 KB, 16 tasks", redis.get_16),
                ("redis-get-64", "On a server: get, 1 KB, 64 tasks", redis.get_64),
                ("redis-get-many", "On a server: get, 50 of 1 KB at a time", redis.get_many),
            )
        ),
        *(
            Case(name, title, run, references, processes=1, pinned=False)
            for name, title, run, references in (
                ("strong-1", "At STRONG, hit, 1 KB", consistency.strong_1, BY_GET),
                ("strong-64", "At STRONG, hit, 1 KB, 64 tasks", consistency.strong_64, BY_GET),
                (
                    "heard",
                    "From an invalidation to the end of a copy in another process",
                    consistency.heard,
                    (consistency.PUB_SUB,),
                ),
            )
        ),
    )
}
