"""Values on disk: the disk tier beside diskcache and plain SQLite, by one process and by four.

By the wall clock: who waits for the device, or for another process, is slower. Everything
lies in the folder for temporary files; where that is memory, the device costs nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.cases._setup import SEED
from benchmarks.peers import SCRUBJAY, load
from benchmarks.timing import Measure, Outcome, Scale, Subject, compile_loop, interleave

DISKCACHE = "diskcache"
SQLITE = "sqlite3"
PROCESSES = 4
ROUNDS = 9
BOUND = 1 << 30


@dataclass(frozen=True)
class Engine:
    """A store of bytes on disk.

    Args:
        name: The name in tables.
        build: Opens one in a folder.
        get: Statement that reads ``k``.
        put: Statement that stores ``v`` under ``k``.
    """

    name: str
    build: Callable[[Path], Any]
    get: str
    put: str


def engines() -> list[Engine]:
    """Return the stores that are installed."""
    found = [
        Engine(SCRUBJAY, _scrubjay, "cache.get_many([k])", "cache.put_many([record(k, v)])"),
        Engine(
            SQLITE,
            _sqlite,
            "cache('SELECT v FROM t WHERE k = ?', (k,)).fetchone()",
            "cache('INSERT OR REPLACE INTO t VALUES (?, ?)', (k, v))",
        ),
    ]
    if load(DISKCACHE):
        found.append(Engine(DISKCACHE, _diskcache, "cache.get(k)", "cache.set(k, v)"))
    return found


def get_small(scale: Scale) -> Outcome:
    """Read values of 1 KB."""
    return _alone(scale, 1 << 10, scale.of(5_000, 50), reads=True)


def put_small(scale: Scale) -> Outcome:
    """Store values of 1 KB over others."""
    return _alone(scale, 1 << 10, scale.of(5_000, 50), reads=False)


def get_large(scale: Scale) -> Outcome:
    """Read values of 100 KB."""
    return _alone(scale, 100 << 10, scale.of(200, 5), reads=True)


def put_large(scale: Scale) -> Outcome:
    """Store values of 100 KB over others."""
    return _alone(scale, 100 << 10, scale.of(200, 5), reads=False)


def get_together(scale: Scale) -> Outcome:
    """Read values of 1 KB, four processes at once."""
    return _together(scale, 1 << 10, scale.of(5_000, 50), reads=True)


def put_together(scale: Scale) -> Outcome:
    """Store values of 1 KB over others, four processes at once."""
    return _together(scale, 1 << 10, scale.of(2_000, 50), reads=False)


def _scrubjay(folder: Path) -> Any:
    return load("scrubjay.tiers").DiskTier(folder / "tier", BOUND)


def _diskcache(folder: Path) -> Any:
    return load(DISKCACHE).Cache(str(folder / "diskcache"), size_limit=BOUND)


def _sqlite(folder: Path) -> Any:
    connection = sqlite3.connect(folder / "sqlite", isolation_level=None, timeout=60)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")
    return connection.execute


def _loop(engine: Engine, size: int, *, reads: bool) -> Any:
    record = load("scrubjay.tiers").TierRecord
    statement = engine.get if reads else engine.put
    value = random.Random(SEED).randbytes(size)
    return compile_loop(statement, clock=perf_counter_ns, record=record, v=value)


def _keys(count: int, number: int = 0) -> list[bytes]:
    keys = [b"%d:a key of a usual length:%d" % (number, at) for at in range(count)]
    random.Random(SEED).shuffle(keys)
    return keys


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="benchmark"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _alone(scale: Scale, size: int, count: int, *, reads: bool) -> Outcome:
    keys = _keys(count)
    with _folder() as folder:

        def prepare(engine: Engine) -> Measure:
            cache = engine.build(folder)
            _loop(engine, size, reads=False)(cache, keys)
            loop = _loop(engine, size, reads=reads)
            return lambda _: loop(cache, keys) / count

        subjects = [Subject(one.name, lambda one=one: prepare(one)) for one in engines()]  # type: ignore[misc]
        return interleave(subjects, scale.of(ROUNDS, 1))


def _together(scale: Scale, size: int, count: int, *, reads: bool) -> Outcome:
    context = multiprocessing.get_context("spawn")
    with _folder() as folder, contextlib.ExitStack() as stack:

        def prepare(engine: Engine) -> Measure:
            pipes = []
            for number in range(PROCESSES):
                ours, theirs = context.Pipe()
                arguments = (engine.name, folder, number, size, count, reads, theirs)
                child = context.Process(target=_serve, args=arguments)
                child.start()
                stack.callback(child.join)
                stack.callback(ours.send, None)
                ours.recv()
                pipes.append(ours)
            return lambda _: _race(pipes) / (PROCESSES * count)

        subjects = [Subject(one.name, lambda one=one: prepare(one)) for one in engines()]  # type: ignore[misc]
        return interleave(subjects, scale.of(ROUNDS, 1))


def _race(pipes: Sequence[Any]) -> int:
    start = perf_counter_ns()
    for pipe in pipes:
        pipe.send(True)
    for pipe in pipes:
        failure = pipe.recv()
        if failure:
            raise RuntimeError(failure)
    return perf_counter_ns() - start


def _serve(
    name: str, folder: Path, number: int, size: int, count: int, reads: bool, pipe: Any
) -> None:
    """Go once through the keys whenever told to, in a process of its own."""
    engine = next(one for one in engines() if one.name == name)
    cache = engine.build(folder)
    keys = _keys(count, number)
    _loop(engine, size, reads=False)(cache, keys)
    loop = _loop(engine, size, reads=reads)
    pipe.send(os.getpid())
    while pipe.recv():
        try:
            loop(cache, keys)
            pipe.send("")
        except Exception as error:
            pipe.send(repr(error))
