"""A tier on the local disk, shared by the processes of one machine.

Two files in a directory: records, each with checksums, and a table in memory mapped by all
processes. Reading takes no lock and one call of the system; writing takes one lock for all
processes. What a process has written is there when it is killed. See
`docs/decisions/0016-disk-engine.md`.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import os
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from scrubjay import arguments
from scrubjay.clock import Clock, SystemClock
from scrubjay.closing import Closing
from scrubjay.errors import (
    InvalidArgumentError,
    InvalidArgumentTypeError,
    TierClosedError,
    TierError,
    TierUnavailableError,
)
from scrubjay.tiers import forks
from scrubjay.tiers._disk import generations, layout, locking
from scrubjay.tiers._disk.appending import Item
from scrubjay.tiers._disk.boot import boot_number
from scrubjay.tiers._disk.log import DamagedError
from scrubjay.tiers._disk.opening import Wanted, open_files
from scrubjay.tiers._disk.reading import read
from scrubjay.tiers._disk.store import Store
from scrubjay.tiers.checks import checked_keys, checked_limit, checked_records
from scrubjay.tiers.events import Announcer, OnEvent, TierEventKind
from scrubjay.tiers.protocol import TierRecord, TierSize

_T = TypeVar("_T")
_LEAST_BYTES = 2 << 20
_BYTES_AN_ENTRY = 512  # what an entry takes at least, on average, for the table to suffice
_CHUNK = 64  # records stored under one hold of the lock
_CHUNK_BYTES = 1 << 20
_LOOK_SECONDS = 0.25  # how often it is looked whether the directory still is what it was
_RETRIES = 5
_NEVER = math.inf
_crc32 = zlib.crc32
_monotonic = time.monotonic


class DiskTier(Closing):
    """Keep records in a directory of the local disk, for all processes of a machine.

    It is opened at its first use, and again after a fork. After a kill of any process
    nothing that was acknowledged is lost; after a power cut, unless every process had
    closed it, it is empty. File systems of the network are not supported, nor is Windows.

    Args:
        path: the directory; it is made if missing. It must belong to the user, and nobody
            else may write to it.
        max_bytes: what its files may take, at least 2 MB. A record may take a sixteenth of
            what is left for records, and 16 MB at most.
        max_entries: how many records the table is made for, at about 20 bytes each; one
            for each 512 bytes if None.
        name: names the tier in events and statistics.
        on_event: called with a `TierEvent` when something was damaged, discarded or full;
            None to log that.
        clock: tells the wall time; None for the system's.
        timeout_seconds: how long to wait for other processes before it is an outage.

    Raises:
        InvalidArgumentError: an argument makes no sense.
        TierUnavailableError: the system is not supported.
    """

    blocking = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_bytes: int = 1 << 30,
        *,
        max_entries: int | None = None,
        name: str = "disk",
        on_event: OnEvent | None = None,
        clock: Clock | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        if not locking.SUPPORTED:
            raise TierUnavailableError("the disk tier needs a POSIX system")
        self.name = arguments.label("name", name)
        bound = arguments.count("max_bytes", max_bytes)
        entries = bound // _BYTES_AN_ENTRY
        if max_entries is not None:
            entries = arguments.count("max_entries", max_entries)
        if bound < max(_LEAST_BYTES, 2 * layout.plan(0, entries, b"").index_bytes):
            raise InvalidArgumentError(
                f"max_bytes: {max_bytes!r} is less than {_LEAST_BYTES}, or than the double of "
                f"what {entries} entries take in the table"
            )
        self._wanted = Wanted(
            absolute(path),
            bound,
            entries,
            arguments.positive("timeout_seconds", timeout_seconds),
            boot_number(),
        )
        self._clock = SystemClock() if clock is None else clock
        self._announcer = Announcer(name, arguments.function_or_none("on_event", on_event))
        self._untold: deque[tuple[TierEventKind, str]] = deque()
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._closed = False
        self._look_at = 0.0
        forks.watch(self)

    # ---- the protocol

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, in their order; None for a key that is not there.

        Raises:
            TierUnavailableError: the disk cannot be read now.
        """
        try:
            store = self._store
            if store is None or _monotonic() >= self._look_at:
                store = self._opened()
            values = store.read_many(keys, self._read_again)
            if values is None:  # its files were replaced
                values = self._opened().read_many(keys, self._read_again)
                if values is None:
                    raise TierUnavailableError("its files are being replaced again and again")
        except OSError as error:
            raise self._outage(error) from error
        except TypeError:
            checked_keys(keys)  # says which key is none
            raise
        if self._untold:
            self._announce()
        return values

    def put_many(self, records: Iterable[TierRecord]) -> list[bool]:
        """Store records; return whether each was kept.

        Raises:
            TierFullError: the device is full, and nothing older could make room.
            TierUnavailableError: the disk cannot be written to now.
        """
        checked = checked_records(records)
        kept: list[bool] = []
        at = 0
        while at < len(checked):
            end, size = at, 0
            while end < len(checked) and end - at < _CHUNK and size < _CHUNK_BYTES:
                size += len(checked[end].value)
                end += 1
            try:
                kept += self._put(checked[at:end])
            except TierError:
                with contextlib.suppress(TierError):  # the rest is not stored; nor may the old stay
                    self.delete_many([record.key for record in checked[at:]])
                raise
            at = end
        return kept

    def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove keys; return how many were there.

        Raises:
            TierUnavailableError: the disk cannot be used now.
        """
        keys = checked_keys(keys)
        return self._changed(lambda store: self._delete(store, keys)) if keys else 0

    def counters(self, names: Sequence[bytes]) -> list[int]:
        """Return the generations of names, in their order.

        Raises:
            TierUnavailableError: the disk cannot be used now.
        """
        names = checked_keys(names, "names")
        try:
            store = self._opened()
            return [generations.generation(store.files, name) for name in names]
        except OSError as error:
            raise self._outage(error) from error

    def bump(self, names: Sequence[bytes]) -> list[int]:
        """Begin new generations of names; return them.

        Raises:
            TierUnavailableError: the disk cannot be used now.
        """
        names = checked_keys(names, "names")

        def work(store: Store) -> list[int]:
            for name in names:
                generations.bump(store.files, name)
            return [generations.generation(store.files, name) for name in names]

        return self._changed(work)

    def clear(self) -> None:
        """Remove every record. Generations stay.

        Raises:
            TierUnavailableError: the disk cannot be used now.
        """
        self._changed(lambda store: store.log.clear())

    def scan(self, limit: int | None = None) -> Iterator[TierRecord]:
        """Yield records, those read most first, counted since about the last time round.

        Args:
            limit: how many at most; None for all. Without it, a list of all positions is
                held: some 100 bytes a record.

        Raises:
            TierUnavailableError: the disk cannot be read now.
        """
        limit = checked_limit(limit)
        store = self._opened()
        found = store.slots()
        hottest = sorted(found, reverse=True) if limit is None else heapq.nlargest(limit, found)
        return self._records(store, hottest)

    def size(self) -> TierSize:
        """Tell how full it is. Kills may leave the number of entries wrong by one each.

        Raises:
            TierUnavailableError: the disk cannot be used now.
        """
        store = self._opened()
        words, geometry = store.words, store.files.geometry
        return TierSize(
            words[layout.ENTRIES],
            store.log.live(),
            geometry.segments * geometry.segment_bytes,
            words[layout.EVICTED],
        )

    def close(self) -> None:
        """Close the files; the last process to do so writes everything to the device."""
        with self._opening:
            self._closed = True
            store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(OSError):  # then it counts as not closed
                store.files.end(self._wanted.boot)

    def after_fork(self) -> None:
        """Let go of the parent's files, in a child; the next call opens them again."""
        self._opening = threading.Lock()
        store, self._store = self._store, None
        if store is not None:
            store.files.abandon()

    # ---- what it takes

    def _opened(self) -> Store:
        """Return the store, opened or opened again if need be."""
        store = self._store
        now = _monotonic()
        if store is not None and not store.words[layout.RETIRED]:
            if now < self._look_at:
                return store
            if store.files.in_place(self._wanted.path):
                self._look_at = now + _LOOK_SECONDS
                return store
        if not self._opening.acquire(timeout=self._wanted.timeout):
            raise TierUnavailableError("another thread is opening the files for too long")
        try:
            if self._closed:
                raise TierClosedError(f"tier {self.name} is closed")
            if self._store is store:
                self._store = None
                files = open_files(self._wanted, self._tell_later)
                self._store = Store(files, self._clock.time, self._tell_later)
                self._look_at = _monotonic() + _LOOK_SECONDS
            if self._store is None:
                raise TierUnavailableError("it could not be opened")
            return self._store
        except OSError as error:
            raise self._outage(error) from error
        finally:
            self._opening.release()
            self._announce()

    def _changed(self, work: Callable[[Store], _T]) -> _T:
        """Do a piece of work under the lock, on the files that are in place."""
        try:
            for _ in range(_RETRIES):
                store = self._opened()
                try:
                    with store.files.exclusive:
                        if not store.words[layout.RETIRED] and self._store is store:
                            return work(store)
                except (DamagedError, ArithmeticError, LookupError, ValueError) as error:
                    # The words of the header make no sense: begin with new files.
                    store.words[layout.RETIRED] = 1
                    self._tell_later(TierEventKind.QUARANTINE, f"the index is damaged: {error!r}")
                except TierUnavailableError:
                    # Open them again: an interrupt may have left the lock taken.
                    if self._store is store:
                        self._store = None
                    del store  # or the traceback would keep them open, and locked
                    raise
            raise TierUnavailableError("its files are being replaced again and again")
        except OSError as error:
            raise self._outage(error) from error
        finally:
            if self._untold:
                self._announce()

    def _put(self, records: Sequence[TierRecord]) -> list[bool]:
        # Checksums take time; they are not made under the lock.
        items: list[Item] = [
            (key, value, _crc32(value), cost, _NEVER if expires_at is None else expires_at)
            for key, value, expires_at, cost in records
        ]
        return self._changed(lambda store: store.log.store(items))

    def _delete(self, store: Store, keys: Sequence[bytes]) -> int:
        removed = 0
        for key in keys:
            slot = store.table.find(store.table.hash(key))
            if slot >= 0 and store.table.remove(slot):
                removed += 1
        return removed

    def _read_again(self, key: bytes) -> bytes | None:
        """Read under the lock, where nothing changes, and remove what cannot be read."""
        store = self._opened()
        with store.files.exclusive:
            slot = store.table.find(store.table.hash(key))
            word = store.words[slot] if slot >= 0 else 0
            if not word:
                return None
            found = read(store.files, word)
            if found is None:
                store.table.remove(slot)
                self._tell_later(TierEventKind.CORRUPTION, "a record, or where it was to be")
                return None
            if found.key != key:
                return None
            if found.expires_at <= self._clock.time():
                store.table.remove(slot)
                return None
            return found.value

    def _records(self, store: Store, slots: Sequence[tuple[int, int, int]]) -> Iterator[TierRecord]:
        for _, word, slot in slots:
            try:
                found = read(store.files, word)
            except OSError as error:
                raise self._outage(error) from error
            if (
                found is not None
                and store.words[slot] == word
                and store.table.find(store.table.hash(found.key)) == slot
                and found.expires_at > self._clock.time()
            ):
                expires_at = None if found.expires_at == math.inf else found.expires_at
                yield TierRecord(found.key, found.value, expires_at, found.cost)

    def _tell_later(self, kind: TierEventKind, detail: str) -> None:
        self._untold.append((kind, detail))

    def _announce(self) -> None:
        while self._untold:
            with contextlib.suppress(IndexError):  # another thread was quicker
                self._announcer.tell(*self._untold.popleft())

    def _outage(self, error: OSError) -> TierError:
        if isinstance(error, TierError):
            return error
        return TierUnavailableError(error.errno, f"tier {self.name}: {error.strerror or error}")


def absolute(path: str | os.PathLike[str]) -> str:
    """Return where a path leads to, whatever directory the process changes to.

    Raises:
        InvalidArgumentError: it is no path.
    """
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise InvalidArgumentTypeError(f"path: {path!r} is no path") from None
    if not name or "\0" in name:
        raise InvalidArgumentError(f"path: {path!r} is no path")
    return str(Path(name).absolute())
