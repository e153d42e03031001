"""Records a sample of the requests that a cache answers, for the laboratory to replay.

Keys are sampled by their hash, never requests by chance: of a sampled key every request is
in the file, so that a cache which is smaller in the same proportion hits as often (C.
Waldspurger, N. Park, A. Garthwaite and I. Ahmad, "Efficient MRC Construction with SHARDS",
FAST 2015). Keys and sessions are in the file only as keyed hashes.

Who asks the cache appends a row to a list; packing and writing are a thread's of its own.

The file: `MAGIC`, the length of a header and the header as JSON; then chunks, each its
length, the number of its rows and its columns one after the other, compressed by zlib. A
file whose writer was killed ends within a chunk, and is complete up to there. The last row
of a sample that was closed tells in place of the key how many requests there were for all
keys: by chance the sampled ones are asked for more or less often than the others, and
whoever scales them up must know (SHARDS-adj in the paper).
"""

from __future__ import annotations

import json
import logging
import os
import struct
import threading
import time
import weakref
import zlib
from array import array
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any, final

from scrubjay._core.store import Store
from scrubjay.errors import InvalidArgumentError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAGIC = b"scrubjay recording 1\n"
COLUMNS = "BQQIdQ"  # kind, microseconds since the start, key, bytes, cost, session
LENGTHS = struct.Struct("<II")  # of a chunk: its rows, its bytes
HEADER = struct.Struct("<I")
MISS, HIT, STORED, TOTAL = range(4)
ROWS = 4096  # a chunk
BACKLOG = 64  # chunks that may wait to be written; what comes then is dropped and counted
WHOLE = 1 << 31

_starting = threading.Lock()  # or of two threads both would see no recording under way
_log = logging.getLogger("scrubjay")
Row = tuple[int, int, int, int, float, int]


def encoded(key: Any) -> bytes:
    """Return bytes that tell a key from others of its type."""
    if type(key) is bytes:
        return key
    if type(key) is str:
        return key.encode("utf-8", "surrogatepass")
    if type(key) is tuple:
        parts = [encoded(part) for part in key]
        return b"".join(b"%d:%s," % (len(part), part) for part in parts)
    return f"{type(key).__qualname__}:{key!r}".encode("utf-8", "surrogatepass")


def packed(rows: list[Row]) -> bytes:
    """Return a chunk of the file."""
    columns = (
        array(code, column) for code, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    )
    body = zlib.compress(b"".join(map(_little, columns)), 6)
    return LENGTHS.pack(len(rows), len(body)) + body


def _little(column: array[Any]) -> bytes:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        column.byteswap()
    return column.tobytes()


def _opened(path: Path) -> FileIO:
    """Open a file to write it anew, unless another recorder is writing it.

    Raises:
        OSError: it cannot be written, or another recorder is writing it.
    """
    # Emptied only once it is ours: workers of a server may all be told the same name.
    file = FileIO(path, "wb", opener=lambda name, flags: os.open(name, flags & ~os.O_TRUNC, 0o666))
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise BlockingIOError(
            error.errno, "another recording is written to it", str(path)
        ) from None
    except OSError:
        pass  # some file systems have no locks
    with suppress(OSError):  # nor has a device an end
        file.truncate(0)
    return file


