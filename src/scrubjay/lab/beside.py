"""libCacheSim's policies beside ours, on the same requests; needs the extra ``beside``.

The requests are written once to an unnamed temporary file, which the library
replays in its own code.  It is native code that may crash: replay it in a worker process.

References:
    Yang et al., libCacheSim, https://libcachesim.com
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import IO, Any
from weakref import ReferenceType, finalize, ref

from scrubjay.errors import CacheError
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.replay import ReplayResult

PREFIX = "libcachesim:"
"""Starts the names of its policies, as in ``libcachesim:S3FIFO``."""

POLICIES = (
    *("LRU", "FIFO", "Clock", "LFU", "ARC", "S3FIFO", "Sieve", "LIRS", "TwoQ", "SLRU", "LRUK"),
    *("MQ", "WTinyLFU", "LHD", "Hyperbolic", "GDSF", "LeCaR", "Cacheus", "ClockPro"),
    *("ThreeLCache", "GLCache", "LRB"),
)
"""What may be run, as far as the installed version has it; its LFUDA does not come to an end."""

_RECORD_BYTES = 24
_LARGEST = (1 << 32) - 1
_written: list[tuple[ReferenceType[Trace], bool, IO[bytes]]] = []


def import_libcachesim() -> Any:
    """The library.

    Raises:
        CacheError: it is not installed.
    """
    try:
        return import_module("libcachesim")
    except ImportError as error:
        raise CacheError(
            "policies of libcachesim need the extra 'beside': pip install 'scrubjay[beside]'"
        ) from error


def available_policies() -> list[str]:
    """The names of its policies, each with the prefix.

    Raises:
        CacheError: the library is not installed.
    """
    library = import_libcachesim()
    return [PREFIX + name for name in POLICIES if hasattr(library, name)]


def run_libcachesim(
    trace: Trace, capacity: int, policy: str, *, in_bytes: bool = False
) -> ReplayResult:
    """Replay a trace through a policy of libCacheSim.

    Args:
        trace: the requests.
        capacity: size of the cache in entries, or in bytes.
        policy: name of the policy, with or without the prefix.
        in_bytes: whether the capacity is in bytes.

    Returns:
        What came of it; its evictions and what the misses cost are not known.

    Raises:
        CacheError: the library is not installed or has no such policy.
        TraceError: the capacity is in bytes, and the trace has no sizes.
    """
    library = import_libcachesim()
    name = policy.removeprefix(PREFIX)
    if name not in POLICIES or not hasattr(library, name):
        known = ", ".join(available_policies())
        raise CacheError(f"libcachesim has no policy {name!r}; it has {known}")
    if in_bytes and trace.sizes is None:
        raise TraceError(f"{trace.name}: a capacity in bytes needs a trace with sizes")
    if in_bytes and trace.sizes is not None and max(trace.sizes) > _LARGEST:
        raise TraceError(
            f"{trace.name}: libcachesim's traces hold no object above {_LARGEST} bytes"
        )
    path = _requests_file(trace, in_bytes)
    with _quiet():
        parameters = library.ReaderInitParam(
            ignore_obj_size=not in_bytes, ignore_size_zero_req=False
        )
        reader = library.TraceReader(path, library.TraceType.ORACLE_GENERAL_TRACE, parameters)
        start = perf_counter()
        # The default table takes 128 MB, which for a small cache is most of the time.
        table = min(24, max(12, min(capacity, len(trace)).bit_length()))
        cache = getattr(library, name)(capacity, hashpower=table)
        missed, bytes_missed = cache.process_trace(reader)
        seconds = perf_counter() - start
    total = sum(trace.sizes) if in_bytes and trace.sizes is not None else 0
    count = len(trace)
    return ReplayResult(
        count, count - round(missed * count), None, seconds, total, round(bytes_missed * total)
    )


def _requests_file(trace: Trace, with_sizes: bool) -> str:
    """A file with the requests, kept while the trace is there and no other is replayed."""
    for known, sized, file in _written:
        if known() is trace and sized == with_sizes:
            return f"/dev/fd/{file.fileno()}"
    while _written:
        _written.pop()[2].close()
    # Without a name it is gone when the process is, however that ends.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - stays open
    finalize(trace, file.close)
    file.write(_encode(trace, with_sizes))
    file.flush()
    _written.append((ref(trace), with_sizes, file))
    return f"/dev/fd/{file.fileno()}"


def _encode(trace: Trace, with_sizes: bool) -> bytearray:
    """The requests as oracleGeneral records, column by column."""
    records = bytearray(_RECORD_BYTES * len(trace))
    keys = _numbers(trace.keys)
    sizes: Sequence[int] = trace.sizes if with_sizes and trace.sizes else [1] * len(trace)
    columns = (
        (0, array("I", range(len(trace)))),  # a time that only grows
        (4, keys),
        (12, array("I", (size or 1 for size in sizes))),
        (16, array("q", [-1]) * len(trace)),  # the policies do not know the future
    )
    for offset, column in columns:
        if sys.byteorder == "big":
            column.byteswap()
        content, width = column.tobytes(), column.itemsize
        for byte in range(width):
            records[offset + byte :: _RECORD_BYTES] = content[byte::width]
    return records


def _numbers(keys: Sequence[Any]) -> array[int]:
    """The keys as numbers; those that are none by their hash."""
    if isinstance(keys, array):
        return array("Q", keys)
    numbers: dict[Any, int] = {}
    for key in keys:
        if key not in numbers:
            digest = blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
            numbers[key] = int.from_bytes(digest, "little")
    return array("Q", (numbers[key] for key in keys))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the library prints out of our output."""
    flush_c = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        flush_c(None)  # it is buffered a second time, in C
        for number, file in enumerate(kept, 1):
            os.dup2(file, number)
            os.close(file)