def _unlock(file: FileIO) -> None:
    """Let others write the file; a child process may have it open for longer."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


class Recorder:
    """Writes what it is told to a file.

    Args:
        path: the file; one that is there is replaced.
        sample: share of the keys whose requests are recorded, above 0 and at most 1.
        secret: key of the hashes, up to 64 bytes. The same secret gives the same hashes.
        facts: returns what a cache knows of a key, or None.
        count: returns how many requests a cache has had, or None where it is gone.

    Raises:
        OSError: the file cannot be written, or another recorder is writing it.
    """

    def __init__(
        self,
        path: Path,
        sample: float,
        secret: bytes,
        facts: Callable[[Any], dict[str, Any] | None],
        count: Callable[[], int | None],
    ) -> None:
        self.threshold = max(1, int(sample * WHOLE))
        self.recorded = 0
        self.dropped = 0
        self._facts = facts
        self._count = count
        self._counted = self._before = count() or 0
        self._secret = secret
        self._process = os.getpid()
        self._start = time.monotonic_ns()
        self._rows: list[Row] = []
        self._chunks: SimpleQueue[list[Row] | None] = SimpleQueue()
        self._open = True
        header = json.dumps({"sample": self.threshold / WHOLE, "began": time.time()}).encode()
        self._file = _opened(path)
        try:
            self._file.write(MAGIC + HEADER.pack(len(header)) + header)
            self._thread = threading.Thread(
                target=self._write, name="scrubjay-recorder", daemon=True
            )
            self._thread.start()
        except BaseException:
            self._file.close()
            raise

    # What a store tells; neither raises

    def requested(self, key: Any, hit: bool, session: Any) -> None:
        """Note a request and its answer."""
        try:
            facts = self._facts(key) if hit else None
            size, cost = (0, 0.0) if facts is None else (facts["size"] or 0, facts["cost"])
            self._note(HIT if hit else MISS, key, size, cost, session)
            self._counted = self._count() or self._counted
        except Exception:
            self.dropped += 1

    def stored(self, key: Any, size: int, cost: float) -> None:
        """Note that a value was stored."""
        try:
            self._note(STORED, key, size, cost, None)
        except Exception:
            self.dropped += 1

    def _note(self, kind: int, key: Any, size: int, cost: float, session: Any) -> None:
        moment = (time.monotonic_ns() - self._start) // 1000
        client = 0 if session is None else self._hash(session)
        row = (kind, moment, self._hash(key), min(size, 0xFFFFFFFF), cost, client)
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._hand_over()

    def _hash(self, key: Any) -> int:
        digest = blake2b(encoded(key), key=self._secret, digest_size=8).digest()
        return int.from_bytes(digest, "little")

    def _hand_over(self) -> None:
        rows, self._rows = self._rows, []
        if not rows or not self._open or self._process != os.getpid():
            return  # a child process writes no file of its parent's
        if self._chunks.qsize() >= BACKLOG:
            self.dropped += len(rows)
            return
        self.recorded += len(rows)
        self._chunks.put(rows)

    # Writing

    def _write(self) -> None:
        with self._file:
            while (rows := self._chunks.get()) is not None:
                complete = self._file.tell()
                try:
                    chunk = memoryview(packed(rows))
                    while chunk:
                        chunk = chunk[self._file.write(chunk) :]
                except Exception:
                    lost = sum(row[0] != TOTAL for row in rows)
                    self.recorded -= lost
                    self.dropped += lost
                    _log.exception("recording requests failed")
                    with suppress(OSError):  # what follows must not come after half a chunk
                        self._file.seek(complete)
                        self._file.truncate()
            _unlock(self._file)

    def close(self) -> None:
        """Write what is left and close the file; again, it does nothing."""
        if not self._open or self._process != os.getpid():
            return
        self._hand_over()
        self._open = False
        total = (self._count() or self._counted) - self._before
        if total > 0 and self.threshold < WHOLE:  # below 0 the counts were begun anew
            self._chunks.put([(TOTAL, 0, total, 0, 0.0, 0)])
        self._chunks.put(None)
        if threading.current_thread() is not self._thread:  # a finalizer runs anywhere
            self._thread.join()


@final
class Recording:
    """A recording under way; also a context manager that ends it.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, recorder: Recorder, end: Callable[[], object]) -> None:
        self.path = path
        self._recorder = recorder
        self._end = end

    @property
    def rows(self) -> int:
        """How many requests and stores were handed over to be written so far."""
        return self._recorder.recorded

    @property
    def dropped(self) -> int:
        """How many were left out: the disk was too slow or full, or a key has no repr."""
        return self._recorder.dropped

    def stop(self) -> None:
        """End the recording; the file is complete when this returns."""
        self._end()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def start_recording(store: Store, path: Path, sample: float, secret: bytes) -> Recording:
    """Have a store tell a new recorder of its requests; keeps the store alive for nobody.

    Args:
        store: whose requests.
        path: the file.
        sample: share of the keys that are recorded.
        secret: key of the hashes.

    Raises:
        InvalidArgumentError: it has an observer already.
        OSError: see `Recorder`.
    """
    with _starting:
        if store.observer is not None:
            raise InvalidArgumentError("record: a recording of this cache is under way")
        return _start(store, path, sample, secret)


def _start(store: Store, path: Path, sample: float, secret: bytes) -> Recording:
    reference = weakref.ref(store)

    def facts(key: Any) -> dict[str, Any] | None:
        observed = reference()
        return None if observed is None else observed.facts(key)

    def count() -> int | None:
        observed = reference()
        return None if observed is None else observed.requests

    recorder = Recorder(path, sample, secret, facts, count)

    def end() -> None:
        finalizer.detach()
        observed = reference()
        if observed is not None and observed.observer is recorder:
            observed.observe(None, 0)
        recorder.close()

    finalizer = weakref.finalize(store, recorder.close)  # and when the interpreter ends
    store.observe(recorder, recorder.threshold)
    return Recording(path, recorder, end)
